"""Events -> timelines: which run of which flow a line belongs to, attempts, hand-offs, failures, and the facts of the request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from ..lifecycle import API, FINAL_FLOW_STATES, GROUP_CREATE, RESTORE, RUNNING, SCHEDULER, VARIANTS, VOLUME, VOLUME_CREATE, Flow, Lifecycle, Position, Step
from ..messages import catalogue
from ..trace import Answer, Bounds, Diagnostic, Event, Failure, FlowSpan, Handoff, Kind, Location, TaskSpan, Timeline
from .clock import STEP_US
from .grammar import read_body, read_summary
from .order import RESCHEDULE_PARAMETERS, Raw
from .repair import Elided, follow, supply

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CREATE_PATH = re.compile(r"/v\d(?:\.\d+)?(?:/[^/?]+)?/volumes/?(?:\?|$)")
_GROUP_PATH = re.compile(r"/(?:groups/action|consistencygroups/create_from_src|groups/create_from_src)/?(?:\?|$)")
_RESTORE_PATH = re.compile(r"/backups/[^/]+/restore/?(?:\?|$)")
_ATTEMPT = re.compile(r"'num_attempts': (\d+)")
_BACKENDS = re.compile(r"'(?:backends|hosts)': \[([^\]]*)\]")
_QUOTED = re.compile(r"u?'([^']*)'")
_CREATE_TYPES = {"raw": "blank", "snap": "snapshot", "source_vol": "volume", "image": "image", "backup": "backup"}
_TASK_FLOWS: dict[str, Flow] = {task.name: flow for flow in VOLUME_CREATE.flows for task in flow.tasks}


@dataclass(slots=True)
class _Task:
    name: str
    uuid: str | None
    states: list[str] = field(default_factory=list)
    start: int | None = None
    end: int | None = None
    start_resolution: int = 1
    end_resolution: int = 1
    epoch: int = 0
    stepped: bool = False
    inferred: bool = False
    where: Location | None = None


@dataclass(slots=True)
class _Run:
    flow: str
    service: str
    uuid: str | None
    attempt: int
    process: int
    state: str = "PENDING"
    tasks: dict[str, _Task] = field(default_factory=dict)
    start: int | None = None
    end: int | None = None
    start_resolution: int = 1
    end_resolution: int = 1
    epoch: int = 0
    stepped: bool = False
    inferred: bool = False
    where: Location | None = None
    first_at: int | None = None
    first_resolution: int = 1
    backend: str | None = None
    failed: bool = False
    rescheduled: bool = False
    sent: dict[str, tuple[int | None, int, Location | None]] = field(default_factory=dict)


def bounds(start: int | None, end: int | None, start_resolution: int, end_resolution: int, stepped: bool = False) -> Bounds | None:
    """What a duration between two stamps can truly have been: each stamp stands for [stamp, stamp + resolution)."""
    if start is None or end is None or stepped:
        return None
    between = end - start
    return max(0, between - (start_resolution - 1)), max(0, between + (end_resolution - 1))


class TimelineBuilder:
    """Builds the timeline of one request from its events in causal order."""

    def __init__(self, request_id: str, sources: list[str], process_names: list[str]) -> None:
        self.request_id = request_id
        self._sources, self._process_names = sources, process_names
        self._runs: list[_Run] = []
        self._by_uuid: dict[str, _Run] = {}
        self._tasks: dict[str, tuple[_Run, _Task]] = {}
        self._announced: dict[int, tuple[int | None, str | None, int | None, int]] = {}
        self._chosen: dict[int, str] = {}
        self._events: list[Event] = []
        self._failures: list[Failure] = []
        self._position = Position()
        self._repairing = False
        self._epoch = 0
        self._latest: dict[int, int] = {}
        self.diagnostics: list[Diagnostic] = []
        self.facts: dict = {}
        self.volume_ids: list[str] = []
        self.other_ids: list[str] = []
        self.unrecognised: list[Location] = []

    # -- walking -----------------------------------------------------------------------------------------------------

    def add(self, raw: Raw, elided: Elided | None = None) -> None:
        """The next event in causal order. ``elided`` is what `repair` could read of a line that no row matches."""
        where = Location(self._sources[raw.source], raw.line)
        self._watch_clock(raw)
        kind, inferred = raw.kind, False
        if kind.row == "unmatched":
            if elided is None:
                self.unrecognised.append(where)
                return
            repaired = self._repair(raw, elided, where)
            if repaired is None:
                return
            kind, inferred = repaired, True
            if elided.damaged:
                raw = replace(raw, kind=kind, uuid=elided.damaged.uuid, facts=_result_facts(kind, elided.damaged.result))
        if kind.flow is not None:
            self._flow_step(raw, kind, where, inferred)
        elif kind.task is not None:
            self._task_step(raw, kind, where, inferred)
        else:
            self._message(raw, kind, where, inferred)

    def _watch_clock(self, raw: Raw) -> None:
        if raw.at is None:
            return
        latest = self._latest.get(raw.process)
        if latest is not None and raw.at < latest - STEP_US:
            self._epoch += 1
        self._latest[raw.process] = raw.at

    def _repair(self, raw: Raw, elided: Elided, where: Location) -> Kind | None:
        self._note("elided-text", "text of this line was left out or lost", where)
        if elided.damaged is None:
            if elided.row is None:
                return None
            raw.facts.update(_remnant_facts(elided))
            return Kind(elided.row.key, level=raw.kind.level)
        if not self._repairing:
            self._repairing = True
            for event in self._events:
                if event.kind.is_step and event.flow:
                    run = next((r.attempt for r in self._runs if r.uuid == event.flow_uuid and r.flow == event.flow), 1)
                    self._position = follow(self._position, Step(event.flow, run, event.kind.task, event.kind.old or "", event.kind.new or ""))
        logger = raw.facts.get("logger")
        flows = tuple(f.name for f in VOLUME_CREATE.flows if f.logger == logger)
        known = self._tasks.get(elided.damaged.uuid or "")
        found = supply(self._position, elided.damaged, raw.kind.level, known[1].name if known else None, flows=flows)
        if isinstance(found, str):
            self._note("ambiguous-repair", found, where)
            return None
        return found[0]

    def _note(self, slug: str, message: str, where: Location) -> None:
        if sum(d.slug == slug for d in self.diagnostics) < 20:
            self.diagnostics.append(Diagnostic(slug, message, where, self.request_id))

    def _event(self, raw: Raw, kind: Kind, where: Location, inferred: bool, run: _Run | None) -> None:
        self._events.append(
            Event(
                raw.at,
                raw.resolution_us,
                run.service if run else raw.service,
                kind,
                raw.uuid,
                raw.facts,
                where,
                self._process_names[raw.process],
                run.flow if run else None,
                run.uuid if run else None,
                run.attempt if run else None,
                inferred,
            )
        )

    def _flow_step(self, raw: Raw, kind: Kind, where: Location, inferred: bool) -> None:
        run = self._by_uuid.get(raw.uuid or "")
        if run is None:
            if kind.new != RUNNING:
                run = next((r for r in reversed(self._runs) if r.flow == kind.flow and r.uuid is None and r.state not in FINAL_FLOW_STATES), None)
            elif inferred:
                run = next((r for r in self._runs if r.flow == kind.flow and r.uuid is None and r.state == "PENDING"), None)
            if run is None:
                run = self._begin(kind.flow or "", raw, where)
            run.uuid = raw.uuid
            if raw.uuid:
                self._by_uuid[raw.uuid] = run
        if kind.new == RUNNING and run.start is None:
            run.start, run.start_resolution, run.epoch = raw.at, raw.resolution_us, self._epoch
        elif kind.new in FINAL_FLOW_STATES:
            run.end, run.end_resolution = raw.at, raw.resolution_us
            run.stepped = run.epoch != self._epoch
        run.state = kind.new or run.state
        run.inferred = run.inferred or inferred
        self._event(raw, kind, where, inferred, run)
        if self._repairing:
            self._position = follow(self._position, Step(run.flow, run.attempt, None, kind.old or "", kind.new or ""))

    def _begin(self, flow: str, raw: Raw, where: Location) -> _Run:
        known = VOLUME_CREATE.flow(flow)
        service = known.service if known else raw.service
        ordinal = 1 + sum(r.flow == flow for r in self._runs)
        run = _Run(flow, service, None, ordinal, raw.process, where=where, first_at=raw.at, first_resolution=raw.resolution_us)
        if service == API:
            run.attempt = 1 if ordinal == 1 or not flow else ordinal
        announced = self._announced.pop(raw.process, None) if service == VOLUME else None
        if announced:
            attempt, run.backend, run.first_at, run.first_resolution = announced
            run.attempt = attempt or run.attempt
        if service == VOLUME and run.backend is None:
            run.backend = self._chosen.get(run.attempt)
        self._runs.append(run)
        return run

    def _task_step(self, raw: Raw, kind: Kind, where: Location, inferred: bool) -> None:
        name = kind.task or ""
        known = self._tasks.get(raw.uuid or "")
        if known is None:
            run = self._run_of_task(name, raw, where)
            task = run.tasks.get(name)
            if task is None or (task.uuid and raw.uuid and task.uuid != raw.uuid):
                task = _Task(name, raw.uuid, where=where)
                run.tasks[name if name not in run.tasks else f"{name} {len(run.tasks)}"] = task
            if raw.uuid:
                task.uuid = raw.uuid
                self._tasks[raw.uuid] = (run, task)
        else:
            run, task = known
        if kind.new == RUNNING and task.start is None:
            task.start, task.start_resolution, task.epoch = raw.at, raw.resolution_us, self._epoch
        task.end, task.end_resolution = raw.at, raw.resolution_us
        task.stepped = task.stepped or (task.start is not None and task.epoch != self._epoch)
        task.states.append(kind.new or "")
        task.inferred = task.inferred or inferred
        run.sent.setdefault(f"{name} {kind.new}", (raw.at, raw.resolution_us, where))
        self._event(raw, kind, where, inferred, run)
        if kind.new == "FAILURE":
            run.failed = True
            self._failures.append(Failure(run.service, run.flow, name, run.attempt, run.backend, raw.facts.get("exception"), raw.facts.get("error"), where))
        run.rescheduled = run.rescheduled or raw.facts.get("rescheduled") == "True"
        self._learn(kind.row, raw.facts, authoritative=name == "EntryCreateTask")
        if self._repairing:
            self._position = follow(self._position, Step(run.flow, run.attempt, name, kind.old or "", kind.new or ""))

    def _run_of_task(self, name: str, raw: Raw, where: Location) -> _Run:
        """The run that a task belongs to whose uuid is new: its lines do not say. See HAZARDS: two runs may be open at once."""
        flow = _TASK_FLOWS.get(name)
        if flow is None:
            fitting = [r for r in self._runs if r.service == raw.service and r.state == RUNNING]
            return fitting[-1] if fitting else self._begin("", raw, where)
        fitting = [r for r in self._runs if r.flow == flow.name and r.state not in FINAL_FLOW_STATES and name not in r.tasks]
        own = [r for r in fitting if r.process == raw.process] or fitting
        lawful = [r for r in own if not r.failed and len(r.tasks) == flow.index(name)]
        candidates = lawful or [r for r in own if not r.failed] or own
        if candidates:
            return candidates[-1]
        again = [r for r in self._runs if r.flow == flow.name and r.state not in FINAL_FLOW_STATES]
        return again[-1] if again else self._begin(flow.name, raw, where)

    def _message(self, raw: Raw, kind: Kind, where: Location, inferred: bool) -> None:
        facts, row = raw.facts, kind.row
        run = self._current(raw)
        if row == RESCHEDULE_PARAMETERS:
            attempt = _ATTEMPT.search(str(facts.get("retry", "")))
            backends = _BACKENDS.search(str(facts.get("retry", "")))
            names = _QUOTED.findall(backends[1]) if backends else []
            self._announced[raw.process] = (int(attempt[1]) if attempt else None, names[-1] if names else None, raw.at, raw.resolution_us)
            run = None
        elif row == "backend-chosen" and run is not None:
            self._chosen[run.attempt] = str(facts.get("backend"))
        elif row == "schedule-failed":
            self._scheduling_failed(raw, run, where)
        elif row == "error-caught" and not any(f.service == API for f in self._failures):
            error = read_summary(str(facts.get("error") or "")).get("error") or facts.get("error")
            self._failures.append(Failure(API, None, None, None, None, _class_name(facts), error, where))
        if row not in _OF_A_BACKEND:
            self._learn(row, facts, authoritative=False)
        self._event(raw, kind, where, inferred, run)

    def _current(self, raw: Raw) -> _Run | None:
        """The run in which this process was last at work, for the attempt of a message."""
        return next((r for r in reversed(self._runs) if r.process == raw.process and r.service == raw.service), None)

    def _scheduling_failed(self, raw: Raw, run: _Run | None, where: Location) -> None:
        if any(f.service == SCHEDULER and run and f.attempt == run.attempt for f in self._failures):
            return
        cause = str(raw.facts.get("cause") or "")
        summary = read_summary(cause)
        if not summary and cause.startswith(("No valid backend", "No valid host")):
            summary = {"exception": "NoValidBackend", "error": cause}
        flow = VOLUME_CREATE.flow_of(SCHEDULER)
        task = str(raw.facts.get("task") or "").partition(";")[0].rpartition(".")[2] or None
        self._failures.append(
            Failure(SCHEDULER, flow.name if flow else None, task, run.attempt if run else None, None, summary.get("exception"), summary.get("error") or cause or None, where)
        )

    def _learn(self, row: str, facts: dict, authoritative: bool) -> None:
        volume_id = facts.get("volume_id")
        if volume_id and _UUID.fullmatch(volume_id):
            ids = self.volume_ids if authoritative else self.other_ids
            if volume_id not in ids:
                ids.append(volume_id)
        for name in ("size_gb", "volume_type", "zone", "create_type", "image_id", "snapshot_id", "source_id", "method", "url", "status", "body"):
            value = facts.get(name)
            if value not in (None, "", "None") and name not in self.facts and (name not in _TOLD_BY or row in _TOLD_BY[name]):
                self.facts[name] = value

    # -- the result --------------------------------------------------------------------------------------------------

    def build(self, **seen) -> Timeline:
        """The timeline. ``seen`` gives the fields that the events do not hold (start, end, project, user, …)."""
        wishes = read_body(str(self.facts["body"])) if "body" in self.facts else {}
        answer = self._answer(seen.pop("access", None))
        operation = self._operation(answer)
        lifecycle = VARIANTS.get(operation, VOLUME_CREATE)
        flows = self._flow_spans()
        handoffs = tuple(self._handoffs(lifecycle))
        volume_runs = [r for r in self._runs if r.service == VOLUME]
        size = self.facts.get("size_gb", wishes.get("size"))
        return Timeline(
            self.request_id,
            operation,
            volume_ids=tuple(self.volume_ids or self.other_ids[:1]),
            name=wishes.get("name") if isinstance(wishes.get("name"), str) else None,
            size_gb=size if isinstance(size, int) and not isinstance(size, bool) else None,
            volume_type=self.facts.get("volume_type") or _text(wishes.get("volume_type")),
            availability_zone=_text(wishes.get("availability_zone")) or self.facts.get("zone"),
            source=self._source(wishes, operation),
            answer=answer,
            attempts=len(volume_runs),
            backend=max(volume_runs, key=lambda r: r.attempt).backend if volume_runs else None,
            flows=flows,
            handoffs=handoffs,
            failures=tuple(self._failures),
            events=tuple(self._events),
            diagnostics=tuple(self.diagnostics),
            where=self._events[0].where if self._events else None,
            unrecognised=tuple(self.unrecognised),
            **seen,
        )

    def _answer(self, access) -> Answer:
        method, path, status = self.facts.get("method"), self.facts.get("url"), self.facts.get("status")
        if path:
            path = re.sub(r"^(?:https?:)?//[^/]*", "", path)
        if access is not None:
            method, path, status = method or access.method, path or access.path, status or access.status
        return Answer(method, path, _status(status))

    def _operation(self, answer: Answer) -> str:
        if answer.method == "POST" and answer.path:
            if _CREATE_PATH.search(answer.path):
                return VOLUME_CREATE.operation
            if _GROUP_PATH.search(answer.path):
                return GROUP_CREATE.operation if any(r.flow == GROUP_CREATE.flows[0].name for r in self._runs) else "other"
            if _RESTORE_PATH.search(answer.path):
                return RESTORE.operation
        if answer.path is None and any(VOLUME_CREATE.flow(r.flow) for r in self._runs):
            return VOLUME_CREATE.operation
        if answer.path is None and any(e.kind.row in _CREATE_ROWS for e in self._events):
            return VOLUME_CREATE.operation
        return "other"

    def _source(self, wishes: dict, operation: str) -> str | None:
        for key, source in (("snapshot_id", "snapshot"), ("source_volid", "volume"), ("imageRef", "image"), ("image_id", "image"), ("backup_id", "backup")):
            if wishes.get(key):
                return source
        if "create_type" in self.facts:
            return _CREATE_TYPES.get(self.facts["create_type"], self.facts["create_type"])
        for key, source in (("snapshot_id", "snapshot"), ("source_id", "volume"), ("image_id", "image")):
            if self.facts.get(key):
                return source
        return "blank" if wishes and operation == VOLUME_CREATE.operation else None

    def _flow_spans(self) -> tuple[FlowSpan, ...]:
        rank = {API: 0, SCHEDULER: 1, VOLUME: 2}
        runs = sorted(self._runs, key=lambda r: (r.attempt if r.service != API else 1, rank.get(r.service, 3)))
        return tuple(
            FlowSpan(
                r.service,
                r.flow,
                r.uuid,
                r.attempt,
                r.state,
                r.start,
                r.end,
                bounds(r.start, r.end, r.start_resolution, r.end_resolution, r.stepped),
                r.inferred,
                tuple(
                    TaskSpan(t.name, t.uuid, tuple(t.states), t.start, t.end, bounds(t.start, t.end, t.start_resolution, t.end_resolution, t.stepped), t.inferred, t.where)
                    for t in r.tasks.values()
                ),
                r.where,
                self._process_names[r.process],
            )
            for r in runs
        )

    def _handoffs(self, lifecycle: Lifecycle):
        runs = {(r.flow, r.attempt): r for r in self._runs}
        refused = {f.attempt for f in self._failures if f.service == SCHEDULER}
        for sender in sorted(self._runs, key=lambda r: (r.attempt, r.service == VOLUME, r.service == SCHEDULER)):
            for cast in lifecycle.casts:
                if cast.sender != sender.flow:
                    continue
                attempt = sender.attempt + cast.next_run
                receiver = runs.get((cast.receiver, attempt))
                sent = sender.sent.get(f"{cast.task} {cast.state}")
                if receiver is None and not (sent and _was_cast(sender, cast.task, refused)):
                    continue
                server = None
                receiving = lifecycle.flow(cast.receiver)
                if receiving and receiving.service == VOLUME:
                    backend = (receiver.backend if receiver else None) or self._chosen.get(attempt)
                    server = backend.partition("#")[0] if backend else None
                at, resolution, where = sent or (None, 1, None)
                received = receiver.first_at if receiver else None
                limits = bounds(at, received, resolution, receiver.first_resolution) if receiver else None
                yield Handoff(sender.service, receiving.service if receiving else "", cast.topic, attempt, at, received, limits, server, where)


_ANSWERS = frozenset({"answer", "answer-refused", "access"})
# Facts of the request itself that other kinds of line have a word for, too.
_TOLD_BY = {"method": {"request-received"}, "url": {"request-received"} | _ANSWERS, "status": _ANSWERS, "body": {"request-body-raw", "request-body"}}
# Their sizes are what a backend gains or loses, not what the request asked for.
_OF_A_BACKEND = frozenset({"capacity-consumed"})
_CREATE_ROWS = frozenset({"request-body", "size-requested"})


def _was_cast(sender: _Run, task: str, refused: set) -> bool:
    """Whether the casting task got so far that the message must have been sent."""
    state = sender.tasks[task].states[-1] if task in sender.tasks and sender.tasks[task].states else None
    if sender.service == SCHEDULER:
        return state == "SUCCESS" and sender.attempt not in refused
    if sender.service == VOLUME:
        return sender.rescheduled
    return state == "SUCCESS"


def _status(value) -> int | None:
    """The status as a number; some releases log the name of Python's enumeration instead."""
    if isinstance(value, str) and value.startswith("HTTPStatus."):
        from http import HTTPStatus

        return HTTPStatus.__members__.get(value.partition(".")[2])
    return value if isinstance(value, int) else None


def _text(value) -> str | None:
    return value if isinstance(value, str) and value else None


def _class_name(facts: dict) -> str | None:
    found = re.search(r"([A-Za-z_]\w*)'?>?$", str(facts.get("exception") or ""))
    return found[1] if found else None


def _result_facts(kind: Kind, result: str | None) -> dict:
    return catalogue().result_facts(kind.task, kind.new or "", result) if kind.task and result else {}


def _remnant_facts(elided: Elided) -> dict:
    """The facts that can still be read of a message without its first words."""
    row, text = elided.row, elided.text
    if row is None:
        return {}
    if "url" in row.facts and text.startswith("//"):
        return {"url": text, "method": "POST"} if "method" in row.facts else {"url": text}
    if "body" in row.facts:
        return {"body": text}
    if "reservations" in row.facts:
        return {"reservations": text}
    return {}
