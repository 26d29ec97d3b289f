"""The lines of a block as numpy takes them: where they lie, and pieces of many of them at once."""

from __future__ import annotations

import numpy as np

SPARE = 512
_WORD = 8
_ZEROS, _SIXES, _TOPS = np.uint64(0x3030303030303030), np.uint64(0x7676767676767676), np.uint64(0x8080808080808080)
_NEWLINE, _NUMBER, _LEAST_PRINTED = b"\n# "
_ABOVE_ASCII = 128
_BLANK, _OPENS, _PID = b" [p"
_BEFORE = np.zeros(256, bool)  # what loggers end with
_BEFORE[[byte for byte in range(128) if chr(byte).isalnum() or chr(byte) in "_.<>-"]] = True
_DIRTY = np.zeros(_NUMBER + 1, bool)
_DIRTY[list(b"\x1b\r\x00")] = True
_PART = 1 << 20
_WRITTEN, _FIVE = np.uint64(int.from_bytes(b"#033[", "little")), np.uint64((1 << 40) - 1)
_END, _FOUR = np.uint64(int.from_bytes(b"#012", "little")), np.uint64((1 << 32) - 1)
_NONE = np.zeros(0, np.int64)
_STEPS = tuple(
    (np.uint64(factor), np.uint64(shift), np.uint64(mask))
    for factor, shift, mask in ((10, 8, 0x00FF00FF00FF00FF), (100, 16, 0x0000FFFF0000FFFF), (10000, 32, 0xFFFFFFFF))
)


class Marks:
    """The lines of a block, each of which ends in it. ``starts`` and ``ends`` are places in ``data``, as all places here.

    ``safe`` of the lines are so far from the block's end that `SPARE` bytes may be taken from any place in them. ``joined`` are those that syslog made of several. ``openings`` are
    the brackets behind a logger, or what looks so, and those of the web server's lines.
    """

    __slots__ = ("data", "starts", "ends", "safe", "joined", "openings", "is_ascii", "is_dirty", "_text", "_words")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._text = np.frombuffer(data, np.uint8)
        self._words = np.ndarray(max(0, len(data) - _WORD + 1), "<u8", data, 0, (1,))
        self.is_ascii = True
        self.is_dirty = False  # whether there is anything that `clean` takes out, but for byte-order marks
        joined: list[np.ndarray] = []
        openings: list[np.ndarray] = []
        ends = [self._look_through(part, joined, openings) for part in range(0, len(data), _PART)]
        self.ends = np.concatenate((*ends, [len(data)]))
        self.starts = np.append(0, self.ends[:-1] + 1)
        self.joined = np.unique(self.ends.searchsorted(np.concatenate(joined)), return_index=True)[0] if joined else _NONE
        self.openings = self._find_openings(np.concatenate((*openings, _NONE)))
        self.safe = int(self.ends.searchsorted(len(data) - SPARE))

    def _look_through(self, start: int, joined: list[np.ndarray], openings: list[np.ndarray]) -> np.ndarray:
        """Where lines end in a part of the block, looked through while it is near the processor."""
        text = self._text[start : start + _PART]
        self.is_ascii = self.is_ascii and bool(text.max() < _ABOVE_ASCII)  # four times as fast as bytes.isascii
        marks = text < _LEAST_PRINTED
        marks |= text == _NUMBER
        marks |= text == _OPENS
        found = np.flatnonzero(marks)  # hardly anything but newlines, number signs and brackets
        signs = text[found]
        found += start
        lines, numbers, opens = signs == _NEWLINE, signs == _NUMBER, signs == _OPENS
        openings.append(found[opens])
        places = found[numbers]
        words = self.words(places[places < len(self._words)])
        written = words & _FIVE == _WRITTEN
        if (ends := words & _FOUR == _END).any():
            joined.append(places[: len(words)][ends])
        self.is_dirty = self.is_dirty or bool(written.any() or (not (lines | numbers | opens).all() and _DIRTY[signs[~opens]].any()))
        return found[lines]

    def _find_openings(self, found: np.ndarray) -> np.ndarray:
        """Those of these brackets that may open a context, or a line of the web server; and two places behind the end, so that each has others behind it."""
        found = found[self._text[found - 1] == _BLANK]
        behind = self._text[np.minimum(found + 1, len(self.data) - 1)]
        found = found[_BEFORE[self._text[found - 2]] | (behind == _PID)]
        return np.concatenate((found, np.full(2, len(self.data) + 1)))

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, at: int) -> bytes:
        """A line without its newline."""
        return self.data[self.starts.item(at) : self.ends.item(at)]

    def words(self, places: np.ndarray) -> np.ndarray:
        """The eight bytes from each of these places on, as a number that begins with its lowest byte."""
        return self._words[places]

    def bytes(self, places: np.ndarray) -> np.ndarray:
        """The byte at each of these places."""
        return self._text[places]

    def pieces(self, places: np.ndarray, size: int) -> np.ndarray:
        """So many bytes from each of these places on, a row each."""
        found = np.ndarray(len(self._text) - size + 1, f"V{size}", self._text, 0, (1,))[places]
        return found.view(np.uint8).reshape(-1, size)

    def numbers(self, places: np.ndarray, digits: int) -> np.ndarray:
        """The number that so many digits (at most eight) from each of these places on make, -1 if they are none."""
        # They stand at the upper end of a word, zeros before them; pairs, fours and eights of them are put together.
        word = self._words[places]
        if digits < _WORD:
            word = word << np.uint64(8 * (_WORD - digits)) | _ZEROS >> np.uint64(8 * digits)
        word ^= _ZEROS
        wrong = (word | (word + _SIXES)) & _TOPS != 0
        for factor, shift, mask in _STEPS:
            word = (word * factor + (word >> shift)) & mask
        return np.where(wrong, -1, word.astype(np.int64))
