"""What happens to logs as a whole: a clock that is set back, files that are rotated or cut."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..formats import SERVICE_FILES
from .cloud import RunFault, Scenario
from .site import Site
from .write import Clock

if TYPE_CHECKING:
    import numpy as np

_LEFT_BYTES = 40  # of a cut file's last line: less than its prefix and logger


def of_kind(scenario: Scenario, kind: str) -> list[RunFault]:
    """The scenario's faults of this kind."""
    return [fault for fault in scenario.faults if fault.kind == kind]


def stepping_clock(scenario: Scenario, start: int) -> Clock | None:
    """A clock (µs) that is set back as the scenario says; None if it is not."""
    steps = [(start + round(fault.at_s * 1e6), round(fault.by_s * 1e6)) for fault in of_kind(scenario, "clock-stepped")]
    if not steps:
        return None

    def show(ats: np.ndarray) -> np.ndarray:
        shown = ats
        for at, by in steps:
            shown = shown - by * (ats >= at)
        return shown

    return show


def watch(site: Site, start: int) -> None:
    """Lets the requests that are at work when a clock is set or a file is rotated be told of."""
    site.moments = [
        (fault.kind, fault.service, start + round(fault.at_s * 1e6)) for fault in site.scenario.faults if fault.kind in ("clock-stepped", "file-rotated")
    ]


def older_name(service: str) -> str:
    """The name of what a service's file held until it was rotated."""
    return SERVICE_FILES[service] + ".1"


def cut_files(scenario: Scenario, folder: Path) -> None:
    """Cuts the files that the scenario names in the middle of their last line."""
    for fault in of_kind(scenario, "file-cut"):
        path = folder / SERVICE_FILES[fault.service]
        with open(path, "rb+") as file:
            size = path.stat().st_size
            file.seek(max(0, size - (1 << 20)))
            tail = file.read()
            last = len(tail) - 1 - tail.rfind(b"\n", 0, len(tail) - 1)
            if last > _LEFT_BYTES:
                file.truncate(size - last + _LEFT_BYTES)
