"""Events that have been read and are not needed until all is read: put away on disk, by request, so that memory stays flat as logs grow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np

from ..trace import EventTable
from .tables import ANSWERS, Scan

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

ROWS = 400_000  # so many events may be in memory: reading takes as long with four times as many
PARTS = 32
_COLUMNS = ("request", "kind", "origin", "line", "at", "uuid", "fact")
_ROW = np.dtype(
    [
        ("request", np.int32),
        ("kind", np.int32),
        ("origin", np.int32),
        ("line", np.int64),
        ("at", np.int64),
        ("uuid", np.uint8, EventTable.UUID),
        ("fact", np.int32),
    ]
)
_TELLS = ["request", "kind", "fact"]
_TOLD = np.dtype([(name, np.int32) for name in _TELLS])


class Shelf(AbstractContextManager):
    """Takes the events of a scan in parts, each of which has all events of some of the requests. Facts stay in memory: only for scans that keep few."""

    def __init__(self, rows: int = ROWS) -> None:
        self._rows = rows
        self._folder: TemporaryDirectory | None = None
        self._told: list[np.ndarray] = []

    def __exit__(self, *_) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def is_used(self) -> bool:
        return self._folder is not None

    def relieve(self, scan: Scan, keep: list[int]) -> list[int] | None:
        """Put away the events of a scan if there are too many, but for some rows; where these stand then. None if nothing was done."""
        return self._put(scan, keep) if len(scan.events) >= self._rows else None

    def _put(self, scan: Scan, keep: list[int]) -> list[int]:
        events = scan.events
        rows = _as_rows(events)
        part = rows["request"] % PARTS
        part[keep] = PARTS
        tells = _telling(scan)[rows["kind"]]
        tells[keep] = False
        self._told.append(rows[tells][_TELLS].astype(_TOLD))
        if self._folder is None:
            from tempfile import TemporaryDirectory

            self._folder = TemporaryDirectory(prefix="voltrace-")
        order = part.argsort(kind="stable")
        bounds = part[order].searchsorted(np.arange(PARTS + 1))
        for number in range(PARTS):
            own = order[bounds[number] : bounds[number + 1]]
            if len(own):
                with open(self._path(number), "ab") as file:
                    rows[own].tofile(file)
        for name in _COLUMNS:
            column = getattr(events, name)
            del column[:]
            column.frombytes(np.ascontiguousarray(rows[name][keep]).tobytes())
        return list(range(len(keep)))

    def told(self, scan: Scan) -> np.ndarray:
        """Request, kind and fact of the events that tell what was asked and answered."""
        request, kind, fact = (np.frombuffer(getattr(scan.events, name), np.int32) for name in _TELLS)
        tells = np.flatnonzero(_telling(scan)[kind])
        here = np.empty(len(tells), _TOLD)
        here["request"], here["kind"], here["fact"] = request[tells], kind[tells], fact[tells]
        return np.concatenate([*self._told, here])

    def parts(self, scan: Scan) -> Iterator[tuple[int, EventTable]]:
        """Each part with its number: all events of the requests of which the number leaves it as a rest."""
        self._put(scan, [])
        for number in range(PARTS):
            try:
                rows = np.fromfile(self._path(number), _ROW)
            except FileNotFoundError:
                rows = np.empty(0, _ROW)
            table = EventTable()
            for name in _COLUMNS:
                setattr(table, name, np.ascontiguousarray(rows[name]).reshape(-1))
            table.facts = scan.events.facts
            yield number, table

    def _path(self, number: int) -> str:
        assert self._folder is not None
        return f"{self._folder.name}/{number}"


def _as_rows(events: EventTable) -> np.ndarray:
    rows = np.empty(len(events), _ROW)
    for name in _COLUMNS:
        column = np.frombuffer(getattr(events, name), getattr(np, {"i": "int32", "q": "int64", "B": "uint8"}[getattr(events, name).typecode]))
        rows[name] = column.reshape(-1, EventTable.UUID) if name == "uuid" else column
    return rows


def _telling(scan: Scan) -> np.ndarray:
    """Of each kind, whether its events may tell what was asked and answered."""
    return np.array([scan.tells(number, ANSWERS) for number in range(len(scan.kinds))] or [False])
