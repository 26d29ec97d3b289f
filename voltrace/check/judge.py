"""One verdict a request: outcome, deviations, fitness."""

from __future__ import annotations

from ..lifecycle import FINAL_FLOW_STATES, RUNNING, VARIANTS
from ..trace import STUCK_AFTER_US, Event, FlowSpan, Reading, Timeline
from ..verdict import Deviation, Verdict
from .align import align
from .lacking import lacks_records
from .outcome import decide, is_open
from .replay import is_covered, open_end, replay_run
from .rules import RULES, handoffs

# What a line that is lost or torn would have told.
_PROVEN_BY_ABSENCE = frozenset({"missing-transition", "revert-incomplete"})


def judge(timeline: Timeline, reading: Reading, stuck_after_us: int = STUCK_AFTER_US) -> Verdict:
    """The verdict on one request: its outcome, where it left its lifecycle, and its fitness."""
    outcome = decide(timeline, reading, stuck_after_us)
    lifecycle = VARIANTS.get(timeline.operation)
    if lifecycle is None:
        return Verdict(timeline.request_id, "unknown" if outcome.outcome == "unknown" else "conforms", outcome)
    deviations: list[Deviation] = []
    cost = worst = 0
    steps_of = _steps_by_run(timeline)
    lacking = lacks_records(timeline, reading)
    damaged = any(d.slug == "torn-record" for d in timeline.diagnostics) or lacking
    replays = []
    for span in timeline.flows:
        events = steps_of.get(id(span), [])
        coverage = reading.coverage.get(span.service)
        if coverage is None or not coverage.debug:
            continue
        covered = is_covered(timeline, span, events, reading)
        found, run = replay_run(timeline.request_id, lifecycle, span, events, covered)
        end = None if found else open_end(timeline, span, run, reading)
        replays.append((span, events, [end] if end else found, end))
    holes = lacking and _has_holes(timeline, [d for _, _, found, _ in replays for d in found])
    for span, events, found, end in replays:
        found = [d for d in found if not (holes or (damaged and d.slug in _PROVEN_BY_ABSENCE))]
        deviations += found
        flow = lifecycle.flow(span.name)
        unfinished = outcome.outcome == "stuck" and is_open(span)
        if (found or unfinished) and flow is not None:
            ended = bool(found and end) or unfinished or span.state in FINAL_FLOW_STATES
            span_cost, span_worst = align(flow, _signature(events), ended)
            cost, worst = cost + span_cost, worst + max(span_worst, span_cost)
        else:
            worst += max(1, 2 * len(events))
    for rule in RULES:
        if not (holes and rule is handoffs):
            deviations += rule(timeline, lifecycle, reading, outcome)
    if outcome.outcome == "stuck":
        deviations += _without_end(timeline, steps_of)
    name = "deviates" if deviations else "unknown" if outcome.outcome == "unknown" else "conforms"
    fitness = 1 - cost / worst if worst else None
    return Verdict(timeline.request_id, name, outcome, fitness, tuple(deviations), cost, worst)


def judge_all(reading: Reading, stuck_after_us: int = STUCK_AFTER_US) -> dict[str, Verdict]:
    """The verdicts on all requests of a reading, by request id."""
    return {t.request_id: judge(t, reading, stuck_after_us) for t in reading.timelines}


def judge_together(reading: Reading, stuck_after_us: int = STUCK_AFTER_US) -> list[Verdict]:
    """The verdicts on all create requests of a reading that has them in ``alike``, ordered by start, then request id.

    Requests that went the same way are judged once, where the verdict rests on nothing else.
    """
    found: list[tuple[int, str, Verdict]] = []
    for alike in reading.alike:
        verdict = judge(alike.example, reading, stuck_after_us)
        same = len(alike.requests) > 1 and _is_timeless(alike.example, verdict, reading)
        rest = verdict[1:]
        for n, (request_id, start) in enumerate(alike.requests):
            own = verdict if n == 0 else Verdict(request_id, *rest) if same else judge(alike.build(n), reading, stuck_after_us)
            found.append((start if start is not None else -1, request_id, own))
    found.sort()  # no two have the same start and id
    return [verdict for _, _, verdict in found]


def _is_timeless(timeline: Timeline, verdict: Verdict, reading: Reading) -> bool:
    """Whether the verdict rests on what the request's lines say alone, and not on when they were written or what else the logs cover."""
    if verdict.deviations or verdict.outcome.outcome not in ("created", "refused", "failed") or timeline.diagnostics or lacks_records(timeline, reading):
        return False
    rows = {e.kind.row for e in timeline.events}
    if not rows.isdisjoint(("answer", "answer-refused")) and "request-received" not in rows:
        return False
    steps_of = _steps_by_run(timeline)
    whole = all(any(e.kind.task is None and e.kind.new == RUNNING for e in steps_of.get(id(span), [])[:3]) for span in timeline.flows)
    return whole and all(span.state in FINAL_FLOW_STATES and not span.late for span in timeline.flows)


def _signature(events: list[Event]) -> tuple:
    return tuple((e.kind.task, e.kind.old or "", e.kind.new or "") for e in events)


def _steps_by_run(timeline: Timeline) -> dict[int, list[Event]]:
    """The steps of each run, in order. Two runs may share name and attempt (a message received twice): the uuid tells them apart."""
    spans: dict[tuple, list[FlowSpan]] = {}
    for span in timeline.flows:
        spans.setdefault((span.name, span.attempt), []).append(span)
    found: dict[int, list[Event]] = {}
    for event in timeline.events:
        if not event.kind.is_step:
            continue
        fitting = spans.get((event.flow, event.attempt))
        if fitting:
            own = fitting[0] if len(fitting) == 1 else next((s for s in fitting if s.uuid == event.flow_uuid), fitting[0])
            found.setdefault(id(own), []).append(event)
    return found


def _has_holes(timeline: Timeline, found: list[Deviation]) -> bool:
    """Whether records of this very request are missing. Of a log that lost records its steps prove nothing then: which run of a flow a task's
    line is of is told by the flow's own lines, and these may be among them."""
    return any(span.late for span in timeline.flows) or any(d.slug in _PROVEN_BY_ABSENCE for d in found)


def _without_end(timeline: Timeline, steps_of: dict[int, list[Event]]) -> list[Deviation]:
    for span in timeline.flows:
        if is_open(span):
            events = steps_of.get(id(span), [])
            task = next((t for t in reversed(span.tasks) if t.state in ("RUNNING", "REVERTING")), None)
            what = f"task {task.name}" if task else f"flow {span.name}"
            where = events[-1].where if events else span.where
            return [Deviation("flow-without-end", timeline.request_id, f"{what} of the {span.service} service began and never ended", "an end", None, where)]
    return []
