"""The ids of requests, in little room: a log of weeks names millions.

Nearly all are `req-` and a uuid: 16 bytes, and as few to find them by. Any other text is told apart by a digest of it, and kept beside.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

from .. import kernel

if TYPE_CHECKING:
    import numpy as np

ROW = 16
MOST_REQUESTS = 5_000_000  # of one reading: 200 GB of log, if all were creates
_NONE = -1
_PLAIN = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


class PureRows:
    """Rows of 16 bytes, each once, numbered in the order in which they came. There are ``most`` at most. Quick rather than small: a kernel is both."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.full = False  # whether one did not find room
        self._numbers: dict[bytes, int] = {}
        self._rows: list[bytes] = []

    def __len__(self) -> int:
        return len(self._rows)

    def number(self, row: bytes) -> int:
        """The number of this row; a new one, if it was not there; -1 if there is no room for it."""
        found = self._numbers.get(row)
        if found is None:
            if len(self._rows) == self._most:
                self.full = True
                return _NONE
            found = self._numbers[row] = len(self._rows)
            self._rows.append(row)
        return found

    def number_all(self, rows: bytes) -> array:
        """The numbers of these rows, which stand one behind the other."""
        return array("i", [self.number(rows[n : n + ROW]) for n in range(0, len(rows), ROW)])

    def find(self, row: bytes) -> int:
        """The number of this row, -1 if it is not there."""
        return self._numbers.get(row, _NONE)

    def row(self, number: int) -> bytes:
        """The row of this number."""
        if number < 0:
            raise IndexError(number)
        return self._rows[number]

    def all(self) -> bytes:
        """All rows, one behind the other."""
        return b"".join(self._rows)


def pack(text: str) -> bytes | None:
    """The 16 bytes of an id that is `req-` and a uuid in small letters; None for all others."""
    return bytes.fromhex(text[4:].replace("-", "")) if _PLAIN.fullmatch(text) else None


class Ids:
    """The ids of requests, each once, numbered from 0 in the order in which they came; a number gives the text."""

    def __init__(self) -> None:
        compiled = kernel.load("parse._ids")
        self._pack = pack if compiled is None else compiled.pack
        # The kernel has a seed, so that no log can be written to be slow there.
        self._rows = PureRows(MOST_REQUESTS) if compiled is None else compiled.Rows(int.from_bytes(os.urandom(7)), MOST_REQUESTS)
        self._lacks = False  # whether others had no room
        self._key = os.urandom(16)  # of digests, so that no id can be written to have another's
        self._odd: dict[int, str] = {}  # the texts of those that are no uuids

    def __reduce__(self) -> tuple:
        return _restore, (self._rows.all(), self._odd, self.full)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> str:
        """The id of this number. Raises IndexError if there is none."""
        odd = self._odd.get(number)
        if odd is not None:
            return odd
        text = self._rows.row(number).hex()
        return f"req-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    @property
    def full(self) -> bool:
        """Whether there were more ids than are kept."""
        return self._rows.full or self._lacks

    def number(self, text: str) -> int:
        """The number of this id; a new one, if it was not there; -1 if there are `MOST_REQUESTS`: what comes later is of no request."""
        row = self._pack(text)
        if row is not None:
            return self._rows.number(row)
        number = self._rows.number(self._digest(text))
        if number >= 0:
            self._odd.setdefault(number, text)
        return number

    def number_all(self, other: Ids) -> array:
        """The numbers of others' ids."""
        self._lacks = self._lacks or other.full
        if not other._odd:
            return self._rows.number_all(other._rows.all())
        return array("i", map(self.number, other))

    def find(self, text: str) -> int:
        """The number of this id, -1 if it is not there."""
        return self._rows.find(self._pack(text) or self._digest(text))

    def parts(self, first: int, count: int) -> array:
        """Which of so many parts each id from this number on is of: by the id alone, the same in every process."""
        found = array("H", [crc32(self._rows.row(number)) % count for number in range(first, len(self))])
        for number, text in self._odd.items():
            if number >= first:
                found[number - first] = crc32(text.encode()) % count
        return found

    def _digest(self, text: str) -> bytes:
        from hashlib import blake2b  # its import costs more than a small log

        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=ROW, key=self._key).digest()


class Some:
    """Some of the ids, numbered anew: ``numbers`` tells of each which it was."""

    def __init__(self, ids: Ids, numbers: Sequence[int] | np.ndarray) -> None:
        self._ids, self._numbers = ids, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: int) -> str:
        return self._ids[self._numbers[number]]


def _restore(rows: bytes, odd: dict[int, str], lacks: bool) -> Ids:
    """What was pickled, where its kernel may not be: the ids that are no uuids are digested anew."""
    ids = Ids()
    ids._lacks = lacks
    for start, end in zip([0, *(number + 1 for number in odd)], [*odd, len(rows) // ROW]):
        ids._rows.number_all(rows[start * ROW : end * ROW])
        if end in odd:
            ids.number(odd[end])
    return ids
