"""Where the keys of a TOML text stand: tomllib gives values without their lines, and an error message should name the line.

The text must have been read by tomllib before: what is no TOML is not found out here.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]

# Strings (the long ones first: they may end in up to five quotes), comments, marks, and words, which a value's numbers and dates are too.
_TOKEN = re.compile(r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})|"(?:\\.|[^"\\])*"|\'[^\']*\'|#[^\n]*|[\n\[\]{}=.,]|[^\s\[\]{}=.,#"\']+', re.S)


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of each table's header and each key at the start of a line, by its path; items of ``[[tables]]`` count from 0.

    Keys inside inline tables are not taken apart: they stand where their outer key does.
    """
    ends = [match.start() for match in re.finditer("\n", text)]
    tokens = [(match[0], match.start()) for match in _TOKEN.finditer(text)]
    lines: dict[Path, int] = {}
    lengths: dict[Path, int] = {}
    table: Path = ()
    at = 0
    while at < len(tokens):
        token, start = tokens[at]
        if token == "\n" or token.startswith("#"):
            at += 1
            continue
        line = bisect_right(ends, start - 1) + 1
        header = token == "["
        listed = header and tokens[at + 1][0] == "["
        at += header + listed
        names: list[str] = []
        while tokens[at][0] not in ("]", "="):
            if tokens[at][0] != ".":
                names.append(_name(tokens[at][0]))
            at += 1
        if header:
            table = _open((), names, lengths)
            if listed:
                number = lengths.get(table, 0)
                lengths[table] = number + 1
                lines.setdefault(table, line)
                table += (number,)
            lines[table] = line
            at += 1 + listed
        else:
            path = table
            for name in names:
                path += (name,)
                lines.setdefault(path, line)
            at = _after_value(tokens, at)
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int | None:
    """The line of a key, or that of what holds it; None if nothing of it stands in the text."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _open(path: Path, names: list[str], lengths: dict[Path, int]) -> Path:
    """The path that a header's names lead to: through a list of tables, by its last one."""
    for name in names:
        if path in lengths:
            path += (lengths[path] - 1,)
        path += (name,)
    return path


def _after_value(tokens: list[tuple[str, int]], at: int) -> int:
    depth = 0
    while at < len(tokens) and (depth or tokens[at][0] != "\n"):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(tokens[at][0], 0)
        at += 1
    return at


def _name(token: str) -> str:
    return tomllib.loads(f"name = {token}")["name"] if token[0] in "\"'" else token
