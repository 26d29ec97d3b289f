"""Records that go on in the next lines, and lines that stand inside them as if they were records."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..trace import Kind, Location
from .framing import TRACEBACK, split_suffix
from .grammar import join_broken, read_exception
from .headers import NO_TIME, Headers
from .tables import NO_REQUEST, Header, Interrupted, Open, Scan

if TYPE_CHECKING:
    from .limits import Relief

RESULT = b" with result '"
DEBUG_END = (b"}}", b"}} ")
MOST_LINES = 20_000  # of one message; what is behind them counts as one
MOST_CONTINUED = 1 << 16
DEAF_TO_INDENTED, DEAF = 1, 2
LEAST_PREFIX = 21  # bytes: of `Jan  5 09:00:00 h u: `
_MOST_INSIDE = 20
FORGED = "forged"


class Continued(Headers):
    """Keeps the record of each process that is not complete, until it is."""

    def __init__(self, scan: Scan, name: str, layout: str, resolution_us: int) -> None:
        super().__init__(scan, name, layout, resolution_us)
        self._open: dict[int, Open] = {}
        self._last: Header | None = None
        self._unfinished = False
        self._interrupted: dict[int, Interrupted] = {}
        self._firsts: dict[int, tuple[int, int]] = {}  # of each process: line and instant of its first record here
        self.orphans: list[tuple[int | None, bytes, int]] = []
        self._orphaned = 0
        self.joins = True  # whether what was read here can be joined to what stands before it

    def finish(self) -> None:
        """No more blocks come: close what is open."""
        for process in list(self._open):
            self._close(process)
        self.settle()
        for process, (number, at) in self._firsts.items():
            if at != NO_TIME != self._latest[process]:
                self.scan.spans[process, self._source] = number, at, self._latest[process]

    def settle(self) -> None:
        """Add what was counted of records to the scan."""
        self._settle_headers()

    def relieve(self, relief: Relief) -> None:
        """Let events be put away, or let go, that are complete, if there are many."""
        self.let_go(partial(relief.relieve, self.scan))

    def let_go(self, put: Callable[[list[int]], list[int] | None]) -> None:
        """Let events be put away that are complete. ``put`` is given those that must stay, and tells where they stand then."""
        if self._interrupted:
            return
        records = sorted(self._open.values(), key=lambda record: record.event)
        for record, place in zip(records, put([record.event for record in records]) or ()):
            record.event = place

    def _keep_open(self, record: Open) -> None:
        self._open[record.header.process] = record
        self._busy[record.header.process] = True

    def _go_on(self, process: int, number: int) -> None:
        """A record comes of a process of which one is open, or was interrupted."""
        if process in self._open:
            self._interrupt(process)
            self._close(process)
        if process in self._interrupted:
            self._count_inside(process, number)
        self._busy[process] = process in self._interrupted

    def _continue(self, process: int, body: bytes) -> None:
        open_record = self._open.get(process)
        if open_record is not None and open_record.size < MOST_CONTINUED:
            traceback = TRACEBACK.match(body)
            open_record.text.append(body[traceback.end() :] if traceback else body)
            open_record.size += len(body)
            if body.endswith(DEBUG_END):
                self._unfinished = False
        elif open_record is None and process in self._interrupted and split_suffix(body, self._layout)[1]:
            self._unmask(process, body)
        elif open_record is None and self._begun_busy and process not in self._firsts:
            self._orphan(process, body, 0)

    def _orphan(self, process: int | None, body: bytes, number: int) -> None:
        """Keep what may go on with a record before this piece: of that process, or (None) of whoever wrote the last record."""
        self.orphans.append((process, body, number))
        self._orphaned += len(body) + 1
        if self._orphaned > MOST_CONTINUED:
            self.joins = False
            self.orphans.clear()

    def _close(self, process: int) -> None:
        """The record is complete: read the facts that its first line did not hold."""
        record = self._open.pop(process)
        scan = self.scan
        kind = scan.kinds[scan.events.kind[record.event]]
        facts = scan.facts_of(record.event) or {}
        if kind.new == "FAILURE":
            facts.update(read_exception(record.text))
        elif kind.is_step and kind.task:
            text = b" ".join(record.text)
            at = text.find(RESULT)
            if at >= 0:
                found = self._find_results(kind.task, kind.new or "", text, at)
                facts.update(scan.catalogue.decode_result(kind.task, kind.new or "", found or ()))
        elif kind.row == "unmatched":
            facts["text"] = join_broken(record.text)
        elif "exception" not in facts:
            facts.update(read_exception(record.text))
        scan.events.set_facts(record.event, facts or None)

    # -- lines inside others -----------------------------------------------------------------------------------------

    def _interrupt(self, process: int) -> None:
        """A record comes while one of its process is open: if that is a DEBUG record, its suffix is still to come."""
        record = self._open[process]
        if record.header.debug and not self._is_whole(record.text[-1]):
            self._interrupted[process] = Interrupted(record, len(self.scan.events), [])

    def _is_whole(self, text: bytes) -> bool:
        """Whether the debug suffix, the end of a DEBUG record, stands at the end of the text."""
        return text.endswith(DEBUG_END) if self._layout == "devstack" else split_suffix(text, self._layout)[1] is not None

    def _count_inside(self, process: int, number: int) -> None:
        lines = self._interrupted[process].lines
        lines.append(number)
        if len(lines) > _MOST_INSIDE:
            del self._interrupted[process]  # the end was lost

    def _unmask(self, process: int, body: bytes) -> None:
        """The end of an interrupted record: what stood between was no record, but text of it, such as a volume's name."""
        inside = self._interrupted.pop(process)
        self._busy[process] = False
        self._take_out(inside, [i for i in range(inside.first_event, len(self.scan.events)) if self.scan.origins[self.scan.events.origin[i]][0] == process])
        inside.record.text.append(body)
        self._open[process] = inside.record
        self._close(process)

    def _unmask_others(self, body: bytes, number: int) -> bool:
        """The end of a DEBUG record of a file that other processes' records seem to have interrupted: a file's records are written in one piece."""
        events = self.scan.events
        broken = [p for p, r in self._open.items() if r.header.debug and not self._is_whole(r.text[-1]) and number - events.line[r.event] <= _MOST_INSIDE]
        if len(broken) != 1 or split_suffix(body, self._layout)[1] is None:
            return False
        record = self._open[broken[0]]
        begun = events.line[record.event]
        forged = [i for i in range(record.event + 1, len(events)) if self.scan.origins[events.origin[i]][1] == self._source and events.line[i] > begun]
        self._take_out(Interrupted(record, record.event + 1, sorted({events.line[i] for i in forged})), forged)
        record.text.append(body)
        self._close(broken[0])
        self._busy[broken[0]] = False
        self._last, self._unfinished = record.header, False
        return True

    def _take_out(self, inside: Interrupted, forged: list[int]) -> None:
        """These events are of lines inside a record."""
        events, nothing = self.scan.events, self.scan.kind(Kind(FORGED))
        for i in forged:
            events.kind[i], events.request[i] = nothing, NO_REQUEST
            events.set_facts(i, None)
        for number in inside.lines:
            message = "this line stands inside another record, as if a user had written it: it was not counted as one"
            self.scan.note("forged-line-suspected", message, Location(self.name, number), inside.record.header.request)

    def _find_results(self, task: str, state: str, line: bytes, start: int) -> tuple[bytes | None, ...] | None:
        """The values in the result that begins here; None if none does."""
        if not line.startswith(RESULT, start):
            return None
        start += len(RESULT)
        if self._layout == "oslo":
            line, _ = split_suffix(line, "oslo")
        end = line.rfind(b"' {{", start)
        return self.scan.catalogue.find_results(task, state, line, start, end if end >= 0 else len(line.rstrip(b"'")))
