"""Lines that are taken without the careful way, one after the other as far as that goes: what they tell depends on what stands before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..trace import EventTable
from .brackets import UNREAD
from .clock import GAP_US, STEP_US
from .heard import UNKNOWN
from .marks import Marks
from .queues import tell_queues
from .tables import NO_REQUEST, LineTable
from .window import Watch, Window

if TYPE_CHECKING:
    from .scan import SourceScanner


class Stretch:
    """Takes the lines of a window. ``number`` is that of the first; ``places`` are where they begin in the file, and the lines behind them, if that is kept."""

    def __init__(self, scanner: SourceScanner, watch: Watch, marks: Marks, window: Window, number: int, places: np.ndarray | None) -> None:
        self._scanner, self._scan, self._marks, self._window = scanner, scanner.scan, marks, window
        self._lefts, self._brackets, self._instants = watch.lefts, watch.brackets, watch.instants
        self._number, self._places = number, places
        self._gaps: list[tuple[int, int, int, int]] = []  # row, process, and the instants before and behind its silence

    def take(self, start: int, stop: int) -> int:
        """Take lines from one to another, or up to one that turns out to be for the careful way; the place of the line behind those that were taken."""
        for check in (self._check_records, self._read_instants, self._check_clocks, self._read_contexts):
            stop = check(start, stop)
            if stop == start:
                return start
        w, scanner = self._window, self._scanner
        w.taken[start:stop] = True
        records = start + np.flatnonzero(w.left[start:stop] >= 0)
        w.kind[records[w.debug[records] & (w.request[records] == NO_REQUEST)]] = -1
        for row, process, before, at in self._gaps:
            if row < stop:
                self._scan.add_gaps(process, scanner.source, [(self._number + row, at, before)])
        self._add_events(start + np.flatnonzero(w.kind[start:stop] >= 0))
        if self._scan.kept is not None and self._places is not None:
            self._keep(self._scan.kept, self._places, start + np.flatnonzero(w.request[start:stop] >= 0))
        tell_queues(scanner, self._lefts, self._marks, w, start, stop)
        if len(records):
            np.frombuffer(scanner._latest, np.int64)[w.process[records]] = w.at[records]  # of each process its last line's stays
            scanner._last, scanner._unfinished = self._lefts[int(w.left[records[-1]])].header, False
        return stop

    # -- how far it goes -----------------------------------------------------------------------------------------------

    def _check_records(self, start: int, stop: int) -> int:
        """Up to the first line of a process of which a record is open."""
        busy = self._scanner._busy
        if 1 in busy:
            found = np.frombuffer(bytes(busy), bool)[self._window.process[start:stop]]
            stop = start + int(found.argmax()) if found.any() else stop
        return stop

    def _read_instants(self, start: int, stop: int) -> int:
        """Up to the first line without a stamp."""
        w = self._window
        turns = [start, *(start + 1 + np.flatnonzero(w.turns[start + 1 : stop])).tolist()]
        found = self._instants.read(self._marks, w.starts[turns])
        if not found:
            return start
        if len(found) < len(turns):
            stop = turns[len(found)]
        lengths = np.diff(turns[: len(found)], append=stop)
        w.at[start:stop] = np.repeat(np.array(found, np.int64), lengths) + w.fraction[start:stop]
        return stop

    def _check_clocks(self, start: int, stop: int) -> int:
        """Up to the first record before which its process's clock stepped back, or that is the first of its process."""
        w = self._window
        rows = start + np.flatnonzero(w.left[start:stop] >= 0)
        narrow = np.uint16 if len(self._scan.processes) < 1 << 16 else np.int32  # which numpy sorts in less time
        rows = rows[np.argsort(w.process[rows].astype(narrow), kind="stable")]
        process, at = w.process[rows], w.at[rows]
        begins = np.append(True, process[1:] != process[:-1])[: len(rows)]
        before = np.append(0, at[:-1])[: len(rows)]
        before[begins] = np.frombuffer(self._scanner._latest, np.int64)[process[begins]]
        lapses = at - before
        gaps = lapses > GAP_US
        wrong = rows[(lapses < -STEP_US) | (gaps & (before == EventTable.NO_TIME))]
        self._gaps = list(zip(*(column[gaps].tolist() for column in (rows, process, before, at))))
        return int(wrong.min()) if len(wrong) else stop

    def _read_contexts(self, start: int, stop: int) -> int:
        """Up to the first message of a request that no row matches, or the first context that only the careful way can read."""
        w, brackets = self._window, self._brackets
        rows = start + np.flatnonzero(w.request[start:stop] == UNREAD)
        first, unknown = w.first[rows], w.kind[rows] == UNKNOWN
        told = (first == rows) | (first < start) | unknown
        columns = (column[rows[told]].tolist() for column in (w.context, w.opening, w.body, w.from_api))
        for row, strange, number, opening, body, from_api in zip(rows[told].tolist(), unknown[told].tolist(), *columns):
            request = brackets.read(number, self._marks.data[opening : body - 2], bool(from_api))
            if request == UNREAD or (request >= 0 and strange):
                stop = row
                break
        rows = rows[rows < stop]
        w.request[rows] = brackets.requests(w.context[rows])
        return stop

    # -- what comes of it ----------------------------------------------------------------------------------------------

    def _add_events(self, rows: np.ndarray) -> None:
        """The events that these lines are go to the table."""
        w, events = self._window, self._scan.events
        origin = self._lefts.column("origin")[w.left[rows]]
        uuids = np.zeros((len(rows), EventTable.UUID), np.uint8)
        shown = w.uuid[rows] >= 0
        uuids[shown] = self._marks.pieces(w.uuid[rows[shown]], EventTable.UUID)
        columns = (events.request, events.kind, events.origin, events.line, events.at, events.uuid, events.fact)
        for column, values in zip(columns, (w.request[rows], w.kind[rows], origin, self._number + rows, w.at[rows], uuids, w.fact[rows])):
            column.frombytes(values.tobytes())

    def _keep(self, kept: LineTable, places: np.ndarray, rows: np.ndarray) -> None:
        """Keep where these lines lie."""
        source, lengths = np.full(len(rows), self._scanner.source, np.int32), places[rows + 1] - places[rows] - 1
        columns = (kept.request, kept.source, kept.line, kept.offset, kept.length)
        for column, values in zip(columns, (self._window.request[rows], source, self._number + rows, places[rows], lengths)):
            column.frombytes(values.tobytes())
