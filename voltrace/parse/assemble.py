"""Each request's events of what was scanned, in causal order, become its timeline."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain

import numpy as np

from ..lifecycle import SERVICES, VOLUME_CREATE
from ..trace import Diagnostic, EventTable, Lines, LogSet, Timeline, place
from .framing import split_suffix
from .ids import Some
from .join import find_told, join_accesses
from .letting_go import access_of, let_go
from .limits import drop_excess
from .order import Raw, causal_order, drop_copies, drop_stretches, merge_sources
from .repair import read_elided
from .shelf import Shelf
from .shuffled import put_in_order
from .steps import find_step
from .tables import NO_REQUEST, Access, Scan, Seen
from .timeline import TimelineBuilder


class _ByRequest:
    """The rows of a table by request: row numbers in the order of reading."""

    def __init__(self, request: np.ndarray, count: int) -> None:
        self.order = request.argsort(kind="stable")
        self.bounds = request[self.order].searchsorted(np.arange(-1, count + 1))

    def of(self, request: int) -> np.ndarray:
        return self.order[self.bounds[request + 1] : self.bounds[request + 2]]


class Assembler:
    """Puts the timelines of a scan together, one request at a time."""

    def __init__(self, scan: Scan, layouts: list[str], shelf: Shelf | None = None) -> None:
        settle_services(scan)
        if scan.others:
            let_go(scan, [])
        drop_excess(scan, [])
        if scan.requests.full:
            scan.note("limit-reached", f"more than {len(scan.requests):,} requests: of those that came later only the lines were counted", None)
        order = {name: number for number, name in enumerate(scan.sources)}
        scan.diagnostics.sort(key=lambda d: (order.get(d.where.path, -1), d.where.line) if d.where else (-1, 0))
        if any(isinstance(name, LogSet) for name in scan.sources):
            named = {name: name for name in scan.sources}
            scan.diagnostics = [replace(d, where=place(named.get(d.where.path, d.where.path), d.where.line)) if d.where else d for d in scan.diagnostics]
        self.scan, self.layouts, self._shelf = scan, layouts, shelf
        self._whole = scan
        self._numbers: np.ndarray | None = None  # of each request, if these are some of a scan: its number there
        self._index()
        self.kept = _ByRequest(np.frombuffer(scan.kept.request, np.int32), len(scan.requests)) if scan.kept is not None else None
        self._names = [p.name for p in scan.processes]
        self._accesses: dict[int, Access] | None = None
        self._noted: dict[str, list[Diagnostic]] = defaultdict(list)
        for diagnostic in scan.diagnostics:
            if diagnostic.request_id:
                self._noted[diagnostic.request_id].append(diagnostic)

    def _index(self) -> None:
        scan = self.scan
        self.events, self.seen = (_ByRequest(np.frombuffer(table.request, np.int32), len(scan.requests)) for table in (scan.events, scan.seen))

    def parts(self) -> list[Callable[[], Assembler]]:
        """What gives assemblers of all requests, each of some: more than one if events were put away on disk."""
        shelf = self._shelf
        if shelf is None or not shelf.is_used:
            return [lambda: self]
        return [partial(self._part, shelf, first, last) for first, last in shelf.parts(self.scan)]

    def _part(self, shelf: Shelf, first: int, last: int) -> Assembler:
        part = copy(self)
        part.scan = copy(self.scan)
        part.scan.events, part.scan.seen = shelf.read(self.scan, first, last)
        drop_excess(part.scan, [])
        pending = shelf.find(self.scan, self.pending, first, last)
        columns = [np.frombuffer(table.request, np.int32) for table in (part.scan.events, part.scan.seen)]
        places = np.full(len(self.scan.requests) + 1, NO_REQUEST, np.int32)  # the last is that of `NO_REQUEST`
        for column in (*columns, pending):
            places[column] = 0
        places[NO_REQUEST] = NO_REQUEST
        numbers = np.flatnonzero(places == 0)
        places[numbers] = np.arange(len(numbers), dtype=np.int32)
        part.scan.events.request, part.scan.seen.request = (array("i", places[column].tobytes()) for column in columns)
        part._numbers, part.pending = numbers, places[pending]
        part.scan.requests = Some(self.scan.requests, numbers)  # type: ignore[assignment]  # nobody asks more of a part
        part._index()
        return part

    def expect(self, requests: list[int]) -> None:
        """Of other requests nobody will ask for the web server's line."""
        self._accesses = self._join(requests)

    @property
    def accesses(self) -> dict[int, Access]:
        """The web server's line of each request that can be told to have one."""
        if self._accesses is None:
            self._accesses = self._join(None)
        return self._accesses

    def _join(self, requests: list[int] | None) -> dict[int, Access]:
        own = self._numbers
        if own is None:
            return join_accesses(self._whole, self._told, requests)
        found = join_accesses(self._whole, self._told, own[requests].tolist() if requests is not None else own.tolist())
        places = own.searchsorted(list(found)).tolist() if found else []
        return {place: access for place, (number, access) in zip(places, found.items()) if place < len(own) and own[place] == number}

    def _told(self, scan: Scan, among: np.ndarray) -> np.ndarray:
        return self._shelf.told(among) if self._shelf is not None and self._shelf.is_used else find_told(scan, among)

    @cached_property
    def pending(self) -> np.ndarray:
        """The requests of which a line of the web server may tell something."""
        found = np.zeros(len(self.scan.requests), bool)
        pending = np.frombuffer(self.scan.accesses.pending, np.int32)
        found[pending[pending != NO_REQUEST]] = True
        return np.flatnonzero(found).astype(np.int32)

    @cached_property
    def lasting(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last instant of each request; for those without stamps the last lies before the first."""
        seen = self.scan.seen
        request, first, last = np.frombuffer(seen.request, np.int32), np.frombuffer(seen.first, np.int64), np.frombuffer(seen.last, np.int64)
        stamped = (first != EventTable.NO_TIME) & (request != NO_REQUEST)
        count = len(self.scan.requests)
        begun, ended = np.full(count, np.iinfo(np.int64).max), np.full(count, EventTable.NO_TIME)
        np.minimum.at(begun, request[stamped], first[stamped])
        np.maximum.at(ended, request[stamped], last[stamped])
        return begun, ended

    def raws(self, request: int) -> list[Raw]:
        """The events of a request, in the order of reading."""
        return list(map(self.raw, self.events.of(request).tolist()))

    def raw(self, row: int) -> Raw:
        scan, events = self.scan, self.scan.events
        at, number, fact, (process, source) = events.at[row], events.kind[row], events.fact[row], scan.origins[events.origin[row]]
        service, facts = scan.processes[process].service, scan.decode(number, fact) or {}
        return Raw(instant(at), scan.resolution[source], service, scan.kinds[number], events.uuid_of(row), facts, source, events.line[row], process)

    def seen_of(self, request: int) -> dict[tuple[int, int], Seen]:
        """What each source shows of each process at work on a request."""
        found: dict[tuple[int, int], Seen] = {}
        for row in self.seen.of(request).tolist():
            origin, seen = self.scan.seen.row(row)
            key = self.scan.origins[origin]
            if key in found:
                found[key].join(seen)
            else:
                found[key] = seen
        return found

    def lines_of(self, request: int) -> Lines | None:
        """Where a request's lines lie, if that was kept."""
        return self.scan.kept.lines(self.kept.of(request)) if self.scan.kept is not None and self.kept is not None else None

    def build(self, request: int, joined: bool = True) -> tuple[Timeline, tuple[str, ...] | None]:
        """The timeline of a request, and the sources that hold the same records of it, if several do.

        ``joined``: whether the web server's line may tell something that the request's own lines do not.
        """
        scan, request_id = self.scan, self.scan.requests[request]
        builder = self.builder(request)
        raws = self.raws(request)
        sources = {raw.source for raw in raws}
        raws, repeated = drop_stretches(raws)
        if repeated:
            where = place(scan.sources[repeated[0].source], repeated[0].line)
            builder.diagnostics.append(Diagnostic("duplicated-records", f"{len(repeated)} records of this request stand in the log twice", where, request_id))
        raws, copied = drop_copies(raws, self._who)
        raws, moved = put_in_order(raws)
        if moved:
            where = place(scan.sources[moved[0].source], moved[0].line)
            message = "lines of one process stand in another order than their stamps, and only in that of the stamps can it have been at work: the stamps were believed"
            builder.diagnostics.append(Diagnostic("clock-step", message, where, request_id))
        ordered = order_raws(raws)
        for raw in ordered:
            elided = None
            if raw.kind.row == "unmatched":
                layout = self.layouts[raw.source]
                elided = read_elided(scan.catalogue, raw.kind.level, raw.facts["logger"], raw.facts["text"], layout)
                if elided is None and raw.kind.level == "DEBUG" and split_suffix(raw.facts["text"], layout)[1] is None:
                    where = place(scan.sources[raw.source], raw.line)
                    builder.diagnostics.append(Diagnostic("torn-record", "this record breaks off: its end is missing", where, request_id))
                    continue
            builder.add(raw, elided)
        builder.diagnostics += self._noted.get(request_id, ())
        seen = self.seen_of(request)
        step = find_step(scan.steps, seen, ordered, {(raw.process, raw.source) for raw in moved})
        if step:
            builder.diagnostics.append(Diagnostic("clock-step", step[1], place(scan.sources[step[0][0]], step[0][1]), request_id))
        access = (access_of(scan, request) or self.accesses.get(request)) if joined else None
        timeline = self.finish(builder, request, seen, access, step is not None)
        return timeline, tuple(sorted(scan.sources[source] for source in sources))[:4] if copied else None

    def telling(self, requests: list[int]) -> list[int]:
        """Those of these requests that may tell anything where only creates are asked for.

        Not those of which all was let go, nor those of which all lines are whole and nobody knows any, if the web server's lines cannot be about them either: there may be millions.
        """
        scan = self.scan
        unknown = np.frombuffer(scan.of_rows("unmatched"), bool)[np.frombuffer(scan.events.kind, np.int32)[self.events.order]]
        known_before = np.append(0, np.cumsum(~unknown))
        bounds = self.events.bounds
        own = np.array(requests, np.int64)
        silent = known_before[bounds[own + 2]] == known_before[bounds[own + 1]]
        if scan.others:
            gone = scan.others.of(own) & (bounds[own + 2] == bounds[own + 1])
            own, silent = own[~gone], silent[~gone]
        if len(scan.sources) > 1:  # copies tell that sources overlap
            silent[:] = False
        silent[np.isin(own, self.pending)] = False
        return [request for request, is_silent in zip(own.tolist(), silent.tolist()) if not (is_silent and self._is_whole(request))]

    def _is_whole(self, request: int) -> bool:
        """Whether no text is lost of any of a request's lines, which are of no known kind."""
        scan = self.scan
        for row in self.events.of(request).tolist():
            facts = scan.facts_of(row) or {}
            layout = self.layouts[scan.origins[scan.events.origin[row]][1]]
            if read_elided(scan.catalogue, scan.kinds[scan.events.kind[row]].level, facts["logger"], facts["text"], layout) is not None:
                return False
        return True

    def builder(self, request: int) -> TimelineBuilder:
        """What takes the events of a request."""
        by_lapses = self.scan.wanted is None  # or bounds would differ from those of requests that are measured in columns
        return TimelineBuilder(self.scan.requests[request], self.scan.sources, self._names, by_lapses)

    def finish(
        self, builder: TimelineBuilder, request: int, seen: dict[tuple[int, int], Seen], access: Access | None = None, stepped: bool = False
    ) -> Timeline:
        """The timeline of a builder that was given all events."""
        scan, info = self.scan, self.scan.info[request]
        by_service: dict[str, list[tuple[int, Seen]]] = defaultdict(list)
        for (process, source), span in seen.items():
            by_service[scan.processes[process].service].append((scan.resolution[source], span))
        start, end = _edges([(scan.resolution[source], span) for (_, source), span in seen.items()], stepped)
        spans = {service: _edges(own, stepped) for service, own in by_service.items()}
        timeline = builder.build(
            access=access,
            global_request_id=info.global_request_id,
            project=info.project,
            user=info.user,
            start=start,
            end=end,
            stepped=stepped,
            seen=spans,
            lines=self.lines_of(request),
        )
        if stepped and timeline.flows:  # the files of several services have no common order: those of its first and its last flow count
            timeline = replace(timeline, start=spans[timeline.flows[0].service][0], end=spans[timeline.flows[-1].service][1])
        return timeline

    def _who(self, process: int) -> object:
        found = self.scan.processes[process]
        return found.host, found.pid


def order_raws(raws: list[Raw]) -> list[Raw]:
    """The events of a request in causal order."""
    services: dict[str, list[Raw]] = defaultdict(list)
    for raw in raws:
        services[raw.service].append(raw)
    return causal_order(VOLUME_CREATE, chain.from_iterable(merge_sources(own) for own in services.values())) if raws else []


def settle_services(scan: Scan) -> None:
    """A process whose name does not tell its service has the one that most of its loggers speak for."""
    for process, loggers in zip(scan.processes, scan.votes):
        told = [services for logger in loggers if len(services := scan.catalogue.services(logger)) == 1]
        if not process.service and told:
            process.service = max(SERVICES, key=lambda service: sum(service in services for services in told))


def _edges(seen: list[tuple[int, Seen]], stepped: bool) -> tuple[int | None, int | None]:
    """First and last instant of these lines, each with the resolution of its stamps. Of copies of one record the finest stamp counts.

    Where the clock stepped, first and last are those of the file, not of the clock. None where no line has a stamp.
    """
    seen = [(r, s) for r, s in seen if s.first != EventTable.NO_TIME]
    if not seen:
        return None, None
    if stepped:
        return min(s.begun for _, s in seen)[1], max(s.ended for _, s in seen)[1]
    earliest = min(s.first + r for r, s in seen)
    start = min((r, s.first) for r, s in seen if s.first < earliest)[1]
    latest = max(s.last for _, s in seen)
    end = max((-r, s.last) for r, s in seen if s.last + max(r, 1) > latest or any(s.last // q == latest // q for q, _ in seen))[1]
    return start, end


def instant(at: int) -> int | None:
    """A table's instant; None for `NO_TIME`."""
    return None if at == EventTable.NO_TIME else at
