"""What a record says: a transition, a message that the catalogue knows, or text that is left to `repair`.

Transitions are cut at fixed marks; other messages are matched against the rows of their level and logger.
"""

from __future__ import annotations

from ..trace import Kind, Location
from .clock import GAP_US, STEP_US
from .continued import DEBUG_END, RESULT, Continued
from .framing import ACCESS, SUPPRESSED, Suffix, split_suffix
from .headers import NO_TIME, widen
from .tables import NO_REQUEST, Header, Open, Scan, Sender

_INTO, _FROM = b") transitioned into state '", b"' from state '"
MOST_UNMATCHED = 100
MOST_STEPS = 1000


class Records(Continued):
    """Turns the records of one source into events. Carries over what is left open."""

    def __init__(self, scan: Scan, name: str, layout: str, resolution_us: int) -> None:
        super().__init__(scan, name, layout, resolution_us)
        self._transitions: dict[tuple, tuple[int, str | None, bool]] = {}

    def _record(self, header: Header, line: bytes, start: int, at: int, number: int, offset: int, length: int) -> None:
        process = header.process
        if self._busy[process]:
            self._go_on(process, number)
        latest = self._latest[process]
        if latest == NO_TIME:
            self._firsts.setdefault(process, (number, at))
        else:
            self._watch_clock(process, latest, at, number)
        self._latest[process] = at
        if header.first is None or at < header.first:
            header.first = at
        if header.last is None or at > header.last:
            header.last = at
        header.count += 1
        header.ended = place = (number, at)
        if header.begun is None:
            header.begun = place
        self._last = header
        self._unfinished = False
        request = header.request
        if request == NO_REQUEST:
            if header.debug:
                return
        else:
            if header.is_api and header.whom != self._pended:
                self._pend(header.whom, line)
            if self.scan.kept is not None:
                self.scan.kept.append(request, self._source, number, offset, length)
        if line.startswith((b"Task '", b"Flow '"), start) and self._transition(header, line, start, at, number):
            return
        self._message(header, line[start:], at, number)

    def _transition(self, header: Header, line: bytes, start: int, at: int, number: int) -> bool:
        quote = line.find(b"' (", start + 6)
        state = quote + 39 + len(_INTO)
        if quote < 0 or line[quote + 39 : state] != _INTO:
            return False
        end = line.find(_FROM, state)
        old = end + len(_FROM)
        stop = line.find(b"'", old)
        if end < 0 or stop < 0 or end - state > 20 or stop - old > 20:
            return False
        key = (header.level, line[start : start + 4], line[start + 6 : quote], line[state:end], line[old:stop])
        kind, task, wants = self.know_transition(key)
        if task == "":  # the name was lost: something for `repair`, not for the row that this line looks like
            self._unfinished = header.debug and self._layout != "oslo" and not line.endswith(DEBUG_END)
            self._unmatched(header, line[start:], at, number)
            return True
        facts: tuple | None = None
        uuid = line[quote + 3 : quote + 39]
        events = self.scan.events
        index = len(events)
        if header.debug:
            self._unfinished = not line.endswith(DEBUG_END) if self._layout != "oslo" else False
            if wants or self._unfinished:
                if self._layout == "oslo":
                    self._unfinished = split_suffix(line, "oslo")[1] is None
                if self._unfinished:
                    self._keep_open(Open(index, header, [line[start:]]))
                elif wants and task:
                    facts = self._find_results(task, key[3].decode(), line, stop + 1)
        elif wants and task and line.startswith(RESULT, stop + 1):
            facts = self._find_results(task, key[3].decode(), line, stop + 1)
        elif key[3] == b"FAILURE":
            self._keep_open(Open(index, header, [line[stop + 1 :]]))
        events.append(header.request, kind, header.origin, number, at, uuid, facts)
        return True

    def know_transition(self, key: tuple) -> tuple[int, str | None, bool]:
        """The kind, the task and whether facts of the result are wanted, by level, what it is of, name, and both states. The task is "" where the name was lost."""
        known = self._transitions.get(key)
        if known is None:
            known = self._transitions[key] = self._learn_transition(key)
        return known

    def _learn_transition(self, key: tuple) -> tuple[int, str | None, bool]:
        level, what, name, new, old = key[0], *(k.decode("utf-8", "replace") for k in key[1:])
        if what == "Flow":
            return self.scan.kind(Kind("flow-transition", name, None, old, new, level)), None if name else "", False
        task = name.partition(";")[0].rpartition(".")[2]
        kind = self.scan.kind(Kind("task-transition", None, task, old, new, level))
        return kind, task, self.scan.wants(result.fact for result in self.scan.catalogue.results(task, new)) and self.scan.catalogue.carries_result(task, new)

    def _message(self, header: Header, body: bytes, at: int, number: int) -> None:
        suffix: Suffix | None = None
        message = body
        if header.debug:
            if self._layout == "oslo":
                message, suffix = split_suffix(body, "oslo")
                self._unfinished = suffix is None
            else:
                cut = body.rfind(b" {{")
                self._unfinished = cut < 0 or not body.endswith(DEBUG_END)
                if cut >= 0:
                    message = body[:cut]
        for row in header.rows:
            values = row.match(message)
            if values is not None:
                if row.facts or row.traceback:
                    events = self.scan.events
                    if row.traceback or self._unfinished:
                        self._keep_open(Open(len(events), header, [body]))
                    events.append(
                        header.request,
                        self.scan.kind(Kind(row.key, level=header.level)),
                        header.origin,
                        number,
                        at,
                        facts=values if self.scan.wants(row.facts) else None,
                    )
                return
        self._unmatched(header, body, at, number)

    def _unmatched(self, header: Header, body: bytes, at: int, number: int) -> None:
        """A record that no row matches: torn or elided text for `repair`, a record that goes on, or an unknown line."""
        if header.request == NO_REQUEST:
            return
        self.scan.unmatched[header.request] += 1
        if self.scan.unmatched[header.request] > MOST_UNMATCHED:
            return
        index = len(self.scan.events)
        self.scan.events.append(
            header.request,
            self.scan.kind(Kind("unmatched", level=header.level)),
            header.origin,
            number,
            at,
            facts=(body, header.logger),
        )
        if self._unfinished or not header.debug:
            self._keep_open(Open(index, header, [body]))

    def _headless(self, sender: Sender, body: bytes, at: int, number: int) -> None:
        """A line with a prefix and without level, logger and bracket: access line, traceback, continuation, stderr."""
        process = self._outlive(sender, at)
        suppressed = SUPPRESSED.search(body) if "journald" in (sender.unit or "") else None
        if suppressed:
            self.scan.note("rate-limited", f"the journal dropped {int(suppressed[1])} records", Location(self.name, number))
            return
        self._without_header(process, body)

    def _outlive(self, sender: Sender, at: int) -> int:
        """The process of a line without level, logger and bracket, which lived then."""
        process = self._process(sender, None)
        if at != NO_TIME:
            widen(self.scan.processes[process], at, at)
        return process

    def _without_header(self, process: int, body: bytes) -> None:
        access = ACCESS.match(body)
        if access is None:
            self._continue(process, body)
            return
        self.add_access(int(access[1]), access[3], access[4], int(access[6]), int(access[5]))

    def add_access(self, pid: int, method: bytes, path: bytes, status: int, lasted_ms: int) -> None:
        """A line of the web server, of the worker that it calls ``pid``."""
        pending, self._pended = self._pending.pop(pid), None
        self.scan.accesses.append(pid, self.call_of(method, path), status, lasted_ms, pending)

    def call_of(self, method: bytes, path: bytes) -> int:
        """The number of what was called."""
        return self.scan.accesses.call_of(method.decode("ascii", "replace"), path.decode("utf-8", "replace"))

    def _watch_clock(self, process: int, latest: int, at: int, number: int) -> None:
        """A record of a process comes behind one of that instant."""
        if at > latest + GAP_US:
            self.scan.add_gaps(process, self._source, [(number, at, latest)])
        elif at < latest - STEP_US:
            steps = self.scan.steps.setdefault((process, self._source), [])
            if len(steps) < MOST_STEPS:
                steps.append((number, f"the clock went back by {(latest - at) / 1e6:.6g} s"))
                self.scan.note("clock-step", steps[-1][1], Location(self.name, number))
