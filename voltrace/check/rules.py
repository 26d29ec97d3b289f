"""Rules beyond the state machine, one function each: hand-offs, answers, reservations, the volume itself, attempts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..lifecycle import API, REVERTED, RUNNING, SUCCESS, VOLUME, Lifecycle
from ..trace import Event, FlowSpan, Reading, Timeline
from ..verdict import Deviation, Outcome
from .lacking import lacks_records
from .replay import GOES_ON_US

_UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_POOLS = re.compile(r"(?:host|cluster) '([^']*)'")
_LIMIT = re.compile(r"Exceeded max scheduling attempts (\d{1,9})\b")
# The lines that name the volume that the request is about (others may name a source, a snapshot, another backend's volume).
_NAMES_THE_VOLUME = frozenset({"task-transition", "being-created", "volume-created", "create-failed", "rescheduling"})


def handoffs(timeline: Timeline, lifecycle: Lifecycle, reading: Reading, outcome: Outcome) -> Iterator[Deviation]:
    """Runs that nobody, or the same cast twice, had started."""
    if any(span.late for span in timeline.flows):
        return  # runs that began before the log did: nobody can say what they cast
    begun: set[tuple[str, int]] = set()
    repeated: list[FlowSpan] = []
    twice: list[str] = []  # the flows of runs that no cast of their own had started
    for span in timeline.flows:
        key = (span.name, span.attempt)
        flow = lifecycle.flow(span.name)
        if flow is None:
            continue
        if key in begun and lifecycle.runs == "once":
            repeated.append(span)
            continue
        begun.add(key)
        if span.name in lifecycle.starts:
            if span.attempt > 1 and lifecycle.runs == "once":
                yield Deviation("unexpected-flow", timeline.request_id, f"flow {span.name} began a second time", "one run", "two runs", span.where)
            continue
        cast = lifecycle.cast_to(span.name, span.attempt)
        sending = lifecycle.flow(cast.sender) if cast else None
        if cast is None or sending is None or not reading.coverage[sending.service].debug:
            continue
        senders = [f for f in timeline.flows if f.name == cast.sender and f.attempt == span.attempt - cast.next_run]
        if not senders or any(f.inferred for f in senders):
            continue
        tasks = {t.name: t for f in senders for t in f.tasks}
        if cast.task in tasks and (cast.state == RUNNING or {cast.state, REVERTED} & set(tasks[cast.task].states)):
            continue
        if all(f.state == RUNNING or (f.state == SUCCESS and not cast.next_run) for f in senders):
            continue  # the sender's own line is missing: that is told where it is missed
        slug = "handoff-received-twice" if cast.next_run else "handoff-before-send"
        if cast.next_run:
            twice.append(span.name)
        message = f"attempt {span.attempt} of flow {span.name} began, but {cast.task} had not cast to it"
        yield Deviation(slug, timeline.request_id, message, f"{cast.task} {cast.state}", None, span.where)
    for span in repeated:
        cast = lifecycle.cast_to(span.name, span.attempt)
        if cast is not None and cast.sender in twice:
            twice.remove(cast.sender)  # that run cast again: one fault, told where it began
            continue
        slug = "unexpected-flow" if span.name in lifecycle.starts else "handoff-received-twice"
        yield Deviation(slug, timeline.request_id, f"attempt {span.attempt} of flow {span.name} began a second time", "one run", "two runs", span.where)


def losses(timeline: Timeline, lifecycle: Lifecycle, reading: Reading, outcome: Outcome) -> Iterator[Deviation]:
    """A cast that was never received."""
    if outcome.outcome == "lost":
        for handoff in timeline.handoffs:
            if handoff.received is None:
                yield Deviation("handoff-lost", timeline.request_id, f"the cast to {handoff.topic} was never received", "a receipt", None, handoff.where)


def answers(timeline: Timeline, lifecycle: Lifecycle, reading: Reading, outcome: Outcome) -> Iterator[Deviation]:
    """An answer that contradicts the API's flow."""
    status = timeline.answer.status
    flow = next((f for f in timeline.flows if f.service == API and f.name in lifecycle.starts), None)
    if status is None or flow is None or lifecycle.runs != "once":
        return
    where = next((e.where for e in timeline.events if e.kind.row in ("answer", "answer-refused")), flow.where)
    if status == 202 and flow.state in ("REVERTED", "FAILURE"):
        yield Deviation("answer-contradiction", timeline.request_id, f"the API answered 202 although its flow ended {flow.state}", "4xx or 5xx", "202", where)
    elif status >= 400 and flow.state == SUCCESS:
        yield Deviation("answer-contradiction", timeline.request_id, f"the API answered {status} although its flow ended SUCCESS", "202", str(status), where)


def requests(timeline: Timeline, lifecycle: Lifecycle, reading: Reading, outcome: Outcome) -> Iterator[Deviation]:
    """An answer to a request that never came."""
    if lacks_records(timeline, reading) or any(d.slug == "elided-text" for d in timeline.diagnostics):
        return
    rows = {e.kind.row: e for e in timeline.events}
    answer, first = rows.get("answer") or rows.get("answer-refused"), reading.coverage[API].first
    if answer is None or "request-received" in rows or answer.at is None or first is None or timeline.start is None:
        return
    if first < timeline.start - GOES_ON_US:
        yield Deviation("answer-contradiction", timeline.request_id, "the API answered a request that it had not received", "the request", None, answer.where)


def backends(timeline: Timeline, lifecycle: Lifecycle, reading: Reading, outcome: Outcome) -> Iterator[Deviation]:
    """The backend chosen must be one that passed the filters of that attempt."""
    admitted: dict[int | None, str] = {}
    for event in timeline.events:
        if event.kind.row == "backends-filtered":
            admitted[event.attempt] = str(event.facts.get("backends", ""))
        elif event.kind.row == "backend-chosen" and event.attempt in admitted:
            backend, text = str(event.facts.get("backend")), admitted[event.attempt]
            if f"'{backend}'" not in text and "..." not in text:
                passed = " or ".join(_POOLS.findall(text)[:5]) or None
                yield Deviation(
                    "backend-not-admitted", timeline.request_id, f"{backend} was chosen, but had not passed the filters", passed, backend, event.where
                )


def reservations(timeline: Timeline, lifecycle: Lifecycle, reading: Reading, outcome: Outcome) -> Iterator[Deviation]:
    """The quota reservations made must be the ones used, and be settled when the flow has ended."""
    made: set[str] = set()
    for event in timeline.events:
        text = str(event.facts.get("reservations", ""))
        if not text or "..." in text or event.inferred:
            continue
        ids = set(_UUIDS.findall(text))
        if event.kind.row == "reservations-created":
            made |= ids
        elif event.kind.task is not None and ids and made and not ids <= made:
            yield Deviation("reservation-mismatch", timeline.request_id, f"{event.kind.task} used reservations that were not made", None, None, event.where)
            return
    for flow in timeline.flows:
        tasks = {t.name: t for t in flow.tasks}
        reserve, commit = tasks.get("QuotaReserveTask"), tasks.get("QuotaCommitTask")
        if flow.state == SUCCESS and reserve and SUCCESS in reserve.states and commit and commit.states and commit.state not in (SUCCESS, RUNNING):
            message = "the reservation was neither committed nor rolled back"
            yield Deviation("reservation-unsettled", timeline.request_id, message, "QuotaCommitTask SUCCESS", commit.state, commit.where)


def volume(timeline: Timeline, lifecycle: Lifecycle, reading: Reading, outcome: Outcome) -> Iterator[Deviation]:
    """The volume's id and size must stay what they were."""
    if lifecycle.runs != "once":
        return
    first: dict[str, Event] = {}
    for event in timeline.events:
        if event.kind.row not in _NAMES_THE_VOLUME:
            continue
        for fact in ("volume_id", "size_gb"):
            value = event.facts.get(fact)
            if value in (None, "None"):
                continue
            before = first.setdefault(fact, event)
            if before.facts[fact] != value:
                what = "id" if fact == "volume_id" else "size"
                message = f"the volume's {what} was {before.facts[fact]} and is now {value}"
                yield Deviation("volume-changed", timeline.request_id, message, str(before.facts[fact]), str(value), event.where)
                return


def attempts(timeline: Timeline, lifecycle: Lifecycle, reading: Reading, outcome: Outcome) -> Iterator[Deviation]:
    """No more attempts than the limit that the scheduler itself names."""
    if not reading.coverage[VOLUME].debug:
        return  # without the lines that begin a flow, attempts that overlap cannot be told apart
    for event in timeline.events:
        limit = _LIMIT.search(str(event.facts.get("cause", ""))) if event.kind.row == "schedule-failed" else None
        if limit and timeline.attempts > int(limit[1]):
            message = f"{timeline.attempts} attempts were made"
            yield Deviation("attempts-exceeded", timeline.request_id, message, limit[1], str(timeline.attempts), event.where)


Rule = Callable[[Timeline, Lifecycle, Reading, Outcome], Iterator[Deviation]]
RULES: tuple[Rule, ...] = (handoffs, losses, requests, answers, reservations, backends, volume, attempts)
