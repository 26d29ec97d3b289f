"""Text -> tree: the grammar of expressions (pyparsing, imported when the first expression is read)."""

from __future__ import annotations

import re
from functools import cache

from ..errors import UsageError
from .compare import read_comparison
from .fields import MAX_DEPTH, MAX_LENGTH
from .tree import All, Either, Not, Token, error_at, show

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
        return lambda _, at, found: Token(found[0], at, quoted)

    no, also, either, one_of = (keyword(w) for w in ("not", "and", "or", "in"))
    opening, closing, comma = pp.Suppress("(").set_name("'('"), pp.Suppress(")").set_name("')'"), pp.Suppress(",")
    word = pp.Regex(rf"(?!(?i:not|and|or|in)(?!{_CHARACTER})){_CHARACTER}+").set_parse_action(located(False))
    quoted = pp.Regex(_QUOTED, re.S).set_parse_action(located(True))
    value = (quoted | word).set_name("a value")
    values = opening - pp.Group(value + pp.ZeroOrMore(comma - value)) - closing.copy().set_name("',' or ')'")
    compared = pp.Regex(_OPERATOR).set_parse_action(located(False)) - pp.Group(value)
    listed = one_of.copy().add_parse_action(located(False)) - values
    unlisted = (no + one_of).add_parse_action(lambda _, at, found: Token("not in", at)) - values
    comparison = word.copy().set_name("a field") - (compared | listed | unlisted).set_name("= != ~ !~ < <= > >= 'in' or 'not in'")
    comparison.add_parse_action(lambda _, at, found: read_comparison(*found))
    expression = pp.Forward()
    atom = opening - expression - closing.copy().set_name("'and', 'or' or ')'") | comparison
    atom.set_name("a field, 'not' or '('")
    factor = (pp.ZeroOrMore(no).add_parse_action(lambda _, at, found: [len(found) % 2]) + atom).set_name("a field, 'not' or '('")
    factor.add_parse_action(lambda _, at, found: Not(found[1]) if found[0] else found[1])
    term = factor + pp.ZeroOrMore(also.suppress() - factor)
    term.add_parse_action(lambda _, at, found: All(tuple(found)) if len(found) > 1 else found[0])
    expression <<= term + pp.ZeroOrMore(either.suppress() - term)
    expression.add_parse_action(lambda _, at, found: Either(tuple(found)) if len(found) > 1 else found[0])
    return (expression + pp.StringEnd().set_name("'and', 'or' or the end")).parse_with_tabs()


def parse(text: str):
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
            raise error_at(lexeme.start(), f"expected no more than {MAX_DEPTH} parentheses inside each other")


def _syntax_error(text: str, at: int, message: str) -> UsageError:
    at += len(text[at:]) - len(text[at:].lstrip())
    before = _LEXEME.findall(text[:at])
    expected = message.removeprefix("Expected ").partition(", found")[0]
    sentence = f"expected {expected}" + (f" after {show(before[-1])}" if before else "")
    following = text[at : at + 1]
    if following and following in "'\"":
        sentence += f"; the quote {following} that begins here is not closed"
    elif following and expected == "a value" and before[-1] != "(":
        sentence += "; quote a value that holds spaces, brackets, commas or operators"
    return error_at(at, sentence)
