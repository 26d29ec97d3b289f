"""Prefixes: how lines begin. A stamp, of which all but the fraction is the same for a second, and the rest, which each process has its own."""

from __future__ import annotations

from ..formats import IDENTIFIERS, UNITS, Format


class Prefix:
    """The prefixes of a run's lines. ``digits`` is how many its stamps' fractions have."""

    def __init__(self, format: Format) -> None:
        self.format = format
        self.digits = {1: 6, 1000: 3}.get(format.resolution_us, 0)
        self.heads: dict[int, str] = {}

    def tail(self, service: str, host: str, pid: int) -> str:
        """What follows the stamp in the lines of a process."""
        return self._divide(0, self._unit(service), host, pid)[1]

    def head(self, second: int) -> str:
        """The stamp of an instant in this second since the epoch, up to the fraction."""
        head = self.heads.get(second)
        if head is None:
            if len(self.heads) > 10_000:
                self.heads.clear()
            head = self.heads[second] = self._divide(second * 1_000_000, "unit", "host", 0)[0]
        return head

    def _divide(self, at: int, unit: str, host: str, pid: int) -> tuple[str, str]:
        whole = self.format.write(at, host, unit, pid)
        if self.digits:
            head, point, tail = whole.partition("." + "0" * self.digits)
            return head + ".", tail
        end = whole.index(f" {host} {unit}[{pid}]: ")
        return whole[:end], whole[end:]

    def _unit(self, service: str) -> str:
        return (UNITS if self.format.name == "with-unit" else IDENTIFIERS)[service]
