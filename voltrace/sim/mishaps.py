"""What happens to logs as a whole: a clock that is set back, files that are rotated, exported twice or cut."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..formats import SERVICE_FILES
from ..lifecycle import API
from .cloud import RunFault, Scenario
from .site import Moment, Site
from .truth import Story
from .write import Clock

if TYPE_CHECKING:
    import numpy as np

_LEFT_BYTES = 40  # of a record in which a file breaks off: less than its prefix and logger
_OLDER = ("file-rotated", "file-exported-twice", "file-lost")


def of_kind(scenario: Scenario, *kinds: str) -> list[RunFault]:
    """The scenario's faults of these kinds."""
    return [fault for fault in scenario.faults if fault.kind in kinds]


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
    """Lets the requests that meet a mishap be told of: those at work when a clock is set or a file is rotated, with records that stand in
    two exports or in a file that is lost, or with records behind the place where a file breaks off."""
    site.clock_shows = stepping_clock(site.scenario, start)
    for fault in of_kind(site.scenario, "clock-stepped", "file-rotated"):
        at = start + round(fault.at_s * 1e6)
        site.moments.append(Moment(fault.kind, fault.service, at, partial(_is_at_work, at)))
    for service, (begin, end) in _divisions(site.scenario, start, "file-exported-twice").items():
        site.moments.append(Moment("file-exported-twice", service, begin, partial(_wrote_between, service, begin, end)))
    for service, (begin, end) in _divisions(site.scenario, start, "file-lost").items():
        site.moments.append(Moment("file-lost", service, end, partial(_lacks, service, end, begin)))
        site.last_end = max(site.last_end, begin)  # the services live on behind it
    for service, (at, _) in _divisions(site.scenario, start, "file-cut").items():
        site.moments.append(Moment("file-cut", service, at, partial(_wrote_after, service, at)))


def _is_at_work(at: int, story: Story) -> bool:
    return story.start < at <= story.end


def _wrote_between(service: str, begin: int, end: int, story: Story) -> bool:
    plays = (play for run in story.runs if run.service == service for play in run.plays)
    return any(begin <= play.begin + play.lapses[record] < end for play in plays for record, _ in play.script.steps)


def _lacks(service: str, begin: int, end: int, story: Story) -> bool:
    """Whether records of this stretch may be the story's: with no run, it was refused by the API at once."""
    if not story.runs:
        return service == API and story.start <= end and begin <= story.end
    return any(play.begin <= end and begin <= play.last for run in story.runs if run.service == service for play in run.plays)


def _wrote_after(service: str, at: int, story: Story) -> bool:
    if not story.runs:
        return service == API and story.end >= at
    return any(play.last >= at for run in story.runs if run.service == service for play in run.plays)


def _divisions(scenario: Scenario, start: int, *kinds: str) -> dict[str, tuple[int, int]]:
    """By service, the instants at which what follows begins and what lies before ends. A file is cut behind its last record unless an instant is given."""
    faults = [fault for fault in of_kind(scenario, *kinds) if fault.kind != "file-cut" or fault.at_s]
    found = {}
    for fault in faults:
        at, lasts = start + round(fault.at_s * 1e6), round(fault.for_s * 1e6)
        begins, ends = (lasts if fault.kind == "file-lost" else 0), (lasts if fault.kind == "file-exported-twice" else 0)
        found[fault.service] = at + begins, at + ends
    return found


def divide(scenario: Scenario, start: int, older: dict[str, BinaryIO]) -> dict[str, tuple[int, int, BinaryIO]]:
    """Where the files of services are divided, with the files of what lies before."""
    return {service: (*instants, older[service]) for service, instants in _divisions(scenario, start, *_OLDER, "file-cut").items()}


def older_name(service: str) -> str:
    """The name of what a service's file held until it was rotated or exported for the first time."""
    return SERVICE_FILES[service] + ".1"


def older_names(scenario: Scenario) -> dict[str, str]:
    """The names of such files that the scenario leaves, by service."""
    return {fault.service: older_name(fault.service) for fault in of_kind(scenario, *_OLDER)}


def lost_names(scenario: Scenario) -> dict[str, str]:
    """By service, a name for what its file would hold behind the place where it is cut."""
    return {service: SERVICE_FILES[service] + ".lost" for service in _divisions(scenario, 0, "file-cut")}


def cut_files(scenario: Scenario, folder: Path) -> None:
    """Lets the files that the scenario names break off in the middle of a record: the first that is lost, or their last."""
    lost = lost_names(scenario)
    for fault in of_kind(scenario, "file-cut"):
        path = folder / SERVICE_FILES[fault.service]
        if fault.service in lost:
            with open(folder / lost[fault.service], "rb") as rest, open(path, "ab") as file:
                file.write(rest.readline()[:_LEFT_BYTES].rstrip(b"\n"))
            continue
        with open(path, "rb+") as file:
            size = path.stat().st_size
            file.seek(max(0, size - (1 << 20)))
            tail = file.read()
            last = len(tail) - 1 - tail.rfind(b"\n", 0, len(tail) - 1)
            if last > _LEFT_BYTES:
                file.truncate(size - last + _LEFT_BYTES)
