"""Comparisons: a field, an operator and values -> a test of one value."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from .fields import ALIASES, DURATION, EXAMPLES, FIELDS, INSTANT, MAX_PATTERN, NUMBER, TEXT, Field
from .tree import Comparison, Token, error_at, show

_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_LAPSE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(us|ms|s|m|h|d)")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")


def read_comparison(name: Token, op: Token, values: Iterable[Token]) -> Comparison:
    field = _find_field(name)
    values = tuple(values)
    if op.text in ("~", "!~"):
        test = _pattern_test(field, op, values[0])
    elif op.text in _ORDER:
        test = _order_test(field, op, values[0])
    else:
        test = _equality_test(field, values)
    if op.text in ("!=", "!~", "not in"):
        return Comparison(field, op.text, lambda value: not test(value))
    return Comparison(field, op.text, test)


def _find_field(token: Token) -> Field:
    field = FIELDS.get(ALIASES.get(token.text, token.text))
    if field is None:
        raise error_at(token.at, f"no field {show(token.text)}{_suggest(token.text, (*FIELDS, *ALIASES), 'the fields are')}")
    return field


def _suggest(text: str, names: tuple[str, ...], otherwise: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(text.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if near:
        return f"; did you mean {next(n for n in names if n.lower() == near[0])!r}?"
    return f"; {otherwise} {', '.join(names)}"


def _order_test(field: Field, op: Token, token: Token) -> Callable[[Any], bool]:
    if field.type == TEXT:
        raise error_at(op.at, f"expected = != ~ !~ 'in' or 'not in': {field.name} is text and has no order")
    bound, compare = _read_value(field, token), _ORDER[op.text]
    return lambda value: any(compare(v, bound) for v in _values(field, value))


def _equality_test(field: Field, tokens: tuple[Token, ...]) -> Callable[[Any], bool]:
    wanted = {None if _is_null(token) else _read_value(field, token) for token in tokens}

    def test(value) -> bool:
        found = _values(field, value)
        return not wanted.isdisjoint(found) if found else None in wanted

    return test


def _pattern_test(field: Field, op: Token, token: Token) -> Callable[[Any], bool]:
    if field.type != TEXT:
        raise error_at(op.at, f"expected = != < <= > >= 'in' or 'not in': {field.name} is a{'n' if field.type == INSTANT else ''} {field.type}")
    search = _read_pattern(token)
    return lambda value: any(search(v) for v in _values(field, value))


def _is_null(token: Token) -> bool:
    return token.text == "null" and not token.quoted


def _unquote(token: Token) -> str:
    return re.sub(r"\\([\\'\"])", r"\1", token.text[1:-1]) if token.quoted else token.text


def _read_value(field: Field, token: Token) -> Any:
    text = _unquote(token)
    if field.choices:
        for choice in field.choices:
            if text.lower() == choice.lower():
                return choice
        raise error_at(token.at, f"{show(text)} is no {field.name}{_suggest(text, field.choices, 'expected one of')}")
    if field.type == TEXT:
        return text
    if field.type == NUMBER and _NUMBER.fullmatch(text):
        return float(text)
    if field.type == DURATION and _LAPSE.sub("", text) == "" != text:
        return sum(round(float(amount) * _UNITS[unit]) for amount, unit in _LAPSE.findall(text))
    if field.type == INSTANT and (at := read_instant(text)) is not None:
        return at
    raise error_at(token.at, f"expected {EXAMPLES[field.type]} for {field.name}, found {show(text)}")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_instant(text: str) -> int | None:
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
        return [at for v in found if v is not None and (at := read_instant(v)) is not None]
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


def _read_pattern(token: Token) -> Callable[[str], Any]:
    import warnings

    text = _unquote(token)
    if len(text) > MAX_PATTERN:
        raise error_at(token.at, f"expected a pattern of at most {MAX_PATTERN} characters, found {len(text)}")
    if _repeats_itself(text):
        raise error_at(token.at, "expected a pattern without a repeated group that itself repeats or chooses: matching it could take for ever")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(text, re.IGNORECASE).search
    except re.error as error:
        raise error_at(token.at + token.quoted + (error.pos or 0), f"expected a regular expression: {' '.join(error.msg.split())}") from None
    except (OverflowError, RecursionError):
        raise error_at(token.at, "expected a regular expression: its repetitions or groups are too many") from None
