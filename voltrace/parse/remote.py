"""URLs: logs on other machines, through fsspec, which is imported only for them. Which URLs can be opened depends on what is installed beside it."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import lru_cache
from typing import Any, BinaryIO

from ..errors import UsageError, VoltraceError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_READ_AHEAD = 1 << 18


def is_url(path: str) -> bool:
    """Whether this names a place through a protocol."""
    return _URL.match(path) is not None


def expand(url: str) -> tuple[list[str], bool]:
    """The files that a URL names, and whether it is a folder (then all in it). Raises UsageError if it names none, or cannot be opened here."""
    with _told(url):
        system, path = _resolve(url)
        kind = _kind(url)
        if kind == "file":
            return [url], False
        if kind == "directory":
            return sorted(system.unstrip_protocol(p) for p in system.find(path) if not _is_hidden(p, path)), True
        has_magic = any(sign in url for sign in ("*[" if url.startswith("http") else "*?["))
        matches = [system.unstrip_protocol(p) for p, about in system.glob(path, detail=True).items() if about["type"] == "file"] if has_magic else []
        if not matches:
            raise UsageError(f"{url}: {'matches no file' if has_magic else 'no such file or folder'}")
        return sorted(matches), False


def has_ranges(url: str) -> bool:
    """Whether a file can be read from any place. What cannot be asked can not."""
    try:
        about = _about(url)
    except Exception:  # each file system has errors of its own; opening it will say which
        return False
    return about["size"] is not None and about["partial"]


def modified(url: str) -> float | None:
    """Modification time in seconds since the epoch, None where the file system does not tell."""
    try:
        system, path = _resolve(url)
        when = system.modified(path)
    except Exception:  # NotImplementedError of most, but also KeyError, AttributeError and errors of their own
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def identity(url: str) -> str:
    """What all URLs of one file have in common: of a file on this machine its path."""
    system, path = _resolve(url)
    return os.path.realpath(path) if url.lower().startswith(("file://", "local://")) else str(system.unstrip_protocol(path))


def open_url(url: str) -> BinaryIO:
    """The bytes of a file. Raises OSError where it cannot be read."""
    with _told(url, OSError):
        system, path = _resolve(url)
        stream = system.open(path, "rb")
        if isinstance(stream, io.BytesIO):  # memory:// gives all who open a file the same one
            stream = io.BytesIO(stream.getvalue())
    return io.BufferedReader(_Reader(stream, url), _READ_AHEAD)


def runs_threads() -> bool:
    """Whether a file system has started a thread, which a forked process would not have."""
    asyn = sys.modules.get("fsspec.asyn")
    return asyn is not None and asyn.iothread[0] is not None


class _Reader(io.RawIOBase):
    """A stream of any file system, with OSError for whatever goes wrong in it."""

    def __init__(self, stream: Any, url: str) -> None:
        self._stream, self._url = stream, url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._stream.seekable())

    def readinto(self, buffer: Any) -> int:
        with _told(self._url, OSError):
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        with _told(self._url, OSError):
            return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


@contextmanager
def _told(url: str, kind: type[Exception] = UsageError) -> Iterator[None]:
    """Whatever goes wrong with a URL, as an error of this kind: file systems raise errors of their own."""
    try:
        yield
    except (kind, VoltraceError):
        raise
    except Exception as error:
        told = str(error).strip().split("\n")[0] or type(error).__name__
        raise kind(told if kind is OSError else f"{url}: {told[:1].lower()}{told[1:]}") from error


def _resolve(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise UsageError(f"{url}: to read URLs, install the package's extra: pip install 'voltrace[distributed]'") from None
    return url_to_fs(url)


def _kind(url: str) -> str | None:
    """``file``, ``directory``, or None for what is not there."""
    if url.startswith("http"):  # asked whether it is a folder, fsspec would read all of a log for its links
        if url.endswith("/"):
            return "directory"
        if "*" in url:
            return None
    try:
        return str(_about(url)["type"])
    except FileNotFoundError:
        return None


@lru_cache(maxsize=4096)
def _about(url: str) -> dict[str, Any]:
    """What the file system says of a file: asked once, since each question is a journey."""
    system, path = _resolve(url)
    about = system.info(path)
    return {"type": about["type"], "size": about.get("size"), "partial": about.get("partial", True)}


def _is_hidden(path: str, folder: str) -> bool:
    return any(part.startswith(".") for part in path[len(folder) :].split("/"))
