"""What casts tell of two hosts' clocks: each bounds from one side by how much one is ahead of the other, and lines that keep to all bounds are what can be.

Reading x of the first clock, the second reads x + offset(x). What the second received at r and the first sent at s gives offset(s) <= r - s, a cast the
other way offset(r) >= s - r, for nothing is received before it is sent. A clock that runs evenly has a straight line for its offset. All instants are µs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# No clock of a running machine gains or loses more than this share against another: crystals are off by 100 ppm at most, and 500 ppm is what NTP corrects.
MOST_DRIFT = 1e-3
_BUCKETS = 1024

Point = tuple[int, int]
Line = tuple[float, float]
Range = tuple[float, float]  # lowest and highest; infinite where nothing bounds it


@dataclass(frozen=True, slots=True)
class Band:
    """The lines on which an offset can lie. A line is (slope, offset at ``base``); ``tops`` and ``bottoms`` are those at the rim, ``slopes`` the extreme ones.

    ``constant``: whether a line without slope is among them. ``guess`` is the line that is taken for the true one.
    """

    base: int
    slopes: Range
    tops: tuple[Line, ...]
    bottoms: tuple[Line, ...]
    constant: bool
    guess: Line

    def at(self, reading: float) -> Range:
        """What the offset can be when the first clock reads this."""
        return self._span([self._at(line, reading) for line in self.bottoms], [self._at(line, reading) for line in self.tops])

    def at_second(self, reading: float) -> Range:
        """What the offset can be when the second clock reads this."""
        return self._span([self._at_second(line, reading) for line in self.bottoms], [self._at_second(line, reading) for line in self.tops])

    def guess_at(self, reading: float) -> float:
        """The best guess when the first clock reads this."""
        return self._at(self.guess, reading)

    def guess_at_second(self, reading: float) -> float:
        """The best guess when the second clock reads this."""
        return self._at_second(self.guess, reading)

    def _at(self, line: Line, reading: float) -> float:
        return line[1] + line[0] * (reading - self.base)

    def _at_second(self, line: Line, reading: float) -> float:
        return line[1] + line[0] * (reading - self.base - line[1]) / (1 + line[0])

    def _span(self, lows: list[float], highs: list[float]) -> Range:
        return min(lows, default=-math.inf), max(highs, default=math.inf)


def find_band(above: list[Point], below: list[Point]) -> Band | None:
    """The lines that lie on or under all points ``above`` and on or over all ``below`` (reading of the first clock, bound of the offset); None if there is no such line.

    Only corners of the points' hulls can bound a line. For each slope the highest line is a concave function of it and the lowest a convex one, so the
    slopes that leave room between the two are an interval.
    """
    base = min(x for x, _ in (*above[:1], *below[:1]))
    over = _hull([(x - base, y) for x, y in above])
    under = [(x, -y) for x, y in _hull([(x - base, -y) for x, y in below])]
    knots_over, knots_under = _knots(over), _knots(under)
    knots = sorted({-MOST_DRIFT, 0.0, MOST_DRIFT, *knots_over, *knots_under})
    room = [_highest(over, slope) - _lowest(under, slope) for slope in knots]
    fitting = [n for n, value in enumerate(room) if value >= 0]
    if not fitting:
        return None
    least, most = _edge(knots, room, fitting[0], -1), _edge(knots, room, fitting[-1], 1)

    def within(own: list[float]) -> list[float]:
        return [least, *(slope for slope in own if least < slope < most), most]

    tops = tuple((slope, _highest(over, slope)) for slope in within(knots_over)) if over else ()
    bottoms = tuple((slope, _lowest(under, slope)) for slope in within(knots_under)) if under else ()
    return Band(base, (least, most), tops, bottoms, least <= 0.0 <= most, _guess(over, under, tops, bottoms, least <= 0.0 <= most))


def _guess(over: list[Point], under: list[Point], tops: tuple[Line, ...], bottoms: tuple[Line, ...], constant: bool) -> Line:
    """A line that keeps to all bounds: half-way between them, level if that is possible. Where all are on one side, the line close to them in the middle of
    their time: it assumes that the fastest casts took no time at any time, for nothing is known of what they took."""
    if not over or not under:
        hull = over or under
        middle = (hull[0][0] + hull[-1][0]) / 2
        start, end = next((pair for pair in zip(hull, hull[1:]) if pair[1][0] >= middle), (hull[0], hull[0]))
        slope = (end[1] - start[1]) / (end[0] - start[0]) if end[0] > start[0] else 0.0
        slope = max(-MOST_DRIFT, min(slope, MOST_DRIFT))
        return slope, _highest(over, slope) if over else _lowest(under, slope)
    if constant and _lowest(under, 0.0) <= 0 <= _highest(over, 0.0):
        return 0.0, 0.0
    rim = (*tops, *bottoms)
    return sum(slope for slope, _ in rim) / len(rim), sum(start for _, start in rim) / len(rim)


def _edge(knots: list[float], room: list[float], n: int, step: int) -> float:
    """Where the room becomes nothing between the last slope that leaves some and its neighbour."""
    other = n + step
    if not 0 <= other < len(knots):
        return knots[n]
    return knots[n] + (knots[other] - knots[n]) * room[n] / (room[n] - room[other])


def _highest(over: list[Point], slope: float) -> float:
    return min((y - slope * x for x, y in over), default=math.inf)


def _lowest(under: list[Point], slope: float) -> float:
    return max((y - slope * x for x, y in under), default=-math.inf)


def _knots(hull: list[Point]) -> list[float]:
    slopes = ((b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(hull, hull[1:]))
    return sorted(slope for slope in slopes if abs(slope) < MOST_DRIFT)


def _hull(points: list[Point]) -> list[Point]:
    """The corners of the points' lower convex hull, from left to right."""
    found: list[Point] = []
    for x, y in sorted(set(points)):
        if found and found[-1][0] == x:  # a higher point of the same instant
            continue
        while len(found) > 1 and _is_under(found[-2], found[-1], (x, y)):
            found.pop()
        found.append((x, y))
    return found


def _is_under(a: Point, b: Point, c: Point) -> bool:
    """Whether the line from a to c passes under b, or through it."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])


def lowest_points(readings: np.ndarray, bounds: np.ndarray) -> list[Point]:
    """Those of very many points among which all corners of the lower hull are."""
    if len(readings) > 4 * _BUCKETS:
        order = np.lexsort((bounds, readings))
        readings, bounds = readings[order], bounds[order]
        starts = np.arange(0, len(readings), -(-len(readings) // _BUCKETS))
        lows = np.minimum.reduceat(bounds, starts)
        some = [(int(readings[0]), int(bounds[0])), (int(readings[-1]), int(bounds[-1]))]
        for start, end, low in zip(starts.tolist(), [*starts[1:].tolist(), len(readings)], lows.tolist()):
            some.append((int(readings[start + int((bounds[start:end] == low).argmax())]), low))
        corners = _hull(some)
        first = corners[0][0]
        line = np.interp((readings - first).astype(float), [x - first for x, _ in corners], [y for _, y in corners])
        kept = bounds <= line + 1
        readings, bounds = readings[kept], bounds[kept]
    return list(zip(readings.tolist(), bounds.tolist()))
