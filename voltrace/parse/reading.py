"""From what was scanned to the reading: its timelines, what the logs cover, and what all requests together tell about the logs."""

from __future__ import annotations

from collections.abc import Iterable

from ..lifecycle import SERVICES, VOLUME_CREATE
from ..trace import Coverage, Diagnostic, Location, LogSet, Reading, Timeline, place
from .assemble import Assembler, instant
from .boots import tell_boots
from .holes import tell_holes
from .offsets import AddCasts, tell_offsets
from .tables import NO_REQUEST, SERVICE_STARTED, VOLUME_CLEANED, Scan

_PLACES = 20


def assemble(assembler: Assembler, others: bool = True) -> Reading:
    """The reading that a scan amounts to. ``others``: whether it has the timelines of requests that create no volume, which may be very many."""
    scan = assembler.scan
    reading = begin_reading(assembler)
    overlapping: tuple[str, ...] | None = None
    requests = list(range(len(scan.requests)))
    if not others:
        requests = assembler.telling(requests)
        assembler.expect(requests)
    for request in requests:
        timeline, copies = assembler.build(request)
        serve_backends(timeline, reading.coverage)
        overlapping = overlapping or shared_by(timeline, copies)
        if others or timeline.operation == VOLUME_CREATE.operation:
            reading.timelines.append(timeline)
    reading.timelines.sort(key=lambda t: (t.start if t.start is not None else -1, t.request_id))
    finish_reading(assembler, reading, reading.creates(), overlapping)
    return reading


def begin_reading(assembler: Assembler) -> Reading:
    """A reading of what the scan tells without any request."""
    scan = assembler.scan
    reading = Reading(lines=scan.lines, sources=list(scan.sources))
    reading.diagnostics += scan.diagnostics
    reading.records_lost = any(d.slug == "rate-limited" for d in scan.diagnostics)
    _cover(scan, assembler.events.of(NO_REQUEST).tolist(), reading.coverage)
    tell_boots(scan, reading)
    return reading


def shared_by(timeline: Timeline, sources: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The sources that hold the same records of a request, if it is one that is always kept: what is told of overlaps must not depend on which others were let go."""
    return None if timeline.operation == "other" else sources


def finish_reading(
    assembler: Assembler, reading: Reading, creates: Iterable[Timeline], overlapping: tuple[str, ...] | None, add_casts: AddCasts | None = None
) -> None:
    """Adds what all requests together tell about the logs. ``creates`` are the create requests that tell anything of it, and one at least if there is any;
    ``add_casts`` adds what the others tell of clocks."""
    if overlapping:
        reading.diagnostics.append(
            Diagnostic("overlapping-sources", f"the same records are in {' and '.join(overlapping)}: each was counted once", Location(overlapping[0], 1))
        )
    _diagnose(assembler.scan, reading, list(creates))
    tell_holes(assembler.scan, reading)
    tell_offsets(reading, assembler.scan, add_casts)


def _cover(scan: Scan, rows: list[int], coverage: dict[str, Coverage]) -> None:
    for process, debug in zip(scan.processes, scan.debug):
        if process.service not in coverage:
            continue
        service = coverage[process.service]
        service.processes[process.name] = process
        service.debug = service.debug or debug
        if process.first is not None and process.last is not None:
            service.first = process.first if service.first is None else min(service.first, process.first)
            service.last = process.last if service.last is None else max(service.last, process.last)
    for row in rows:
        kind = scan.kinds[scan.events.kind[row]]
        writer, source = scan.origins[scan.events.origin[row]]
        process = scan.processes[writer]
        if process.service in coverage:
            where = place(scan.sources[source], scan.events.line[row])
            _learn_restart(coverage[process.service], kind.row, instant(scan.events.at[row]), process.host, where, scan.facts_of(row) or {})


def _learn_restart(service: Coverage, row: str, at: int | None, host: str | None, where: Location | None, facts: dict) -> None:
    if row == SERVICE_STARTED:
        service.starts.append((at, host, where))
    elif row == VOLUME_CLEANED and facts.get("volume_id"):
        service.cleaned.setdefault(facts["volume_id"], at)


def serve_backends(timeline: Timeline, coverage: dict[str, Coverage]) -> None:
    """Learn from a request which process serves which backend, and what a starting service cleaned up."""
    for flow in timeline.flows:
        process = coverage[flow.service].processes.get(flow.process or "") if flow.service in coverage else None
        if process is not None and process.backend is None and flow.name == VOLUME_CREATE.flows[-1].name:
            process.backend = next((h.server for h in timeline.handoffs if h.receiver == flow.service and h.attempt == flow.attempt), None)
    if timeline.operation == "other":
        for event in timeline.events:
            if event.kind.row in (SERVICE_STARTED, VOLUME_CLEANED) and event.service in coverage:
                process = coverage[event.service].processes.get(event.process or "")
                _learn_restart(coverage[event.service], event.kind.row, event.at, process.host if process else None, event.where, event.facts)


def _diagnose(scan: Scan, reading: Reading, creates: list[Timeline]) -> None:
    files = (file for name in scan.sources for file in (name.files if isinstance(name, LogSet) else (name,)))
    order = {file: number for number, file in enumerate(files)}

    def rank(where: Location | None) -> tuple[int, int]:
        return (-1, 0) if where is None else (order.get(where.path, -1), where.line)

    # In the order of the logs, in which order ever the requests were put together.
    known = {d.message + str(d.where) for d in reading.diagnostics}
    told = [d for timeline in creates for d in timeline.diagnostics if d.message + str(d.where) not in known]
    reading.diagnostics += sorted(told, key=lambda d: rank(d.where))
    unrecognised = sorted((where for timeline in creates for where in timeline.unrecognised), key=rank)
    reading.unrecognised = scan.noise + len(unrecognised)
    reading.diagnostics += [
        Diagnostic("unrecognised-line", "a line of a create request that is of no kind in the message catalogue", where) for where in unrecognised[:_PLACES]
    ]
    for service in SERVICES:
        cover = reading.coverage[service]
        if not cover.present and creates:
            reading.diagnostics.append(Diagnostic("service-log-missing", f"no line of the {service} service is in these logs", place(reading.sources[0], 1)))
        elif cover.present and not cover.debug and creates:
            reading.diagnostics.append(
                Diagnostic(
                    "level-too-high", f"the {service} service's log has no DEBUG lines: its flows and tasks cannot be seen", place(reading.sources[0], 1)
                )
            )
        for at, _, where in cover.starts:
            if at is None:
                continue
            # A log may begin with the service's first start: it was started *again* if a process of it had fallen silent by then.
            if any(p.last is not None and p.last < at or p.pid is None and p.first is not None and p.first < at for p in cover.processes.values()):
                reading.diagnostics.append(Diagnostic("service-restarted", f"the {service} service was started again while the log went on", where))
