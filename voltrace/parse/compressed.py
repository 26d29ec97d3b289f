"""Compressed files, opened by their first bytes. The decompressors of other projects are several times as fast as the standard library's gzip."""

from __future__ import annotations

import io
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
    return io.BufferedReader(_Told(opened, stream), 1 << 16)


def _open_gzip(stream: BinaryIO) -> Any:
    try:
        from isal import igzip
    except ImportError:  # not built for every processor
        import gzip

        return gzip.open(stream)
    return igzip.open(stream)


def _open_zstd(stream: BinaryIO) -> Any:
    try:
        from compression import zstd  # Python 3.14's own
    except ImportError:
        from backports import zstd
    return zstd.open(stream)


class _Told(io.RawIOBase):
    """What a decompressor gives. Where the bytes are broken it is an OSError that says so, whichever the library's own error is."""

    def __init__(self, opened: Any, stream: BinaryIO) -> None:
        self._opened, self._stream = opened, stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._opened.seekable()

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._opened.read1(len(buffer))
        except OSError:
            raise
        except Exception as error:  # EOFError, and one of each library
            raise OSError(str(error)) from error
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._opened.seek(offset, whence)

    def tell(self) -> int:
        return self._opened.tell()

    def close(self) -> None:
        self._opened.close()
        self._stream.close()
        super().close()
