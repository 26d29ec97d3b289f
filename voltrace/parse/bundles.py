"""What has been read and is not needed until all is read: put away on disk, by request, so that memory stays flat as logs grow.

A request's number leaves no trace of its id, and workers number requests each in their own way: which part a request is of is told by its id.
Nothing here needs numpy where the kernel is built, for its import would cost a worker as much as reading 50 MB.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from .. import kernel
from ..trace import EventTable
from .folder import no_room
from .limits import MOST_EVENTS, drop_excess
from .tables import ANSWERS, Scan, SeenTable, fill

if TYPE_CHECKING:
    import numpy as np

PARTS = 256
TELLS = ("request", "kind", "fact")
EVENTS = (("request", 4), ("kind", 4), ("origin", 4), ("fact", 4), ("line", 8), ("at", 8), ("uuid", EventTable.UUID))  # columns and the bytes of a row
_WIDTH = sum(width for _, width in EVENTS)
SEEN = tuple((name, 4 if name in ("request", "origin") else 8) for name in SeenTable.COLUMNS)
Change = Callable[["np.ndarray"], "np.ndarray"]


@dataclass(slots=True)
class Bundle:
    """Rows that were put away together, in a file: events, then what was seen, column by column, in each the rows by part.

    ``events`` and ``seen`` are where the parts begin. Behind them stand the columns `TELLS` of the ``told`` events that tell what was asked and answered.
    ``whole``: no row was kept back. ``changes`` are what must be done to columns of rows that somebody else numbered.
    """

    path: str
    events: array
    seen: array
    told: int
    whole: bool
    changes: dict[str, Change] | None = None

    def read(self, columns: Sequence[tuple[str, int]], first: int, last: int) -> list[bytes]:
        """The parts from ``first`` up to ``last`` of the columns `EVENTS` or `SEEN`."""
        place, bounds = (0, self.events) if columns is EVENTS else (self.events[-1] * _WIDTH, self.seen)
        start, end, count = bounds[first], bounds[last], bounds[-1]
        places = []
        for _, width in columns:
            places.append((place + start * width, (end - start) * width))
            place += count * width
        return self._read(places)

    def read_told(self) -> list[bytes]:
        """The columns `TELLS`."""
        place = self.events[-1] * _WIDTH + self.seen[-1] * sum(width for _, width in SEEN)
        return self._read([(place + n * self.told * 4, self.told * 4) for n in range(len(TELLS))])

    def _read(self, places: list[tuple[int, int]]) -> list[bytes]:
        """What stands in the file from each of these places on, so many bytes."""
        file = os.open(self.path, os.O_RDONLY)
        try:
            return [os.pread(file, size, place) for place, size in places]
        finally:
            os.close(file)


def put_away(scan: Scan, keep: list[int], folder: str, parts: array, keep_unknown: bool = False) -> tuple[Bundle, list[int]]:
    """Put the rows of a scan into a file, but for some events; and where these stand then.

    ``parts`` is that of each request, and behind them that of none. ``keep_unknown``: the events of lines that nobody knows stay, too: `joining` counts them.
    Raises VoltraceError if there is no room, or no such folder.
    """
    events, rows = scan.events, _rows()
    if rows.most(events.request) > MOST_EVENTS:
        keep = drop_excess(scan, keep) or keep
    away = bytearray(b"\1") * len(events)
    unknown = rows.select(events.kind, scan.of_rows("unmatched")) if keep_unknown else ()
    for row in (*keep, *unknown):
        away[row] = 0
    kept = array("q", sorted({*keep, *unknown}))
    told = array("q", (row for row in rows.select(events.kind, scan.telling(ANSWERS)) if away[row]))
    order, bounds = rows.by_part(events.request, parts, PARTS, away)
    seen_order, seen_bounds = rows.by_part(scan.seen.request, parts, PARTS, bytearray(b"\1") * len(scan.seen.request))

    def take(table: EventTable | SeenTable, name: str, width: int, own: array) -> bytes:
        column = getattr(table, name)
        return rows.take(memoryview(column).cast("B"), width, own) if len(column) and len(own) else b""

    try:
        with NamedTemporaryFile(dir=folder, delete=False) as file:
            for name, width in EVENTS:
                file.write(take(events, name, width, order))
            for name, width in SEEN:
                file.write(take(scan.seen, name, width, seen_order))
            for name in TELLS:
                file.write(take(events, name, 4, told))
    except OSError as error:
        raise no_room(folder, error) from None
    bundle = Bundle(file.name, bounds, seen_bounds, len(told), not kept)
    for name, width in EVENTS:
        fill(events, name, take(events, name, width, kept))
    for name, _ in SEEN:
        fill(scan.seen, name, b"")
    places = {row: place for place, row in enumerate(kept)}
    return bundle, [places[row] for row in keep]


def _rows():
    """What finds and takes rows: the kernel, or numpy."""
    compiled = kernel.load("parse._rows")
    if compiled is not None:
        return compiled
    from . import rows

    return rows
