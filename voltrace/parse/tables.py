"""What a scan fills: the event table, and the tables that its indices point into; and what is known of each header and access line."""

from __future__ import annotations

import os
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ..messages import Catalogue, Row, catalogue
from ..trace import Diagnostic, EventTable, Kind, Lines, Location, Process
from .contexts import Contexts
from .ids import Ids
from .others import Others

if TYPE_CHECKING:
    import numpy as np

NO_REQUEST = -1
SERVICE_STARTED, VOLUME_CLEANED = "service-starting", "cleaning-volume"  # what lines of no request may tell of services
ANSWERS = ("method", "url", "status")  # the facts that tell what was asked and answered
# The facts that decide which flows, tasks and hand-offs a request has, and which operation it is.
DECIDING = frozenset({"url", "method", "retry", "attempt", "rescheduled"})
_MOST_DIAGNOSTICS = 200
_MOST_CALLS = 4096
_MOST_GAPS = 10_000  # of a process in one source: a month at least
_REQUEST_ID = re.compile(rb"req-[0-9a-f-]{36}")


class Sender(NamedTuple):
    """Who wrote a record, as far as its prefix or entry says."""

    host: str | None = None
    unit: str | None = None
    pid: int | None = None


class Header:
    """What stands between a line's stamp and its message, taken apart once; and the first and last instants of its lines.

    ``is_api`` if it is of a request and may be of the API: the web server's line names the worker, and no request.
    """

    __slots__ = ("request", "process", "origin", "level", "logger", "rows", "debug", "whom", "is_api", "first", "last", "count", "begun", "ended")

    def __init__(self, request: int, process: int, origin: int, level: str, logger: str, rows: tuple[Row, ...]) -> None:
        self.request, self.process, self.origin, self.level, self.logger, self.rows = request, process, origin, level, logger, rows
        self.debug = level == "DEBUG"
        self.whom = (process, self.debug, request)
        self.is_api = False
        self.first: int | None = None
        self.last: int | None = None
        self.count = 0
        self.begun: tuple[int, int] | None = None  # line and instant of its first line in the file, and of its last
        self.ended: tuple[int, int] | None = None


@dataclass(slots=True)
class Seen:
    """What one source shows of one process at work on one request: first and last instant, and first and last line with their instants."""

    first: int  # `NO_TIME` if none of its lines has a stamp
    last: int
    begun: tuple[int, int]
    ended: tuple[int, int]

    def join(self, other: Seen) -> None:
        """Take in what else was seen."""
        if self.first == EventTable.NO_TIME:  # what has no stamp tells no instant
            self.first, self.last, self.begun, self.ended = other.first, other.last, other.begun, other.ended
        elif other.first != EventTable.NO_TIME:
            self.first, self.last = min(self.first, other.first), max(self.last, other.last)
            self.begun, self.ended = min(self.begun, other.begun), max(self.ended, other.ended)


class SeenTable:
    """`Seen` in bulk, one row for each request and origin that were seen together; several rows may be of the same two."""

    COLUMNS = ("request", "origin", "first", "last", "begun_line", "begun_at", "ended_line", "ended_at")
    __slots__ = COLUMNS

    def __init__(self) -> None:
        self.request, self.origin = array("i"), array("i")
        self.first, self.last, self.begun_line, self.begun_at, self.ended_line, self.ended_at = (array("q") for _ in range(6))

    def append(self, request: int, origin: int, seen: Seen) -> None:
        values = (request, origin, seen.first, seen.last, *seen.begun, *seen.ended)
        for column, value in zip(self.COLUMNS, values):
            getattr(self, column).append(value)

    def row(self, row: int) -> tuple[int, Seen]:
        """Origin and `Seen` of a row."""
        begun, ended = (self.begun_line[row], self.begun_at[row]), (self.ended_line[row], self.ended_at[row])
        return self.origin[row], Seen(self.first[row], self.last[row], begun, ended)


def fill(table: EventTable | SeenTable, name: str, values: bytes) -> None:
    """Gives a table's column these values, and no others: whoever reads the log knows the array."""
    column = getattr(table, name)
    del column[:]
    column.frombytes(values)


def take_rows(table: EventTable | SeenTable, rows: np.ndarray) -> None:
    """Leaves a table these rows, in this order."""
    import numpy as np

    for name in table.COLUMNS:
        values = np.array(getattr(table, name))
        values = values.reshape(-1, EventTable.UUID)[rows] if name == "uuid" else values[rows]
        fill(table, name, values.tobytes())


class LineTable:
    """Where the lines of requests lie, one row a line, in the order of reading."""

    __slots__ = ("request", "source", "line", "offset", "length")

    def __init__(self) -> None:
        self.request, self.source = array("i"), array("i")
        self.line, self.offset, self.length = array("q"), array("q"), array("q")

    def append(self, request: int, source: int, line: int, offset: int, length: int) -> None:
        self.request.append(request)
        self.source.append(source)
        self.line.append(line)
        self.offset.append(offset)
        self.length.append(length)

    def lines(self, rows: Iterable[int]) -> Lines:
        """The lines of these rows."""
        return Lines(*(array(column.typecode, [column[row] for row in rows]) for column in (self.source, self.line, self.offset, self.length)))


class Access(NamedTuple):
    """A line of the web server: who answered what, and how many milliseconds that lasted. It names no request; ``pending`` are those that it can be about."""

    method: str
    path: str
    status: int
    lasted_ms: int
    pending: array


class AccessTable:
    """`Access` in bulk, one row a line. ``call`` is an index into ``calls`` (method and path), ``end`` where a row's requests end in ``pending``."""

    COLUMNS = ("pid", "call", "status", "lasted_ms", "end")
    __slots__ = (*COLUMNS, "pending", "calls", "_known")

    def __init__(self) -> None:
        self.pid, self.lasted_ms, self.end = array("q"), array("q"), array("q")
        self.call, self.status, self.pending = array("i"), array("i"), array("i")
        self.calls: list[tuple[str, str]] = []
        self._known: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self.pid)

    def rows(self, rows: Iterable[int]) -> Iterator[Access]:
        """Some of them."""
        for row in rows:
            pending = self.pending[self.end[row - 1] if row else 0 : self.end[row]]
            yield Access(*self.calls[self.call[row]], self.status[row], self.lasted_ms[row], pending)

    def append(self, pid: int, call: int, status: int, lasted_ms: int, pending: Iterable[int]) -> None:
        self.pending.extend(pending)
        self.lasted_ms.append(lasted_ms)
        self.pid.append(pid)
        self.call.append(call)
        self.status.append(status)
        self.end.append(len(self.pending))

    def call_of(self, method: str, path: str) -> int:
        """The number of this method and path; what is asked often is kept once."""
        known = self._known.get((method, path))
        if known is None:
            if len(self._known) >= _MOST_CALLS:
                self._known.clear()
            known = self._known[method, path] = len(self.calls)
            self.calls.append((method, path))
        return known


@dataclass(slots=True)
class Open:
    """A record that goes on in the next lines of its process."""

    event: int
    header: Header
    text: list[bytes]
    size: int = 0


@dataclass(slots=True)
class Interrupted:
    """A record of which the end had not come when other records came: if it comes yet, they were text inside it."""

    record: Open
    first_event: int
    lines: list[int]


class Scan:
    """Everything read so far: the event table, and the tables that its indices point into."""

    def __init__(self, keep_lines: bool = False, facts: frozenset[str] | None = None) -> None:
        """``facts`` are the only ones that are wanted (None: all)."""
        self.catalogue: Catalogue = catalogue()
        self.wanted = facts
        self.seed = int.from_bytes(os.urandom(7))  # of hash tables in C, so that no log can be written to be slow in them
        self.events = EventTable()
        self.kinds: list[Kind] = []
        self._kind_index: dict[Kind, int] = {}
        self.requests = Ids()
        self.request = self.requests.number  # the number of a request's id
        self.info = Contexts()
        self.others = Others()
        self.let_go = 0  # how often facts were let go: what is known of their numbers holds no longer
        self.processes: list[Process] = []
        self._process_index: dict[tuple, int] = {}
        self.votes: list[set[str]] = []  # the loggers of processes of which the name does not tell the service
        self.debug: list[bool] = []
        self.sources: list[str] = []
        self.resolution: list[int] = []
        self.origins: list[tuple[int, int]] = []  # (process, source): which process's lines in which source
        self._origin_index: dict[tuple[int, int], int] = {}
        self.seen = SeenTable()
        self.accesses = AccessTable()
        self.unmatched: Counter[int] = Counter()
        self.exceeding: set[int] = set()  # the requests with more events than are kept
        self.diagnostics: list[Diagnostic] = []
        self.steps: dict[tuple[int, int], list[tuple[int, str]]] = {}  # of each process in each source: where its clock went back, and by how much
        self.gaps: dict[tuple[int, int], list[tuple[int, int, int]]] = {}  # likewise where it was long silent: line and instant behind, and the instant before
        self.spans: dict[tuple[int, int], tuple[int, int, int]] = {}  # likewise line and instant of its first record, and the instant of its last
        self.boots: list[
            tuple[int, int, int, int]
        ] = []  # where the journal says that its host was booted: source, line, and the latest record's process and instant
        self.lines = 0
        self.noise = 0
        self.kept = LineTable() if keep_lines else None

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name not in ("catalogue", "seed", "request")}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.catalogue, self.seed, self.request = catalogue(), 0, self.requests.number

    def kind(self, kind: Kind) -> int:
        index = self._kind_index.get(kind)
        if index is None:
            index = self._kind_index[kind] = len(self.kinds)
            self.kinds.append(kind)
        return index

    def learn_context(self, request: int, global_request_id: str | None, project: str | None, user: str | None, is_api: bool) -> None:
        """What the bracket of one of a request's lines says besides its id; ``is_api`` if the API wrote it."""
        if self.wanted is None and request != NO_REQUEST and (global_request_id or project or user):
            self.info.learn(request, global_request_id, project, user, is_api)

    def request_in(self, text: bytes) -> int:
        """The first request known so far of which the id stands in this text, `NO_REQUEST` if there is none."""
        found = (self.requests.find(found.decode()) for found in _REQUEST_ID.findall(text))
        return next((number for number in found if number >= 0), NO_REQUEST)

    def process(self, service: str | None, host: str | None, unit: str | None, pid: int | None) -> int:
        key = (service, host, unit if service is None else None, pid)
        index = self._process_index.get(key)
        if index is None:
            index = self._process_index[key] = len(self.processes)
            self.processes.append(Process(service or "", host, pid))
            self.votes.append(set())
            self.debug.append(False)
        return index

    def origin(self, process: int, source: int) -> int:
        key = (process, source)
        index = self._origin_index.get(key)
        if index is None:
            index = self._origin_index[key] = len(self.origins)
            self.origins.append(key)
        return index

    def wants(self, names: Iterable[str]) -> bool:
        """Whether any of these facts is wanted."""
        return self.wanted is None or not self.wanted.isdisjoint(names)

    def tells(self, number: int, names: Iterable[str]) -> bool:
        """Whether events of this kind may have one of these facts."""
        kind = self.kinds[number]
        row = self.catalogue.rows.get(kind.row)
        return row is not None and not kind.is_step and not set(names).isdisjoint(row.facts)

    def telling(self, names: Iterable[str]) -> bytes:
        """Of each kind, 1 if its events may have one of these facts, else 0."""
        return bytes(self.tells(number, names) for number in range(len(self.kinds)))

    def of_rows(self, *rows: str) -> bytes:
        """Of each kind, 1 if it is of one of these rows of the catalogue, else 0."""
        return bytes(kind.row in rows for kind in self.kinds)

    def fact_names(self, number: int) -> tuple[str, ...]:
        """The names of the facts of events of this kind, as they stand in the tuple that was kept; empty where one is not wanted by anybody."""
        kind = self.kinds[number]
        row = self.catalogue.rows.get(kind.row)
        if kind.is_step or row is None:
            return tuple(result.fact for result in self.catalogue.results(kind.task or "", kind.new or ""))
        return tuple(name if name in row.facts else "" for name in row.fields)

    def facts_of(self, row: int) -> dict | None:
        """The facts of an event, decoded."""
        return self.decode(self.events.kind[row], self.events.fact[row])

    def decode(self, number: int, fact: int) -> dict | None:
        """The facts of an event of this kind, by their place in the table."""
        if fact < 0:
            return None
        facts = self.events.facts[fact]
        return self.read_facts(number, facts) if isinstance(facts, tuple) else facts

    def read_facts(self, number: int, facts: tuple) -> dict | None:
        """The facts of an event of this kind, from their raw values."""
        kind = self.kinds[number]
        if kind.row == "unmatched":
            return {"text": facts[0], "logger": facts[1]}
        if kind.is_step:
            return self.catalogue.decode_result(kind.task or "", kind.new or "", facts) or None
        return self.catalogue[kind.row].read_facts(facts)

    def note(self, slug: str, message: str, where: Location | None, request: int = NO_REQUEST) -> None:
        self.keep(Diagnostic(slug, message, where, self.requests[request] if request != NO_REQUEST else None))

    def keep(self, diagnostic: Diagnostic) -> None:
        """Add a diagnostic, if there are not too many."""
        if len(self.diagnostics) < _MOST_DIAGNOSTICS:
            self.diagnostics.append(diagnostic)

    def add_gaps(self, process: int, source: int, gaps: Iterable[tuple[int, int, int]]) -> None:
        """Further silences of a process in a source, if there are not too many."""
        found = self.gaps.setdefault((process, source), [])
        found.extend(islice(gaps, _MOST_GAPS - len(found)))

    def process_keys(self) -> list[tuple[str | None, str | None, str | None, int | None]]:
        """Service, host, unit and number of each process, as `process` takes them."""
        return list(self._process_index)

    def add_source(self, name: str, resolution_us: int) -> int:
        self.sources.append(name)
        self.resolution.append(resolution_us)
        return len(self.sources) - 1
