"""Where the reading runs: sources in, a `Reading` out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import SourceError
from ..trace import Diagnostic, Location, Reading, Timeline, place
from .folder import Folder
from .pieces import Piece, Progress, ReadOptions, Task, plan_source, read_source
from .sources import READ_ERRORS, Source, find_sources
from .tables import DECIDING, Scan

if TYPE_CHECKING:
    from .assemble import Assembler
    from .crew import Crew
    from .durations import Durations
    from .limits import Relief
    from .shelf import Shelf

# What stands on numpy is imported when the workers are at work: its start costs as much as that of all else.


def read(paths: list[str], options: ReadOptions = ReadOptions(), progress: Progress | None = None, crew: Crew | None = None) -> Reading:
    """Read all logs under these paths. ``progress`` is called with a source's name and the bytes read of it; ``crew`` reads in pieces, if there is one.

    Raises UsageError if no path is there, SourceError if no source could be read as a log. A path that is not there, or a
    source that cannot be read, among others that can is a diagnostic.
    """
    begun = _begin(paths, options, crew)
    from .reading import assemble

    assembler, bad = _finish(begun, options, progress)
    reading = assemble(assembler, options.others)
    reading.diagnostics[:0] = bad
    return reading


def read_together(paths: list[str], options: ReadOptions = ReadOptions(), progress: Progress | None = None, crew: Crew | None = None) -> Reading:
    """The same with the create requests in ``alike``, those that went the same way together. Raises as `read` does."""
    options = replace(options, others=False)
    begun = _begin(paths, options, crew)
    from .alike import read_alike

    assembler, bad = _finish(begun, options, progress)
    reading = read_alike(assembler)
    reading.diagnostics[:0] = bad
    return reading


def read_durations(
    paths: list[str], options: ReadOptions = ReadOptions(), progress: Progress | None = None, crew: Crew | None = None
) -> tuple[Durations, int, list[Diagnostic]]:
    """The known durations of all create requests (µs) by kind, service and name, how many requests these are, and what could not be read.

    Raises as `read` does.
    """
    options = replace(options, facts=DECIDING)
    with ExitStack() as stack:
        folder = stack.enter_context(Folder())
        begun = _begin(paths, options, crew, folder)
        from .observe import measure
        from .shelf import Shelf

        assembler, bad = _finish(begun, options, progress, Shelf(folder))
        durations, creates = measure(assembler, folder, crew.spread if crew else None)
        durations.at_end(stack.pop_all().close)
        return durations, creates, bad


@dataclass(slots=True)
class _Begun:
    """A reading that has begun: the sources, the pieces that others read of them (None: they are read here), and what could not be read."""

    sources: list[Source]
    pieces: Iterator[tuple[Task, Piece]] | None
    bad: list[Diagnostic]


def _begin(paths: list[str], options: ReadOptions, crew: Crew | None, folder: Folder | None = None) -> _Begun:
    """Find the sources, and let the crew begin if there is enough to read. ``folder`` is where events may be put away."""
    sources, nowhere = find_sources(paths)
    bad = [Diagnostic("unreadable-source", str(error), Location(path, 1)) for path, error in nowhere]
    tasks = [task for source in sources for task in plan_source(source, options, crew.piece_bytes)] if crew else []
    return _Begun(sources, crew.run(tasks, folder) if crew and len(tasks) > 1 else None, bad)


def _finish(begun: _Begun, options: ReadOptions, progress: Progress | None, shelf: Shelf | None = None) -> tuple[Assembler, list[Diagnostic]]:
    """All that was begun, scanned, and what could not be read. ``shelf`` takes events that are not needed before all is read."""
    from .assemble import Assembler
    from .letting_go import LettingGo
    from .limits import Excess

    scan, bad = Scan(options.keep_lines, options.facts), begun.bad
    relief = shelf if shelf is not None else Excess() if options.others else LettingGo(Excess())
    if begun.pieces is not None:
        layouts, problems = _read_in_pieces(scan, begun.pieces, progress, relief, shelf)
    else:
        layouts, problems = _read_here(scan, begun.sources, options, progress, relief)
    bad += [Diagnostic("unreadable-source", f"{name}: {problem}", place(name, 1)) for name, problem in problems.items()]
    if not scan.sources:
        raise SourceError("; ".join(d.message for d in bad[:3]) or "no source could be read as a log")
    return Assembler(scan, layouts, shelf), bad


def _read_here(scan: Scan, sources: list[Source], options: ReadOptions, progress: Progress | None, relief: Relief) -> tuple[list[str], dict[str, str]]:
    layouts: list[str] = []
    problems: dict[str, str] = {}
    for source in sources:
        layout, problem = read_source(scan, source, options, progress, relief)
        if layout is not None:
            layouts.append(layout.framing.format.layout)
        if problem:
            problems[source.name] = problem
    return layouts, problems


def _read_in_pieces(
    scan: Scan, pieces: Iterator[tuple[Task, Piece]], progress: Progress | None, relief: Relief, shelf: Shelf | None
) -> tuple[list[str], dict[str, str]]:
    from .joining import Joiner

    joiner = Joiner(scan, relief, shelf)
    problems: dict[str, str] = {}
    for task, piece in pieces:
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
    from .packed import read_entry

    found: dict[int, tuple[Location, str]] = {}
    for source, rows in by_source.items():
        name = sources[source]
        try:
            with Source(str(name), name).open() as stream:
                for i in rows[:limit]:
                    stream.seek(lines.offset[i])
                    data = stream.read(lines.length[i])
                    text = read_entry(data) if data.startswith((b"{", b"_")) else None
                    found[i] = (place(name, lines.line[i]), text if text is not None else data.decode("utf-8", "replace"))
        except READ_ERRORS:
            continue
    return [found[i] for i in sorted(found)]
