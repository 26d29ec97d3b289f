"""Compressed files, opened by their first bytes. The decompressors of other projects are several times as fast as the standard library's gzip."""

from __future__ import annotations

import io
from collections.abc import Callable
from gzip import GzipFile
from typing import Any, BinaryIO

_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"


def is_compressed(magic: bytes) -> bool:
    """Whether a file that begins with these bytes is one that `open_compressed` reads."""
    return magic.startswith((_GZIP, _BZIP2, _XZ, _ZSTD))


def open_compressed(magic: bytes, stream: BinaryIO) -> BinaryIO:
    """What is in the compressed stream that begins with these bytes. Closing it closes the stream."""
    if magic.startswith(_GZIP):
        opened = _open_gzip(stream)
    elif magic.startswith(_BZIP2):
        from bz2 import BZ2File

        opened = BZ2File(stream)
    elif magic.startswith(_XZ):
        from lzma import LZMAFile

        opened = LZMAFile(stream)  # noqa: SIM115  (`_Told` closes it)
    else:
        opened = _open_zstd(stream)
    careful = GzipFile if magic.startswith(_GZIP) and type(opened) is not GzipFile else None
    return io.BufferedReader(_Told(opened, stream, careful), 1 << 16)


def _open_gzip(stream: BinaryIO) -> Any:
    try:
        from isal import igzip
    except ImportError:  # not built for every processor
        return GzipFile(fileobj=stream)
    return igzip.IGzipFile(fileobj=stream)


def _open_zstd(stream: BinaryIO) -> Any:
    try:
        from compression import zstd  # Python 3.14's own
    except ImportError:
        from backports import zstd
    return zstd.open(stream)


class _Told(io.RawIOBase):
    """What a decompressor gives. Where the bytes are broken it is an OSError that says so, whichever the library's own error is.

    The fast decompressor of gzip forgets what it has at hand when it comes to a break: the ``careful`` one then goes on where it stopped.
    """

    def __init__(self, opened: Any, stream: BinaryIO, careful: Callable[..., Any] | None) -> None:
        self._opened, self._stream, self._careful = opened, stream, careful
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._opened.seekable()

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._opened.read1(len(buffer))
        except Exception as error:  # OSError, EOFError, and one of each library
            careful, self._careful = self._careful, None
            if careful is not None and self._stream.seekable():
                self._stream.seek(0)
                self._opened = careful(fileobj=self._stream)
                self._opened.seek(self._place)
                return self.readinto(buffer)
            raise error if isinstance(error, OSError) else OSError(str(error)) from error
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = self._opened.seek(offset, whence)
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        self._opened.close()
        self._stream.close()
        super().close()
