"""The ``--where`` language: parse an expression once, then match the JSON objects of timelines against it.

``docs/where.md`` tells users what it means. In short: an expression is multiplied out into alternatives (`or`) of
comparisons that all hold (`and`); comparisons of an alternative that speak of a part of the request (a flow, a task, a
hand-off, a failure) must hold on one and the same part.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from .errors import UsageError
from .lifecycle import SERVICES, STATES
from .verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, FINAL_STATUSES, GAVE_UP, OUTCOMES

# Generous for people, and small enough for the recursive parser and for the multiplied-out form.
MAX_LENGTH, MAX_DEPTH, MAX_ALTERNATIVES, MAX_PATTERN = 10_000, 20, 256, 200

REQUEST, SPAN, HANDOFF, FAILURE, DEVIATION, DIAGNOSTIC = "request", "flow or task", "hand-off", "failure", "deviation", "diagnostic"
TEXT, NUMBER, DURATION, INSTANT = "text", "number", "duration", "instant"
_EXAMPLES = {NUMBER: "a number such as 2", DURATION: "a duration with its unit such as 2s, 300ms or 1m30s", INSTANT: "an instant such as 2026-01-05T09:00:00Z"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field that expressions may name: of which part it speaks, its type, and its values where the list is closed."""

    name: str
    part: str
    type: str = TEXT
    choices: tuple[str, ...] = ()


FIELDS = {
    field.name: field
    for field in (
        Field("request_id", REQUEST),
        Field("global_request_id", REQUEST),
        Field("operation", REQUEST),
        Field("outcome", REQUEST, choices=tuple(OUTCOMES)),
        Field("cause", REQUEST, choices=tuple(CAUSES)),
        Field("gave_up", REQUEST, choices=tuple(GAVE_UP)),
        Field("final_status", REQUEST, choices=FINAL_STATUSES),
        Field("project", REQUEST),
        Field("user", REQUEST),
        Field("volume_id", REQUEST),
        Field("name", REQUEST),
        Field("size_gb", REQUEST, NUMBER),
        Field("volume_type", REQUEST),
        Field("availability_zone", REQUEST),
        Field("source", REQUEST),
        Field("http.method", REQUEST),
        Field("http.path", REQUEST),
        Field("http.status", REQUEST, NUMBER),
        Field("start", REQUEST, INSTANT),
        Field("end", REQUEST, INSTANT),
        Field("duration", REQUEST, DURATION),
        Field("attempts", REQUEST, NUMBER),
        Field("backend", REQUEST),
        Field("service", SPAN, choices=SERVICES),
        Field("flow", SPAN),
        Field("task", SPAN),
        Field("attempt", SPAN, NUMBER),
        Field("state", SPAN, choices=STATES),
        Field("wait", HANDOFF, DURATION),
        Field("topic", HANDOFF),
        Field("exception", FAILURE),
        Field("message", FAILURE),
        Field("deviation", DEVIATION, choices=tuple(DEVIATIONS)),
        Field("diagnostic", DIAGNOSTIC, choices=tuple(DIAGNOSTICS)),
    )
}
ALIASES = {"status": "http.status", "method": "http.method", "path": "http.path"}
# Which fields of flows and tasks other parts have too: there they may be joined with the part's own.
_SHARED = {FAILURE: {"service", "flow", "task", "attempt"}, HANDOFF: {"service", "attempt"}}

Predicate = Callable[[dict], bool]


def compile_where(text: str) -> Predicate:
    """A function that says whether the JSON object of a timeline (`encode.encode_timeline`) matches the expression.

    Raises UsageError with one line that names the column and what was expected there.
    """
    return _compile(_parse(text))


# -- text to tree ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or quoted string and the offset at which it begins."""

    text: str
    at: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class _Comparison:
    field: Field
    op: str
    test: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class _Not:
    inner: Any


@dataclass(frozen=True, slots=True)
class _All:
    parts: tuple


@dataclass(frozen=True, slots=True)
class _Any:
    parts: tuple


_CHARACTER = r"""[^\s()=!~<>,'"]"""
_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_OPERATOR = r"!~|!=|<=|>=|=|~|<|>"
_LEXEME = re.compile(rf"{_QUOTED}|{_CHARACTER}+|{_OPERATOR}|\S", re.S)


@cache
def _grammar():
    """The grammar. Every alternative is told by its first word, so parsing takes linear time and errors point at the spot."""
    import pyparsing as pp

    def keyword(word: str):
        return pp.Regex(rf"(?i:{word})(?!{_CHARACTER})").set_name(f"'{word}'")

    def located(quoted: bool):
        return lambda _, at, found: _Token(found[0], at, quoted)

    no, also, either, one_of = (keyword(w) for w in ("not", "and", "or", "in"))
    opening, closing, comma = pp.Suppress("(").set_name("'('"), pp.Suppress(")").set_name("')'"), pp.Suppress(",")
    word = pp.Regex(rf"(?!(?i:not|and|or|in)(?!{_CHARACTER})){_CHARACTER}+").set_parse_action(located(False))
    quoted = pp.Regex(_QUOTED, re.S).set_parse_action(located(True))
    value = (quoted | word).set_name("a value")
    values = opening - pp.Group(value + pp.ZeroOrMore(comma - value)) - closing.copy().set_name("',' or ')'")
    compared = pp.Regex(_OPERATOR).set_parse_action(located(False)) - pp.Group(value)
    listed = one_of.copy().add_parse_action(located(False)) - values
    unlisted = (no + one_of).add_parse_action(lambda _, at, found: _Token("not in", at)) - values
    comparison = word.copy().set_name("a field") - (compared | listed | unlisted).set_name("= != ~ !~ < <= > >= 'in' or 'not in'")
    comparison.add_parse_action(lambda _, at, found: _comparison(*found))
    expression = pp.Forward()
    atom = opening - expression - closing.copy().set_name("'and', 'or' or ')'") | comparison
    atom.set_name("a field, 'not' or '('")
    factor = (pp.ZeroOrMore(no).add_parse_action(lambda _, at, found: [len(found) % 2]) + atom).set_name("a field, 'not' or '('")
    factor.add_parse_action(lambda _, at, found: _Not(found[1]) if found[0] else found[1])
    term = factor + pp.ZeroOrMore(also.suppress() - factor)
    term.add_parse_action(lambda _, at, found: _All(tuple(found)) if len(found) > 1 else found[0])
    expression <<= term + pp.ZeroOrMore(either.suppress() - term)
    expression.add_parse_action(lambda _, at, found: _Any(tuple(found)) if len(found) > 1 else found[0])
    return (expression + pp.StringEnd().set_name("'and', 'or' or the end")).parse_with_tabs()


def _parse(text: str):
    if len(text) > MAX_LENGTH:
        raise UsageError(f"--where: longer than {MAX_LENGTH} characters")
    _check_depth(text)
    from pyparsing import ParseBaseException

    try:
        return _grammar().parse_string(text)[0]
    except ParseBaseException as error:
        raise _syntax_error(text, error.loc, error.msg) from None
    except RecursionError:
        raise UsageError("--where: nested too deeply") from None


def _check_depth(text: str) -> None:
    depth = 0
    for lexeme in _LEXEME.finditer(text):
        depth += (lexeme[0] == "(") - (lexeme[0] == ")")
        if depth > MAX_DEPTH:
            raise _error(lexeme.start(), f"expected no more than {MAX_DEPTH} parentheses inside each other")


def _error(at: int, message: str) -> UsageError:
    return UsageError(f"--where: column {at + 1}: {message}")


def _show(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _syntax_error(text: str, at: int, message: str) -> UsageError:
    at += len(text[at:]) - len(text[at:].lstrip())
    before = _LEXEME.findall(text[:at])
    expected = message.removeprefix("Expected ").partition(", found")[0]
    sentence = f"expected {expected}" + (f" after {_show(before[-1])}" if before else "")
    following = text[at : at + 1]
    if following and following in "'\"":
        sentence += f"; the quote {following} that begins here is not closed"
    elif following and expected == "a value" and before[-1] != "(":
        sentence += "; quote a value that holds spaces, brackets, commas or operators"
    return _error(at, sentence)


# -- comparisons -------------------------------------------------------------------------------------------------------

_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_LAPSE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(us|ms|s|m|h|d)")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")


def _comparison(name: _Token, op: _Token, values: Iterable[_Token]) -> _Comparison:
    field = _find_field(name)
    values = tuple(values)
    if op.text in ("~", "!~"):
        test = _pattern_test(field, op, values[0])
    elif op.text in _ORDER:
        test = _order_test(field, op, values[0])
    else:
        test = _equality_test(field, values)
    if op.text in ("!=", "!~", "not in"):
        return _Comparison(field, op.text, lambda value: not test(value))
    return _Comparison(field, op.text, test)


def _find_field(token: _Token) -> Field:
    field = FIELDS.get(ALIASES.get(token.text, token.text))
    if field is None:
        raise _error(token.at, f"no field {_show(token.text)}{_suggest(token.text, (*FIELDS, *ALIASES), 'the fields are')}")
    return field


def _suggest(text: str, names: tuple[str, ...], otherwise: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(text.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if near:
        return f"; did you mean {next(n for n in names if n.lower() == near[0])!r}?"
    return f"; {otherwise} {', '.join(names)}"


def _order_test(field: Field, op: _Token, token: _Token) -> Callable[[Any], bool]:
    if field.type == TEXT:
        raise _error(op.at, f"expected = != ~ !~ 'in' or 'not in': {field.name} is text and has no order")
    bound, compare = _read_value(field, token), _ORDER[op.text]
    return lambda value: any(compare(v, bound) for v in _values(field, value))


def _equality_test(field: Field, tokens: tuple[_Token, ...]) -> Callable[[Any], bool]:
    wanted = {None if _is_null(token) else _read_value(field, token) for token in tokens}

    def test(value) -> bool:
        found = _values(field, value)
        return not wanted.isdisjoint(found) if found else None in wanted

    return test


def _pattern_test(field: Field, op: _Token, token: _Token) -> Callable[[Any], bool]:
    if field.type != TEXT:
        raise _error(op.at, f"expected = != < <= > >= 'in' or 'not in': {field.name} is a{'n' if field.type == INSTANT else ''} {field.type}")
    search = _read_pattern(token)
    return lambda value: any(search(v) for v in _values(field, value))


def _is_null(token: _Token) -> bool:
    return token.text == "null" and not token.quoted


def _unquote(token: _Token) -> str:
    return re.sub(r"\\([\\'\"])", r"\1", token.text[1:-1]) if token.quoted else token.text


def _read_value(field: Field, token: _Token) -> Any:
    text = _unquote(token)
    if field.choices:
        for choice in field.choices:
            if text.lower() == choice.lower():
                return choice
        raise _error(token.at, f"{_show(text)} is no {field.name}{_suggest(text, field.choices, 'expected one of')}")
    if field.type == TEXT:
        return text
    if field.type == NUMBER and _NUMBER.fullmatch(text):
        return float(text)
    if field.type == DURATION and _LAPSE.sub("", text) == "" != text:
        return sum(round(float(amount) * _UNITS[unit]) for amount, unit in _LAPSE.findall(text))
    if field.type == INSTANT and (at := _read_instant(text)) is not None:
        return at
    raise _error(token.at, f"expected {_EXAMPLES[field.type]} for {field.name}, found {_show(text)}")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _read_instant(text: str) -> int | None:
    """Microseconds since the epoch; an instant without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def _values(field: Field, value: Any) -> list:
    """What the JSON holds, as things that compare; nothing for null."""
    found = value if isinstance(value, list) else [value]
    if field.type == TEXT:
        return [str(v) for v in found if v is not None]
    if field.type == DURATION:
        return [round(v * 1e6) for v in found if v is not None]
    if field.type == INSTANT:
        return [at for v in found if v is not None and (at := _read_instant(v)) is not None]
    return [v for v in found if v is not None]


# A repetition of a group that itself repeats or chooses can take exponential time, e.g. (a+)+ or (a|a)*.
_PATTERN_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(|\)|[*+]|\{\d*,?\d*\}|\||\?|.", re.S)


def _repeats_itself(pattern: str) -> bool:
    inside, closed = [False], False
    for piece in _PATTERN_PIECE.findall(pattern):
        repeats = piece in "*+" or (piece[0] == "{" and len(piece) > 1)
        if closed and repeats:
            return True
        closed = False
        if piece == "(":
            inside.append(False)
        elif piece == ")" and len(inside) > 1:
            closed = inside.pop()
            inside[-1] |= closed
        elif repeats or piece == "|":
            inside[-1] = True
    return False


def _read_pattern(token: _Token) -> Callable[[str], Any]:
    import warnings

    text = _unquote(token)
    if len(text) > MAX_PATTERN:
        raise _error(token.at, f"expected a pattern of at most {MAX_PATTERN} characters, found {len(text)}")
    if _repeats_itself(text):
        raise _error(token.at, "expected a pattern without a repeated group that itself repeats or chooses: matching it could take for ever")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(text, re.IGNORECASE).search
    except re.error as error:
        raise _error(token.at + token.quoted + (error.pos or 0), f"expected a regular expression: {' '.join(error.msg.split())}") from None
    except (OverflowError, RecursionError):
        raise _error(token.at, "expected a regular expression: its repetitions or groups are too many") from None


# -- tree to function --------------------------------------------------------------------------------------------------


def _compile(tree) -> Predicate:
    alternatives = [_compile_alternative(literals) for literals in _alternatives(tree)]
    if len(alternatives) == 1:
        return alternatives[0]
    return lambda request: any(holds(request) for holds in alternatives)


def _alternatives(tree) -> list[list]:
    """The tree multiplied out: alternatives, each a list of comparisons and negations that must all hold."""
    if isinstance(tree, _Not) and isinstance(tree.inner, _Not):
        return _alternatives(tree.inner.inner)
    if isinstance(tree, _Any):
        found = [literals for part in tree.parts for literals in _alternatives(part)]
    elif isinstance(tree, _All):
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
    tests = [_compile_not(literal) for literal in literals if isinstance(literal, _Not)]
    comparisons = [literal for literal in literals if isinstance(literal, _Comparison)]
    tests += [_compile_group(part, group) for part, group in _group(comparisons).items()]
    if len(tests) == 1:
        return tests[0]
    return lambda request: all(test(request) for test in tests)


def _compile_not(literal: _Not) -> Predicate:
    inner = _compile(literal.inner)
    return lambda request: not inner(request)


def _group(comparisons: list[_Comparison]) -> dict[str, list[_Comparison]]:
    """The comparisons by the part on which they must hold together."""
    groups: dict[str, list[_Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault(comparison.field.part, []).append(comparison)
    spans = groups.get(SPAN, [])
    names = {c.field.name for c in spans}
    host = next((part for part in (FAILURE, HANDOFF) if part in groups and names <= _SHARED[part]), None)
    if spans and host:
        groups[host] += groups.pop(SPAN)
    elif spans:
        spans += [c for c in groups.get(REQUEST, ()) if c.field.name == "duration"]
        groups[REQUEST] = [c for c in groups.get(REQUEST, ()) if c.field.name != "duration"]
    return {part: group for part, group in groups.items() if group}


def _compile_group(part: str, group: list[_Comparison]) -> Predicate:
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
