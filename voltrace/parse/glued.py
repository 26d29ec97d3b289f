"""Records between which a newline was lost: where on a line the next one begins.

A user may have written what looks like a record, as a volume's name. So a record is taken to begin only where the one before it is known to be complete:
behind the debug suffix, or the last literal, of a message in which nobody can have written what looks like its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from itertools import islice

from ..formats import HEAD, HEAD_LEVELS, Format
from ..messages import Row, catalogue
from .framing import ACCESS, ACCESS_MARK, split_suffix

# What a record has behind its prefix: level, logger and bracket, or the web server's mark.
_LEVELS = frozenset(HEAD_LEVELS)
_LOGGER = re.compile(rb"[\w.<>-]+")
_LONGEST_PREFIX, _LONGEST, _MOST = 400, 1 << 16, 100  # bytes of a prefix and of a record, and records, that are looked at on a line
# Fields in which no user's text is; among them those that are one word each; and those that show values as Python or JSON do, so that a text cannot end them.
_OWN = frozenset("backends capabilities capability checks factors grouping key mode required results until".split())
_WORDS = frozenset(
    "action allow attempt available_gb backend backup_id call count create_type filter group_id held image_id max_weight method min_weight object_type option pid"
    " pool ratio request_id resource returncode service service_host size_gb size_mb snapshot_id source_id speed status task url volume_id volume_name"
    " volume_status wait_s waited weigher weight".split()
)
_VALUES = frozenset({"body", "filters", "reservations", "retry", "specification"})
_CONSTANTS = frozenset({b"None", b"True", b"False"})
_PAIRS = {b"]": b"[", b")": b"(", b"}": b"{"}


@cache
def _patterns() -> dict[str, re.Pattern[bytes]]:
    """Compiled when a line may be glued, which few logs have."""
    patterns = {
        "transition": rb"(?:Task|Flow) '[^']{1,400}' \([0-9a-f-]{36}\) transitioned into state '[A-Z]+' from state '[A-Z]+'(?: with result '(.*)')?",
        "suffix": rb" (?:\{\{(?:\(pid=\d+\) )?[\w.<>]+ [\w./@+~-]+:\d+\}\}|[\w.<>]+ [\w./@+~-]+\.pyc?:\d+)",
        "access": rb" \d+ headers in \d+ bytes \(\d+ switches on core \d+\)",
        "word": rb"[^\s'\"]*",
        "token": rb"""[ubUB]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<open>[\[({])|(?P<close>[\])}])|[\w.:+-]+(?!\()|[,\s]""",
    }
    return {name: re.compile(pattern, re.DOTALL) for name, pattern in patterns.items()}


class _Proof(IntEnum):
    """What proves that a text is all of a record: nothing; its end, which a user may have written; that users write nothing in such; that it has no room for more."""

    NONE = 0
    END = 1
    OWN = 2
    SHUT = 3


def may_be_glued(text: bytes, start: int) -> bool:
    """Whether there is anything in the text from ``start`` on that looks like a record's level, logger and bracket, or like a line of the web server."""
    return next(_find_heads(text, start), None) is not None


def split_glued(line: bytes, fmt: Format) -> list[bytes]:
    """The records on a line; the line alone if it is none, if there is one, or if it is not sure that the first is complete where another seems to begin."""
    heads = list(islice(_find_heads(line, 0), _MOST))
    prefix = fmt.pattern.match(line) if len(heads) > 1 else None
    if prefix is None:
        return [line]
    begins = [(start, head) for head in heads[1:] if (start := _find_prefix(line, prefix.end(), head, fmt)) is not None]
    parts, begun, at = [], 0, prefix.end()
    for start, head in begins:
        proof = _prove(line[at:start], fmt.layout)
        if proof == _Proof.END:  # what a user had written there would have to go on behind the next record
            ends = [*(later for later, _ in begins if later > start), len(line)]
            proof = max(_prove(line[head:end], fmt.layout) for end in ends[:2])
            proof = proof if proof == _Proof.SHUT else _Proof.NONE
        if proof > _Proof.END:
            parts.append(line[begun:start])
            begun, at = start, head
    parts.append(line[begun:])
    if fmt.layout == "oslo" and prefix["host"] is not None:  # a wrapping named them, which does not come between
        whose = line[prefix.end("stamp") : prefix.start("pid") - 1]
        parts[1:] = [part[: len(prefix["stamp"])] + whose + part[len(prefix["stamp"]) :] for part in parts[1:]]
    return parts


def _find_heads(text: bytes, start: int) -> Iterator[int]:
    """Where a record's text seems to begin."""
    bracket = text.find(b" [", start)
    while bracket >= 0:
        if text.startswith(ACCESS_MARK, bracket + 1):
            yield bracket + 1
        else:
            blank = text.rfind(b" ", start, bracket)
            level = text.rfind(b" ", start, max(start, blank)) + 1
            if level > start and text[level:blank] in _LEVELS and _LOGGER.fullmatch(text, blank + 1, bracket):
                yield level
        bracket = text.find(b" [", bracket + 2)


def _find_prefix(line: bytes, start: int, head: int, fmt: Format) -> int | None:
    """Where the prefix begins that ends there; None if there is none, or no record behind it."""
    if not line.startswith(ACCESS_MARK, head) and not HEAD.match(line, head):
        return None
    found = (m.start() for m in fmt.pattern.finditer(line, max(start, head - _LONGEST_PREFIX), head) if m.end() == head)
    return next(found, None)


def _prove(body: bytes, layout: str) -> _Proof:
    """What proves that this, which stands behind a prefix, is all of a record or of a line of the web server."""
    if len(body) > _LONGEST:
        return _Proof.NONE
    body = body.rstrip(b" ")
    access = ACCESS.match(body)
    if access:
        return _Proof.SHUT if _patterns()["access"].fullmatch(body, access.end()) else _Proof.NONE
    head = HEAD.match(body)
    if head is None:
        return _Proof.NONE
    level, logger, message = head[1].decode(), head[2].decode(), body[head.end() :]
    if level == "DEBUG":
        message, suffix = split_suffix(message, layout)
        if suffix is None or not _patterns()["suffix"].fullmatch(body, head.end() + len(message)):
            return _Proof.NONE
    transition = _patterns()["transition"].fullmatch(message)
    if transition:
        return _Proof.SHUT if transition[1] is None or _is_value(transition[1]) else _Proof.END
    return max((_prove_row(row, message) for row in catalogue().candidates(level, logger)), default=_Proof.NONE)


def _prove_row(row: Row, message: bytes) -> _Proof:
    values = row.match(message)
    if values is None or len(b"".join(values)) + len(b"".join(row.literals)) != len(message):
        return _Proof.NONE
    is_word = _patterns()["word"].fullmatch
    shut = [(is_word(value) and name in _WORDS) or (name in _VALUES and _is_value(value)) for name, value in zip(row.fields, values)]
    if all(shut):
        return _Proof.SHUT
    return _Proof.OWN if all(is_shut or name in _OWN for name, is_shut in zip(row.fields, shut)) else _Proof.NONE


def _is_value(text: bytes) -> bool:
    """Whether this is all of one value, as Python or JSON writes them, without any object of a class: those do not escape the quotes in their texts."""
    if text in _CONSTANTS:
        return True
    match = _patterns()["token"].match
    opened: list[bytes] = []
    at = 0
    while at < len(text) and (opened or at == 0):
        token = match(text, at)
        if token is None:
            return False
        if token["open"]:
            opened.append(token[0])
        elif not opened or (token["close"] and opened.pop() != _PAIRS[token[0]]):
            return False
        at = token.end()
    return 0 < at == len(text) and not opened
