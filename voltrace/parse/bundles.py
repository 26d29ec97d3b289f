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
from zlib import crc32

from .. import kernel
from ..errors import VoltraceError
from ..trace import EventTable
from .limits import MOST_EVENTS, drop_excess
from .tables import ANSWERS, Scan, SeenTable, fill

if TYPE_CHECKING:
    import numpy as np

PARTS = 256
TELLS = ("request", "kind", "fact")
EVENTS = (("request", 4), ("kind", 4), ("origin", 4), ("fact", 4), ("line", 8), ("at", 8), ("uuid", EventTable.UUID))  # columns and the bytes of a row
SEEN = tuple((name, 4 if name in ("request", "origin") else 8) for name in SeenTable.COLUMNS)
Change = Callable[["np.ndarray"], "np.ndarray"]


@dataclass(slots=True)
class Bundle:
    """Rows that were put away together, in a file: events, then what was seen, column by column, in each the rows by part.

    ``events`` and ``seen`` are where the parts begin; ``told`` are the columns `TELLS` of the events that tell what was asked and answered.
    ``whole``: no row was kept back. ``changes`` are what must be done to columns of rows that somebody else numbered.
    """

    path: str
    events: array
    seen: array
    told: list[bytes]
    whole: bool
    changes: dict[str, Change] | None = None

    def read(self, columns: Sequence[tuple[str, int]], first: int, last: int) -> list[bytes]:
        """The parts from ``first`` up to ``last`` of the columns `EVENTS` or `SEEN`."""
        place, bounds = (0, self.events) if columns is EVENTS else (self.events[-1] * sum(width for _, width in EVENTS), self.seen)
        start, end, count = bounds[first], bounds[last], bounds[-1]
        found = []
        file = os.open(self.path, os.O_RDONLY)
        try:
            for _, width in columns:
                found.append(os.pread(file, (end - start) * width, place + start * width))
                place += count * width
        finally:
            os.close(file)
        return found


def part_of(request_id: str) -> int:
    """The part that a request is of."""
    return crc32(request_id.encode()) % PARTS


def put_away(scan: Scan, keep: list[int], folder: str, parts: array, keep_unknown: bool = False) -> tuple[Bundle, list[int]]:
    """Put the rows of a scan into a file, but for some events; and where these stand then.

    ``parts`` is that of each request, and behind them that of none. ``keep_unknown``: the events of lines that nobody knows stay, too: `joining` counts them.
    Raises VoltraceError if there is no room, or no such folder.
    """
    events, rows = scan.events, _rows()
    if rows.most(events.request) > MOST_EVENTS:
        keep = drop_excess(scan, keep) or keep
    away = bytearray(b"\1") * len(events)
    unknown = rows.select(events.kind, bytes(kind.row == "unmatched" for kind in scan.kinds)) if keep_unknown else ()
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
    except OSError as error:
        raise VoltraceError(f"{folder}: {error.strerror}: events are put away there while large logs are read (TMPDIR says where)") from None
    bundle = Bundle(file.name, bounds, seen_bounds, [take(events, name, 4, told) for name in TELLS], not kept)
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
