"""The instants of many lines' stamps: a stamp without the digits of its fraction is read once as long as lines have the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..formats import Format
from .marks import Marks

_DIGITS = {1: (6, 1), 1000: (3, 1000)}  # by a format's resolution: how many digits its fraction has, and the unit of the last (µs)
_WHOLE = {"short-precise": 16, "oslo": 20, "short-iso-precise": 20}  # where the fraction begins; elsewhere it ends the stamp
_WORD = 8
_TWO_BYTES, _FIVE_BYTES = np.uint64(16), np.uint64(40)
_DECEMBER = np.uint64(int.from_bytes(b"Dec", "little") << 40)


class Instants:
    """Reads the stamps of one source's lines. ``read`` gives the instant of a whole stamp, None if it is none."""

    def __init__(self, fmt: Format, width: int, read: Callable[[bytes], int | None]) -> None:
        """``width`` is that of the source's stamps."""
        self._read = read
        self._digits, self._unit = _DIGITS.get(fmt.resolution_us, (0, 0))
        self._whole = _WHOLE.get(fmt.name, width - self._digits)
        self._width = width
        self._dayless = fmt.has_year

    def fractions(self, marks: Marks, starts: np.ndarray) -> np.ndarray:
        """The fractions of the stamps that begin at these places (µs), -1 for what is none."""
        if not self._digits:
            return np.zeros(len(starts), np.int64)
        found = marks.numbers(starts + self._whole, self._digits)
        return np.where(found < 0, -1, found * self._unit)

    def turns(self, marks: Marks, starts: np.ndarray) -> np.ndarray:
        """Which of the stamps that begin at these places differ from the one before in more than the fraction."""
        differs = np.zeros(len(starts), bool)
        for place in {*range(0, self._whole - _WORD, _WORD), self._whole - _WORD}:
            word = marks.words(starts + place)
            differs[1:] |= word[1:] != word[:-1]
        rest = self._width - self._whole - self._digits
        if rest:
            word = marks.words(starts + (self._width - _WORD)) >> np.uint64(8 * (_WORD - rest))
            differs[1:] |= word[1:] != word[:-1]
        return differs

    def days(self, marks: Marks, starts: np.ndarray) -> np.ndarray:
        """Month, and in December the day, of the stamps that begin at these places, as a number; the same for all where stamps carry the year.

        Stamps that have these in common may be read in any order: that changes nothing in what year they are of.
        """
        if self._dayless:
            return np.zeros(len(starts), np.uint64)
        words = marks.words(starts)
        months = words << _FIVE_BYTES
        return np.where(months == _DECEMBER, words << _TWO_BYTES, months)

    def read(self, marks: Marks, starts: np.ndarray) -> list[int]:
        """The instants of the stamps that begin at these places, without their fractions, up to the first that is no stamp."""
        found: list[int] = []
        zeros, behind = b"0" * self._digits, self._whole + self._digits
        for start in starts.tolist():
            stamp = marks.data[start : start + self._whole] + zeros + marks.data[start + behind : start + self._width]
            at = self._read(stamp)
            if at is None:
                break
            found.append(at)
        return found
