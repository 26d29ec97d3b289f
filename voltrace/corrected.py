"""A timeline by clocks that agree: what a host's clock is proven to be off by is taken from the instants that it stamped."""

from __future__ import annotations

from dataclasses import replace

from .trace import FlowSpan, Handoff, HostClock, Timeline


def clock_of(timeline: Timeline, service: str, process: str | None) -> HostClock | None:
    """The clock of this process, if it is proven to be off."""
    return next((clock for clock in timeline.clocks if clock.service == service and process in clock.processes), None)


def correct(timeline: Timeline) -> Timeline:
    """The timeline with corrected instants; itself if no clock is off. What lasted within one process lasted as long as it was."""
    if not timeline.clocks:
        return timeline
    events = tuple(e._replace(at=_moved(e.at, clock_of(timeline, e.service, e.process))) for e in timeline.events)
    edges = [at for service, seen in timeline.seen.items() for at in _correct_seen(timeline, service, seen) if at is not None]
    instants = edges + [e.at for e in events if e.at is not None]
    return replace(
        timeline,
        start=min(instants, default=timeline.start),
        end=max(instants, default=timeline.end),
        flows=tuple(_correct_flow(flow, clock_of(timeline, flow.service, flow.process)) for flow in timeline.flows),
        handoffs=tuple(_correct_handoff(handoff) for handoff in timeline.handoffs),
        events=events,
    )


def _moved(at: int | None, clock: HostClock | None) -> int | None:
    return at if clock is None or at is None else clock.correct(at)


def _correct_seen(timeline: Timeline, service: str, seen: tuple[int | None, int | None]) -> list[int | None]:
    """First and last instant of a service's lines; nothing where nobody can say which of several clocks stamped them."""
    clocks = {clock_of(timeline, service, e.process) for e in timeline.events if e.service == service}
    return [_moved(at, next(iter(clocks))) for at in seen] if len(clocks) == 1 else []


def _correct_flow(flow: FlowSpan, clock: HostClock | None) -> FlowSpan:
    if clock is None:
        return flow
    tasks = tuple(replace(task, start=_moved(task.start, clock), end=_moved(task.end, clock)) for task in flow.tasks)
    return replace(flow, start=_moved(flow.start, clock), end=_moved(flow.end, clock), tasks=tasks)


def _correct_handoff(handoff: Handoff) -> Handoff:
    known = handoff.corrected
    return handoff if known is None else replace(handoff, sent=known.sent, received=known.received)
