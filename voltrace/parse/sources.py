"""Paths, URLs, folders, globs, standard input and compressed files -> blocks of bytes that end at a line's end."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from .. import kernel
from ..errors import SourceError, UsageError, VoltraceError
from ..trace import LogSet
from . import remote
from .compressed import is_compressed, open_compressed
from .unwrapped import unwrap
from .wrappings import find_wrappings

if TYPE_CHECKING:
    from .clock import StampReader

BLOCK = 1 << 18
# Without the kernel, lines are looked at together: the more, the better. What a source is is told by the first bytes in either case.
_LARGE_BLOCK, _BEGINNING = 1 << 21, 1 << 20
LONGEST_LINE = 1 << 23
_JOURNAL = b"LPKSHHRH"  # how files of systemd's journal begin
_LOOKED_AT = 1 << 16  # bytes of a source by which it is opened
# What voltrace and others write beside logs: never a log, whatever is in it.
_NEVER_LOGS = (
    "truth.jsonl",
    ".toml",
    ".html",
    ".md",
    ".csv",
    ".parquet",
    ".py",
    ".pyc",
    ".svg",
    ".png",
    ".pdf",
    ".tsv",
    ".db",
    ".sqlite",
)
_UNSORTED_US = 100_000  # lines of several processes may stand so far from their order
# Names of the journal's packed formats, and of much else that may quote a log.
_PACKED = (".json", ".jsonl", ".export")
_SAMPLE = 1 << 16


@dataclass(slots=True)
class Source:
    """One log to read. ``name`` is what places in it are called by; ``named`` is True if the user named it (not found in a folder).

    A log that lies in several files has a `LogSet` for its name, and the last file's path.
    """

    path: str
    name: str
    named: bool = True

    @property
    def is_stdin(self) -> bool:
        return self.path == "-"

    @property
    def is_remote(self) -> bool:
        return remote.is_url(self.path)

    @property
    def is_stream(self) -> bool:
        """Whether the bytes come but once, or not from where one likes: standard input, a pipe, a server that sends no ranges."""
        return not remote.has_ranges(self.path) if self.is_remote else self.is_stdin or not os.path.isfile(self.path)

    def modified(self) -> float | None:
        """Modification time in seconds since the epoch; None for what is no file, or where nobody says."""
        if self.is_stream:
            return None
        return remote.modified(self.path) if self.is_remote else os.stat(self.path).st_mtime

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the log lies in."""
        return self.name.files if isinstance(self.name, LogSet) else (self.path,)

    def begins(self) -> list[int] | None:
        """Where each of its files begins, in bytes, and the end of all; None if they cannot be read from any place as if they were one."""
        places = [0]
        for number, path in enumerate(self.files):
            with open(path, "rb") as file:
                if _is_packed(_peek(file)):
                    return None
                size = file.seek(0, io.SEEK_END)
                if number + 1 < len(self.files) and size:
                    file.seek(size - 1)
                    if file.read(1) != b"\n":
                        return None
            places.append(places[-1] + size)
        return places

    def _chain(self) -> BinaryIO:
        from .rotated import Chain

        assert isinstance(self.name, LogSet)
        places = self.begins()
        sizes = None if places is None else [end - start for start, end in zip(places, places[1:])]
        return io.BufferedReader(Chain(self.name, lambda path: Source(path, path).open(), sizes), BLOCK)

    def open_raw(self) -> BinaryIO:
        """The source's bytes as they lie there. Raises OSError where it cannot be read."""
        if isinstance(self.name, LogSet):
            return self._chain()
        if self.is_remote:
            return remote.open_url(self.path)
        return sys.stdin.buffer if self.is_stdin else open(self.path, "rb", _LOOKED_AT)

    def open(self) -> BinaryIO:
        """The source's bytes, unpacked. Raises OSError where it cannot be read."""
        if isinstance(self.name, LogSet):
            return self._chain()
        # Opened once: what is read of a pipe is gone.
        stream = raw = self.open_raw()
        magic = _peek(stream)
        if is_compressed(magic):
            stream = open_compressed(magic, stream)
            magic = _peek(stream)
        if magic.startswith(_JOURNAL):
            from .journal_file import open_journal

            if stream is not raw or self.is_stream or self.is_remote:
                return open_journal(stream)
            raw.close()
            return open_journal(self.path)
        for wrapping in find_wrappings(_peek(stream)):
            stream = unwrap(stream, wrapping)
        return stream

    def is_packed(self) -> bool:
        """Whether the file is compressed, or wrapped, so that offsets into it mean nothing."""
        if self.is_stream:
            return False
        if isinstance(self.name, LogSet):
            return self.begins() is None
        with self.open_raw() as raw:
            return _is_packed(_peek(raw))


def _is_packed(magic: bytes) -> bool:
    return is_compressed(magic) or magic.startswith(_JOURNAL) or bool(find_wrappings(magic))


def _peek(stream: BinaryIO) -> bytes:
    """The first bytes of a stream that are at hand, which stay in it."""
    return stream.peek(_LOOKED_AT) if isinstance(stream, io.BufferedReader) else b""


@dataclass(slots=True)
class Block:
    """Whole lines (but for a line cut at `LONGEST_LINE`, or the last one of a file), without the newline of the last."""

    data: bytes
    offset: int
    overlong: bool = False
    ended: bool = True


# Errors that a stream raises when its bytes are broken.
READ_ERRORS = (OSError, EOFError)


def blocks(stream: BinaryIO, size: int | None = None) -> Iterator[Block]:
    """The stream in blocks of about ``size`` bytes (None: what is best), cut at line ends. Memory stays below `LONGEST_LINE` plus a block.

    Raises one of `READ_ERRORS` where the stream breaks off, after the blocks before the break.
    """
    rest, offset = b"", 0
    broken: Exception | None = None
    later = size or (BLOCK if kernel.load("parse._scan") else _LARGE_BLOCK)
    while True:
        size = later if offset >= _BEGINNING else size or BLOCK
        chunk, broken = (b"", broken) if broken else _read(stream, size)
        cut = chunk.rfind(b"\n")
        if cut >= 0 and len(rest) + len(chunk) <= LONGEST_LINE:
            block = b"".join((rest, memoryview(chunk)[:cut]))
            yield Block(block, offset)
            offset += len(block) + 1
            rest = chunk[cut + 1 :]
            continue
        data = rest + chunk
        if not chunk and b"\n" not in data:
            if data:
                yield Block(data, offset, ended=False)
            if broken:
                raise broken
            return
        cut = data.rfind(b"\n")
        if cut < 0:
            if len(data) <= LONGEST_LINE:
                rest = data
                continue
            skipped, rest, broken = _skip_line(stream, size)
            yield Block(data[:LONGEST_LINE], offset, overlong=True)
            offset += len(data) + skipped
            continue
        first = data.find(b"\n") if len(data) > LONGEST_LINE else 0
        if first > LONGEST_LINE:
            yield Block(data[:LONGEST_LINE], offset, overlong=True)
            offset, data, cut = offset + first + 1, data[first + 1 :], cut - first - 1
            if cut < 0:
                rest = data
                continue
        yield Block(data[:cut], offset)
        offset += cut + 1
        rest = data[cut + 1 :]


def _read(stream: BinaryIO, size: int) -> tuple[bytes, Exception | None]:
    """Up to ``size`` bytes, fewer only at the end or where the stream breaks off, and why it broke off."""
    read = getattr(stream, "read1", stream.read)  # `read` would lose what was unpacked before the break
    parts: list[bytes] = []
    while size > 0:
        try:
            part = read(size)
        except READ_ERRORS as error:
            return b"".join(parts), error
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts), None


def _skip_line(stream: BinaryIO, size: int) -> tuple[int, bytes, Exception | None]:
    skipped = 0
    while True:
        chunk, broken = _read(stream, size)
        cut = chunk.find(b"\n")
        if cut >= 0:
            return skipped + cut + 1, chunk[cut + 1 :], broken
        skipped += len(chunk)
        if broken or not chunk:
            return skipped, b"", broken


def find_sources(paths: list[str]) -> tuple[list[Source], list[tuple[str, VoltraceError]]]:
    """The sources that these paths and URLs name (files, folders that are searched for logs, globs, ``-``), and the paths that name none.

    Raises UsageError for a path that is not there or a URL that nothing here can open, SourceError for a folder without logs, if no other path names a source.
    """
    found: dict[str, Source] = {}
    bad: list[tuple[str, VoltraceError]] = []
    for path in paths:
        try:
            for source in _expand(path):
                found.setdefault(_identity(source), source)
        except VoltraceError as error:
            bad.append((path, error))
    if bad and not found:
        raise bad[0][1]
    return _join_rotated(list(found.values())), bad


def _join_rotated(sources: list[Source]) -> list[Source]:
    """The sources, with the files of one log as one, in the place of the first of them."""
    from .rotated import sets_of

    of_path = {source.path: source for source in sources}
    joined: dict[str, Source | None] = {}
    for files in sets_of([source.path for source in sources if not (source.is_stream or source.is_remote)]):
        if _go_on(files):
            first = min(files, key=lambda path: list(of_path).index(path))
            joined |= dict.fromkeys(files)
            joined[first] = Source(files[-1], LogSet(files), any(of_path[path].named for path in files))
    return [source for source in (joined.get(source.path, source) for source in sources) if source is not None]


def _go_on(files: list[str]) -> bool:
    """Whether the files are text of one format, and none begins before the one in front of it has ended, as exports do that overlap."""
    from .clock import StampReader
    from .framing import detect

    reader: StampReader | None = None
    latest = fmt = None
    for path in files:
        source = Source(path, path)
        try:
            head, tail = read_head(source), read_tail(source)
        except READ_ERRORS:
            continue
        framing = detect(head)
        if framing is None or framing.page or framing.packing is not None or fmt not in (None, framing.format):
            return False
        fmt = framing.format
        reader = reader or StampReader(fmt, 2000)
        at = _first_instant(head.split(b"\n", 1000)[:1000], reader)
        if at is not None and latest is not None and at < latest - _UNSORTED_US:
            return False
        ended = _first_instant(reversed(tail.split(b"\n")), reader)
        latest = next((found for found in (ended, at) if found is not None), latest)
    return reader is not None


def _first_instant(lines: Iterable[bytes], reader: StampReader) -> int | None:
    """The instant of the first of these lines that has one."""
    found = (reader.format.pattern.match(line) for line in lines)
    return next((at for prefix in found if prefix and (at := reader.read(prefix["stamp"])) is not None), None)


def _identity(source: Source) -> str:
    """What two paths to the same file have in common."""
    if source.is_stdin:
        return "-"
    return remote.identity(source.path) if source.is_remote else os.path.realpath(source.path)


def _expand(path: str) -> list[Source]:
    if path == "-":
        return [Source("-", "<stdin>")]
    if remote.is_url(path):
        urls, is_folder = remote.expand(path)
        return _inside(path, urls) if is_folder else [Source(url, url) for url in urls]
    if os.path.isdir(path):
        return _inside(path, _walk(path))
    if os.path.exists(path):
        return [Source(path, path)]
    matches = sorted(p for p in glob.glob(path, recursive=True) if os.path.isfile(p)) if glob.has_magic(path) else []
    if not matches:
        what = "matches no file" if glob.has_magic(path) else "no such file or folder"
        raise UsageError(f"{path}: {what}")
    return [Source(p, p) for p in matches]


def _inside(folder: str, paths: Iterable[str]) -> list[Source]:
    inside = [Source(p, p, named=False) for p in paths if _looks_like_log(p)]
    if not inside:
        raise SourceError(f"{folder}: no logs in this folder (looked for files with lines of journalctl or oslo.log, in all its folders)")
    return inside


def _walk(folder: str) -> Iterator[str]:
    seen: set[str] = set()
    for base, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(base)
        if real in seen:
            folders[:] = []
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield from (os.path.join(base, f) for f in sorted(files) if not f.startswith("."))


def _looks_like_log(path: str) -> bool:
    """Whether a file found in a folder is worth opening as a log: by its name first, then by what its first lines are."""
    from .framing import detect

    if path.lower().endswith(_NEVER_LOGS) or not (remote.is_url(path) or os.path.isfile(path)):
        return False
    try:
        framing = detect(read_head(Source(path, path)))
        return framing is not None and (framing.packing is not None or not path.lower().endswith(_PACKED))
    except READ_ERRORS:
        return True  # let the reading say why


def read_head(source: Source, size: int = _SAMPLE) -> bytes:
    """The first bytes of a source that is not standard input."""
    with source.open() as stream:
        return stream.read(size) or b""


def read_tail(source: Source, size: int = _SAMPLE) -> bytes:
    """The last bytes of a plain file; empty for a packed one, a pipe and standard input."""
    if source.is_stream or source.is_packed():
        return b""
    with source.open_raw() as stream:
        stream.seek(0, io.SEEK_END)
        stream.seek(max(0, stream.tell() - size))
        return stream.read()
