"""What the compiled kernel does, in Python: the lines of a block that look as they should, straight into the columns of events.

Whatever is declined here goes to `SourceScanner._line`, in its place among the other lines: lines that nobody has seen the like of,
records that go on, messages that no row matches, steps of the clock. Pieces that few lines differ in are looked up whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from ..trace import EventTable
from .clean import clean, is_dirty
from .clock import GAP_US, STEP_US
from .continued import DEBUG_END
from .counts import Counts
from .framing import split_suffix
from .headers import MANY_HEADERS
from .heard import Hearing, Said, Voice
from .tables import NO_REQUEST, Header

if TYPE_CHECKING:
    from .scan import SourceScanner

_STEPS = frozenset({b"Task '", b"Flow '"})
_INTO, _FROM = b") transitioned into state '", b"' from state '"
_ENDS = tuple(end + b"\n" for end in DEBUG_END)
_LEVELS = b"DIWECTA"  # what they begin with
_MOST_CONTEXTS = 100_000
_MOST_COUNTED = 1 << 17
_MOST_NAMES, _MOST_TAILS = 1000, 1000
# Where the whole second of a stamp ends, with the mark behind it; how many digits follow, and the unit of the last (µs).
_FRACTIONS = {"short-precise": (16, 6, 1), "oslo": (20, 3, 1000)}
# A transition: kind, no fact, and if facts of its result are wanted: the task, its state, and where the result begins behind the uuid.
_Step = tuple[int, int, tuple[str, str, int] | None]


class Left:
    """What stands between the stamp and the bracket: who writes, at which level, by which logger. ``writer`` is its number in `Counts`.

    ``contexts`` are the requests of brackets; ``suffix`` begins DEBUG records' suffixes if the process itself is the worker; ``steps``
    tells whether transitions were seen.
    """

    __slots__ = ("header", "writer", "process", "origin", "debug", "whom", "from_api", "is_api", "contexts", "pid", "suffix", "voice", "said", "steps")

    def __init__(self, header: Header, writer: int, pid: int | None, voice: Voice) -> None:
        self.header, self.writer, self.process, self.origin, self.debug = header, writer, header.process, header.origin, header.debug
        self.whom = header.process * 2 + header.debug
        self.pid = pid
        self.suffix = b"{{(pid=%d)" % (-1 if pid is None else pid)
        self.voice, self.said = voice, voice.said
        self.from_api = self.is_api = self.steps = False
        self.contexts: dict[bytes, int] = {}


class FastLines:
    """Reads the lines of one source for its `SourceScanner`."""

    def __init__(self, scanner: SourceScanner) -> None:
        self.scanner, self.scan = scanner, scanner.scan
        self._oslo = scanner._layout == "oslo"
        self._counts = Counts(scanner.scan)
        self._hearing = Hearing(scanner.scan, scanner._layout)
        self._lefts: dict[bytes, Left] = {}
        self._senders: dict[bytes, tuple[int, int]] = {}  # of lines without level, logger and bracket: process and writer
        self._contexts: tuple[dict[bytes, int], dict[bytes, int]] = ({}, {})  # of others and of the API
        self._steps: dict[bytes, dict[bytes, _Step]] = {}  # by what stands before and behind the uuid
        self._whole, self._digits, self._scale = _FRACTIONS.get(scanner._format.name, (0, 0, 0))
        self._mark, self._skip, self._nearest = b"[", 0, 1 << 30  # what opens the bracket, and from where it is searched for
        scanner._latest = list(scanner._latest)  # which Python reads faster than an array
        self._first, self._places = 1, [0]
        self._fractions = np.zeros(0, np.int32)
        # Of each line of the block so far: request and writer (-1: not counted); and from which lines on which whole second holds.
        self._requests: list[int] = []
        self._writers: list[int] = []
        self._seconds: list[tuple[int, int]] = []
        self._events: tuple[list[int], list[int], list[bytes], list[int]] = ([], [], [], [])  # line, kind, uuid and fact of each that waits
        self._whose, self._whom = NO_REQUEST, 0  # `scanner._pended`

    # -- what the careful way learns -----------------------------------------------------------------------------------

    def learn(self, key: bytes, bracket: int, header: Header, from_api: bool, is_api: bool) -> None:
        """A header that the careful way took apart: ``key`` is what stands between stamp and bracket's end, the bracket's inside begins at ``bracket``."""
        text = key[:bracket]
        if text.find(b" [") + 2 != bracket:
            return
        left = self._lefts.get(text)
        if left is None:
            writer = self._counts.add(header.process, header.origin, header.debug)
            left = self._lefts[text] = Left(header, writer, self.scan.processes[header.process].pid, self._hearing.voice(header))
            left.from_api, left.is_api, left.contexts = from_api, is_api, self._contexts[from_api]
            self._skip, self._nearest = max(self._skip, text.rfind(b"[", 0, -1) + 1), min(self._nearest, bracket - 1)
            if self._skip > self._nearest:
                self._mark, self._skip = b" [", 0
        left.contexts[key[bracket:] + b"] "] = header.request

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
        lines = list(BytesIO(data))  # several times as fast as `split`; each keeps its newline
        if not data or data.endswith(b"\n"):
            lines.append(b"\n")
        else:
            lines[-1] += b"\n"
        self._first, self._requests, self._writers, self._seconds = number, [], [], [(number, 0)]
        if self.scan.kept is not None:
            self._places = list(accumulate(map(len, lines), initial=offset))
        if is_dirty(data):
            lines = [clean(line[:-1]) + b"\n" for line in lines]
            data = b"".join(lines)
        behind = number + len(lines)
        self._fractions = self._read_fractions(data, lines)
        pending = zip(range(number, behind), lines, self._fractions.tolist())
        while (declined := self._take(pending)) is not None:
            number, line = declined
            self._add_events()
            self.scanner._line(line[:-1], number, *self._place(number))
        self._add_events()
        self._counts.append(*self._columns(), self._first)
        self._make_room()
        return behind

    def _read_fractions(self, data: bytes, lines: list[bytes]) -> np.ndarray:
        """The fractions of the lines' stamps (µs), -1 for what is none. ``data`` is all lines."""
        if not self._digits or len(data) < self._digits:
            return np.full(len(lines), -1 if self._digits else 0, np.int32)
        text = np.frombuffer(data, np.uint8)
        lengths = np.fromiter(map(len, lines), np.int64, len(lines))
        places = np.cumsum(lengths) - lengths + self._whole
        places = np.minimum(places, len(text) - self._digits)  # a last line that is too short has no stamp
        digits = text[places[:, None] + np.arange(self._digits)] - 48
        found = digits.astype(np.int32) @ (10 ** np.arange(self._digits - 1, -1, -1, dtype=np.int32) * self._scale)
        return np.where((digits < 10).all(axis=1), found, -1)

    def _take(self, lines: Iterator[tuple[int, bytes, int]]) -> tuple[int, bytes] | None:
        """Read lines, each with its number and the fraction of its stamp, up to one that is for the careful way; None if none was."""
        # All in local variables, and no call a line that can be saved: this loop is where the time goes.
        scanner, kept, no_uuid = self.scanner, self.scan.kept, EventTable.NO_UUID
        waiting = self._events
        add_line, add_kind, add_uuid, add_fact = waiting[0].append, waiting[1].append, waiting[2].append, waiting[3].append
        count_request, count_writer = self._requests.append, self._writers.append
        find_left, find_steps, latest = self._lefts.get, self._steps.get, scanner._latest
        busy = scanner._busy if 1 in scanner._busy else None
        width, whole, oslo = scanner._width, self._whole or scanner._width, self._oslo
        mark, beyond, skip = self._mark, len(self._mark), width + self._skip
        most_back, most_on, ends = -STEP_US, GAP_US, _ENDS
        second, base = b"", 0
        last: Left | None = None
        self._take_pended()
        for number, line, fraction in lines:
            if line[:whole] != second:
                found = self._read_second(line)
                if found is None:
                    break
                second, base = line[:whole], found
                self._seconds.append((number, base))
            if fraction < 0:
                break
            at = base + fraction
            opening = line.find(mark, skip) + beyond
            left = find_left(line[width:opening])
            if left is None:
                writer = self._take_headless(line, number, at)
                if writer < 0:
                    break
                count_request(NO_REQUEST)
                count_writer(writer)
                continue
            process = left.process
            start = line.find(93, opening) + 2  # behind "] "
            request = left.contexts.get(line[opening:start])
            if request is None:
                request = self._read_context(left, line[opening:start])
            if request is None or (busy is not None and busy[process]) or not most_back <= at - latest[process] <= most_on:
                break
            if request >= 0 or not left.debug:
                place = line.find(40, start) + 1 if left.steps else 0  # behind "' ("
                tails = find_steps(line[start:place])
                if tails is not None:
                    tail = line[place + 36 : place + 100]  # both states, and hardly more
                    step = tails.get(tail)
                    if step is None:
                        step = self._find_step(tails, line[start:place], tail)
                    if step is None or (line[-3:] != b"}}\n" and not oslo and not line.endswith(ends)):
                        break
                    kind, fact, wants = step
                    if wants is not None:
                        if oslo and split_suffix(line[:-1], "oslo")[1] is None:
                            break
                        fact = self._find_results(wants, line[:-1], place + 36)
                    add_uuid(line[place : place + 36])
                else:
                    said = left.said.get(line[start:])
                    if said is None:
                        said = self._hear(left, request, line[start:])
                        if said is None:
                            break
                    kind, fact = said
                    if kind >= 0:
                        add_uuid(no_uuid)
                if kind >= 0:
                    add_line(number)
                    add_kind(kind)
                    add_fact(fact)
            latest[process] = at
            last = left
            count_request(request)
            count_writer(left.writer)
            if request >= 0:
                if left.is_api and (request != self._whose or left.whom != self._whom):
                    self._pend(left, request, line)
                if kept is not None:
                    kept.append(request, scanner._source, number, *self._place(number))
        else:
            self._tell(last)
            return None
        self._tell(last)
        count_request(NO_REQUEST)
        count_writer(-1)
        return number, line

    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Request, writer and instant of each line of the block so far."""
        firsts, seconds = np.array(self._seconds, np.int64).T
        count = len(self._requests)
        at = np.repeat(seconds, np.diff(firsts, append=self._first + count)) + self._fractions[:count]
        return np.array(self._requests, np.int32), np.array(self._writers, np.int32), at

    def _add_events(self) -> None:
        """Those that wait go to the table."""
        lines, kinds, uuids, facts = self._events
        if not lines:
            return
        request, writer, at = self._columns()
        line = np.array(lines, np.int64)
        places, events = line - self._first, self.scan.events
        origin = self._counts.origins()[writer[places]]
        added = (request[places], np.array(kinds, np.int32), origin, line, at[places], np.array(facts, np.int32))
        for column, values in zip((events.request, events.kind, events.origin, events.line, events.at, events.fact), added):
            column.frombytes(values.tobytes())
        events.uuid.frombytes(b"".join(uuids))
        for waiting in self._events:
            waiting.clear()

    def _place(self, number: int) -> tuple[int, int]:
        """Offset and length of a line in the file; nothing if they are not kept."""
        if self.scan.kept is None:
            return 0, 0
        at = number - self._first
        return self._places[at], self._places[at + 1] - self._places[at] - 1

    def _tell(self, last: Left | None) -> None:
        """Tell the careful way which record was the last one, if it was one taken here, and that it was whole."""
        if last is not None:
            self.scanner._last, self.scanner._unfinished = last.header, False

    def _make_room(self) -> None:
        if sum(map(len, self._contexts)) > _MOST_CONTEXTS:
            for contexts in self._contexts:
                contexts.clear()
        if len(self._lefts) + len(self._senders) > MANY_HEADERS:
            self._counts.settle()
            self._counts.forget_writers()
            self._hearing.forget()
            self._lefts.clear()
            self._senders.clear()
        elif len(self._counts) > _MOST_COUNTED:
            self._counts.settle()

    # -- pieces of a line that are new, or that few lines have ----------------------------------------------------------

    def _read_second(self, line: bytes) -> int | None:
        """The instant of a line's stamp, or of its whole second if the fraction is read apart; None if it is no stamp."""
        found = self.scanner._format.pattern.match(line)
        if found is None or found.end("stamp") != self.scanner._width:
            return None
        return self.scanner._read_stamp(line[: self._whole or self.scanner._width])

    def _read_context(self, left: Left, text: bytes) -> int | None:
        """The request of a bracket; None if this is not one that can be told here."""
        context = text[:-2]
        if not text.endswith(b"] ") or len(context) > 400 or b"]" in context:
            return None
        request = left.contexts[text] = self.scanner._request_of(context, left.from_api)
        return request

    def _find_step(self, tails: dict[bytes, _Step], name: bytes, tail: bytes) -> _Step | None:
        """A DEBUG transition, if the careful way has learned it."""
        state = tail.find(_FROM)
        old = state + len(_FROM)
        stop = tail.find(b"'", old)
        if not tail.startswith(_INTO) or state < 0 or stop < 0 or state - len(_INTO) > 20 or stop - old > 20:
            return None
        new = tail[len(_INTO) : state]
        kind, task, wants = self.scanner._transitions.get(("DEBUG", name[:4], name[6:-3], new, tail[old:stop]), (-1, "", False))
        if task == "":
            return None
        if len(tails) >= _MOST_TAILS:
            tails.clear()
        step = tails[tail] = kind, -1, (task or "", new.decode(), stop + 1) if wants else None
        return step

    def _hear(self, left: Left, request: int, body: bytes) -> Said | None:
        """What a message says that is not remembered; None for one that is for the careful way."""
        if body[:6] not in _STEPS:
            return self._hearing.hear(left.voice, body, request != NO_REQUEST)
        name = body[: body.find(b"(") + 1]
        if left.debug and len(name) > 8 and name.endswith(b"' (") and len(self._steps) < _MOST_NAMES:
            left.steps = True  # the next ones are found by their name
            self._steps.setdefault(name, {})
        return None

    def _find_results(self, wants: tuple[str, str, int], line: bytes, start: int) -> int:
        """The place of the facts in a transition's result; -1 if it has none."""
        task, state, stop = wants
        values = self.scanner._find_results(task, state, line, start + stop)
        return -1 if values is None else self._hearing.add_facts(values)

    def _take_pended(self) -> None:
        process, debug, self._whose = self.scanner._pended or (0, False, NO_REQUEST)
        self._whom = process * 2 + debug

    def _pend(self, left: Left, request: int, line: bytes) -> None:
        """What `Headers._pend` does; at once where nothing is new but the level."""
        scanner = self.scanner
        whom, same = (left.process, left.debug, request), request == self._whose and left.whom ^ self._whom == 1
        if left.debug and not self._oslo and not line.startswith(left.suffix, line.rfind(b"{") - 1):  # perhaps another is the worker
            scanner._pend(whom, line)
        else:
            scanner._pended = whom
            if not same and left.pid is not None:
                scanner._pending.push(left.pid, request)
        self._whose, self._whom = request, left.whom

    def _take_headless(self, line: bytes, number: int, at: int) -> int:
        """A line of a known process without level, logger and bracket, while no record of it is open: an access line, or one that says nothing.

        Gives its writer, -1 if it is for the careful way.
        """
        width = self.scanner._width
        start = line.find(b": ", width) + 2
        known = self._senders.get(line[width:start])
        if known is None or line[start] in _LEVELS or self.scanner._busy[known[0]]:
            return -1
        process, writer = known
        if line.startswith(b"[pid: ", start):
            self.scanner._without_header(process, line[start:-1], at, number)
            self._take_pended()
        return writer
