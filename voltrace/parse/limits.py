"""How much of one request is kept: what a broken or hostile log says a million times of the same request must not fill the memory."""

from __future__ import annotations

from typing import Protocol

from ..trace import place
from .tables import NO_REQUEST, SERVICE_STARTED, VOLUME_CLEANED, Scan, take_rows

MOST_EVENTS = 20_000  # of one request: a hundred times what a create with four attempts has
_MANY = 400_000  # events in memory before anybody looks whether they are too many of one request


class Relief(Protocol):
    """What is asked between blocks whether events can be let go."""

    def relieve(self, scan: Scan, keep: list[int]) -> list[int] | None:
        """Let go of events, but for some rows; where these stand then. None if nothing was done."""


class Excess:
    """Lets go of a request's events behind `MOST_EVENTS`."""

    def __init__(self, many: int = _MANY) -> None:
        self._many = self._next = many

    def relieve(self, scan: Scan, keep: list[int]) -> list[int] | None:
        if len(scan.events) < self._next:
            return None
        places = drop_excess(scan, keep)
        self._next = max(self._many, 2 * len(scan.events))
        return places


def drop_excess(scan: Scan, keep: list[int]) -> list[int] | None:
    """Take the events behind the first `MOST_EVENTS` of a request out of a scan, and say so; where the rows ``keep``, which stay, stand then.

    None if no request has so many. It makes no difference how often this is done, or when.
    """
    import numpy as np

    events = scan.events
    if len(events) <= MOST_EVENTS:
        return None
    request = np.array(events.request, np.int32)
    counts = np.bincount(request - NO_REQUEST)
    nobodys, counts[0] = int(counts[0]), 0  # what is of no request tells of services
    if counts.max() <= MOST_EVENTS and (nobodys <= MOST_EVENTS or not scan.requests.full):
        return None
    dropped = np.zeros(len(request), bool)
    if scan.requests.full:
        of_services = np.frombuffer(scan.of_rows(SERVICE_STARTED, VOLUME_CLEANED), bool)
        dropped = (request == NO_REQUEST) & ~of_services[np.array(events.kind, np.int32)]
    for number in (np.flatnonzero(counts > MOST_EVENTS) + NO_REQUEST).tolist():
        rows = np.flatnonzero(request == number)[MOST_EVENTS:]
        dropped[rows] = True
        if number not in scan.exceeding:
            scan.exceeding.add(number)
            _, source = scan.origins[events.origin[rows[0]]]
            what = f"more than {MOST_EVENTS:,} events of one request: those from here on were left out"
            scan.note("limit-reached", what, place(scan.sources[source], events.line[rows[0]]), number)
    dropped[keep] = False
    kept = np.flatnonzero(~dropped)
    if scan.wanted is None:  # else what many say is kept once, and the next may say it, too
        scan.let_go += 1
        facts = np.array(events.fact, np.int32)
        for number in np.setdiff1d(facts[dropped], facts[kept]).tolist():
            if number >= 0:
                events.facts[number] = None
    take_rows(events, kept)
    return kept.searchsorted(keep).tolist()
