"""The journal's `json`: one object a line. A value is text, an array of bytes, null if it was too large, or an array of these if its field repeats."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from .entries import FIELDS, Entry, Fault, make_entry
from .framing import JOURNAL_NOTE
from .sources import Block

_AROUND = b" \t\r\x00\x1e"  # a carriage return, NULs of a power cut, and what `-o json-seq` writes before an object


class JsonUnpacker:
    """Blocks -> entries. An entry's place is its line."""

    def __init__(self) -> None:
        self.number = 1  # of the next line

    def feed(self, block: Block) -> Iterable[Entry | Fault]:
        """The entries of a block of whole lines, and a fault for each line that is none."""
        number, offset = self.number, block.offset
        if block.overlong:
            self.number += 1
            yield Fault("overlong-line", f"an entry of more than {len(block.data)} bytes was passed over", number, block.data[:4096])
            return
        lines = block.data.split(b"\n")
        for index, line in enumerate(lines):
            yield from read_line(line, number, offset, cut=not block.ended and index == len(lines) - 1)
            number += 1
            offset += len(line) + 1
        self.number = number

    def finish(self) -> Iterable[Entry | Fault]:
        """No more blocks come: nothing was held back."""
        return ()


def read_line(raw: bytes, number: int, offset: int, cut: bool = False) -> Iterator[Entry | Fault]:
    """The entry of a line, and what is wrong with it; ``cut`` if the file ends in it. Nothing for a line that the journal itself writes."""
    line = raw.strip(_AROUND).removeprefix(b"\xef\xbb\xbf")
    if JOURNAL_NOTE.match(line):
        return
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("utf-8", "replace")
        yield Fault("invalid-bytes", "bytes that are no UTF-8 text were read as replacement characters", number)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
        if line.startswith(b"{"):
            slug, why = (
                ("truncated-file", "the file ends in the middle of an entry") if cut else ("torn-record", "this entry is broken: it is no whole JSON object")
            )
            yield Fault(slug, why, number, line)
            return
    if not isinstance(values, dict) or FIELDS.isdisjoint(values):
        yield Fault("unrecognised-line", f"a line that is no entry of the journal: {text[:60]!r}", number)
        return
    fields: dict[str, bytes] = {}
    for name in FIELDS & values.keys():
        try:
            fields[name] = _bytes(values[name])
        except (ValueError, TypeError):
            yield Fault("torn-record", f"the field {name} of this entry is neither text nor bytes", number)
    if values.get("MESSAGE", "") is None:
        yield Fault("elided-text", "the journal left this entry's message out: it was too large", number)
    yield make_entry(fields, number, offset, len(raw))


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, list):
        if value and not isinstance(value[0], int):
            return b"\n".join(bytes(v) if isinstance(v, list) else _bytes(v) for v in value)
        return bytes(value)
    if value is None:
        return b""
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value
    raise TypeError
