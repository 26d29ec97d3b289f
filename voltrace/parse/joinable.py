"""Sources that may be read in pieces: how a reader begins in the middle of one, and how one that has read up to there takes in what another read behind it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .clock import StampReader
from .compiled import Compiled
from .headers import NO_TIME
from .mended import Broken
from .tables import Header, Interrupted, Open, Scan

if TYPE_CHECKING:
    from .pieces import Piece


class Joinable(Compiled):
    """Knows where it stands in its source."""

    def __init__(self, scan: Scan, name: str, layout: str, resolution_us: int, stamps: StampReader) -> None:
        super().__init__(scan, name, layout, resolution_us)
        self.stamps = stamps
        self._width = 0
        self._number = 1  # of the next line
        self._invalid = False
        self._broken: Broken | None = None  # the latest line of the careful way, if it broke off in its head

    def begin_at(self, width: int) -> None:
        """Begin with the width of its stamps."""
        self._width = width

    def begin_inside(self, width: int, state: tuple[int, int, bool]) -> None:
        """Begin in the middle of the source: with the width of its stamps, and where its clock stands."""
        self._width, self._begun_busy = width, True
        self._busy = bytearray(b"\1" * len(self._busy))
        self.stamps.resume(state)

    def report(self, piece: Piece) -> None:
        """What `joining` must know about the ends of the piece that was read here."""
        piece.lines, piece.joins, piece.orphans, piece.firsts = self._number - 1, self.joins, self.orphans, self._firsts
        piece.latest = {process: at for process, at in enumerate(self._latest) if at != NO_TIME}
        piece.open, piece.interrupted = self._open, self._interrupted
        piece.last, piece.unfinished, piece.pending = self._last, self._unfinished, self._pending.all()
        piece.clock, piece.invalid, piece.broken = self.stamps.state, self._invalid, self._broken

    @property
    def source(self) -> int:
        return self._source

    @property
    def invalid(self) -> bool:
        """Whether bytes that are no text were met."""
        return self._invalid

    def latest_record(self) -> tuple[int, int]:
        """Process and instant of the latest record; -1 and `NO_TIME` if there is none."""
        return (self._last.process, self._latest[self._last.process]) if self._last is not None else (-1, NO_TIME)

    def lines_before(self) -> int:
        """How many lines were read so far."""
        return self._number - 1

    def can_be_joined(self) -> bool:
        """Whether what comes next can be read without what is open here: if that is a DEBUG record, other records may turn out to be its text."""
        return self._broken is None and not self._interrupted and all(not r.header.debug or self._is_whole(r.text[-1]) for r in self._open.values())

    def take_orphan(self, process: int | None, body: bytes, number: int) -> None:
        """A line of a later piece that may go on with a record here."""
        if process is None:
            self._unframed(body, number)
        else:
            self._continue(process, body)

    def take_first(self, process: int, at: int, number: int) -> None:
        """The first record of a process in a later piece: what was open of it is complete."""
        self._make_room()
        if process in self._open:
            self._close(process)
            self._busy[process] = False
        if self._latest[process] != NO_TIME:
            self._watch_clock(process, self._latest[process], at, number)
        self._firsts.setdefault(process, (number, at))

    def set_latest(self, process: int, at: int) -> None:
        self._make_room()
        self._latest[process] = at

    def reopen(self, record: Open) -> None:
        """A record that is open at the end of a later piece."""
        self._keep_open(record)

    def interrupt(self, record: Interrupted) -> None:
        """A record that was interrupted at the end of a later piece."""
        process = record.record.header.process
        self._interrupted[process] = record
        self._busy[process] = True

    def break_off(self, broken: Broken | None) -> None:
        """The last line of a later piece broke off in its head."""
        self._broken = broken

    def pop_pending(self, pid: int, requests: Iterable[int]) -> array:
        """The requests that a worker was at work on before its first access line in a later piece, with those of that piece."""
        for request in requests:
            self._pending.push(pid, request)
        return array("i", self._pending.pop(pid))

    def move_on(
        self, lines: int, last: Header | None, unfinished: bool, pending: dict[int, list[int]], clock: tuple[int, int, bool] | None, invalid: bool
    ) -> None:
        """Stand where a later piece ends."""
        self._number += lines
        if last is not None:
            self._last, self._unfinished = last, unfinished
            self._pended = None
        for pid, requests in pending.items():
            for request in requests:
                self._pending.push(pid, request)
        if clock is not None:
            self.stamps.resume(clock)
        self._invalid = self._invalid or invalid

    def _unframed(self, line: bytes, number: int) -> None:
        """A line without a prefix."""
        raise NotImplementedError
