"""For which requests the API's workers write, told to `Headers` for the web server's lines, which name none; and these lines."""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from .framing import ACCESS_MARK
from .groups import first_in_rows
from .headers import MOST_PENDING
from .lefts import SUFFIX, Lefts
from .marks import Marks
from .window import Window

if TYPE_CHECKING:
    from .scan import SourceScanner

_TAIL = 128  # bytes of a line in which its debug suffix is looked for
_BRACE = ord("{")


class Queues:
    """What lines of a stretch have told of workers, told on as late as that can be: of many lines for one request only the last counts."""

    def __init__(self, scanner: SourceScanner, pids: np.ndarray, rows: np.ndarray, requests: np.ndarray) -> None:
        """These rows were written by these processes for these requests."""
        self._push = scanner._pending.push
        self._of: dict[int, tuple[list[int], list[int]]] = {}
        self._told: dict[int, int] = {}  # how many
        for pid in set(pids.tolist()):
            own = pids == pid
            self._of[pid], self._told[pid] = (rows[own].tolist(), requests[own].tolist()), 0

    def tell(self, pid: int, stop: int) -> None:
        """Tell what the rows up to one say of a worker."""
        if pid in self._of:
            rows, requests = self._of[pid]
            count, told = bisect_left(rows, stop), self._told[pid]
            for request in reversed([*islice(dict.fromkeys(reversed(requests[told:count])), MOST_PENDING)]):
                self._push(pid, request)
            self._told[pid] = count

    def tell_all(self, stop: int) -> None:
        """Tell what the rows up to one say of all workers."""
        for pid in self._of:
            self.tell(pid, stop)


def tell_queues(scanner: SourceScanner, lefts: Lefts, marks: Marks, w: Window, start: int, stop: int) -> None:
    """Tell what the careful way would of these lines of a window."""
    rows = start + np.flatnonzero((w.request[start:stop] >= 0) & lefts.column("is_api")[w.left[start:stop]])
    accesses = start + np.flatnonzero(w.access[start:stop])
    # Of lines in a row that are of the same only the first has something to tell; behind a line of the web server it is told again.
    whom = w.request[rows].astype(np.int64) << 32 | w.process[rows] * 2 + w.debug[rows]
    news = np.append(True, whom[1:] != whom[:-1])[: len(rows)]
    news[(again := rows.searchsorted(accesses))[again < len(rows)]] = True
    last = int(rows[-1]) if len(rows) else -1
    rows = rows[news]
    plain = _are_plain(scanner, lefts, marks, w, rows)
    pids = lefts.column("pid")[w.left[rows]]
    queues = Queues(scanner, *(column[plain & (pids >= 0)] for column in (pids, rows, w.request[rows])))
    points = np.sort(np.concatenate((rows[~plain], accesses)))
    columns = (w.access, w.process, w.debug, w.request, w.starts, w.body, w.ends)
    for row, (is_access, process, debug, request, begin, body, end) in zip(points.tolist(), zip(*(column[points].tolist() for column in columns))):
        if is_access:
            pid = marks.data[body + len(ACCESS_MARK) : body + 16].partition(b"|")[0]
            queues.tell(int(pid) if pid.isdigit() else -1, row)
            scanner._without_header(process, marks.data[body:end])
        else:
            queues.tell_all(row)
            scanner._pend((process, debug, request), marks.data[begin:end])
    queues.tell_all(stop)
    if last >= 0 and (not len(accesses) or last > accesses[-1]):
        scanner._pended = int(w.process[last]), bool(w.debug[last]), int(w.request[last])


def _are_plain(scanner: SourceScanner, lefts: Lefts, marks: Marks, w: Window, rows: np.ndarray) -> np.ndarray:
    """Which lines tell of no other worker than the process that wrote them: those of which the suffix names it, and those without one."""
    plain = ~w.debug[rows] if scanner._layout != "oslo" else np.ones(len(rows), bool)
    left = np.flatnonzero(~plain & (w.ends[rows] >= _TAIL))
    ends = w.ends[rows[left]]
    back = first_in_rows(marks.pieces(ends - _TAIL, _TAIL)[:, ::-1] == _BRACE)
    left, begins = left[back >= 0], (ends - back - 2)[back >= 0]
    number = w.left[rows[left]]
    shown = marks.pieces(begins, SUFFIX) & lefts.column("suffix_mask")[number]
    plain[left] = (shown == lefts.column("suffix")[number]).all(axis=1)
    return plain
