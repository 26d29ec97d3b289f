"""What stands between the stamp and the context of lines: who writes, at which level, by which logger. Looked up whole, and kept in columns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .heard import Voice
from .tables import Header

NOBODY = -1  # the number of a beginning that is not known


SUFFIX = 24  # bytes of the longest beginning of a debug suffix with a pid


class Left:
    """One such beginning. ``writer`` is its number in `Counts`."""

    __slots__ = ("header", "writer", "pid", "voice", "from_api", "is_api")

    def __init__(self, header: Header, writer: int, pid: int | None, voice: Voice, from_api: bool, is_api: bool) -> None:
        self.header, self.writer, self.pid, self.voice = header, writer, pid, voice
        self.from_api, self.is_api = from_api, is_api

    @property
    def suffix(self) -> bytes:
        """What DEBUG records' suffixes begin with if the process itself is the worker."""
        return b"{{(pid=%d)" % (-1 if self.pid is None else self.pid)


class Lefts:
    """All of one source, by their numbers. The columns have one row more, for `NOBODY`."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}
        self._all: list[Left] = []
        self._columns: dict[str, np.ndarray] = {}
        self.longest = 0  # bytes of a text

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Left]:
        return iter(self._all)

    def __getitem__(self, number: int) -> Left:
        return self._all[number]

    def add(self, text: bytes, left: Left) -> None:
        self.numbers[text] = len(self._all)
        self.longest = max(self.longest, len(text))
        self._all.append(left)
        self._columns.clear()

    def clear(self) -> None:
        self.numbers.clear()
        self.longest = 0
        self._all.clear()
        self._columns.clear()

    def column(self, name: str) -> np.ndarray:
        """Of each left: its writer, process, origin and pid (-1: none), whether it is DEBUG, of the API, perhaps of the API; its suffix, and which bytes that has."""
        if not self._columns:
            headers = [left.header for left in self._all]
            found: dict[str, np.ndarray] = {
                "writer": np.array([*(left.writer for left in self._all), -1], np.int32),
                "process": np.array([*(header.process for header in headers), -1], np.int32),
                "origin": np.array([*(header.origin for header in headers), -1], np.int32),
                "pid": np.array([*(-1 if left.pid is None else left.pid for left in self._all), -1], np.int64),
                "debug": np.array([*(header.debug for header in headers), False]),
                "from_api": np.array([*(left.from_api for left in self._all), False], np.int8),
                "is_api": np.array([*(left.is_api for left in self._all), False]),
            }
            suffixes = [*(left.suffix for left in self._all), b""]
            found["suffix"] = np.frombuffer(b"".join(suffix.ljust(SUFFIX, b"\0") for suffix in suffixes), np.uint8).reshape(-1, SUFFIX)
            found["suffix_mask"] = np.where(found["suffix"] > 0, np.uint8(255), np.uint8(0))
            self._columns = found
        return self._columns[name]
