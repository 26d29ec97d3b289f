"""The create-volume lifecycle as a value: what Cinder's services may do, in which order, and why.

Everything else reads this module. The simulator takes only steps that `advance` grants, the checker replays logs
through it, the report draws with its words. It holds no probabilities and no times (those are a `Profile`).

Sources: taskflow's ``states.py`` (transition tables, the same from 2.14 to 6.5) and the flows of
``cinder/volume/flows/api``, ``cinder/scheduler/flows`` and ``cinder/volume/flows/manager`` (the same from Pike to 2026.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache

PENDING, RUNNING, SUCCESS, FAILURE = "PENDING", "RUNNING", "SUCCESS", "FAILURE"
REVERTING, REVERTED, REVERT_FAILURE = "REVERTING", "REVERTED", "REVERT_FAILURE"
STATES = (PENDING, RUNNING, SUCCESS, FAILURE, REVERTING, REVERTED, REVERT_FAILURE)

API, SCHEDULER, VOLUME = "api", "scheduler", "volume"
SERVICES = (API, SCHEDULER, VOLUME)


@dataclass(frozen=True, slots=True)
class Transition:
    """A pair of states that taskflow allows, and what it means here."""

    old: str
    new: str
    level: str
    reason: str


TASK_TRANSITIONS = (
    Transition(PENDING, RUNNING, "DEBUG", "its turn has come: every task before it ended SUCCESS"),
    Transition(RUNNING, SUCCESS, "DEBUG", "its execute() returned"),
    Transition(RUNNING, FAILURE, "WARNING", "its execute() raised"),
    Transition(FAILURE, REVERTING, "DEBUG", "the failed task is the first to be reverted"),
    Transition(SUCCESS, REVERTING, "DEBUG", "a later task failed, and every task after this one is reverted"),
    Transition(REVERTING, REVERTED, "WARNING", "its revert() returned"),
    Transition(REVERTING, REVERT_FAILURE, "WARNING", "its revert() raised; nothing before it is reverted any more"),
)
FLOW_TRANSITIONS = (
    Transition(PENDING, RUNNING, "DEBUG", "the engine starts"),
    Transition(RUNNING, SUCCESS, "DEBUG", "every task ended SUCCESS"),
    Transition(RUNNING, REVERTED, "WARNING", "a task failed and everything was reverted"),
    Transition(RUNNING, FAILURE, "WARNING", "a revert failed"),
)
_TASK_LAW = {(t.old, t.new): t for t in TASK_TRANSITIONS}
_FLOW_LAW = {(t.old, t.new): t for t in FLOW_TRANSITIONS}
FINAL_FLOW_STATES = frozenset({SUCCESS, REVERTED, FAILURE})


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a flow. ``name`` is the class name, ``logged_as`` the name in the log."""

    name: str
    logged_as: str
    does: str
    revert: str | None = None


@dataclass(frozen=True, slots=True, eq=False)  # compared and hashed by identity: they are keys of caches
class Flow:
    """A linear taskflow flow: its tasks run one after the other, in this order, in one service."""

    name: str
    service: str
    logger: str
    tasks: tuple[Task, ...]

    def index(self, task: str) -> int:
        """Position of the task of that class name, -1 if the flow has none."""
        return _task_index(self).get(task, -1)


@cache
def _task_index(flow: Flow) -> dict[str, int]:
    return {task.name: i for i, task in enumerate(flow.tasks)}


@dataclass(frozen=True, slots=True)
class Cast:
    """A message without reply: ``task`` of ``sender`` entering ``state`` starts a run of ``receiver``.

    ``next_run`` is 0 where the receiver's run has the sender's ordinal, 1 where it is the next attempt.
    """

    sender: str
    task: str
    state: str
    receiver: str
    topic: str
    next_run: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)  # compared and hashed by identity: they are keys of caches
class Lifecycle:
    """The flows of one kind of request and the casts between them. ``starts`` may begin without a cast."""

    operation: str
    flows: tuple[Flow, ...]
    casts: tuple[Cast, ...]
    starts: tuple[str, ...]
    runs: str = "once"

    def flow(self, name: str) -> Flow | None:
        """The flow of that name, or None."""
        return _flow_by_name(self).get(name)

    def flow_of(self, service: str) -> Flow | None:
        """The flow that this service runs, or None."""
        return next((f for f in self.flows if f.service == service), None)

    def cast_to(self, receiver: str, run: int) -> Cast | None:
        """The cast that starts this run (1, 2, …) of the flow ``receiver``; None if none does."""
        fitting = [c for c in self.casts if c.receiver == receiver]
        return next((c for c in fitting if c.next_run == (1 if run > 1 and len(fitting) > 1 else 0)), None)


@cache
def _flow_by_name(lifecycle: Lifecycle) -> dict[str, Flow]:
    return {flow.name: flow for flow in lifecycle.flows}


def _task(module: str, name: str, does: str, revert: str | None = None, addon: str = "") -> Task:
    return Task(name, f"cinder.{module}.create_volume.{name};volume:create{addon}", does, revert)


_API_FLOW = Flow(
    "volume_create_api",
    API,
    "cinder.volume.api",
    (
        _task("volume.flows.api", "ExtractVolumeRequestTask", "checks size, type, zone and source of the request"),
        _task("volume.flows.api", "QuotaReserveTask", "reserves quota", "rolls the reservation back unless committed"),
        _task("volume.flows.api", "EntryCreateTask", "writes the volume's row, status creating", "deletes the row unless quota was committed"),
        _task("volume.flows.api", "QuotaCommitTask", "commits the reservation", "reserves and commits the negative amount"),
        _task("volume.flows.api", "VolumeCastTask", "casts to the scheduler", "sets the volume to error if the cast had succeeded"),
    ),
)
_SCHEDULER_FLOW = Flow(
    "volume_create_scheduler",
    SCHEDULER,
    "cinder.scheduler.manager",
    (
        _task("scheduler.flows", "ExtractSchedulerSpecTask", "completes the request spec"),
        _task(
            "scheduler.flows",
            "ScheduleCreateVolumeTask",
            "filters and weighs backends, casts to the volume service; no valid backend is not a failure of the task",
        ),
    ),
)
_VOLUME_FLOW = Flow(
    "volume_create_manager",
    VOLUME,
    "cinder.volume.manager",
    (
        _task("volume.flows.manager", "ExtractVolumeRefTask", "reads the volume's row again", "leaves the volume as it is"),
        _task(
            "volume.flows.manager",
            "OnFailureRescheduleTask",
            "does nothing",
            "casts the request back to the scheduler (result True) or sets the volume to error (result False)",
        ),
        _task("volume.flows.manager", "ExtractVolumeSpecTask", "works out what to create from", "leaves the volume as it is"),
        _task("volume.flows.manager", "NotifyVolumeActionTask", "notifies create.start", addon=", create.start"),
        _task("volume.flows.manager", "CreateVolumeFromSpecTask", "lets the driver make the volume"),
        _task("volume.flows.manager", "CreateVolumeOnFinishTask", "sets the volume available and notifies create.end", addon=", create.end"),
    ),
)

SCHEDULER_TOPIC, VOLUME_TOPIC = "cinder-scheduler", "cinder-volume"

VOLUME_CREATE = Lifecycle(
    "volume-create",
    (_API_FLOW, _SCHEDULER_FLOW, _VOLUME_FLOW),
    (
        Cast(_API_FLOW.name, "VolumeCastTask", RUNNING, _SCHEDULER_FLOW.name, SCHEDULER_TOPIC, 0, "the request is accepted"),
        Cast(_SCHEDULER_FLOW.name, "ScheduleCreateVolumeTask", RUNNING, _VOLUME_FLOW.name, VOLUME_TOPIC, 0, "a backend was chosen"),
        Cast(
            _VOLUME_FLOW.name,
            "OnFailureRescheduleTask",
            REVERTING,
            _SCHEDULER_FLOW.name,
            SCHEDULER_TOPIC,
            1,
            "the backend failed and another attempt is allowed",
        ),
    ),
    (_API_FLOW.name,),
)
# A group made from a group snapshot or a source group runs the API's flow once a volume, without the cast:
# the group's own message takes the volumes along.
GROUP_CREATE = Lifecycle("group-create", (replace(_API_FLOW, tasks=_API_FLOW.tasks[:-1]),), (), (_API_FLOW.name,), runs="once a volume")
RESTORE = replace(VOLUME_CREATE, operation="restore")
VARIANTS = {lifecycle.operation: lifecycle for lifecycle in (VOLUME_CREATE, GROUP_CREATE, RESTORE)}


@dataclass(frozen=True, slots=True)
class Step:
    """A transition of a named flow (``task`` is None) or of one of its tasks, in the ``run``-th run of that flow (1, 2, …)."""

    flow: str
    run: int
    task: str | None
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Run:
    """Where one run of a flow stands: its state and those of its tasks, in the flow's order."""

    flow: str
    run: int
    state: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Where every run of a request stands. Immutable; the empty position is a request that has not begun."""

    runs: tuple[Run, ...] = ()

    def find(self, flow: str, run: int) -> Run | None:
        """The run of that flow and ordinal, or None if it has not begun."""
        for candidate in self.runs:
            if candidate.run == run and candidate.flow == flow:
                return candidate
        return None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step is not lawful here: a deviation slug, a sentence, and what would have been lawful."""

    slug: str
    message: str
    expected: str


@lru_cache(maxsize=1 << 16)
def advance(lifecycle: Lifecycle, position: Position, step: Step) -> Position | Refusal:
    """The position after ``step``, or the reason why the lifecycle does not grant it. Pure.

    Looking ahead is not this function's business: a task that begins while the one before it has not is
    ``task-out-of-order`` here, and becomes ``missing-transition`` for a reader who knows that it never came.
    """
    flow = lifecycle.flow(step.flow)
    if flow is None:
        return Refusal("unexpected-flow", f"flow {step.flow} is no part of {lifecycle.operation}", _names(f.name for f in lifecycle.flows))
    run = position.find(step.flow, step.run) or Run(step.flow, step.run, PENDING, (PENDING,) * len(flow.tasks))
    if step.task is None:
        refusal = _refuse_flow_step(lifecycle, position, flow, run, step)
        after = replace(run, state=step.new)
    else:
        index = flow.index(step.task)
        if index < 0:
            return Refusal("unexpected-task", f"task {step.task} is no part of flow {flow.name}", _names(t.name for t in flow.tasks))
        refusal = _refuse_task_step(flow, run, index, step)
        after = replace(run, tasks=(*run.tasks[:index], step.new, *run.tasks[index + 1 :]))
    return refusal or put(position, after)


def put(position: Position, run: Run) -> Position:
    """The position with this run replaced or added."""
    for i, other in enumerate(position.runs):
        if other.flow == run.flow and other.run == run.run:
            return Position((*position.runs[:i], run, *position.runs[i + 1 :]))
    return Position((*position.runs, run))


def _names(names) -> str:
    return " or ".join(names)


def _refuse_transition(what: str, current: str, step: Step, law: dict) -> Refusal | None:
    if (step.old, step.new) not in law:
        if step.old == step.new == current:
            return Refusal("repeated-transition", f"{what} entered {step.new} again", _next_states(current, law))
        return Refusal("illegal-transition", f"{what} went from {step.old} to {step.new}, which no lifecycle allows", _next_states(current, law))
    if step.old == current:
        return None
    if step.new == current:
        return Refusal("repeated-transition", f"{what} entered {step.new} again", _next_states(current, law))
    if _reachable(current, step.old, law):
        return Refusal("missing-transition", f"{what} went from {step.old} to {step.new}, but was last seen {current}", _next_states(current, law))
    return Refusal("illegal-transition", f"{what} went from {step.old} to {step.new} after it had been {current}", _next_states(current, law))


def _next_states(current: str, law: dict) -> str:
    return _names(new for old, new in law if old == current) or "nothing more"


def _reachable(start: str, goal: str, law: dict) -> bool:
    seen, edge = {start}, [start]
    while edge:
        state = edge.pop()
        for old, new in law:
            if old == state and new not in seen:
                seen.add(new)
                edge.append(new)
    return goal in seen


def _refuse_flow_step(lifecycle: Lifecycle, position: Position, flow: Flow, run: Run, step: Step) -> Refusal | None:
    what = f"flow {flow.name}"
    refusal = _refuse_transition(what, run.state, step, _FLOW_LAW)
    if refusal:
        return refusal
    if step.new == RUNNING:
        return _refuse_start(lifecycle, position, flow, step)
    states = dict(zip((t.name for t in flow.tasks), run.tasks))
    failed = [n for n, s in states.items() if s in (FAILURE, REVERTING, REVERTED, REVERT_FAILURE)]
    unfinished = [n for n, s in states.items() if s in (PENDING, RUNNING)]
    if step.new == SUCCESS:
        if failed:
            return Refusal("flow-result-contradiction", f"{what} ended SUCCESS although {failed[0]} is {states[failed[0]]}", REVERTED)
        if unfinished:
            return Refusal("missing-transition", f"{what} ended SUCCESS although {unfinished[0]} is {states[unfinished[0]]}", f"{unfinished[0]} SUCCESS")
        return None
    if not failed:
        return Refusal("flow-result-contradiction", f"{what} ended {step.new} although no task failed", SUCCESS)
    broken = REVERT_FAILURE in run.tasks
    if (step.new == FAILURE) != broken:
        return Refusal(
            "flow-result-contradiction", f"{what} ended {step.new} although {'a' if broken else 'no'} revert failed", FAILURE if broken else REVERTED
        )
    if not broken:
        open_tasks = [n for n, s in states.items() if s not in (PENDING, REVERTED)]
        if open_tasks:
            name = open_tasks[-1]
            if states[name] == REVERTING:
                return Refusal("missing-transition", f"{what} ended REVERTED although {name} is REVERTING", f"{name} REVERTED")
            return Refusal("revert-incomplete", f"{what} ended REVERTED although {name} is {states[name]}", f"{name} REVERTED")
    return None


def _refuse_start(lifecycle: Lifecycle, position: Position, flow: Flow, step: Step) -> Refusal | None:
    if flow.name in lifecycle.starts:
        if step.run > 1 and lifecycle.runs == "once":
            return Refusal("unexpected-flow", f"flow {flow.name} began a second time", "one run a request")
        return None
    cast = lifecycle.cast_to(flow.name, step.run)
    sender = cast and position.find(cast.sender, step.run - cast.next_run)
    if cast and sender:
        sending = lifecycle.flow(cast.sender)
        state = sender.tasks[sending.index(cast.task)] if sending else PENDING
        if state == cast.state or _reachable(cast.state, state, _TASK_LAW):
            return None
    expected = f"{cast.task} {cast.state}" if cast else "nothing"
    return Refusal("handoff-before-send", f"run {step.run} of flow {flow.name} began, but nothing had been cast to it", expected)


def _refuse_task_step(flow: Flow, run: Run, index: int, step: Step) -> Refusal | None:
    what = f"task {step.task}"
    refusal = _refuse_transition(what, run.tasks[index], step, _TASK_LAW)
    if refusal:
        return refusal
    if run.state != RUNNING:
        if run.state == PENDING:
            return Refusal("missing-transition", f"{what} entered {step.new} before its flow {flow.name} began", f"flow {flow.name} RUNNING")
        return Refusal("illegal-transition", f"{what} entered {step.new} after its flow {flow.name} had ended {run.state}", "nothing more")
    before, after = run.tasks[:index], run.tasks[index + 1 :]
    in_revert = any(s in (FAILURE, REVERTING, REVERTED, REVERT_FAILURE) for s in run.tasks)
    if step.new == RUNNING:
        if in_revert:
            return Refusal("task-after-failure", f"{what} began although a task of its flow had failed", "a revert")
        for other, state in zip(flow.tasks, before):
            if state == PENDING:
                return Refusal("task-out-of-order", f"{what} began before {other.name}", f"{other.name} RUNNING")
            if state != SUCCESS:
                return Refusal("missing-transition", f"{what} began although {other.name} is {state}", f"{other.name} SUCCESS")
        for other, state in zip(flow.tasks[index + 1 :], after):
            if state != PENDING:
                return Refusal("task-out-of-order", f"{what} began after {other.name}", f"{other.name} after {step.task}")
    elif step.new == REVERTING:
        if REVERT_FAILURE in run.tasks:
            return Refusal("illegal-transition", f"{what} is reverted although a revert had failed", "the flow's FAILURE")
        if step.old == SUCCESS and not in_revert:
            return Refusal("illegal-transition", f"{what} is reverted although no task of its flow had failed", "SUCCESS of the flow")
        for other, state in zip(reversed(flow.tasks[index + 1 :]), reversed(after)):
            if state not in (PENDING, REVERTED):
                return Refusal("revert-out-of-order", f"{what} is reverted before {other.name}, which is {state}", f"{other.name} REVERTED")
    return None


@lru_cache(maxsize=1 << 12)
def enabled(lifecycle: Lifecycle, position: Position) -> tuple[Step, ...]:
    """Every step that `advance` grants here, for the runs that have begun and those that a cast may begin."""
    steps = []
    # The highest ordinal of any flow: where the log begins late, a receiver may begin its third run without a first.
    begun = max((r.run for r in position.runs), default=0)
    for flow in lifecycle.flows:
        steps += [Step(flow.name, n, None, t.old, t.new) for n in range(1, begun + 2) for t in FLOW_TRANSITIONS]
        steps += [Step(flow.name, n, task.name, t.old, t.new) for n in range(1, begun + 1) for task in flow.tasks for t in TASK_TRANSITIONS]
    return tuple(s for s in steps if not isinstance(advance(lifecycle, position, s), Refusal))


def level_of(task: bool, new: str) -> str:
    """The level at which Cinder's listener logs the entry into a state (a task's or a flow's)."""
    return next((t.level for t in (TASK_TRANSITIONS if task else FLOW_TRANSITIONS) if t.new == new), "DEBUG")


def describe(lifecycle: Lifecycle) -> dict:
    """The lifecycle as plain values, in the words that every output of voltrace uses."""
    return {
        "operation": lifecycle.operation,
        "runs": lifecycle.runs,
        "flows": [
            {
                "name": flow.name,
                "service": flow.service,
                "logger": flow.logger,
                "tasks": [{"name": t.name, "logged_as": t.logged_as, "does": t.does, "revert": t.revert} for t in flow.tasks],
            }
            for flow in lifecycle.flows
        ],
        "casts": [
            {
                "from": c.sender,
                "task": c.task,
                "state": c.state,
                "to": c.receiver,
                "topic": c.topic,
                "attempt": "next" if c.next_run else "same",
                "reason": c.reason,
            }
            for c in lifecycle.casts
        ],
        "task_transitions": [_plain(t) for t in TASK_TRANSITIONS],
        "flow_transitions": [_plain(t) for t in FLOW_TRANSITIONS],
    }


def _plain(transition: Transition) -> dict:
    return {"from": transition.old, "to": transition.new, "level": transition.level, "reason": transition.reason}
