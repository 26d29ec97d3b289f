"""Streams that can be read forward only: what was passed has gone."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import Any

_CHUNK = 1 << 18


class Forward(io.RawIOBase):
    """A stream of what `take` gives. ``_place`` is how many bytes have been given."""

    def __init__(self) -> None:
        self._place = 0

    @abstractmethod
    def take(self, size: int) -> bytes | memoryview:
        """The next bytes, at most so many; none at the end."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.take(len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """To a place that lies ahead. Raises io.UnsupportedOperation for others, and for one behind the end, which is not known."""
        if whence == io.SEEK_CUR:
            offset += self._place
        if whence == io.SEEK_END or offset < self._place:
            raise io.UnsupportedOperation("this can be read forward only")
        while self._place < offset and self.readinto(bytearray(min(_CHUNK, offset - self._place))):
            pass
        return self._place
