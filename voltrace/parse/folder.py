"""A folder for what is put away while logs are read. It is made when it is asked for, and goes with who made it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ..errors import VoltraceError

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory


class Folder(AbstractContextManager):
    """Small logs never need one, and its import costs as much as their reading."""

    def __init__(self) -> None:
        self._made: TemporaryDirectory | None = None

    def __exit__(self, *_) -> None:
        if self._made is not None:
            self._made.cleanup()

    @property
    def path(self) -> str:
        """Where it is."""
        if self._made is None:
            from tempfile import TemporaryDirectory

            self._made = TemporaryDirectory(prefix="voltrace-")
        return self._made.name


def no_room(folder: str, error: OSError) -> VoltraceError:
    """What to tell who has no room for what is put away, or no such folder."""
    return VoltraceError(f"{folder}: {error.strerror}: events are put away there while large logs are read (TMPDIR says where)")
