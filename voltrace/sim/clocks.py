"""Clocks of hosts: what they show when, where they are ahead or run fast."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from .cloud import Host, Scenario


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that was ``ahead`` (µs) of true time at the instant ``start`` (µs), and gains ``drift`` (a share) of what passes."""

    ahead: int
    drift: float
    start: int

    def show(self, at: int) -> int:
        """What it shows at a true instant (µs)."""
        return at + self.ahead + round((at - self.start) * self.drift)

    def true(self, shown: int) -> int:
        """The true instant at which it shows this (µs)."""
        return self.start + round((shown - self.start - self.ahead) / (1 + self.drift))

    def lapses(self, begin: int, lapses: array[int]) -> array[int]:
        """Lapses from the true instant ``begin`` such that ``begin`` and each of them give what the clock shows."""
        return array("q", [self.show(begin + lapse) - begin for lapse in lapses])


def clock_of(host: Host, start: int) -> Clock | None:
    """The host's clock; None for a true one."""
    if not host.clock_offset_s and not host.clock_drift_ppm:
        return None
    return Clock(round(host.clock_offset_s * 1e6), host.clock_drift_ppm / 1e6, start)


class Clocks:
    """The clocks of a scenario's hosts, for who orders requests by what they show."""

    def __init__(self, scenario: Scenario, start: int) -> None:
        self.start = start
        self.api = clock_of(scenario.host(scenario.api_host), start)
        names = (*scenario.hosts_of_schedulers(), *(backend.host for backend in scenario.backends))
        self.others = [clock_of(scenario.host(name), start) for name in names]
        self.differ = any((self.api, *self.others))

    def told(self, now: int) -> tuple[int, int]:
        """No request that comes to the API from ``now`` on has a stamp before the first instant; the second is by how much (µs) any host's
        clock was behind the API's at most, so that much earlier than at the API a request may seem to start."""
        if not self.differ:
            return now, 0
        slack = max(0, *(_show(self.api, at) - _show(other, at) for other in self.others for at in (self.start, now)))
        return _show(self.api, now) - slack, slack


def _show(clock: Clock | None, at: int) -> int:
    return at if clock is None else clock.show(at)
