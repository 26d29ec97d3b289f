"""Equal pieces of many lines, found together: so that each is looked up once, however many lines have it."""

from __future__ import annotations

import os
from functools import cache

import numpy as np

from .marks import SPARE

WIDEST = 192  # bytes
assert WIDEST < SPARE
_SLOTS = 14  # bits
_STEP = 64  # of widths
_EIGHT_TRUE = np.uint64(0x0101010101010101)
# Factors that make a number of a piece, other ones in each process, so that no log can be written to be slow here.
_FACTORS = np.frombuffer(os.urandom(WIDEST), np.uint64) | np.uint64(1)


@cache
def _masks(width: int) -> np.ndarray:
    """By how many bytes are left of a piece: ones where they are."""
    return np.where(np.arange(width) < np.arange(width + 1)[:, None], 255, 0).astype(np.uint8).view(np.uint64)


def round_up(size: int) -> int:
    """The next width that a piece can have, for a size of at most `WIDEST`."""
    return max(_STEP, -(-size // _STEP) * _STEP)


def are_same(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Which rows of words are the same. There must be a multiple of eight in a row: so many comparisons are looked at as one number, a quarter of the time of `all`."""
    eights = (ours == theirs).view(np.uint64)
    found = eights[:, 0] == _EIGHT_TRUE
    for column in range(1, eights.shape[1]):
        found &= eights[:, column] == _EIGHT_TRUE
    return found


def first_in_rows(found: np.ndarray) -> np.ndarray:
    """Where in each row the first mark stands; -1 if it has none."""
    places = found.argmax(axis=1)
    missing = ~found[np.arange(len(found)), places]
    places[missing] = -1
    return places


def group(pieces: np.ndarray, lengths: np.ndarray, also: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Of each piece, a row of bytes of which only its length counts, a row that has the same, and the rows that are so named.

    These are the first that have it, but for what comes together in one of the slots by chance. ``also`` are numbers that must be the same, too.
    """
    width = pieces.shape[1]
    words = pieces.view(np.uint64) & _masks(width).take(lengths, axis=0)
    more = lengths if also is None else lengths << 32 | also
    sums = words @ _FACTORS[: width // 8] + more.astype(np.uint64) * _FACTORS[-1]
    slots = (sums >> np.uint64(64 - _SLOTS)).astype(np.intp)
    rows, table = np.arange(len(slots)), np.empty(1 << _SLOTS, np.intp)
    table[slots[::-1]] = rows[::-1]  # of those in one slot the first stays
    first = table[slots]
    same = are_same(words, words.take(first, axis=0))
    same &= more == more[first]
    if not same.all():
        first[~same] = rows[~same]
    return first, np.flatnonzero(first == rows)
