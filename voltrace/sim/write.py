"""Lines on their way to the files: sorted by time over all processes, written in chunks, never all in memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress
from typing import BinaryIO

import numpy as np

from ..formats import SERVICE_FILES
from .journal import Journal

_BLOCK = 200  # records joined at a time: larger blocks leave the caches, and their memory is given back and fetched again each time


class Merger:
    """Takes records in any order that does not go back behind the clock, gives them out in the order of their instants.

    Where instants tie, an earlier service of `SERVICE_FILES` goes first, and records of one service keep the order in which they came.
    What a ``journal`` drops is not written. ``last`` is the instant of each service's last record that was written.
    Of a service in ``turns``, the file begins at the first instant, and what lies before the second is in the file named there.
    """

    def __init__(
        self, merged: BinaryIO, services: dict[str, BinaryIO] | None = None, pack: Callable[[str], bytes] | None = None, journal: Journal | None = None
    ) -> None:
        self.merged, self.services, self.pack, self.journal = merged, services or {}, pack, journal
        self.waiting: dict[str, tuple[list[np.ndarray], list[str]]] = {service: ([], []) for service in SERVICE_FILES}
        self.last: dict[str, int] = {}
        self.turns: dict[str, tuple[int, int, BinaryIO]] = {}

    def put(self, service: str, ats: np.ndarray, records: list[str]) -> None:
        """Records (lines, or several lines each) of a service with their instants (µs), in the order in which they are written."""
        instants, waiting = self.waiting[service]
        instants.append(ats)
        waiting += records

    def flush(self, now: int | None) -> None:
        """Writes what lies before ``now``; all of it if None. Nothing that lies before ``now`` may come any more."""
        instants = [np.concatenate(ats) if ats else np.empty(0, np.int64) for ats, _ in self.waiting.values()]
        whose = np.repeat(np.arange(len(instants), dtype=np.int8), [len(ats) for ats in instants])
        records = [record for _, own in self.waiting.values() for record in own]
        ats = np.concatenate(instants)
        order = ats.argsort(kind="stable")
        ats, whose = ats[order], whose[order]
        end = len(records) if now is None else int(ats.searchsorted(now))
        records = list(map(records.__getitem__, order.tolist()))
        if self.journal is not None:
            ats, whose, records, end = self._limit(self.journal, ats, whose, records, end)
        for number, service in enumerate(self.waiting):
            mine = whose == number
            self.waiting[service] = ([ats[end:][mine[end:]]], list(compress(records[end:], mine[end:].tolist())))
            places = np.flatnonzero(mine[:end])
            if len(places):
                self.last[service] = int(ats[places[-1]])
                if service in self.services:
                    own = list(compress(records, mine[:end].tolist()))
                    if service in self.turns:
                        own = self._turn(service, own, ats[places])
                    self._write(self.services[service], own)
        del records[end:]
        self._write(self.merged, records)

    def _limit(self, journal: Journal, ats: np.ndarray, whose: np.ndarray, records: list[str], end: int) -> tuple[np.ndarray, np.ndarray, list[str], int]:
        """The same with what the journal leaves of the records before ``end``."""
        left = journal.limit(list(zip(ats[:end].tolist(), whose[:end].tolist(), records)), tuple(self.waiting))
        whens, numbers = (np.array([item[k] for item in left], kind) for k, kind in ((0, np.int64), (1, np.int8)))
        return np.append(whens, ats[end:]), np.append(numbers, whose[end:]), [*(record for _, _, record in left), *records[end:]], len(left)

    def _turn(self, service: str, own: list[str], ats: np.ndarray) -> list[str]:
        """Writes what belongs into the older file, and gives what belongs into the file itself."""
        begin, end, older = self.turns[service]
        self._write(older, own[: int(ats.searchsorted(end))])
        return own[int(ats.searchsorted(begin)) :]

    def _write(self, file: BinaryIO, records: list[str]) -> None:
        for start in range(0, len(records), _BLOCK):
            block = records[start : start + _BLOCK]
            if self.pack is None:
                block.append("")
                file.write("\n".join(block).encode("utf-8", "surrogateescape"))
            else:
                file.write(b"".join([self.pack(line) for record in block for line in record.split("\n")]))
