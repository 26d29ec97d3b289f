"""The first screen as plain values: how requests ended and why, how long they took, what left the lifecycle, what the logs cover."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..lifecycle import SERVICES
from ..measure import quantiles, resolution_us
from ..trace import Location, LogSet, Reading, Timeline
from ..verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, GAVE_UP, OUTCOMES, Outcome, Verdict
from .clean import clean
from .wording import lapse, meaning, utc

_NOT_JUDGED = Outcome("unknown")


def judged(timeline: Timeline, verdicts: Mapping[str, Verdict]) -> Verdict:
    """The verdict of a request; one that nobody judged is unknown."""
    return verdicts.get(timeline.request_id) or Verdict(timeline.request_id, "unknown", _NOT_JUDGED)


def group_diagnostics(timeline: Timeline) -> dict[tuple[str, str], list[Location | None]]:
    """What is odd about a request's lines, each oddity once, with the places that show it."""
    groups: dict[tuple[str, str], list[Location | None]] = {}
    for d in timeline.diagnostics:
        groups.setdefault((d.slug, d.message), []).append(d.where)
    return groups


@dataclass(frozen=True, slots=True)
class Count:
    """How often a slug occurs, what it means, and where to look: a request of this report, or a place in the logs."""

    slug: str
    meaning: str
    n: int
    example: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Durations:
    """Percentiles of the known durations of the requests with one outcome (or of all)."""

    name: str
    n: int
    p50: str
    p90: str
    p99: str
    longest: str
    slowest: str


@dataclass(frozen=True, slots=True)
class Covered:
    """What the log of a service covers."""

    service: str
    present: bool
    first: str
    last: str
    level: str
    processes: int
    restarts: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts and tables of the first screen."""

    requests: int
    outcomes: tuple[Count, ...]
    causes: tuple[Count, ...]
    gave_up: tuple[Count, ...]
    verdicts: dict[str, int]
    fitness: float | None
    durations: tuple[Durations, ...]
    attempts: tuple[tuple[int, int], ...]
    deviations: tuple[Count, ...]
    diagnostics: tuple[Count, ...]
    coverage: tuple[Covered, ...]
    first: str
    last: str
    lines: int
    unrecognised: int
    sources: tuple[str, ...]
    coarse: bool


def summarise(reading: Reading, timelines: Sequence[Timeline], verdicts: Mapping[str, Verdict]) -> Summary:
    """The summary of these requests, which are those of ``reading`` that the report shows."""
    pairs = [(t, judged(t, verdicts)) for t in timelines]
    worst = sum(v.worst for _, v in pairs)
    starts = [t.start for t in timelines if t.start is not None]
    ends = [t.end for t in timelines if t.end is not None]
    return Summary(
        requests=len(timelines),
        outcomes=_count(((v.outcome.outcome, t.request_id) for t, v in pairs), OUTCOMES),
        causes=_count(((v.outcome.cause, t.request_id) for t, v in pairs), CAUSES),
        gave_up=_count(((v.outcome.gave_up, t.request_id) for t, v in pairs), GAVE_UP),
        verdicts={name: sum(v.verdict == name for _, v in pairs) for name in ("conforms", "deviates", "unknown")},
        fitness=1 - sum(v.cost for _, v in pairs) / worst if worst else None,
        durations=_durations(pairs),
        attempts=tuple(sorted(Counter(t.attempts for t in timelines).items())),
        deviations=_count(((d.slug, t.request_id) for t, v in pairs for d in v.deviations), DEVIATIONS),
        diagnostics=_diagnostics(reading, timelines),
        coverage=tuple(_covered(reading, service) for service in SERVICES),
        first=utc(min(starts, default=None), 1000),
        last=utc(max(ends, default=None), 1000),
        lines=reading.lines,
        unrecognised=reading.unrecognised,
        sources=tuple(clean(path, 300) or "" for s in reading.sources for path in (s.files if isinstance(s, LogSet) else (s,))),
        coarse=any(resolution_us(t) >= 1_000_000 for t in timelines),
    )


def _count(found: Iterable[tuple[str | None, str]], order: Iterable[str]) -> tuple[Count, ...]:
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for slug, request_id in found:
        if slug is not None:
            counts[slug] += 1
            examples.setdefault(slug, request_id)
    listed = [*order, *sorted(set(counts) - set(order))]
    return tuple(Count(slug, meaning(slug), counts[slug], examples[slug]) for slug in listed if counts[slug])


def _durations(pairs: Sequence[tuple[Timeline, Verdict]]) -> tuple[Durations, ...]:
    groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for timeline, verdict in pairs:
        if timeline.duration_us is not None:
            for name in ("all", verdict.outcome.outcome):
                groups[name].append((timeline.duration_us, timeline.request_id))
    rows = []
    for name in ("all", *OUTCOMES):
        if groups[name]:
            p50, p90, p99 = quantiles([us for us, _ in groups[name]])
            most, slowest = max(groups[name])
            rows.append(Durations(name, len(groups[name]), lapse(p50), lapse(p90), lapse(p99), lapse(most), slowest))
    return tuple(rows[1:] if len(rows) == 2 else rows)


def _diagnostics(reading: Reading, timelines: Sequence[Timeline]) -> tuple[Count, ...]:
    # A diagnostic about one request may stand in both lists.
    found = {(d.slug, d.message, str(d.where), d.request_id) for d in reading.diagnostics}
    every = list(reading.diagnostics) + [d for t in timelines for d in t.diagnostics if (d.slug, d.message, str(d.where), d.request_id) not in found]
    counts = Counter(d.slug for d in every)
    rows = []
    for slug in sorted(counts, key=lambda s: (list(DIAGNOSTICS).index(s) if s in DIAGNOSTICS else 99, s)):
        first = next(d for d in every if d.slug == slug)
        place = f" ({clean(str(first.where))})" if first.where else ""
        rows.append(Count(slug, meaning(slug), counts[slug], None, f"{clean(first.message, 300)}{place}"))
    return tuple(rows)


def _covered(reading: Reading, service: str) -> Covered:
    coverage = reading.coverage.get(service)
    if coverage is None or not coverage.present:
        return Covered(service, False, "", "", "", 0, 0)
    level = "DEBUG" if coverage.debug else "INFO"
    return Covered(service, True, utc(coverage.first, 1000), utc(coverage.last, 1000), level, len(coverage.processes), len(coverage.starts))
