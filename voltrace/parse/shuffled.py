"""Lines that a shipper put in another order within a file: found by what the lifecycle grants in the order of their stamps alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from ..lifecycle import VOLUME_CREATE, Flow, Lifecycle, Position, Refusal, Step, advance
from ..trace import Location
from .order import Raw
from .runs import Runs

_FINEST_US = 1000  # stamps that tell the order of lines are at least as fine
_MOST_BACK_US = 5_000_000  # a stamp that lies further back is a clock's
_NOWHERE = Location("", 0)


def put_in_order(raws: list[Raw]) -> tuple[list[Raw], list[Raw]]:
    """The events of a request, those of each process in the order of their stamps where that, and not the file's, is the lifecycle's; and those that went back."""
    own: dict[tuple[int, int], list[int]] = defaultdict(list)
    late: dict[tuple[int, int], list[int]] = defaultdict(list)
    latest: dict[tuple[int, int], int] = {}
    for place, raw in enumerate(raws):
        writer = raw.process, raw.source
        own[writer].append(place)
        if raw.at is not None and raw.at < latest.get(writer, raw.at):
            late[writer].append(place)
        elif raw.at is not None:
            latest[writer] = raw.at
    moved: list[Raw] = []
    ordered = raws
    for writer, behind in late.items():
        found = _believe_stamps([raws[place] for place in own[writer]])
        if found:
            ordered = list(ordered)
            for place, raw in zip(own[writer], found):
                ordered[place] = raw
            moved += [raws[place] for place in behind]
    return ordered, moved


def _believe_stamps(events: list[Raw]) -> list[Raw] | None:
    """These events of one process by their stamps, if they were at work in that order and cannot have been in the file's."""
    if events[0].resolution_us > _FINEST_US:
        return None
    latest = None
    for e in events:
        if e.at is None or (latest is not None and e.at < latest - _MOST_BACK_US):
            return None
        latest = e.at if latest is None else max(latest, e.at)
    by_stamp = sorted(events, key=lambda e: e.at or 0)
    return by_stamp if not _is_granted(events) and _is_granted(by_stamp) else None


def _is_granted(events: Iterable[Raw]) -> bool:
    """Whether the lifecycle allows the steps of each run in this order."""
    runs = Runs()
    positions: dict[int, Position] = {}
    for raw in events:
        kind = raw.kind
        if not kind.is_step:
            continue
        run = (runs.flow_step if kind.flow is not None else runs.task_step)(raw, kind, _NOWHERE, 0, False)
        flow = VOLUME_CREATE.flow(run.flow)
        if flow is None:
            return False
        after = advance(_by_itself(flow), positions.get(id(run), Position()), Step(flow.name, 1, kind.task, kind.old or "", kind.new or ""))
        if isinstance(after, Refusal):
            return False
        positions[id(run)] = after
    return True


@cache
def _by_itself(flow: Flow) -> Lifecycle:
    """The lifecycle in which this flow begins by itself: what was cast to it stands in other logs."""
    return Lifecycle(VOLUME_CREATE.operation, VOLUME_CREATE.flows, (), (flow.name,), VOLUME_CREATE.runs)
