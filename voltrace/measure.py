"""What can be measured on timelines: durations that are known, as observations that tables, charts and comparisons share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy

from .lifecycle import FINAL_FLOW_STATES, PENDING, REVERTING, RUNNING, SERVICES, VOLUME_CREATE
from .trace import Bounds, FlowSpan, Handoff, TaskSpan, Timeline

Key = tuple[str, str, str]  # kind, service, name


class Observation(NamedTuple):
    """One known duration. ``kind``: request, flow, task or handoff; a hand-off's service is the one that waited for it."""

    kind: str
    service: str
    name: str
    us: int


COARSE_US = 10_000  # bounds that are no wider than this leave the difference of two stamps as it is


def estimate_us(start: int | None, end: int | None, bounds: Bounds | None) -> int | None:
    """The best guess at the duration between two stamps, inside its bounds; None where nothing can be said.

    Where the bounds are wide the stamps' difference is a poor one: most of what passes a whole second took far less. The guess is the median of what the
    duration may be if short ones are as likely as long ones on a logarithmic scale, from a thousandth of the clock's step on: of two stamps in one
    second 0.02 s, of neighbours 0.69 s, of those two apart 1.9 s, and then soon their difference (to two digits; a formula that meets these).
    """
    if start is None or end is None or bounds is None:
        return None
    low, high = bounds
    us = min(max(end - start, low), high)
    if high - low <= COARSE_US:
        return us
    if end == start:
        return low + round(0.02 * (high - low))
    middle, half = (low + high) / 2, (high - low) / 2
    return max(low, round(middle * (1 - 0.307 * (half / middle) ** 2.6)))


def is_open(span: FlowSpan | TaskSpan) -> bool:
    """Whether the log shows no end of this flow or task."""
    if isinstance(span, FlowSpan):
        return span.state not in FINAL_FLOW_STATES
    return span.state in (PENDING, RUNNING, REVERTING)


def wait_us(handoff: Handoff) -> int | None:
    """How long a cast waited for its receipt; None if that is not known."""
    return estimate_us(handoff.sent, handoff.received, handoff.bounds_us)


def resolution_us(timeline: Timeline) -> int:
    """The coarsest step of the clocks that stamped this request's events."""
    return max((e.resolution_us for e in timeline.events if e.at is not None), default=1)


def request_bounds(timeline: Timeline) -> Bounds | None:
    """Between which values the request's duration lies, from the steps of the clocks at its two ends."""
    us = timeline.duration_us
    if us is None:
        return None
    step = resolution_us(timeline)
    return (max(0, us - step + 1), us + step - 1) if step > 1 else (us, us)


def handoff_name(handoff: Handoff) -> str:
    return f"{handoff.sender} -> {handoff.receiver}"


def observe(timelines: Iterable[Timeline]) -> Iterator[Observation]:
    """Every duration that is known: of requests, ended flows, ended tasks and received hand-offs."""
    for timeline in timelines:
        if timeline.duration_us is not None:
            yield Observation("request", "", timeline.operation, timeline.duration_us)
        for flow in timeline.flows:
            us = estimate_us(flow.start, flow.end, flow.bounds_us)
            if us is not None and not is_open(flow):
                yield Observation("flow", flow.service, flow.name, us)
            for task in flow.tasks:
                us = estimate_us(task.start, task.end, task.bounds_us)
                if us is not None and not is_open(task):
                    yield Observation("task", flow.service, task.name, us)
        for handoff in timeline.handoffs:
            us = wait_us(handoff)
            if us is not None:
                yield Observation("handoff", handoff.receiver, handoff_name(handoff), us)


def group(timelines: Iterable[Timeline]) -> dict[Key, list[int]]:
    """The observations by (kind, service, name), in the order of `ranked`."""
    groups: dict[Key, list[int]] = defaultdict(list)
    for kind, service, name, us in observe(timelines):
        groups[kind, service, name].append(us)
    return {key: groups[key] for key in ranked(groups)}


def ranked(keys: Iterable[Key]) -> list[Key]:
    """Keys in the order in which a request meets them: the request, then each service's hand-off, flow and tasks."""
    order = {task.name: i for flow in VOLUME_CREATE.flows for i, task in enumerate(flow.tasks)}
    kinds = ("handoff", "flow", "task")
    services = ("", *SERVICES)

    def rank(key: Key) -> tuple:
        kind, service, name = key
        place = services.index(service) if service in services else len(services)
        return place, kinds.index(kind) if kind in kinds else -1, order.get(name, len(order)), name, service

    return sorted(keys, key=rank)


def quantiles(values: Sequence[int] | numpy.ndarray, at: tuple[float, ...] = (0.5, 0.9, 0.99)) -> tuple[float, ...]:
    """Quantiles by linear interpolation, as numpy and pandas compute them (numpy's own function loads its masked arrays)."""
    import numpy

    ordered = numpy.sort(numpy.asarray(values))
    places = [(len(ordered) - 1) * q for q in at]
    below = [int(place) for place in places]
    lows, highs = ordered[below], ordered[[min(n + 1, len(ordered) - 1) for n in below]]
    return tuple(float(low + (high - low) * (place - n)) for place, n, low, high in zip(places, below, lows, highs))
