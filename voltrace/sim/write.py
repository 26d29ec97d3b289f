"""Lines on their way to the files: sorted by time over all processes, written in chunks, never all in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, Protocol

import numpy as np

from ..formats import SERVICE_FILES
from .play import Play
from .script import Script

_WHOSE = 2  # bits of a key that name the service


class Sheet(Protocol):
    """Records that wait, numbered in the order in which they came. `texts` has them as texts, the kernel ``_fill`` as bytes that it fills in when they are written."""

    def put(self, script: Script, plays: list[Play]) -> np.ndarray:
        """Further records: those of plays of a script. Their true instants (µs)."""

    def write(self, ats: np.ndarray, whose: np.ndarray, numbers: np.ndarray, files: list[BinaryIO | None]) -> tuple[np.ndarray, np.ndarray]:
        """Writes records (instants, numbers of their services, own numbers) in this order: all to the last file, each to its service's (None: there is none).

        Gives the instants of those that were written, and whose they are.
        """

    def keep(self, numbers: np.ndarray) -> None:
        """Forgets all records but these, which are numbered anew."""


class Merger:
    """Takes plays in any order that does not go back behind the clock, has their records written in the order of their instants.

    Where instants tie, an earlier service of `SERVICE_FILES` goes first, and records of one service keep the order in which they came.
    ``last`` is the instant of each service's last record that was written.
    A service's file of ``turns`` has what lies before that instant.
    """

    def __init__(
        self, sheet: Sheet, merged: BinaryIO, services: dict[str, BinaryIO] | None = None, turns: dict[str, tuple[int, BinaryIO]] | None = None
    ) -> None:
        self.sheet, self.turns, self.last = sheet, turns or {}, dict[str, int]()
        self.numbers = {service: number for number, service in enumerate(SERVICE_FILES)}
        self.services = services or {}
        older = {service: file for service, (_, file) in self.turns.items()}
        self.files: list[BinaryIO | None] = [(older.get(service) or self.services.get(service)) for service in SERVICE_FILES]
        self.files.append(merged)
        self.coming = sorted((at, service) for service, (at, _) in self.turns.items())
        # Of each record that waits, its instant and service in one number.
        self.keys: list[np.ndarray] = []

    def put(self, script: Script, plays: list[Play]) -> None:
        """Plays of one script, in the order in which they are played."""
        self.keys.append((self.sheet.put(script, plays) << _WHOSE) + self.numbers[script.service])

    def flush(self, now: int | None) -> None:
        """Writes what lies before ``now``; all of it if None. Nothing that lies before ``now`` may come any more."""
        while self.coming and (now is None or self.coming[0][0] <= now):
            at, service = self.coming.pop(0)
            self._write(at)
            self.files[self.numbers[service]] = self.services.get(service)
        self._write(now)

    def _write(self, now: int | None) -> None:
        if not self.keys:
            return
        keys = np.concatenate(self.keys)
        order = keys.argsort(kind="stable")
        keys = keys[order]
        end = len(keys) if now is None else int(keys.searchsorted(now << _WHOSE))
        ats, whose = self.sheet.write(keys[:end] >> _WHOSE, keys[:end] & (1 << _WHOSE) - 1, order[:end], self.files)
        for service, number in self.numbers.items():
            places = np.flatnonzero(whose == number)
            if len(places):
                self.last[service] = int(ats[places[-1]])
        self.sheet.keep(order[end:])
        self.keys = [keys[end:]]
