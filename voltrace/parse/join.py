"""The web server's lines, each joined to the one request that it can be about: they name none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .bundles import TELLS
from .tables import ANSWERS, Access, Scan

_MOST_ROUNDS = 30  # until all are looked at, which costs as much


def find_told(scan: Scan, among: np.ndarray) -> np.ndarray:
    """Request, kind and fact of the events that tell what was asked and answered: one line each, one column an event. Of some requests: ``among`` is a table of which."""
    tells = np.frombuffer(scan.telling(ANSWERS), bool)[np.frombuffer(scan.events.kind, np.int32)] & among[np.frombuffer(scan.events.request, np.int32)]
    return np.stack([np.frombuffer(getattr(scan.events, name), np.int32)[tells] for name in TELLS])


def join_accesses(scan: Scan, told: Callable[[Scan, np.ndarray], np.ndarray] = find_told, requests: list[int] | None = None) -> dict[int, Access]:
    """The access line of each request (of these; None: all) that has one for certain: by worker, order, method, path and status.

    ``told`` finds what `find_told` does.
    """
    if not len(scan.accesses) or requests is not None and not requests:
        return {}
    rows, among = _find_related(scan, requests)
    facts: dict[int, dict] = {}
    if scan.others:
        for request, kind, values in scan.others.answers(among):
            facts[request] = {**decode_answer(scan, kind, values), **facts.get(request, {})}
    _add_answers(scan, told(scan, among), facts)  # of a million other requests nothing is looked up
    joined: dict[int, Access] = {}
    for access in scan.accesses.rows(rows):
        fitting = []
        for request in access.pending:
            if request in joined:
                continue
            own = facts.get(request, {})
            if own.get("status") in (None, access.status) and own.get("method") in (None, access.method) and _same_path(own.get("url"), access.path):
                fitting.append((request, own))
        answered = [request for request, own in fitting if own.get("status") == access.status]
        unique = answered if len(answered) == 1 else [request for request, _ in fitting]
        if len(answered) == 1 and "method" not in facts[answered[0]]:  # very old APIs answer under an id of its own
            unique = [request for request, own in fitting if "method" in own and "status" not in own][-1:] or unique
        if len(unique) == 1:
            joined[unique[0]] = access
    return joined


def _find_related(scan: Scan, requests: list[int] | None) -> tuple[list[int], np.ndarray]:
    """The access lines that may be about some requests (None: all), or about others that such a line may be about; and which requests these are, in a table."""
    pending, ends = np.frombuffer(scan.accesses.pending, np.int32), np.frombuffer(scan.accesses.end, np.int64)
    among = np.zeros(len(scan.requests) + 1, bool)  # the last is none
    if requests is not None:
        owner = np.repeat(np.arange(len(ends), dtype=np.int32), np.diff(ends, prepend=0))
        among[requests] = True
        for _ in range(_MOST_ROUNDS):
            near = np.zeros(len(ends), bool)
            near[owner[among[pending]]] = True
            others = pending[near[owner]]
            if among[others].all():
                return np.flatnonzero(near).tolist(), among
            among[others] = True
    among[pending] = True
    return list(range(len(ends))), among


def decode_answer(scan: Scan, kind: int, values: tuple) -> dict:
    """The facts of method, address and status among these raw values of an event of this kind."""
    return {name: value for name, value in (scan.read_facts(kind, values) or {}).items() if name in ANSWERS}


def _add_answers(scan: Scan, told: np.ndarray, found: dict[int, dict]) -> None:
    """Adds of each request the first facts of method, address and status to what was ``found``."""
    known: dict[tuple[int, int], dict] = {}  # what is said often was kept once
    for request, kind, fact in told.T.tolist():
        facts = known.get((kind, fact))
        if facts is None:
            facts = known[kind, fact] = {name: value for name, value in (scan.decode(kind, fact) or {}).items() if name in ANSWERS}
        found[request] = {**facts, **found[request]} if request in found else facts


def _same_path(url: str | None, path: str) -> bool:
    return (
        url is None
        or url.partition("?")[0].endswith(path.partition("?")[0])
        or path.partition("?")[0].endswith(url.partition("://")[2].partition("/")[2] or url)
    )
