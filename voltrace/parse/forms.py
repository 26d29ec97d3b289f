"""Messages that differ only in what nobody wants of them, recognised together: by all the bytes that prove which row they are of.

What matches a row has its literals in order. Messages of one length often have them at the same places: where a message of the same writer, length,
beginning and end showed them before, they are compared, and so is the whole debug suffix, which tells where the message ends. What is not
found so is for `heard`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .groups import are_same
from .marks import Marks

_WORD = 8
_END = 128  # bytes of a suffix that are compared at most
_MOST = 1 << 12
_FACTORS = tuple(np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
MISSING = np.iinfo(np.int64).min  # said by what has none of these forms


class Forms:
    """The forms that messages of one source have, and what they say."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}  # by key: its row in the tables
        self._signs: dict[int, tuple[bytes, ...]] = {}  # by row: what must not stand in messages
        self._who, self._said = np.zeros(_MOST, np.int64), np.zeros(_MOST, np.int64)
        self._table = np.zeros(_MOST, np.int32)
        self._literals = [_Literals(8), _Literals(16)]  # few rows have many
        self._end_masks, self._ends = np.zeros((_MOST, _END // _WORD), np.uint64), np.zeros((_MOST, _END // _WORD), np.uint64)
        self._keys, self._order = np.zeros(0, np.uint64), np.zeros(0, np.intp)
        self._changed = False

    def find(self, marks: Marks, left: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What messages between these places say, `MISSING` for those of no known form; and the keys by which that is looked up.

        ``left`` are the numbers of who wrote them.
        """
        who = left.astype(np.int64) << 32 | ends - starts
        keys = who.astype(np.uint64) * _FACTORS[0] ^ marks.words(starts) * _FACTORS[1] ^ marks.words(ends - _WORD) * _FACTORS[2]
        said = np.full(len(keys), MISSING)
        if self._changed:
            found = np.fromiter(self._rows, np.uint64, len(self._rows))
            order = found.argsort()
            self._keys, self._order, self._changed = found[order], np.fromiter(self._rows.values(), np.intp, len(order))[order], False
        if len(self._keys):
            near = np.minimum(self._keys.searchsorted(keys), len(self._keys) - 1)
            rows = self._order[near]
            like = np.flatnonzero((self._keys[near] == keys) & (self._who[rows] == who) & (ends >= _END))
            rows = rows[like]
            same = np.zeros(len(rows), bool)
            for literals in self._literals:
                own = np.flatnonzero(self._table[rows] == literals.width)
                same[own] = literals.stand(marks, rows[own], starts[like[own]])
            tails = marks.pieces(ends[like] - _END, _END).view(np.uint64) & self._end_masks.take(rows, axis=0)
            same &= are_same(tails, self._ends.take(rows, axis=0))
            said[like[same]] = self._said[rows[same]]
            for row, signs in self._signs.items():
                for n in like[same & (rows == row)].tolist():
                    if any(marks.data.find(sign, starts[n], ends[n]) >= 0 for sign in signs):
                        said[n] = MISSING
        return said, keys

    def learn(self, key: int, left: int, body: bytes, literals: Iterable[tuple[int, int]], cut: int, said: int, signs: tuple[bytes, ...] = ()) -> bool:
        """Messages of this key that have these pieces (from, to) in common with this one, and all from ``cut`` on, say the same. False if that is too much.

        ``signs`` are what must not stand in them: it may be a message of another row that has it.
        """
        places = [(at, min(_WORD, stop - at)) for start, stop in literals for at in range(start, stop, _WORD)]
        table = next((table for table in self._literals if len(places) <= table.width), None)
        if table is None or len(body) - cut > _END:
            return False
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) == _MOST:
                self.clear()
            row = self._rows[key] = len(self._rows)
            self._changed = True
        self._signs.pop(row, None)
        if signs:
            self._signs[row] = signs
        self._who[row], self._said[row] = left << 32 | len(body), said
        self._table[row] = table.width
        table.learn(row, body, places)
        suffix = body[cut:]
        self._ends[row] = np.frombuffer(suffix.rjust(_END, b"\0"), np.uint64)
        self._end_masks[row] = np.frombuffer((b"\xff" * len(suffix)).rjust(_END, b"\0"), np.uint64)
        return True

    def clear(self) -> None:
        self._rows.clear()
        self._signs.clear()
        self._changed = True


class _Literals:
    """Pieces that messages have at the same places: by row of the table, up to so many of at most eight bytes each."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._places = np.zeros((_MOST, width), np.intp)
        self._masks, self._values = np.zeros((_MOST, width), np.uint64), np.zeros((_MOST, width), np.uint64)

    def stand(self, marks: Marks, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Whether those of these rows stand in the messages that begin there."""
        words = marks.words(self._places.take(rows, axis=0) + starts[:, None]) & self._masks.take(rows, axis=0)
        return are_same(words, self._values.take(rows, axis=0))

    def learn(self, row: int, body: bytes, places: list[tuple[int, int]]) -> None:
        """These pieces of a message (place and size) are those of this row."""
        self._places[row] = [at for at, _ in places] + [0] * (self.width - len(places))
        self._masks[row] = _as_words([_ONES[size] for _, size in places], self.width)
        self._values[row] = _as_words([body[at : at + size].ljust(_WORD, b"\0") for at, size in places], self.width)


_ONES = [(b"\xff" * size).ljust(_WORD, b"\0") for size in range(_WORD + 1)]


def _as_words(texts: list[bytes], count: int) -> np.ndarray:
    """So many words: these, and zeros."""
    return np.frombuffer(b"".join(texts).ljust(count * _WORD, b"\0"), np.uint64)
