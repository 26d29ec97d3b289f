"""Plays: scripts on their way to become lines. They are written many at a time, for numpy stamps a thousand lines as fast as Python one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..formats import IDENTIFIERS, UNITS, Format
from .script import Script
from .write import Merger


@dataclass(slots=True, eq=False)
class Play:
    """A script as one process plays it: when it begins (µs), the lapse (µs) from there to each record, and the values of its fields.

    ``shown`` are the lapses to what the host's clock shows, if that is not the true time; ``skew`` (µs) comes on top. ``alter`` changes the finished records: a fault of the log.
    """

    script: Script
    begin: int
    lapses: list[int]
    fields: tuple
    skew: int = 0
    alter: Callable[[list[str], list[int]], tuple[list[str], list[int]]] | None = None
    shown: list[int] | None = None

    def at(self, record: int) -> int:
        """The stamp of that record."""
        return self.begin + (self.shown or self.lapses)[record]

    @property
    def last(self) -> int:
        """When the last record is truly written."""
        return self.begin + self.lapses[-1]


class Prefix:
    """How the lines of a run begin: a stamp, of which all but the fraction is the same for a second, and the rest, which each process has its own."""

    def __init__(self, format: Format) -> None:
        self.format = format
        self.digits = {1: 6, 1000: 3}.get(format.resolution_us, 0)
        self.heads: dict[int, str] = {}

    def tail(self, service: str, host: str, pid: int) -> str:
        """What follows the stamp in the lines of a process."""
        return self._divide(0, self._unit(service), host, pid)[1]

    def stamps(self, ats: np.ndarray) -> tuple[list[list[str]], list[list[str]]]:
        """The stamps of instants (µs), rows of them, in two parts: up to the fraction, and the fraction's digits."""
        seconds, micros = np.divmod(ats, 1_000_000)
        # Most plays begin and end within a second.
        ends = zip(seconds.min(axis=1).tolist(), seconds.max(axis=1).tolist())
        length = ats.shape[1]
        heads = [[self._head(low)] * length if low == high else [self._head(s) for s in seconds[n].tolist()] for n, (low, high) in enumerate(ends)]
        return heads, _write_digits(micros.astype(np.int32) // 10 ** (6 - self.digits), self.digits)

    def _head(self, second: int) -> str:
        head = self.heads.get(second)
        if head is None:
            if len(self.heads) > 10_000:
                self.heads.clear()
            head = self.heads[second] = self._divide(second * 1_000_000, "unit", "host", 0)[0]
        return head

    def _divide(self, at: int, unit: str, host: str, pid: int) -> tuple[str, str]:
        whole = self.format.write(at, host, unit, pid)
        if self.digits:
            head, point, tail = whole.partition("." + "0" * self.digits)
            return head + ".", tail
        end = whole.index(f" {host} {unit}[{pid}]: ")
        return whole[:end], whole[end:]

    def _unit(self, service: str) -> str:
        return (UNITS if self.format.name == "with-unit" else IDENTIFIERS)[service]


def _write_digits(numbers: np.ndarray, digits: int) -> list[list[str]]:
    """Rows of numbers, each as text of that many digits."""
    if not digits:
        return [[""] * numbers.shape[1]] * numbers.shape[0]
    text = np.empty((*numbers.shape, digits), np.uint8)
    for place in range(digits - 1, -1, -1):
        numbers, text[..., place] = np.divmod(numbers, 10)
    text += ord("0")
    return text.view(f"S{digits}")[..., 0].astype(f"U{digits}").tolist()


class Plays:
    """The plays that wait to be written. ``size`` is the number of their records; ``held`` are the beginnings of plays that are still going on.

    ``clock`` makes instants those that a clock shows, if it goes wrong.
    """

    def __init__(self, prefix: Prefix, merger: Merger) -> None:
        self.prefix, self.merger = prefix, merger
        self.waiting: dict[Script, list[Play]] = {}
        self.clock: Callable[[np.ndarray], np.ndarray] | None = None
        self.size = 0
        self.held: dict[int, int] = {}
        self.holds = 0

    def hold(self, begin: int) -> int:
        """A play begins now, at ``begin``, of which it is not known yet when its records will be written. A number, for `release`."""
        self.holds += 1
        self.held[self.holds] = begin
        return self.holds

    def release(self, hold: int) -> None:
        """That play is known now, and added in the same instant."""
        del self.held[hold]

    def horizon(self, now: int) -> int:
        """The instant before which no records can come any more: that of the oldest play that still goes on, or ``now``."""
        return next(iter(self.held.values()), now)

    def add(self, play: Play) -> None:
        """The play is complete."""
        plays = self.waiting.get(play.script)
        if plays is None:
            plays = self.waiting[play.script] = []
        plays.append(play)
        self.size += len(play.lapses)

    def write(self) -> None:
        """Gives the records of all waiting plays to the merger."""
        for script, plays in self.waiting.items():
            altered = [play for play in plays if play.alter]
            self._write(script, [play for play in plays if not play.alter] if altered else plays)
            for play in altered:
                self._write(script, [play])
        self.waiting.clear()
        self.size = 0

    def _write(self, script: Script, plays: list[Play]) -> None:
        if not plays or script.written == ():
            return
        begins = np.array([[play.begin] for play in plays])
        shown = ats = np.array([play.lapses for play in plays]) + begins
        if any(play.shown for play in plays):
            shown = np.array([play.shown or play.lapses for play in plays]) + begins
        if any(play.skew for play in plays):
            shown = shown + np.array([[play.skew] for play in plays])
        if script.written is not None:
            written = list(script.written)
            ats, shown = ats[:, written], shown[:, written]
        if self.clock:
            shown = self.clock(shown)
        records = script.records.write(zip(*self.prefix.stamps(shown), [play.fields for play in plays]))
        alter = plays[0].alter
        if alter:
            records, changed = alter(records, ats[0].tolist())
            ats = np.array(changed, np.int64)
        self.merger.put(script.service, ats.ravel(), records)
