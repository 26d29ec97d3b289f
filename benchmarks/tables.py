"""The reading benchmark's figures as tables, for the terminal or in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from processes import Took
from readers import LNAV, NAIVE, version_of
from rounds import Row, find, ratio

from voltrace.kernel import in_use


def describe_machine() -> str:
    """The date, the machine's size, and the versions of who takes part, in a line."""
    return (
        f"{date.today().isoformat()}, {os.cpu_count()} cores, {_memory_gb()} memory, Python {platform.python_version()}, "
        f"lnav {version_of('lnav')}, mawk {version_of('mawk')}; voltrace installed: {in_use()}"
    )


def _memory_gb() -> str:
    try:
        listed = Path("/proc/meminfo").read_text()
    except OSError:
        return "unknown"
    return f"{int(listed.split()[1]) / 2**20:.0f} GB"


def table_of_readers(rows: Sequence[Row]) -> list[list[str]]:
    naive, lnav = find(rows, NAIVE), find(rows, LNAV)
    ratios: list[tuple[str, Row | None, Callable[[Took], float]]] = [
        ("x naive", naive, lambda took: took.cpu_s),
        ("x lnav", lnav, lambda took: took.cpu_s),
        ("x naive, wall", naive, lambda took: took.wall_s),
        ("x lnav, wall", lnav, lambda took: took.wall_s),
    ]
    table = [["", *_FIGURES, *(name for name, _, _ in ratios)]]
    for row in rows:
        table.append([row.reader.name, *_figures(row), *(_number(ratio(row, other, of)) for _, other, of in ratios)])
    return table


def table_of_formats(rows: Sequence[Row]) -> list[list[str]]:
    """The last column: how many times less CPU time than the first row's format."""
    table = [["", "MB", *_FIGURES, f"x {rows[0].reader.name}"]]
    for row in rows:
        table.append([row.reader.name, f"{row.source.megabytes:,.0f}", *_figures(row), _number(ratio(row, rows[0], lambda took: took.cpu_s))])
    return table


def table_of_growth(rows: Sequence[Row]) -> list[list[str]]:
    return [["", *_FIGURES], *([row.reader.name, *_figures(row)] for row in rows)]


_FIGURES = ("CPU s", "wall s", "k lines/s", "MB/s", "peak MB")


def _figures(row: Row) -> list[str]:
    """Medians, and the highest peak; or why there are none."""
    if not row.measured:
        return [row.reader.absent or f"failed: {row.failure}", *[""] * (len(_FIGURES) - 1)]
    cpu, wall = row.median(lambda took: took.cpu_s), row.median(lambda took: took.wall_s)
    rate = max(cpu, 1e-9)
    peak = max(took.peak_mb for took in row.runs)
    return [f"{cpu:.2f}", f"{wall:.2f}", f"{row.source.lines / rate / 1000:,.0f}", f"{row.source.megabytes / rate:,.0f}", f"{peak:,.0f}"]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def render(table: Sequence[Sequence[str]], markdown: bool) -> str:
    """The first row is the heading; the first column stands to the left, the others to the right."""
    if markdown:
        rule = ["---", *["---:"] * (len(table[0]) - 1)]
        return "\n".join(f"| {' | '.join(row)} |" for row in [table[0], rule, *table[1:]])
    # What is no figure (why a row has none) may stand over the columns to its right.
    widths = [max(len(row[i]) for row in table if i == 0 or not row[i] or row[i][-1].isdigit() or row is table[0]) for i in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)
