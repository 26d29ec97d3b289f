"""The profile: how long things take, with the source and the number of observations of each figure. No structure of flows in it.

A figure's name is ``STATION/WHAT``: a service (or the broker) and a task, a command or a pause between two log lines.
Each is a list of quantiles in microseconds; times in between are interpolated.
"""

from __future__ import annotations

import tomllib
from array import array
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from math import ceil
from pathlib import Path

from .errors import UsageError

LEVELS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class Times:
    """One figure: its quantiles (µs, at the profile's levels), how many observations they stand on, and where these come from."""

    quantiles_us: tuple[int, ...]
    n: int
    source: str

    def tabulate(self, levels: tuple[float, ...], size: int) -> array[int]:
        """``size`` equally likely values (whole µs, at least 1), the mid-points of as many equal slices of the distribution."""
        values = array("q")
        for low, high, first, last in zip(levels, levels[1:], self.quantiles_us, self.quantiles_us[1:]):
            slope = (last - first) / (high - low)
            end = ceil(high * size - 0.5)
            slice = [round(slope * ((n + 0.5) / size - low) + first) for n in range(len(values), end)]
            values.extend(slice if first >= 1 else [max(1, value) for value in slice])
        return values


@dataclass(frozen=True, slots=True)
class Profile:
    """Service times by figure's name. ``levels`` are the probabilities that the quantiles stand for."""

    name: str
    levels: tuple[float, ...]
    times: dict[str, Times]

    def __getitem__(self, figure: str) -> Times:
        """The figure of that name. Raises UsageError if the profile has none."""
        try:
            return self.times[figure]
        except KeyError:
            raise UsageError(f"profile {self.name} has no figure '{figure}'") from None

    def tabulate(self, figure: str, size: int) -> array[int]:
        """``size`` equally likely values (µs) of a figure; of the profile that comes with voltrace, if this one lacks the figure."""
        profile = self if figure in self.times else default_profile()
        return profile[figure].tabulate(profile.levels, size)


def read_profile(text: str, name: str) -> Profile:
    """A profile from TOML. Raises UsageError that names the key at fault."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"profile {name}: {error}") from None
    levels = tuple(data.get("levels", LEVELS))
    if len(levels) < 2 or levels[0] != 0 or levels[-1] != 1 or list(levels) != sorted(set(levels)):
        raise UsageError(f"profile {name}: levels must rise from 0 to 1")
    times = {}
    for station, figures in data.items():
        if isinstance(figures, dict):
            for what, figure in figures.items():
                times[f"{station}/{what}"] = _read_times(figure, len(levels), f"profile {name}: {station}.{what}")
    return Profile(data.get("name", name), levels, times)


def _read_times(figure: object, size: int, where: str) -> Times:
    if not isinstance(figure, dict):
        raise UsageError(f"{where} must be a table with quantiles_us, n and source")
    quantiles = figure.get("quantiles_us")
    if not isinstance(quantiles, list) or len(quantiles) != size or not all(isinstance(q, (int, float)) and q >= 0 for q in quantiles):
        raise UsageError(f"{where}.quantiles_us must be {size} numbers from 0 up")
    if quantiles != sorted(quantiles):
        raise UsageError(f"{where}.quantiles_us must not fall")
    return Times(tuple(round(q) for q in quantiles), int(figure.get("n", 0)), str(figure.get("source", "")))


def load_profile(path: str) -> Profile:
    """The profile in that TOML file, for the simulator. Raises UsageError if it cannot be read or names a figure that the simulator does not know."""
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"profile {path} cannot be read: {error}") from None
    profile, known = read_profile(text, path), default_profile().times
    for figure in profile.times:
        if figure not in known:
            near = get_close_matches(figure, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"profile {path}: no figure '{figure}' is simulated; {hint}")
    return profile


@cache
def default_profile() -> Profile:
    """The profile that comes with voltrace: one node, LVM, measured on real logs of Cinder 29.0.0."""
    return read_profile(resources.files(__package__).joinpath("default_profile.toml").read_text("utf-8"), "default")
