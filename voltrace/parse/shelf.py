"""All that was put away, read again part by part."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np

from ..trace import EventTable
from .bundles import EVENTS, PARTS, SEEN, TELLS, Bundle, Change, put_away
from .folder import Folder
from .tables import NO_REQUEST, Scan, SeenTable, fill

ROWS = 200_000  # so many rows of a table may be in memory: reading takes as long with four times as many
_TOGETHER = 75_000  # rows of events that are looked at together: fewer cost more time, more cost more memory


class Shelf:
    """Takes the events of a scan in bundles, and what was seen. Facts stay in memory: only for scans that keep few."""

    def __init__(self, folder: Folder, rows: int = ROWS) -> None:
        """Files go into the folder."""
        self._folder, self._rows = folder, rows
        self.bundles: list[Bundle] = []
        self._part = array("H")  # of each request

    @property
    def is_used(self) -> bool:
        return bool(self.bundles)

    def relieve(self, scan: Scan, keep: list[int]) -> list[int] | None:
        """Put away the rows of a scan if there are too many, but for some events; where these stand then. None if nothing was done."""
        return self._put(scan, keep) if max(len(scan.events), len(scan.seen.request)) >= self._rows else None

    def _put(self, scan: Scan, keep: list[int]) -> list[int]:
        bundle, places = put_away(scan, keep, self._folder.path, self._parts(scan))
        self.bundles.append(bundle)
        return places

    def adopt(self, scan: Scan, bundle: Bundle, parts: array, requests: array, changes: dict[str, Change]) -> None:
        """Take what another put away, who numbers requests, kinds, origins, lines and facts otherwise. His requests' ``parts``, and our numbers of them."""
        new = len(scan.requests) - len(self._part)
        if new > 0:
            self._part.extend([0] * new)
            numbers = np.frombuffer(requests, np.int32)
            known = numbers != NO_REQUEST
            np.frombuffer(self._part, np.uint16)[numbers[known]] = np.frombuffer(parts, np.uint16)[: len(numbers)][known]
        self.bundles.append(replace(bundle, changes=changes))

    def told(self, among: np.ndarray) -> np.ndarray:
        """What `join.find_told` finds, in what was put away."""
        found = []
        for bundle in self.bundles:
            columns = [np.frombuffer(column, np.int32) for column in bundle.read_told()]
            if bundle.changes:
                columns = [bundle.changes[name](column) for name, column in zip(TELLS, columns)]
            found.append(np.stack([column[among[columns[0]]] for column in columns]))
        return np.concatenate(found, axis=1)

    def parts(self, scan: Scan) -> list[tuple[int, int]]:
        """From which part up to which they are best looked at together. The rows of the scan are put away first."""
        self._put(scan, [])
        sizes = sum(np.diff(bundle.events) for bundle in self.bundles).cumsum()  # type: ignore[union-attr]
        count = max(1, min(PARTS, round(int(sizes[-1]) / _TOGETHER)))
        count += count > 1 and count % 2  # two workers end together
        cuts = sizes.searchsorted(sizes[-1] * np.arange(1, count) / count).tolist()
        marks = sorted({0, *cuts, PARTS})
        return list(zip(marks, marks[1:]))

    def read(self, scan: Scan, first: int, last: int) -> tuple[EventTable, SeenTable]:
        """Events and what was seen of all requests of the parts from ``first`` up to ``last``, in the order of reading."""
        events, seen = EventTable(), SeenTable()
        for table, columns in ((events, EVENTS), (seen, SEEN)):
            found = [self._read(bundle, columns, first, last) for bundle in self.bundles]
            for (name, _), own in zip(columns, zip(*found)):
                fill(table, name, b"".join(own))
        if not all(bundle.whole for bundle in self.bundles):  # what was kept back for a while stands behind what came later
            sources = np.array([source for _, source in scan.origins], np.int32)
            order = np.lexsort((np.frombuffer(events.line, np.int64), sources[np.frombuffer(events.origin, np.int32)]))
            for name, width in EVENTS:
                fill(events, name, np.frombuffer(getattr(events, name), np.dtype((np.void, width)))[order].tobytes())
        events.facts = scan.events.facts
        return events, seen

    def _read(self, bundle: Bundle, columns: tuple[tuple[str, int], ...], first: int, last: int) -> list[bytes]:
        found = bundle.read(columns, first, last)
        for n, (name, width) in enumerate(columns):
            change = bundle.changes.get(name) if bundle.changes else None
            if change is not None:
                found[n] = change(np.frombuffer(found[n], np.int32 if width == 4 else np.int64)).tobytes()
        return found

    def find(self, scan: Scan, requests: np.ndarray, first: int, last: int) -> np.ndarray:
        """Which of these requests are of the parts from ``first`` up to ``last``."""
        parts = np.frombuffer(self._parts(scan), np.uint16)[requests]
        return requests[(parts >= first) & (parts < last)]

    def _parts(self, scan: Scan) -> array:
        """The part of each request; behind them that of none."""
        self._part += scan.requests.parts(len(self._part), PARTS)
        return self._part + array("H", [0])
