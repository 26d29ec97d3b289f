"""Sources whose entries are packed: each entry is one record, whatever its message looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from ..formats import HEAD, PACKINGS
from ..trace import Location
from .clean import clean
from .compiled import ENTRIES, Compiled
from .continued import MOST_LINES
from .entries import Entry, Fault, show
from .headers import MANY_HEADERS, NO_TIME
from .sources import Block
from .tables import Header, Scan
from .unpack_export import ExportUnpacker
from .unpack_json import JsonUnpacker, read_line


class Unpacker(Protocol):
    """Takes the blocks of a source apart into entries, and faults where that cannot be done."""

    def feed(self, block: Block) -> Iterable[Entry | Fault]: ...

    def finish(self) -> Iterable[Entry | Fault]: ...


UNPACKERS: dict[str, Callable[[], Unpacker]] = {"json": JsonUnpacker, "export": ExportUnpacker}


def read_entry(data: bytes) -> str | None:
    """The entry that these bytes of a packed source are, as a line for people; None if they are none of it."""
    packing = next((p for p in PACKINGS.values() if p.name in UNPACKERS and p.pattern.search(data)), None)
    if packing is None:
        return None
    unpacker = UNPACKERS[packing.name]()
    entries = [e for e in (*unpacker.feed(Block(data, 0)), *unpacker.finish()) if isinstance(e, Entry)]
    return show(entries[0]) if entries else None


class EntryScanner(Compiled):
    """Reads the entries of one source into a `Scan`. A message with several lines is one record, and nothing inside it is another."""

    def __init__(self, scan: Scan, name: str, layout: str, resolution_us: int, unpacker: Unpacker) -> None:
        super().__init__(scan, name, layout, resolution_us)
        self._unpacker = unpacker
        self._invalid = False
        self._json = unpacker if isinstance(unpacker, JsonUnpacker) else None
        if self._json is not None:
            self._kernel = self._make_kernel(ENTRIES)

    def feed(self, block: Block) -> None:
        """Read a block of whole lines."""
        if self._json is not None and self._kernel is not None and block.ended and not block.overlong:
            self._json.number = self._kernel.feed(block.data, self._json.number, block.offset)
            self.scan.lines += self._kernel.taken
        else:
            self._read(self._unpacker.feed(block))
        if len(self._headers) > MANY_HEADERS:
            self._settle_headers()

    def finish(self) -> None:
        """No more blocks come: read what is held back, and close what is open."""
        self._read(self._unpacker.finish())
        super().finish()

    def _read(self, found: Iterable[Entry | Fault]) -> None:
        for item in found:
            if isinstance(item, Entry):
                self._entry(item)
            else:
                self._fault(item)

    def _line(self, line: bytes, number: int, offset: int, length: int) -> None:
        """A line of json that the kernel declined."""
        self._read(read_line(line, number, offset))

    def _entry(self, entry: Entry) -> None:
        lines = [clean(line) for line in entry.message.split(b"\n", MOST_LINES)]
        while len(lines) > 1 and not lines[-1]:
            lines.pop()
        self.scan.lines += len(lines)
        self._validate(entry)
        at = NO_TIME if entry.at is None else entry.at
        first = lines[0]
        cut = first.find(b"] ")
        key = (entry.sender, entry.at is None, first[:cut])
        header = self._headers.get(key) if cut >= 0 else None
        if header is None:
            head = HEAD.match(first)
            if head is None:
                process = self._process(entry.sender, None)
                self._teach_sender(b"", process, entry.sender.unit)
                self._headless(entry.sender, first, at, entry.line)
            else:
                cut = head.end() - 2
                key = (entry.sender, entry.at is None, first[: head.end(3)])
                header = self._headers.get(key)
                if header is None:
                    header = self._headers[key] = self._new_header(entry.sender, head)
        if header is not None:
            process = header.process
            self._teach_header(key[2], key[2].find(b" [") + 2, header)
            if header.debug:  # its end is the suffix, which stands in its last line
                first, lines = b" ".join(lines), lines[:1]
            self._stamped_record(header, first, cut + 2, at, entry)
        for line in lines[1:]:
            self._continue(process, line)

    def _stamped_record(self, header: Header, line: bytes, start: int, at: int, entry: Entry) -> None:
        if at == NO_TIME:  # neither before nor after the others: no step of the clock
            self._latest[header.process] = NO_TIME
        self._record(header, line, start, at, entry.line, entry.offset, entry.length)
        if at == NO_TIME:
            self._latest[header.process] = NO_TIME

    def _validate(self, entry: Entry) -> None:
        if not self._invalid:
            try:
                entry.message.decode("utf-8")
            except UnicodeDecodeError:
                self._fault(Fault("invalid-bytes", "bytes that are no UTF-8 text were read as replacement characters", entry.line))

    def _fault(self, fault: Fault) -> None:
        if fault.slug == "invalid-bytes":
            if self._invalid:
                return
            self._invalid = True
        elif fault.slug == "unrecognised-line":
            self.scan.noise += 1
        self.scan.note(fault.slug, fault.message, Location(self.name, fault.line), self.scan.request_in(fault.text))
