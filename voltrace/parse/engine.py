"""Where the reading runs: sources in, a `Reading` out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from ..errors import SourceError
from ..measure import Key
from ..trace import Diagnostic, Location, Reading, Timeline
from .alike import read_alike
from .assemble import Assembler, assemble
from .crew import Crew
from .joining import Joiner
from .observe import DECIDING, measure
from .packed import read_entry
from .pieces import Progress, ReadOptions, Task, plan_source, read_source
from .shelf import Shelf
from .sources import READ_ERRORS, Source, find_sources
from .tables import Scan


def read(paths: list[str], options: ReadOptions = ReadOptions(), progress: Progress | None = None, crew: Crew | None = None) -> Reading:
    """Read all logs under these paths. ``progress`` is called with a source's name and the bytes read of it; ``crew`` reads in pieces, if there is one.

    Raises UsageError if no path is there, SourceError if no source could be read as a log. A path that is not there, or a
    source that cannot be read, among others that can is a diagnostic.
    """
    assembler, bad = scan_sources(paths, options, progress, crew)
    reading = assemble(assembler)
    reading.diagnostics[:0] = bad
    return reading


def read_together(paths: list[str], options: ReadOptions = ReadOptions(), progress: Progress | None = None, crew: Crew | None = None) -> Reading:
    """The same with the create requests in ``alike``, those that went the same way together. Raises as `read` does."""
    assembler, bad = scan_sources(paths, options, progress, crew)
    reading = read_alike(assembler)
    reading.diagnostics[:0] = bad
    return reading


def read_durations(
    paths: list[str], options: ReadOptions = ReadOptions(), progress: Progress | None = None, crew: Crew | None = None
) -> tuple[dict[Key, np.ndarray], int, list[Diagnostic]]:
    """The known durations of all create requests (µs) by kind, service and name, how many requests these are, and what could not be read.

    Raises as `read` does.
    """
    with Shelf() as shelf:
        assembler, bad = scan_sources(paths, replace(options, facts=DECIDING), progress, crew, shelf)
        return *measure(assembler), bad


def scan_sources(
    paths: list[str], options: ReadOptions, progress: Progress | None = None, crew: Crew | None = None, shelf: Shelf | None = None
) -> tuple[Assembler, list[Diagnostic]]:
    """All logs under these paths, scanned, and what could not be read. ``shelf`` takes events that are not needed before all is read."""
    scan = Scan(options.keep_lines, options.facts)
    sources, nowhere = find_sources(paths)
    bad = [Diagnostic("unreadable-source", str(error), Location(path, 1)) for path, error in nowhere]
    tasks = [task for source in sources for task in plan_source(source, options, crew.piece_bytes)] if crew else []
    layouts, problems = _read_in_pieces(scan, tasks, crew, progress, shelf) if crew and len(tasks) > 1 else _read_here(scan, sources, options, progress, shelf)
    bad += [Diagnostic("unreadable-source", f"{name}: {problem}", Location(name, 1)) for name, problem in problems.items()]
    if not scan.sources:
        raise SourceError("; ".join(d.message for d in bad[:3]) or "no source could be read as a log")
    return Assembler(scan, layouts, shelf), bad


def _read_here(scan: Scan, sources: list[Source], options: ReadOptions, progress: Progress | None, shelf: Shelf | None) -> tuple[list[str], dict[str, str]]:
    layouts: list[str] = []
    problems: dict[str, str] = {}
    for source in sources:
        layout, problem = read_source(scan, source, options, progress, shelf)
        if layout is not None:
            layouts.append(layout.framing.format.layout)
        if problem:
            problems[source.name] = problem
    return layouts, problems


def _read_in_pieces(scan: Scan, tasks: list[Task], crew: Crew, progress: Progress | None, shelf: Shelf | None) -> tuple[list[str], dict[str, str]]:
    joiner = Joiner(scan, shelf)
    problems: dict[str, str] = {}
    for task, piece in crew.run(tasks):
        joiner.add(task, piece)
        if piece.problem:
            problems.setdefault(task.source.name, piece.problem)
        if progress:
            progress(task.source.name, piece.size)
    joiner.finish()
    return joiner.layouts, problems


def fetch_lines(timeline: Timeline, sources: list[str], limit: int | None = None) -> list[tuple[Location, str]]:
    """The log lines of a request, as text, from the sources they lie in. Lines that can no longer be read are left out."""
    lines = timeline.lines
    if lines is None:
        return []
    by_source: dict[int, list[int]] = defaultdict(list)
    for i, source in enumerate(lines.source):
        by_source[source].append(i)
    found: dict[int, tuple[Location, str]] = {}
    for source, rows in by_source.items():
        name = sources[source]
        try:
            with Source(name, name).open() as stream:
                for i in rows[:limit]:
                    stream.seek(lines.offset[i])
                    data = stream.read(lines.length[i])
                    text = read_entry(data) if data.startswith((b"{", b"_")) else None
                    found[i] = (Location(name, lines.line[i]), text if text is not None else data.decode("utf-8", "replace"))
        except READ_ERRORS:
            continue
    return [found[i] for i in sorted(found)]
