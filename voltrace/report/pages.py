"""A report as plain values: summary, list of requests, one page a request, times, comparison. Tests look at these; `html` draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..corrected import correct
from ..measure import group, quantiles, request_bounds, resolution_us
from ..trace import Location, Reading, Timeline
from ..verdict import Verdict
from . import lines as source_lines
from .against import Comparison, compare
from .clean import clean
from .summary import Summary, group_diagnostics, judged, summarise
from .waterfall import Waterfall, draw_up
from .wording import bounded, lapse, meaning, plural, share, utc

# Beyond this the page would outgrow browsers; the list stays complete.
MOST_TIMELINES = 20_000


@dataclass(frozen=True, slots=True)
class Row:
    """A request in the list. ``start`` and ``duration`` are texts, ``at`` and ``us`` what they are sorted by; ``deviations`` are slugs."""

    request_id: str
    at: int | None
    start: str
    outcome: str
    cause: str | None
    verdict: str
    deviations: str
    name: str | None
    volume_id: str | None
    size_gb: int | None
    project: str | None
    user: str | None
    backend: str | None
    attempts: int
    us: int | None
    duration: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure, deviation or diagnostic as the page tells it, with the places in the logs that show it."""

    kind: str
    slug: str
    meaning: str
    message: str
    context: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestPage:
    """Everything that the page shows of one request beside its row."""

    request_id: str
    facts: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]
    waterfall: Waterfall
    extract: source_lines.Extract | None


@dataclass(frozen=True, slots=True)
class Times:
    """Times of a flow, task or hand-off: number, percentiles, share of all requests' time."""

    kind: str
    service: str
    name: str
    n: int
    p50: str
    p90: str
    p99: str
    longest: str
    share: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report. ``left_out`` are sentences on what the page does not carry."""

    title: str
    version: str
    summary: Summary
    rows: tuple[Row, ...]
    requests: tuple[RequestPage, ...]
    times: tuple[Times, ...]
    comparison: Comparison | None
    left_out: tuple[str, ...]
    redacted: bool = False


def compose(
    reading: Reading,
    verdicts: Mapping[str, Verdict],
    fetch: source_lines.Fetch,
    *,
    title: str,
    version: str,
    against: tuple[Reading, Mapping[str, Verdict], str] | None = None,
    lines: int | None = source_lines.PER_REQUEST,
    redacted: bool = False,
) -> Report:
    """The report of the create requests of a reading; ``against`` is a second set (reading, verdicts, name) to compare with."""
    timelines = list(reading.creates())
    shown = timelines
    left_out = []
    if len(timelines) > MOST_TIMELINES:
        chosen = {t.request_id for t in source_lines.interest(timelines, verdicts)[:MOST_TIMELINES]}
        shown = [t for t in timelines if t.request_id in chosen]
        left_out.append(
            f"Left out: the timelines of {plural(len(timelines) - len(shown), 'request')} of {len(timelines):,}. `--where` narrows the report to what you look for."
        )
    extracts, said = ({}, "") if redacted else source_lines.extract(shown, verdicts, fetch, lines)
    if said:
        left_out.append(said)
    other = compare(timelines, verdicts, "this set", list(against[0].creates()), against[1], clean(against[2], 120) or "") if against else None
    return Report(
        clean(title, 200) or "",
        version,
        summarise(reading, timelines, verdicts),
        tuple(list_row(t, judged(t, verdicts)) for t in timelines),
        tuple(request_page(t, judged(t, verdicts), extracts.get(t.request_id)) for t in shown),
        tuple(times(timelines)),
        other,
        tuple(left_out),
        redacted,
    )


def list_row(timeline: Timeline, verdict: Verdict) -> Row:
    """A request's row in the list."""
    return Row(
        clean(timeline.request_id) or "",
        timeline.start,
        utc(timeline.start, max(1000, resolution_us(timeline))) if timeline.start is not None else "",
        verdict.outcome.outcome,
        verdict.outcome.cause,
        verdict.verdict,
        " ".join(dict.fromkeys(d.slug for d in verdict.deviations)),
        clean(timeline.name, 120),
        clean(timeline.volume_id, 80),
        timeline.size_gb,
        clean(timeline.project, 80),
        clean(timeline.user, 80),
        clean(timeline.backend, 120),
        timeline.attempts,
        timeline.duration_us,
        bounded(timeline.duration_us, request_bounds(timeline)) if timeline.duration_us is not None else "",
    )


def request_page(timeline: Timeline, verdict: Verdict, extract: source_lines.Extract | None = None) -> RequestPage:
    """A request's page: facts, problems, waterfall, source lines."""
    return RequestPage(
        clean(timeline.request_id) or "", tuple(_facts(timeline, verdict)), tuple(_problems(timeline, verdict)), draw_up(timeline, verdict), extract
    )


def _facts(timeline: Timeline, verdict: Verdict):
    outcome, answer = verdict.outcome, timeline.answer
    step = resolution_us(timeline)
    said = " ".join(clean(word, 300) or "" for word in (answer.method, answer.path) if word)
    facts = (
        ("Gave up", outcome.gave_up and f"{outcome.gave_up}: {meaning(outcome.gave_up)}"),
        ("Volume", ", ".join(clean(v, 80) or "" for v in timeline.volume_ids)),
        ("Name", clean(timeline.name, 300)),
        ("Size", None if timeline.size_gb is None else f"{timeline.size_gb} GB"),
        ("Source", clean(timeline.source)),
        ("Type", clean(timeline.volume_type)),
        ("Zone", clean(timeline.availability_zone)),
        ("Status", outcome.final_status),
        ("Project", clean(timeline.project)),
        ("User", clean(timeline.user)),
        ("HTTP", f"{said or 'request'} → {answer.status}" if answer.status is not None else said),
        ("Start", timeline.start is not None and f"{utc(timeline.start, step)} UTC"),
        ("End", timeline.end is not None and f"{utc(timeline.end, step)} UTC"),
        ("Corrected", timeline.clocks and f"took {lapse(correct(timeline).duration_us)} by corrected times"),
        ("Attempts", str(timeline.attempts)),
        ("Backend", clean(timeline.backend, 300)),
        ("Fitness", verdict.fitness is not None and f"{verdict.fitness:.3f}"),
        ("Global request", clean(timeline.global_request_id)),
    )
    return ((name, value) for name, value in facts if value)


def _problems(timeline: Timeline, verdict: Verdict):
    for d in verdict.deviations:
        context = "; ".join(f"{word} {clean(text, 300)}" for word, text in (("expected:", d.expected), ("observed:", d.observed)) if text)
        yield Problem("deviation", d.slug, meaning(d.slug), clean(d.message, 2000) or "", context, _place(d.where))
    for f in timeline.failures:
        place = [clean(f.service), clean(f.task or f.flow), f.attempt is not None and f"attempt {f.attempt}", clean(f.backend)]
        yield Problem("failure", clean(f.exception, 120) or "failure", "", clean(f.message, 4000) or "", ", ".join(p for p in place if p), _place(f.where))
    for (slug, message), places in group_diagnostics(timeline).items():
        yield Problem("diagnostic", slug, meaning(slug), clean(message, 1000) or "", "", tuple(p for where in places for p in _place(where)))


def _place(where: Location | None) -> tuple[str, ...]:
    return () if where is None else (clean(str(where), 300) or "",)


def times(timelines: list[Timeline]):
    """Where the time goes: a row for all requests and each flow, task and hand-off."""
    groups = group(timelines)
    whole = sum(us for key, values in groups.items() if key[0] == "request" for us in values)
    for (kind, service, name), values in groups.items():
        p50, p90, p99 = quantiles(values)
        yield Times(
            kind,
            service,
            (clean(name, 80) or "").replace("->", "→"),
            len(values),
            lapse(p50),
            lapse(p90),
            lapse(p99),
            lapse(max(values)),
            share(sum(values), whole),
        )
