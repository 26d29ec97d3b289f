"""What the compiled kernel does, in Python: the lines of a block that look as they should, straight into the columns of events.

Many lines are looked at together (`window`), by numpy as far as it can do that. Then they are taken in stretches (`stretch`), as many as can be
taken before one that is for the careful way, `SourceScanner._line`, which reads it in its place among the others: lines that nobody has seen the
like of, records that go on, messages that no row matches, steps of the clock.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from ..collector import keep_memory
from .brackets import Brackets
from .clean import BOM, clean_all
from .continued import DEAF, LEAST_PREFIX
from .counts import Counts
from .groups import WIDEST
from .heard import Hearing
from .lefts import Left, Lefts
from .marks import Marks
from .stretch import Stretch
from .tables import Header
from .window import Watch

if TYPE_CHECKING:
    from .scan import SourceScanner

_MOST_CONTEXTS = 100_000
_MANY_LEFTS = 50_000
_MOST_COUNTED = 1 << 17
# Lines that are looked at together: few at first, when most lines are new, and where there is reason to look anew.
_LEAST, _MOST = 64, 1 << 14
_NEWLINE, _TAB, _BLANK = b"\n\t "
_FEW = 16  # lines that are not worth a stretch; careful ones after which it is worth to look anew with what they taught


class FastLines:
    """Reads the lines of one source for its `SourceScanner`."""

    def __init__(self, scanner: SourceScanner) -> None:
        self.scanner, self.scan = scanner, scanner.scan
        self._counts = Counts(scanner.scan)
        self._hearing = Hearing(scanner.scan, scanner._layout)
        self._lefts, self._brackets = Lefts(), Brackets(scanner.read_request)
        self._senders: dict[bytes, tuple[int, int]] = {}  # of lines without level, logger and bracket: process and writer
        self._watch: Watch | None = None  # from when on the width of stamps is known
        self._size = _LEAST
        self._let_go = 0
        keep_memory()

    # -- what the careful way learns -----------------------------------------------------------------------------------

    def learn(self, key: bytes, bracket: int, header: Header, from_api: bool, is_api: bool) -> None:
        """A header that the careful way took apart: ``key`` is what stands between stamp and bracket's end, the bracket's inside begins at ``bracket``."""
        text = key[:bracket]
        if text.find(b" [") + 2 != bracket or bracket > WIDEST:
            return
        from_api = from_api and self.scan.wanted is None  # else nobody wants to know who is named
        if text not in self._lefts.numbers:
            writer = self._counts.add(header.process, header.origin, header.debug)
            pid = self.scan.processes[header.process].pid
            self._lefts.add(text, Left(header, writer, pid, self._hearing.voice(header), from_api, is_api))
        self._brackets.learn(self._brackets.number(key[bracket:], from_api), header.request)

    def learn_sender(self, key: bytes, process: int, quick: bool) -> None:
        """What stands between the stamp and the text of lines of this process that have no level, logger and bracket."""
        if quick and key not in self._senders:
            self._senders[key] = process, self._counts.add(process, -1, False)

    def settle(self) -> None:
        """Adds what was counted of records to the scan, and forgets it."""
        self._counts.settle()

    # -- a block -------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes, number: int, offset: int) -> int:
        """The lines of a block, each of which ends in it; the number of the line behind them."""
        if self._let_go != self.scan.let_go:
            self._let_go = self.scan.let_go
            self._hearing.forget_said()
        marks = Marks(data)
        places = np.append(marks.starts, marks.ends[-1] + 1) + offset if self.scan.kept is not None else None
        if not marks.is_ascii:
            self.scanner.check_text(data)
        if marks.is_dirty or (not marks.is_ascii and BOM in data):
            marks = Marks(clean_all(data))
        at, count = 0, len(marks)
        self.scanner.deaf = 0
        while at < count:
            if self.scanner.deaf:
                at = self._pass_deaf(marks, at, count)
                self.scanner.deaf = 0
            elif at < marks.safe and self.scanner._width:
                self._watch = self._watch or Watch(self.scanner, self._lefts, self._brackets, self._senders, self._hearing)
                at = self._read(self._watch, marks, at, number, places)
            else:
                self._read_carefully(marks, at, number, places)
                at += 1
        self._make_room()
        return number + count

    def _read(self, watch: Watch, marks: Marks, first: int, number: int, places: np.ndarray | None) -> int:
        """Read lines from this one on, as far as they are looked at together; the place of the line behind them."""
        window = watch.look(marks, first, min(first + self._size, marks.safe))
        if len(marks.joined):
            joined = marks.joined - first
            window.careful[joined[(joined >= 0) & (joined < len(window))]] = True
        stretch = Stretch(self.scanner, watch, marks, window, number + first, None if places is None else places[first:])
        careful = [*np.flatnonzero(window.careful).tolist(), len(window)]
        known, clock = len(self._lefts), self.scanner.stamps.state
        at = slow = 0
        anew = False
        while at < len(window) and not anew:
            stop = careful[bisect_left(careful, at)]
            if stop - at >= _FEW:
                at = stretch.take(at, stop)
                self.scanner.deaf = 0
            if at < len(window):
                self._read_carefully(marks, first + at, number, places)
                at, slow = at + 1, slow + 1
                if self.scanner.deaf:
                    at = self._pass_deaf(marks, first + at, first + len(window)) - first
                anew = self.scanner.stamps.state != clock or (slow >= _FEW and len(self._lefts) > known)
        taken = np.flatnonzero(window.taken)
        self._counts.append(window.request[taken], window.writer[taken], window.at[taken], taken + (number + first))
        self._size = max(_LEAST, min(4 * at if anew else 2 * self._size, _MOST))
        return first + at

    def _pass_deaf(self, marks: Marks, at: int, stop: int) -> int:
        """The first line from this one on, or ``stop``, that may change anything: see `SourceScanner.deaf`."""
        all_pass = self.scanner.deaf == DEAF
        size = 1  # most often it is the next
        while at < stop:
            ends = min(stop, at + size)
            heard = ~(has_no_prefix(marks, at, ends) if all_pass else _is_indented(marks, at, ends)) if size > 1 else _hears(marks.line(at), all_pass)
            if np.any(heard):
                return at + int(np.argmax(heard))
            at, size = ends, max(_LEAST, 4 * size)
        return stop

    def _read_carefully(self, marks: Marks, at: int, number: int, places: np.ndarray | None) -> None:
        place = (0, 0) if places is None else (places.item(at), places.item(at + 1) - places.item(at) - 1)
        self.scanner._line(marks.line(at), number + at, *place)

    def _make_room(self) -> None:
        if len(self._brackets) > _MOST_CONTEXTS:
            self._brackets.clear()
        if len(self._lefts) + len(self._senders) > _MANY_LEFTS:
            self._counts.settle()
            self._counts.forget_writers()
            self._hearing.forget()
            self._lefts.clear()
            self._senders.clear()
        elif len(self._counts) > _MOST_COUNTED:
            self._counts.settle()


def _hears(line: bytes, all_pass: bool) -> bool:
    """Whether a single line is none of those that pass."""
    if all_pass:
        short, first = len(line) < LEAST_PREFIX, line[:4]
        return line[:1] == b"-" or not (short or not (first[3:] == b" " if first[:1].isupper() else first.isdigit()))
    return line[:1] not in (b"", b" ", b"\t")


def _is_indented(marks: Marks, start: int, stop: int) -> np.ndarray:
    """Which lines are indented, or empty."""
    first = marks.bytes(np.minimum(marks.starts[start:stop], len(marks.data) - 1))
    return (first == _BLANK) | (first == _TAB) | (first == _NEWLINE)


def has_no_prefix(marks: Marks, start: int, stop: int) -> np.ndarray:
    """Which lines cannot begin as any format has it, for sure, nor as a line of the journal itself: stamps begin with a word of three letters or with four digits."""
    starts, most = marks.starts[start:stop], len(marks.data) - 1
    first, *others = (marks.bytes(np.minimum(starts + n, most)) for n in range(4))
    upper = (first >= ord("A")) & (first <= ord("Z")) & (others[-1] == _BLANK)
    digits = np.logical_and.reduce([(column >= ord("0")) & (column <= ord("9")) for column in (first, *others)])
    return (first != ord("-")) & ((marks.ends[start:stop] - starts < LEAST_PREFIX) | ~(upper | digits))
