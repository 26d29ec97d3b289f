"""Fitness: how far a run's log is from the nearest run that the lifecycle allows (an optimal alignment).

A *sync* move takes a step in both and costs nothing; a *log* move (a line that the lifecycle does not have here) and a *model*
move (a step that the log lacks) cost 1 each.
"""

from __future__ import annotations

import heapq
from functools import lru_cache
from itertools import count

from ..lifecycle import FINAL_FLOW_STATES, Flow, Lifecycle, Position, Refusal, Step, advance, enabled

_LONGEST = 400


@lru_cache(maxsize=4096)
def align(flow: Flow, steps: tuple[tuple[str | None, str, str], ...], ended: bool) -> tuple[int, int]:
    """(cost of the optimal alignment, cost of the worst) of one run's steps (task, old, new).

    ``ended``: whether the run must have ended; a run that the log leaves open may stop anywhere.
    """
    alone = Lifecycle("one flow", (flow,), (), (flow.name,))
    wanted = [Step(flow.name, 1, *s) for s in steps[:_LONGEST]]
    shortest = _search(alone, [], ended) if ended else 0
    return _search(alone, wanted, ended) + max(0, len(steps) - _LONGEST), len(steps) + shortest


def _search(alone: Lifecycle, wanted: list[Step], ended: bool) -> int:
    tie = count()
    edge = [(0, -0, next(tie), 0, Position())]
    best: dict[tuple[int, Position], int] = {}
    while edge:
        cost, _, _, i, position = heapq.heappop(edge)
        if best.get((i, position), cost + 1) <= cost:
            continue
        best[(i, position)] = cost
        finished = bool(position.runs) and position.runs[0].state in FINAL_FLOW_STATES
        if i == len(wanted) and (finished or not ended):
            return cost
        if i < len(wanted):
            after = advance(alone, position, wanted[i])
            if not isinstance(after, Refusal):
                heapq.heappush(edge, (cost, -i - 1, next(tie), i + 1, after))
            heapq.heappush(edge, (cost + 1, -i - 1, next(tie), i + 1, position))
        for step in enabled(alone, position):
            if step.run == 1:
                after = advance(alone, position, step)
                if not isinstance(after, Refusal):
                    heapq.heappush(edge, (cost + 1, -i, next(tie), i, after))
    return len(wanted)
