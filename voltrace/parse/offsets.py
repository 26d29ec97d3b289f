"""Clocks of hosts that differ, where hand-offs prove it: what was received on another host cannot have been sent later."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..lifecycle import VOLUME_CREATE
from ..trace import Diagnostic, Handoff, Location, Reading, Timeline


@dataclass(slots=True)
class _Behind:
    """A clock found behind another's: how often, by how much at least (µs), and where first."""

    where: Location
    times: int = 0
    by_us: int = 0

    def describe(self, most_us: int | None) -> str:
        """What the casts show. ``most_us``: how far behind it can be at most, as casts the other way show."""
        casts = "a cast was" if self.times == 1 else f"{self.times} casts were"
        shown = f"{casts} received up to {self.by_us / 1e6:.6f} s before being sent"
        if most_us is None or most_us < self.by_us:  # a clock that drifts is behind by more at times than it can be at others
            return shown
        return f"{shown}, so it is behind by that much at least; casts the other way show that it is by {most_us / 1e6:.6f} s at most"


def tell_offsets(reading: Reading) -> None:
    """Adds a diagnostic `clock-offset` for each two hosts of which one was behind, and to each request that shows it."""
    found: dict[tuple[str, str], _Behind] = {}
    most: dict[tuple[str, str], int] = {}
    for n, timeline in enumerate(reading.timelines):
        notes = []
        for handoff in timeline.handoffs:
            # The bounds are empty only where even the coarsest reading of both stamps leaves no time.
            if handoff.bounds_us is not None or handoff.sent is None or handoff.received is None or handoff.received >= handoff.sent:
                continue
            sender, receiver, where = _ends(reading, timeline, handoff)
            if sender is None or receiver is None or sender == receiver or where is None:
                continue
            by_us = handoff.sent - handoff.received
            early = f"the cast to {handoff.topic} was received {by_us / 1e6:.6f} s before it was sent"
            notes.append(Diagnostic("clock-offset", f"the clock of {receiver} is behind that of {sender}: {early}", where, timeline.request_id))
            behind = found.setdefault((sender, receiver), _Behind(where))
            behind.times, behind.by_us = behind.times + 1, max(behind.by_us, by_us)
        if notes:
            reading.timelines[n] = replace(timeline, diagnostics=(*timeline.diagnostics, *notes))
            _limit(reading, timeline, most)
    for (sender, receiver), behind in found.items():
        message = f"the clock of {receiver} is behind that of {sender}: {behind.describe(most.get((sender, receiver)))}"
        reading.diagnostics.append(Diagnostic("clock-offset", message, behind.where))


def _limit(reading: Reading, timeline: Timeline, most: dict[tuple[str, str], int]) -> None:
    """Learn from the other hand-offs of a request that shows such a clock: a sender's clock is behind the receiver's by no more than the wait that both show.

    Only these requests tell, since others may have been put together as one (`alike`).
    """
    for handoff in timeline.handoffs:
        if handoff.bounds_us is None or timeline.stepped:
            continue
        sender, receiver, _ = _ends(reading, timeline, handoff)
        if sender is not None and receiver is not None and sender != receiver:
            wait = handoff.bounds_us[1]
            most[receiver, sender] = min(wait, most.get((receiver, sender), wait))


def _ends(reading: Reading, timeline: Timeline, handoff: Handoff) -> tuple[str | None, str | None, Location | None]:
    """The hosts of sender and receiver, as far as they are known, and where the receipt is."""
    cast = next((c for c in VOLUME_CREATE.casts if c.topic == handoff.topic and _service(c.sender) == handoff.sender), None)
    hosts: dict[str, str | None] = {}
    where = None
    for flow in timeline.flows:
        sending = flow.service == handoff.sender and flow.attempt == handoff.attempt - (cast.next_run if cast else 0)
        receiving = flow.service == handoff.receiver and flow.attempt == handoff.attempt
        if sending or receiving:
            process = reading.coverage[flow.service].processes.get(flow.process or "")
            hosts[flow.service] = process.host if process else None
            where = flow.where if receiving else where
    return hosts.get(handoff.sender), hosts.get(handoff.receiver), where


def _service(flow: str) -> str | None:
    found = VOLUME_CREATE.flow(flow)
    return found.service if found else None
