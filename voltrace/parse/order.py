"""Causal order: one record once, a service's records as its log has them, a cast before its receipt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import gt, itemgetter

from ..lifecycle import RUNNING, SERVICES, Lifecycle
from ..trace import Kind

RESCHEDULE_PARAMETERS = "reschedule-parameters"


@dataclass(slots=True)
class Raw:
    """One row of the event table, with its indices looked up, before anything is concluded from it."""

    at: int | None
    resolution_us: int
    service: str
    kind: Kind
    uuid: str | None
    facts: dict
    source: int
    line: int
    process: int


# So many transitions that stand twice, stamp and all, are a shipper's work; fewer are the service's own.
_A_STRETCH = 3


def drop_stretches(events: list[Raw]) -> tuple[list[Raw], list[Raw]]:
    """Events without those that a shipper repeated in a long stretch of one source, and the repeated ones (none if it is only a few)."""
    if len({(id(e.kind), e.uuid, e.at, e.process) for e in events}) == len(events):
        return events, []  # nearly always: no two say the same
    seen: set[tuple] = set()
    kept: list[Raw] = []
    repeated: list[Raw] = []
    for e in events:
        key = (e.source, e.process, e.kind, e.uuid, e.at, _frozen(e.facts))
        (repeated if key in seen else kept).append(e)
        seen.add(key)
    if sum(e.kind.is_step and e.uuid is not None for e in repeated) < _A_STRETCH:
        return events, []
    return kept, repeated


def drop_copies(events: list[Raw], same_process: Callable[[int], object]) -> tuple[list[Raw], bool]:
    """Events without the copies that other sources hold of them, and whether there were any.

    The same record is of the same process, kind, uuid and facts, with a stamp in the same second. Within one source nothing
    is merged: of the sources that hold a record, the one with the most copies of it counts (the finest stamps, then the first).
    A record without stamp, such as `cat` has, is a copy of any other source's that says the same.
    """
    if len({e.source for e in events}) < 2:
        return events, False
    groups: dict[tuple, dict[int, list[Raw]]] = defaultdict(lambda: defaultdict(list))
    for e in events:
        second = None if e.at is None else e.at // 1_000_000
        groups[(same_process(e.process), e.kind, e.uuid, _frozen(e.facts), second)][e.source].append(e)
    stamped: dict[tuple, set[int]] = defaultdict(set)
    for (_, *said, second), by_source in groups.items():
        if second is not None:
            stamped[tuple(said)].update(by_source)
    keep: set[int] = set()
    dropped = False
    for (_, *said, second), by_source in groups.items():
        if second is None and stamped[tuple(said)] - by_source.keys():
            dropped = True
            continue
        best = min(by_source, key=lambda s: (-len(by_source[s]), by_source[s][0].resolution_us, s))
        dropped = dropped or len(by_source) > 1
        keep.update(id(e) for e in by_source[best])
    return [e for e in events if id(e) in keep], dropped


def _frozen(facts: dict) -> str:
    return repr(sorted(facts.items())) if facts else ""


def merge_sources(events: list[Raw]) -> list[Raw]:
    """The events of one service from several sources as one sequence: each source's own order, interleaved by their stamps."""
    by_source: dict[int, list[Raw]] = defaultdict(list)
    for e in events:
        by_source[e.source].append(e)
    if len(by_source) < 2:
        return events
    keyed = []
    for source, own in by_source.items():
        latest = None
        for position, e in enumerate(own):
            if e.at is not None and (latest is None or e.at > latest):
                latest = e.at
            keyed.append(((latest if latest is not None else -1), source, position, e))
    keyed.sort(key=lambda k: k[:3])
    return [k[3] for k in keyed]


def causal_order(lifecycle: Lifecycle, events: Iterable[Raw]) -> list[Raw]:
    """All events of a request: by their stamps, but each service in its own order and no receipt before its cast.

    Where a hand-off's sender is not in the log, nothing holds its receipt back.
    """
    queues: dict[str, list[Raw]] = {}
    for e in events:
        queues.setdefault(e.service, []).append(e)
    if len(queues) == 1:
        return next(iter(queues.values()))
    gates = _gates(lifecycle, queues)
    rank = {service: i for i, service in enumerate(SERVICES)}
    order = _by_stamps(queues, rank, gates)
    if order is not None:
        return order
    order = []
    heads = dict.fromkeys(queues, 0)
    sent: dict[tuple[str, str], int] = defaultdict(int)
    total = sum(len(q) for q in queues.values())
    while len(order) < total:
        best: tuple | None = None
        fallback: tuple | None = None
        for service, queue in queues.items():
            position = heads[service]
            if position >= len(queue):
                continue
            e = queue[position]
            key = (e.at if e.at is not None else -1, rank.get(service, 9), service)
            gate = gates.get(id(e))
            if gate and sent[gate[0]] < gate[1]:
                fallback = key if fallback is None or key < fallback else fallback
            elif best is None or key < best:
                best = key
        service = (best or fallback)[2]  # type: ignore[index]
        e = queues[service][heads[service]]
        heads[service] += 1
        order.append(e)
        if e.kind.task is not None:
            sent[(e.kind.task, e.kind.new or "")] += 1
    return order


def _by_stamps(queues: dict[str, list[Raw]], rank: dict[str, int], gates: dict[int, tuple[tuple[str, str], int]]) -> list[Raw] | None:
    """The same order where the stamps give it, as they nearly always do; None where a service's order or a cast says otherwise."""
    keyed: list[tuple[int, int, int, Raw]] = []
    for service, queue in queues.items():
        own = rank.get(service, 9)
        stamps = [e.at if e.at is not None else -1 for e in queue]
        if any(map(gt, stamps, stamps[1:])):
            return None
        keyed += [(at, own, n, e) for n, (at, e) in enumerate(zip(stamps, queue))]
    keyed.sort(key=itemgetter(0, 1, 2))
    sent: dict[tuple[str, str], int] = dict.fromkeys((sending for sending, _ in gates.values()), 0)
    for _, _, _, e in keyed:
        gate = gates.get(id(e))
        if gate and sent[gate[0]] < gate[1]:
            return None
        sending = e.kind.task, e.kind.new
        if sending in sent:
            sent[sending] += 1
    return [e for _, _, _, e in keyed]


def _gates(lifecycle: Lifecycle, queues: dict[str, list[Raw]]) -> dict[int, tuple[tuple[str, str], int]]:
    """For the first event of each run that a cast starts: which sending must come first, and how many of them."""
    total: dict[tuple[str, str], int] = {(cast.task, cast.state): 0 for cast in lifecycle.casts}
    for queue in queues.values():
        for e in queue:
            sending = e.kind.task, e.kind.new
            if sending in total:
                total[sending] += 1
    gates = {}
    for flow in lifecycle.flows:
        starts = 0
        announced = 0
        for e in queues.get(flow.service, ()):
            starting = e.kind.flow == flow.name and e.kind.new == RUNNING
            announcing = e.kind.row == RESCHEDULE_PARAMETERS
            if not starting and not announcing:
                continue
            announced += announcing
            starts += starting
            cast = lifecycle.cast_to(flow.name, max(starts, announced))
            if cast is None:
                continue
            sending, needed = (cast.task, cast.state), max(starts, announced) - cast.next_run
            if total[sending] >= needed > 0:
                gates[id(e)] = (sending, needed)
    return gates
