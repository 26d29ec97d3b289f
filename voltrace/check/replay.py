"""Replay: folds the steps of each run over `lifecycle.advance` and says where the log left the lifecycle.

After a refusal the replay goes on from what was observed, so that one fault gives one deviation. What a log cannot show
(it begins late, ends early, lacks a service or DEBUG lines) is never missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

from ..lifecycle import (
    API,
    FAILURE,
    FINAL_FLOW_STATES,
    PENDING,
    REVERTED,
    REVERTING,
    RUNNING,
    SCHEDULER,
    STATES,
    SUCCESS,
    VARIANTS,
    VOLUME,
    Flow,
    Lifecycle,
    Position,
    Refusal,
    Run,
    Step,
    advance,
    level_of,
    put,
)
from ..trace import Coverage, Event, FlowSpan, Reading, Timeline
from ..verdict import Deviation

# A log that goes on for this long past a line's turn would show the line.
GOES_ON_US = 5_000_000


@dataclass(slots=True)
class _RunReplay:
    """The replay of one run: where it stands, and which steps an earlier deviation has explained already."""

    request_id: str
    lifecycle: Lifecycle
    flow: Flow
    run: int
    position: Position
    deviations: list[Deviation] = field(default_factory=list)
    excused: set[tuple[str | None, str]] = field(default_factory=set)
    committed: bool = False

    def state(self) -> Run:
        return self.position.find(self.flow.name, self.run) or Run(self.flow.name, self.run, PENDING, (PENDING,) * len(self.flow.tasks))

    def fold(self, events: list[Event]) -> None:
        for i, event in enumerate(events):
            kind = event.kind
            step = Step(self.flow.name, self.run, kind.task, kind.old or "", kind.new or "")
            if kind.level != level_of(kind.task is not None, step.new):
                self._deviate(
                    "level-contradiction", f"{_name(step)} {step.new} was logged at {kind.level}", level_of(kind.task is not None, step.new), kind.level, event
                )
            after = advance(self.lifecycle, self.position, step)
            self.committed = self.committed or (step.task, step.new) == ("QuotaCommitTask", SUCCESS)
            if isinstance(after, Refusal):
                self._refused(after, step, event, events[i + 1 :])
            else:
                self.position = after

    def _refused(self, refusal: Refusal, step: Step, event: Event, later: list[Event]) -> None:
        slug = refusal.slug
        if slug == "handoff-before-send":  # judged over all runs, where it is known which logs are there
            self._settle(step)
            return
        missing = self._missing(step)
        comes_later = [m for m in missing if any((e.kind.task, e.kind.new) == m for e in later)]
        key = (step.task, step.new)
        if key in self.excused:  # this is the line whose absence was told before; the run was settled as if it had come
            self.excused.discard(key)
            return
        if slug in ("task-out-of-order", "revert-out-of-order", "missing-transition", "revert-incomplete"):
            slug = self._refine(slug, step, missing, comes_later)
            if slug == "revert-incomplete" and {task for task, _ in missing} == {"QuotaReserveTask"} and not self.committed:
                slug = "reservation-unsettled"  # what this revert that was left out was for
        self.excused.update(comes_later)
        self._deviate(slug, refusal.message, refusal.expected, f"{_name(step)} {step.new}", event)
        if slug in ("task-after-failure", "unexpected-task"):  # whatever else it does belongs to the same fault
            self.excused.update((e.kind.task, e.kind.new or "") for e in later if e.kind.task == step.task)
        elif slug != "repeated-transition":
            self._settle(step if step.new in STATES else replace(step, new=_STANDS_FOR.get(step.old, step.old)))

    def _refine(self, slug: str, step: Step, missing: list, comes_later: list) -> str:
        """What the refusal is for a reader who knows the rest of the run."""
        if slug == "missing-transition":
            if not comes_later:
                return slug
            return "task-out-of-order" if any(task != step.task for task, _ in comes_later) else "illegal-transition"
        if comes_later:
            return slug
        if slug == "task-out-of-order":
            return "missing-transition" if missing else slug
        if slug == "revert-out-of-order":
            return "missing-transition" if len(missing) == 1 else "revert-incomplete"
        return slug

    def _missing(self, step: Step) -> list[tuple[str | None, str]]:
        """The transitions that would have had to come before this step, from where the run stands."""
        run, tasks = self.state(), self.flow.tasks
        missing: list[tuple[str | None, str]] = []
        if run.state == PENDING and not (step.task is None and step.new == RUNNING):
            missing.append((None, RUNNING))
        index = self.flow.index(step.task) if step.task else len(tasks)
        if step.new in (RUNNING, SUCCESS) or (step.task is not None and step.new == FAILURE):
            for task, state in list(zip(tasks, run.tasks))[:index]:
                missing += [(task.name, s) for s in _path(state, SUCCESS)]
        if step.new in (REVERTING, REVERTED):
            for task, state in reversed(list(zip(tasks, run.tasks))[index + 1 if step.task else 0 :]):
                if state not in (PENDING, REVERTED):
                    missing += [(task.name, s) for s in _path(state, REVERTED)]
        if step.task and 0 <= index < len(tasks):
            missing += [(step.task, s) for s in _path(run.tasks[index], step.old)]
        return missing

    def _settle(self, step: Step) -> None:
        """Take the step as observed, and whatever had to come before it as done."""
        run = self.state()
        tasks = list(run.tasks)
        state = run.state
        if step.task is None:
            state = step.new
            if step.new == SUCCESS:
                tasks = [SUCCESS if s in (PENDING, RUNNING) else s for s in tasks]
        else:
            state = RUNNING if state == PENDING else state
            index = self.flow.index(step.task)
            if step.new in (RUNNING, SUCCESS, FAILURE):
                tasks[:index] = [SUCCESS if s in (PENDING, RUNNING) else s for s in tasks[:index]]
            elif step.new in (REVERTING, REVERTED):
                tasks[index + 1 :] = [REVERTED if s not in (PENDING, REVERTED) else s for s in tasks[index + 1 :]]
            tasks[index] = step.new
        self.position = put(self.position, Run(run.flow, run.run, state, tuple(tasks)))

    def _deviate(self, slug: str, message: str, expected: str | None, observed: str | None, event: Event) -> None:
        self.deviations.append(Deviation(slug, self.request_id, message, expected, observed, event.where))


def _name(step: Step) -> str:
    return step.task or step.flow


# Where a run goes on after a state that nobody knows: as if the step had been the lawful one.
_STANDS_FOR = {PENDING: RUNNING, RUNNING: SUCCESS, REVERTING: REVERTED}
_ROUTES: dict[str, dict[str, tuple[str, ...]]] = {
    SUCCESS: {PENDING: (RUNNING, SUCCESS), RUNNING: (SUCCESS,)},
    RUNNING: {PENDING: (RUNNING,)},
    FAILURE: {PENDING: (RUNNING, FAILURE), RUNNING: (FAILURE,)},
    REVERTING: {PENDING: (RUNNING, SUCCESS, REVERTING), RUNNING: (FAILURE, REVERTING), FAILURE: (REVERTING,), SUCCESS: (REVERTING,)},
    REVERTED: {RUNNING: (FAILURE, REVERTING, REVERTED), FAILURE: (REVERTING, REVERTED), SUCCESS: (REVERTING, REVERTED), REVERTING: (REVERTED,)},
}


def _path(state: str, goal: str) -> tuple[str, ...]:
    """The states to be entered from ``state`` up to ``goal``; none if it is there or beyond."""
    return _ROUTES.get(goal, {}).get(state, ())


def replay_run(request_id: str, lifecycle: Lifecycle, span: FlowSpan, events: list[Event], covered: bool) -> tuple[list[Deviation], Run]:
    """The deviations of one run and where it stood at the end. ``covered`` says whether its log goes back to its beginning."""
    flow = lifecycle.flow(span.name)
    if flow is not None:
        signature = tuple((e.kind.task, e.kind.old or "", e.kind.new or "", e.kind.level) for e in events)
        end = _conforming_end(lifecycle, flow, signature) if covered else None
        if end is not None:
            return [], end
    if flow is None:
        first = events[0].where if events else span.where
        message = f"flow {span.name or 'without a name'} is no part of {lifecycle.operation}"
        return [Deviation("unexpected-flow", request_id, message, " or ".join(f.name for f in lifecycle.flows), span.name, first)], Run(
            span.name, span.attempt, span.state, ()
        )
    replay = _RunReplay(request_id, lifecycle, flow, 1, Position())
    if flow.name not in lifecycle.starts:
        replay.lifecycle = _standalone(lifecycle, flow)
    if not covered and events:
        replay.position = _joined_late(flow, events[0])
    replay.fold(events)
    return replay.deviations, replay.state()


@lru_cache(maxsize=4096)
def _conforming_end(lifecycle: Lifecycle, flow: Flow, signature: tuple) -> Run | None:
    """Where a run with these steps stands at its end, if `advance` grants all of them; each variant is judged once."""
    if flow.name not in lifecycle.starts:
        lifecycle = _standalone(lifecycle, flow)
    position = Position()
    for task, old, new, level in signature:
        after = advance(lifecycle, position, Step(flow.name, 1, task, old, new))
        if isinstance(after, Refusal) or level != level_of(task is not None, new):
            return None
        position = after
    return position.find(flow.name, 1) or Run(flow.name, 1, PENDING, (PENDING,) * len(flow.tasks))


@cache
def _standalone(lifecycle: Lifecycle, flow: Flow) -> Lifecycle:
    """The lifecycle in which this flow begins by itself: whether its cast had come is judged over all runs (`rules`)."""
    return Lifecycle(lifecycle.operation, lifecycle.flows, (), (flow.name,), lifecycle.runs)


def _joined_late(flow: Flow, first: Event) -> Position:
    """Where a run stood before the first line that a late log shows of it."""
    kind = first.kind
    if kind.task is None:
        if kind.new == RUNNING:
            return Position()
        done = {SUCCESS: SUCCESS, REVERTED: REVERTED}.get(kind.new or "", PENDING)
        return Position((Run(flow.name, 1, RUNNING, (done,) * len(flow.tasks)),))
    index = flow.index(kind.task)
    before = (SUCCESS,) * max(0, index)
    after = (PENDING,) * (len(flow.tasks) - index - 1)
    if kind.old in (REVERTING, SUCCESS) and kind.new != RUNNING and index + 1 < len(flow.tasks):
        after = (REVERTED, *after[1:])
    return Position((Run(flow.name, 1, RUNNING, (*before, kind.old or PENDING, *after)),))


def is_covered(timeline: Timeline, span: FlowSpan, events: list[Event], reading: Reading) -> bool:
    """Whether the service's log goes back to before this run began, so that a beginning that it lacks is missing."""
    coverage = reading.coverage.get(span.service)
    if coverage is None or not events:
        return False
    if any(e.kind.task is None and e.kind.new == RUNNING for e in events[:3]):
        return True
    first = events[0]
    known = [h.sent for h in timeline.handoffs if h.receiver == span.service and h.attempt == span.attempt and h.sent is not None]
    for event in timeline.events:
        row = event.kind.row
        begun = row == "request-received" or (row == "reschedule-parameters" and event.facts.get("attempt") == span.attempt)
        if begun and event.service == span.service and (event.at is None or first.at is None or event.at <= first.at):
            return True
    if coverage.first is None:
        return False
    if known and (not span.late or (span.service == SCHEDULER and span.attempt == 1)):
        return coverage.first <= min(known)
    flow = timeline_flow(timeline, span)
    at_its_beginning = flow is not None and first.kind.task == flow.tasks[0].name and first.kind.new == RUNNING
    return at_its_beginning and first.at is not None and coverage.first < first.at - GOES_ON_US


def timeline_flow(timeline: Timeline, span: FlowSpan) -> Flow | None:
    """The flow of the lifecycle that this span is a run of."""
    lifecycle = VARIANTS.get(timeline.operation)
    return lifecycle.flow(span.name) if lifecycle else None


def open_end(timeline: Timeline, span: FlowSpan, run: Run, reading: Reading) -> Deviation | None:
    """The deviation of a run whose last transitions are missing although something later proves them."""
    if run.state in FINAL_FLOW_STATES or run.state == PENDING:
        return None
    coverage = reading.coverage.get(span.service)
    proof = _proof_of_end(timeline, span, coverage) or _proof_by_silence(timeline, span, run, coverage)
    if proof is None:
        return None
    where, what = proof
    return Deviation("missing-transition", timeline.request_id, f"flow {span.name} never ended in the log, but {what}", f"the end of {span.name}", None, where)


def _proof_by_silence(timeline: Timeline, span: FlowSpan, run: Run, coverage: Coverage | None):
    """Every task has ended, so that the flow's own end was due at once; and its process wrote on."""
    done = all(s == SUCCESS for s in run.tasks) or (REVERTED in run.tasks and all(s in (REVERTED, PENDING) for s in run.tasks))
    process = coverage.processes.get(span.process or "") if coverage else None
    last = max((t.end for t in span.tasks if t.end is not None), default=None)
    if done and process and process.last is not None and last is not None and process.last - last > GOES_ON_US:
        return span.tasks[-1].where, "all its tasks did, and this log goes on"
    return None


_PROOFS = {"volume_create_api": ("request-issued", "answer"), "volume_create_manager": ("create-finished",)}


def _proof_of_end(timeline: Timeline, span: FlowSpan, coverage: Coverage | None):
    for event in timeline.events:
        if event.service == span.service and event.kind.row in _PROOFS.get(span.name, ()):
            if event.kind.row == "answer" and event.facts.get("status") != 202:
                continue
            if span.service == API or event.attempt == span.attempt:
                return event.where, "a later line shows that it did"
    if span.service == VOLUME:
        failed = sum("FAILURE" in t.states for f in timeline.flows if f.service == VOLUME for t in f.tasks)
        told = [e for e in timeline.events if e.kind.row == "message-handling-failed" and e.service == VOLUME]
        if failed and len(told) >= failed and any("FAILURE" in t.states for t in span.tasks):
            return told[-1].where, "a later line shows that it did"
    later = [f for f in timeline.flows if f.service != span.service and f.attempt == span.attempt and f.state in FINAL_FLOW_STATES and f.end is not None]
    process = coverage.processes.get(span.process or "") if coverage else None
    if later and span.service != VOLUME and process and process.last is not None:
        end = max(f.end for f in later if f.end is not None)
        if process.last - end > GOES_ON_US:
            return span.where, "the request went on downstream, and this log goes on"
    return None
