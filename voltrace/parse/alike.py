"""A reading in which requests that went the same way stand together: for who judges them once for all."""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import partial

import numpy as np

from .. import kernel
from ..trace import Alike, Reading, Timeline
from .assemble import Assembler
from .cast_columns import add_columns
from .observe import keeps_order
from .reading import begin_reading, finish_reading, serve_backends, shared_by
from .tables import DECIDING, Scan
from .variants import Coder, Variant, find_variants

# Facts that decide how a request is judged: as they are, but for ids and, in texts of errors, numbers.
_JUDGED = DECIDING | {"status", "allow", "cause", "task", "exception", "error"}
_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBERS = re.compile(r"\d+")
_LIST_MARKS = b" u'\"[]"
# Facts of which it matters whether they stay what they were. The roles of two that belong together halve to the same number. `_alike.pyx` has them, too.
_VOLUME, _SIZE, _RESERVED, _ADMITTED, _CHOSEN = 0, 2, 4, 6, 7
_MOST_MARKS = 62
ALONE, _UNLIKE = -1, -2  # what the kernel says of a request that is judged alone, and of one of which it cannot tell
_ROLES = {"volume_id": _VOLUME, "size_gb": _SIZE, "reservations": _RESERVED, "backends": _ADMITTED, "backend": _CHOSEN}


def read_alike(assembler: Assembler) -> Reading:
    """The reading that a scan amounts to, its create requests in ``alike`` instead of ``timelines``."""
    reading = begin_reading(assembler)
    variants, careful = find_variants(assembler, Coder(assembler.scan, _JUDGED, _mask))
    relations = Relations(assembler.scan)
    groups: list[tuple[int, Variant | None]] = []
    for variant in variants:
        found = relations.of(variant)
        careful += variant.requests[found == ALONE].tolist()
        for related in sorted(set(found[found != ALONE].tolist())):
            own = np.flatnonzero(found == related)
            part = Variant(variant.key, variant.requests[own], variant.rows[own])
            if keeps_order([assembler.raw(row) for row in part.rows[0].tolist()]):
                groups.append((int(part.requests[0]), part))
            else:
                careful += part.requests.tolist()
    careful = assembler.telling(careful)
    assembler.expect(careful)
    groups += [(request, None) for request in careful]
    groups.sort(key=lambda group: group[0])
    starts, _ = assembler.lasting
    names = assembler.scan.requests
    overlapping: tuple[str, ...] | None = None
    creates = []
    for first, own_part in groups:
        timeline, copies = assembler.build(first, joined=own_part is None)  # those of a variant tell themselves what they asked and what was answered
        serve_backends(timeline, reading.coverage)
        overlapping = overlapping or shared_by(timeline, copies)
        if timeline.operation != "volume-create":
            continue
        creates.append(timeline)
        requests = own_part.requests.tolist() if own_part is not None else [first]
        ids: list[tuple[str, int | None]] = list(zip(map(names.__getitem__, requests), starts[requests].tolist()))
        ids[0] = (timeline.request_id, timeline.start)
        reading.alike.append(Alike(timeline, ids, partial(_build, assembler, requests, own_part is None)))
    reading.timelines = creates  # for what they tell about the logs
    finish_reading(assembler, reading, creates, overlapping, partial(add_columns, assembler, [part for _, part in groups if part is not None]))
    return reading


def _build(assembler: Assembler, requests: list[int], joined: bool, n: int) -> Timeline:
    return assembler.build(requests[n], joined)[0]


def _mask(name: str, value: object) -> Hashable:
    text = str(value)
    if name == "error":
        return _NUMBERS.sub("#", _IDS.sub("#", text))
    return _IDS.sub("#", text) if name == "cause" else text


class Relations:
    """Whether the facts of a request stay what they were, as far as that is judged."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        named = [scan.fact_names(number) for number in range(len(scan.kinds))]
        self._roles = [[(_ROLES[name], place) for place, name in enumerate(names) if name in _ROLES] for names in named]

    def of(self, variant: Variant) -> np.ndarray:
        """Of each request of a variant a number that is that of those with which it is judged; `ALONE` if it must be judged alone."""
        events = self._scan.events
        kinds = np.frombuffer(events.kind, np.int32)[variant.rows[0]].tolist()
        columns = [n for n, kind in enumerate(kinds) if self._roles[kind]]
        # Those of one role stand together, in the order of the events.
        wanted = sorted(((role, event, place) for event, n in enumerate(columns) for role, place in self._roles[kinds[n]]), key=lambda value: value[0] // 2)
        facts = np.frombuffer(events.fact, np.int32)[variant.rows[:, columns]]
        compiled = kernel.load("parse._alike")
        if compiled is None or len(wanted) > _MOST_MARKS:
            found = np.full(len(facts), _UNLIKE)
        else:
            found = np.empty(len(facts), np.int64)
            compiled.relate(events.facts, facts, np.array(wanted, np.int32).reshape(-1, 3), found)
        known: dict[int | None, int] = {None: ALONE}
        for n in np.flatnonzero(found == _UNLIKE).tolist():
            bits = relate([events.facts[fact] if fact >= 0 else () for fact in facts[n].tolist()], wanted)
            found[n] = known.setdefault(bits, _UNLIKE - len(known))  # negative: those of the kernel are not
        return found


def relate(facts: list, wanted: list[tuple[int, int, int]]) -> int | None:
    """Which of the ``wanted`` facts (role, event, place) a request has, as bits; None if they do not stay the same, or have another shape.

    ``facts`` are those of each event.
    """
    if any(type(own) is not tuple and not _ROLES.keys().isdisjoint(own) for own in facts):
        return None
    same: dict[int, bytes] = {}
    admitted: bytes | None = None
    found = 0
    for n, (role, event, place) in enumerate(wanted):
        own = facts[event]
        value = own[place] if type(own) is tuple and own else None
        if value is None:
            continue
        found |= 1 << n
        if role == _ADMITTED:
            admitted = value
        elif role == _CHOSEN:
            if admitted is not None and b"'%s'" % value not in admitted:
                return None
        else:
            if role == _RESERVED:
                if b"..." in value:
                    return None
                value = value.translate(None, _LIST_MARKS)
            if same.setdefault(role, value) != value:
                return None
    return found
