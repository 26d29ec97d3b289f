"""Lines without what is no text of theirs: colour escapes, NULs, byte-order marks and carriage returns."""

from __future__ import annotations

from ..formats import ESCAPE, ESCAPES

BOM = b"\xef\xbb\xbf"
_MOST_MARKS = 500


def is_dirty(data: bytes) -> bool:
    """Whether a block has anything in it that `clean` takes out."""
    return b"\x1b" in data or b"\r" in data or b"\x00" in data or (not data.isascii() and BOM in data) or _has_written_escape(data)


def _has_written_escape(data: bytes) -> bool:
    at = -1
    for _ in range(_MOST_MARKS):  # one byte is found many times as fast as several
        at = data.find(b"#", at + 1)
        if at < 0 or data.startswith(b"#033[", at):
            return at >= 0
    return b"#033[" in data


def clean(line: bytes) -> bytes:
    """The line without colour escapes, NULs, byte-order marks at its beginning and a carriage return."""
    if b"\x1b" in line or b"#033[" in line:
        line = ESCAPE.sub(b"", line)
    if b"\x00" in line:
        line = line.replace(b"\x00", b"")
    if line.startswith(BOM):
        line = line.removeprefix(BOM)
    return line[:-1] if line.endswith(b"\r") else line


def clean_all(data: bytes) -> bytes:
    """The lines of a block, each as `clean` gives it."""
    told, written = b"\x1b" in data, b"#033[" in data
    pattern = ESCAPE if told and written else ESCAPES[written]  # one that begins with a literal is searched for several times as fast
    data = pattern.sub(b"", data).replace(b"\x00", b"").replace(b"\n" + BOM, b"\n").removeprefix(BOM)
    return data.replace(b"\r\n", b"\n").removesuffix(b"\r")
