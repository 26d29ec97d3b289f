"""The fast way: blocks of lines -> columns of events, for lines that look as they should.

A line is cut at fixed marks. What stands between the stamp and the end of the bracket (host, process, level, logger,
context) is looked up whole in a table, so that it is taken apart once, not once a line. Lines that decline go through
`SourceScanner._slow`; damaged transitions are left to `repair`.
"""

from __future__ import annotations

from array import array

from ..formats import ESCAPE, Context, read_context, service_of
from ..trace import Kind, Location, Process
from .clock import GAP_US, STEP_US, StampReader
from .framing import ACCESS, HEAD, JOURNAL_NOTE, SUPPRESSED, TRACEBACK, Framing, Suffix, cut_bars, split_suffix
from .grammar import read_exception
from .sources import Block
from .tables import NO_REQUEST, Access, Header, Interrupted, Open, Scan, Seen

_INTO, _FROM, _RESULT = b") transitioned into state '", b"' from state '", b" with result '"
_DEBUG_END = (b"}}", b"}} ")
_BOM = b"\xef\xbb\xbf"
_MANY_HEADERS = 200_000
_MOST_CONTINUED = 1 << 16
_MOST_UNMATCHED = 100
_MOST_INSIDE = 20
FORGED = "forged"


class SourceScanner:
    """Reads the blocks of one source into a `Scan`. Carries over what a block leaves open."""

    def __init__(self, scan: Scan, name: str, framing: Framing, stamps: StampReader) -> None:
        self.scan, self.name, self.framing = scan, name, framing
        self._format = framing.format
        self._layout = framing.format.layout
        self._read_stamp = stamps.read
        self._source = scan.add_source(name, framing.format.resolution_us)
        self._service = service_of(name.rsplit("/", 1)[-1])
        self._width = 0
        self._headers: dict[bytes, Header] = {}
        self._transitions: dict[tuple, tuple[int, str | None, bool]] = {}
        self._open: dict[int, Open] = {}
        self._last: Header | None = None
        self._unfinished = False
        self._latest: dict[int, int] = {}
        self._pending: dict[int, list[int]] = {}
        self._interrupted: dict[int, Interrupted] = {}
        self._page_open = False
        self._invalid = False

    # -- blocks ------------------------------------------------------------------------------------------------------

    def feed(self, block: Block) -> None:
        """Read a block of whole lines."""
        data = block.data
        if block.overlong is not None:
            self.scan.note("overlong-line", f"a line of more than {len(data)} bytes was cut", Location(self.name, block.overlong))
        if not self._invalid:
            try:
                data.decode("utf-8")
            except UnicodeDecodeError as error:
                self._invalid = True
                line = block.first_line + data.count(b"\n", 0, error.start)
                self.scan.note("invalid-bytes", "bytes that are no UTF-8 text were read as replacement characters", Location(self.name, line))
        dirty = b"\x1b" in data or b"\r" in data or b"\x00" in data or b"#033[" in data or _BOM in data
        lines = data.split(b"\n")
        self.scan.lines += len(lines)
        read = self._page_line if self.framing.page else self._line
        number, offset = block.first_line, block.offset
        before = None if block.ended else (self._records(), self.scan.unmatched.total())
        for raw in lines:
            read(clean(raw) if dirty else raw, number, offset, len(raw))
            number += 1
            offset += len(raw) + 1
        if len(self._headers) > _MANY_HEADERS:
            self._settle_headers()
        if before is not None and not self.framing.page and (self._unfinished or self._records() == before[0] or self.scan.unmatched.total() > before[1]):
            self.scan.note("truncated-file", "the file ends in the middle of a record", Location(self.name, number - 1))

    def _records(self) -> tuple:
        """Differs before and after a record or an access line."""
        return self._last, self._last.count if self._last else 0, len(self.scan.accesses)

    def finish(self) -> None:
        """No more blocks come: close what is open."""
        for process in list(self._open):
            self._close(process)
        self._settle_headers()

    def _settle_headers(self) -> None:
        seen = self.scan.seen
        for header in self._headers.values():
            if header.first is None or not header.count:
                continue
            process = self.scan.processes[header.process]
            _widen(process, header.first, header.last)
            if header.debug:
                self.scan.debug[header.process] = True
            if header.request != NO_REQUEST and header.begun and header.ended and header.last is not None:
                of_request = seen.setdefault(header.request, {})
                key = (header.process, self._source)
                span = of_request.get(key)
                if span is None:
                    of_request[key] = Seen(header.first, header.last, header.begun, header.ended)
                else:
                    span.first, span.last = min(span.first, header.first), max(span.last, header.last)
                    span.begun, span.ended = min(span.begun, header.begun), max(span.ended, header.ended)
        self._headers.clear()

    # -- lines -------------------------------------------------------------------------------------------------------

    def _line(self, line: bytes, number: int, offset: int, length: int) -> None:
        width = self._width
        cut = line.find(b"] ", width)
        header = self._headers.get(line[width:cut])
        if header is None or cut < 0 or not width:
            header, cut, at = self._slow(line, number)
            if header is None:
                return
        else:
            stamp = self._read_stamp(line[:width])
            if stamp is None:
                self._slow(line, number)
                return
            at = stamp
        self._record(header, line, cut + 2, at, number, offset, length)

    def _record(self, header: Header, line: bytes, start: int, at: int, number: int, offset: int, length: int) -> None:
        process = header.process
        if process in self._open:
            self._interrupt(process)
            self._close(process)
        if process in self._interrupted:
            self._count_inside(process, number)
        latest = self._latest.get(process)
        if latest is not None:
            if at < latest - STEP_US:
                self._step(header, latest, at, number)
            elif at > latest + GAP_US:
                self.scan.processes[process].gaps.append((latest, at))
        self._latest[process] = at
        if header.first is None or at < header.first:
            header.first = at
        if header.last is None or at > header.last:
            header.last = at
        header.count += 1
        header.ended = place = (number, at)
        if header.begun is None:
            header.begun = place
        self._last = header
        self._unfinished = False
        request = header.request
        if request == NO_REQUEST and header.debug:
            return
        if request != NO_REQUEST and self.scan.kept is not None:
            self._keep(request, number, offset, length)
        if line.startswith((b"Task '", b"Flow '"), start) and self._transition(header, line, start, at, number):
            return
        self._message(header, line[start:], at, number)

    def _transition(self, header: Header, line: bytes, start: int, at: int, number: int) -> bool:
        quote = line.find(b"' (", start + 6)
        state = quote + 39 + len(_INTO)
        if quote < 0 or line[quote + 39 : state] != _INTO:
            return False
        end = line.find(_FROM, state)
        old = end + len(_FROM)
        stop = line.find(b"'", old)
        if end < 0 or stop < 0 or end - state > 20 or stop - old > 20:
            return False
        key = (header.level, line[start : start + 4], line[start + 6 : quote], line[state:end], line[old:stop])
        known = self._transitions.get(key)
        if known is None:
            known = self._transitions[key] = self._learn_transition(key)
        kind, task, wants = known
        if task == "":  # the name was lost: something for `repair`, not for the row that this line looks like
            self._unfinished = header.debug and self._layout != "oslo" and not line.endswith(_DEBUG_END)
            self._unmatched(header, line[start:], at, number)
            return True
        facts: dict | None = None
        uuid = line[quote + 3 : quote + 39].decode("ascii", "replace")
        scan = self.scan
        index = len(scan.events)
        if header.debug:
            self._unfinished = not line.endswith(_DEBUG_END) if self._layout != "oslo" else False
            if wants or self._unfinished:
                if self._layout == "oslo":
                    self._unfinished = split_suffix(line, "oslo")[1] is None
                if self._unfinished:
                    self._open[header.process] = Open(index, header, [line[start:]])
                elif wants and task:
                    facts = self._result_facts(task, key[3].decode(), line, stop + 1)
        elif wants and task and line.startswith(_RESULT, stop + 1):
            facts = self._result_facts(task, key[3].decode(), line, stop + 1)
        elif key[3] == b"FAILURE":
            self._open[header.process] = Open(index, header, [line[stop + 1 :]])
        scan.events.append(header.request, kind, header.process, self._source, number, at, uuid, facts)
        return True

    def _learn_transition(self, key: tuple) -> tuple[int, str | None, bool]:
        level, what, name, new, old = key[0], *(k.decode("utf-8", "replace") for k in key[1:])
        if what == "Flow":
            return self.scan.kind(Kind("flow-transition", name, None, old, new, level)), None if name else "", False
        task = name.partition(";")[0].rpartition(".")[2]
        kind = self.scan.kind(Kind("task-transition", None, task, old, new, level))
        return kind, task, self.scan.catalogue.carries_result(task, new)

    def _result_facts(self, task: str, state: str, line: bytes, start: int) -> dict | None:
        if not line.startswith(_RESULT, start):
            return None
        body, _ = split_suffix(line[start + len(_RESULT) :], self._layout) if self._layout == "oslo" else (line[start + len(_RESULT) :], None)
        cut = body.rfind(b"' {{")
        result = body[:cut] if cut >= 0 else body.rstrip(b"'")
        return self.scan.catalogue.result_facts(task, state, result.decode("utf-8", "replace")) or None

    def _message(self, header: Header, body: bytes, at: int, number: int) -> None:
        suffix: Suffix | None = None
        message = body
        if header.debug:
            if self._layout == "oslo":
                message, suffix = split_suffix(body, "oslo")
                self._unfinished = suffix is None
            else:
                cut = body.rfind(b" {{")
                self._unfinished = cut < 0 or not body.endswith(_DEBUG_END)
                if cut >= 0:
                    message = body[:cut]
        for row in header.rows:
            values = row.match(message)
            if values is not None:
                if row.facts or row.traceback:
                    facts = row.read_facts(values)
                    index = len(self.scan.events)
                    if row.traceback or self._unfinished:
                        self._open[header.process] = Open(index, header, [body])
                    self.scan.events.append(
                        header.request, self.scan.kind(Kind(row.key, level=header.level)), header.process, self._source, number, at, None, facts
                    )
                return
        self._unmatched(header, body, at, number)

    def _unmatched(self, header: Header, body: bytes, at: int, number: int) -> None:
        """A record that no row matches: torn or elided text for `repair`, a record that goes on, or an unknown line."""
        if header.request == NO_REQUEST:
            return
        self.scan.unmatched[header.request] += 1
        if self.scan.unmatched[header.request] > _MOST_UNMATCHED:
            return
        index = len(self.scan.events)
        self.scan.events.append(
            header.request,
            self.scan.kind(Kind("unmatched", level=header.level)),
            header.process,
            self._source,
            number,
            at,
            None,
            {"text": body, "logger": header.logger},
        )
        if self._unfinished or not header.debug:
            self._open[header.process] = Open(index, header, [body])

    # -- the slow way ------------------------------------------------------------------------------------------------

    def _slow(self, line: bytes, number: int) -> tuple[Header | None, int, int]:
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
            self._headless(line, prefix, at, number)
            return nothing
        if not self._width:
            self._width = prefix.end("stamp")
        # Known by what the fast way would cut out, also where it will not come by: what headers count is settled from the table.
        key = line[prefix.end("stamp") : head.end(3)]
        header = self._headers.get(key) or self._headers.setdefault(key, self._new_header(prefix, head))
        if header.request != NO_REQUEST:
            self._pend(header, line)
        return header, head.end() - 2, at

    def _new_header(self, prefix, head) -> Header:
        scan = self.scan
        level, logger = head[1].decode(), head[2].decode("utf-8", "replace")
        context = read_context(head[3].decode("utf-8", "replace"), self._layout)
        process = self._process(prefix, logger)
        request = NO_REQUEST
        if context.request_id:
            request = scan.request(context.request_id)
            self._learn_context(request, context, scan.processes[process].service or logger)
        return Header(request, process, level, logger, scan.catalogue.candidates(level, logger))

    def _process(self, prefix, logger: str | None) -> int:
        groups = prefix.groupdict()
        host = groups["host"].decode("utf-8", "replace") or None
        unit = groups["unit"].decode("utf-8", "replace") or None
        pid = int(groups["pid"]) if groups.get("pid") else None
        service = (service_of(unit) if unit else None) or self._service
        process = self.scan.process(service, host, unit, pid)
        if logger and not service:
            services = self.scan.catalogue.services(logger)
            if len(services) == 1:
                self.scan.votes[process].update(services)
        return process

    def _learn_context(self, request: int, context: Context, service: str) -> None:
        info = self.scan.info[request]
        from_api = service == "api" or service.startswith(("cinder.api.", "cinder.volume.api"))
        if context.global_request_id not in (None, "None"):
            info.global_request_id = context.global_request_id
        if (from_api or not info.from_api) and (context.project or context.user):
            info.project, info.user, info.from_api = context.project or info.project, context.user or info.user, from_api

    def _pend(self, header: Header, line: bytes) -> None:
        """Remember that this worker is at work on this request, for the web server's line that names no request."""
        if self.scan.processes[header.process].service not in ("api", ""):
            return
        pids = {self.scan.processes[header.process].pid}
        if header.debug and self._layout == "devstack":
            suffix = split_suffix(line, "devstack")[1]
            if suffix and suffix.pid:
                pids.add(suffix.pid)
        for pid in pids:
            if pid is not None:
                waiting = self._pending.setdefault(pid, [])
                if header.request not in waiting:
                    waiting.append(header.request)
                    del waiting[:-16]

    def _headless(self, line: bytes, prefix, at: int, number: int) -> None:
        """A line with a prefix and without level, logger and bracket: access line, traceback, continuation, stderr."""
        process = self._process(prefix, None)
        body = line[prefix.end() :]
        _widen(self.scan.processes[process], at, at)
        access = ACCESS.match(body)
        if access:
            pid = int(access[1])
            pending = tuple(self._pending.pop(pid, ()))
            self.scan.accesses.append(
                Access(
                    at, process, pid, access[3].decode("ascii", "replace"), access[4].decode("utf-8", "replace"), int(access[6]), self._source, number, pending
                )
            )
            return
        suppressed = SUPPRESSED.search(body)
        if suppressed and b"journald" in prefix["unit"]:
            self.scan.note("rate-limited", f"the journal dropped {int(suppressed[1])} records", Location(self.name, number))
            return
        self._continue(process, body)

    def _continue(self, process: int, body: bytes) -> None:
        open_record = self._open.get(process)
        if open_record is not None and open_record.size < _MOST_CONTINUED:
            traceback = TRACEBACK.match(body)
            open_record.text.append(body[traceback.end() :] if traceback else body)
            open_record.size += len(body)
            if body.endswith(_DEBUG_END):
                self._unfinished = False
        elif open_record is None and process in self._interrupted and split_suffix(body, "devstack")[1]:
            self._unmask(process, body)

    # -- lines inside others -----------------------------------------------------------------------------------------

    def _interrupt(self, process: int) -> None:
        """A record comes while one of its process is open: if that is a DEBUG record, its suffix is still to come."""
        record = self._open[process]
        if self._layout == "devstack" and record.header.debug and not record.text[-1].endswith(_DEBUG_END):
            self._interrupted[process] = Interrupted(record, len(self.scan.events), [])

    def _count_inside(self, process: int, number: int) -> None:
        lines = self._interrupted[process].lines
        lines.append(number)
        if len(lines) > _MOST_INSIDE:
            del self._interrupted[process]  # the end was lost

    def _unmask(self, process: int, body: bytes) -> None:
        """The end of an interrupted record: what stood between was no record, but text of it, such as a volume's name."""
        inside = self._interrupted.pop(process)
        events, nothing = self.scan.events, self.scan.kind(Kind(FORGED))
        for i in range(inside.first_event, len(events)):
            if events.process[i] == process:
                events.kind[i], events.request[i], events.facts[i] = nothing, NO_REQUEST, None
        for number in inside.lines:
            message = "this line stands inside another record, as if a user had written it: it was not counted as one"
            self.scan.note("forged-line-suspected", message, Location(self.name, number), inside.record.header.request)
        inside.record.text.append(body)
        self._open[process] = inside.record
        self._close(process)

    def _unframed(self, line: bytes, number: int) -> None:
        """A line without a prefix: it continues the record before it, if that can go on; else nobody knows it."""
        if not line or JOURNAL_NOTE.match(line):
            return
        last = self._last
        goes_on = last is not None and (self._unfinished or not last.debug or last.process in self._open or line[:1] in b" \t")
        if goes_on and last is not None:
            self._continue(last.process, line)
            return
        self.scan.noise += 1
        self.scan.note("unrecognised-line", f"a line of no known format: {line[:60].decode('utf-8', 'replace')!r}", Location(self.name, number))

    def _step(self, header: Header, latest: int, at: int, number: int) -> None:
        back = (latest - at) / 1e6
        self.scan.note("clock-step", f"the clock went back by {back:.6g} s", Location(self.name, number), header.request)
        if header.request != NO_REQUEST:
            self.scan.stepped.add(header.request)

    def _keep(self, request: int, number: int, offset: int, length: int) -> None:
        kept = self.scan.kept
        assert kept is not None
        columns = kept.get(request)
        if columns is None:
            columns = kept[request] = (array("l"), array("q"), array("q"), array("q"))
        for column, value in zip(columns, (self._source, number, offset, length)):
            column.append(value)

    # -- records that go on ------------------------------------------------------------------------------------------

    def _close(self, process: int) -> None:
        """The record is complete: read the facts that its first line did not hold."""
        record = self._open.pop(process)
        scan = self.scan
        kind = scan.kinds[scan.events.kind[record.event]]
        facts = scan.events.facts[record.event] or {}
        if kind.new == "FAILURE":
            facts.update(read_exception(record.text))
        elif kind.is_step and kind.task:
            text = b" ".join(record.text)
            at = text.find(_RESULT)
            if at >= 0:
                facts.update(self._result_facts(kind.task, kind.new or "", text, at) or {})
        elif kind.row == "unmatched":
            facts["text"] = b" ".join(record.text)
        elif "exception" not in facts:
            facts.update(read_exception(record.text))
        scan.events.facts[record.event] = facts or None

    # -- pages -------------------------------------------------------------------------------------------------------

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


def _widen(process: Process, first: int | None, last: int | None) -> None:
    if first is not None and (process.first is None or first < process.first):
        process.first = first
    if last is not None and (process.last is None or last > process.last):
        process.last = last


def clean(line: bytes) -> bytes:
    """The line without colour escapes, NULs, byte-order marks at its beginning and a carriage return."""
    if b"\x1b" in line or b"#033[" in line:
        line = ESCAPE.sub(b"", line)
    if b"\x00" in line:
        line = line.replace(b"\x00", b"")
    if line.startswith(_BOM):
        line = line.removeprefix(_BOM)
    return line[:-1] if line.endswith(b"\r") else line
