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
from .counts import Counts
from .groups import WIDEST
from .headers import MANY_HEADERS
from .heard import Hearing
from .lefts import Left, Lefts
from .marks import Marks
from .stretch import Stretch
from .tables import Header
from .window import Watch

if TYPE_CHECKING:
    from .scan import SourceScanner

_MOST_CONTEXTS = 100_000
_MOST_COUNTED = 1 << 17
# Lines that are looked at together: few at first, when most lines are new, and where there is reason to look anew.
_LEAST, _MOST = 64, 1 << 14
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
        while at < count:
            if at < marks.safe and self.scanner._width:
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
            if at < len(window):
                self._read_carefully(marks, first + at, number, places)
                at, slow = at + 1, slow + 1
                anew = self.scanner.stamps.state != clock or (slow >= _FEW and len(self._lefts) > known)
        taken = np.flatnonzero(window.taken)
        self._counts.append(window.request[taken], window.writer[taken], window.at[taken], taken + (number + first))
        self._size = max(_LEAST, min(4 * at if anew else 2 * self._size, _MOST))
        return first + at

    def _read_carefully(self, marks: Marks, at: int, number: int, places: np.ndarray | None) -> None:
        place = (0, 0) if places is None else (places.item(at), places.item(at + 1) - places.item(at) - 1)
        self.scanner._line(marks.line(at), number + at, *place)

    def _make_room(self) -> None:
        if len(self._brackets) > _MOST_CONTEXTS:
            self._brackets.clear()
        if len(self._lefts) + len(self._senders) > MANY_HEADERS:
            self._counts.settle()
            self._counts.forget_writers()
            self._hearing.forget()
            self._lefts.clear()
            self._senders.clear()
        elif len(self._counts) > _MOST_COUNTED:
            self._counts.settle()
