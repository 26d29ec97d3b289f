"""Plays: scripts on their way to become lines. Those that are complete wait for others of their script, for many are written at less cost than one."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .script import Script

if TYPE_CHECKING:
    from .write import Merger


@dataclass(slots=True, eq=False)
class Play:
    """A script as one process plays it: when it begins (µs), the lapse (µs) from there to each record, and the values of its fields.

    ``shown`` are the lapses to what the host's clock shows, if that is not the true time.
    """

    script: Script
    begin: int
    lapses: array[int]
    fields: tuple
    shown: array[int] | None = None

    def at(self, record: int) -> int:
        """The stamp of that record."""
        return self.begin + (self.shown or self.lapses)[record]

    @property
    def last(self) -> int:
        """When the last record is truly written."""
        return self.begin + self.lapses[-1]


class Plays:
    """The plays that wait to be written. ``size`` is the number of their records; ``held`` are the beginnings of plays that are still going on."""

    def __init__(self, merger: Merger) -> None:
        self.merger = merger
        self.waiting: dict[Script, list[Play]] = {}
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
            if script.written != ():
                self.merger.put(script, plays)
        self.waiting.clear()
        self.size = 0
