"""A reading in which requests that went the same way stand together: for who judges them once for all."""

from __future__ import annotations

import re
from collections.abc import Hashable

from ..trace import Alike, Reading
from .assemble import Assembler, begin_reading, finish_reading, serve_backends
from .observe import DECIDING, keeps_order
from .tables import Scan
from .variants import Coder, Variant, find_variants

# Facts that decide how a request is judged: as they are, but for ids and, in texts of errors, numbers.
_JUDGED = DECIDING | {"status", "allow", "cause", "task", "exception", "error"}
_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBERS = re.compile(r"\d+")
_LIST_MARKS = b" u'\"[]"
# Facts of which it matters whether they stay what they were.
_SAME, _RESERVED, _ADMITTED, _CHOSEN = "same", "reserved", "admitted", "chosen"
_ROLES = {"volume_id": _SAME, "size_gb": _SAME, "reservations": _RESERVED, "backends": _ADMITTED, "backend": _CHOSEN}


def read_alike(assembler: Assembler) -> Reading:
    """The reading that a scan amounts to, its create requests in ``alike`` instead of ``timelines``."""
    reading = begin_reading(assembler)
    variants, careful = find_variants(assembler, Coder(assembler.scan, _JUDGED, _mask))
    relations = Relations(assembler.scan)
    groups: list[tuple[int, Variant | None]] = []
    for variant in variants:
        related: dict[Hashable, list[int]] = {}
        for n, rows in enumerate(variant.rows.tolist()):
            found = relations.of(rows)
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
    groups += [(request, None) for request in careful]
    groups.sort(key=lambda group: group[0])
    starts, _ = assembler.lasting
    names = assembler.scan.requests
    overlapping: tuple[str, ...] | None = None
    creates = []
    for first, part in groups:
        timeline, copies = assembler.build(first)
        serve_backends(timeline, reading.coverage)
        overlapping = overlapping or copies
        if timeline.operation != "volume-create":
            continue
        creates.append(timeline)
        requests = part.requests.tolist() if part is not None else [first]
        ids = [(names[request], int(starts[request])) for request in requests]
        ids[0] = (timeline.request_id, timeline.start)
        reading.alike.append(Alike(timeline, ids, lambda n, requests=requests: assembler.build(requests[n])[0]))
    reading.timelines = creates  # for what they tell about the logs
    finish_reading(assembler, reading, creates, overlapping)
    return reading


def _mask(name: str, value: object) -> Hashable:
    text = str(value)
    if name == "error":
        return _NUMBERS.sub("#", _IDS.sub("#", text))
    return _IDS.sub("#", text) if name == "cause" else text


class Relations:
    """Whether the facts of a request stay what they were, as far as that is judged."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._roles: list[list[tuple[int, str, str]]] = []  # of each kind: place, name and role of the values that matter
        for kind in scan.kinds:
            row = scan.catalogue.rows.get(kind.row)
            names = [r.fact for r in scan.catalogue.results(kind.task or "", kind.new or "")] if kind.is_step or row is None else list(row.fields)
            facts = names if kind.is_step or row is None else row.facts
            self._roles.append([(n, name, _ROLES[name]) for n, name in enumerate(names) if name in _ROLES and name in facts])

    def of(self, rows: list[int]) -> Hashable | None:
        """What two requests of a variant must have in common to be judged alike; None if a request must be judged alone."""
        events = self._scan.events
        fact_of, kind_of, all_facts, roles = events.fact, events.kind, events.facts, self._roles
        seen: dict[str, object] = {}
        found: list[object] = []
        reserved = admitted = None
        for row in rows:
            fact = fact_of[row]
            if fact < 0:
                continue
            facts = all_facts[fact]
            if not isinstance(facts, tuple):
                if facts and not _ROLES.keys().isdisjoint(facts):
                    return None
                continue
            for place, name, role in roles[kind_of[row]]:
                value = facts[place]
                if role is _SAME:
                    if value is not None and seen.setdefault(name, value) != value:
                        return None
                    found.append(value is None)
                elif role is _RESERVED:
                    ids = value and value.translate(None, _LIST_MARKS)
                    if ids and reserved is None:
                        reserved = ids
                    if ids != reserved or b"..." in (value or b""):
                        return None
                elif role is _ADMITTED:
                    admitted = value
                elif admitted is not None and b"'%s'" % value not in admitted:
                    return None
        return tuple(found)
