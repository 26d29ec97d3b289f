"""Two sets of requests side by side: how they ended, medians of every flow, task and hand-off, and the variants of one side only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..lifecycle import FAILURE, REVERTED, REVERTING, RUNNING, SERVICES, SUCCESS
from ..measure import group, quantiles, ranked
from ..trace import Timeline
from ..verdict import OUTCOMES, Verdict
from .clean import clean
from .summary import judged
from .wording import lapse, plural, share

MOST_VARIANTS = 50
_DONE = (RUNNING, SUCCESS)
_UNDONE = (*_DONE, REVERTING, REVERTED)


@dataclass(frozen=True, slots=True)
class Side:
    """A median of one side with the number of its observations."""

    n: int
    p50_us: float | None
    p50: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A flow, task, hand-off or the requests themselves on both sides; ``ratio`` is the other side's median over this side's."""

    kind: str
    service: str
    name: str
    here: Side
    there: Side
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """How many requests of each side ended so."""

    outcome: str
    here: int
    there: int
    here_share: str
    there_share: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A course that requests took: flows, attempts, states of tasks, outcome. ``steps`` tells it in words."""

    steps: tuple[str, ...]
    outcome: str
    n: int
    share: str
    example: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sets compared. ``shared`` is the number of variants that both have, with the requests of each side that took them."""

    here: str
    there: str
    here_requests: int
    there_requests: int
    outcomes: tuple[Share, ...]
    pairs: tuple[Pair, ...]
    shared: int
    shared_here: int
    shared_there: int
    only_here: tuple[Variant, ...]
    only_there: tuple[Variant, ...]
    more_here: int = 0
    more_there: int = 0


Signature = tuple


def signature(timeline: Timeline, verdict: Verdict) -> Signature:
    """The variant of a request: its flows by service and attempt with states and tasks, and its outcome; no ids, no times."""
    flows = sorted(timeline.flows, key=lambda f: (f.attempt, SERVICES.index(f.service) if f.service in SERVICES else 9))
    return (
        tuple((f.service, f.name, f.attempt, f.state, tuple((t.name, t.states) for t in f.tasks)) for f in flows),
        verdict.outcome.outcome,
        verdict.outcome.cause,
    )


def tell(variant: Signature) -> tuple[str, ...]:
    """A variant in words: one entry a flow, naming only the tasks that did not simply succeed."""
    steps = []
    for service, _, attempt, state, tasks in variant[0]:
        odd = [f"{clean(name, 80)} {_states(states)}" for name, states in tasks if states not in (_DONE, _UNDONE)]
        undone = sum(states[-2:] == _UNDONE[-2:] for _, states in tasks)
        told = f"{service} {attempt}: {state}, {plural(len(tasks), 'task')}" + (f", {undone} reverted" if undone else "")
        steps.append(told + (f"; {'; '.join(odd)}" if odd else ""))
    return tuple(steps) or ("no flow is visible",)


def _states(states: tuple[str, ...]) -> str:
    """The states in which a task differs from a plain success and a plain revert."""
    return FAILURE if states == (RUNNING, FAILURE, *_UNDONE[-2:]) else " → ".join(states)


def compare(
    here: Sequence[Timeline], verdicts: Mapping[str, Verdict], name: str, there: Sequence[Timeline], other_verdicts: Mapping[str, Verdict], other_name: str
) -> Comparison:
    """This set against another, e.g. the real one against its simulation."""
    mine, others = _variants(here, verdicts), _variants(there, other_verdicts)
    shared = mine.keys() & others.keys()
    only_here, only_there = _only(mine, shared, len(here)), _only(others, shared, len(there))
    return Comparison(
        name,
        other_name,
        len(here),
        len(there),
        _outcomes(here, verdicts, there, other_verdicts),
        _pairs(here, there),
        len(shared),
        sum(len(mine[v]) for v in shared),
        sum(len(others[v]) for v in shared),
        only_here[:MOST_VARIANTS],
        only_there[:MOST_VARIANTS],
        max(0, len(only_here) - MOST_VARIANTS),
        max(0, len(only_there) - MOST_VARIANTS),
    )


def _variants(timelines: Sequence[Timeline], verdicts: Mapping[str, Verdict]) -> dict[Signature, list[str]]:
    found: dict[Signature, list[str]] = {}
    for timeline in timelines:
        found.setdefault(signature(timeline, judged(timeline, verdicts)), []).append(timeline.request_id)
    return found


def _only(variants: dict[Signature, list[str]], shared: set[Signature], whole: int) -> tuple[Variant, ...]:
    rows = [Variant(tell(v), v[1] + (f", {v[2]}" if v[2] else ""), len(ids), share(len(ids), whole), ids[0]) for v, ids in variants.items() if v not in shared]
    return tuple(sorted(rows, key=lambda r: (-r.n, r.steps, r.example)))


def _outcomes(here: Sequence[Timeline], verdicts: Mapping[str, Verdict], there: Sequence[Timeline], other_verdicts: Mapping[str, Verdict]) -> tuple[Share, ...]:
    a = Counter(judged(t, verdicts).outcome.outcome for t in here)
    b = Counter(judged(t, other_verdicts).outcome.outcome for t in there)
    return tuple(Share(o, a[o], b[o], share(a[o], len(here)), share(b[o], len(there))) for o in OUTCOMES if a[o] or b[o])


def _pairs(here: Sequence[Timeline], there: Sequence[Timeline]) -> tuple[Pair, ...]:
    a, b = group(here), group(there)
    rows = []
    for key in ranked({*a, *b}):
        left, right = _side(a.get(key)), _side(b.get(key))
        ratio = right.p50_us / left.p50_us if left.p50_us and right.p50_us is not None else None
        rows.append(Pair(key[0], key[1], (clean(key[2], 80) or "").replace("->", "→"), left, right, ratio))
    return tuple(rows)


def _side(values: list[int] | None) -> Side:
    if not values:
        return Side(0, None, "–")
    (median,) = quantiles(values, (0.5,))
    return Side(len(values), median, lapse(median))
