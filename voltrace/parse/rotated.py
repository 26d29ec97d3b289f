"""Rotated logs: the files of one log, which go on in one another, read as one. What a record begins in one file may end in the next."""

from __future__ import annotations

import io
import os
import re
from collections import defaultdict
from collections.abc import Callable
from typing import BinaryIO

from ..trace import LogSet
from .forward import Forward

_COMPRESSED = re.compile(r"\.(?:gz|bz2|xz|zst)$")
_DATE = r"\d{4}-?\d\d-?\d\d(?:[-_.T]?\d{2,6})?"
# logrotate's names: a number behind a dot (the higher the older), or a date, at the end or in front of `.log`.
_ROTATED = re.compile(rf"(?P<base>.+?)(?:\.(?P<number>\d{{1,4}})|[.-](?P<date>{_DATE}))(?P<end>\.log)?")


def sets_of(paths: list[str]) -> list[list[str]]:
    """The paths of which the names say that they are files of one log, the oldest first: two or more each."""
    found: dict[tuple[str, str], list[tuple[tuple, str]]] = defaultdict(list)
    for path in paths:
        folder, name = os.path.split(path)
        name = _COMPRESSED.sub("", name)
        rotated = _ROTATED.fullmatch(name)
        if rotated is None:
            found[folder, name].append(((2,), path))
        else:
            age: tuple = (0, -int(rotated["number"])) if rotated["number"] else (1, re.sub(r"\D", "", rotated["date"]))
            found[folder, rotated["base"] + (rotated["end"] or "")].append((age, path))
    sets = []
    for files in found.values():
        kinds = {age[0] for age, _ in files}
        if len(files) > 1 and len({age for age, _ in files}) == len(files) and not {0, 1} <= kinds:
            sets.append([path for _, path in sorted(files)])
    return sets


class Chain(Forward):
    """The files of a log one behind the other, as if they had never been divided. It tells the log's `LogSet` where each begins.

    A file that cannot be read to its end does not keep the next ones from being read; that is said at the end of all.
    ``sizes`` are the files' where they are known: then one can read from any place.
    """

    def __init__(self, log: LogSet, opener: Callable[[str], BinaryIO], sizes: list[int] | None = None) -> None:
        self._log, self._opener, self._sizes = log, opener, sizes
        self._number = -1
        self._stream: BinaryIO | None = None
        self._lines: int | None = 0  # before this place; None where that is not known
        self._ended = True  # whether a line ends here
        self._problem: OSError | None = None
        super().__init__()

    def take(self, size: int) -> bytes:
        while True:
            if self._stream is None and not self._next():
                problem, self._problem = self._problem, None
                if problem is not None:
                    raise problem
                return b""
            assert self._stream is not None
            try:
                data = self._stream.read1(size)  # type: ignore[attr-defined]
            except (OSError, EOFError) as error:
                self._keep(error)
                data = b""
            if not data:
                self._stream.close()
                self._stream = None
                if self._ended or self._number == len(self._log.files) - 1 or self._sizes is not None:
                    continue
                data = b"\n"  # a file that ends in the middle of a line
            self._ended = data.endswith(b"\n")
            if self._lines is not None:
                self._lines += data.count(b"\n")
            return data

    def _next(self) -> bool:
        """Open the next file. Whether there is one."""
        if self._number + 1 >= len(self._log.files):
            return False
        self._number += 1
        if self._lines is not None:
            self._log.begin(self._number, self._lines + 1)
        try:
            self._stream = self._opener(self._log.files[self._number])
        except OSError as error:
            self._keep(error)
            return self._next()
        return True

    def _keep(self, error: Exception) -> None:
        """The first file that cannot be read, and why: to be told at the end."""
        self._problem = self._problem or OSError(f"{self._log.files[self._number]}: {getattr(error, 'strerror', None) or error}")

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """To any place if the sizes of the files are known, else only forward."""
        if self._sizes is None:
            return super().seek(offset, whence)
        if whence == io.SEEK_CUR:
            offset += self._place
        if whence == io.SEEK_END:
            offset += sum(self._sizes)
        self.release()
        self._place, self._lines, self._number = offset, 0 if offset == 0 else None, -1
        for number, size in enumerate(self._sizes):
            if offset <= size and (offset < size or number == len(self._sizes) - 1):
                self._number = number - 1
                self._next()
                if self._stream is not None:
                    self._stream.seek(offset)
                break
            offset -= size
        return self._place

    def release(self) -> None:
        """Close the file that is open."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def close(self) -> None:
        self.release()
        super().close()
