"""Tree -> function: alternatives of comparisons that must hold on one and the same part of a request."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UsageError
from .fields import DEVIATION, DIAGNOSTIC, FAILURE, HANDOFF, MAX_ALTERNATIVES, REQUEST, SHARED, SPAN
from .tree import All, Comparison, Either, Not

Predicate = Callable[[dict], bool]


def compile_tree(tree) -> Predicate:
    alternatives = [_compile_alternative(literals) for literals in _alternatives(tree)]
    if len(alternatives) == 1:
        return alternatives[0]
    return lambda request: any(holds(request) for holds in alternatives)


def _alternatives(tree) -> list[list]:
    """The tree multiplied out: alternatives, each a list of comparisons and negations that must all hold."""
    if isinstance(tree, Not) and isinstance(tree.inner, Not):
        return _alternatives(tree.inner.inner)
    if isinstance(tree, Either):
        found = [literals for part in tree.parts for literals in _alternatives(part)]
    elif isinstance(tree, All):
        found = [[]]
        for part in tree.parts:
            choices = _alternatives(part)
            if len(found) * len(choices) > MAX_ALTERNATIVES:
                raise UsageError(f"--where: its 'and' and 'or' multiply out to more than {MAX_ALTERNATIVES} alternatives")
            found = [[*one, *other] for one in found for other in choices]
    else:
        found = [[tree]]
    if len(found) > MAX_ALTERNATIVES:
        raise UsageError(f"--where: it has more than {MAX_ALTERNATIVES} alternatives")
    return found


def _compile_alternative(literals: list) -> Predicate:
    tests = [_compile_not(literal) for literal in literals if isinstance(literal, Not)]
    comparisons = [literal for literal in literals if isinstance(literal, Comparison)]
    tests += [_compile_group(part, group) for part, group in _group(comparisons).items()]
    if len(tests) == 1:
        return tests[0]
    return lambda request: all(test(request) for test in tests)


def _compile_not(literal: Not) -> Predicate:
    inner = compile_tree(literal.inner)
    return lambda request: not inner(request)


def _group(comparisons: list[Comparison]) -> dict[str, list[Comparison]]:
    """The comparisons by the part on which they must hold together."""
    groups: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault(comparison.field.part, []).append(comparison)
    spans = groups.get(SPAN, [])
    names = {c.field.name for c in spans}
    host = next((part for part in (FAILURE, HANDOFF) if part in groups and names <= SHARED[part]), None)
    if spans and host:
        groups[host] += groups.pop(SPAN)
    elif spans:
        spans += [c for c in groups.get(REQUEST, ()) if c.field.name == "duration"]
        groups[REQUEST] = [c for c in groups.get(REQUEST, ()) if c.field.name != "duration"]
    return {part: group for part, group in groups.items() if group}


def _compile_group(part: str, group: list[Comparison]) -> Predicate:
    tests = [(c.field.name, c.test) for c in group]
    rows = _SPANS[("task" in dict(tests), "flow" in dict(tests))] if part == SPAN else _ROWS[part]

    def holds(request: dict) -> bool:
        return any(all(test(row.get(name)) for name, test in tests) for row in rows(request) or ({},))

    return holds


# -- the parts of a timeline's object ----------------------------------------------------------------------------------


def _request_rows(request: dict) -> list[dict]:
    http = request.get("http") or {}
    row = {**request, "duration": request.get("duration_s"), "volume_id": request.get("volume_ids") or request.get("volume_id")}
    return [row | {f"http.{key}": http.get(key) for key in ("method", "path", "status")}]


def _flow_rows(request: dict) -> list[dict]:
    return [
        {
            "service": flow.get("service"),
            "flow": flow.get("name"),
            "attempt": flow.get("attempt"),
            "state": list({"RUNNING", flow.get("state")}),
            "duration": flow.get("duration_s"),
        }
        for flow in request.get("flows") or ()
    ]


def _task_rows(request: dict) -> list[dict]:
    return [
        {
            "service": flow.get("service"),
            "flow": flow.get("name"),
            "task": task.get("name"),
            "attempt": flow.get("attempt"),
            "state": task.get("states"),
            "duration": task.get("duration_s"),
        }
        for flow in request.get("flows") or ()
        for task in flow.get("tasks") or ()
    ]


def _handoff_rows(request: dict) -> list[dict]:
    return [{**handoff, "service": handoff.get("to"), "wait": handoff.get("wait_s")} for handoff in request.get("handoffs") or ()]


def _slug_rows(part: str) -> Callable[[dict], list[dict]]:
    return lambda request: [{part: item.get("slug")} for item in request.get(f"{part}s") or ()]


_ROWS: dict[str, Callable[[dict], list[dict]]] = {
    REQUEST: _request_rows,
    HANDOFF: _handoff_rows,
    FAILURE: lambda request: request.get("failures") or [],
    DEVIATION: _slug_rows("deviation"),
    DIAGNOSTIC: _slug_rows("diagnostic"),
}
# By whether the comparisons name a task, and a flow: who names neither means both kinds of part.
_SPANS: dict[tuple[bool, bool], Callable[[dict], list[dict]]] = {
    (True, True): _task_rows,
    (True, False): _task_rows,
    (False, True): _flow_rows,
    (False, False): lambda request: _flow_rows(request) + _task_rows(request),
}
