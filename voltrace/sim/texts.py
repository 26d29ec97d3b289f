"""Records as texts, without a compiled kernel, and for what needs a record's text: packed formats, journals that drop lines."""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress

import numpy as np

from .journal import Journal
from .play import Play
from .prefix import Prefix
from .script import Script
from .write import SERVICES, Clock, File

_WHOSE = 2  # bits of a record's key that name its service; the others are its instant
_BLOCK = 200  # records joined at a time: larger blocks leave the caches, and their memory is given back and fetched again each time


def instants(script: Script, plays: list[Play], clock: Clock | None) -> tuple[np.ndarray, np.ndarray]:
    """When the records of plays are truly written and what their stamps show (µs), a row a play. ``clock`` makes instants those that a clock shows."""
    begins = np.array([[play.begin] for play in plays])
    shown = ats = np.array([play.lapses for play in plays]) + begins
    if any(play.shown for play in plays):
        shown = np.array([play.shown or play.lapses for play in plays]) + begins
    if script.written is not None:
        written = list(script.written)
        ats, shown = ats[:, written], shown[:, written]
    return ats, clock(shown) if clock else shown


def write_texts(script: Script, plays: list[Play], shown: np.ndarray, prefix: Prefix) -> list[str]:
    """The records of plays as texts, their stamps those of the instants ``shown``."""
    return script.records.write(zip(*_stamps(shown, prefix), [play.fields for play in plays]))


def _stamps(ats: np.ndarray, prefix: Prefix) -> tuple[list[list[str]], list[list[str]]]:
    """The stamps of instants (µs), rows of them, in two parts: up to the fraction, and the fraction's digits. numpy makes a thousand as fast as Python one."""
    seconds, micros = np.divmod(ats, 1_000_000)
    # Most plays begin and end within a second.
    ends = zip(seconds.min(axis=1).tolist(), seconds.max(axis=1).tolist())
    length = ats.shape[1]
    heads = [[prefix.head(low)] * length if low == high else [prefix.head(s) for s in seconds[n].tolist()] for n, (low, high) in enumerate(ends)]
    return heads, _write_digits(micros.astype(np.int32) // 10 ** (6 - prefix.digits), prefix.digits)


def _write_digits(numbers: np.ndarray, digits: int) -> list[list[str]]:
    """Rows of numbers, each as text of that many digits."""
    if not digits:
        return [[""] * numbers.shape[1]] * numbers.shape[0]
    text = np.empty((*numbers.shape, digits), np.uint8)
    for place in range(digits - 1, -1, -1):
        numbers, text[..., place] = np.divmod(numbers, 10)
    text += ord("0")
    return text.view(f"S{digits}")[..., 0].astype(f"U{digits}").tolist()


class Texts:
    """A `Sheet` of texts."""

    def __init__(self, prefix: Prefix, clock: Clock | None = None, pack: Callable[[str], bytes] | None = None, journal: Journal | None = None) -> None:
        self.prefix, self.clock, self.pack, self.journal = prefix, clock, pack, journal
        self.texts: list[str] = []
        self.keys: list[np.ndarray] = []

    def put(self, script: Script, plays: list[Play]) -> None:
        ats, shown = instants(script, plays, self.clock)
        self.texts += write_texts(script, plays, shown, self.prefix)
        self.keys.append((ats.ravel() << _WHOSE) + SERVICES.index(script.service))

    def flush(self, now: int | None, files: list[File | None]) -> list[int | None]:
        if not self.keys:
            return [None] * len(SERVICES)
        keys = np.concatenate(self.keys)
        order = keys.argsort(kind="stable")
        keys, texts = keys[order], list(map(self.texts.__getitem__, order.tolist()))
        end = len(keys) if now is None else int(keys.searchsorted(now << _WHOSE))
        self.keys, self.texts = [keys[end:]], texts[end:]
        del texts[end:]
        ats, whose = keys[:end] >> _WHOSE, keys[:end] & (1 << _WHOSE) - 1
        if self.journal is not None:
            left = self.journal.limit(list(zip(ats.tolist(), whose.tolist(), texts)), SERVICES)
            ats, whose = (np.array([item[k] for item in left], np.int64) for k in (0, 1))
            texts = [text for _, _, text in left]
        return self._write(texts, ats, whose, files)

    def _write(self, texts: list[str], ats: np.ndarray, whose: np.ndarray, files: list[File | None]) -> list[int | None]:
        last: list[int | None] = []
        *own, merged = files
        for number, file in enumerate(own):
            mine = whose == number
            places = np.flatnonzero(mine)
            last.append(int(ats[places[-1]]) if len(places) else None)
            if file is not None and len(places):
                self._give(file, list(compress(texts, mine.tolist())))
        assert merged is not None
        self._give(merged, texts)
        return last

    def _give(self, file: File, records: list[str]) -> None:
        for start in range(0, len(records), _BLOCK):
            block = records[start : start + _BLOCK]
            if self.pack is None:
                block.append("")
                file.write("\n".join(block).encode("utf-8", "surrogateescape"))
            else:
                file.write(b"".join([self.pack(line) for record in block for line in record.split("\n")]))
