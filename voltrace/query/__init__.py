"""The ``--where`` language: parse an expression once, then match the JSON objects of timelines against it.

``docs/where.md`` tells users what it means. In short: an expression is multiplied out into alternatives (`or`) of
comparisons that all hold (`and`); comparisons of an alternative that speak of a part of the request (a flow, a task, a
hand-off, a failure) must hold on one and the same part.
"""

from __future__ import annotations

from .fields import ALIASES, FIELDS, MAX_ALTERNATIVES, MAX_DEPTH, REQUEST
from .grammar import parse
from .match import Predicate, compile_tree

__all__ = ["ALIASES", "FIELDS", "MAX_ALTERNATIVES", "MAX_DEPTH", "REQUEST", "Predicate", "compile_where"]


def compile_where(text: str) -> Predicate:
    """A function that says whether the JSON object of a timeline (`encode.encode_timeline`) matches the expression.

    Raises UsageError with one line that names the column and what was expected there.
    """
    return compile_tree(parse(text))
