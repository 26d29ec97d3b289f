"""What has been read and is not needed until all is read: put away on disk, by request, so that memory stays flat as logs grow.

A request's number leaves no trace of its id, and workers number requests each in their own way: a part is told by the id itself.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from tempfile import NamedTemporaryFile
from zlib import crc32

import numpy as np

from ..trace import EventTable
from .folder import Folder
from .join import TELLS, find_told
from .limits import drop_excess
from .tables import Scan, SeenTable

ROWS = 200_000  # so many rows of a table may be in memory: reading takes as long with four times as many
PARTS = 256
_TOGETHER = 40_000  # rows of events that are looked at together: fewer cost more time, more cost more memory
_UUID = np.dtype((np.void, EventTable.UUID))
Change = Callable[[np.ndarray], np.ndarray]
Column = tuple[str, np.dtype]
_EVENTS: list[Column] = [
    *((name, np.dtype(np.int32)) for name in ("request", "kind", "origin", "fact")),
    *((name, np.dtype(np.int64)) for name in ("line", "at")),
    ("uuid", _UUID),
]
_SEEN: list[Column] = [(name, np.dtype(np.int32 if name in ("request", "origin") else np.int64)) for name in SeenTable.COLUMNS]


@dataclass(slots=True)
class Bundle:
    """Rows that were put away together, in a file: events, then what was seen, column by column, in each the rows by part.

    ``events`` and ``seen`` are where the parts begin; ``told`` are request, kind and fact of the events that tell what was asked and answered.
    ``changes`` are what must be done to columns of rows that somebody else numbered. ``whole``: no row was kept back.
    """

    path: str
    events: np.ndarray
    seen: np.ndarray
    told: np.ndarray
    whole: bool
    changes: dict[str, Change] | None = None

    def add_to(self, events: EventTable, seen: SeenTable, first: int, last: int) -> None:
        """Adds events and what was seen of the parts from ``first`` up to ``last``."""
        place = 0
        with open(self.path, "rb") as file:
            for table, columns, bounds in ((events, _EVENTS, self.events), (seen, _SEEN, self.seen)):
                start, end, count = (int(bounds[n]) for n in (first, last, -1))
                for name, dtype in columns:
                    file.seek(place + start * dtype.itemsize)
                    column = np.fromfile(file, dtype, end - start)
                    change = self.changes.get(name) if self.changes else None
                    getattr(table, name).frombytes((change(column) if change else column).view(np.uint8))
                    place += count * dtype.itemsize


class Shelf:
    """Takes the events of a scan in bundles, and what was seen. Facts stay in memory: only for scans that keep few."""

    def __init__(self, folder: Folder | str, rows: int = ROWS) -> None:
        """Files go into the folder. A worker knows that of who asked it as a path, and puts away all but what `joining` still has to see."""
        self._folder, self._rows = folder, rows
        self.bundles: list[Bundle] = []
        self._part = array("H")  # of each request

    @property
    def is_used(self) -> bool:
        return bool(self.bundles)

    def relieve(self, scan: Scan, keep: list[int]) -> list[int] | None:
        """Put away the rows of a scan if there are too many, but for some events; where these stand then. None if nothing was done."""
        return self.put(scan, keep) if max(len(scan.events), len(scan.seen.request)) >= self._rows else None

    def put(self, scan: Scan, keep: list[int]) -> list[int]:
        """Put away the rows of a scan, but for some events; where these stand then."""
        events, keep = scan.events, drop_excess(scan, keep) or keep
        away = np.ones(len(events), bool)
        away[keep] = False
        if isinstance(self._folder, str):
            away &= ~np.array([kind.row == "unmatched" for kind in scan.kinds] or [False])[np.frombuffer(events.kind, np.int32)]
        parts = self._parts(scan)
        order, event_bounds = _by_part(parts[np.frombuffer(events.request, np.int32)], away)
        told = find_told(scan, away)
        seen_order, seen_bounds = _by_part(parts[np.frombuffer(scan.seen.request, np.int32)])
        with NamedTemporaryFile(dir=self._folder if isinstance(self._folder, str) else self._folder.path, delete=False) as file:
            for table, columns, rows in ((events, _EVENTS, order), (scan.seen, _SEEN, seen_order)):
                for name, dtype in columns:
                    np.frombuffer(getattr(table, name), dtype)[rows].tofile(file)
        self.bundles.append(Bundle(file.name, event_bounds, seen_bounds, told, bool(away.all())))
        kept = np.flatnonzero(~away)
        for name, dtype in _EVENTS:
            _fill(events, name, np.frombuffer(getattr(events, name), dtype)[kept])
        for name in SeenTable.COLUMNS:
            _fill(scan.seen, name, np.empty(0, np.uint8))
        return kept.searchsorted(keep).tolist()

    def adopt(self, bundle: Bundle, changes: dict[str, Change]) -> None:
        """Take what another put away, who numbers requests, kinds, origins, lines and facts otherwise."""
        told = np.stack([changes[name](bundle.told[n]) for n, name in enumerate(TELLS)])
        self.bundles.append(replace(bundle, told=told, changes=changes))

    def told(self, scan: Scan) -> np.ndarray:
        """What `find_told` finds, also in what was put away."""
        return np.concatenate([*(bundle.told for bundle in self.bundles), find_told(scan)], axis=1)

    def parts(self, scan: Scan) -> list[tuple[int, int]]:
        """From which part up to which they are best looked at together. The rows of the scan are put away first."""
        self.put(scan, [])
        sizes = sum(np.diff(bundle.events) for bundle in self.bundles).cumsum()  # type: ignore[union-attr]
        count = max(1, min(PARTS, round(int(sizes[-1]) / _TOGETHER)))
        count += count > 1 and count % 2  # two workers end together
        cuts = sizes.searchsorted(sizes[-1] * np.arange(1, count) / count).tolist()
        marks = sorted({0, *cuts, PARTS})
        return list(zip(marks, marks[1:]))

    def read(self, scan: Scan, first: int, last: int) -> tuple[EventTable, SeenTable]:
        """Events and what was seen of all requests of these parts, in the order of reading."""
        events, seen = EventTable(), SeenTable()
        for bundle in self.bundles:
            bundle.add_to(events, seen, first, last)
        if not all(bundle.whole for bundle in self.bundles):  # what was kept back for a while stands behind what came later
            sources = np.array([source for _, source in scan.origins], np.int32)
            order = np.lexsort((np.frombuffer(events.line, np.int64), sources[np.frombuffer(events.origin, np.int32)]))
            for name, dtype in _EVENTS:
                _fill(events, name, np.frombuffer(getattr(events, name), dtype)[order])
        events.facts = scan.events.facts
        return events, seen

    def find(self, scan: Scan, requests: np.ndarray, first: int, last: int) -> np.ndarray:
        """Which of these requests are of the parts from ``first`` up to ``last``."""
        parts = self._parts(scan)[requests]
        return requests[(parts >= first) & (parts < last)]

    def _parts(self, scan: Scan) -> np.ndarray:
        """The part of each request; behind them that of none."""
        requests = scan.requests
        self._part.extend(crc32(requests[n].encode()) % PARTS for n in range(len(self._part), len(requests)))
        return np.append(np.frombuffer(self._part, np.uint16), np.uint16(0))


def _by_part(parts: np.ndarray, wanted: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are wanted (None: all) by part, and where the parts begin in them."""
    if wanted is not None and not wanted.all():
        rows = np.flatnonzero(wanted)
        parts = parts[rows]
        order = rows[parts.argsort(kind="stable")]
    else:
        order = parts.argsort(kind="stable")
    return order, np.append(0, np.bincount(parts, minlength=PARTS).cumsum())


def _fill(table: EventTable | SeenTable, name: str, values: np.ndarray) -> None:
    """Gives a table's column these values, and no others."""
    column = getattr(table, name)
    del column[:]
    column.frombytes(values.tobytes())
