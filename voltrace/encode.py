"""Timelines, verdicts and truth as the JSON of the contract: ISO instants, seconds, null for what is not known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from .corrected import clock_of
from .measure import estimate_us
from .trace import Bounds, Event, Failure, FlowSpan, Handoff, HostClock, Location, Reading, TaskSpan, Timeline
from .verdict import Deviation, Outcome, Verdict


@lru_cache(maxsize=4096)
def write_second(seconds: int) -> str:
    """A whole second since the epoch as ISO 8601, without zone."""
    day, rest = divmod(seconds, 86_400)
    return f"{_write_day(day)}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


@lru_cache(maxsize=64)
def _write_day(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86_400))


def instant(at: int | None) -> str | None:
    """An instant as ISO 8601 with microseconds and ``Z``."""
    if at is None:
        return None
    seconds, micros = divmod(at, 1_000_000)
    return f"{write_second(seconds)}.{micros:06d}Z"


def seconds(us: int | None) -> float | None:
    """A duration in seconds."""
    return None if us is None else us / 1e6


def _bounds(bounds: Bounds | None) -> list[float] | None:
    return None if bounds is None else [bounds[0] / 1e6, bounds[1] / 1e6]


def _where(where: Location | None) -> str | None:
    return None if where is None else str(where)


def _estimate(start: int | None, end: int | None, bounds: Bounds | None) -> float | None:
    return seconds(estimate_us(start, end, bounds))


def encode_task(task: TaskSpan) -> dict:
    return {
        "name": task.name,
        "uuid": task.uuid,
        "state": task.state,
        "inferred": task.inferred,
        "start": instant(task.start),
        "end": instant(task.end),
        "duration_s": _estimate(task.start, task.end, task.bounds_us),
        "duration_bounds_s": _bounds(task.bounds_us),
        "states": list(task.states),
        "where": _where(task.where),
    }


def encode_flow(flow: FlowSpan) -> dict:
    return {
        "service": flow.service,
        "name": flow.name,
        "uuid": flow.uuid,
        "attempt": flow.attempt,
        "state": flow.state,
        "inferred": flow.inferred,
        "start": instant(flow.start),
        "end": instant(flow.end),
        "duration_s": _estimate(flow.start, flow.end, flow.bounds_us),
        "duration_bounds_s": _bounds(flow.bounds_us),
        "tasks": [encode_task(t) for t in flow.tasks],
        "where": _where(flow.where),
    }


def encode_handoff(handoff: Handoff) -> dict:
    return {
        "from": handoff.sender,
        "to": handoff.receiver,
        "topic": handoff.topic,
        "server": handoff.server,
        "attempt": handoff.attempt,
        "sent": instant(handoff.sent),
        "received": instant(handoff.received),
        "wait_s": _estimate(handoff.sent, handoff.received, handoff.bounds_us),
        "wait_bounds_s": _bounds(handoff.bounds_us),
    }


def encode_failure(failure: Failure) -> dict:
    return {
        "service": failure.service,
        "flow": failure.flow,
        "task": failure.task,
        "attempt": failure.attempt,
        "backend": failure.backend,
        "exception": failure.exception,
        "message": failure.message,
        "where": _where(failure.where),
    }


def encode_event(event: Event) -> dict:
    at = event.at
    return {
        "at": instant(at),
        "at_bounds": None if at is None else [instant(at), instant(at + event.resolution_us - 1 if event.resolution_us > 1 else at)],
        "service": event.service,
        "flow": event.flow,
        "flow_uuid": event.flow_uuid,
        "task": event.kind.task,
        "task_uuid": event.uuid if event.kind.task else None,
        "attempt": event.attempt,
        "state": event.kind.new,
        "where": _where(event.where),
    }


def encode_clock(clock: HostClock) -> dict:
    """A clock that is off, as the contract's numbers: seconds, and parts per million."""
    low, high = clock.bounds_us
    return {
        "service": clock.service,
        "host": clock.host,
        "against": clock.against,
        "at": instant(clock.at),
        "offset_s": seconds(clock.offset_us),
        "offset_bounds_s": [seconds(low), seconds(high)],
        "drift_ppm": clock.drift_ppm,
        "drift_bounds_ppm": None if clock.drift_bounds_ppm is None else list(clock.drift_bounds_ppm),
    }


def _add_corrected(out: dict, timeline: Timeline) -> None:
    """The corrected times beside those that were read."""
    for told, event in zip(out["events"], (e for e in timeline.events if e.kind.is_step)):
        clock = clock_of(timeline, event.service, event.process)
        if clock is not None:
            told["at_corrected"] = instant(event.at if event.at is None else clock.correct(event.at))
    for told, handoff in zip(out["handoffs"], timeline.handoffs):
        known = handoff.corrected
        if known is not None:
            told["wait_corrected_s"] = seconds(known.us)
            told["wait_corrected_bounds_s"] = None if known.bounds_us is None else [seconds(us) for us in known.bounds_us]


def encode_timeline(timeline: Timeline, verdict: Verdict, events: bool = False) -> dict:
    """A timeline with its verdict as the object that ``trace --format jsonl`` writes."""
    out = _shared(timeline, verdict.outcome)
    out["deviations"] = [{"slug": d.slug, "message": d.message, "where": _where(d.where)} for d in verdict.deviations]
    out["diagnostics"] = [encode_diagnostic(d) for d in timeline.diagnostics]
    if timeline.clocks:
        out["clocks"] = [encode_clock(clock) for clock in timeline.clocks]
    if events:
        out["events"] = [encode_event(e) for e in timeline.events if e.kind.is_step]
        _add_corrected(out, timeline)
    return out


def encode_truth(timeline: Timeline, outcome: Outcome, faults: list[dict]) -> dict:
    """What the simulator knows of a request: the shared fields, without places, and the faults done to it."""
    out = _shared(timeline, outcome)
    for flow in out["flows"]:
        for part in (flow, *flow["tasks"]):
            del part["where"]
    out["failures"] = [encode_failure_told(failure) for failure in timeline.failures]
    out["faults"] = faults
    return out


def encode_failure_told(failure: Failure) -> dict:
    """A failure without its place."""
    out = encode_failure(failure)
    del out["where"]
    return out


def _shared(timeline: Timeline, outcome: Outcome) -> dict:
    answer = timeline.answer
    return {
        "request_id": timeline.request_id,
        "global_request_id": timeline.global_request_id,
        "operation": timeline.operation,
        "outcome": outcome.outcome,
        "cause": outcome.cause,
        "gave_up": outcome.gave_up,
        "failures": [encode_failure(f) for f in timeline.failures],
        "final_status": outcome.final_status,
        "project": timeline.project,
        "user": timeline.user,
        "volume_id": timeline.volume_id,
        "volume_ids": list(timeline.volume_ids),
        "name": timeline.name,
        "size_gb": timeline.size_gb,
        "volume_type": timeline.volume_type,
        "availability_zone": timeline.availability_zone,
        "source": timeline.source,
        "http": {"method": answer.method, "path": answer.path, "status": answer.status},
        "start": instant(timeline.start),
        "end": instant(timeline.end),
        "duration_s": seconds(timeline.duration_us),
        "attempts": timeline.attempts,
        "backend": timeline.backend,
        "flows": [encode_flow(f) for f in timeline.flows],
        "handoffs": [encode_handoff(h) for h in timeline.handoffs],
    }


def encode_diagnostic(diagnostic) -> dict:
    return {"slug": diagnostic.slug, "message": diagnostic.message, "where": _where(diagnostic.where)}


def encode_deviation(deviation: Deviation) -> dict:
    return {
        "slug": deviation.slug,
        "message": deviation.message,
        "expected": deviation.expected,
        "observed": deviation.observed,
        "where": _where(deviation.where),
    }


def encode_verdict(verdict: Verdict) -> dict:
    return {
        "request_id": verdict.request_id,
        "verdict": verdict.verdict,
        "fitness": None if verdict.fitness is None else round(verdict.fitness, 6),
        "outcome": verdict.outcome.outcome,
        "cause": verdict.outcome.cause,
        "deviations": [encode_deviation(d) for d in verdict.deviations],
    }


def dump_verdicts(verdicts: Iterable[Verdict], dump: Callable[[object], str]) -> Iterator[str]:
    """The JSON of each verdict. Those that say the same of other requests are made into text once: encoding can take longer than all judging."""
    known: dict[tuple, tuple[str, str]] = {}
    mark = dump("\0")
    for verdict in verdicts:
        rest = verdict[1:]
        ends = known.get(rest)
        if ends is None:
            before, _, after = dump(encode_verdict(verdict._replace(request_id="\0"))).partition(mark)
            ends = before, after
            if not verdict.deviations:
                known[rest] = ends
        yield f"{ends[0]}{dump(verdict.request_id)}{ends[1]}"


def encode_check(reading: Reading, verdicts: list[Verdict]) -> dict:
    """The object that ``check --format json`` writes."""
    return {
        "summary": summarise(reading, verdicts),
        "requests": [encode_verdict(v) for v in verdicts],
        "diagnostics": [encode_diagnostic(d) for d in reading.diagnostics],
    }


def summarise(reading: Reading, verdicts: list[Verdict]) -> dict:
    """How many requests conform, and what else `check` counts."""
    count = {name: sum(v.verdict == name for v in verdicts) for name in ("conforms", "deviates", "unknown")}
    worst = sum(v.worst for v in verdicts)
    return {
        "requests": len(verdicts),
        **count,
        "fitness": round(1 - sum(v.cost for v in verdicts) / worst, 6) if worst else None,
        "lines": reading.lines,
        "lines_unrecognised": reading.unrecognised,
    }
