"""Requests that went the same way, found from columns: one of them is put together with care, and what was found holds for all.

Two requests are of one *variant* if their events, in causal order, are of the same kinds, from the same processes, of tasks and flows whose
uuids recur in the same places, and if the facts that decide about their course agree. Whatever else they say (names, sizes, instants) may differ.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from .. import kernel
from ..lifecycle import SERVICES
from ..trace import EventTable
from .assemble import Assembler
from .tables import ANSWERS, Scan
from .timeline import classify

_NOTHING = 0  # an event's code if its facts decide nothing
_FEW = 3  # variants of fewer requests are not worth the search for what they share
_MOST_KNOWN = 50_000
_MANY_EVENTS = 1000
_TUPLES = {tuple}


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """The requests of a variant, in the order in which they were first seen, and the rows of their events: one line of ``rows`` a request, in causal order.

    ``key`` is what they have in common, the same for all finds with one coder.
    """

    key: bytes
    requests: np.ndarray
    rows: np.ndarray


@dataclass(slots=True)
class Sorted:
    """The events of a scan by request, in causal order where that is plain to see. ``plain`` tells of each request whether it is."""

    rows: np.ndarray
    requests: np.ndarray  # the requests that have events
    starts: np.ndarray  # where each one's events begin in ``rows``
    ends: np.ndarray
    plain: np.ndarray


def sort_events(assembler: Assembler) -> Sorted:
    """All events by request, in the order that `order.causal_order` would find by stamps alone, and of which requests that can be trusted.

    Not plain are requests of which a record has no stamp, of which the clock stepped, a line is of no known kind or the journal noted something, and
    those whose service, or process, writes to several sources: they may be copies.
    """
    scan, order = assembler.scan, assembler.events.order
    columns = scan.events
    first = int(assembler.events.bounds[1])  # rows of no request come first
    rows = order[first:]
    request, origin, at = (
        np.frombuffer(getattr(columns, name), dtype)[rows] for name, dtype in (("request", np.int32), ("origin", np.int32), ("at", np.int64))
    )
    edges = np.flatnonzero(_begins(request))
    requests, starts, ends = request[edges], edges, np.append(edges[1:], len(rows))
    plain = np.ones(len(requests), bool)
    if not len(rows):
        return Sorted(rows, requests, starts, ends, plain)
    numbers = np.repeat(np.arange(len(requests), dtype=np.int32), ends - starts)

    def spoil(bad: np.ndarray) -> None:
        plain[numbers[bad]] = False

    ranks = _ranks(scan)[origin]
    sources = np.array([source for _, source in scan.origins], np.int32)
    spoil(at == EventTable.NO_TIME)
    spoil(np.frombuffer(scan.of_rows("unmatched"), bool)[np.frombuffer(columns.kind, np.int32)[rows]])
    if len(scan.sources) > 1:
        spoil(_shared(scan)[origin])
    if len(set(scan.resolution)) > 1:
        resolution = np.array(scan.resolution)[sources][origin]
        spoil(resolution != np.repeat(resolution[starts], ends - starts))
    noted = {d.request_id for d in scan.diagnostics if d.request_id}
    if noted:
        plain[[scan.requests[number] in noted for number in requests.tolist()]] = False
    if scan.others:
        plain &= ~scan.others.of(requests)
    if scan.steps:
        plain[[_was_stepped(assembler, number) for number in requests.tolist()]] = False

    key = at * 8 + ranks
    falls = ~_begins(request)
    falls[1:] &= key[1:] < key[:-1]
    several = len(scan.sources) > 1
    if not several and not falls.any():
        return Sorted(rows, requests, starts, ends, plain)
    # In each service the order is the log's, and must be that of the stamps, from one source. Of one source, few requests need to be looked at.
    doubtful = np.ones(len(requests), bool)
    if not several:
        doubtful[:] = False
        doubtful[numbers[falls]] = True
    own = np.flatnonzero(doubtful[numbers])
    by_service = own[np.lexsort((ranks[own], numbers[own]))]
    together = (np.diff(numbers[by_service], prepend=-1) == 0) & (np.diff(ranks[by_service], prepend=-1) == 0)
    own_at, own_source = at[by_service], sources[origin[by_service]]
    spoil(by_service[together & ((np.diff(own_at, prepend=0) < 0) | (np.diff(own_source, prepend=0) != 0))])
    ordered = rows.copy()
    ordered[own] = rows[own[np.lexsort((key[own], numbers[own]))]]
    return Sorted(ordered, requests, starts, ends, plain)


def _begins(column: np.ndarray) -> np.ndarray:
    """Of each row whether the one before has another value, or is none."""
    found = np.ones(len(column), bool)
    np.not_equal(column[1:], column[:-1], out=found[1:])
    return found


def _ranks(scan: Scan) -> np.ndarray:
    """The rank of each origin's service."""
    services = {service: rank for rank, service in enumerate(SERVICES)}
    return np.array([services.get(scan.processes[process].service, 7) for process, _ in scan.origins], np.int64)


def _shared(scan: Scan) -> np.ndarray:
    """Of each origin, whether a process of the same host and number writes to another source."""
    sources: dict[Hashable, set[int]] = {}
    who = [(scan.processes[process].host, scan.processes[process].pid) for process, _ in scan.origins]
    for key, (_, source) in zip(who, scan.origins):
        sources.setdefault(key, set()).add(source)
    return np.array([len(sources[key]) > 1 for key in who])


def _was_stepped(assembler: Assembler, request: int) -> bool:
    steps = assembler.scan.steps
    seen = assembler.seen_of(request)
    return any(span.begun[0] < line <= span.ended[0] for key, span in seen.items() for line, _ in steps.get(key, ()))


Digest = Callable[[str, object], Hashable]


class Coder:
    """Numbers for the facts that decide: equal numbers, equal course."""

    def __init__(self, scan: Scan, deciding: frozenset[str], digest: Digest | None = None) -> None:
        """``deciding`` are the facts that must agree, ``digest`` says what of a fact's value (by its name; None: all)."""
        self._scan, self.deciding, self._digest = scan, deciding, digest or as_it_is
        self._codes: dict[Hashable, int] = {(): _NOTHING}
        self._known: list[dict[object, int]] = [{} for _ in scan.kinds]  # of each kind, by what is kept of the facts that decide
        self._places = [tuple(n for n, name in enumerate(scan.fact_names(number)) if name in deciding) for number in range(len(scan.kinds))]
        self.kinds = np.array([bool(places) for places in self._places], bool)

    def codes(self, events: EventTable, rows: np.ndarray) -> np.ndarray:
        """The numbers for the facts of these events, which are of `kinds` that may decide something."""
        kinds, facts = (np.frombuffer(column, np.int32)[rows] for column in (events.kind, events.fact))
        _, first, inverse = np.unique(facts, return_index=True, return_inverse=True)  # what is said often was kept once
        kinds, facts = kinds[first], facts[first]
        found = np.zeros(len(facts), np.int32)
        for kind in np.flatnonzero(np.bincount(kinds)).tolist():
            own = np.flatnonzero((kinds == kind) & (facts >= 0))
            found[own] = self._codes_of(kind, facts[own].tolist(), events.facts)
        return found[inverse]

    def _codes_of(self, kind: int, facts: list[int], kept: list) -> list[int]:
        pick = itemgetter(*self._places[kind])
        known = self._known[kind]
        own = [kept[fact] for fact in facts]
        if set(map(type, own)) == _TUPLES and () not in own:  # nearly always
            keys = list(map(pick, own))
        else:
            keys = [pick(told) if type(told) is tuple and told else repr(told) for told in own]
        if len(known) > _MOST_KNOWN:
            known.clear()
        for key, fact in dict(zip(keys, facts)).items():
            if key not in known:
                known[key] = self._code(kind, fact)
        return list(map(known.__getitem__, keys))

    def _code(self, kind: int, fact: int) -> int:
        told = sorted((self._scan.decode(kind, fact) or {}).items())
        return self._codes.setdefault(tuple((name, self._digested(name, value)) for name, value in told if name in self.deciding), len(self._codes))

    def _digested(self, name: str, value: object) -> Hashable:
        return classify(str(value)) if name == "url" else self._digest(name, value)


def as_it_is(name: str, value: object) -> Hashable:
    return value if isinstance(value, (str, int)) else repr(value)


def find_variants(assembler: Assembler, coder: Coder, few: int = _FEW) -> tuple[list[Variant], list[int]]:
    """The variants of a scan, and the requests that must be put together one by one: those that are not plain, and variants of less than a ``few``."""
    scan = assembler.scan
    found = sort_events(assembler)
    pending = set(assembler.pending.tolist())
    _spoil_unanswered(scan, found, coder.deciding, pending)
    rows = found.rows
    kind, origin = (np.frombuffer(getattr(scan.events, name), np.int32)[rows] for name in ("kind", "origin"))
    signature = np.zeros((len(rows), 4), np.int32)
    signature[:, 0], signature[:, 1] = kind, origin
    _number_uuids(scan, found, signature, 2)
    telling = np.flatnonzero(coder.kinds[kind]) if len(rows) else rows
    signature[telling, 3] = coder.codes(scan.events, rows[telling])
    careful = [*found.requests[~found.plain].tolist(), *pending.difference(found.requests.tolist())]
    variants = []
    for own in _group_alike(signature, found, scan.seed):
        if len(own) < few:
            careful += found.requests[own].tolist()
        else:
            start, end = found.starts[own[0]], found.ends[own[0]]
            variants.append(Variant(signature[start:end].tobytes(), found.requests[own], rows[found.starts[own][:, None] + np.arange(end - start)]))
    return variants, careful


def _group_alike(signature: np.ndarray, found: Sorted, seed: int) -> list[np.ndarray]:
    """The plain requests of which the events have the same signature; the groups, and the requests in them, in their order."""
    plain = np.flatnonzero(found.plain)
    compiled = kernel.load("parse._scan")
    leaders = np.empty(len(plain), np.int64)
    if compiled is not None and len(plain):
        compiled.group_alike(seed, signature, found.starts, found.ends, plain, leaders)
    else:
        known: dict[bytes, int] = {}
        for i, n in enumerate(plain.tolist()):
            leaders[i] = known.setdefault(signature[found.starts[n] : found.ends[n]].tobytes(), n)
    order = leaders.argsort(kind="stable")
    return np.split(plain[order], np.flatnonzero(np.diff(leaders[order])) + 1) if len(plain) else []


def _spoil_unanswered(scan: Scan, found: Sorted, deciding: frozenset[str], pending: set[int]) -> None:
    """Requests about which the web server's line may tell what their own lines do not are not plain."""
    if not pending or not len(found.requests):
        return
    names = deciding.intersection(ANSWERS)
    kinds = np.frombuffer(scan.events.kind, np.int32)[found.rows]
    told = np.ones(len(found.requests), bool)
    for name in names:
        tells = np.frombuffer(scan.telling((name,)), bool)
        told &= np.logical_or.reduceat(tells[kinds], found.starts)
    for n in np.flatnonzero(~told & found.plain).tolist():
        found.plain[n] = int(found.requests[n]) not in pending


_FACTORS = np.frombuffer(os.urandom(72), np.uint64) | np.uint64(1)  # other ones in each process, so that no log can be written to be slow here


def _number_uuids(scan: Scan, found: Sorted, numbers: np.ndarray, column: int) -> None:
    """Writes into a column of ``numbers`` where among its request's events each event's uuid stood first."""
    rows = found.rows
    compiled = kernel.load("parse._scan")
    if not len(rows):
        return
    if compiled is not None and (found.ends - found.starts).max() < _MANY_EVENTS:  # it compares each with each other
        compiled.number_uuids(np.frombuffer(scan.events.uuid, np.uint8), rows, found.starts, found.ends, numbers, column)
        return
    words = np.frombuffer(scan.events.uuid, np.uint32).reshape(-1, 9)[rows]
    owners = np.repeat(np.arange(len(found.requests)), found.ends - found.starts)
    mixed = np.zeros(len(rows), np.uint64)
    for word, factor in enumerate(_FACTORS):
        mixed += words[:, word] * factor
    mixed = owners.astype(np.uint64) << np.uint64(40) | mixed >> np.uint64(24)
    order = mixed.argsort(kind="stable")
    begins = np.append(True, mixed[order[1:]] != mixed[order[:-1]])
    leaders = order[np.flatnonzero(begins)][np.cumsum(begins) - 1]
    unlike = (words[order] != words[leaders]).any(axis=1) | (
        owners[order] != owners[leaders]
    )  # two uuids of one sum: so unlikely that nothing better is done for it
    found.plain[owners[order[unlike]]] = False
    numbers[order, column] = leaders - found.starts[owners[order]]
