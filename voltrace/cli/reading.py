"""What every command that reads logs shares: its options, the reading, and the progress on stderr."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..trace import STUCK_AFTER_US, Diagnostic, Location, Reading, Timeline

if TYPE_CHECKING:
    import numpy

    from ..measure import Key
    from ..parse.crew import Crew
    from ..parse.pieces import ReadOptions
    from ..verdict import Verdict


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """PATH… and the options that every reading command takes."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a log file, a folder of logs, a glob, a URL such as s3://…, or - for standard input")
    parser.add_argument(
        "--year", type=_year, help="the year of stamps that carry none (default: from dates inside the log, else from the file's modification time)"
    )
    parser.add_argument("--tz", default="UTC", help="the zone of stamps that carry none: UTC, Europe/Berlin, +08:00, or --tz=-03:30 (default UTC)")
    parser.add_argument("--where", metavar="EXPR", help="only requests for which this holds, e.g. 'outcome = failed and duration > 2s'")
    parser.add_argument(
        "--stuck-after",
        metavar="SECONDS",
        type=_seconds,
        default=STUCK_AFTER_US / 1e6,
        help=f"how long a service must write on before what it left open counts as stuck (default {STUCK_AFTER_US // 1_000_000})",
    )
    parser.add_argument(
        "--workers", metavar="N", type=_workers, default=None, help="how many processes read large logs (default: the cores; the answer does not depend on it)"
    )
    parser.add_argument(
        "--dask", metavar="ADDRESS", help="read on a Dask cluster: the address of its scheduler, or 'local' for one on this machine (docs/cluster.md)"
    )


def _year(text: str) -> int:
    if not text.isdigit() or not 1970 <= int(text) <= 9998:
        raise argparse.ArgumentTypeError(f"'{text}' is no year; give four digits such as 2026")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds; give one such as 600")
    return value


def _workers(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of processes; give 1 or more")
    return int(text)


def read(args: argparse.Namespace, paths: list[str] | None = None, keep_lines: bool = False) -> tuple[Reading, dict[str, Verdict]]:
    """Read the logs that ``args`` name and judge every request; only the create requests for which ``--where`` holds are kept.

    Raises VoltraceError (bad option, no such path, nothing that is a log).
    """
    from ..check.judge import judge_all
    from ..parse.engine import read as read_logs

    holds = _where(args.where)
    options = replace(_options(args, keep_lines), others=getattr(args, "all", False))
    with _Progress() as progress:
        reading = read_logs(paths if paths is not None else args.paths, options, progress, _crew(args))
        verdicts = judge_all(reading, int(args.stuck_after * 1e6))
    if holds is not None:
        from ..encode import encode_timeline

        reading.timelines = [t for t in reading.timelines if holds(encode_timeline(t, verdicts[t.request_id]))]
    _tell(reading.diagnostics, len(reading.timelines), " for which --where holds" if holds else "")
    return reading, verdicts


def read_verdicts(args: argparse.Namespace) -> tuple[Reading, list[Verdict]]:
    """Read the logs that ``args`` name; the verdicts on the create requests for which ``--where`` holds, by start. Raises VoltraceError."""
    from ..check.judge import judge_together
    from ..parse.engine import read_together

    if args.where is not None:
        reading, by_id = read(args)
        return reading, [by_id[t.request_id] for t in reading.timelines]
    with _Progress() as progress:
        reading = read_together(args.paths, _options(args), progress, _crew(args))
        verdicts = judge_together(reading, int(args.stuck_after * 1e6))
    _tell(reading.diagnostics, len(verdicts))
    return reading, verdicts


def read_durations(args: argparse.Namespace) -> Mapping[Key, Sequence[int] | numpy.ndarray]:
    """The known durations of the create requests that ``args`` name (µs), by kind, service and name. Raises VoltraceError."""
    from ..measure import group
    from ..parse.engine import read_durations as read_logs

    if args.where is not None:
        return group(read(args)[0].timelines)
    options = _options(args)
    with _Progress() as progress:
        durations, creates, bad = read_logs(args.paths, options, progress, _crew(args))
    _tell(bad, creates)
    return durations


def _options(args: argparse.Namespace, keep_lines: bool = False) -> ReadOptions:
    from ..parse.clock import read_zone
    from ..parse.pieces import ReadOptions

    return ReadOptions(args.year, read_zone(args.tz), keep_lines)


def _crew(args: argparse.Namespace) -> Crew | None:
    """Who else reads: nobody, worker processes, or a Dask cluster."""
    count = args.workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else args.workers or os.cpu_count() or 1
    if args.dask:
        from ..parse.cluster import Cluster

        return Cluster(args.dask, count)
    if count < 2:
        return None
    from ..parse.crew import Processes

    return Processes(count)


def _tell(diagnostics: Iterable[Diagnostic], creates: int, which: str = "") -> None:
    """Say on stderr which sources could not be read, and that there is no create request."""
    for diagnostic in diagnostics:
        if diagnostic.slug == "unreadable-source":
            print(f"voltrace: {diagnostic.message}", file=sys.stderr)
    if not creates:
        print(f"voltrace: no create request in these logs{which}", file=sys.stderr)


def _where(text: str | None) -> Callable[[dict], bool] | None:
    if text is None:
        return None
    from ..query import compile_where

    return compile_where(text)


def is_utf8(stream) -> bool:
    """Whether this output takes any character; where it says nothing, it does."""
    return (stream.encoding or "utf-8").lower().replace("-", "") == "utf8"


def fetch_lines(reading: Reading, limit: int | None = None) -> Callable[[Timeline], list[tuple[Location, str]]]:
    """A function that fetches the log lines of a request of this reading (which must have been read with ``keep_lines``)."""
    from ..parse.engine import fetch_lines as fetch

    return lambda timeline: fetch(timeline, reading.sources, limit)


class _Progress:
    """How much has been read, on stderr, if that is a terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._bytes = 0
        self._printed = False

    def __enter__(self) -> Callable[[str, int], None] | None:
        return self._advance if self._shown else None

    def _advance(self, name: str, count: int) -> None:
        self._bytes += count
        if self._bytes > 8 << 20:
            self._printed = True
            print(f"\r\x1b[Kreading {name[-50:]}  {self._bytes / 1e6:,.0f} MB", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_) -> None:
        if self._printed:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
