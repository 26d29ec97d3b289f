"""The fast way: blocks of lines -> columns of events, for lines that look as they should.

A line is cut at fixed marks. What stands between the stamp and the end of the bracket (host, process, level, logger,
context) is looked up whole in a table, so that it is taken apart once, not once a line. Lines that decline go through
`SourceScanner._slow`; damaged transitions are left to `repair`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from ..formats import HEAD, Format
from ..trace import Location
from .clean import clean, is_dirty
from .clock import StampReader
from .compiled import LINES
from .continued import DEAF, DEAF_TO_INDENTED, MOST_CONTINUED, MOST_LINES
from .framing import BOOT, JOURNAL_NOTE, Framing, cut_bars
from .glued import split_glued
from .headers import MANY_HEADERS
from .joinable import Joinable
from .mended import Broken, breaks_off, mend
from .sources import Block
from .tables import Header, Scan, Sender

if TYPE_CHECKING:
    from .fast import FastLines


NEWLINE = b"#012"  # as syslog writes it


class SourceScanner(Joinable):
    """Reads the blocks of one source into a `Scan`. Carries over what a block leaves open."""

    def __init__(self, scan: Scan, name: str, framing: Framing, stamps: StampReader) -> None:
        super().__init__(scan, name, framing.format.layout, framing.format.resolution_us, stamps)
        self.framing = framing
        self._format = framing.format
        self._read_stamp = stamps.read
        self._behind = _rest_of_prefix(framing.format)
        if not framing.page and framing.packing is None:
            self._kernel = self._make_kernel(LINES)
            self._kernel = self._kernel or _make_fast(self)
        self._page_open = False
        self._cut = False
        # Which lines without a prefix change nothing until another one comes: none (0), the indented, or all. A record is kept only so far.
        self.deaf = 0

    def feed(self, block: Block) -> None:
        """Read a block of whole lines."""
        data = block.data
        if block.overlong:
            self.scan.note("overlong-line", f"a line of more than {len(data)} bytes was cut", Location(self.name, self._number))
        if self._kernel is not None and block.ended:  # which finds out where `check_text` is needed
            self._cut = False
            first, self._number = self._number, self._kernel.feed(data, self._number, block.offset)
            self.scan.lines += self._number - first
            self._settle_many()
            return
        self.check_text(data)
        dirty = is_dirty(data)
        lines = data.split(b"\n")
        self.scan.lines += len(lines)
        read = self._page_line if self.framing.page else self._line
        number, offset = self._number, block.offset
        self._cut = not block.ended  # then the block is this one line
        before = None if block.ended else (self._records(), self.scan.unmatched.total())
        for raw in lines:
            read(clean(raw) if dirty else raw, number, offset, len(raw))
            number += 1
            offset += len(raw) + 1
        self._number = number
        self._settle_many()
        if before is not None and not self.framing.page and (self._unfinished or self._records() == before[0] or self.scan.unmatched.total() > before[1]):
            self.scan.note("truncated-file", "the file ends in the middle of a record", Location(self.name, number - 1))

    def check_text(self, data: bytes) -> None:
        """Note where the next block is no UTF-8 text, the first time."""
        if self._invalid or data.isascii():
            return
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            self._invalid = True
            line = self._number + data.count(b"\n", 0, error.start)
            self.scan.note("invalid-bytes", "bytes that are no UTF-8 text were read as replacement characters", Location(self.name, line))

    def _settle_many(self) -> None:
        if len(self._headers) > MANY_HEADERS:
            self._settle_headers()

    def _records(self) -> tuple:
        """Differs before and after a record or an access line."""
        return self._last, self._last.count if self._last else 0, len(self.scan.accesses)

    def _line(self, line: bytes, number: int, offset: int, length: int) -> None:
        """The careful way: read a line of any kind, or of several records."""
        self.deaf = 0
        if self._broken is not None:
            mended = self._mend(self._broken, line, number, length)
            if mended is not None:
                line, number, offset, length = mended
        parts = split_glued(line, self._format)
        if len(parts) == 1:
            self._read_line(line, number, offset, length)
            return
        whole = len(line) == length  # else nobody knows where in the file a part lies
        for part in parts:
            self._read_line(part, number, offset, len(part) if whole else length)
            offset += len(part) if whole else 0
            self.deaf = 0

    def _read_line(self, line: bytes, number: int, offset: int, length: int) -> None:
        """A line, or a record of it."""
        first, *rest = line.split(NEWLINE, MOST_LINES) if NEWLINE in line else (line,)
        header, start, at = self._slow(first, number, offset, length)
        if header is not None:
            if rest and header.debug and not self._is_whole(first):  # it is text of the message
                first, rest = line, []
            self._record(header, first, start, at, number, offset, length)
        for text in rest:  # of several lines syslog has made one
            self._go_on_with(header, first, text)
            self.deaf = 0

    def _mend(self, broken: Broken, line: bytes, number: int, length: int) -> tuple[bytes, int, int, int] | None:
        """The record that this line ends of which the line before broke off in its head, with its place; None if it does not."""
        self._broken = None
        whole = mend(broken.line, line, self._format) if number == broken.number + 1 else None
        if whole is None:
            self._continue(broken.process, broken.body)
            return None
        return whole, broken.number, broken.offset, broken.length + 1 + length

    def finish(self) -> None:
        """No more blocks come: close what is open."""
        if self._broken is not None:
            self._continue(self._broken.process, self._broken.body)
        super().finish()

    def _go_on_with(self, header: Header | None, first: bytes, text: bytes) -> None:
        """Text behind a record, or behind another line of its sender's."""
        prefix = None if header is not None else self._format.pattern.match(first)
        whose = header or self._last
        if prefix is not None:
            self._continue(self._process(_sender(prefix), None), text)
        elif whose is not None:
            self._continue(whose.process, text)

    def _slow(self, line: bytes, number: int, offset: int, length: int) -> tuple[Header | None, int, int]:
        """Take a line apart whose beginning is not known yet: a new header, or a line that is no record of its own."""
        nothing = (None, 0, 0)
        prefix = self._format.pattern.match(line)
        if prefix is None:
            self._unframed(line, number)
            return nothing
        at = self._read_stamp(prefix["stamp"])
        if at is None:
            self._unframed(line, number)
            return nothing
        head = HEAD.match(line, prefix.end())
        if head is None:
            sender = _sender(prefix)
            self._teach_sender(line[prefix.end("stamp") : prefix.end()], self._process(sender, None), sender.unit)
            if breaks_off(line[prefix.end() :]):  # what it is, the next line tells
                self._broken = Broken(line, number, offset, length, self._outlive(sender, at), line[prefix.end() :])
            else:
                self._headless(sender, line[prefix.end() :], at, number)
            return nothing
        if not self._width:
            self._width = prefix.end("stamp")
        # Known by what the fast way would cut out, also where it will not come by: what headers count is settled from the table.
        key = line[prefix.end("stamp") : head.end(3)]
        header = self._headers.get(key)
        if header is None:
            header = self._headers[key] = self._new_header(_sender(prefix), head)
        self._teach_header(key, head.start(3) - prefix.end("stamp"), header)
        return header, head.end(), at

    def read_whole_stamp(self, stamp: bytes) -> int | None:
        """The instant of a stamp; None if that is not all of a stamp, or more than one."""
        found = self._format.pattern.match(stamp + self._behind)
        return self._read_stamp(stamp) if found and found.end("stamp") == len(stamp) else None

    def _unframed(self, line: bytes, number: int) -> None:
        """A line without a prefix: it continues the record before it, if that can go on; else nobody knows it."""
        if not line or JOURNAL_NOTE.match(line):
            if self._layout != "oslo" and not self._unfinished and BOOT.match(line):
                self.scan.boots.append((self._source, number, *self.latest_record()))
            return
        last = self._last
        if last is None and self._begun_busy:
            self._orphan(None, line, number)
            self.deaf = 0 if self.joins else DEAF  # what cannot be joined is read again
            return
        if last is not None and self._layout == "oslo" and not (self._unfinished and last.debug) and self._unmask_others(line, number):
            return
        goes_on = last is not None and (self._unfinished or not last.debug or last.process in self._open or line[:1] in b" \t")
        if goes_on and last is not None:
            self._continue(last.process, line)
            self.deaf = self._hears(last)
            return
        if self._cut:  # that the file ends in it is told
            return
        self.scan.noise += 1
        self.scan.note("unrecognised-line", f"a line of no known format: {line[:60].decode('utf-8', 'replace')!r}", Location(self.name, number))

    def _hears(self, last: Header) -> int:
        """What `deaf` is behind a line that went on with the record of this header."""
        record = self._open.get(last.process)
        if record is not None:
            more = record.size < MOST_CONTINUED
        else:
            more = last.process in self._interrupted or (self._begun_busy and last.process not in self._firsts)
        inside = self._unfinished and last.debug
        if more or (self._layout == "oslo" and not inside and any(r.header.debug for r in self._open.values())):
            return 0
        return DEAF if self._unfinished or not last.debug or record is not None else DEAF_TO_INDENTED

    def _page_line(self, line: bytes, number: int, offset: int, length: int) -> None:
        """A line of a page in which records stand among other text, behind bars, broken over several lines."""
        found = self._format.pattern.search(line)
        if found and HEAD.match(line, found.end()):
            text, closed = cut_bars(line[found.start() :])
            self._page_open = not closed
            self._line(text.rstrip() + b" " if text.endswith(b"]") else text, number, offset, length)
        elif self._page_open:
            text, closed = cut_bars(line)
            if text.strip() and self._last is not None:
                self._continue(self._last.process, text.strip())
            self._page_open = not closed


def _make_fast(scanner: SourceScanner) -> FastLines:
    """The same loop in Python. It stands on numpy, which the kernel does without."""
    from .fast import FastLines

    return FastLines(scanner)


@cache
def _rest_of_prefix(fmt: Format) -> bytes:
    """What may stand between a stamp and a record."""
    prefix = fmt.write(10**15, "h", "u", 1).encode()
    found = fmt.pattern.match(prefix)
    return prefix[found.end("stamp") :] if found else b""


def _sender(prefix: re.Match[bytes]) -> Sender:
    groups = prefix.groupdict()
    host, unit = ((groups[name] or b"").decode("utf-8", "replace") or None for name in ("host", "unit"))
    return Sender(host, unit, int(groups["pid"]) if groups.get("pid") else None)
