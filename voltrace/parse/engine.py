"""Where the reading runs: sources in, a `Reading` out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from itertools import chain, islice

import numpy as np

from ..errors import SourceError
from ..measure import Key
from ..trace import Diagnostic, Location, Reading, Timeline
from .alike import read_alike
from .assemble import Assembler, assemble
from .bare import BareScanner
from .clock import StampReader, assumed_year, year_evidence
from .framing import Framing, detect
from .observe import DECIDING, measure
from .packed import UNPACKERS, EntryScanner, read_entry
from .scan import SourceScanner, clean
from .sources import READ_ERRORS, Block, Source, blocks, find_sources, read_tail
from .tables import Scan

_BLOCKS_TO_DETECT = 4


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read: the year of year-less stamps (None: find out), the zone of zone-less ones, and whether to keep where lines lie."""

    year: int | None = None
    zone: tzinfo = UTC
    keep_lines: bool = False


Progress = Callable[[str, int], None]


def read(paths: list[str], options: ReadOptions = ReadOptions(), progress: Progress | None = None) -> Reading:
    """Read all logs under these paths. ``progress`` is called with a source's name and the bytes read of it.

    Raises UsageError if no path is there, SourceError if no source could be read as a log. A path that is not there, or a
    source that cannot be read, among others that can is a diagnostic.
    """
    assembler, bad = scan_sources(paths, options, progress)
    reading = assemble(assembler)
    reading.diagnostics[:0] = bad
    return reading


def read_together(paths: list[str], options: ReadOptions = ReadOptions(), progress: Progress | None = None) -> Reading:
    """The same with the create requests in ``alike``, those that went the same way together. Raises as `read` does."""
    assembler, bad = scan_sources(paths, options, progress)
    reading = read_alike(assembler)
    reading.diagnostics[:0] = bad
    return reading


def read_durations(
    paths: list[str], options: ReadOptions = ReadOptions(), progress: Progress | None = None
) -> tuple[dict[Key, np.ndarray], int, list[Diagnostic]]:
    """The known durations of all create requests (µs) by kind, service and name, how many requests these are, and what could not be read.

    Raises as `read` does.
    """
    assembler, bad = scan_sources(paths, options, progress, DECIDING)
    return *measure(assembler), bad


def scan_sources(paths: list[str], options: ReadOptions, progress: Progress | None, facts: frozenset[str] | None = None) -> tuple[Assembler, list[Diagnostic]]:
    """All logs under these paths, scanned, and what could not be read. ``facts`` are the only ones that are wanted."""
    scan = Scan(options.keep_lines, facts)
    layouts: list[str] = []
    sources, nowhere = find_sources(paths)
    bad = [Diagnostic("unreadable-source", str(error), Location(path, 1)) for path, error in nowhere]
    for source in sources:
        problem = _read_source(scan, layouts, source, options, progress)
        if problem:
            bad.append(Diagnostic("unreadable-source", f"{source.name}: {problem}", Location(source.name, 1)))
    if not scan.sources:
        raise SourceError("; ".join(d.message for d in bad[:3]) or "no source could be read as a log")
    return Assembler(scan, layouts), bad


def _read_source(scan: Scan, layouts: list[str], source: Source, options: ReadOptions, progress) -> str | None:
    """Read one source into the scan; a sentence if it could not be read, or not to its end."""
    scanner: SourceScanner | EntryScanner | None = None
    try:
        with source.open() as stream:
            pending = blocks(stream)
            framing, head = None, []
            for block in islice(pending, _BLOCKS_TO_DETECT):
                head.append(block)
                framing = detect(block.data)
                if framing is not None:
                    break
            if not head:
                return "is empty" if source.named else None
            if framing is None:
                return "is no log: none of its first lines has the shape of journalctl's formats or of oslo.log" if source.named else None
            scanner = scanner_of(scan, source.name, framing, _stamps(scan, source, framing, head[-1], options))
            layouts.append(framing.format.layout)
            for block in chain(head, pending):
                scanner.feed(block)
                if progress:
                    progress(source.name, len(block.data))
    except READ_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"could not be read{' to its end' if scanner else ''}: {reason[:1].lower() + reason[1:] if reason else type(error).__name__}"
    finally:
        if scanner is not None:
            scanner.finish()
    return None


def scanner_of(scan: Scan, name: str, framing: Framing, stamps: StampReader) -> SourceScanner | EntryScanner:
    """What reads a source of this framing into the scan."""
    if framing.packing is None:
        return SourceScanner(scan, name, framing, stamps)
    unpacker = UNPACKERS.get(framing.packing.name)
    if unpacker is None:
        return BareScanner(scan, name, framing, stamps)
    return EntryScanner(scan, name, framing.format.layout, framing.format.resolution_us, unpacker())


def _stamps(scan: Scan, source: Source, framing: Framing, first: Block, options: ReadOptions) -> StampReader:
    year = options.year
    if year is None and not framing.format.has_year:
        found = ((line, framing.format.pattern.search(line)) for line in map(clean, first.data.split(b"\n")[:5000]))
        lines = [line[match.start("stamp") :] for line, match in found if match]
        year = year_evidence(lines)
        if year is None:
            tail = [line for line in map(clean, read_tail(source).split(b"\n")) if framing.format.pattern.match(line)]
            leap = any(line.startswith(b"Feb 29") for line in chain(lines, tail))
            year = assumed_year((lines or [b""])[0], (tail or lines or [b""])[-1], source.modified(), leap)
            scan.note(
                "year-assumed", f"the stamps carry no year, and no line tells it: {year} was taken from the file's modification time", Location(source.name, 1)
            )
    return StampReader(framing.format, year, options.zone)


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
