"""A request's clocks that are off, and its casts by clocks that agree."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..lifecycle import SERVICES
from ..measure import estimate_us
from ..trace import CorrectedWait, Handoff, HostClock, Timeline
from .casts import Clock, Clocks, ends, stamp_step
from .hostclocks import HostClocks, Off, Stretch


@dataclass(slots=True)
class _Worked:
    """The lines of one service's processes that a clock stamped for a request."""

    service: str
    clock: Clock
    first: int
    last: int
    processes: set[str]


def with_clocks(timeline: Timeline, clocks: Clocks, hosts: HostClocks) -> Timeline:
    """The request with the clocks that are off, and what its casts took by those that agree; as it is where none is off."""
    if timeline.stepped:
        return timeline
    worked = _worked(timeline, clocks)
    off = hosts.find_off(_stretches(worked))
    if not off:
        return timeline
    told = tuple(_tell(own, off[own.clock], hosts) for own in worked if own.clock in off)
    handoffs = tuple(_correct(timeline, handoff, clocks, hosts, off) for handoff in timeline.handoffs)
    return replace(timeline, clocks=told, handoffs=handoffs)


def _worked(timeline: Timeline, clocks: Clocks) -> list[_Worked]:
    """Who worked on a request, in the lifecycle's order."""
    known: dict[tuple[str, str | None], _Worked | None] = {}
    found: dict[tuple[str, Clock], _Worked] = {}
    for event in timeline.events:
        if event.at is None or event.process is None:
            continue
        key = event.service, event.process
        if key not in known:
            clock = clocks.of(event.service, event.process, event.where)
            known[key] = None if clock is None else found.setdefault((event.service, clock), _Worked(event.service, clock, event.at, event.at, set()))
        own = known[key]
        if own is not None:
            own.first, own.last = min(own.first, event.at), max(own.last, event.at)
            own.processes.add(event.process)
    rank = {service: n for n, service in enumerate(SERVICES)}
    return sorted(found.values(), key=lambda own: rank.get(own.service, len(rank)))


def _stretches(worked: list[_Worked]) -> list[Stretch]:
    found: dict[Clock, Stretch] = {}
    for own in worked:
        known = found.get(own.clock)
        first, last = (own.first, own.last) if known is None else (min(known.first, own.first), max(known.last, own.last))
        found[own.clock] = Stretch(own.clock, first, last)
    return list(found.values())


def _tell(own: _Worked, off: Off, hosts: HostClocks) -> HostClock:
    low, high = off.proven
    drift = hosts.drift(off.against, own.clock)
    return HostClock(
        own.service,
        str(own.clock[0]),
        str(off.against[0]),
        off.stretch.first,
        round(off.offsets[0]),
        (None if math.isinf(low) else math.floor(low), None if math.isinf(high) else math.ceil(high)),
        off.rate,
        None if drift is None else round(sum(drift) / 2 * 1e6, 1),
        None if drift is None else (math.floor(drift[0] * 1e7) / 10, math.ceil(drift[1] * 1e7) / 10),
        frozenset(own.processes),
    )


def _correct(timeline: Timeline, handoff: Handoff, clocks: Clocks, hosts: HostClocks, off: dict[Clock, Off]) -> Handoff:
    """A cast of a request with what it took by clocks that agree, if the sender's or the receiver's is off."""
    sending, receiving = ends(timeline, handoff)
    sender, receiver = (clocks.of(flow.service, flow.process, flow.where) if flow else None for flow in (sending, receiving))
    if sender not in off and receiver not in off:
        return handoff
    sent, received = (_moved(at, off.get(clock) if clock else None) for at, clock in ((handoff.sent, sender), (handoff.received, receiver)))
    known = CorrectedWait(sent, received)
    if handoff.sent is None or handoff.received is None or sender is None or receiver is None or sending is None or receiving is None:
        return replace(handoff, corrected=known)
    if sender == receiver:
        return replace(handoff, corrected=replace(known, us=estimate_us(handoff.sent, handoff.received, handoff.bounds_us), bounds_us=handoff.bounds_us))
    least, most = hosts.between(sender, receiver, handoff.received)
    passed = handoff.received - handoff.sent
    low = 0 if math.isinf(most) else max(0, math.floor(passed - most) - stamp_step(timeline, sending))
    high = None if math.isinf(least) else max(low, math.ceil(passed - least) + stamp_step(timeline, receiving))
    us = None if sent is None or received is None else max(low, received - sent if high is None else min(received - sent, high))
    return replace(handoff, corrected=replace(known, us=us, bounds_us=(low, high)))


def _moved(at: int | None, off: Off | None) -> int | None:
    return at if at is None or off is None else at - round(off.at(at))
