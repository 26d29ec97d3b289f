"""A reading in which requests that went the same way stand together: for who judges them once for all."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Hashable
from functools import partial, reduce
from operator import or_

import numpy as np

from ..trace import Alike, Reading, Timeline
from .assemble import Assembler, begin_reading, finish_reading, serve_backends
from .cast_columns import add_columns
from .observe import keeps_order
from .tables import DECIDING, Scan
from .variants import Coder, Variant, find_variants

# Facts that decide how a request is judged: as they are, but for ids and, in texts of errors, numbers.
_JUDGED = DECIDING | {"status", "allow", "cause", "task", "exception", "error"}
_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBERS = re.compile(r"\d+")
_LIST_MARKS = b" u'\"[]"
# Facts of which it matters whether they stay what they were.
_VOLUME, _SIZE, _RESERVED, _ADMITTED, _CHOSEN = "volume", "size", "reserved", "admitted", "chosen"
_GROUPS = {_VOLUME: 0, _SIZE: 1, _RESERVED: 2, _ADMITTED: 3, _CHOSEN: 3}
_TUPLES = {tuple}
_AT_ONCE = 200  # requests: what is known of so many stays near the processor
_ROLES = {"volume_id": _VOLUME, "size_gb": _SIZE, "reservations": _RESERVED, "backends": _ADMITTED, "backend": _CHOSEN}


def read_alike(assembler: Assembler) -> Reading:
    """The reading that a scan amounts to, its create requests in ``alike`` instead of ``timelines``."""
    reading = begin_reading(assembler)
    variants, careful = find_variants(assembler, Coder(assembler.scan, _JUDGED, _mask))
    relations = Relations(assembler.scan)
    groups: list[tuple[int, Variant | None]] = []
    for variant in variants:
        related: dict[Hashable, list[int]] = {}
        for n, found in enumerate(relations.of(variant)):
            if found is None:
                careful.append(int(variant.requests[n]))
            else:
                related.setdefault(found, []).append(n)
        for own in related.values():
            part = Variant(variant.key, variant.requests[own], variant.rows[own])
            if keeps_order([assembler.raw(row) for row in part.rows[0].tolist()]):
                groups.append((int(part.requests[0]), part))
            else:
                careful += part.requests.tolist()
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
        overlapping = overlapping or copies
        if timeline.operation != "volume-create":
            continue
        creates.append(timeline)
        requests = own_part.requests.tolist() if own_part is not None else [first]
        ids: list[tuple[str, int | None]] = [(names[request], int(starts[request])) for request in requests]
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
        self._roles: list[list[tuple[int, str, int]]] = []  # of each kind: place and role of the values that matter, and a mark for each such fact
        marks = 0
        for kind in scan.kinds:
            row = scan.catalogue.rows.get(kind.row)
            names = [r.fact for r in scan.catalogue.results(kind.task or "", kind.new or "")] if kind.is_step or row is None else list(row.fields)
            facts = names if kind.is_step or row is None else row.facts
            roles = [(n, _ROLES[name]) for n, name in enumerate(names) if name in _ROLES and name in facts]
            self._roles.append([(n, role, 1 << (marks + i)) for i, (n, role) in enumerate(roles)])
            marks += len(roles)

    def of(self, variant: Variant) -> list[Hashable | None]:
        """Of each request of a variant what those that are judged alike must have in common; None if it must be judged alone."""
        events = self._scan.events
        kinds = np.frombuffer(events.kind, np.int32)[variant.rows[0]].tolist()
        columns = [n for n, kind in enumerate(kinds) if self._roles[kind]]
        wanted = _Wanted([self._roles[kinds[n]] for n in columns])
        own = events.facts
        rows = np.frombuffer(events.fact, np.int32)[variant.rows[:, columns]]
        found: list[Hashable | None] = []
        for n in range(0, len(rows), _AT_ONCE):
            some = rows[n : n + _AT_ONCE]
            facts = [[own[fact] if fact >= 0 else () for fact in column] for column in some.T.tolist()]
            found += (wanted.relate_all(facts) or [wanted.relate(list(one)) for one in zip(*facts)]) if facts else [0] * len(some)
        return found


class _Wanted:
    """Which values of the facts of some events matter: those of one role stand together, in the order of the events."""

    def __init__(self, roles: list[list[tuple[int, str, int]]]) -> None:
        wanted = [(role, event, place, mark) for event, own in enumerate(roles) for place, role, mark in own]
        wanted.sort(key=lambda value: _GROUPS[value[0]])  # stable
        self._roles = [role for role, _, _, _ in wanted]
        self._places = [(event, place) for _, event, place, _ in wanted]
        self._marks = [mark for _, _, _, mark in wanted]
        self._all = reduce(or_, self._marks, 0)
        groups = [_GROUPS[role] for role in self._roles]
        self._volumes, self._sizes, self._reserved, self._routes = (slice(bisect_left(groups, n), bisect_right(groups, n)) for n in range(4))

    def relate_all(self, facts: list[list]) -> list[Hashable | None] | None:
        """What `relate` says of many requests, if all of them have all of these facts and nothing is to be said against any; else None.

        ``facts`` are those of each event, one a request.
        """
        if any(set(map(type, column)) != _TUPLES or () in column for column in facts):
            return None
        values = [[own[place] for own in facts[event]] for event, place in self._places]
        if any(None in column for column in values):
            return None
        reserved = values[self._reserved]
        reserved = [column for n, column in enumerate(reserved) if column not in reserved[:n]]
        if any(b"..." in value for column in reserved for value in column):
            return None
        reserved = [[value.translate(None, _LIST_MARKS) for value in column] for column in reserved]
        if any(column != group[0] for group in (values[self._volumes], values[self._sizes], reserved) for column in group[1:]):
            return None
        admitted: list[bytes] | None = None
        for role, column in zip(self._roles[self._routes], values[self._routes]):
            if role is _ADMITTED:
                admitted = column
            elif admitted is not None and not all(b"'%s'" % value in among for value, among in zip(column, admitted)):
                return None
        return [self._all] * len(facts[0])

    def relate(self, facts: list) -> Hashable | None:
        """Which facts a request has that should stay the same; None if they do not, or if what is known of them has another shape."""
        if any(type(own) is not tuple and not _ROLES.keys().isdisjoint(own) for own in facts):
            return None
        values = [own[place] if type(own := facts[event]) is tuple and own else None for event, place in self._places]
        for group in (self._volumes, self._sizes):
            same = set(values[group])
            same.discard(None)
            if len(same) > 1:
                return None
        reserved = [value for value in values[self._reserved] if value is not None]
        if len({value.translate(None, _LIST_MARKS) for value in set(reserved)}) > 1 or any(b"..." in value for value in reserved):
            return None
        admitted = None
        for role, value in zip(self._roles[self._routes], values[self._routes]):
            if value is None:
                continue
            if role is _ADMITTED:
                admitted = value
            elif admitted is not None and b"'%s'" % value not in admitted:
                return None
        found = 0
        for value, mark in zip(values, self._marks):
            if value is not None:
                found |= mark
        return found
