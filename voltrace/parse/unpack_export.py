"""The journal's `export`: blocks of fields, `KEY=value` or the key, eight bytes of length (little-endian) and that many bytes, ended by an empty line."""

from __future__ import annotations

import re

from . import sources
from .entries import FIELDS, Entry, Fault, make_entry
from .sources import Block

_KEY = re.compile(rb"[A-Z_0-9]{1,64}(?=[=\n])")
_FIELDS = {name.encode(): name for name in FIELDS}
# journalctl begins every entry with the first of these, other writers with the second.
_FIRST = (b"__CURSOR", b"__REALTIME_TIMESTAMP")
_START = re.compile(rb"\n\n(?=__(?:CURSOR|REALTIME_TIMESTAMP)=)")
# Whole lines of text fields, most of an entry; and those among them that are asked for.
_TEXT = re.compile(rb"(?:[A-Z_0-9]{1,64}=[^\n]*\n){1,64}")
_WANTED = re.compile(rb"\n(%s)=([^\n]*)" % b"|".join((*_FIRST, *_FIELDS)))
_LONGEST_START = 40
_LONGEST_REPEATED = 1 << 16  # what is read of a field that repeats
_LONGEST_FIELD = 1 << 30  # the journal itself takes no longer entry: such a length is damage


class ExportUnpacker:
    """Blocks -> entries. An entry's place is the line of its MESSAGE (of its first field if it has none); newlines in binary fields count as lines.

    Where a field is broken, its entry is a fault, and reading goes on behind the next empty line at which an entry begins.
    """

    def __init__(self) -> None:
        self._data = b""  # what is at hand; of it everything before `_at` is taken
        self._at = 0
        self._offset, self._line = 0, 1  # in the file: where `_data` begins, and which line `_at` is in
        self._skip = 0  # bytes of a field that are still to be passed over
        self._lost = False  # whether the beginning of the next entry is still to be found
        self._found: list[Entry | Fault] = []
        self._begin()

    def _begin(self) -> None:
        self._fields: dict[str, bytes] = {}
        self._keys: set[bytes] = set()
        self._begun, self._place = self._offset + self._at, self._line

    def feed(self, block: Block) -> list[Entry | Fault]:
        """The entries that this block completes."""
        end = self._offset + len(self._data)
        if block.offset > end:
            self._pass_gap(block.offset - end)
        cut = block.overlong
        self._data += block.data if cut or not block.ended else block.data + b"\n"
        while self._step():
            pass
        if cut and not self._skip:
            self._cut_line()
        self._data = self._data[self._at :]
        self._offset, self._at = self._offset + self._at, 0
        found, self._found = self._found, []
        return found

    def finish(self) -> list[Entry | Fault]:
        """No more blocks come: the last entry, whole or not."""
        while _START.search(self._data, self._at) and not self._lost:  # a wrong length had asked for more than there is
            self._break("a field's length is wrong")
            while self._step():
                pass
        rest = self._data[self._at :]
        if not self._lost and (rest.strip(b"\n\x00") or self._skip):
            self._found.append(Fault("truncated-file", "the file ends in the middle of an entry", self._line))
            key = _KEY.match(rest + b"\n")
            if key:
                self._keep(key[0], rest[key.end() + (1 if rest[key.end() : key.end() + 1] == b"=" else 9) :])
        self._take(len(self._data))
        self._end()
        return self._found

    # -- fields ------------------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Take the next field, or the end of an entry; False if more bytes must come first."""
        data, at = self._data, self._at
        if self._skip or self._lost:
            return self._pass_over() if self._skip else self._find_start()
        text = _TEXT.match(data, at)
        if text:
            self._read_text(at, text.end())
            return True
        end = data.find(b"\n", at)
        if end < 0:
            return False
        if end == at:
            self._end()
            self._take(at + 1)
            self._begin()
            return True
        key = _KEY.match(data, at)
        if key is None:
            return self._break("a line in it is no field")
        self._begin_at(key[0])
        return self._binary(key[0], end + 1)

    def _read_text(self, at: int, end: int) -> None:
        """Take lines of text fields."""
        for found in _WANTED.finditer(b"\n" + self._data[at:end]):
            key = found[1]
            if key == b"MESSAGE" or key in _FIRST:
                self._take(at + found.start())
                self._begin_at(key)
            self._keep(key, found[2])
        self._take(end)

    def _begin_at(self, key: bytes) -> None:
        """A field of this key comes: where it is the first of an entry that has it already, another entry begins."""
        if key in _FIRST and key in self._keys:
            self._found.append(Fault("torn-record", "the empty line that ends this entry is missing", self._line))
            self._end()
            self._begin()

    def _binary(self, key: bytes, at: int) -> bool:
        data = self._data
        if len(data) < at + 8:
            return False
        size = int.from_bytes(data[at : at + 8], "little")
        stop = at + 8 + size
        if size > _LONGEST_FIELD or data[stop : stop + 1] not in (b"", b"\n"):
            return self._break("a field's length is wrong")
        if size > sources.LONGEST_LINE:
            self._found.append(Fault("overlong-line", f"a field of {size} bytes was passed over", self._line))
            self._keep(key, b"")
            self._take(at + 8)
            self._skip = size + 1
            return True
        if stop >= len(data):
            return False
        self._keep(key, data[at + 8 : stop])
        self._take(stop + 1)
        return True

    def _keep(self, key: bytes, value: bytes) -> None:
        self._keys.add(key)
        name = _FIELDS.get(key)
        if name is None:
            return
        if name == "MESSAGE":
            if name in self._fields:
                if len(self._fields[name]) > _LONGEST_REPEATED:
                    return
                value = self._fields[name] + b"\n" + value
            else:
                self._place = self._line
        elif name in self._fields:
            return
        self._fields[name] = value[: sources.LONGEST_LINE]

    def _end(self) -> None:
        """The entry is complete."""
        if self._fields:
            self._found.append(make_entry(self._fields, self._place, self._begun, self._offset + self._at - self._begun))
            self._fields = {}

    # -- damage ------------------------------------------------------------------------------------------------------

    def _take(self, to: int) -> None:
        self._line += self._data.count(b"\n", self._at, to)
        self._at = to

    def _break(self, why: str) -> bool:
        """This entry cannot be read on: give it up, and look for the next one."""
        self._found.append(Fault("torn-record", f"this entry of the journal is broken: {why}", self._line, self._data[self._at : self._at + 4096]))
        self._lost, self._fields = True, {}
        return True

    def _find_start(self) -> bool:
        start = _START.search(self._data, self._at)
        if start is None:
            self._take(max(self._at, len(self._data) - _LONGEST_START))
            return False
        self._take(start.end())
        self._lost = False
        self._begin()
        return True

    def _pass_over(self) -> bool:
        """Pass over what is at hand of a field that is too long, and the newline behind it."""
        passed = min(self._skip, len(self._data) - self._at)
        self._skip -= passed
        self._take(self._at + passed)
        if self._skip:
            return False
        return self._data[self._at - 1] == 10 or self._break("a field's length is wrong")

    def _cut_line(self) -> None:
        """What is at hand ends in a line that is too long: take its beginning for the field."""
        if not self._lost:
            key = _KEY.match(self._data, self._at)
            if key and self._data[key.end()] == 61:  # an equals sign
                self._found.append(Fault("overlong-line", "a field that is too long was cut", self._line))
                self._keep(key[0], self._data[key.end() + 1 :])
            else:
                self._break("a line in it is too long")
        self._take(len(self._data))

    def _pass_gap(self, size: int) -> None:
        """The rest of a line that was too long, with its newline, does not come."""
        self._offset += len(self._data) + size
        self._data, self._at = b"", 0
        if 0 < self._skip < size:
            self._skip = 0
            self._break("a field's length is wrong")
        self._skip = max(0, self._skip - size)
        if self._lost:  # an empty line may come next
            self._data, self._offset = b"\n", self._offset - 1
        else:
            self._line += 1
