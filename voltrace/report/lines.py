"""Which source lines a page carries: those of the requests that somebody will look at, within a size that can be mailed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..lifecycle import SERVICES
from ..trace import Location, Timeline
from ..verdict import Verdict
from .clean import clean, clean_line
from .summary import judged
from .wording import plural, size

Fetch = Callable[[Timeline], list[tuple[Location, str, str]]]

PER_REQUEST = 200
FIRST, SLOWEST = 100, 20
TOTAL_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A record as logged (made fit to be shown), its place and its service."""

    service: str
    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Extract:
    """The source lines that the page carries of one request, and how many it leaves out."""

    lines: tuple[SourceLine, ...]
    left_out: int


def interest(timelines: Sequence[Timeline], verdicts: Mapping[str, Verdict]) -> list[Timeline]:
    """The requests in the order in which a reader will want them: what went wrong, one of each kind, the slowest, the first; then the rest."""
    kinds: Counter[tuple[str, str | None]] = Counter()
    slow = {t.request_id for t in sorted((t for t in timelines if t.duration_us is not None), key=lambda t: -(t.duration_us or 0))[:SLOWEST]}
    ranked = []
    for n, timeline in enumerate(timelines):
        verdict = judged(timeline, verdicts)
        kind = (verdict.outcome.outcome, verdict.outcome.cause)
        kinds[kind] += 1
        rank = (
            0 if verdict.verdict == "deviates" or kinds[kind] == 1
            else 1 if kind[0] not in ("created", "refused")
            else 2 if timeline.request_id in slow
            else 3 if n < FIRST
            else 4
        )  # fmt: skip
        ranked.append((rank, n, timeline))
    return [t for _, _, t in sorted(ranked, key=lambda r: r[:2])]


def extract(timelines: Sequence[Timeline], verdicts: Mapping[str, Verdict], fetch: Fetch, limit: int | None = PER_REQUEST) -> tuple[dict[str, Extract], str]:
    """The lines to carry, by request id, and a sentence on what is left out ('' if nothing is). ``limit`` None: everything."""
    if limit == 0:
        return {}, "Source lines are left out (`--lines 0`)."
    found: dict[str, Extract] = {}
    budget = TOTAL_BYTES
    most = len(timelines) if limit is None or len(timelines) <= FIRST else _wanted(timelines, verdicts)
    shortened = 0
    for timeline in interest(timelines, verdicts):
        if len(found) >= most or (limit is not None and budget <= 0):
            break
        taken = _take(fetch(timeline), _named(timeline, judged(timeline, verdicts)), limit)
        budget -= sum(len(line.text) for line in taken.lines)
        shortened += taken.left_out > 0
        found[timeline.request_id] = taken
    without = len(timelines) - len(found)
    said = []
    if without:
        said.append(
            f"the source lines of {plural(without, 'request')} of {len(timelines):,} (kept: what failed or deviated, one of each kind, the slowest {SLOWEST}, the first {FIRST}; at most {size(TOTAL_BYTES)})"
        )
    if shortened:
        said.append(f"source lines beyond {limit:,} a request ({plural(shortened, 'request')})")
    return found, f"Left out: {'; '.join(said)}. `--lines all` keeps everything." if said else ""


def _wanted(timelines: Sequence[Timeline], verdicts: Mapping[str, Verdict]) -> int:
    wrong = sum(1 for t in timelines if (v := judged(t, verdicts)).verdict == "deviates" or v.outcome.outcome not in ("created", "refused"))
    return min(len(timelines), wrong + SLOWEST + FIRST)


def _named(timeline: Timeline, verdict: Verdict) -> set[Location]:
    """The places that the page names elsewhere: these lines are kept before all others."""
    places = [p.where for part in (timeline.flows, timeline.handoffs, timeline.failures, timeline.diagnostics, verdict.deviations) for p in part]
    places += [task.where for flow in timeline.flows for task in flow.tasks] + [timeline.where]
    return {p for p in places if p is not None}


def _take(lines: list[tuple[Location, str, str]], named: set[Location], limit: int | None) -> Extract:
    kept = lines
    if limit is not None and len(lines) > limit:
        first = [n for n, (where, _, _) in enumerate(lines) if where in named][:limit]
        rest = set(first)
        kept = [lines[n] for n in sorted(rest.union([n for n in range(len(lines)) if n not in rest][: limit - len(rest)]))]
    order = {service: n for n, service in enumerate(SERVICES)}
    chosen = [SourceLine(service, clean(where.path, 300) or "", where.line, clean_line(text)) for where, text, service in kept]
    chosen.sort(key=lambda s: (order.get(s.service, len(order)), s.path, s.line))
    return Extract(tuple(chosen), len(lines) - len(kept))
