"""How far a request's hosts' clocks are off: what the casts between any two of them leave open, and clocks that are in keeping with all of it.

A clock against which nothing speaks is taken for right: the API's host's first, then each that can be right together with those. Of the others it is proven
that they are off, and against whom. All instants and offsets are µs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from .bands import Band, Range
from .casts import Clock

_ANYTHING = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a clock shows at the first and at the last of its lines of a request."""

    clock: Clock
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Off:
    """A clock that is off: by how much at its stretch's ends (the best guess), and what is proven at the first: against whose clock, and between which bounds."""

    stretch: Stretch
    offsets: tuple[float, float]
    against: Clock
    proven: Range

    @property
    def rate(self) -> float:
        """How much the guess grows while the clock shows that a unit passes."""
        passed = self.stretch.last - self.stretch.first
        return (self.offsets[1] - self.offsets[0]) / passed if passed > 0 else 0.0

    def at(self, reading: float) -> float:
        """The guess when the clock shows this."""
        return self.offsets[0] + self.rate * (reading - self.stretch.first)


class HostClocks:
    """The clocks of all hosts, as far as casts tell."""

    def __init__(self, bands: dict[tuple[Clock, Clock], Band | None]) -> None:
        self.bands = bands
        self._partners: dict[Clock, set[Clock]] = defaultdict(set)
        for (one, other), band in bands.items():
            if band is not None:
                self._partners[one].add(other)
                self._partners[other].add(one)

    def contradict(self, one: Clock, other: Clock) -> bool:
        """Whether no offset that grows evenly fits the casts between the two."""
        return self.bands.get((min(one, other), max(one, other)), 0) is None

    def between(self, one: Clock, other: Clock, reading: float) -> Range:
        """By how much the second can be ahead of the first when the second shows this; also by what a third host's clock tells of both."""
        low, high = self._direct(one, other, reading)
        for third in sorted(self._partners[one] & self._partners[other]):
            near = self._direct(third, other, reading)
            # What the third shows then is known as well as its offset. Of an offset that is known from one side the known side is the true one, but
            # for what the fastest cast took: the little that the first clock gains on the third in that time is let be.
            far = [self._direct(one, third, reading - edge) for edge in near if math.isfinite(edge)]
            if far:
                low = max(low, near[0] + min(edges[0] for edges in far))
                high = min(high, near[1] + max(edges[1] for edges in far))
        return low, high

    def _direct(self, one: Clock, other: Clock, reading: float) -> Range:
        band = self.bands.get((min(one, other), max(one, other)))
        if band is None:
            return _ANYTHING
        if one < other:
            return band.at_second(reading)
        low, high = band.at(reading)
        return -high, -low

    def drift(self, one: Clock, other: Clock) -> Range | None:
        """What share the second gains on the first, at least and at most; None if that it gains or loses anything is not proven by casts between the two."""
        band = self.bands.get((min(one, other), max(one, other)))
        if band is None or band.constant:
            return None
        low, high = band.slopes
        return (low, high) if one < other else (-high / (1 + high), -low / (1 + low))

    def find_off(self, stretches: Sequence[Stretch]) -> dict[Clock, Off]:
        """Which clocks of a request are off; none if what is known of them contradicts itself. ``stretches``: one a clock, in the lifecycle's order."""
        for n, stretch in enumerate(stretches):
            if any(self.contradict(stretch.clock, other.clock) for other in stretches[:n]):
                return {}
        right: list[Clock] = []
        for stretch in stretches:
            bounds = [self.between(other, stretch.clock, stretch.first) for other in right]
            if all(low <= 0 <= high for low, high in bounds):
                right.append(stretch.clock)
        found: dict[Clock, Off] = {}
        for stretch in stretches:
            if stretch.clock in right:
                continue
            first, last = (self._guess(stretch.clock, reading, right, found) for reading in (stretch.first, stretch.last))
            if first is None or last is None:
                return {}
            against, proven = self._prove(stretch, right)
            found[stretch.clock] = Off(stretch, (first, last), against, proven)
        return found

    def _guess(self, clock: Clock, reading: int, right: list[Clock], found: dict[Clock, Off]) -> float | None:
        """An offset against the right clocks: what casts with one of the clocks before it suggest, as far as all others leave it open. None if they do not."""
        low, high = _ANYTHING
        guess = None
        for other in (*right, *found):
            ahead = 0.0
            least, most = self.between(other, clock, reading)
            direct = self._suggest(other, clock, reading)
            if other in found:
                apart = direct if direct is not None else least if math.isfinite(least) else most if math.isfinite(most) else 0.0
                ahead = found[other].at(reading - apart)
            low, high = max(low, least + ahead), min(high, most + ahead)
            if direct is not None:
                guess = direct + ahead  # of several the nearest before it in the lifecycle knows best: it cast to it
        if low > high + 1:
            return None
        return min(max(0.0 if guess is None else guess, low), high)

    def _suggest(self, one: Clock, other: Clock, reading: float) -> float | None:
        band = self.bands.get((min(one, other), max(one, other)))
        if band is None:
            return None
        return band.guess_at_second(reading) if one < other else -band.guess_at(reading)

    def _prove(self, stretch: Stretch, right: list[Clock]) -> tuple[Clock, Range]:
        """The right clock against which this one's offset is known best, of those that show that it is off."""
        bounds = [(other, self.between(other, stretch.clock, stretch.first)) for other in right]
        showing = [(other, (low, high)) for other, (low, high) in bounds if not low <= 0 <= high]
        return min(showing, key=lambda shown: shown[1][1] - shown[1][0])
