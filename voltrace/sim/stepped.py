"""Truth where a clock was set back: what the logs then prove. Instants are those that the clock showed, lapses over the step are unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..trace import FlowSpan, Handoff, TaskSpan, Timeline

Show = Callable[[int], int]


def as_shown(timeline: Timeline, show: Show) -> Timeline:
    """The timeline as a clock showed it that says ``show(at)`` at a true instant (µs)."""
    return replace(
        timeline,
        start=_shown(timeline.start, show),
        end=_shown(timeline.end, show),
        stepped=_is_stepped(timeline.start, timeline.end, show),
        flows=tuple(_flow_as_shown(flow, show) for flow in timeline.flows),
        handoffs=tuple(_handoff_as_shown(handoff, show) for handoff in timeline.handoffs),
    )


def _shown(at: int | None, show: Show) -> int | None:
    return None if at is None else show(at)


def _is_stepped(start: int | None, end: int | None, show: Show) -> bool:
    return start is not None and end is not None and show(end) - show(start) != end - start


def _flow_as_shown(flow: FlowSpan, show: Show) -> FlowSpan:
    bounds = None if _is_stepped(flow.start, flow.end, show) else flow.bounds_us
    tasks = tuple(_task_as_shown(task, show) for task in flow.tasks)
    return replace(flow, start=_shown(flow.start, show), end=_shown(flow.end, show), bounds_us=bounds, tasks=tasks)


def _task_as_shown(task: TaskSpan, show: Show) -> TaskSpan:
    bounds = None if _is_stepped(task.start, task.end, show) else task.bounds_us
    return replace(task, start=_shown(task.start, show), end=_shown(task.end, show), bounds_us=bounds)


def _handoff_as_shown(handoff: Handoff, show: Show) -> Handoff:
    wait = None if _is_stepped(handoff.sent, handoff.received, show) else handoff.bounds_us
    return replace(handoff, sent=_shown(handoff.sent, show), received=_shown(handoff.received, show), bounds_us=wait)
