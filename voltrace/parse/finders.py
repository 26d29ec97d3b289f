"""The patterns of results' facts as the compiled kernel takes them: step by step where they are simple, else as they are."""

from __future__ import annotations

import re
from functools import lru_cache
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]

from ..kernel import load

_RUNS = {rb"\d": "digits", rb"[0-9a-f-]": "hex", rb"\w": "word", rb"[^']": "unquoted", rb"[^][]": "list"}
_SHAPE = re.compile(rb"(?P<before>.*?)\((?P<class>\\\[\[\^\]\[\]|\[[^\]]+\]|\\[dw])(?P<repeat>[+*]|\{\d+(?:,\d+)?\})(?:\\\])?\)(?P<after>.*)", re.DOTALL)


@lru_cache
def compile_finder(pattern: re.Pattern[bytes]) -> object:
    """A ``Finder`` of the kernel for this pattern; the pattern and what its matches begin with, if it is not simple enough."""
    compiled = load("parse._scan")
    assert compiled is not None
    shape = _SHAPE.fullmatch(pattern.pattern)
    steps = _read_steps(shape["before"]) if shape else None
    run = _RUNS.get(shape["class"].removeprefix(b"\\[")) if shape else None
    after = shape["after"] if shape else b""
    if shape is None or steps is None or run is None or (after not in (b"", rb"\b") and not after.isalnum() and after != b"'"):
        return pattern, _prefix(pattern)
    least, most = {b"+": (1, 1 << 40), b"*": (0, 1 << 40)}.get(shape["repeat"]) or _bounds(shape["repeat"])
    edge = after == rb"\b"
    return compiled.Finder([(compiled.OPS[name], text) for name, text in steps], compiled.RUNS[run], least, most, b"" if edge else after, edge)


def _bounds(repeat: bytes) -> tuple[int, int]:
    least, _, most = repeat.strip(b"{}").partition(b",")
    return int(least), int(most or least)


def _read_steps(before: bytes) -> list[tuple[str, bytes]] | None:
    """What stands before the group as literals, optional bytes and choices of bytes; None if it is more than that."""
    steps: list[tuple[str, bytes]] = []
    for what, value in parser.parse(before):
        if what is op.LITERAL:
            if steps and steps[-1][0] == "literal":
                steps[-1] = ("literal", steps[-1][1] + bytes([value]))
            else:
                steps.append(("literal", bytes([value])))
        elif what is op.MAX_REPEAT and value[:2] == (0, 1) and len(value[2]) == 1 and value[2][0][0] is op.LITERAL:
            steps.append(("maybe", bytes([value[2][0][1]])))
        elif what is op.IN and all(kind is op.LITERAL for kind, _ in value) and not steps:
            steps.append(("one of", bytes(byte for _, byte in value)))
        else:
            return None
    fits = steps and len(steps) <= 8 and any(name == "literal" for name, _ in steps[:2]) and steps[0][0] != "maybe"
    return steps if fits else None


def _prefix(pattern: re.Pattern[bytes]) -> bytes:
    """The literal that every match begins with."""
    prefix = bytearray()
    for what, value in parser.parse(pattern.pattern):
        if what is not op.LITERAL:
            break
        prefix.append(value)
    return bytes(prefix)
