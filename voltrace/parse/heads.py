"""Who wrote lines, and in which context: what stands before their messages, taken apart for many at once."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from .brackets import Brackets
from .groups import WIDEST, first_in_rows, group, round_up
from .lefts import NOBODY, Lefts
from .marks import Marks

_LONGEST_CONTEXT = WIDEST - 2
_BLANK, _CLOSES = b" ]"


@dataclass(slots=True, eq=False)
class Heads:
    """Of each line: ``left``, the number of who wrote it; where its context opens and closes; the context's number, and the first line that has the same.

    A line of `NOBODY`, or without all of a context, has what says nothing in the other columns; ``whole`` are those that have all. ``nth`` is the
    place of the first bracket, in this line or behind it, among those of the block.
    """

    left: np.ndarray
    opening: np.ndarray
    closing: np.ndarray
    context: np.ndarray
    first: np.ndarray
    whole: np.ndarray
    nth: np.ndarray

    def cut(self, count: int) -> None:
        """Keep the first so many."""
        for column in fields(self):
            setattr(self, column.name, getattr(self, column.name)[:count])


class HeadFinder:
    """Looks heads up among those of one source that are known."""

    def __init__(self, lefts: Lefts, brackets: Brackets) -> None:
        self._lefts, self._brackets = lefts, brackets
        self._widest = 64  # context so far, with the mark behind it, in bytes

    def find(self, marks: Marks, keys: np.ndarray, ends: np.ndarray) -> Heads:
        """The heads of lines from behind their stamps on."""
        left, opening, nth = self._find_lefts(marks, keys, ends)
        rows = np.flatnonzero(left >= 0)
        pieces, lengths = self._find_contexts(marks, opening[rows], ends[rows])
        if (lengths < 0).any():
            rows, pieces, lengths = rows[lengths >= 0], pieces[lengths >= 0], lengths[lengths >= 0]
        closing, context, whole = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int32), np.zeros(len(keys), bool)
        closing[rows] = opening[rows] + lengths
        whole[rows] = True
        from_api = self._lefts.column("from_api")[left[rows]]
        like, firsts = group(pieces, lengths, from_api)
        number = self._brackets.number
        texts = zip(opening[rows[firsts]].tolist(), closing[rows[firsts]].tolist(), from_api[firsts].tolist())
        found = np.zeros(len(rows), np.int32)
        found[firsts] = [number(marks.data[a:b], api) for a, b, api in texts]
        first = np.arange(len(keys))
        context[rows], first[rows] = found[like], rows[like]
        return Heads(left, opening, closing, context, first, whole, nth)

    def _find_lefts(self, marks: Marks, keys: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Who wrote lines, where their contexts begin (behind the first bracket), and which of the block's that is."""
        nth = marks.openings.searchsorted(keys)
        opening = marks.openings[nth] + 1
        lengths = opening - keys
        lengths[(lengths > self._lefts.longest) | (opening > ends)] = 0
        first, firsts = group(marks.pieces(keys, round_up(self._lefts.longest)), lengths)
        get = self._lefts.numbers.get
        left = np.full(len(keys), NOBODY, np.int32)
        left[firsts] = [get(marks.data[a : a + n], NOBODY) for a, n in zip(keys[firsts].tolist(), lengths[firsts].tolist())]
        return left[first], opening, nth

    def _find_contexts(self, marks: Marks, opening: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What begins at these places, and how long the contexts are: up to the first bracket before a blank; -1 for one without, or that is too long."""
        pieces = marks.pieces(opening, round_up(self._widest))
        found = pieces[:, :-1] == _CLOSES
        found &= pieces[:, 1:] == _BLANK
        lengths = first_in_rows(found)
        missing = np.flatnonzero(lengths < 0)
        longer = [marks.data.find(b"] ", a, b) - a for a, b in zip(opening[missing].tolist(), ends[missing].tolist())]
        longest = max((n for n in longer if n <= _LONGEST_CONTEXT), default=-1)
        if longest >= 0:
            self._widest = max(self._widest, longest + 2)
            return self._find_contexts(marks, opening, ends)
        lengths[opening + lengths + 1 >= ends] = -1
        return pieces, lengths
