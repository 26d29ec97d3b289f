"""Hand-made timelines for the report's tests: a request by the book, a reschedule, a refusal, one that hangs, and many at once."""

from __future__ import annotations

from dataclasses import replace

from voltrace.lifecycle import FAILURE, PENDING, REVERTED, REVERTING, RUNNING, SUCCESS, VOLUME_CREATE, Flow
from voltrace.trace import Answer, CorrectedWait, Diagnostic, Event, Failure, FlowSpan, Handoff, HostClock, Kind, Location, Reading, TaskSpan, Timeline
from voltrace.verdict import Deviation, Outcome, Verdict

START = 1_795_000_000_000_000
FILES = {"api": "logs/c-api.log", "scheduler": "logs/c-sch.log", "volume": "logs/c-vol.log"}
HOSTILE = "</script><img src=x onerror=document.title='owned'>{{7*7}}\x1b[31mred\x07\u202egnp.exe"


def request_id(n: int) -> str:
    return f"req-{n:08d}-0000-4000-8000-000000000000"


class Writer:
    """Builds one timeline: every call moves the clock on."""

    def __init__(self, n: int = 1, start: int | None = START, step: int = 1):
        self.n, self.at, self.step = n, start, step
        self.start = start
        self.line = 10 * n
        self.events: list[Event] = []
        self.flows: list[FlowSpan] = []
        self.handoffs: list[Handoff] = []

    def _now(self, after: int) -> int | None:
        if self.at is not None:
            self.at += after
        return self._stamp()

    def _stamp(self) -> int | None:
        return None if self.at is None else self.at // self.step * self.step

    def _bounds(self, start: int | None, end: int | None) -> tuple[int, int] | None:
        if start is None or end is None:
            return None
        return (end - start, end - start) if self.step == 1 else (max(0, end - start - self.step), end - start + self.step)

    def _event(self, service: str, flow: Flow, task: str | None, uuid: str, old: str, new: str, attempt: int) -> Location:
        self.line += 1
        where = Location(FILES[service], self.line)
        kind = Kind("task" if task else "flow", None if task else flow.name, task, old, new)
        self.events.append(Event(self._stamp(), self.step, service, kind, uuid, {}, where, flow=flow.name, attempt=attempt))
        return where

    def run(
        self, service: str, attempt: int = 1, took: int = 10_000, fails: str | None = None, hangs: str | None = None, slow: dict[str, int] | None = None
    ) -> Location:
        """One flow: all SUCCESS, or ``fails`` in a task and reverts, or ``hangs`` in it. Returns the failed or hanging task's line."""
        flow = VOLUME_CREATE.flow_of(service)
        uuid = f"{service}-{attempt}-{self.n}"
        first, began = self._event(service, flow, None, uuid, PENDING, RUNNING, attempt), self._stamp()
        place, spans, last = first, [], RUNNING
        for i, task in enumerate(flow.tasks):
            start = self._now(200)
            own = f"{uuid}-{i}"
            where = self._event(service, flow, task.name, own, PENDING, RUNNING, attempt)
            states = [RUNNING]
            if task.name == hangs:
                spans.append([task.name, own, states, start, start, where])
                place = where
                break
            self._now((slow or {}).get(task.name, took))
            states.append(FAILURE if task.name == fails else SUCCESS)
            at = self._event(service, flow, task.name, own, RUNNING, states[-1], attempt)
            spans.append([task.name, own, states, start, self._stamp(), where])
            if task.name == fails:
                place = at
                break
        else:
            last = SUCCESS
        if fails:
            for span in reversed(spans):
                self._now(300)
                self._event(service, flow, span[0], span[1], span[2][-1], REVERTING, attempt)
                self._now(2000)
                self._event(service, flow, span[0], span[1], REVERTING, REVERTED, attempt)
                span[2] += [REVERTING, REVERTED]
                span[4] = self._stamp()
            last = REVERTED
        if last != RUNNING:
            self._now(100)
            self._event(service, flow, None, uuid, RUNNING, last, attempt)
        tasks = tuple(TaskSpan(name, own, tuple(states), a, b, self._bounds(a, b), False, where) for name, own, states, a, b, where in spans)
        end = self._stamp()
        self.flows.append(FlowSpan(service, flow.name, uuid, attempt, last, began, end, self._bounds(began, end), False, tasks, first))
        return place

    def cast(self, sender: str, receiver: str, attempt: int = 1, wait: int | None = 4000) -> None:
        sent = self._stamp()
        received = None if wait is None else self._now(wait)
        bounds = self._bounds(sent, received)
        server = "controller@lvmdriver-1" if receiver == "volume" else None
        self.handoffs.append(Handoff(sender, receiver, f"cinder-{receiver}", attempt, sent, received, bounds, server, Location(FILES[sender], self.line)))

    def timeline(self, **facts) -> Timeline:
        facts = {"name": f"vol-{self.n}", "backend": "controller@lvmdriver-1#lvmdriver-1", "answer": Answer("POST", "/volume/v3/p/volumes", 202), **facts}
        return Timeline(
            request_id(self.n), "volume-create", None, facts.pop("project", "admin"), facts.pop("user", "admin"), (f"{self.n:08d}-aaaa-4000-8000-000000000000",),
            facts.pop("name"), facts.pop("size_gb", 1), None, "nova", "blank", facts.pop("answer"), self.start, self._stamp(),
            attempts=sum(f.service == "volume" for f in self.flows), flows=tuple(self.flows), handoffs=tuple(self.handoffs), events=tuple(self.events),
            where=Location(FILES["api"], 10 * self.n), **facts,
        )  # fmt: skip


def created(n: int = 1, start: int | None = START, step: int = 1, driver: int = 700_000, **facts) -> tuple[Timeline, Verdict]:
    w = Writer(n, start, step)
    w.run("api")
    w.cast("api", "scheduler")
    w.run("scheduler")
    w.cast("scheduler", "volume")
    w.run("volume", slow={"CreateVolumeFromSpecTask": driver})
    return w.timeline(**facts), Verdict(request_id(n), "conforms", Outcome("created", None, None, "available"), 1.0, (), 0, 58)


def skewed(n: int = 1, ahead: int = -3_600_000_000, bounds: tuple[int | None, int | None] = (-3_600_050_000, -3_599_950_000)) -> tuple[Timeline, Verdict]:
    """What `created` shows if the volume service's host has a clock that is ahead by so much (µs)."""
    timeline, verdict = created(n)
    process = "stor-host-7/12"

    def moved(value: TaskSpan | FlowSpan):
        return replace(value, start=value.start + ahead, end=value.end + ahead)

    flows = [f if f.service != "volume" else replace(moved(f), process=process, tasks=tuple(map(moved, f.tasks))) for f in timeline.flows]
    events = [e if e.service != "volume" else e._replace(at=e.at + ahead, process=process) for e in timeline.events]
    to_scheduler, cast = timeline.handoffs
    wait = CorrectedWait(cast.sent, cast.received, 4000, (0, 54_000 if bounds[0] is not None else None))
    cast = replace(cast, received=cast.received + ahead, bounds_us=None, corrected=wait)
    clock = HostClock("volume", "stor-host-7", "controller", flows[-1].start, ahead, bounds, processes=frozenset({process}))
    instants = [e.at for e in events]
    timeline = replace(
        timeline, start=min(instants), end=max(instants), flows=tuple(flows), events=tuple(events), handoffs=(to_scheduler, cast), clocks=(clock,)
    )
    return timeline, verdict


def rescheduled(n: int = 2, start: int | None = START, gives_up: bool = True, message: str = "fault injected", **facts) -> tuple[Timeline, Verdict]:
    w = Writer(n, start)
    w.run("api")
    w.cast("api", "scheduler")
    w.run("scheduler")
    w.cast("scheduler", "volume")
    failures = []
    for attempt in (1, 2):
        where = w.run("volume", attempt, fails="CreateVolumeFromSpecTask")
        failures.append(Failure("volume", "volume_create_manager", "CreateVolumeFromSpecTask", attempt, "controller@lvmdriver-1", "Exception", message, where))
        if attempt == 1:
            w.cast("volume", "scheduler", 2)
            w.run("scheduler", 2)
            w.cast("scheduler", "volume", 2, 6000)
    deviation = Deviation(
        "missing-transition", request_id(n), "task ExtractVolumeRefTask was not seen RUNNING", "RUNNING", "SUCCESS", w.flows[-1].tasks[0].where
    )
    outcome = Outcome("failed", "driver-error", "retries-exhausted", "error")
    timeline = w.timeline(
        failures=tuple(failures), diagnostics=(Diagnostic("clock-offset", "c-vol's clock is 3 ms behind", Location(FILES["volume"], 1)),), **facts
    )
    return timeline, Verdict(request_id(n), "deviates", outcome, 0.97, (deviation,), 2, 80)


def refused(n: int = 3, start: int | None = START, **facts) -> tuple[Timeline, Verdict]:
    w = Writer(n, start)
    w.run("api", fails="QuotaReserveTask")
    failure = Failure(
        "api",
        "volume_create_api",
        "QuotaReserveTask",
        1,
        None,
        "VolumeLimitExceeded",
        "Maximum number of volumes allowed (10) exceeded",
        Location(FILES["api"], w.line),
    )
    timeline = w.timeline(answer=Answer("POST", "/volume/v3/p/volumes", 413), backend=None, failures=(failure,), **facts)
    return replace(timeline, volume_ids=()), Verdict(request_id(n), "conforms", Outcome("refused", "over-quota"), 1.0, (), 0, 20)


def stuck(n: int = 4, start: int | None = START, **facts) -> tuple[Timeline, Verdict]:
    w = Writer(n, start)
    w.run("api")
    w.cast("api", "scheduler")
    w.run("scheduler")
    w.cast("scheduler", "volume")
    where = w.run("volume", hangs="CreateVolumeFromSpecTask")
    deviation = Deviation("flow-without-end", request_id(n), "flow volume_create_manager began and never ended", None, None, where)
    return w.timeline(**facts), Verdict(request_id(n), "deviates", Outcome("stuck", "service-stopped", None, "creating"), 0.9, (deviation,), 4, 40)


def lost(n: int = 5, start: int | None = START, **facts) -> tuple[Timeline, Verdict]:
    w = Writer(n, start)
    w.run("api")
    w.cast("api", "scheduler", wait=None)
    deviation = Deviation("handoff-lost", request_id(n), "the cast to cinder-scheduler was never received", None, None, Location(FILES["api"], w.line))
    return w.timeline(backend=None, **facts), Verdict(
        request_id(n), "deviates", Outcome("lost", "message-not-received", None, "creating"), 1.0, (deviation,), 0, 20
    )


def info_only(n: int = 6, start: int | None = START, **facts) -> tuple[Timeline, Verdict]:
    events = tuple(
        Event(None if start is None else start + i * 9000, 1, s, Kind(row, level="INFO"), None, {}, Location(FILES[s], n + i))
        for i, (s, row) in enumerate([("api", "request-issued"), ("volume", "created-successfully")])
    )
    timeline = replace(Writer(n, start).timeline(**facts), events=events, end=None if start is None else start + 9000)
    return timeline, Verdict(request_id(n), "conforms", Outcome("created"), None)


def reading(*pairs: tuple[Timeline, Verdict]) -> tuple[Reading, dict[str, Verdict]]:
    """A reading of these requests, with what its logs cover."""
    got = Reading([t for t, _ in pairs], lines=1460 * len(pairs), unrecognised=0, sources=list(FILES.values()))
    for service, coverage in got.coverage.items():
        coverage.first, coverage.last, coverage.debug = START - 60_000_000, START + 3_600_000_000, True
        got.diagnostics.append(Diagnostic("year-assumed", f"{FILES[service]}: the year is taken from the file's time", Location(FILES[service], 1)))
    return got, {v.request_id: v for _, v in pairs}


def mixed(n: int, hostile: str | None = None) -> tuple[Reading, dict[str, Verdict]]:
    """``n`` requests, one every 1.7 s or so, of every kind; ``hostile`` is put wherever users and drivers write."""
    facts = {} if hostile is None else {"name": hostile, "project": hostile, "user": hostile}
    pairs = []
    for i in range(n):
        at = START + i * 1_700_000 + (i * 7919 % 1000) * 900
        make = {3: refused, 7: rescheduled, 13: stuck, 17: lost}.get(i % 20, created)
        extra = {"driver": 500_000 + (i * 104729 % 997) ** 2} if make is created else {"message": hostile} if make is rescheduled and hostile else {}
        pairs.append(make(i + 1, at, **extra, **facts))
    return reading(*pairs)


def fetch(timeline: Timeline) -> list[tuple[Location, str, str]]:
    """Source lines as the command line would hand them over, one an event."""
    return [
        (e.where, f"Nov 18 11:06:40.{n:06d} controller cinder-{e.service}[1]: DEBUG cinder.{e.service} [None {timeline.request_id} admin admin] '{e.kind.task or e.kind.flow or e.kind.row}' {e.kind.new} {timeline.name}", e.service)
        for n, e in enumerate(timeline.events)
    ]  # fmt: skip
