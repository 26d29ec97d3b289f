"""What every record tells, whatever its message: that its process lived then, and was at work on a request. Kept in columns, settled in bulk."""

from __future__ import annotations

from array import array

import numpy as np

from .headers import widen
from .tables import NO_REQUEST, Scan

_ROW_BITS, _ORIGIN_BITS = 20, 12


class Counts:
    """One row a line: its request, its writer (a number that `add` gave out) and its instant."""

    __slots__ = ("_scan", "_process", "_origin", "_debug", "_blocks", "_count")

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._process, self._origin, self._debug = array("i"), array("i"), bytearray()
        self._blocks: list[tuple[np.ndarray, ...]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, process: int, origin: int, debug: bool) -> int:
        """The number of a writer: a process at a level."""
        self._process.append(process)
        self._origin.append(origin)
        self._debug.append(debug)
        return len(self._debug) - 1

    def forget_writers(self) -> None:
        """Their numbers are given out anew. Only after `settle`."""
        for column in (self._process, self._origin, self._debug):
            del column[:]

    def append(self, request: np.ndarray, writer: np.ndarray, at: np.ndarray, line: np.ndarray) -> None:
        """These lines, in the file's order."""
        self._blocks.append((request, writer, at, line))
        self._count += len(at)

    def settle(self) -> None:
        """Adds all that was counted to the scan, and forgets it."""
        if not self._blocks:
            return
        request, writer, at, line = (np.concatenate(column) for column in zip(*self._blocks))
        self._blocks, self._count = [], 0
        if len(writer):
            self._settle_processes(writer, at)
        told = request != NO_REQUEST
        if told.any():
            self._settle_seen(request[told], np.array(self._origin)[writer[told]], at[told], line[told])

    def _settle_processes(self, writer: np.ndarray, at: np.ndarray) -> None:
        order = np.argsort(writer, kind="stable")
        starts = _starts(writer[order])
        at = at[order]
        firsts, lasts = np.minimum.reduceat(at, starts).tolist(), np.maximum.reduceat(at, starts).tolist()
        for number, first, last in zip(writer[order[starts]].tolist(), firsts, lasts):
            process = self._process[number]
            widen(self._scan.processes[process], first, last)
            self._scan.debug[process] = self._scan.debug[process] or bool(self._debug[number])

    def _settle_seen(self, request: np.ndarray, origin: np.ndarray, at: np.ndarray, line: np.ndarray) -> None:
        """A row of `SeenTable` for each request and origin. The lines are in the file's order."""
        order = _order(request, origin)
        starts = _starts(request[order].astype(np.int64) << 32 | origin[order])
        ends = np.append(starts[1:], len(order)) - 1
        at, line = at[order], line[order]
        seen = self._scan.seen
        seen.request.frombytes(request[order[starts]].tobytes())
        seen.origin.frombytes(origin[order[starts]].tobytes())
        found = (np.minimum.reduceat(at, starts), np.maximum.reduceat(at, starts), line[starts], at[starts], line[ends], at[ends])
        for column, values in zip((seen.first, seen.last, seen.begun_line, seen.begun_at, seen.ended_line, seen.ended_at), found):
            column.frombytes(values.tobytes())


def _order(request: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """The rows by request, then origin, then as they stand."""
    if len(request) < 1 << _ROW_BITS and origin.max() < 1 << _ORIGIN_BITS:
        key = (request.astype(np.int64) << _ORIGIN_BITS | origin) << _ROW_BITS | np.arange(len(request))
        return np.sort(key) & ((1 << _ROW_BITS) - 1)  # numbers are sorted several times as fast as rows by them
    return np.lexsort((origin, request))


def _starts(ordered: np.ndarray) -> np.ndarray:
    """Where runs of equal values begin."""
    return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
