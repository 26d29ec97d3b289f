"""Tables of times, by pandas: per flow, task and hand-off how often, how long, and what share of all requests' time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..trace import Timeline
from .clean import clean
from .measure import observe, ranked
from .wording import lapse

if TYPE_CHECKING:
    from pandas import DataFrame

TIMES = ("min_s", "p50_s", "p90_s", "p99_s", "max_s")
COLUMNS = ("kind", "service", "name", "n", *TIMES, "share_percent")
_KEY = ["kind", "service", "name"]


def stats_table(timelines: Iterable[Timeline]) -> DataFrame:
    """One row a flow, task and hand-off (and one for the requests themselves), from durations that are known, in seconds.

    ``share_percent`` is of the summed time of all requests; tasks lie within flows and attempts may overlap, so it does not add up to 100.
    """
    import pandas

    observed = pandas.DataFrame(observe(timelines), columns=[*_KEY, "us"])
    if observed.empty:
        return pandas.DataFrame({c: pandas.Series(dtype="object" if c in _KEY else "float64") for c in COLUMNS}).astype({"n": "int64"})
    grouped = observed.groupby(_KEY, sort=False)["us"]
    table = grouped.agg(n="count", min_s="min", max_s="max", total="sum")
    for column, q in (("p50_s", 0.5), ("p90_s", 0.9), ("p99_s", 0.99)):
        table[column] = grouped.quantile(q)
    whole = observed.loc[observed["kind"] == "request", "us"].sum()
    table["share_percent"] = (table["total"] / whole * 100).round(2) if whole else float("nan")
    table[list(TIMES)] = (table[list(TIMES)] / 1e6).round(6)
    return table.loc[ranked(table.index)].reset_index()[list(COLUMNS)]


def to_text(table: DataFrame) -> str:
    """The table for a terminal, durations with their units."""
    head = ("", "service", "name", "n", "min", "p50", "p90", "p99", "max", "share")
    rows = [head]
    for row in table.itertuples(index=False):
        times = (lapse(getattr(row, c) * 1e6) for c in TIMES)
        rows.append(
            (row.kind, row.service, clean(row.name), f"{row.n:,}", *times, "–" if row.share_percent != row.share_percent else f"{row.share_percent:.1f} %")
        )
    widths = [max(len(r[i]) for r in rows) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(w) if i < 3 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows]
    if len(rows) == 1:
        lines.append("no duration is known: no requests, or logs without stamps or without DEBUG lines")
    return "\n".join(lines) + "\n"


def to_json(table: DataFrame) -> str:
    """A list of objects; what is not known is null."""
    records = [{c: None if v != v else v for c, v in row.items()} for row in table.to_dict("records")]
    return json.dumps(records, indent=1, ensure_ascii=False) + "\n"


def to_csv(table: DataFrame) -> str:
    """Comma-separated, one header line."""
    return table.to_csv(index=False, lineterminator="\n")
