"""Which run of which flow a line belongs to, and which attempt a run is.

Lines of a task carry no flow uuid, two runs of one flow may be open at once (a reschedule's new attempt begins before the old one
has finished its revert), and a log may begin in the middle of a run. See docs/hazards.md, 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..lifecycle import API, FINAL_FLOW_STATES, PENDING, REVERTING, RUNNING, SCHEDULER, VOLUME, VOLUME_CREATE, Flow
from ..trace import Bounds, FlowSpan, Kind, Location, TaskSpan
from .order import Raw

_FLOWS: dict[str, Flow] = {task.name: flow for flow in VOLUME_CREATE.flows for task in flow.tasks}
_PLACES = {task.name: i for flow in VOLUME_CREATE.flows for i, task in enumerate(flow.tasks)}


def bounds(start: int | None, end: int | None, start_resolution: int, end_resolution: int, stepped: bool = False) -> Bounds | None:
    """What a duration between two stamps can truly have been: each stamp stands for [stamp, stamp + resolution).

    None if nothing can be said: a stamp is missing, the clock stepped, or the clocks of two hosts differ so that it would be negative.
    """
    if start is None or end is None or stepped or end - start + end_resolution <= 0:
        return None
    between = end - start
    return max(0, between - (start_resolution - 1)), max(0, between + (end_resolution - 1))


@dataclass(slots=True)
class Extent:
    """From when to when something lasted; ``epoch`` counts the steps of the clock before its start."""

    start: int | None = None
    end: int | None = None
    start_resolution: int = 1
    end_resolution: int = 1
    epoch: int = 0
    stepped: bool = False
    least_us: int = 0  # what messages say that it lasted, at least and at most
    most_us: int | None = None

    def begin(self, raw: Raw, epoch: int) -> None:
        self.start, self.start_resolution, self.epoch = raw.at, raw.resolution_us, epoch

    def finish(self, raw: Raw, epoch: int) -> None:
        self.end, self.end_resolution = raw.at, raw.resolution_us
        self.stepped = self.stepped or (self.start is not None and self.epoch != epoch)

    def bounds(self) -> Bounds | None:
        found = bounds(self.start, self.end, self.start_resolution, self.end_resolution, self.stepped)
        if found is None or (not self.least_us and self.most_us is None):
            return found
        low, high = max(found[0], self.least_us), found[1] if self.most_us is None else min(found[1], self.most_us)
        return (low, high) if low <= high else found  # what was said is not of the same clock


@dataclass(slots=True)
class TaskRun:
    """One run of a task, as its lines are read."""

    name: str
    uuid: str | None
    where: Location
    extent: Extent = field(default_factory=Extent)
    states: list[str] = field(default_factory=list)
    inferred: bool = False

    def span(self) -> TaskSpan:
        e = self.extent
        return TaskSpan(self.name, self.uuid, tuple(self.states), e.start, e.end, e.bounds(), self.inferred, self.where)


@dataclass(slots=True)
class FlowRun:
    """One run of a flow, as its lines are read. ``announced``: a message said which attempt it is; ``entered``: when which task entered which state first."""

    flow: str
    service: str
    process: int
    where: Location
    attempt: int = 1
    uuid: str | None = None
    state: str = PENDING
    extent: Extent = field(default_factory=Extent)
    tasks: dict[str, TaskRun] = field(default_factory=dict)
    inferred: bool = False
    announced: bool = False
    late: bool = False
    failed: bool = False
    rescheduled: bool = False
    backend: str | None = None
    chosen: str | None = None
    first_at: int | None = None
    first_resolution: int = 1
    entered: dict[tuple[str, str], tuple[int | None, int, Location]] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.state not in FINAL_FLOW_STATES

    def span(self, process: str) -> FlowSpan:
        e = self.extent
        tasks = tuple(t.span() for t in self.tasks.values())
        return FlowSpan(
            self.service, self.flow, self.uuid, self.attempt, self.state, e.start, e.end, e.bounds(), self.inferred, tasks, self.where, process, self.late
        )


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a volume service says before it begins a run: which attempt it is, and on which backend."""

    attempt: int | None
    backend: str | None
    at: int | None
    resolution_us: int


class Runs:
    """The runs of one request, found as its lines come in causal order."""

    def __init__(self) -> None:
        self.all: list[FlowRun] = []
        self._by_uuid: dict[str, FlowRun] = {}
        self._tasks: dict[str, tuple[FlowRun, TaskRun]] = {}
        self._announced: dict[int, Announcement] = {}
        self._lost_uuids = False

    def announce(self, process: int, announcement: Announcement) -> None:
        """The next run that this process begins is this attempt."""
        self._announced[process] = announcement

    def task_of(self, uuid: str | None) -> str | None:
        """The class name of the task with this uuid, if it has been seen."""
        known = self._tasks.get(uuid or "")
        return known[1].name if known else None

    def current(self, process: int, service: str) -> FlowRun | None:
        """The run at which this process was last at work."""
        return next((r for r in reversed(self.all) if r.process == process and r.service == service), None)

    # -- steps -------------------------------------------------------------------------------------------------------

    def flow_step(self, raw: Raw, kind: Kind, where: Location, epoch: int, inferred: bool) -> FlowRun:
        """A flow entered a state: the run it is of."""
        run = self._by_uuid.get(raw.uuid or "")
        if run is None:
            run = self._unnamed(kind, raw) or self._begin(kind.flow or "", raw, where, late=kind.old != PENDING)
            if raw.uuid:
                run.uuid = raw.uuid
                self._by_uuid[raw.uuid] = run
        if kind.new == RUNNING and run.extent.start is None:
            run.extent.begin(raw, epoch)
        elif kind.new in FINAL_FLOW_STATES:
            run.extent.finish(raw, epoch)
        run.state = kind.new or run.state
        run.inferred = run.inferred or inferred
        return run

    def task_step(self, raw: Raw, kind: Kind, where: Location, epoch: int, inferred: bool) -> FlowRun:
        """A task entered a state: the run it is of."""
        name, new = kind.task or "", kind.new or ""
        known = self._tasks.get(raw.uuid or "") or self._without_uuid(name, kind, raw)
        if known is None:
            run = self._run_of(name, kind, raw, where)
            task = run.tasks.get(name)
            if task is None or (task.uuid and raw.uuid and task.uuid != raw.uuid):
                task = TaskRun(name, raw.uuid, where)
                run.tasks[name if name not in run.tasks else f"{name} {len(run.tasks)}"] = task
            if raw.uuid:
                task.uuid = raw.uuid
                self._tasks[raw.uuid] = (run, task)
            else:
                self._lost_uuids = True
        else:
            run, task = known
        if new == RUNNING and task.extent.start is None:
            task.extent.begin(raw, epoch)
        task.extent.finish(raw, epoch)
        task.states.append(new)
        task.inferred = task.inferred or inferred
        run.failed = run.failed or new == "FAILURE"
        run.rescheduled = run.rescheduled or raw.facts.get("rescheduled") == "True"
        run.entered.setdefault((name, new), (raw.at, raw.resolution_us, where))
        return run

    def _without_uuid(self, name: str, kind: Kind, raw: Raw) -> tuple[FlowRun, TaskRun] | None:
        """The task that a line with a new uuid goes on with, if its earlier lines had lost theirs."""
        for run in reversed(self.all) if self._lost_uuids else ():
            task = run.tasks.get(name)
            if raw.uuid and task is not None and task.uuid is None and run.is_open and task.states[-1:] == [kind.old]:
                task.uuid = raw.uuid
                self._tasks[raw.uuid] = (run, task)
                return run, task
        return None

    def lasted(self, process: int, us: int) -> None:
        """Something lasted so long that this process did by now, for the task that it is at: if it can only be one."""
        open_runs = [r for r in self.all if r.process == process and r.is_open]
        tasks = [t for r in open_runs for t in r.tasks.values() if t.states and t.states[-1] in (RUNNING, REVERTING)]
        if len(open_runs) == 1 and len(tasks) == 1:
            for extent in (open_runs[0].extent, tasks[0].extent):
                extent.least_us = max(extent.least_us, us)

    def end_within(self, service: str, us: int) -> None:
        """All runs of a service lasted no longer than that."""
        for run in self.all:
            if run.service == service:
                for extent in (run.extent, *(t.extent for t in run.tasks.values())):
                    extent.most_us = us

    # -- which run ---------------------------------------------------------------------------------------------------

    def _unnamed(self, kind: Kind, raw: Raw) -> FlowRun | None:
        """The open run whose flow's own lines have not been seen, or any open one if the uuid is lost, if this line may be one of its."""
        if not raw.uuid and kind.old != PENDING:
            open_runs = [r for r in self.all if r.flow == kind.flow and r.state == kind.old and r.is_open]
            return next((r for r in reversed(open_runs) if r.process == raw.process), open_runs[-1] if open_runs else None)
        fitting = [r for r in self.all if r.flow == kind.flow and r.uuid is None and r.is_open]
        if kind.old == PENDING:  # the flow's first line may stand behind its first task's
            fitting = [r for r in fitting if r.state == PENDING and _began_here(r)]
        return fitting[-1] if fitting else None

    def _run_of(self, name: str, kind: Kind, raw: Raw, where: Location) -> FlowRun:
        """The run of a task whose uuid is new."""
        last = self.all[-1] if self.all else None
        place, flow = _PLACES.get(name), _FLOWS.get(name)
        if (
            last is not None
            and last.process == raw.process
            and last.state == RUNNING
            and not last.failed
            and flow is not None
            and last.flow == flow.name
            and len(last.tasks) == place
        ):
            return last
        if flow is None:
            fitting = [r for r in self.all if r.service == raw.service and r.state == RUNNING]
            return fitting[-1] if fitting else self._begin("", raw, where, late=False)
        of_flow = [r for r in self.all if r.flow == flow.name and r.is_open]
        here = [r for r in of_flow if r.process == raw.process] or of_flow
        if raw.uuid is None and kind.old != PENDING:  # the uuid is lost: the task of that name that is at work
            begun = [r for r in here if name in r.tasks]
            if begun:
                return begun[-1]
        lacking = [r for r in here if name not in r.tasks]
        if kind.old not in (PENDING, RUNNING):  # a revert: of a run that failed, or of one that began before the log did
            reverted = [r for r in lacking if r.failed or r.extent.start is None] or [r for r in lacking if not self._follows_unseen(r)]
            return reverted[-1] if reverted else self._begin(flow.name, raw, where, late=True)
        lawful = [r for r in lacking if not r.failed and len(r.tasks) == place]
        if lawful:
            return lawful[-1]
        begins = raw.process in self._announced or (kind.old == PENDING and place == 0)
        if not begins:  # lines in between may be lost
            unlawful = [r for r in lacking if not r.failed] or ([r for r in here if r.extent.start is not None] if kind.old == PENDING else [])
            if unlawful:
                return unlawful[-1]
        return self._begin(flow.name, raw, where, late=not begins)

    def _follows_unseen(self, run: FlowRun) -> bool:
        """Whether an earlier run of this flow may be at work of which the log shows nothing yet."""
        before = any(r.flow == run.flow and r.attempt == run.attempt - 1 for r in self.all)
        return run.service == VOLUME and not (run.announced and (run.attempt == 1 or before))

    # -- attempts ----------------------------------------------------------------------------------------------------

    def _begin(self, flow: str, raw: Raw, where: Location, late: bool) -> FlowRun:
        """A new run. ``late``: its beginning is not in the log, so that it was begun before every run of which it is."""
        known = VOLUME_CREATE.flow(flow)
        run = FlowRun(flow, known.service if known else raw.service, raw.process, where, late=late, first_at=raw.at, first_resolution=raw.resolution_us)
        others = [r for r in self.all if r.flow == flow]
        announced = self._announced.pop(raw.process, None) if run.service == VOLUME and not late else None
        if announced:
            run.announced, run.backend = announced.attempt is not None, announced.backend
            run.first_at, run.first_resolution = announced.at, announced.resolution_us
        if run.service == API:
            run.attempt = 1  # a group's API flow runs once a volume, and all of them are the first attempt
        elif announced and announced.attempt:
            run.attempt = announced.attempt
            self._count_back(run.attempt)
        elif late and any(r.extent.start is not None and r.is_open for r in others):
            run.attempt = min(r.attempt for r in others if r.extent.start is not None and r.is_open) - 1
            if run.attempt < 1:
                run.attempt = 1
                for other in others:
                    other.attempt += not other.announced
        else:
            run.attempt = 1 + max((r.attempt for r in others), default=0)
        self.all.append(run)
        return run

    def _count_back(self, attempt: int) -> None:
        """A message said which attempt this is: runs before it of which the log shows no number are counted back from it."""
        scheduled = [r for r in self.all if r.service == SCHEDULER]
        behind = attempt - scheduled[-1].attempt if scheduled else 0
        for run in scheduled if behind > 0 else ():
            run.attempt += behind
        earlier = sorted((r for r in self.all if r.service == VOLUME), key=lambda r: -r.attempt)
        for back, run in enumerate(earlier, 1):
            if run.announced:
                break
            run.attempt = max(1, attempt - back)

    def in_order(self) -> list[FlowRun]:
        """The runs in the order in which they began: the API's, then attempt by attempt."""
        rank = {API: 0, SCHEDULER: 1, VOLUME: 2}
        return sorted(self.all, key=lambda r: (r.attempt if r.service != API else 1, rank.get(r.service, 3)))


def _began_here(run: FlowRun) -> bool:
    """Whether a run without its flow's first line shows its first task's first line, so that its beginning is in the log."""
    flow = VOLUME_CREATE.flow(run.flow)
    if flow is None or run.failed or len(run.tasks) != 1:
        return False
    first = run.tasks.get(flow.tasks[0].name)
    return first is not None and first.states[:1] == [RUNNING]
