"""Tables of times: per flow, task and hand-off how often, how long, and what share of all requests' time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..measure import Key, quantiles, ranked
from .clean import clean
from .wording import lapse

if TYPE_CHECKING:
    import numpy

TIMES = ("min_s", "p50_s", "p90_s", "p99_s", "max_s")


class Times(NamedTuple):
    """One row: what was measured how often, and how long it took, in seconds. ``share_percent`` is null where no request was measured."""

    kind: str
    service: str
    name: str
    n: int
    min_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float
    share_percent: float | None


def stats_table(groups: Mapping[Key, Sequence[int] | numpy.ndarray]) -> list[Times]:
    """One row a flow, task and hand-off (and one for the requests themselves), from durations that are known (µs).

    ``share_percent`` is of the summed time of all requests; tasks lie within flows and attempts may overlap, so it does not add up to 100.
    """
    import numpy

    known = ranked(groups)
    whole = sum(int(numpy.sum(groups[key], dtype=numpy.int64)) for key in known if key[0] == "request")
    rows = []
    for key in known:
        values = numpy.asarray(groups[key])
        times = (int(values.min()), *quantiles(values), int(values.max()))
        share = round(int(values.sum(dtype=numpy.int64)) / whole * 100, 2) if whole else None
        rows.append(Times(*key, len(values), *(round(us / 1e6, 6) for us in times), share))  # type: ignore[call-arg]
    return rows


def to_text(table: list[Times]) -> str:
    """The table for a terminal, durations with their units."""
    head = ("", "service", "name", "n", "min", "p50", "p90", "p99", "max", "share")
    rows: list[tuple[str, ...]] = [head]
    for row in table:
        times = (lapse(getattr(row, column) * 1e6) for column in TIMES)
        rows.append((row.kind, row.service, clean(row.name) or "", f"{row.n:,}", *times, "–" if row.share_percent is None else f"{row.share_percent:.1f} %"))
    widths = [max(len(r[i]) for r in rows) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(w) if i < 3 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows]
    if len(rows) == 1:
        lines.append("no duration is known: no requests, or logs without stamps or without DEBUG lines")
    return "\n".join(lines) + "\n"


def to_json(table: list[Times]) -> str:
    """A list of objects; what is not known is null."""
    return json.dumps([row._asdict() for row in table], indent=1, ensure_ascii=False) + "\n"


def to_csv(table: list[Times]) -> str:
    """Comma-separated, one header line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Times._fields)
    writer.writerows(table)
    return text.getvalue()
