"""Figures as inline SVG: same input, same bytes; colours that follow the page's theme; no ids that could clash between figures.

matplotlib writes hard colours and font names; `_inline` puts the page's CSS variables in their place, so that one figure
serves light, dark and print. Text stays text (it can be searched and read aloud).
"""

from __future__ import annotations

import io
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from ..measure import group, quantiles
from ..trace import Timeline
from ..verdict import OUTCOMES, Verdict
from .clean import clean
from .summary import judged
from .wording import lapse, plural, utc

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .against import Comparison

# Stand-ins: the colour that matplotlib draws with -> the page's variable. Each colour is used for one meaning only.
THEME = {
    "#11181c": "ink", "#687076": "dim", "#e6e8eb": "rule", "#fdfcfb": "paper",
    "#18794e": "created", "#ad5700": "refused", "#cd2b31": "failed", "#5746af": "stuck", "#c2298a": "lost", "#7e868c": "unknown",
    "#0b68cb": "api", "#793aaf": "scheduler", "#067a6f": "volume", "#3a5bc7": "here", "#d6409f": "there",
}  # fmt: skip
_COLOUR = {name: colour for colour, name in THEME.items()}
MOST_POINTS = 1500
MOST_ROWS = 24
_ROUND = (
    0.001,
    0.01,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    21600,
    43200,
    *(86400 * d for d in (1, 2, 7, 14, 30, 90, 365)),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawn figure: its key (the prefix of its ids), a heading, a sentence that tells what it shows, and the SVG element."""

    key: str
    title: str
    says: str
    svg: str


def draw_all(timelines: Sequence[Timeline], verdicts: Mapping[str, Verdict], comparison: Comparison | None = None) -> list[Figure]:
    """The figures that these requests allow: without requests or stamps some are missing."""
    found = [draw_outcomes(timelines, verdicts), draw_course(timelines, verdicts), draw_times(timelines), draw_waits(timelines)]
    if comparison is not None:
        found.append(draw_comparison(comparison))
    return [figure for figure in found if figure is not None]


def draw_outcomes(timelines: Sequence[Timeline], verdicts: Mapping[str, Verdict]) -> Figure | None:
    """Bars: how many requests ended how, parted by cause."""
    counts: dict[tuple[str, str], int] = {}
    for t in timelines:
        outcome = judged(t, verdicts).outcome
        key = outcome.outcome, outcome.cause or ""
        counts[key] = counts.get(key, 0) + 1
    if not counts:
        return None
    order = list(OUTCOMES)
    rows = sorted(counts, key=lambda k: (order.index(k[0]) if k[0] in order else 9, -counts[k], k[1]))[:MOST_ROWS]

    def plot(ax: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        ax.barh(range(len(rows)), [counts[k] for k in rows], height=0.62, color=[_COLOUR.get(k[0], _COLOUR["unknown"]) for k in rows])
        for y, key in enumerate(rows):
            ax.annotate(f"{counts[key]:,}", (counts[key], y), xytext=(5, 0), textcoords="offset points", va="center", color=_COLOUR["ink"])
        _label_rows(ax, [clean(f"{o}: {c}" if c else o, 40) or "" for o, c in rows])
        ax.set_xlim(0, max(counts.values()) * 1.1)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("requests")

    return _figure("outcomes", "Outcomes and causes", f"How {plural(len(timelines), 'request')} ended, by outcome and cause.", plot, 0.8 + 0.28 * len(rows))


def draw_course(timelines: Sequence[Timeline], verdicts: Mapping[str, Verdict]) -> Figure | None:
    """Points: when each request began and how long it took, coloured by outcome."""
    points: dict[str, list[tuple[int, int]]] = {}
    for t in timelines:
        if t.start is not None and t.duration_us is not None:
            points.setdefault(judged(t, verdicts).outcome.outcome, []).append((t.start, t.duration_us))
    n = sum(map(len, points.values()))
    if n < 2:
        return None
    step = -(-max(0, len(points.get("created", ()))) // MOST_POINTS) or 1
    thinned = f" Of those created, every {step}th is drawn." if step > 1 else ""

    def plot(ax: Axes) -> None:
        markers = dict(zip(OUTCOMES, "osXDPv"))
        for outcome in [o for o in OUTCOMES if o in points]:
            drawn = sorted(points[outcome])[:: step if outcome == "created" else -(-len(points[outcome]) // MOST_POINTS)]
            x = [at / 1e6 for at, _ in drawn]
            y = [max(us, 1) / 1e6 for _, us in drawn]
            ax.scatter(x, y, s=16, marker=markers[outcome], color=_COLOUR[outcome], alpha=0.75, linewidths=0, label=f"{outcome} ({len(points[outcome]):,})")
        _seconds(ax.yaxis, ax.set_yscale)
        _dates(ax)
        ax.grid(axis="y", color=_COLOUR["rule"], linewidth=0.8)
        ax.set_ylabel("duration")
        ax.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncol=6, frameon=False, handletextpad=0.1, columnspacing=1.2, borderaxespad=0.2, labelcolor=_COLOUR["ink"]
        )

    return _figure("course", "Requests over time", f"When {plural(n, 'request')} began and how long each took, from first to last record.{thinned}", plot, 3.4)


def draw_times(timelines: Sequence[Timeline]) -> Figure | None:
    """Strips: p50, p90 and p99 of every flow and task on a logarithmic axis."""
    groups = {k: v for k, v in group(timelines).items() if k[0] in ("flow", "task")}
    return _strips("times", "Durations of flows and tasks", "Median (dot), 90th (bar) and 99th percentile (line) of each flow and task, logarithmic.", groups)


def draw_waits(timelines: Sequence[Timeline]) -> Figure | None:
    """Strips: the waits of hand-offs."""
    groups = {k: v for k, v in group(timelines).items() if k[0] == "handoff"}
    return _strips("waits", "Waits of hand-offs", "From the cast to its receipt: median (dot), 90th (bar) and 99th percentile (line), logarithmic.", groups)


def draw_comparison(comparison: Comparison) -> Figure | None:
    """Pairs of dots: the medians of both sides."""
    pairs = [p for p in comparison.pairs if p.here.p50_us is not None and p.there.p50_us is not None][:MOST_ROWS]
    if not pairs:
        return None

    def plot(ax: Axes) -> None:
        for side, name in (("here", comparison.here), ("there", comparison.there)):
            values = [max(getattr(p, side).p50_us, 1) / 1e6 for p in pairs]
            ax.scatter(
                values, range(len(pairs)), s=34, marker="o" if side == "here" else "D", color=_COLOUR[side], linewidths=0, zorder=3, label=clean(name, 60)
            )
        for y, p in enumerate(pairs):
            ax.plot([max(p.here.p50_us or 1, 1) / 1e6, max(p.there.p50_us or 1, 1) / 1e6], [y, y], color=_COLOUR["dim"], linewidth=1.2, zorder=2)
        _label_rows(ax, [_row_name((p.kind, p.service, p.name)) for p in pairs])
        _seconds(ax.xaxis, ax.set_xscale)
        ax.grid(axis="x", color=_COLOUR["rule"], linewidth=0.8)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2, frameon=False, handletextpad=0.2, borderaxespad=0.2, labelcolor=_COLOUR["ink"])

    return _figure(
        "against",
        "Medians side by side",
        f"Median of each flow, task and hand-off in {clean(comparison.here)} and in {clean(comparison.there)}, logarithmic.",
        plot,
        0.8 + 0.26 * len(pairs),
    )


def _strips(key: str, title: str, says: str, groups: Mapping[tuple[str, str, str], list[int]]) -> Figure | None:
    rows = list(groups)[:MOST_ROWS]
    if not rows:
        return None

    def plot(ax: Axes) -> None:
        for y, row in enumerate(rows):
            p50, p90, p99 = (max(q, 1) / 1e6 for q in quantiles(groups[row]))
            colour = _COLOUR.get(row[1], _COLOUR["unknown"])
            ax.plot([p50, p99], [y, y], color=colour, linewidth=1.4, solid_capstyle="butt")
            ax.plot([p50, p90], [y, y], color=colour, linewidth=7 if row[0] != "task" else 4.5, alpha=0.4, solid_capstyle="butt")
            ax.scatter([p50], [y], s=30 if row[0] != "task" else 18, color=colour, linewidths=0, zorder=3)
            ax.annotate(
                lapse(p50 * 1e6),
                (1, y),
                xycoords=("axes fraction", "data"),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=_COLOUR["dim"],
                annotation_clip=False,
            )
        _label_rows(ax, [_row_name(row) for row in rows])
        _seconds(ax.xaxis, ax.set_xscale)
        ax.grid(axis="x", color=_COLOUR["rule"], linewidth=0.8)

    return _figure(key, title, says, plot, 0.6 + 0.26 * len(rows), right=0.9)


def _row_name(row: tuple[str, str, str]) -> str:
    kind, _, name = row
    return ("wait " if kind == "handoff" else "all: " if kind == "request" else "") + (clean(name, 40) or "").replace("->", "→")


def _label_rows(ax: Axes, labels: list[str]) -> None:
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)


def _seconds(axis, set_scale: Callable[..., None]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    set_scale("log")
    low, high = axis.get_view_interval()
    # Within two decades, powers of ten alone would label one tick or none.
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if 0 < high < 100 * low else (1,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda seconds, _: lapse(seconds * 1e6)))
    axis.set_minor_formatter(NullFormatter())


def _dates(ax: Axes) -> None:
    """Ticks at round instants on an axis of seconds since the epoch, UTC. matplotlib's own need 0.1 s to import and a time zone."""
    first, last = ax.get_xlim()
    step = next((s for s in _ROUND if (last - first) / s <= 7), (last - first) / 7)
    ticks = [n * step for n in range(math.ceil(first / step), math.floor(last / step) + 1)]
    part = slice(11, 23) if step < 1 else slice(11, 19) if step < 60 else slice(11, 16) if step < 86400 else slice(0, 10)
    ax.set_xticks(ticks, [utc(round(tick * 1e6))[part] for tick in ticks])
    ax.set_xlim(first, last)
    day = utc(round(ticks[0] * 1e6))[:10] if ticks and step < 86400 else ""
    ax.set_xlabel(f"start, UTC{f', from {day}' if day else ''}")


def _figure(key: str, title: str, says: str, plot: Callable[[Axes], None], height: float, right: float = 0.97) -> Figure:
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a matplotlibrc of the user's must not change the bytes
        matplotlib.rcParams.update({
            "svg.hashsalt": "voltrace", "svg.fonttype": "none", "text.parse_math": False, "font.size": 9.5,
            "axes.edgecolor": _COLOUR["rule"], "axes.labelcolor": _COLOUR["dim"], "xtick.color": _COLOUR["rule"], "ytick.color": _COLOUR["rule"],
            "xtick.labelcolor": _COLOUR["dim"], "ytick.labelcolor": _COLOUR["ink"], "axes.spines.top": False, "axes.spines.right": False, "text.color": _COLOUR["ink"],
            "axes.facecolor": "none", "figure.facecolor": "none", "ytick.major.size": 0,
        })  # fmt: skip
        canvas = Canvas(figsize=(7.6, height))
        ax = canvas.add_subplot()
        plot(ax)
        rows = len(ax.get_yticklabels()) and key != "course"
        canvas.subplots_adjust(
            left=0.31 if rows else 0.1,
            right=right,
            bottom=(0.3 if key in ("times", "waits", "against") else 0.5) / height,
            top=1 - (0.35 if key in ("course", "against") else 0.1) / height,
        )
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return Figure(key, title, says, _inline(buffer.getvalue(), key, title, says))


def _inline(svg: str, key: str, title: str, says: str) -> str:
    """The svg element alone, with its own name space of ids, a title, the page's colours and the page's font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style\b.*?</style>|<defs>\s*</defs>", "", svg, flags=re.S)
    used = set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", svg))
    kept = {a or b for a, b in used}
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{key}-{m[1]}"' if m[1] in kept else "", svg)
    svg = re.sub(r"url\(#", f"url(#{key}-", svg).replace('href="#', f'href="#{key}-')
    svg = re.sub(r"font: [^;\"]*?([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r" font-family: [^;\"]*;| transform=\"rotate\(-0 [^)]*\)\"", "", svg)
    svg = re.sub("|".join(THEME), lambda m: f"var(--{THEME[m[0]]}, {m[0]})", svg)
    head, body = svg.split(">", 1)
    view = re.search(r'viewBox="([^"]+)"', head)
    name = f'aria-labelledby="{key}-title {key}-says"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" {name} viewBox="{view[1] if view else ""}">'
    return f'{start}<title id="{key}-title">{escape(title)}</title><desc id="{key}-says">{escape(says)}</desc>' + re.sub(r"\n\s*", "\n", body).strip()
