"""Steps of the clock, and the requests that they fall into."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .clock import STEP_US
from .order import Raw
from .tables import Seen

Steps = dict[tuple[int, int], list[tuple[int, str]]]
Step = tuple[tuple[int, int], str]


def find_step(steps: Steps, seen: dict[tuple[int, int], Seen], ordered: Iterable[Raw], moved: Collection[tuple[int, int]] = ()) -> Step | None:
    """The step of a clock that a request was at work over: its source and line, and what it says; None if there was none.

    ``seen`` are the request's lines of each process in each source, ``ordered`` its events in causal order, ``moved`` the processes and
    sources of which the lines, and no clock, went back. The step is either between two of its
    lines in one file, or between a cast and a receipt that bears an earlier stamp than the cast.
    """
    if not steps:
        return None
    for key, span in seen.items():
        for line, message in steps.get(key, ()):
            if span.begun[0] < line <= span.ended[0] and key not in moved:
                return (key[1], line), message
    latest: Raw | None = None
    for raw in ordered:
        if raw.at is None:
            continue
        if latest is not None and latest.at is not None and raw.at < latest.at - STEP_US and raw.process != latest.process:
            told = steps.get((raw.process, raw.source)) or steps.get((latest.process, latest.source))
            return ((raw.source, raw.line), told[0][1]) if told else None
        latest = raw
    return None
