"""Sources in pieces: what one worker reads, here, in another process or on another machine, and what it brings back.

A piece is a whole source, or a range of the bytes of a plain file. A range in the middle is read without knowing what stands before it; what that
could change is kept aside, and `joining` settles it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import partial
from io import BufferedIOBase
from itertools import chain, islice, tee
from typing import TYPE_CHECKING, BinaryIO

from ..formats import FORMATS, HEAD, PACKINGS
from ..trace import Diagnostic, Location, LogSet
from .clean import clean
from .clock import StampReader, assumed_year, year_evidence
from .framing import Framing, detect
from .mended import Broken
from .scan import SourceScanner
from .sources import READ_ERRORS, Block, Source, blocks, read_tail
from .tables import Header, Interrupted, Open, Scan

if TYPE_CHECKING:
    from .bundles import Bundle
    from .limits import Relief
    from .packed import EntryScanner

Progress = Callable[[str, int], None]
Clock = tuple[int, int, bool]
_BLOCKS_TO_DETECT = 4


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read: the year of year-less stamps (None: find out), the zone of zone-less ones, and whether to keep where lines lie.

    ``facts`` are the only ones that are wanted (None: all). ``others``: whether timelines of requests that create no volume are wanted.
    """

    year: int | None = None
    zone: tzinfo = UTC
    keep_lines: bool = False
    facts: frozenset[str] | None = None
    others: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """What the beginning of a source tells of all of it: its format, the year its clock begins with, and the width of its stamps."""

    format: str
    packing: str | None
    page: bool
    year: int | None
    width: int
    notes: tuple[Diagnostic, ...] = ()

    @property
    def framing(self) -> Framing:
        packing = PACKINGS[self.packing] if self.packing else None
        return Framing(packing.entries if packing else FORMATS[self.format], self.page, packing)

    @property
    def can_be_split(self) -> bool:
        """Whether a worker may begin in the middle of such a source."""
        return self.packing is None and not self.page and self.width > 0


@dataclass(frozen=True, slots=True)
class Task:
    """A piece to be read: a source, or with ``layout`` a range of its bytes, with its first stamp and where the clock is thought to stand there.

    ``files`` are the numbers of those of the source's files that begin with the range. ``folder`` is where events may be put away, for workers that see it.
    """

    source: Source
    options: ReadOptions
    layout: Layout | None = None
    start: int = 0
    end: int | None = None
    clock: Clock | None = None
    first_stamp: bytes | None = None
    files: tuple[int, ...] = ()
    folder: str | None = None


@dataclass(slots=True)
class Piece:
    """What a worker found: the scan, the ``bundle`` that it put away and the ``parts`` of its requests, and of a range what `joining` must know about its two ends.

    ``problem`` says why it was not read to its end.
    """

    scan: Scan
    bundle: Bundle | None = None
    parts: array = field(default_factory=partial(array, "H"))
    layout: Layout | None = None
    problem: str | None = None
    size: int = 0
    lines: int = 0
    joins: bool = True
    orphans: list[tuple[int | None, bytes, int]] = field(default_factory=list)
    firsts: dict[int, tuple[int, int]] = field(default_factory=dict)
    latest: dict[int, int] = field(default_factory=dict)
    open: dict[int, Open] = field(default_factory=dict)
    interrupted: dict[int, Interrupted] = field(default_factory=dict)
    last: Header | None = None
    unfinished: bool = False
    pending: dict[int, tuple[int, ...]] = field(default_factory=dict)
    clock: Clock | None = None
    invalid: bool = False
    broken: Broken | None = None


def read_piece(task: Task) -> Piece:
    """Read a piece. What cannot be read is told in the piece, not raised."""
    scan = Scan(task.options.keep_lines, task.options.facts)
    if task.layout is not None:
        return _read_range(scan, task, task.layout)
    piece = Piece(scan)
    piece.layout, piece.problem = read_source(scan, task.source, task.options)
    if task.folder is not None:
        _put_away(piece, task.folder, [])
    return piece


def _put_away(piece: Piece, folder: str, keep: list[int]) -> list[int]:
    """Put away what a piece has found, but for some events; where these stand then."""
    from .bundles import PARTS, put_away

    parts = piece.scan.requests.parts(0, PARTS)
    parts.append(0)
    piece.parts = parts
    piece.bundle, places = put_away(piece.scan, keep, folder, parts, keep_unknown=True)
    return places


def prepare(task: Task) -> None:
    """Load what every reading stands on, for processes that are forked from this one."""
    if task.layout is not None:
        open_scanner(Scan(), task.source.name, task.layout)


def read_source(
    scan: Scan, source: Source, options: ReadOptions, progress: Progress | None = None, relief: Relief | None = None
) -> tuple[Layout | None, str | None]:
    """Read a whole source into the scan; what it is (None: no log), and a sentence if it could not be read, or not to its end."""
    scanner: SourceScanner | EntryScanner | None = None
    layout: Layout | None = None
    try:
        with source.open() as stream:
            found, layout, problem = look_at(source, blocks(stream), options)
            if layout is None:
                return None, problem
            scan.diagnostics += layout.notes
            scanner = open_scanner(scan, source.name, layout, options.zone)
            for block in found:
                scanner.feed(block)
                if relief is not None:
                    scanner.relieve(relief)
                if progress:
                    progress(source.name, len(block.data))
    except READ_ERRORS as error:
        return layout, describe(error, scanner is not None)
    finally:
        if scanner is not None:
            scanner.finish()
    return layout, None


def look_at(source: Source, pending: Iterator[Block], options: ReadOptions) -> tuple[Iterator[Block], Layout | None, str | None]:
    """The blocks of a source, and what the first of them tell of it; if that is no log, None and a sentence (none for files that nobody named)."""
    head: list[Block] = []
    try:
        for block in islice(pending, _BLOCKS_TO_DETECT):
            head.append(block)
    except READ_ERRORS as error:  # to be raised behind what came before it
        if not head:
            raise
        pending = _raise(error)
    found = chain(head, pending)
    if not head:
        return found, None, "is empty" if source.named else None
    for n, block in enumerate(head):
        framing = detect(block.data)
        if framing is not None:
            return found, _lay_out(source, framing, head[n:], options), None
    return found, None, "is no log: none of its first lines has the shape of journalctl's formats or of oslo.log" if source.named else None


def _raise(error: Exception) -> Iterator[Block]:
    raise error
    yield


def _lay_out(source: Source, framing: Framing, head: list[Block], options: ReadOptions) -> Layout:
    year = options.year
    notes: tuple[Diagnostic, ...] = ()
    fmt = framing.format
    if year is None and not fmt.has_year:
        begun = b"\n".join(block.data for block in head).split(b"\n", 5000)[:5000]
        found = ((line, fmt.pattern.search(line)) for line in map(clean, begun))
        telling, again = tee(line[match.start("stamp") :] for line, match in found if match)
        year = year_evidence(telling)
        if year is None:
            lines = list(again)
            tail = [line for line in map(clean, read_tail(source).split(b"\n")) if fmt.pattern.match(line)]
            leap = any(line.startswith(b"Feb 29") for line in chain(lines, tail))
            year = assumed_year((lines or [b""])[0], (tail or lines or [b""])[-1], source.modified(), leap)
            message = f"the stamps carry no year, and no line tells it: {year} was taken from the file's modification time"
            notes = (Diagnostic("year-assumed", message, Location(source.name, 1)),)
    packing = framing.packing.name if framing.packing else None
    return Layout(fmt.name, packing, framing.page, year, 0 if packing or framing.page else _width(framing, head), notes)


def _width(framing: Framing, head: list[Block]) -> int:
    """The width of the first record's stamp: `SourceScanner` holds all others to it. 0 if there is no record."""
    reader = StampReader(framing.format, 2000)
    for block in head:
        for line in map(clean, block.data.split(b"\n")):
            prefix = framing.format.pattern.match(line)
            if prefix and HEAD.match(line, prefix.end()) and reader.read(prefix["stamp"]) is not None:
                return prefix.end("stamp")
    return 0


def open_scanner(scan: Scan, name: str, layout: Layout, zone: tzinfo = UTC) -> SourceScanner | EntryScanner:
    """What reads a source of this layout into the scan."""
    return scanner_of(scan, name, layout.framing, StampReader(layout.framing.format, layout.year, zone))


def scanner_of(scan: Scan, name: str, framing: Framing, stamps: StampReader) -> SourceScanner | EntryScanner:
    """What reads a source of this framing into the scan."""
    if framing.packing is None:
        return SourceScanner(scan, name, framing, stamps)
    from .bare import BareScanner
    from .packed import UNPACKERS, EntryScanner

    unpacker = UNPACKERS.get(framing.packing.name)
    if unpacker is None:
        return BareScanner(scan, name, framing, stamps)
    return EntryScanner(scan, name, framing.format.layout, framing.format.resolution_us, unpacker())


def describe(error: Exception, begun: bool) -> str:
    """Why a source could not be read, as a sentence without its name."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"could not be read{' to its end' if begun else ''}: {reason[:1].lower() + reason[1:] if reason else type(error).__name__}"


# -- ranges ----------------------------------------------------------------------------------------------------------------


def _read_range(scan: Scan, task: Task, layout: Layout) -> Piece:
    piece = Piece(scan, layout=layout)
    scanner = open_scanner(scan, task.source.name, layout, task.options.zone)
    assert isinstance(scanner, SourceScanner)
    if task.start:
        assert task.clock is not None
        scanner.begin_inside(layout.width, task.clock)
    try:
        for block in range_blocks(task):
            scanner.feed(block)
            piece.size += len(block.data) + 1
    except READ_ERRORS as error:
        piece.problem = describe(error, True)
    scanner.settle()
    if task.folder is not None:
        scanner.let_go(partial(_put_away, piece, task.folder))
    scanner.report(piece)
    return piece


def range_blocks(task: Task) -> Iterator[Block]:
    """The blocks of a range, with offsets in the file."""
    with task.source.open() as stream:
        stream.seek(task.start)
        limited = stream if task.end is None else _Limited(stream, task.end - task.start)
        for block in blocks(limited):  # type: ignore[arg-type]
            block.offset += task.start
            yield block


class _Limited(BufferedIOBase):
    """The next so many bytes of a stream."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._left = stream, size
        self._read = getattr(stream, "read1", stream.read)

    def read1(self, size: int = -1) -> bytes:
        part = self._read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(part)
        return part

    def read(self, size: int | None = -1) -> bytes:
        return self.read1(-1 if size is None else size)


def plan_source(source: Source, options: ReadOptions, size: int) -> list[Task]:
    """The pieces in which a source is read, of about ``size`` bytes each, or of a large one up to four times as many: one alone, if it cannot be read from the middle, or not at all."""
    try:
        ranges = [] if source.is_stream or source.is_packed() else _plan_ranges(source, options, size)
    except READ_ERRORS:
        ranges = []  # let the reading say why
    return ranges or [Task(source, options)]


def _plan_ranges(source: Source, options: ReadOptions, size: int) -> list[Task]:
    with source.open() as stream:
        length = stream.seek(0, 2)
        if length < 2 * size:
            return []
        stream.seek(0)
        _, layout, _ = look_at(source, blocks(stream), options)
        if layout is None or not layout.can_be_split:
            return []
        size = max(size, min(4 * size, length // 8))  # each piece has a price: of large logs they are larger
        count = 2 * -(-length // (2 * size))  # all of one size, and an even number: two workers end together
        cuts = [_next_line(stream, length * number // count) for number in range(1, count)]
        files = (source.begins() or []) if isinstance(source.name, LogSet) else []
        marks = sorted({0, *(cut for cut in (*cuts, *files) if cut is not None and 0 < cut < length)})
        reader = StampReader(layout.framing.format, layout.year, options.zone)
        tasks = []
        for start, end in zip(marks, [*marks[1:], None]):
            first = _first_stamp(stream, start, layout)
            if first is not None:
                reader.read(first)
            begun = tuple(number for number, place in enumerate(files[:-1]) if place == start)
            tasks.append(Task(source, options, layout, start, end, reader.state, first, begun))
        return tasks


_SEARCHED = 1 << 16


def _next_line(stream: BinaryIO, at: int) -> int | None:
    """Where the first line behind this place begins; None if none does soon."""
    stream.seek(at)
    found = stream.read(_SEARCHED).find(b"\n")
    return at + found + 1 if found >= 0 else None


def _first_stamp(stream: BinaryIO, start: int, layout: Layout) -> bytes | None:
    """The first stamp behind this place that is one."""
    stream.seek(start)
    fmt = layout.framing.format
    reader = StampReader(fmt, 2000)
    for line in map(clean, stream.read(_SEARCHED).split(b"\n")):
        prefix = fmt.pattern.match(line)
        if prefix and reader.read(prefix["stamp"]) is not None:
            return prefix["stamp"]
    return None
