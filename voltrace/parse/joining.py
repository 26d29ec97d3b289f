"""Pieces -> one scan, as if one reader had read all of it in order."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from ..trace import Diagnostic, EventTable, Location, LogSet, Process
from .bundles import Change
from .headers import widen
from .limits import Relief
from .pieces import Layout, Piece, Task, open_scanner, range_blocks
from .records import MOST_STEPS, MOST_UNMATCHED
from .scan import SourceScanner
from .shelf import Shelf
from .tables import NO_REQUEST, Header, Interrupted, Open, Scan


class Joiner:
    """Takes the pieces of all sources in their order."""

    def __init__(self, scan: Scan, relief: Relief, shelf: Shelf | None = None) -> None:
        """``relief`` is asked between pieces; to the ``shelf`` go the events that workers put away."""
        self.scan, self._relief, self._shelf = scan, relief, shelf
        self.layouts: list[str] = []
        self._keeper: SourceScanner | None = None  # of a source that is read in ranges: stands where the latest range ended

    def add(self, task: Task, piece: Piece) -> None:
        """The next piece. A range that turns out to depend on what stands before it in a way that was not foreseen is read again."""
        if task.layout is None:
            self._end_source()
            if piece.layout is not None:
                self.layouts.append(piece.layout.framing.format.layout)
            _Addition(self.scan, piece, self._shelf).add_all()
            self._relief.relieve(self.scan, [])
            return
        if not task.start:
            self._end_source()
            self._begin_source(task, task.layout)
        keeper = self._keeper
        assert keeper is not None
        for number in task.files:
            if isinstance(keeper.name, LogSet):
                keeper.name.begin(number, keeper.lines_before() + 1)
        if not task.start or _follows(keeper, task, piece):
            _Addition(self.scan, piece, self._shelf, keeper).add_all()
        else:
            for block in range_blocks(task):
                keeper.feed(block)
        keeper.relieve(self._relief)
        if task.end is None:
            self._end_source()

    def finish(self) -> None:
        """No more pieces come."""
        self._end_source()

    def _begin_source(self, task: Task, layout: Layout) -> None:
        self.layouts.append(layout.framing.format.layout)
        self.scan.diagnostics += layout.notes
        keeper = open_scanner(self.scan, task.source.name, layout, task.options.zone)
        assert isinstance(keeper, SourceScanner)
        keeper.begin_at(layout.width)
        self._keeper = keeper

    def _end_source(self) -> None:
        if self._keeper is not None:
            self._keeper.finish()
            self._keeper = None


def _follows(keeper: SourceScanner, task: Task, piece: Piece) -> bool:
    """Whether a range was read as it would have been by who had read all before it, but for what can still be settled."""
    if not piece.joins or not keeper.can_be_joined():
        return False
    if task.first_stamp is not None:
        keeper.stamps.read(task.first_stamp)
    return task.clock == keeper.stamps.state


class _Addition:
    """A piece on its way into a scan: its numbers for requests, processes, origins and kinds, translated."""

    def __init__(self, scan: Scan, piece: Piece, shelf: Shelf | None, keeper: SourceScanner | None = None) -> None:
        self.scan, self.piece, self.shelf, self.keeper = scan, piece, shelf, keeper
        own = piece.scan
        self.requests = scan.requests.number_all(own.requests)
        self.processes = [scan.process(*key) for key in own.process_keys()]
        sources = [keeper.source] if keeper is not None else [scan.add_source(name, r) for name, r in zip(own.sources, own.resolution)]
        self.sources = sources
        self.origins = [scan.origin(self.processes[process], sources[source]) for process, source in own.origins]
        self.kinds = [scan.kind(kind) for kind in own.kinds]
        self.base = keeper.lines_before() if keeper is not None else 0
        self.events = len(scan.events)

    def add_all(self) -> None:
        """Add everything."""
        scan, own = self.scan, self.piece.scan
        before = len(scan.diagnostics)
        if self.keeper is not None:
            self._join(self.keeper)
        told = [Diagnostic(d.slug, d.message, self._place(d.where), d.request_id) for d in own.diagnostics]
        if self.keeper is not None and self.keeper.invalid:
            told = [d for d in told if d.slug != "invalid-bytes"]
        noted = sorted(scan.diagnostics[before:] + told, key=lambda d: d.where.line if d.where else 0) if self.keeper is not None else told
        del scan.diagnostics[before:]
        for diagnostic in noted:
            scan.keep(diagnostic)
        for number, written in enumerate(own.processes):
            self._add_process(number, written)
        for request, info in own.info.items():
            if self.requests[request] != NO_REQUEST:
                scan.info.join(self.requests[request], info)
        self._add_accesses()
        for (process, source), steps in own.steps.items():
            found = scan.steps.setdefault((self.processes[process], self.sources[source]), [])
            found += [(line + self.base, message) for line, message in steps][: MOST_STEPS - len(found)]
        for (process, source), gaps in own.gaps.items():
            scan.add_gaps(self.processes[process], self.sources[source], ((line + self.base, at, before) for line, at, before in gaps))
        for (process, source), span in own.spans.items():  # of a whole source: a range has none
            scan.spans[self.processes[process], self.sources[source]] = span
        self._add_boots()
        self._add_unmatched()
        self._add_rows()
        if scan.kept is not None and own.kept is not None:
            _extend(scan.kept, own.kept, {"request": self._of(self.requests), "source": self._of(self.sources), "line": _moved(self.base)})
        scan.lines += own.lines
        scan.noise += own.noise
        if self.keeper is not None:
            self._move_on(self.keeper)

    def _place(self, where: Location | None) -> Location | None:
        return Location(where.path, where.line + self.base) if where is not None and self.base else where

    # -- columns -----------------------------------------------------------------------------------------------------------

    def _of(self, numbers: Iterable[int]) -> Change:
        """Translates a column; -1 stays -1."""
        table = np.array([*numbers, -1], np.int32)
        return lambda column: table[column]

    def _add_rows(self) -> None:
        """Add events and what was seen, and take what was put away."""
        events, own = self.scan.events, self.piece.scan
        facts, moved = len(events.facts), _moved(self.base)
        changes: dict[str, Change] = {
            "request": self._of(self.requests),
            "kind": self._of(self.kinds),
            "origin": self._of(self.origins),
            "fact": lambda column: np.where(column < 0, -1, column + facts).astype(np.int32),
            "line": moved,
            "begun_line": moved,
            "ended_line": moved,
        }
        if self.piece.bundle is not None:
            assert self.shelf is not None
            self.shelf.adopt(self.scan, self.piece.bundle, self.piece.parts, self.requests, changes)
        for name in EventTable.COLUMNS:
            _extend_column(getattr(events, name), getattr(own.events, name), changes.get(name))
        events.facts += own.events.facts
        _extend(self.scan.seen, own.seen, changes)

    def _add_accesses(self) -> None:
        """The first line of each worker in a range may also be about what the worker was at work on before the range."""
        to, own = self.scan.accesses, self.piece.scan.accesses
        if not len(own):
            return
        pending = array("i")
        _extend_column(pending, own.pending, self._of(self.requests))
        shifts = np.full(len(own), len(to.pending))
        done = 0
        for pid, row in _first_rows(own.pid) if self.keeper is not None else []:
            start, end = own.end[row - 1] if row else 0, own.end[row]
            joined = self.keeper.pop_pending(pid, pending[start:end])  # type: ignore[union-attr]
            shifts[row:] += len(joined) - (end - start)
            to.pending += pending[done:start] + joined
            done = end
        to.pending += pending[done:]
        calls = self._of([to.call_of(*call) for call in own.calls])
        changes = {"call": calls, "end": lambda column: column + shifts}
        for name in to.COLUMNS:
            _extend_column(getattr(to, name), getattr(own, name), changes.get(name))

    def _add_boots(self) -> None:
        """The latest record before a boot may stand before the range."""
        for source, line, process, at in self.piece.scan.boots:
            before = (self.processes[process], at) if process >= 0 else self.keeper.latest_record() if self.keeper is not None else (process, at)
            self.scan.boots.append((self.sources[source], line + self.base, *before))

    def _add_unmatched(self) -> None:
        """Of lines that nobody knows only so many are kept of a request."""
        scan, own = self.scan, self.piece.scan
        over = set()
        for request, count in own.unmatched.items():
            found = self.requests[request]
            if scan.unmatched[found] + min(count, MOST_UNMATCHED) > MOST_UNMATCHED and scan.unmatched[found]:
                over.add(request)
        if over:
            left = {request: MOST_UNMATCHED - scan.unmatched[self.requests[request]] for request in over}
            for row, request in enumerate(own.events.request):
                if request in over and own.kinds[own.events.kind[row]].row == "unmatched":
                    left[request] -= 1
                    if left[request] < 0:
                        own.events.request[row] = NO_REQUEST
        for request, count in own.unmatched.items():
            scan.unmatched[self.requests[request]] += count

    # -- values ------------------------------------------------------------------------------------------------------------

    def _add_process(self, number: int, process: Process) -> None:
        scan, own = self.scan, self.piece.scan
        found = scan.processes[self.processes[number]]
        widen(found, process.first, process.last)
        scan.votes[self.processes[number]] |= own.votes[number]
        scan.debug[self.processes[number]] = scan.debug[self.processes[number]] or own.debug[number]

    def _translate_header(self, header: Header) -> Header:
        request = self.requests[header.request] if header.request != NO_REQUEST else NO_REQUEST
        found = Header(request, self.processes[header.process], self.origins[header.origin], header.level, header.logger, header.rows)
        found.is_api = header.is_api
        return found

    def _translate_open(self, record: Open) -> Open:
        return Open(record.event + self.events, self._translate_header(record.header), record.text, record.size)

    # -- the ends of a range -----------------------------------------------------------------------------------------------

    def _join(self, keeper: SourceScanner) -> None:
        """Settle what records before the range have to do with its first lines."""
        piece = self.piece
        for process, body, number in piece.orphans:
            keeper.take_orphan(None if process is None else self.processes[process], body, number + self.base)
        for process, (number, at) in piece.firsts.items():
            keeper.take_first(self.processes[process], at, number + self.base)

    def _move_on(self, keeper: SourceScanner) -> None:
        """Let the keeper stand where the range ends."""
        piece = self.piece
        for process, at in piece.latest.items():
            keeper.set_latest(self.processes[process], at)
        for record in piece.open.values():
            keeper.reopen(self._translate_open(record))
        for cut in piece.interrupted.values():
            lines = [line + self.base for line in cut.lines]
            keeper.interrupt(Interrupted(self._translate_open(cut.record), cut.first_event + self.events, lines))
        last = self._translate_header(piece.last) if piece.last is not None else None
        pending = {pid: [self.requests[request] for request in requests] for pid, requests in piece.pending.items()}
        if piece.broken is not None:
            process = self.processes[piece.broken.process]
            keeper.break_off(piece.broken._replace(number=piece.broken.number + self.base, process=process))
        keeper.move_on(piece.lines, last, piece.unfinished, pending, piece.clock, piece.invalid)


def _moved(base: int) -> Change:
    """Moves a column of lines. What is kept of a piece for later must not keep the piece: no method of what adds it does this."""
    return lambda column: column + base


def _first_rows(pids: array) -> list[tuple[int, int]]:
    """Each of these once, with the row in which it stands first, in the order of rows."""
    found: dict[int, int] = {}
    for row, pid in enumerate(pids):
        found.setdefault(pid, row)
    return list(found.items())


def _extend(to, own, columns: dict[str, Change]) -> None:
    for name in to.__slots__:
        _extend_column(getattr(to, name), getattr(own, name), columns.get(name))


def _extend_column(to: array, own: array, change: Change | None) -> None:
    if change is None:
        to.extend(own)
    elif len(own):
        column = np.frombuffer(own, np.dtype(own.typecode))
        to.frombytes(np.ascontiguousarray(change(column), column.dtype).data.cast("B"))
