"""Boots of hosts, which the journal tells between its records: what was at work before has stopped."""

from __future__ import annotations

from ..trace import Diagnostic, EventTable, Reading, place
from .clock import STEP_US
from .tables import Scan

_MOST_TOLD = 20


def tell_boots(scan: Scan, reading: Reading) -> None:
    """Adds the boots that a scan has met to a reading: to what it covers, and what is to be said of them.

    A source of several hosts does not tell which of them was booted.
    """
    for source, line, latest, at in scan.boots:
        own = [scan.processes[process] for process, written in scan.origins if written == source]
        if at == EventTable.NO_TIME or len({process.host for process in own}) != 1:
            continue
        when, where, host = at + STEP_US, place(scan.sources[source], line), scan.processes[latest].host
        ended = [process for process in own if process.first is not None and process.first < when and process.service in reading.coverage]
        for service in {process.service for process in ended}:
            reading.coverage[service].boots.append((when, host, where))
        if not ended or len(reading.diagnostics) > _MOST_TOLD + len(scan.diagnostics):
            continue
        reading.diagnostics.append(Diagnostic("service-restarted", "the host was booted while the log went on: what was at work before has stopped", where))
        for process in ended:
            if process.last is not None and process.last > when:
                message = f"process id {process.pid} of {process.host} is in the {process.service} service's log before and after a boot of the host"
                reading.diagnostics.append(Diagnostic("pid-reused", message, where))
