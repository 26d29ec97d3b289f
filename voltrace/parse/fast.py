"""What the compiled kernel does, in Python: the lines of a block that look as they should, straight into the columns of events.

Whatever is declined here goes to `SourceScanner._line`, in its place among the other lines: lines that nobody has seen the like of,
records that go on, messages that no row matches, steps of the clock. What is counted of records is settled in bulk, by numpy.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from ..trace import EventTable, Kind
from .clock import GAP_US, STEP_US
from .clean import clean, is_dirty
from .continued import DEBUG_END
from .counts import Counts
from .framing import split_suffix
from .headers import MANY_HEADERS
from .tables import NO_REQUEST, Header

if TYPE_CHECKING:
    from .scan import SourceScanner

_STEPS = frozenset({b"Task '", b"Flow '"})
_INTO, _FROM = b") transitioned into state '", b"' from state '"
_MOST_CONTEXTS = 100_000
_MOST_SAID, _LONGEST_SAID = 4096, 1000
# How a stamp is made of a text for the whole second, with the mark behind it, and digits of its fraction, if it is.
_LEVELS = b"DIWECTA"  # what they begin with
_FRACTIONS = {"short-precise": (16, 22, 1), "oslo": (20, 23, 1000)}
_NOTHING = (-1, -1)
# Kind, no fact, and if facts of the result are wanted: the task, its state, and where the result begins behind the uuid.
_Step = tuple[int, int, tuple[str, str, int] | None]
_MOST_COUNTED = 1 << 17


class Left:
    """What stands between the stamp and the bracket: who writes, at which level, by which logger. ``number`` is its place in `Counts`."""

    __slots__ = ("header", "number", "process", "origin", "debug", "is_api", "whom", "contexts", "from_api", "said", "steps")

    def __init__(self, header: Header, number: int, from_api: bool, is_api: bool, contexts: dict[bytes, int], said: dict[bytes, tuple[int, int]]) -> None:
        self.header, self.number, self.process, self.origin, self.debug = header, number, header.process, header.origin, header.debug
        self.from_api, self.is_api, self.contexts = from_api, is_api, contexts
        self.whom = header.process * 2 + header.debug
        self.said = said  # of messages: the kind and the place of the facts of the event that they are, -1 where there is none
        self.steps = False  # whether transitions were seen here


class FastLines:
    """Reads the lines of one source for its `SourceScanner`."""

    def __init__(self, scanner: SourceScanner) -> None:
        self.scanner, self.scan = scanner, scanner.scan
        self._layout = scanner._layout
        self._counts = Counts(scanner.scan)
        self._lefts: dict[bytes, Left] = {}
        self._senders: dict[bytes, tuple[int, int]] = {}  # of lines without level, logger and bracket: process and place in `Counts`
        self._contexts: tuple[dict[bytes, int], dict[bytes, int]] = ({}, {})  # the requests of brackets, of the API's and of others
        self._steps: dict[bytes, dict[bytes, _Step]] = {}
        self._said: dict[tuple[str, str], dict[bytes, tuple[int, int]]] = {}
        self._said_count = 0
        self._oslo = self._layout == "oslo"
        self._take_pended()
        self._whole, self._end, self._scale = _FRACTIONS.get(scanner._format.name, (0, 0, 0))

    # -- what the careful way learns -----------------------------------------------------------------------------------

    def learn(self, key: bytes, bracket: int, header: Header, from_api: bool, is_api: bool) -> None:
        """A header that the careful way took apart: ``key`` is what stands between stamp and bracket's end, the bracket's inside begins at ``bracket``."""
        if key.find(b" [") + 2 != bracket:
            return
        left = self._lefts.get(key[:bracket])
        if left is None:
            said = self._said.setdefault((header.level, header.logger), {})
            number = self._counts.add(header.process, header.origin, header.debug)
            left = self._lefts[key[:bracket]] = Left(header, number, from_api, is_api, self._contexts[from_api], said)
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
        lines = raw = data.split(b"\n")
        self._first, self._lines, self._places = number, lines, []
        if is_dirty(data):
            lines = list(map(clean, lines))
        if self.scan.kept is not None:
            self._places = list(accumulate((len(line) + 1 for line in raw), initial=offset))
        behind = number + len(lines)
        while number < behind and not self.scanner._width:
            self._decline(lines[number - self._first], number, None)
            number += 1
        self._take_lines(lines[number - self._first :], number)
        self._make_room()
        return behind

    def _take_lines(self, lines: list[bytes], number: int) -> None:
        # All in local variables, and no call a line that can be saved: this loop is where the time goes.
        scanner, events, counts, kept = self.scanner, self.scan.events, self._counts, self.scan.kept
        add_request, add_kind, add_origin, add_fact = events.request.append, events.kind.append, events.origin.append, events.fact.append
        add_line, add_at, add_uuid, no_uuid = events.line.append, events.at.append, events.uuid.frombytes, EventTable.NO_UUID
        count_request, count_writer, count_at, count_line = counts.request.append, counts.writer.append, counts.at.append, counts.line.append
        find_left, find_steps, busy, latest, decline = self._lefts.get, self._steps.get, scanner._busy, scanner._latest, self._decline
        width, whole, end, scale, oslo = scanner._width, self._whole or scanner._width, self._end, self._scale, self._oslo
        most_back, most_on, steps_begin, suffix_ends = -STEP_US, GAP_US, _STEPS, DEBUG_END
        second, base, kind, fact = b"", 0, -1, -1
        last: Left | None = None
        for number, line in enumerate(lines, number):
            if line[:whole] != second:
                found = self._read_second(line)
                if found is None:
                    second, last = decline(line, number, last)
                    continue
                second, base = line[:whole], found
            at = base
            if scale:
                fraction = line[whole:end]
                if not fraction.isdigit():
                    second, last = decline(line, number, last)
                    continue
                at = base + int(fraction) * scale
            opening = line.find(b" [", width) + 2
            left = find_left(line[width:opening])
            if left is None:
                if not self._take_headless(line, number, at):
                    second, last = decline(line, number, last)
                continue
            process = left.process
            start = line.find(b"] ", opening) + 2
            request = left.contexts.get(line[opening:start])
            if request is None:
                request = self._read_context(left, line[opening:start])
            if request is None or busy[process] or not most_back <= at - latest[process] <= most_on:
                second, last = decline(line, number, last)
                continue
            if request >= 0 or not left.debug:
                if left.steps and line[start : start + 6] in steps_begin:
                    quote = line.find(b"' (", start + 6) + 3
                    tails = find_steps(line[start:quote])
                    tail = line[quote + 36 : quote + 100]
                    step = tails.get(tail) if tails is not None else None
                    if step is None:
                        step = self._find_step(line[start:quote], tail)
                    if step is None or (line[-2:] != b"}}" and not oslo and not line.endswith(suffix_ends)):
                        second, last = decline(line, number, last)
                        continue
                    kind, fact, wants = step
                    if wants is not None:
                        if oslo and split_suffix(line, "oslo")[1] is None:
                            second, last = decline(line, number, last)
                            continue
                        fact = self._find_results(wants, line, quote + 36)
                    add_uuid(line[quote : quote + 36])
                else:
                    body = line[start:]
                    said = left.said.get(body)
                    if said is None:
                        said = self._hear(left, body)
                        if said is None:
                            if request >= 0 or left.steps and body[:6] in steps_begin:
                                second, last = decline(line, number, last)
                                continue
                            said = _NOTHING
                    kind, fact = said
                    if kind >= 0:
                        add_uuid(no_uuid)
                if kind >= 0:
                    add_request(request)
                    add_kind(kind)
                    add_origin(left.origin)
                    add_line(number)
                    add_at(at)
                    add_fact(fact)
            latest[process] = at
            last = left
            count_request(request)
            count_writer(left.number)
            count_at(at)
            count_line(number)
            if request >= 0:
                if left.is_api and (request != self._whose or left.whom != self._whom):
                    scanner._pend((process, left.debug, request), line)
                    self._whose, self._whom = request, left.whom
                if kept is not None:
                    kept.append(request, scanner._source, number, *self._place(number))
        self._tell(last)

    def _place(self, number: int) -> tuple[int, int]:
        """Offset and length of a line in the file; nothing if lines are not kept."""
        if not self._places:
            return 0, 0
        at = number - self._first
        return self._places[at], self._places[at + 1] - self._places[at] - 1

    def _decline(self, line: bytes, number: int, last: Left | None) -> tuple[bytes, None]:
        """Hand a line to the careful way; what the loop must take for known behind it: no second, and no last record of its own."""
        self._tell(last)
        self.scanner._line(line, number, *self._place(number))
        self._take_pended()
        return b"", None

    def _tell(self, last: Left | None) -> None:
        """Tell the careful way which record was the last one, if it was one taken here, and that it was whole."""
        if last is not None:
            self.scanner._last, self.scanner._unfinished = last.header, False

    def _take_pended(self) -> None:
        process, debug, self._whose = self.scanner._pended or (0, False, NO_REQUEST)
        self._whom = process * 2 + debug

    def _make_room(self) -> None:
        if sum(map(len, self._contexts)) > _MOST_CONTEXTS:
            for contexts in self._contexts:
                contexts.clear()
        if len(self._lefts) + len(self._senders) > MANY_HEADERS:
            self._counts.settle()
            self._counts.forget_writers()
            self._lefts.clear()
            self._senders.clear()
        elif len(self._counts.at) > _MOST_COUNTED:
            self._counts.settle()

    def _read_context(self, left: Left, text: bytes) -> int | None:
        """The request of a bracket that is new; None if it is not one that can be told here."""
        context = text[:-2]
        if len(text) < 2 or len(context) > 400 or b"]" in context:
            return None
        request = left.contexts[text] = self.scanner._request_of(context, left.from_api)
        return request

    def _read_second(self, line: bytes) -> int | None:
        """The instant of a line's stamp, or of its whole second if its fraction is read here; None if it is no stamp."""
        found = self.scanner._format.pattern.match(line)
        if found is None or found.end("stamp") != self.scanner._width:
            return None
        return self.scanner._read_stamp(line[: self._whole or self.scanner._width])

    def _find_step(self, name: bytes, tail: bytes) -> _Step | None:
        """A DEBUG transition that the careful way has learned."""
        state = tail.find(_FROM)
        old = state + len(_FROM)
        stop = tail.find(b"'", old)
        if not tail.startswith(_INTO) or state < 0 or stop < 0:
            return None
        new = tail[len(_INTO) : state]
        known = self.scanner._transitions.get(("DEBUG", name[:4], name[6:-3], new, tail[old:stop]))
        if known is None or known[1] == "" or state - len(_INTO) > 20 or stop - old > 20:
            return None
        wants = (known[1] or "", new.decode(), stop + 1) if known[2] else None
        step = self._steps.setdefault(name, {})[tail] = known[0], -1, wants
        return step

    def _hear(self, left: Left, body: bytes) -> tuple[int, int] | None:
        """The kind and the place of the facts of what a message says; None for one that is for the careful way."""
        message = body
        left.steps = left.steps or body[:6] in _STEPS
        if left.debug:
            if self._layout == "oslo":
                message, suffix = split_suffix(body, "oslo")
                cut = 0 if suffix else -1
            else:
                cut = body.rfind(b" {{")
                message = body[:cut]
            if cut < 0 or body[:6] in _STEPS or not (self._layout == "oslo" or body.endswith(DEBUG_END)):
                return None
        elif body[:6] in _STEPS:
            return None
        for row in left.header.rows:
            values = row.match(message)
            if values is None:
                continue
            if row.traceback:
                return None
            said, facts = _NOTHING, self.scan.events.facts
            if row.facts:
                wants = self.scan.wants(row.facts)
                said = self.scan.kind(Kind(row.key, level=left.header.level)), len(facts) if wants else -1
                if wants:
                    facts.append(values)
            if len(body) <= _LONGEST_SAID:
                self._keep_said(left, body, said)
            return said
        return None

    def _keep_said(self, left: Left, body: bytes, said: tuple[int, int]) -> None:
        self._said_count += 1
        if self._said_count > _MOST_SAID:
            self._said_count = 1
            for each in self._said.values():
                each.clear()
        left.said[body] = said

    def _find_results(self, wants: tuple[str, str, int], line: bytes, start: int) -> int:
        """The place of the facts in a transition's result; -1 if it has none."""
        task, state, stop = wants
        values = self.scanner._find_results(task, state, line, start + stop)
        if values is None:
            return -1
        self.scan.events.facts.append(values)
        return len(self.scan.events.facts) - 1

    def _take_headless(self, line: bytes, number: int, at: int) -> bool:
        """A line of a known process without level, logger and bracket, while no record of it is open: an access line, or one that says nothing."""
        width = self.scanner._width
        start = line.find(b": ", width) + 2
        known = self._senders.get(line[width:start])
        if known is None or line[start : start + 1] in _LEVELS or self.scanner._busy[known[0]]:
            return False
        process, place = known
        if line.startswith(b"[pid: ", start):
            self.scanner._without_header(process, line[start:], at, number)
            self._take_pended()
        self._counts.append(NO_REQUEST, place, at, number)
        return True
