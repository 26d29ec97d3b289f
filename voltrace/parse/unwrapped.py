"""A stream without what its lines are wrapped in. It has the lines of the stream: behind one that came in parts stand as many empty ones as it had further parts."""

from __future__ import annotations

import io
from typing import BinaryIO

from .folded import Folded
from .forward import Forward
from .wrappings import Wrapping

_CHUNK = 1 << 18
_LONGEST = 1 << 23  # bytes of a line that is put together


def unwrap(stream: BinaryIO, wrapping: Wrapping) -> BinaryIO:
    """The stream with its lines unwrapped. Lines that are not wrapped stay as they are."""
    return io.BufferedReader(_Unwrapped(stream, wrapping), _CHUNK)


class _Unwrapped(Forward):
    def __init__(self, stream: BinaryIO, wrapping: Wrapping) -> None:
        self._stream, self._wrapping = stream, wrapping
        self._rest = b""  # of the stream: a line that is not at its end yet
        self._parts: list[bytes] = []  # of a line that is not whole yet
        self._size = 0
        self._ready = memoryview(b"")
        self._ended = False
        super().__init__()

    def take(self, size: int) -> memoryview:
        while not self._ready and not self._ended:
            self._ready = memoryview(self._next())
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _next(self) -> bytes:
        data = self._stream.read1(_CHUNK)  # type: ignore[attr-defined]
        out: list[bytes] = []
        if not data:
            self._ended = True
            if self._rest:
                self._take(self._rest, out)
                if out:
                    out[-1] = out[-1].removesuffix(b"\n")
            self._complete(out)
            return b"".join(out)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._take(line, out)
        if len(self._rest) > _LONGEST:
            out.append(self._rest)
            self._rest = b""
        return b"".join(out)

    def _take(self, line: bytes, out: list[bytes]) -> None:
        line = line.removesuffix(b"\r")
        if self._parts and isinstance(self._wrapping, Folded) and self._wrapping.begins(line):
            self._complete(out)
        part = self._wrapping(line)
        if part is None:
            self._complete(out)
            out.append(line + b"\n")
            return
        self._parts.append(part[0])
        self._size += len(part[0])
        if part[1] or self._size > _LONGEST:
            self._complete(out)

    def _complete(self, out: list[bytes]) -> None:
        """The line that came in parts is whole."""
        if self._parts:
            out += [*self._parts, b"\n" * len(self._parts)]
            self._parts, self._size = [], 0
