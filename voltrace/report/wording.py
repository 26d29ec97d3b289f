"""How numbers are said: durations with units and bounds, instants in UTC, counts, shares; and what each slug means."""

from __future__ import annotations

import math

from ..encode import instant
from ..trace import Bounds, HostClock
from ..verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, GAVE_UP, OUTCOMES
from .clean import clean

NOT_KNOWN = "not known"
_MEANINGS = {**DIAGNOSTICS, **DEVIATIONS, **GAVE_UP, **CAUSES, **OUTCOMES}
_SCALES = ((1, "µs"), (1_000, "ms"), (1_000_000, "s"))


def meaning(slug: str | None) -> str:
    """The one line that says what an outcome, cause, gave_up, deviation or diagnostic means."""
    return _MEANINGS.get(slug or "", "")


def lapse(us: int | float | None) -> str:
    """A duration in the unit that suits it, three significant digits: ``126 ms``, ``1.28 s``, ``2 min 05 s``."""
    if us is None:
        return NOT_KNOWN
    if us < 0:
        return f"-{lapse(-us)}"
    if us >= 59_950_000:
        return _long(round(us / 1e6))
    for factor, unit in _SCALES:
        digits = _three_digits(us / factor)
        if float(digits) < 1000 or unit == "s":
            return f"{digits} {unit}"
    return _long(round(us / 1e6))


def _three_digits(value: float) -> str:
    for decimals, limit in ((2, 9.995), (1, 99.95)):
        if value < limit:
            # Whole values come from stamps of that step: 2 s, not 2.00 s.
            return f"{value:.0f}" if value == int(value) else f"{value:.{decimals}f}"
    return f"{value:.0f}"


def _long(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {second:02d} s"
    hours, minute = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minute:02d} min"
    return f"{hours // 24} d {hours % 24:02d} h"


def bounded(us: int | None, bounds: Bounds | None) -> str:
    """A duration as far as the stamps allow: the estimate where its bounds are narrow, else ``≤ 1 s`` or ``1 s – 3 s``."""
    if us is None:
        return NOT_KNOWN
    if bounds is None:
        return lapse(us)
    # A stamp stands for the half-open step that begins at it, so bounds miss round values by a microsecond.
    low, high = _round(bounds[0], -1), _round(bounds[1], 1)
    if (high - low) * 20 <= high or high - low <= 2:
        return lapse(us)
    return f"≤ {lapse(high)}" if low <= 0 else f"{lapse(low)} – {lapse(high)}"


def _round(us: int, step: int) -> int:
    return us + step if us > 0 and (us + step) % 1000 == 0 else us


def clock_off(clock: HostClock) -> str:
    """By how much a host's clock is off: ``storage-1's clock is 490 ms ahead of controller's (between 446 ms and 537 ms)``."""
    low, high = sorted((abs(edge) if edge is not None else math.inf) for edge in clock.bounds_us)
    side = "ahead of" if clock.offset_us > 0 else "behind"
    proven = f"at least {_apart(low)}" if math.isinf(high) else f"between {_apart(low)} and {_apart(high)}"
    drift = ""
    if clock.drift_bounds_ppm is not None and clock.drift_ppm is not None:
        least, most = sorted(map(abs, clock.drift_bounds_ppm))
        drift = f", and {'gains' if clock.drift_ppm > 0 else 'loses'} {least:.0f} to {most:.0f} µs a second"
    return f"{clean(clock.host, 60)}'s clock is {_apart(abs(clock.offset_us))} {side} {clean(clock.against, 60)}'s ({proven}{drift})"


def _apart(us: float) -> str:
    """A difference of clocks: also where it is hours, milliseconds matter."""
    return lapse(us) if us < 1_000_000 else f"{us / 1e6:,.3f} s"


def utc(at: int | None, resolution_us: int = 1) -> str:
    """An instant as ``2026-11-22 13:07:44.839634``, UTC, with the digits that its clock carries. Whoever shows it says UTC."""
    text = instant(at)
    if text is None:
        return NOT_KNOWN
    text = text.replace("T", " ").rstrip("Z")
    return text[:19] if resolution_us >= 1_000_000 else text[:23] if resolution_us >= 1000 else text


def share(part: float, whole: float) -> str:
    """A share in per cent, one decimal below 10 %."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.05:
        return "< 0.1 %"
    return f"{percent:.1f} %" if 0 < percent < 9.95 else f"{percent:.0f} %"


def plural(n: int, one: str, many: str | None = None) -> str:
    """``1 request``, ``2,000 requests``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def size(n: int) -> str:
    """A number of bytes for a reader."""
    return f"{n / 1e6:.1f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB" if n >= 1000 else f"{n} B"
