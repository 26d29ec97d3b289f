"""Durations that were found, by what lasted: in memory, or on disk where they are of many parts of a log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from tempfile import NamedTemporaryFile
from typing import NamedTuple
from weakref import finalize

import numpy as np

from ..measure import Key
from .folder import no_room


class Stretch(NamedTuple):
    """So many numbers in a file, from a place (bytes) on."""

    path: str
    place: int
    size: int
    kind: str


Found = dict[Key, list["np.ndarray | Stretch"]]


class Store:
    """Takes the durations that one process finds: into a file in ``folder``, if there is one."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._file = NamedTemporaryFile(dir=folder, delete=False) if folder is not None else None  # noqa: SIM115 - `close` closes it
        self._found: Found = defaultdict(list)

    def add(self, key: Key, durations: np.ndarray) -> None:
        """More durations (µs). Raises VoltraceError if there is no room."""
        if durations.min() >= 0 and durations.max() < 1 << 32:  # nearly all are of less than an hour
            durations = durations.astype(np.uint32)
        if self._file is None:
            self._found[key].append(durations)
            return
        self._found[key].append(Stretch(self._file.name, self._file.tell(), len(durations), durations.dtype.str))
        try:
            self._file.write(durations.tobytes())
        except OSError as error:
            raise no_room(self._folder or "", error) from None

    def close(self) -> Found:
        """All that was taken. Raises VoltraceError if there is no room."""
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            raise no_room(self._folder or "", error) from None
        return dict(self._found)


class Durations(Mapping[Key, np.ndarray]):
    """What several processes found, in their order; read when it is asked for."""

    def __init__(self, found: list[Found]) -> None:
        self._found: Found = defaultdict(list)
        for own in found:
            for key, pieces in own.items():
                self._found[key] += pieces

    def __getitem__(self, key: Key) -> np.ndarray:
        """The durations (µs). Raises KeyError if there are none."""
        if key not in self._found:
            raise KeyError(key)
        return np.concatenate([_read(piece) if isinstance(piece, Stretch) else piece for piece in self._found[key]])

    def __iter__(self) -> Iterator[Key]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def at_end(self, clean_up: Callable[[], object]) -> None:
        """Do this when nobody can ask for durations any more."""
        finalize(self, clean_up)


def _read(stretch: Stretch) -> np.ndarray:
    return np.fromfile(stretch.path, np.dtype(stretch.kind), stretch.size, offset=stretch.place)
