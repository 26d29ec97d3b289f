"""Clocks of hosts that differ, where hand-offs prove it: what was received on another host cannot have been sent later."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..lifecycle import VOLUME_CREATE
from ..trace import Diagnostic, Handoff, Location, Reading, Timeline


@dataclass(slots=True)
class _Behind:
    """A clock found behind another's: how often, by how much its stamps show (µs), and where first."""

    where: Location
    times: int = 0
    by_us: int = 0


def tell_offsets(reading: Reading) -> None:
    """Adds a diagnostic `clock-offset` for each two hosts of which one was behind, and to each request that shows it."""
    found: dict[tuple[str, str], _Behind] = {}
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
    for (sender, receiver), behind in found.items():
        casts = "a cast was" if behind.times == 1 else f"{behind.times} casts were"
        message = f"the clock of {receiver} is behind that of {sender}: {casts} received up to {behind.by_us / 1e6:.6f} s before being sent"
        reading.diagnostics.append(Diagnostic("clock-offset", message, behind.where))


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
