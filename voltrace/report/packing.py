"""Page values as compact JSON for the page's scripts: every string once, in a table; records as arrays, their fields named once.

Three blocks, so that the browser parses timelines and source lines only when somebody opens a request: ``list`` (strings,
rows), ``timelines`` and ``lines``. Wherever a record holds a text, the JSON holds its index in ``strings`` (-1: none).
"""

from __future__ import annotations

import json
import re

from ..verdict import CAUSES, OUTCOMES
from .pages import Report, RequestPage, Row
from .waterfall import Bar

ROW = (
    "request_id",
    "at",
    "start",
    "outcome",
    "cause",
    "verdict",
    "deviations",
    "name",
    "volume_id",
    "size_gb",
    "project",
    "user",
    "backend",
    "attempts",
    "us",
    "duration",
)
# What bars have in common is a shape; a bar names its shape by index and adds what is its own, empty ends left out.
SHAPE = ("kind", "service", "name", "attempt", "state", "states", "open", "inferred", "path")
BAR = ("shape", "at", "length", "duration", "line", "segments", "notes")
_NUMBERS = {"at", "size_gb", "attempts", "us"}


class _Strings:
    def __init__(self) -> None:
        self.table: dict[str, int] = {}

    def __call__(self, text: str | None) -> int:
        return -1 if text is None else self.table.setdefault(text, len(self.table))


def pack(report: Report) -> dict[str, str]:
    """The blocks by name, as JSON that may stand inside a script element."""
    strings = _Strings()
    rows = [_row(row, strings) for row in report.rows]
    place = {row.request_id: n for n, row in enumerate(report.rows)}
    shapes: dict[tuple, int] = {}
    timelines = {place[page.request_id]: _timeline(page, strings, shapes) for page in report.requests}
    lines = {
        place[page.request_id]: [page.extract.left_out, [[strings(s.service), strings(s.path), s.line, s.text] for s in page.extract.lines]]
        for page in report.requests
        if page.extract
    }
    meanings = OUTCOMES | CAUSES
    return {
        "list": embed({"fields": ROW, "texts": [f for f in ROW if f not in _NUMBERS], "rows": rows, "meanings": meanings, "strings": list(strings.table)}),
        "timelines": embed({"shape": SHAPE, "bar": BAR, "shapes": list(shapes), "requests": timelines}),
        "lines": embed(lines),
    }


def embed(value: object) -> str:
    """JSON that neither ends its script element nor shows addresses to programs that rewrite them (mail gateways do)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", text)
    return text.replace("//", "/\\/")


def _row(row: Row, strings: _Strings) -> list:
    return [getattr(row, f) if f in _NUMBERS else strings(getattr(row, f)) for f in ROW]


def _timeline(page: RequestPage, strings: _Strings, shapes: dict[tuple, int]) -> list:
    fall = page.waterfall
    problems = [
        [strings(p.kind), strings(p.slug), strings(p.meaning), strings(p.message), strings(p.context), [strings(w) for w in p.places]] for p in page.problems
    ]
    marks = [[m.at, strings(m.service), strings(m.row), strings(str(m.where) if m.where else None)] for m in fall.marks]
    return [
        [[strings(a), strings(b)] for a, b in page.facts],
        problems,
        strings(fall.untimed),
        fall.first,
        fall.last,
        [_bar(b, strings, shapes) for b in fall.bars],
        marks,
        [strings(said) for said in fall.corrected],
    ]


def _bar(bar: Bar, strings: _Strings, shapes: dict[tuple, int]) -> list:
    path, line = (strings(bar.where.path), bar.where.line) if bar.where else (-1, None)
    shape = (
        strings(bar.kind), strings(bar.service), strings(bar.name), bar.attempt, strings(bar.state), strings(" → ".join(bar.states)),
        int(bar.open), int(bar.inferred), path,
    )  # fmt: skip
    # A task that simply ran and ended is one segment from end to end: the script knows.
    simple = len(bar.segments) == 1 and (bar.segments[0].at, bar.segments[0].length, bar.segments[0].state) == (bar.at, bar.length, bar.state)
    segments = [] if simple else [part for s in bar.segments for part in (strings(s.state), s.at, s.length)]
    notes = [strings(text) for note in bar.notes for text in note]
    packed = [shapes.setdefault(shape, len(shapes)), bar.at, bar.length, strings(bar.duration), line, segments, notes]
    while packed[-1] == []:
        packed.pop()
    return packed
