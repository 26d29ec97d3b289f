"""Casts from one host to another, as bounds for how far one host's clock is ahead of the other's."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..lifecycle import VOLUME_CREATE
from ..trace import FlowSpan, Handoff, Location, LogSet, Reading, Timeline, place
from .bands import Band, find_band, lowest_points
from .tables import Scan

# What shows the instants of a stretch of a log: a host's clock; where that was set back, as one process in one source shows it between two steps.
Clock = tuple[str | int, ...]
_Bounds = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Cast:
    """A cast between two clocks: when it was sent and received (µs), the steps of these stamps, and where the receipt is."""

    handoff: Handoff
    sender: Clock
    receiver: Clock
    sent: int
    received: int
    sent_step: int
    received_step: int
    where: Location

    @property
    def early_us(self) -> int:
        """By how much the receipt's stamp lies before the cast's; 0 if they leave any time, however coarse they are."""
        return self.sent - self.received if self.received + self.received_step <= self.sent else 0


class Clocks:
    """Whose clock stamped which lines."""

    def __init__(self, scan: Scan, reading: Reading) -> None:
        self._coverage = reading.coverage
        self._ranks: dict[str, tuple[int, int]] = {}
        for source, name in enumerate(scan.sources):
            for rank, file in enumerate(name.files if isinstance(name, LogSet) else (name,)):
                self._ranks[str(file)] = source, rank
        self._stepped = {scan.processes[process].host for process, _ in scan.steps}
        self._steps: dict[tuple[str, str, int], list[tuple[int, int]]] = defaultdict(list)  # places of steps: rank of the file, line
        for (number, source), steps in scan.steps.items():
            process = scan.processes[number]
            for line, _ in steps:
                where = place(scan.sources[source], line)
                self._steps[process.service, process.name, source].append((self._ranks[where.path][1], where.line))

    def of(self, service: str, process: str | None, where: Location | None) -> Clock | None:
        """The clock that stamped the line there of a process; None if its host is not known."""
        cover = self._coverage.get(service)
        known = cover.processes.get(process or "") if cover else None
        if known is None or known.host is None or where is None:
            return None
        if known.host not in self._stepped:
            return (known.host,)
        source, rank = self._ranks[where.path]
        passed = sum(step <= (rank, where.line) for step in self._steps.get((service, known.name, source), ()))
        return known.host, service, known.name, source, passed


def casts_of(timeline: Timeline, clocks: Clocks) -> Iterator[Cast]:
    """The casts of a request between different clocks. None of a request of which it is not certain which run answers which cast, or of which a clock stepped."""
    if timeline.stepped or any(flow.late for flow in timeline.flows):
        return
    if max(Counter((flow.name, flow.attempt) for flow in timeline.flows).values(), default=0) > 1:
        return
    for handoff in timeline.handoffs:
        sending, receiving = ends(timeline, handoff)
        if sending is None or receiving is None or handoff.sent is None or handoff.received is None or receiving.where is None:
            continue
        sender, receiver = (clocks.of(flow.service, flow.process, flow.where) for flow in (sending, receiving))
        if sender is not None and receiver is not None and sender[0] != receiver[0]:
            sent_step, received_step = stamp_step(timeline, sending), stamp_step(timeline, receiving)
            yield Cast(handoff, sender, receiver, handoff.sent, handoff.received, sent_step, received_step, receiving.where)


def ends(timeline: Timeline, handoff: Handoff) -> tuple[FlowSpan | None, FlowSpan | None]:
    """The runs that cast and received."""
    cast = next((c for c in VOLUME_CREATE.casts if c.topic == handoff.topic and _service(c.sender) == handoff.sender), None)
    before = handoff.attempt - (cast.next_run if cast else 0)
    sending = next((f for f in timeline.flows if f.service == handoff.sender and f.attempt == before), None)
    return sending, next((f for f in timeline.flows if f.service == handoff.receiver and f.attempt == handoff.attempt), None)


def _service(flow: str) -> str | None:
    found = VOLUME_CREATE.flow(flow)
    return found.service if found else None


def stamp_step(timeline: Timeline, flow: FlowSpan) -> int:
    """The step of the stamps that a run's lines bear."""
    return max((e.resolution_us for e in timeline.events if e.process == flow.process and e.service == flow.service), default=1)


class CastBounds:
    """The bounds that casts are for each two clocks."""

    def __init__(self) -> None:
        self._above: dict[tuple[Clock, Clock], _Bounds] = defaultdict(list)
        self._below: dict[tuple[Clock, Clock], _Bounds] = defaultdict(list)

    def add(self, cast: Cast) -> None:
        """One cast."""
        self.add_many(cast.sender, cast.receiver, np.array([cast.sent]), np.array([cast.received]), cast.sent_step, cast.received_step)

    def add_many(self, sender: Clock, receiver: Clock, sent: np.ndarray, received: np.ndarray, sent_step: int, received_step: int) -> None:
        """Many casts between the same two.

        A stamp stands for what comes in its step: while that passes, the offset may grow by a thousandth of it (`bands.MOST_DRIFT`).
        """
        passed = received - sent + received_step
        if sender < receiver:
            self._above[sender, receiver].append((sent, passed + -(-sent_step // 1000)))
        else:
            self._below[receiver, sender].append((received, -passed - -(-received_step // 1000)))

    def bands(self) -> dict[tuple[Clock, Clock], Band | None]:
        """For each two clocks the lines on which the second's offset against the first can lie; None if no line fits all casts."""
        found = {}
        for pair in sorted({*self._above, *self._below}):
            above = [point for x, y in _joined(self._above.get(pair)) for point in lowest_points(x, y)]
            below = [(x, -y) for xs, ys in _joined(self._below.get(pair)) for x, y in lowest_points(xs, -ys)]
            found[pair] = find_band(above, below)
        return found


def _joined(parts: _Bounds | None) -> _Bounds:
    return [(np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]))] if parts else []
