"""One request as a drawing's plain values: bars of flows, tasks and hand-offs with offsets, states, notes and places.

Where the log has no stamps, where the clock stepped within the request, or where its stamps are coarser than what they
would show, positions are ordinals of transitions instead of microseconds: the order is known although the times are not.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ..corrected import correct
from ..lifecycle import REVERTING, RUNNING
from ..measure import estimate_us, is_open, resolution_us, wait_us
from ..trace import CorrectedWait, Event, FlowSpan, Handoff, Location, TaskSpan, Timeline
from ..verdict import Verdict
from .clean import clean
from .wording import NOT_KNOWN, bounded, clock_off, lapse


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch in which a flow or task worked: the state that it led to, its position and length."""

    state: str
    at: int
    length: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of the waterfall. ``kind``: flow, task or handoff. ``at`` and ``length`` are None where nothing is known.

    ``open``: the log shows no end. ``notes`` are (kind, slug or exception, message) of deviations and failures on this row.
    """

    kind: str
    service: str
    name: str
    attempt: int
    state: str
    states: tuple[str, ...]
    at: int | None
    length: int | None
    duration: str
    segments: tuple[Segment, ...] = ()
    open: bool = False
    inferred: bool = False
    where: Location | None = None
    notes: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that says something where no flow can be seen (INFO logs): its position, service and kind of line."""

    at: int | None
    service: str
    row: str
    where: Location | None


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The rows in reading order and the span that they cover. ``untimed`` says why positions are ordinals; '': they are microseconds.

    ``corrected`` are sentences on clocks that are off, by which the drawing's instants were corrected.
    """

    untimed: str
    first: int
    last: int
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...] = ()
    corrected: tuple[str, ...] = ()


class _Clock:
    """Positions of events and spans: microseconds after the request's start, or ordinals of transitions."""

    def __init__(self, timeline: Timeline):
        self.start = timeline.start
        self.untimed = _why_untimed(timeline)
        self.steps: dict[tuple[str | None, str | None], list[tuple[int, Event]]] = defaultdict(list)
        self._first: dict[tuple[str, int | None], int] = {}
        self._line: dict[Location, int] = {}
        for n, event in enumerate(e for e in timeline.events if e.kind.is_step):
            self.steps[event.kind.task or event.kind.flow, event.uuid].append((n, event))
            self._first.setdefault((event.service, event.attempt), n)
            if event.where:
                self._line.setdefault(event.where, n)
        self._next = 0

    def of(self, at: int | None) -> int | None:
        """Microseconds after the request's start."""
        return at - self.start if at is not None and self.start is not None else None

    def cast(self, handoff: Handoff) -> tuple[int | None, int | None]:
        """Where a cast and its receipt lie."""
        if not self.untimed:
            return self.of(handoff.sent), self.of(handoff.received)
        return self._line.get(handoff.where) if handoff.where else None, self._first.get((handoff.receiver, handoff.attempt))

    def stretch(self, span: FlowSpan | TaskSpan) -> list[tuple[str, int]]:
        """The states that a flow or task entered, each with its position; empty where positions are not known."""
        steps = self.steps.get((span.name, span.uuid), ())
        if not self.untimed:
            entered = [(e.kind.new or "", self.of(e.at)) for _, e in steps]
            known = [(state, at) for state, at in entered if at is not None]
            if len(known) == len(entered) and known:
                return known
            at, end = self.of(span.start), self.of(span.end)
            return [(RUNNING, at), (span.state, end)] if at is not None and end is not None else []
        if steps:
            return [(e.kind.new or "", n) for n, e in steps]
        if self.steps or isinstance(span, FlowSpan):
            return []
        self._next += 1
        return [(RUNNING, self._next - 1), (span.state, self._next)]


def draw_up(timeline: Timeline, verdict: Verdict) -> Waterfall:
    """The waterfall of a request, with its verdict's deviations beside the rows that show them; by corrected times where a host's clock is off."""
    corrected = tuple(dict.fromkeys(map(clock_off, timeline.clocks)))
    timeline = correct(timeline)
    clock = _Clock(timeline)
    notes = _notes(timeline, verdict)
    bars: list[Bar] = []
    waiting = list(timeline.handoffs)
    for flow in timeline.flows:
        for handoff in [h for h in waiting if h.receiver == flow.service and h.attempt == flow.attempt]:
            waiting.remove(handoff)
            bars.append(_handoff(handoff, clock))
        tasks = [_bar("task", flow, task, clock, notes) for task in flow.tasks]
        bars += [_bar("flow", flow, flow, clock, notes, tasks), *tasks]
    bars += [_handoff(handoff, clock) for handoff in waiting]
    marks = () if timeline.flows else tuple(Mark(None if timeline.stepped else clock.of(e.at), e.service, e.kind.row, e.where) for e in timeline.events)
    ends = [edge for b in bars if b.at is not None for edge in (b.at, b.at + (b.length or 0))] + [m.at for m in marks if m.at is not None]
    if not clock.untimed:
        ends += [0, timeline.duration_us or 0]
    return Waterfall(clock.untimed, min(ends, default=0), max(ends, default=0), tuple(bars), marks, corrected)


def _why_untimed(timeline: Timeline) -> str:
    if timeline.start is None:
        return "the log has no stamps: in order, not to scale"
    if timeline.stepped:
        return "the clock stepped within this request: in order, not to scale"
    if (timeline.duration_us or 0) < 20 * resolution_us(timeline) and resolution_us(timeline) >= 1_000_000:
        return "the stamps have whole seconds: in order, not to scale"
    return ""


def _bar(kind: str, flow: FlowSpan, span: FlowSpan | TaskSpan, clock: _Clock, notes: dict, tasks: list[Bar] | None = None) -> Bar:
    stretch = clock.stretch(span)
    at = stretch[0][1] if stretch else None
    end = stretch[-1][1] if stretch else None
    if at is None and tasks:
        inner = [(t.at, t.at + (t.length or 0)) for t in tasks if t.at is not None]
        at = min((first for first, _ in inner), default=None)
        end = max((last for _, last in inner), default=None)
    opened = is_open(span)
    known = estimate_us(span.start, span.end, span.bounds_us)
    return Bar(
        kind,
        flow.service,
        clean(span.name, 80) or "",
        flow.attempt,
        span.state,
        span.states if isinstance(span, TaskSpan) else (),
        at,
        None if at is None or end is None else max(0, end - at),
        "no end seen" if opened else bounded(known, span.bounds_us) if known is not None else NOT_KNOWN,
        () if isinstance(span, FlowSpan) else _segments(stretch),
        opened,
        span.inferred,
        span.where,
        tuple(notes.get((span.name, span.uuid), ())) + tuple(notes.get((flow.service, flow.attempt, span.name), ())),
    )


def _segments(stretch: list[tuple[str, int]]) -> tuple[Segment, ...]:
    """Where the task worked: from RUNNING and from REVERTING to whatever came next. In between it only waited."""
    found = []
    for i, (state, at) in enumerate(stretch):
        if state in (RUNNING, REVERTING) or i == 0:
            after = stretch[i + 1] if i + 1 < len(stretch) else (state, at)
            found.append(Segment(after[0], at, max(0, after[1] - at)))
    return tuple(found)


def _handoff(handoff: Handoff, clock: _Clock) -> Bar:
    sent, received = clock.cast(handoff)
    known = handoff.corrected
    waited = known.us if known else wait_us(handoff)
    lost = handoff.received is None and handoff.sent is not None
    # A receipt may be stamped before the send (two hosts, or one second's resolution): a wait is never shorter than nothing.
    length = waited if waited is not None and not clock.untimed else max(0, received - sent) if sent is not None and received is not None else None
    return Bar(
        "handoff",
        handoff.receiver,
        f"{handoff.sender} → {handoff.receiver}" + (f" ({clean(handoff.server, 80)})" if handoff.server else ""),
        handoff.attempt,
        "SENT" if lost else "RECEIVED",
        (clean(handoff.topic, 80) or "",),
        sent if sent is not None else received,
        length,
        "no receipt seen" if lost else _corrected_wait(known) if known else bounded(waited, handoff.bounds_us),
        open=lost,
        where=handoff.where,
    )


def _corrected_wait(wait: CorrectedWait) -> str:
    if wait.bounds_us is None:
        return NOT_KNOWN
    low, high = wait.bounds_us
    if high is None:
        return f"≥ {lapse(low)}" if low else NOT_KNOWN
    return bounded(wait.us, (low, high))


def _notes(timeline: Timeline, verdict: Verdict) -> dict[tuple, list[tuple[str, str, str]]]:
    """Notes by the span (name, uuid) or (service, attempt, name) that they belong to."""
    notes: dict[tuple, list[tuple[str, str, str]]] = defaultdict(list)
    at_line = {e.where: (e.kind.task or e.kind.flow, e.uuid) for e in timeline.events if e.kind.is_step and e.where}
    for deviation in verdict.deviations:
        if deviation.where in at_line:
            notes[at_line[deviation.where]].append(("deviation", deviation.slug, clean(deviation.message, 600) or ""))
    for failure in timeline.failures:
        span = failure.task or failure.flow
        if span:
            text = clean(failure.message, 600) or ""
            notes[failure.service, failure.attempt, span].append(("failure", clean(failure.exception, 120) or "failure", text))
    return notes
