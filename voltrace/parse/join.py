"""The web server's lines, each joined to the one request that it can be about: they name none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .tables import Access, Scan

_FACTS = ("method", "url", "status")


def join_accesses(scan: Scan, rows_of: Callable[[int], Iterable[int]]) -> dict[int, Access]:
    """The access line of each request that has one for certain: by worker, order, method, path and status.

    ``rows_of`` gives the rows of a request's events.
    """
    facts: dict[int, dict] = {}
    joined: dict[int, Access] = {}
    telling = [any(name in _names(scan, number) for name in _FACTS) for number in range(len(scan.kinds))]
    for access in scan.accesses:
        fitting = []
        for request in access.pending:
            if request in joined:
                continue
            if request not in facts:
                facts[request] = _answer_facts(scan, (row for row in rows_of(request) if telling[scan.events.kind[row]]))
            told = facts[request]
            if told.get("status") in (None, access.status) and told.get("method") in (None, access.method) and _same_path(told.get("url"), access.path):
                fitting.append((request, told))
        answered = [request for request, told in fitting if told.get("status") == access.status]
        unique = answered if len(answered) == 1 else [request for request, _ in fitting]
        if len(unique) == 1:
            joined[unique[0]] = access
    return joined


def _names(scan: Scan, number: int) -> tuple[str, ...]:
    """The facts that events of this kind may have."""
    kind = scan.kinds[number]
    row = scan.catalogue.rows.get(kind.row)
    return _FACTS if row is None or kind.is_step else row.facts


def _answer_facts(scan: Scan, rows: Iterable[int]) -> dict:
    found: dict = {}
    for row in rows:
        facts = scan.facts_of(row)
        if facts:
            for name in _FACTS:
                if name in facts:
                    found.setdefault(name, facts[name])
    return found


def _same_path(url: str | None, path: str) -> bool:
    return (
        url is None
        or url.partition("?")[0].endswith(path.partition("?")[0])
        or path.partition("?")[0].endswith(url.partition("://")[2].partition("/")[2] or url)
    )
