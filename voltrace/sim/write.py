"""Lines on their way to the files: sorted by time over all processes, written in chunks, never all in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from ..formats import IDENTIFIERS, UNITS, Format

Line = tuple[int, int, str, str]


class Merger:
    """Takes lines in any order that does not go back behind the clock, gives them out in the order of their stamps.

    A line's tie-break is the order in which it came, so that lines of one process never change places.
    """

    def __init__(self, merged: BinaryIO, services: dict[str, BinaryIO] | None = None, pack: Callable[[str], bytes] | None = None) -> None:
        self.merged, self.services, self.pack = merged, services or {}, pack
        self.waiting: list[Line] = []
        self.serial = 0
        self.last: dict[str, int] = {}

    def put(self, service: str, ats: list[int], texts: list[str]) -> None:
        """Lines (or records of several lines) of a service with their instants, in the order in which they are written."""
        append, serial = self.waiting.append, self.serial
        for at, text in zip(ats, texts):
            serial += 1
            append((at, serial, service, text))
        self.serial = serial

    def flush(self, now: int | None) -> None:
        """Writes what lies before ``now``; all of it if None. Nothing that lies before ``now`` may come any more."""
        waiting = self.waiting
        waiting.sort()
        end = len(waiting) if now is None else _first_from(waiting, now)
        if not end:
            return
        ready = waiting[:end]
        del waiting[:end]
        for start in range(0, end, 500):
            block = ready[start : start + 500]
            self.merged.write(self._bytes(block))
            for service, file in self.services.items():
                own = [line for line in block if line[2] == service]
                if own:
                    file.write(self._bytes(own))
                    self.last[service] = own[-1][0]

    def _bytes(self, lines: list[Line]) -> bytes:
        text = "\n".join([line[3] for line in lines])
        if self.pack is None:
            return (text + "\n").encode()
        return b"".join([self.pack(line) for line in text.split("\n")])


def _first_from(lines: list[Line], now: int) -> int:
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        if lines[middle][0] < now:
            low = middle + 1
        else:
            high = middle
    return low


def prefix_writer(format: Format, service: str, host: str, pid: int) -> Callable[[int], str]:
    """Renders a line's prefix from its instant, for one process: the format's own, with all but the fraction kept for a second."""
    unit = (UNITS if format.name == "with-unit" else IDENTIFIERS)[service]
    write, digits = format.write, {1: 6, 1000: 3}.get(format.resolution_us, 0)
    step, mark = 10 ** (6 - digits), "." + "0" * digits
    known, head, tail = -1, "", ""

    def prefix(at: int) -> str:
        nonlocal known, head, tail
        second, micros = divmod(at, 1_000_000)
        if second != known:
            known = second
            head, dot, tail = write(second * 1_000_000, host, unit, pid).partition(mark) if digits else (write(at, host, unit, pid), "", "")
            head += "." if dot else ""
        if digits == 6:
            return f"{head}{micros:06d}{tail}"
        return f"{head}{micros // step:0{digits}d}{tail}" if digits else head

    return prefix
