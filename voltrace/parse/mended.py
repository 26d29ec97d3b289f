"""Records of which the head, level, logger and bracket, was broken over two lines."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..formats import HEAD, HEAD_LEVELS, Format

_LEVELS = tuple(level + b" " for level in HEAD_LEVELS)
_BEGUN = re.compile(rb"[A-Z]{4,8} [\w.<>-]*(?: (?:\[[^\]]{0,400})?)?")
_WHOLE_ID = re.compile(rb"(?<![\w-])g?req-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])")


class Broken(NamedTuple):
    """A line that breaks off in its head: its number and place in the file, its process, and what stands behind its prefix."""

    line: bytes
    number: int
    offset: int
    length: int
    process: int
    body: bytes


def breaks_off(body: bytes) -> bool:
    """Whether this, which stands behind a prefix, may be the beginning of a head that goes on in the next line."""
    if any(level.startswith(body) for level in _LEVELS):
        return bool(body)
    return body.startswith(_LEVELS) and _BEGUN.fullmatch(body) is not None


def mend(first: bytes, second: bytes, fmt: Format) -> bytes | None:
    """The line that was broken into these two, None if it was not: who broke it may have indented the rest, or put the break in the place of a blank."""
    if fmt.pattern.match(second):
        return None
    rest = second.lstrip()
    indented = second[:1] == b"\t" or second[:2] == b"  "
    for line in (*(() if indented else (first + second,)), first + rest, first + b" " + rest):
        prefix = fmt.pattern.match(line)
        head = HEAD.match(line, prefix.end()) if prefix else None
        if head and head.end() > len(first) and (head[3] == b"-" or _WHOLE_ID.search(head[3])):
            return line
    return None
