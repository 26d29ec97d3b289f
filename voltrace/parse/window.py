"""What lines say, found out for many at once: whatever does not depend on the lines before them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..formats import HEAD_LEVELS
from .brackets import Brackets
from .changes import TAIL, Changes
from .forms import MISSING
from .framing import ACCESS_MARK, split_suffix
from .glued import may_be_glued
from .groups import first_in_rows, group
from .heads import HeadFinder
from .heard import CAREFUL, UNKNOWN, Hearing
from .instants import Instants
from .lefts import NOBODY, Lefts
from .marks import Marks
from .tables import NO_REQUEST

if TYPE_CHECKING:
    from .scan import SourceScanner

_LEVELS = np.zeros(256, bool)  # what they begin with
_LEVELS[[level[0] for level in HEAD_LEVELS]] = True
_LEVEL_ENDS = frozenset(level[-1:] for level in HEAD_LEVELS)
_UUID, _NAME = 36, 128  # bytes of a uuid, and of what stands before it at most
_SENDER = 64  # bytes of what stands between the stamp and the text of lines without level, logger and bracket, at most
_TASK, _FLOW, _ACCESS = (int.from_bytes(text, "little") for text in (b"Task '", b"Flow '", ACCESS_MARK))
_BEGINNING = np.uint64((1 << 48) - 1)  # so many bytes of a word as these have
_BLANK, _BRACE, _ROUND, _COLON = b" }(:"


@dataclass(slots=True, eq=False)
class Window:
    """Some lines of a block, one row each in every column.

    ``left`` and ``context`` are numbers, ``first`` the first row with the same context, ``request`` that of the context if it is known by now; ``process``
    and ``writer`` wrote the line. ``body`` is where its text begins. ``kind`` and ``fact`` are of the event that it is, ``uuid`` where that stands; -1
    where there is none, and ``kind`` is `UNKNOWN` for a message that no row matches. ``careful`` are for the careful way, whatever stands before them.
    ``at`` is filled in for the lines that are ``taken``.
    """

    starts: np.ndarray
    ends: np.ndarray
    opening: np.ndarray
    body: np.ndarray
    left: np.ndarray
    process: np.ndarray
    writer: np.ndarray
    debug: np.ndarray
    from_api: np.ndarray
    context: np.ndarray
    first: np.ndarray
    request: np.ndarray
    fraction: np.ndarray
    turns: np.ndarray
    careful: np.ndarray
    kind: np.ndarray = field(init=False)
    fact: np.ndarray = field(init=False)
    uuid: np.ndarray = field(init=False)
    at: np.ndarray = field(init=False)
    access: np.ndarray = field(init=False)
    taken: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        count = len(self)
        self.kind, self.fact, self.uuid = np.full(count, -1, np.int32), np.full(count, -1, np.int32), np.full(count, -1, np.int64)
        self.at, self.access, self.taken = np.zeros(count, np.int64), np.zeros(count, bool), np.zeros(count, bool)

    def __len__(self) -> int:
        return len(self.starts)


class Watch:
    """Looks at the lines of one source."""

    def __init__(self, scanner: SourceScanner, lefts: Lefts, brackets: Brackets, senders: dict[bytes, tuple[int, int]], hearing: Hearing) -> None:
        """``senders`` are process and writer of lines without level, logger and bracket, by what stands between their stamp and their text."""
        self._scanner, self.lefts, self.brackets, self._senders, self._hearing = scanner, lefts, brackets, senders, hearing
        self._width, self._oslo = scanner._width, scanner._layout == "oslo"
        self._heads, self._changes = HeadFinder(lefts, brackets), Changes(scanner.know_transition)
        self.instants = Instants(scanner._format, self._width, scanner.read_whole_stamp)

    def look(self, marks: Marks, first: int, stop: int) -> Window:
        """The lines of a block from one to another, or up to one of another month (`Instants.days`)."""
        starts, ends = marks.starts[first:stop], marks.ends[first:stop]
        heads = self._heads.find(marks, starts + self._width, ends)
        fraction = self.instants.fractions(marks, starts)
        recorded = heads.whole & (fraction >= 0)
        days = self.instants.days(marks, starts)
        other = days != days[recorded.argmax()]
        if (later := recorded & other).any():
            count = int(later.argmax())
            heads.cut(count)
            starts, ends, fraction, recorded, other = (column[:count] for column in (starts, ends, fraction, recorded, other))
        process, writer, debug, from_api = (self.lefts.column(name)[heads.left] for name in ("process", "writer", "debug", "from_api"))
        request = np.where(recorded, self.brackets.requests(heads.context), NO_REQUEST)
        w = Window(
            starts,
            ends,
            heads.opening,
            heads.closing + 2,
            heads.left,
            process,
            writer,
            debug,
            from_api,
            heads.context,
            heads.first,
            request,
            fraction,
            self.instants.turns(marks, starts),
            ~recorded,
        )
        self._listen(marks, w, np.flatnonzero(recorded & ~(w.debug & (w.request == NO_REQUEST))))
        w.careful |= (w.kind == CAREFUL) | ((w.kind == UNKNOWN) & (w.request >= 0))
        self._find_senders(marks, w, np.flatnonzero((w.left == NOBODY) & (ends - starts > self._width) & (fraction >= 0) & ~other))
        self._find_glued(marks, w, heads.nth)
        return w

    def _listen(self, marks: Marks, w: Window, rows: np.ndarray) -> None:
        """Find out which events these lines are."""
        words = marks.words(w.body[rows]) & _BEGINNING
        changes = (words == _TASK) | (words == _FLOW)
        self._find_changes(marks, w, rows[changes])
        rows = rows[~changes]
        said, keys = self._hearing.forms.find(marks, w.left[rows], w.body[rows], w.ends[rows])
        missing = np.flatnonzero(said == MISSING)
        rest = rows[missing]
        data, hear, heard = marks.data, self._hearing.hear, []
        voices = [left.voice for left in self.lefts]
        for left, key, a, b in zip(w.left[rest].tolist(), keys[missing].tolist(), w.body[rest].tolist(), w.ends[rest].tolist()):
            voice, body = voices[left], data[a:b]
            known = voice.said.get(body)
            heard.append(hear(voice, body, (key, left)) if known is None else known)
        said[missing] = heard
        w.kind[rows], w.fact[rows] = said >> 32, said.astype(np.int32)

    def _find_changes(self, marks: Marks, w: Window, rows: np.ndarray) -> None:
        """Which transitions these lines are."""
        w.kind[rows] = CAREFUL
        pieces = marks.pieces(w.body[rows], _NAME)
        lengths = first_in_rows(pieces == _ROUND) + 1
        place = w.body[rows] + lengths
        fits = w.debug[rows] & (lengths > 0) & (place + (_UUID + TAIL) <= w.ends[rows])
        if not self._oslo:
            fits &= self._is_whole(marks, w.ends[rows])
        rows, pieces, lengths, place = rows[fits], pieces[fits], lengths[fits], place[fits]
        names, _ = group(pieces, lengths)
        first, firsts = group(marks.pieces(place + _UUID, TAIL), np.full(len(rows), TAIL), names)
        data = marks.data
        found = [self._changes.find(data[a:b], data[b + _UUID : b + _UUID + TAIL]) for a, b in zip(w.body[rows[firsts]].tolist(), place[firsts].tolist())]
        kinds = np.full(len(rows), CAREFUL, np.int32)
        kinds[firsts] = [CAREFUL if change is None else change.kind for change in found]
        w.kind[rows], w.uuid[rows] = kinds[first], place
        for at, change in zip(firsts.tolist(), found):
            if change is not None and change.wants is not None:
                for row in rows[first == at].tolist():
                    self._find_results(marks, w, row, *change.wants)

    def _find_results(self, marks: Marks, w: Window, row: int, task: str, state: str, stop: int) -> None:
        """The facts in the result of a transition; ``stop`` is behind its uuid."""
        start, end = int(w.starts[row]), int(w.ends[row])
        line = marks.data[start:end]
        if self._oslo and split_suffix(line, "oslo")[1] is None:
            w.kind[row] = CAREFUL
            return
        values = self._scanner._find_results(task, state, line, int(w.uuid[row]) + _UUID + stop - start)
        w.fact[row] = -1 if values is None else self._hearing.add_facts(values)

    def _find_glued(self, marks: Marks, w: Window, nth: np.ndarray) -> None:
        """Which lines may hold another record behind their own: few have another bracket behind a logger and a level."""
        opened, data = marks.openings, marks.data
        nth = nth + (opened[nth] <= w.body)  # the first in the message
        rows = np.flatnonzero((opened[nth] < w.ends) & ~w.careful)
        for row, body, end, at in zip(rows.tolist(), w.body[rows].tolist(), w.ends[rows].tolist(), nth[rows].tolist()):
            while (bracket := opened.item(at)) < end:
                level = data.rfind(b" ", body, bracket - 1)
                if data[level - 1 : level] in _LEVEL_ENDS or data.startswith(ACCESS_MARK, bracket):
                    w.careful[row] = may_be_glued(data[body:end], 1)
                    break
                at += 1

    def _is_whole(self, marks: Marks, ends: np.ndarray) -> np.ndarray:
        """Which of the DEBUG records that end there have all of their suffix."""
        one, two, three = (marks.bytes(ends - back) for back in (1, 2, 3))
        return (two == _BRACE) & ((one == _BRACE) | ((one == _BLANK) & (three == _BRACE)))

    def _find_senders(self, marks: Marks, w: Window, rows: np.ndarray) -> None:
        """Who wrote these lines, which have no level, logger and bracket."""
        keys = w.starts[rows] + self._width
        pieces = marks.pieces(keys, _SENDER)
        marked = pieces[:, :-1] == _COLON
        marked &= pieces[:, 1:] == _BLANK
        lengths = first_in_rows(marked) + 2
        body = keys + lengths
        fits = (lengths >= 2) & (body <= w.ends[rows]) & ~_LEVELS[marks.bytes(body)]
        rows, pieces, keys, lengths, body = rows[fits], pieces[fits], keys[fits], lengths[fits], body[fits]
        like, firsts = group(pieces, lengths)
        found = [self._senders.get(marks.data[a : a + n], (-1, -1)) for a, n in zip(keys[firsts].tolist(), lengths[firsts].tolist())]
        whose = np.zeros((len(rows), 2), np.int32)
        whose[firsts] = np.array(found, np.int32).reshape(-1, 2)
        known = whose[like, 0] >= 0
        rows, body = rows[known], body[known]
        w.process[rows], w.writer[rows] = whose[like[known]].T
        w.careful[rows] = False
        w.body[rows] = body
        w.access[rows] = marks.words(body) & _BEGINNING == _ACCESS
