"""Clocks of hosts that differ, where casts prove it: what was received on another host cannot have been sent later. It is told, and corrected times are kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..encode import instant
from ..trace import Diagnostic, Reading
from .bands import Band
from .casts import Cast, CastBounds, Clock, Clocks, casts_of
from .corrections import with_clocks
from .hostclocks import HostClocks
from .tables import Scan

AddCasts = Callable[[Clocks, CastBounds], None]


@dataclass(slots=True)
class _Early:
    """The casts between two clocks that were received before they were sent: the first, the one that shows most, and how many."""

    first: Cast
    most: Cast
    times: int = 1

    def add(self, cast: Cast) -> None:
        self.times += 1
        if cast.early_us > self.most.early_us:
            self.most = cast


def tell_offsets(reading: Reading, scan: Scan, add_casts: AddCasts | None = None) -> None:
    """Adds a diagnostic `clock-offset` for each two hosts whose clocks differ and to each request that shows it, and gives requests the clocks that are off.

    ``add_casts`` adds the casts of requests that are not among the reading's timelines.
    """
    hosts = {process.host for cover in reading.coverage.values() for process in cover.processes.values()}
    if len(hosts - {None}) < 2:
        return
    clocks = Clocks(scan, reading)
    found: dict[tuple[Clock, Clock], _Early] = {}
    for n, timeline in enumerate(reading.timelines):
        notes = []
        for cast in casts_of(timeline, clocks):
            if cast.early_us <= 0:
                continue
            pair = min(cast.sender, cast.receiver), max(cast.sender, cast.receiver)
            if pair in found:
                found[pair].add(cast)
            else:
                found[pair] = _Early(cast, cast)
            early = f"the cast to {cast.handoff.topic} was received {cast.early_us / 1e6:.6f} s before it was sent"
            notes.append(
                Diagnostic("clock-offset", f"the clock of {cast.receiver[0]} is behind that of {cast.sender[0]}: {early}", cast.where, timeline.request_id)
            )
        if notes:
            reading.timelines[n] = replace(timeline, diagnostics=(*timeline.diagnostics, *notes))
    if not found:
        return
    bounds = CastBounds()
    for timeline in reading.timelines:
        for cast in casts_of(timeline, clocks):
            bounds.add(cast)
    if add_casts:
        add_casts(clocks, bounds)
    known = HostClocks(bounds.bands())
    reading.diagnostics += [Diagnostic("clock-offset", _describe(pair, early, known.bands.get(pair)), early.first.where) for pair, early in found.items()]
    if not reading.alike:  # else they stand for others, and nobody asks for their instants
        reading.timelines[:] = [with_clocks(timeline, clocks, known) for timeline in reading.timelines]


def _describe(pair: tuple[Clock, Clock], early: _Early, band: Band | None) -> str:
    """What the casts between two clocks show."""
    most = early.most
    behind, ahead, shown = most.receiver, most.sender, ""
    casts = "a cast was" if early.times == 1 else f"{early.times} casts were"
    casts = f"{casts} received up to {most.early_us / 1e6:.6f} s before being sent"
    if band is None:
        return f"the clocks of {behind[0]} and {ahead[0]} differ: {casts}; no offset that is constant or grows evenly fits all casts between them: nothing is corrected"
    at = most.sent if most.sender == pair[0] else most.received
    low, high = band.at(at)
    if behind == pair[1]:
        low, high = -high, -low
    if low > 0:
        shown = f" by {low / 1e6:.6f} s at least" if math.isinf(high) else f" by {math.floor(low) / 1e6:.6f} to {math.ceil(high) / 1e6:.6f} s"
        shown += f" at {instant(at)}"
    if not band.constant:
        least, most_ppm = sorted(abs(slope) * 1e6 for slope in band.slopes)
        slow = (band.slopes[0] < 0) == (behind == pair[1])
        shown += f", and {'loses' if slow else 'gains'} {math.floor(least * 10) / 10:.1f} to {math.ceil(most_ppm * 10) / 10:.1f} µs a second"
    return f"the clock of {behind[0]} is behind that of {ahead[0]}{shown}: {casts}{'' if band.constant else ', and no constant offset fits all casts'}"
