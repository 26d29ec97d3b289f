"""A request in the terminal: a waterfall that can be read over ssh, and a line a request where there are many.

Whatever a log says, no control character reaches the terminal (`clean`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..corrected import correct
from ..measure import quantiles, request_bounds, resolution_us
from ..trace import Diagnostic, Location, Reading, Timeline
from ..verdict import OUTCOMES, Verdict
from .clean import clean
from .summary import group_diagnostics
from .waterfall import Bar, Waterfall, draw_up
from .wording import NOT_KNOWN, bounded, lapse, meaning, plural, utc

_COLOURS = {
    "created": 32, "SUCCESS": 32, "refused": 33, "REVERTED": 33, "failed": 31, "FAILURE": 31, "REVERT_FAILURE": 31, "stuck": 35, "lost": 35,
    "RUNNING": 35, "REVERTING": 35, "SENT": 35, "unknown": 36, "dim": 2, "bold": 1,
}  # fmt: skip
_UNICODE = {"work": "█", "idle": "─", "open": "░", "wait": "·", "arrow": "→", "ok": "≤", "dash": "–", "micro": "µ", "dots": "…"}
_ASCII = {"work": "#", "idle": "-", "open": "~", "wait": ".", "arrow": "->", "ok": "<=", "dash": "-", "micro": "u", "dots": "..."}


class _Paint:
    def __init__(self, colour: bool, unicode: bool):
        self.colour = colour
        self.signs = _UNICODE if unicode else _ASCII
        self.unicode = unicode

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if self.colour and style in _COLOURS and text else text

    def plain(self, text: str) -> str:
        """The text in the terminal's character set: our own signs by their ASCII twins, the rest as escapes."""
        if self.unicode:
            return text
        for sign, twin in zip(_UNICODE.values(), _ASCII.values()):
            text = text.replace(sign, twin)
        return text.encode("ascii", "backslashreplace").decode()


def draw(timeline: Timeline, verdict: Verdict, width: int = 100, colour: bool = False, unicode: bool = True) -> str:
    """One request as lines of about ``width`` columns (never under 72), without a line break at the end."""
    paint = _Paint(colour, unicode)
    fall = draw_up(timeline, verdict)
    width = max(72, width)
    lines = [*_header(timeline, verdict, paint), *_corrections(timeline, fall), *_waterfall(fall, timeline, width, paint), *_problems(timeline, verdict, paint)]
    return paint.plain("\n".join(lines))


def summary_line(timeline: Timeline, verdict: Verdict, width: int = 160, colour: bool = False, unicode: bool = True) -> str:
    """One line a request: start, outcome, duration, attempts, id, cause, backend, name."""
    paint = _Paint(colour, unicode)
    start = utc(timeline.start, max(1000, resolution_us(timeline))) if timeline.start is not None else "-"
    took = bounded(timeline.duration_us, request_bounds(timeline)) if timeline.duration_us is not None else "-"
    words = [verdict.outcome.cause, clean(timeline.backend, 60), clean(timeline.name, 40), *dict.fromkeys(d.slug for d in verdict.deviations)]
    outcome = verdict.outcome.outcome
    told = "  ".join(w for w in words if w)
    room = max(40, width - 90)
    if len(told) > room:
        told = told[: room - 1] + "…"
    return paint.plain(f"{start:<23}  {paint(f'{outcome:<8}', outcome)}{took:>12}  {timeline.attempts}x  {clean(timeline.request_id)}  {told}".rstrip())


def plain(text: str) -> str:
    """Text from a log as one line that a terminal shows and does not obey."""
    return clean(text, 4000) or ""


def summary(timelines: Sequence[Timeline], verdicts: dict[str, Verdict], unicode: bool = True) -> str:
    """All requests in a sentence: how many ended how and why, and how long they took."""
    judged = [verdicts[t.request_id] for t in timelines if t.request_id in verdicts]
    ended = Counter((v.outcome.outcome, v.outcome.cause) for v in judged)
    parts = []
    for outcome in OUTCOMES:
        n = sum(count for (o, _), count in ended.items() if o == outcome)
        causes = ", ".join(f"{count:,} {cause}" for (o, cause), count in ended.most_common() if o == outcome and cause)
        if n:
            parts.append(f"{n:,} {outcome}" + (f" ({causes})" if causes else ""))
    known = [t.duration_us for t in timelines if t.duration_us is not None]
    took = ""
    if known:
        p50, p90, p99 = quantiles(known)
        took = f"; duration p50 {lapse(p50)}, p90 {lapse(p90)}, p99 {lapse(p99)}"
    deviating = sum(v.verdict == "deviates" for v in judged)
    odd = f"; {deviating:,} deviate{'s' if deviating == 1 else ''} from the lifecycle" if deviating else ""
    return _Paint(False, unicode).plain(f"{plural(len(timelines), 'request')}: {', '.join(parts) or 'none judged'}{took}{odd}")


def _header(timeline: Timeline, verdict: Verdict, paint: _Paint) -> Iterator[str]:
    outcome, answer = verdict.outcome, timeline.answer
    why = f" because of {outcome.cause}: {meaning(outcome.cause)}" if outcome.cause else f": {meaning(outcome.outcome)}"
    yield f"{paint(clean(timeline.request_id) or '', 'bold')}  {paint(outcome.outcome, outcome.outcome)}{why}"
    if outcome.gave_up:
        yield f"  gave up  {outcome.gave_up}: {meaning(outcome.gave_up)}"
    volume = [
        clean(timeline.volume_id, 80),
        clean(timeline.name, 60) and f"'{clean(timeline.name, 60)}'",
        f"{timeline.size_gb} GB" if timeline.size_gb is not None else None,
        clean(timeline.source, 40),
        outcome.final_status and f"status {outcome.final_status}",
    ]
    yield from _fact("volume", volume)
    yield from _fact("who", [timeline.project and f"project {clean(timeline.project, 60)}", timeline.user and f"user {clean(timeline.user, 60)}"])
    http = " ".join(clean(str(w), 100) or "" for w in (answer.method, answer.path, answer.status and f"→ {answer.status}") if w)
    yield from _fact("http", [http])
    step = resolution_us(timeline)
    took = bounded(timeline.duration_us, request_bounds(timeline)) if timeline.duration_us is not None else NOT_KNOWN
    yield from _fact(
        "time",
        [
            timeline.start is not None and f"{utc(timeline.start, step)} UTC",
            f"took {took}",
            plural(timeline.attempts, "attempt"),
            clean(timeline.backend, 80) and f"backend {clean(timeline.backend, 80)}",
        ],
    )
    yield from _fact("verdict", [verdict.verdict, verdict.fitness is not None and f"fitness {verdict.fitness:.3f}"])


def _corrections(timeline: Timeline, fall: Waterfall) -> Iterator[str]:
    """What clocks are off by, and how long the request took by those that agree."""
    for n, said in enumerate(fall.corrected):
        yield f"  {'' if n else 'clocks':<8} {said}"
    if fall.corrected:
        took = correct(timeline).duration_us
        yield f"  {'':<8} the drawing is by corrected times{'' if took is None else f', by which it took {lapse(took)}'}; all other times are as logged"


def _fact(name: str, words: Iterable[str | None | bool]) -> Iterator[str]:
    said = "  ".join(str(w) for w in words if w)
    if said:
        yield f"  {name:<8} {said}"


def _waterfall(fall: Waterfall, timeline: Timeline, width: int, paint: _Paint) -> Iterator[str]:
    for mark in fall.marks:
        yield f"{_offset(mark.at):>12}  {mark.service:<9}  {clean(mark.row)}  {paint(clean(str(mark.where or ''), 200) or '', 'dim')}"
    if not fall.bars:
        return
    shorten = _shortener(fall)
    rows = [_words(bar, fall, paint, shorten) for bar in fall.bars]
    offset, took, state, name, place = (max(len(row[i]) for row in rows) for i in range(5))
    room = max(12, width - (offset + took + state + name + place + 10))
    yield ""
    yield paint(paint.plain(f"  {'at':>{offset}} {'took':>{took}}  {_axis(fall, room)}"), "dim")
    for bar, row in zip(fall.bars, rows):
        cells = paint(_cells(bar, fall, room, paint.signs), "dim" if bar.kind == "handoff" else bar.state)
        named = paint(f"{row[3]:<{name}}", "bold" if bar.kind == "flow" else "")
        yield f"  {row[0]:>{offset}} {row[1]:>{took}}  {cells}  {paint(f'{row[2]:<{state}}', bar.state)}  {named} {paint(row[4], 'dim')}".rstrip()
        for kind, slug, message in bar.notes:
            said, indent = f"! {slug}{f': {message}' if message else ''}", offset + took + 5
            said = said if len(said) + indent <= width else said[: width - indent - 1] + "…"
            yield " " * indent + paint(said, "failed" if kind == "failure" else "stuck")


def _axis(fall: Waterfall, room: int) -> str:
    if fall.untimed:
        return fall.untimed
    return f"{lapse(fall.first) if fall.first else '0'}{lapse(fall.last):>{room - 1}}"


def _words(bar: Bar, fall: Waterfall, paint: _Paint, shorten: Callable[[str], str]) -> tuple[str, str, str, str, str]:
    """What stands around the bar: offset, duration, state, name, place."""
    ordinal = f" #{bar.attempt}" if bar.attempt > 1 and bar.kind != "task" else ""
    name = {"flow": f"{bar.name}{ordinal}", "task": f"  {bar.name}", "handoff": f"cast {bar.name.split(' (')[0]}{ordinal}"}[bar.kind]
    state = {"SENT": "no receipt", "RECEIVED": "waited"}.get(bar.state, bar.state) + ("?" if bar.inferred else "")
    took = "" if bar.duration in (NOT_KNOWN, "no end seen", "no receipt seen") else bar.duration
    place = f"{shorten(bar.where.path)}:{bar.where.line}" if bar.where else ""
    return paint.plain("" if fall.untimed else _offset(bar.at)), paint.plain(took), state, paint.plain(name), paint.plain(place)


def _offset(at: int | None) -> str:
    return "" if at is None else f"+{lapse(at)}" if at > 0 else "0" if at == 0 else lapse(at)


def _cells(bar: Bar, fall: Waterfall, room: int, signs: dict[str, str]) -> str:
    cells = [" "] * room
    span = max(1, fall.last - fall.first)

    def fill(at: int, length: int, sign: str) -> None:
        first = min(room - 1, max(0, (at - fall.first) * room // span))
        last = min(room, max(first + 1, -(-(at + length - fall.first) * room // span)))
        cells[first:last] = [sign] * (last - first)

    if bar.at is None:
        return "".join(cells)
    if bar.open:
        fill(bar.at, fall.last - bar.at, signs["open"])
    if bar.kind == "handoff":
        if not bar.open:
            fill(bar.at, bar.length or 0, signs["wait"])
    elif bar.kind == "flow":
        fill(bar.at, bar.length or 0, signs["idle"])
    else:
        fill(bar.at, bar.length or 0, signs["idle"])
        for segment in bar.segments:
            fill(segment.at, segment.length, signs["work"])
    return "".join(cells)


def _shortener(fall: Waterfall) -> Callable[[str], str]:
    """File names for the rows: without their folders where that tells the files apart. Full paths stand below, at what went wrong."""
    paths = {bar.where.path for bar in fall.bars if bar.where}
    names = {path: path.rsplit("/", 1)[-1] for path in paths}
    unique = len(set(names.values())) == len(paths)
    return lambda path: clean(names[path] if unique else path, 60) or ""


def _problems(timeline: Timeline | None, verdict: Verdict, paint: _Paint) -> Iterator[str]:
    if timeline and (timeline.failures or verdict.deviations or timeline.diagnostics):
        yield ""
    for f in timeline.failures if timeline else ():
        place = ", ".join(
            p for p in (clean(f.service), clean(f.task or f.flow, 80), f.attempt is not None and f"attempt {f.attempt}", clean(f.backend, 80)) if p
        )
        yield f"  {paint('failure', 'failed')}    {clean(f.exception, 120) or 'failure'}: {clean(f.message, 400) or ''} ({place}) {_end(f.where)}".rstrip()
    for d in verdict.deviations:
        expected = f" (expected: {clean(d.expected, 200)})" if d.expected else ""
        yield f"  {paint('deviation', 'stuck')}  {d.slug}: {clean(d.message, 400)}{expected} {_end(d.where)}".rstrip()
    for (slug, message), places in group_diagnostics(timeline).items() if timeline else ():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        yield _diagnostic(Diagnostic(slug, message, places[0]), paint) + more
    if timeline and any(f.inferred or any(t.inferred for t in f.tasks) for f in timeline.flows):
        yield "  ? behind a state: the log's text is damaged there, the lifecycle supplied what was lost"


def draw_check(reading: Reading, verdicts: Sequence[Verdict], colour: bool = False, unicode: bool = True) -> str:
    """What `check` says: each deviation with its place, each odd thing about the logs, and the sum."""
    paint = _Paint(colour, unicode)
    lines = []
    for verdict in verdicts:
        if verdict.verdict != "conforms":
            ended = verdict.outcome.cause or "" if verdict.verdict == verdict.outcome.outcome else _ended(verdict)
            judged = paint(verdict.verdict, "stuck" if verdict.deviations else "unknown")
            lines.append(f"{paint(clean(verdict.request_id) or '', 'bold')}  {judged}{': ' if ended else ''}{ended}")
            lines += _problems(None, verdict, paint)
    if lines and reading.diagnostics:
        lines.append("")
    for diagnostic in reading.diagnostics:
        lines.append(_diagnostic(diagnostic, paint))
    counts = Counter(v.verdict for v in verdicts)
    worst = sum(v.worst for v in verdicts)
    fitness = f"; fitness {1 - sum(v.cost for v in verdicts) / worst:.3f}" if worst else ""
    words = (("conforms", "conforms", "conform"), ("deviates", "deviates", "deviate"), ("unknown", "unknown", "unknown"))
    told = ", ".join(f"{counts[name]:,} {one if counts[name] == 1 else many}" for name, one, many in words if counts[name])
    lines.append(
        f"{plural(len(verdicts), 'request')}{f': {told}' if told else ''}{fitness}; {plural(reading.lines, 'line')} read, {reading.unrecognised:,} not recognised"
    )
    return paint.plain("\n".join(lines))


def _ended(verdict: Verdict) -> str:
    cause = verdict.outcome.cause
    return f"{verdict.outcome.outcome} ({cause})" if cause else verdict.outcome.outcome


def _diagnostic(diagnostic: Diagnostic, paint: _Paint) -> str:
    return f"  {paint('diagnostic', 'unknown')} {diagnostic.slug}: {clean(diagnostic.message, 400)} {_end(diagnostic.where)}".rstrip()


def _end(where: Location | None) -> str:
    return "" if where is None else clean(str(where), 4096) or ""
