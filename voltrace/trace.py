"""The values that travel between the rooms: places, records, events, spans, timelines, and what the logs cover.

Instants are ``int`` microseconds since the epoch, UTC (``at``); durations are ``int`` microseconds (``_us``).
Seconds exist only at the doors (`encode`). ``None`` means that the log does not say.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .lifecycle import SERVICES

# How long a service must write on before what it left open counts as stuck or lost, unless somebody says (the contract's --stuck-after).
STUCK_AFTER_US = 600_000_000


class Location(NamedTuple):  # as `Event`, made so often that a tuple's quick making counts
    """A line of a source; prints as ``path:line``."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class LogSet(str):
    """The name of a log of which the lines lie in several files, the oldest first: the last one's. Its lines are numbered through.

    ``begins`` are the lines with which the files begin, as far as they have been read.
    """

    files: tuple[str, ...]
    begins: list[int]

    def __new__(cls, files: Iterable[str], begins: Iterable[int] = ()) -> LogSet:
        files = tuple(files)
        log = super().__new__(cls, files[-1])
        log.files, log.begins = files, [*begins]
        return log

    def __reduce__(self) -> tuple:
        return LogSet, (self.files, self.begins)

    def begin(self, number: int, line: int) -> None:
        """The file of this number begins with that line."""
        if number == len(self.begins):
            self.begins.append(line)

    def place(self, line: int) -> Location:
        """In which file a line stands, and where."""
        number = max(0, bisect_right(self.begins, line) - 1)
        return Location(self.files[number], line - (self.begins[number] if self.begins else 1) + 1)


def place(name: str, line: int) -> Location:
    """Where a line of a source stands."""
    return name.place(line) if isinstance(name, LogSet) else Location(name, line)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something about the log itself (never about the system that wrote it). ``slug`` is one of `verdict.DIAGNOSTICS`."""

    slug: str
    message: str
    where: Location | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a line says: a step of the lifecycle (``flow`` or ``task`` with ``old`` and ``new``), or the catalogue's row ``row``.

    ``task`` and ``flow`` are class and flow names; a task's line does not name its flow, so ``flow`` is then None.
    """

    row: str
    flow: str | None = None
    task: str | None = None
    old: str | None = None
    new: str | None = None
    level: str = "DEBUG"

    @property
    def is_step(self) -> bool:
        return self.new is not None


class Event(NamedTuple):
    """One line of a request that says something: a step or a message with facts.

    ``order`` ranks events of one service as the log has them; ``attempt`` and ``flow`` are filled in by the timeline.
    """

    at: int | None
    resolution_us: int
    service: str
    kind: Kind
    uuid: str | None
    facts: dict
    where: Location | None
    process: str | None = None
    flow: str | None = None
    flow_uuid: str | None = None
    attempt: int | None = None
    inferred: bool = False


Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TaskSpan:
    """One run of a task. ``states``: every state entered after PENDING, in order; ``bounds_us`` hold the true duration."""

    name: str
    uuid: str | None
    states: tuple[str, ...]
    start: int | None
    end: int | None
    bounds_us: Bounds | None = None
    inferred: bool = False
    where: Location | None = None

    @property
    def state(self) -> str:
        return self.states[-1] if self.states else "PENDING"


@dataclass(frozen=True, slots=True)
class FlowSpan:
    """One run of a flow with its tasks, in the order in which they began. ``state`` is the last one entered.

    ``late``: its beginning is not in the log, and nothing that comes right before it is.
    """

    service: str
    name: str
    uuid: str | None
    attempt: int
    state: str
    start: int | None
    end: int | None
    bounds_us: Bounds | None = None
    inferred: bool = False
    tasks: tuple[TaskSpan, ...] = ()
    where: Location | None = None
    process: str | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class CorrectedWait:
    """A cast and its receipt by clocks that agree: instants, the best guess at the wait, and its bounds (None: no upper one is known)."""

    sent: int | None
    received: int | None
    us: int | None = None
    bounds_us: tuple[int, int | None] | None = None


@dataclass(frozen=True, slots=True)
class Handoff:
    """A cast and its receipt. ``attempt`` is the receiver's; ``server`` the backend addressed, where the topic has one.

    ``corrected`` is there if one of the two hosts' clocks is proven to be off.
    """

    sender: str
    receiver: str
    topic: str
    attempt: int
    sent: int | None
    received: int | None
    bounds_us: Bounds | None = None
    server: str | None = None
    where: Location | None = None
    corrected: CorrectedWait | None = None


@dataclass(frozen=True, slots=True)
class HostClock:
    """A host's clock that is proven to be off, for one request and service: at its first line there (``at``) it is ahead of ``against``'s by ``offset_us``.

    The true offset lies in ``bounds_us`` (None: nothing bounds it). ``rate`` is what the best guess grows by, as a share of what passes; ``drift_ppm`` and
    its bounds are there only where no constant offset fits. ``processes`` are those of which the lines bear its stamps.
    """

    service: str
    host: str
    against: str
    at: int
    offset_us: int
    bounds_us: tuple[int | None, int | None]
    rate: float = 0.0
    drift_ppm: float | None = None
    drift_bounds_ppm: tuple[float, float] | None = None
    processes: frozenset[str] = frozenset()

    def correct(self, at: int) -> int:
        """The instant by the clocks that are taken for right at which this one showed ``at``."""
        return at - self.offset_us - round(self.rate * (at - self.at))


@dataclass(frozen=True, slots=True)
class Failure:
    """A task's FAILURE, or an error that no task's FAILURE tells. ``exception`` is the class name, ``message`` its text."""

    service: str
    flow: str | None
    task: str | None
    attempt: int | None
    backend: str | None
    exception: str | None
    message: str | None
    where: Location | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP side of a request; ``path`` as the client asked for it."""

    method: str | None
    path: str | None
    status: int | None


@dataclass(frozen=True, slots=True)
class Lines:
    """Where the lines of one request lie: parallel columns, in the order in which they were read."""

    source: array
    line: array
    offset: array
    length: array

    def __len__(self) -> int:
        return len(self.line)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that the logs say of one request id, in causal order."""

    request_id: str
    operation: str
    global_request_id: str | None = None
    project: str | None = None
    user: str | None = None
    volume_ids: tuple[str, ...] = ()
    name: str | None = None
    size_gb: int | None = None
    volume_type: str | None = None
    availability_zone: str | None = None
    source: str | None = None
    answer: Answer = Answer(None, None, None)
    start: int | None = None
    end: int | None = None
    stepped: bool = False
    attempts: int = 0
    backend: str | None = None
    flows: tuple[FlowSpan, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
    failures: tuple[Failure, ...] = ()
    events: tuple[Event, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    where: Location | None = None
    lines: Lines | None = None
    seen: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    unrecognised: tuple[Location, ...] = ()
    clocks: tuple[HostClock, ...] = ()

    @property
    def volume_id(self) -> str | None:
        return self.volume_ids[0] if self.volume_ids else None

    @property
    def duration_us(self) -> int | None:
        if self.stepped or self.start is None or self.end is None:
            return None
        return self.end - self.start


@dataclass(slots=True)
class Alike:
    """Requests that went the same way, by all that their logs tell but for names, sizes, places and instants.

    ``example`` is the timeline of the first, ``requests`` are ids and starts of all, and ``build`` makes the timeline of the n-th.
    """

    example: Timeline
    requests: list[tuple[str, int | None]]
    build: Callable[[int], Timeline]


@dataclass(slots=True)
class Process:
    """One process of a service as far as the log shows it: its first and last line, the backend it serves, and its long silences."""

    service: str
    host: str | None
    pid: int | None
    first: int | None = None
    last: int | None = None
    backend: str | None = None
    gaps: list[tuple[int, int]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.host or '?'}/{self.pid if self.pid is not None else '?'}"


@dataclass(slots=True)
class Coverage:
    """What the log of one service covers: from when to when, at which level, by which processes, and its (re)starts."""

    service: str
    first: int | None = None
    last: int | None = None
    debug: bool = False
    processes: dict[str, Process] = field(default_factory=dict)
    starts: list[tuple[int | None, str | None, Location | None]] = field(default_factory=list)  # when, on which host, told where
    boots: list[tuple[int, str | None, Location | None]] = field(default_factory=list)  # the same of the service's hosts
    holes: list[tuple[int, int, str | None]] = field(default_factory=list)  # from when to when it has no records that it should have, and of which host
    cleaned: dict[str, int | None] = field(default_factory=dict)  # volume id -> when a starting service cleaned it up

    def started_after(self, at: int | None, host: str | None = None, place: Location | None = None) -> bool:
        """Whether the service, or its host, was started after this instant (on this host, where hosts are known); without instants, behind this place in its log."""
        for when, where, told in (*self.starts, *self.boots):
            if at is not None and when is not None:
                later = when > at
            else:
                later = place is not None and told is not None and told.path == place.path and told.line > place.line
            if later and (host is None or where is None or where == host):
                return True
        return False

    def has_hole(self, start: int | None, end: int | None, host: str | None = None) -> bool:
        """Whether records of this stretch may lie in a hole of the log (of this host, where hosts are known)."""
        if start is None or end is None:
            return False
        return any(begun <= end and ended > start and (host is None or where is None or where == host) for begun, ended, where in self.holes)

    @property
    def present(self) -> bool:
        return self.last is not None or bool(self.processes)


@dataclass(slots=True)
class Reading:
    """What was read: the timelines, what the logs cover, what is wrong with them, and the counts of lines.

    ``records_lost``: the journal says that it dropped records. Kept, since every request asks and the diagnostics may be many.
    """

    timelines: list[Timeline] = field(default_factory=list)
    alike: list[Alike] = field(default_factory=list)
    coverage: dict[str, Coverage] = field(default_factory=lambda: {s: Coverage(s) for s in SERVICES})
    diagnostics: list[Diagnostic] = field(default_factory=list)
    lines: int = 0
    unrecognised: int = 0
    sources: list[str] = field(default_factory=list)
    records_lost: bool = False

    def creates(self) -> Iterator[Timeline]:
        """The timelines of volume-create requests."""
        return (t for t in self.timelines if t.operation == "volume-create")


class EventTable:
    """Events in bulk: one column a field, one row an event, in the order of reading.

    ``request``, ``kind`` and ``origin`` are indices into tables that the reader of the logs keeps. ``at`` is microseconds since the
    epoch, `NO_TIME` where a line has no stamp. ``uuid`` has 36 bytes a row as logged, NULs where there is none. ``fact`` is an index into
    ``facts``, -1 where a row has none; an entry of ``facts`` is a dictionary, or raw values that the reader of the logs can decode.
    """

    NO_TIME = -(1 << 62)
    UUID = 36
    NO_UUID = b"\0" * UUID
    COLUMNS = ("request", "kind", "origin", "line", "at", "uuid", "fact")
    __slots__ = (*COLUMNS, "facts")

    def __init__(self) -> None:
        self.request, self.kind, self.origin, self.fact = array("i"), array("i"), array("i"), array("i")
        self.line, self.at = array("q"), array("q")
        self.uuid = array("B")
        self.facts: list[dict | tuple | None] = []

    def __len__(self) -> int:
        return len(self.request)

    def append(self, request: int, kind: int, origin: int, line: int, at: int, uuid: bytes = NO_UUID, facts: dict | tuple | None = None) -> None:
        """A row; ``uuid`` must have 36 bytes."""
        self.request.append(request)
        self.kind.append(kind)
        self.origin.append(origin)
        self.line.append(line)
        self.at.append(at)
        self.uuid.frombytes(uuid)
        if facts is None:
            self.fact.append(-1)
        else:
            self.fact.append(len(self.facts))
            self.facts.append(facts)

    def uuid_of(self, row: int) -> str | None:
        """The uuid of a row as text."""
        text = self.uuid[row * self.UUID : (row + 1) * self.UUID].tobytes()
        return None if text == self.NO_UUID else text.decode("ascii", "replace")

    def set_facts(self, row: int, facts: dict | None) -> None:
        """Gives a row other facts, or none. Those that it had may be another's, too."""
        if facts is None:
            self.fact[row] = -1
        else:
            self.fact[row] = len(self.facts)
            self.facts.append(facts)
