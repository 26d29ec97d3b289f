"""Events -> timelines: flows with their tasks, attempts, hand-offs, failures, and the facts of the request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from ..lifecycle import API, GROUP_CREATE, RESTORE, SCHEDULER, VARIANTS, VOLUME, VOLUME_CREATE, Lifecycle, Position, Step
from ..messages import catalogue
from ..trace import Answer, Diagnostic, Event, Failure, Handoff, Kind, Location, Timeline, place
from .clock import STEP_US
from .grammar import read_body, read_summary
from .order import RESCHEDULE_PARAMETERS, Raw
from .repair import Elided, follow, supply
from .runs import Announcement, FlowRun, Runs, bounds

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CREATE_PATH = re.compile(r"/v\d(?:\.\d+)?(?:/[^/?]+)?/volumes/?(?:\?|$)")
_GROUP_PATH = re.compile(r"/(?:groups/action|consistencygroups/create_from_src|groups/create_from_src)/?(?:\?|$)")
_HOST = re.compile(r"^(?:https?:)?//[^/]*")
_RESTORE_PATH = re.compile(r"/backups/[^/]+/restore/?(?:\?|$)")
_ATTEMPT = re.compile(r"'num_attempts': (\d{1,9})\b")
_BACKENDS = re.compile(r"'(?:backends|hosts)': \[([^][]{0,20000})\]")
_QUOTED = re.compile(r"u?'([^']*)'")
_CREATE_TYPES = {"raw": "blank", "snap": "snapshot", "source_vol": "volume", "image": "image", "backup": "backup"}
_SOURCES = (
    ("snapshot_id", "snapshot"),
    ("source_volid", "volume"),
    ("source_id", "volume"),
    ("imageRef", "image"),
    ("image_id", "image"),
    ("backup_id", "backup"),
)
_ANSWERS = frozenset({"answer", "answer-refused", "access"})
# Facts of the request itself that other kinds of line have a word for, too.
_TOLD_BY = {"method": {"request-received"}, "url": {"request-received"} | _ANSWERS, "status": _ANSWERS, "body": {"request-body-raw", "request-body"}}
_LEARNT = frozenset({"size_gb", "volume_type", "zone", "create_type", "image_id", "snapshot_id", "source_id", "method", "url", "status", "body"})
_CREATE_ROWS = frozenset({"request-body", "size-requested"})
_MOST_NOTES = 20
_ACCESS = "access"
_COMMANDS = frozenset({"command-returned", "command-timed-out"})
# Messages tell lapses by the clock of who writes them, stamps are of the journal, which may get a line a little late.
_LATE_US = 100_000


@dataclass(slots=True)
class _Read:
    """An event as read, with the run it was found to be of. Attempts may still be counted anew, so events are made last."""

    raw: Raw
    kind: Kind
    where: Location
    inferred: bool
    run: FlowRun | None


@dataclass(slots=True)
class _Failed:
    service: str
    run: FlowRun | None
    task: str | None
    exception: str | None
    message: str | None
    where: Location


class TimelineBuilder:
    """Builds the timeline of one request from its events in causal order."""

    def __init__(self, request_id: str, sources: list[str], process_names: list[str], by_lapses: bool = True) -> None:
        """``by_lapses``: whether bounds of durations follow also from what messages say that things lasted."""
        self.request_id, self._by_lapses = request_id, by_lapses
        self._sources, self._process_names = sources, process_names
        self._runs = Runs()
        self._read: list[_Read] = []
        self._failed: list[_Failed] = []
        self._position: Position | None = None  # where the request stands; kept only from the first repair on
        self._epoch = 0
        self._latest: dict[int, int] = {}
        self._facts: dict = {}
        self._entries: list[str] = []
        self._other_ids: list[str] = []
        self._unrecognised: list[Location] = []
        self._api_us: int | None = None  # how long the API took at most, by the web server
        self.diagnostics: list[Diagnostic] = []

    # -- walking -----------------------------------------------------------------------------------------------------

    def add(self, raw: Raw, elided: Elided | None = None) -> None:
        """The next event in causal order. ``elided`` is what `repair` could read of a line that no row matches."""
        where = place(self._sources[raw.source], raw.line)
        if raw.at is not None:
            self._watch_clock(raw.process, raw.at)
        kind, inferred = raw.kind, False
        if kind.row == "unmatched":
            if elided is None:
                self._unrecognised.append(where)
                return
            repaired = self._repair(raw, elided, where)
            if repaired is None:
                return
            kind, inferred = repaired, True
            if elided.damaged:
                result = elided.damaged.result
                facts = catalogue().result_facts(kind.task, kind.new or "", result) if kind.task and result else {}
                raw = replace(raw, kind=kind, uuid=elided.damaged.uuid, facts=facts)
        run = None
        if kind.is_step:
            run = (self._runs.flow_step if kind.flow is not None else self._runs.task_step)(raw, kind, where, self._epoch, inferred)
            if kind.new == "FAILURE" and kind.task:
                self._failed.append(_Failed(run.service, run, kind.task, raw.facts.get("exception"), raw.facts.get("error"), where))
            if self._position is not None:
                self._position = follow(self._position, _step(run, kind))
        else:
            run = self._message(raw, kind, where)
        if raw.facts:
            self._learn(kind, raw.facts)
        self._read.append(_Read(raw, kind, where, inferred, run))

    def _watch_clock(self, process: int, at: int) -> None:
        self._epoch += at < self._latest.get(process, at) - STEP_US
        self._latest[process] = at

    def _repair(self, raw: Raw, elided: Elided, where: Location) -> Kind | None:
        self._note("elided-text", "text of this line was left out or lost", where)
        if elided.damaged is None:
            if elided.row is None:
                return None
            raw.facts.update(_remnant_facts(elided))
            return Kind(elided.row.key, level=raw.kind.level)
        if self._position is None:
            self._position = Position()
            for read in self._read:
                if read.kind.is_step and read.run:
                    self._position = follow(self._position, _step(read.run, read.kind))
        flows = tuple(f.name for f in VOLUME_CREATE.flows if f.logger == raw.facts.get("logger"))
        found = supply(self._position, elided.damaged, raw.kind.level, self._runs.task_of(elided.damaged.uuid), flows=flows)
        if isinstance(found, str):
            self._note("ambiguous-repair", found, where)
            return None
        return found[0]

    def _note(self, slug: str, message: str, where: Location) -> None:
        if sum(d.slug == slug for d in self.diagnostics) < _MOST_NOTES:
            self.diagnostics.append(Diagnostic(slug, message, where, self.request_id))

    def _message(self, raw: Raw, kind: Kind, where: Location) -> FlowRun | None:
        facts, row = raw.facts, kind.row
        if row == RESCHEDULE_PARAMETERS:
            attempt = _ATTEMPT.search(str(facts.get("retry", "")))
            backends = _BACKENDS.search(str(facts.get("retry", "")))
            names = _QUOTED.findall(backends[1]) if backends else []
            if attempt:
                facts["attempt"] = int(attempt[1])
            self._runs.announce(raw.process, Announcement(facts.get("attempt"), names[-1] if names else None, raw.at, raw.resolution_us))
            return None
        run = self._runs.current(raw.process, raw.service)
        if row in _COMMANDS and self._by_lapses:
            self._runs.lasted(raw.process, _lapse_us(facts) - _LATE_US)
        elif row == _ACCESS and _lapse_us(facts):
            self._api_us = _lapse_us(facts) + _LATE_US
        if row == "backend-chosen" and run is not None:
            run.chosen = str(facts.get("backend"))
        elif row == "schedule-failed":
            self._scheduling_failed(facts, run, where)
        elif row == "error-caught" and not any(f.service == API for f in self._failed):
            error = read_summary(str(facts.get("error") or "")).get("error") or facts.get("error")
            self._failed.append(_Failed(API, None, None, _class_name(str(facts.get("exception") or "")), error, where))
        return run

    def _scheduling_failed(self, facts: dict, run: FlowRun | None, where: Location) -> None:
        if any(f.service == SCHEDULER and f.run is run for f in self._failed):
            return
        cause = str(facts.get("cause") or "")
        summary = read_summary(cause)
        if not summary and cause.startswith(("No valid backend", "No valid host")):
            summary = {"exception": "NoValidBackend", "error": cause}
        task = str(facts.get("task") or "").partition(";")[0].rpartition(".")[2] or None
        self._failed.append(_Failed(SCHEDULER, run, task, summary.get("exception"), summary.get("error") or cause or None, where))

    def _learn(self, kind: Kind, facts: dict) -> None:
        volume_id = facts.get("volume_id")
        if volume_id and _UUID.fullmatch(volume_id):
            ids = self._entries if kind.task == "EntryCreateTask" else self._other_ids
            if volume_id not in ids:
                ids.append(volume_id)
        for name, value in facts.items():
            if name in _LEARNT and name not in self._facts and value not in (None, "", "None") and (name not in _TOLD_BY or kind.row in _TOLD_BY[name]):
                self._facts[name] = value

    # -- the result --------------------------------------------------------------------------------------------------

    def build(self, access=None, **seen) -> Timeline:
        """The timeline. ``seen`` gives the fields that the events do not hold (start, end, project, user, …), ``access`` the web server's line."""
        wishes = read_body(str(self._facts["body"])) if "body" in self._facts else {}
        answer = self._answer(access)
        if access is not None:
            self._api_us = (access.lasted_ms + 1) * 1000 + _LATE_US
        if self._api_us is not None and self._by_lapses:
            self._runs.end_within(API, self._api_us)
        operation = self._operation(answer)
        volume_runs = [r for r in self._runs.all if r.service == VOLUME and VOLUME_CREATE.flow(r.flow)]
        for run in volume_runs:
            run.backend = run.backend or self._chosen(run.attempt)
        size = self._facts.get("size_gb", wishes.get("size"))
        return Timeline(
            self.request_id,
            operation,
            volume_ids=tuple(self._entries or self._other_ids[:1]),
            name=_text(wishes.get("name")),
            size_gb=size if isinstance(size, int) and not isinstance(size, bool) else None,
            volume_type=self._facts.get("volume_type") or _text(wishes.get("volume_type")),
            availability_zone=_text(wishes.get("availability_zone")) or self._facts.get("zone"),
            source=self._source(wishes, operation),
            answer=answer,
            attempts=max(len(volume_runs), sum(r.kind.row == "being-created" for r in self._read)),
            backend=max(volume_runs, key=lambda r: r.attempt).backend if volume_runs else None,
            flows=tuple(run.span(self._process_names[run.process]) for run in self._runs.in_order()),
            handoffs=tuple(self._handoffs(VARIANTS.get(operation, VOLUME_CREATE))),
            failures=tuple(self._failures()),
            events=tuple(self._events()),
            diagnostics=tuple(self.diagnostics),
            where=self._read[0].where if self._read else None,
            unrecognised=tuple(self._unrecognised),
            **seen,
        )

    def _events(self) -> Iterator[Event]:
        for r in self._read:
            raw, run = r.raw, r.run
            process = self._process_names[raw.process]
            if run is None:
                yield Event(raw.at, raw.resolution_us, raw.service, r.kind, raw.uuid, raw.facts, r.where, process, inferred=r.inferred)
            else:
                yield Event(raw.at, raw.resolution_us, run.service, r.kind, raw.uuid, raw.facts, r.where, process, run.flow, run.uuid, run.attempt, r.inferred)

    def _failures(self) -> Iterator[Failure]:
        scheduler = VOLUME_CREATE.flow_of(SCHEDULER)
        for f in self._failed:
            flow = f.run.flow if f.run else scheduler.name if scheduler and f.service == SCHEDULER else None
            yield Failure(f.service, flow, f.task, f.run.attempt if f.run else None, f.run.backend if f.run else None, f.exception, f.message, f.where)

    def _answer(self, access) -> Answer:
        method, path, status = self._facts.get("method"), self._facts.get("url"), _status(self._facts.get("status"))
        if path:
            path = _HOST.sub("", path)
        if access is not None:
            method, path, status = method or access.method, path or access.path, status or access.status
        return Answer(method, path, status)

    def _operation(self, answer: Answer) -> str:
        creates = any(VOLUME_CREATE.flow(r.flow) for r in self._runs.all) or any(r.kind.row in _CREATE_ROWS for r in self._read)
        asks = classify(answer.path) if answer.path is not None else ""
        if answer.path is not None and not (answer.method is None and creates and asks == VOLUME_CREATE.operation):
            if answer.method != "POST" or (asks == GROUP_CREATE.operation and not any(r.flow in GROUP_CREATE.starts for r in self._runs.all)):
                return "other"
            return asks
        return VOLUME_CREATE.operation if creates else "other"

    def _source(self, wishes: dict, operation: str) -> str | None:
        for key, source in _SOURCES:
            if wishes.get(key):
                return source
        if "create_type" in self._facts:
            return _CREATE_TYPES.get(self._facts["create_type"], self._facts["create_type"])
        told = next((source for key, source in _SOURCES if self._facts.get(key)), None)
        return told or ("blank" if wishes and operation == VOLUME_CREATE.operation else None)

    def _chosen(self, attempt: int) -> str | None:
        return next((r.chosen for r in self._runs.all if r.service == SCHEDULER and r.attempt == attempt and r.chosen), None)

    def _handoffs(self, lifecycle: Lifecycle) -> Iterator[Handoff]:
        runs = {(r.flow, r.attempt): r for r in reversed(self._runs.all)}
        refused = {f.run.attempt for f in self._failed if f.service == SCHEDULER and f.run}
        for sender in self._runs.in_order():
            for cast in lifecycle.casts:
                receiving = lifecycle.flow(cast.receiver)
                if cast.sender != sender.flow or receiving is None:
                    continue
                attempt = sender.attempt + cast.next_run
                receiver = runs.get((cast.receiver, attempt))
                if receiver is None and not _was_cast(sender, cast.task, refused):
                    continue
                server = None
                if receiving.service == VOLUME:
                    backend = (receiver.backend if receiver else None) or self._chosen(attempt)
                    server = backend.partition("#")[0] if backend else None
                at, resolution, where = sender.entered.get((cast.task, cast.state), (None, 1, None))
                received = receiver.first_at if receiver and not receiver.late else None
                limits = bounds(at, received, resolution, receiver.first_resolution) if receiver else None
                yield Handoff(sender.service, receiving.service, cast.topic, attempt, at, received, limits, server, where)


@lru_cache(maxsize=1024)
def classify(url: str) -> str:
    """What a POST to this address asks for, as far as it may run flows of the lifecycle: an operation."""
    path = _HOST.sub("", url)
    asked = ((_CREATE_PATH, VOLUME_CREATE), (_GROUP_PATH, GROUP_CREATE), (_RESTORE_PATH, RESTORE))
    return next((lifecycle.operation for pattern, lifecycle in asked if pattern.search(path)), "other")


def _step(run: FlowRun, kind: Kind) -> Step:
    return Step(run.flow, run.attempt, kind.task, kind.old or "", kind.new or "")


def _was_cast(sender: FlowRun, task: str, refused: set[int]) -> bool:
    """Whether the casting task got so far that the message must have been sent."""
    if sender.service == VOLUME:
        return sender.rescheduled
    if sender.service == SCHEDULER and sender.attempt in refused:
        return False
    return task in sender.tasks and sender.tasks[task].states[-1:] == ["SUCCESS"]


def _text(value) -> str | None:
    return value if isinstance(value, str) and value else None


def _status(value) -> int | None:
    """The status as a number; some releases log the name of Python's enumeration instead."""
    if isinstance(value, str) and value.startswith("HTTPStatus."):
        from http import HTTPStatus

        member = HTTPStatus.__members__.get(value.partition(".")[2])
        return int(member) if member else None
    return value if isinstance(value, int) else None


def _lapse_us(facts: dict) -> int:
    """How long something took, as a message says; 0 if that cannot be read."""
    try:
        return round(min(float(facts.get("elapsed_s") or 0), 1e9) * 1e6)
    except ValueError:
        return 0


def _class_name(text: str) -> str | None:
    found = re.search(r"([A-Za-z_]\w*)'?>?$", text[-200:])
    return found[1] if found else None


def _remnant_facts(elided: Elided) -> dict:
    """The facts that can still be read of a message without its first words."""
    row, text = elided.row, elided.text
    if row is None:
        return {}
    if "url" in row.facts and text.startswith("//"):
        return {"url": text, "method": "POST"} if "method" in row.facts else {"url": text}
    return {name: text for name in ("body", "reservations") if name in row.facts}
