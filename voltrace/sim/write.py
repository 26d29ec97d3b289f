"""Lines on their way to the files: sorted by time over all processes, written in chunks, never all in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ..formats import SERVICE_FILES
from ..kernel import load

if TYPE_CHECKING:
    import numpy as np

    from .journal import Journal
    from .play import Play
    from .prefix import Prefix
    from .script import Script

SERVICES = tuple(SERVICE_FILES)

Clock = Callable[["np.ndarray"], "np.ndarray"]


class File(Protocol):
    """What takes the bytes of records."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Both:
    """Two files that take the same bytes: a service's older one, and its own while they overlap."""

    older: File
    own: File

    def write(self, data: bytes, /) -> None:
        self.older.write(data)
        self.own.write(data)


class Sheet(Protocol):
    """Records that wait to be written. `Texts` has them as texts, the kernel ``_fill`` fills them in as bytes when their turn has come.

    Where instants tie, an earlier service of `SERVICES` goes first, and records of one service keep the order in which they came.
    """

    def put(self, script: Script, plays: list[Play]) -> None:
        """Further records: those of plays of a script."""

    def flush(self, now: int | None, files: list[File | None]) -> list[int | None]:
        """Writes what lies before ``now`` (all if None), in the order of its instants: each record to its service's file (None: there is none), all to the last.

        The instant of each service's last record that was written; None where none was.
        """


def open_sheet(prefix: Prefix, clock: Clock | None, pack: Callable[[str], bytes] | None, journal: Journal | None) -> Sheet:
    """A sheet for lines with these prefixes: the kernel's, unless the texts of records are needed or it is not there.

    ``clock`` makes instants those that a clock shows; ``pack`` makes an entry's bytes of a line; what ``journal`` drops is not written.
    """
    kernel = load("sim._fill") if pack is None and journal is None else None
    if kernel is not None:
        return kernel.Sheet(prefix, clock)
    from .texts import Texts

    return Texts(prefix, clock, pack, journal)


class Merger:
    """Takes plays in any order that does not go back behind the clock, has their records written in the order of their instants.

    ``last`` is the instant of each service's last record that was written.
    Of a service in ``turns``, the file begins at the first instant, and what lies before the second is in the file named there; what lies in between
    is in both if the second is the later, else in none.
    """

    def __init__(
        self, sheet: Sheet, merged: BinaryIO, services: dict[str, BinaryIO] | None = None, turns: dict[str, tuple[int, int, BinaryIO]] | None = None
    ) -> None:
        self.sheet, self.services, self.turns = sheet, services or {}, turns or {}
        self.last: dict[str, int] = {}
        first = self.services | {service: older for service, (_, _, older) in self.turns.items()}
        self.files: list[File | None] = [*map(first.get, SERVICES), merged]
        self.coming = sorted(self._turn(), key=itemgetter(0))

    def put(self, script: Script, plays: list[Play]) -> None:
        """Plays of one script, in the order in which they are played."""
        self.sheet.put(script, plays)

    def flush(self, now: int | None) -> None:
        """Writes what lies before ``now``; all of it if None. Nothing that lies before ``now`` may come any more."""
        while self.coming and (now is None or self.coming[0][0] <= now):
            at, service, file = self.coming.pop(0)
            self._write(at)
            self.files[SERVICES.index(service)] = file
        self._write(now)

    def _turn(self) -> Iterator[tuple[int, str, File | None]]:
        """When records of a service begin to go to another file."""
        for service, (begin, end, older) in self.turns.items():
            own = self.services[service]
            if begin < end:
                yield begin, service, Both(older, own)
            if end < begin:
                yield end, service, None
            yield max(begin, end), service, own

    def _write(self, now: int | None) -> None:
        for service, at in zip(SERVICES, self.sheet.flush(now, self.files)):
            if at is not None:
                self.last[service] = at
