"""Holes in logs: where a service that writes all the time was silent for long and then went on, although nothing stopped it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, pairwise
from math import log
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from ..encode import instant
from ..lifecycle import API, RUNNING, SCHEDULER, VOLUME, VOLUME_CREATE
from ..trace import Coverage, Diagnostic, Reading, place
from .clock import GAP_US, SECOND
from .tables import Scan

_MOST_TOLD = 20
# Silences that come at random, so often that they end a stretch of writing as they do, are longer than this many of their means once in 150 times.
_MEANS = 5
_FEWEST = 2  # so many times `GAP_US` a service writes between two silences, in the mean, or it is none that writes all the time


class Stretch(NamedTuple):
    """A stretch (µs) in which a process was never silent for long; ``place`` is that of its first record: source and line."""

    start: int
    end: int
    place: tuple[int, int]


def _stretches(scan: Scan) -> list[list[Stretch]]:
    """The stretches of each process. What several sources hold of a process fills each other's gaps."""
    found: list[list[Stretch]] = [[] for _ in scan.processes]
    for (process, source), (line, start, last) in sorted(scan.spans.items()):
        for behind, at, before in sorted(scan.gaps.get((process, source), ()), key=itemgetter(2)):
            if before >= start:
                found[process].append(Stretch(start, before, (source, line)))
            start, line = max((start, line), (at, behind))
        found[process].append(Stretch(start, max(start, last), (source, line)))
    return [_join(own) for own in found]


def _join(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Stretches without those silences between them that are not long."""
    joined: list[Stretch] = []
    for stretch in sorted(stretches):
        if joined and stretch.start <= joined[-1].end + GAP_US:
            joined[-1] = joined[-1]._replace(end=max(stretch.end, joined[-1].end))
        else:
            joined.append(stretch)
    return joined


def _silences(stretches: list[Stretch]) -> list[tuple[int, int]]:
    return [(before.end, after.start) for before, after in pairwise(stretches)]


class _Writing:
    """When a service on one host wrote, and when all its processes were silent."""

    def __init__(self, own: list[list[Stretch]]) -> None:
        self.stretches = _join(chain.from_iterable(own))
        self.silences = _silences(self.stretches)

    def least_us(self) -> int | None:
        """How long a silence must be to be no matter of chance; None if the service is often silent."""
        usual = sum(end - start for start, end, _ in self.stretches) / max(1, len(self.stretches)) / GAP_US
        return round(GAP_US * (1 + _MEANS / log(usual))) if usual >= _FEWEST else None


def tell_holes(scan: Scan, reading: Reading) -> None:
    """Adds the holes in the services' logs to a reading: to what it covers, and each as `log-gap`.

    The volume service and the scheduler write a record a minute at DEBUG: the former of its own accord, the latter when it hears of the former. The API writes
    when it is asked: what others show of requests that must have come through it then proves its hole.
    """
    stretches = _stretches(scan)
    for process, own in zip(scan.processes, stretches):
        process.gaps = _silences(own)
    if not any(process.gaps for process in scan.processes):
        return
    groups: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for number, process in enumerate(scan.processes):
        if process.service in reading.coverage:
            groups[process.service, process.host].append(number)
    writing = {key: _Writing([stretches[n] for n in numbers]) for key, numbers in groups.items()}
    heard = _join(chain.from_iterable(own.stretches for (service, _), own in writing.items() if service == VOLUME))
    stepped = {process for process, _ in scan.steps}
    unseen: np.ndarray | None = None
    for (service, host), found in sorted(writing.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        least = found.least_us()
        if least is None:
            continue
        # Only a process that lives on shows that the service was not stopped and started; one of which the clock stepped shows nothing.
        living = [stretches[n] for n in groups[service, host] if n not in stepped and (scan.debug[n] or service == API)]
        for silence in found.silences:
            if silence[1] - silence[0] < least or _is_explained(reading.coverage[service], silence, host):
                continue
            behind = _place_behind(living, silence)
            if behind is None or (service == SCHEDULER and _longest(heard, silence) < least):
                continue
            if service == API:
                unseen = _came_unseen(scan) if unseen is None else unseen
                if not _proves(unseen, silence, found.silences):
                    continue
            reading.coverage[service].holes.append((*silence, host))
            if sum(d.slug == "log-gap" for d in reading.diagnostics) < _MOST_TOLD:
                reading.diagnostics.append(Diagnostic("log-gap", _describe(service, host, silence), place(scan.sources[behind[0]], behind[1])))


def _place_behind(living: list[list[Stretch]], silence: tuple[int, int]) -> tuple[int, int] | None:
    """Where the first record behind a silence stands of a process that had written before it; None if there is none."""
    behind = [s for own in living if own and own[0].start <= silence[0] for s in own[bisect_left(own, (silence[1],)) :][:1]]
    return min(behind).place if behind else None


def _is_explained(coverage: Coverage, silence: tuple[int, int], host: str | None) -> bool:
    """Whether the service, or its host, was started at the end of this silence."""
    told = (*coverage.starts, *coverage.boots)
    return any(at is not None and silence[0] < at <= silence[1] + SECOND and (host is None or where is None or where == host) for at, where, _ in told)


def _longest(stretches: list[Stretch], silence: tuple[int, int]) -> int:
    """The longest part of a silence in which others wrote."""
    return max((min(end, silence[1]) - max(start, silence[0]) for start, end, _ in stretches), default=0)


def _came_unseen(scan: Scan) -> np.ndarray:
    """When the scheduler or a volume service took up requests of which no line is the API's."""
    flows = {flow.name for flow in VOLUME_CREATE.flows if flow.service != API}
    kinds = [number for number, kind in enumerate(scan.kinds) if kind.flow in flows and kind.task is None and kind.new == RUNNING]
    rows = np.flatnonzero(np.isin(np.frombuffer(scan.events.kind, np.int32), kinds))
    from_api = np.array([scan.processes[process].service == API for process, _ in scan.origins], bool)
    seen = np.zeros(len(scan.requests), bool)
    seen[np.frombuffer(scan.seen.request, np.int32)[from_api[np.frombuffer(scan.seen.origin, np.int32)]]] = True
    return np.frombuffer(scan.events.at, np.int64)[rows[~seen[np.frombuffer(scan.events.request, np.int32)[rows]]]]


def _proves(unseen: np.ndarray, silence: tuple[int, int], silences: list[tuple[int, int]]) -> bool:
    """Whether requests came through the API in this silence, and all that did so unseen came in one."""
    inside = [(unseen > start) & (unseen < end) for start, end in silences]
    return bool(((unseen > silence[0]) & (unseen < silence[1])).any() and np.logical_or.reduce(inside).all())


def _describe(service: str, host: str | None, silence: tuple[int, int]) -> str:
    whose = f"the {service} service's log" + (f" of {host}" if host else "")
    lasted = (silence[1] - silence[0]) / 1e6
    span = f"{lasted / 3600:.1f} h" if lasted >= 7200 else f"{lasted / 60:.0f} min"
    return f"{whose} has nothing from {instant(silence[0])} to {instant(silence[1])} ({span}): records may be lost, or the service was down"
