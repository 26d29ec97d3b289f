"""Where the reading runs: sources in, a `Reading` out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from itertools import chain, islice

from ..errors import SourceError
from ..lifecycle import SERVICES, VOLUME_CREATE
from ..trace import Coverage, Diagnostic, EventTable, Lines, Location, Reading, Timeline
from .bare import BareScanner
from .clock import StampReader, assumed_year, year_evidence
from .framing import Framing, detect, split_suffix
from .offsets import tell_offsets
from .order import Raw, causal_order, drop_copies, drop_stretches, merge_sources
from .packed import UNPACKERS, EntryScanner, read_entry
from .repair import read_elided
from .scan import SourceScanner, clean
from .sources import READ_ERRORS, Block, Source, blocks, find_sources, read_tail
from .steps import find_step
from .tables import NO_REQUEST, Access, Scan, Seen
from .timeline import TimelineBuilder

SERVICE_STARTED, VOLUME_CLEANED = "service-starting", "cleaning-volume"
_PLACES = 20
_BLOCKS_TO_DETECT = 4


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read: the year of year-less stamps (None: find out), the zone of zone-less ones, and whether to keep where lines lie."""

    year: int | None = None
    zone: tzinfo = UTC
    keep_lines: bool = False


def read(paths: list[str], options: ReadOptions = ReadOptions(), progress: Callable[[str, int], None] | None = None) -> Reading:
    """Read all logs under these paths. ``progress`` is called with a source's name and the bytes read of it.

    Raises UsageError if no path is there, SourceError if no source could be read as a log. A path that is not there, or a
    source that cannot be read, among others that can is a diagnostic.
    """
    scan = Scan(options.keep_lines)
    layouts: list[str] = []
    sources, nowhere = find_sources(paths)
    bad = [Diagnostic("unreadable-source", str(error), Location(path, 1)) for path, error in nowhere]
    for source in sources:
        problem = _read_source(scan, layouts, source, options, progress)
        if problem:
            bad.append(Diagnostic("unreadable-source", f"{source.name}: {problem}", Location(source.name, 1)))
    if not scan.sources:
        raise SourceError("; ".join(d.message for d in bad[:3]) or "no source could be read as a log")
    reading = assemble(scan, layouts)
    reading.diagnostics[:0] = bad
    return reading


def _read_source(scan: Scan, layouts: list[str], source: Source, options: ReadOptions, progress) -> str | None:
    """Read one source into the scan; a sentence if it could not be read, or not to its end."""
    scanner: SourceScanner | EntryScanner | None = None
    try:
        with source.open() as stream:
            pending = blocks(stream)
            framing, head = None, []
            for block in islice(pending, _BLOCKS_TO_DETECT):
                head.append(block)
                framing = detect(block.data)
                if framing is not None:
                    break
            if not head:
                return "is empty" if source.named else None
            if framing is None:
                return "is no log: none of its first lines has the shape of journalctl's formats or of oslo.log" if source.named else None
            scanner = scanner_of(scan, source.name, framing, _stamps(scan, source, framing, head[-1], options))
            layouts.append(framing.format.layout)
            for block in chain(head, pending):
                scanner.feed(block)
                if progress:
                    progress(source.name, len(block.data))
    except READ_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"could not be read{' to its end' if scanner else ''}: {reason[:1].lower() + reason[1:] if reason else type(error).__name__}"
    finally:
        if scanner is not None:
            scanner.finish()
    return None


def scanner_of(scan: Scan, name: str, framing: Framing, stamps: StampReader) -> SourceScanner | EntryScanner:
    """What reads a source of this framing into the scan."""
    if framing.packing is None:
        return SourceScanner(scan, name, framing, stamps)
    unpacker = UNPACKERS.get(framing.packing.name)
    if unpacker is None:
        return BareScanner(scan, name, framing, stamps)
    return EntryScanner(scan, name, framing.format.layout, framing.format.resolution_us, unpacker())


def _stamps(scan: Scan, source: Source, framing: Framing, first: Block, options: ReadOptions) -> StampReader:
    year = options.year
    if year is None and not framing.format.has_year:
        found = ((line, framing.format.pattern.search(line)) for line in map(clean, first.data.split(b"\n")[:5000]))
        lines = [line[match.start("stamp") :] for line, match in found if match]
        year = year_evidence(lines)
        if year is None:
            tail = [line for line in map(clean, read_tail(source).split(b"\n")) if framing.format.pattern.match(line)]
            leap = any(line.startswith(b"Feb 29") for line in chain(lines, tail))
            year = assumed_year((lines or [b""])[0], (tail or lines or [b""])[-1], source.modified(), leap)
            scan.note(
                "year-assumed", f"the stamps carry no year, and no line tells it: {year} was taken from the file's modification time", Location(source.name, 1)
            )
    return StampReader(framing.format, year, options.zone)


# -- from the scan to the reading ------------------------------------------------------------------------------------


def assemble(scan: Scan, layouts: list[str]) -> Reading:
    """The reading that a scan amounts to."""
    _settle_services(scan)
    reading = Reading(lines=scan.lines, sources=list(scan.sources))
    reading.diagnostics += scan.diagnostics
    reading.records_lost = any(d.slug == "rate-limited" for d in scan.diagnostics)
    by_request: dict[int, list[int]] = defaultdict(list)
    for row, request in enumerate(scan.events.request):
        by_request[request].append(row)
    _cover(scan, by_request.pop(NO_REQUEST, []), reading.coverage)
    names = [p.name for p in scan.processes]
    accesses = _join_accesses(scan, by_request)
    overlapping: tuple[str, ...] | None = None
    by_id: dict[str, list[Diagnostic]] = defaultdict(list)
    for diagnostic in scan.diagnostics:
        if diagnostic.request_id:
            by_id[diagnostic.request_id].append(diagnostic)
    for request, request_id in enumerate(scan.requests):
        timeline, copies = _build(
            scan, layouts, request, request_id, by_request.get(request, []), names, accesses.get(request), scan.seen.get(request, {}), by_id[request_id]
        )
        _serve_backends(timeline, reading.coverage)
        overlapping = overlapping or copies
        reading.timelines.append(timeline)
    reading.timelines.sort(key=lambda t: (t.start if t.start is not None else -1, t.request_id))
    if overlapping:
        reading.diagnostics.append(
            Diagnostic("overlapping-sources", f"the same records are in {' and '.join(overlapping)}: each was counted once", Location(overlapping[0], 1))
        )
    _diagnose(scan, reading)
    tell_offsets(reading)
    return reading


def _settle_services(scan: Scan) -> None:
    """A process whose name does not tell its service has the one that its loggers speak for."""
    for process, votes in zip(scan.processes, scan.votes):
        if not process.service and votes:
            process.service = votes.most_common(1)[0][0]


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
        process = scan.processes[scan.events.process[row]]
        if process.service in coverage:
            where = Location(scan.sources[scan.events.source[row]], scan.events.line[row])
            _learn_restart(coverage[process.service], kind.row, _instant(scan.events.at[row]), process.host, where, scan.events.facts[row] or {})


def _learn_restart(service: Coverage, row: str, at: int | None, host: str | None, where: Location | None, facts: dict) -> None:
    if row == SERVICE_STARTED:
        service.starts.append((at, host, where))
    elif row == VOLUME_CLEANED and facts.get("volume_id"):
        service.cleaned.setdefault(facts["volume_id"], at)


def _serve_backends(timeline: Timeline, coverage: dict[str, Coverage]) -> None:
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


def _build(scan: Scan, layouts, request: int, request_id: str, rows: list[int], names, access, seen: dict[tuple[int, int], Seen], noted: list[Diagnostic]):
    info = scan.info[request]
    builder = TimelineBuilder(request_id, scan.sources, names)
    raws = [_raw(scan, row) for row in rows]
    raws, repeated = drop_stretches(raws)
    if repeated:
        where = Location(scan.sources[repeated[0].source], repeated[0].line)
        builder.diagnostics.append(Diagnostic("duplicated-records", f"{len(repeated)} records of this request stand in the log twice", where, request_id))
    raws, copied = drop_copies(raws, lambda p: (scan.processes[p].host, scan.processes[p].pid))
    services: dict[str, list[Raw]] = defaultdict(list)
    for raw in raws:
        services[raw.service].append(raw)
    ordered = causal_order(VOLUME_CREATE, chain.from_iterable(merge_sources(own) for own in services.values())) if raws else []
    for raw in ordered:
        elided = None
        if raw.kind.row == "unmatched":
            layout = layouts[raw.source]
            elided = read_elided(scan.catalogue, raw.kind.level, raw.facts["logger"], raw.facts["text"], layout)
            if elided is None and raw.kind.level == "DEBUG" and split_suffix(raw.facts["text"], layout)[1] is None:
                where = Location(scan.sources[raw.source], raw.line)
                builder.diagnostics.append(Diagnostic("torn-record", "this record breaks off: its end is missing", where, request_id))
                continue
        builder.add(raw, elided)
    builder.diagnostics += noted
    step = find_step(scan.steps, seen, ordered)
    stepped = step is not None
    if step:
        builder.diagnostics.append(Diagnostic("clock-step", step[1], Location(scan.sources[step[0][0]], step[0][1]), request_id))
    spans: dict[str, tuple[int | None, int | None]] = {}
    for service in {scan.processes[process].service for process, _ in seen}:
        own = [(scan.resolution[source], span) for (process, source), span in seen.items() if scan.processes[process].service == service]
        spans[service] = _edges(own, stepped)
    start, end = _edges([(scan.resolution[source], span) for (_, source), span in seen.items()], stepped)
    timeline = builder.build(
        access=access,
        global_request_id=info.global_request_id,
        project=info.project,
        user=info.user,
        start=start,
        end=end,
        stepped=stepped,
        seen=spans,
        lines=Lines(*scan.kept[request]) if scan.kept is not None and request in scan.kept else None,
    )
    if stepped and timeline.flows:  # the files of several services have no common order: those of its first and its last flow count
        timeline = replace(timeline, start=spans[timeline.flows[0].service][0], end=spans[timeline.flows[-1].service][1])
    copies = tuple(sorted({scan.sources[scan.events.source[row]] for row in rows}))[:4] if copied else None
    return timeline, copies


def _edges(seen: list[tuple[int, Seen]], stepped: bool) -> tuple[int | None, int | None]:
    """First and last instant of these lines, each with the resolution of its stamps. Of copies of one record the finest stamp counts.

    Where the clock stepped, first and last are those of the file, not of the clock. None where no line has a stamp.
    """
    seen = [(r, s) for r, s in seen if s.first != EventTable.NO_TIME]
    if not seen:
        return None, None
    if stepped:
        return min(s.begun for _, s in seen)[1], max(s.ended for _, s in seen)[1]
    earliest = min(s.first + r for r, s in seen)
    start = min((r, s.first) for r, s in seen if s.first < earliest)[1]
    latest = max(s.last for _, s in seen)
    end = max((-r, s.last) for r, s in seen if s.last + max(r, 1) > latest or any(s.last // q == latest // q for q, _ in seen))[1]
    return start, end


def _instant(at: int) -> int | None:
    return None if at == EventTable.NO_TIME else at


def _raw(scan: Scan, row: int) -> Raw:
    events = scan.events
    at, source, process = events.at[row], events.source[row], events.process[row]
    return Raw(
        _instant(at),
        scan.resolution[source],
        scan.processes[process].service,
        scan.kinds[events.kind[row]],
        events.uuid[row],
        events.facts[row] or {},
        source,
        events.line[row],
        process,
    )


def _join_accesses(scan: Scan, by_request: dict[int, list[int]]) -> dict[int, Access]:
    """The web server's lines, each with the one request that it can be about: by worker, order, method, path and status."""
    joined: dict[int, Access] = {}
    for access in scan.accesses:
        fitting = []
        for request in access.pending:
            if request in joined:
                continue
            facts = _answer_facts(scan, by_request.get(request, ()))
            if facts.get("status") in (None, access.status) and facts.get("method") in (None, access.method) and _same_path(facts.get("url"), access.path):
                fitting.append((request, facts))
        answered = [request for request, facts in fitting if facts.get("status") == access.status]
        unique = answered if len(answered) == 1 else [request for request, _ in fitting]
        if len(unique) == 1:
            joined[unique[0]] = access
    return joined


def _answer_facts(scan: Scan, rows: Iterable[int]) -> dict:
    found: dict = {}
    for row in rows:
        facts = scan.events.facts[row]
        if facts:
            for name in ("method", "url", "status"):
                if name in facts:
                    found.setdefault(name, facts[name])
    return found


def _same_path(url: str | None, path: str) -> bool:
    return (
        url is None
        or url.partition("?")[0].endswith(path.partition("?")[0])
        or path.partition("?")[0].endswith(url.partition("://")[2].partition("/")[2] or url)
    )


def _diagnose(scan: Scan, reading: Reading) -> None:
    creates = list(reading.creates())
    known = {d.message + str(d.where) for d in reading.diagnostics}
    for timeline in creates:
        reading.diagnostics += [d for d in timeline.diagnostics if d.message + str(d.where) not in known]
    unrecognised = [where for timeline in creates for where in timeline.unrecognised]
    reading.unrecognised = scan.noise + len(unrecognised)
    reading.diagnostics += [
        Diagnostic("unrecognised-line", "a line of a create request that is of no kind in the message catalogue", where) for where in unrecognised[:_PLACES]
    ]
    for service in SERVICES:
        cover = reading.coverage[service]
        if not cover.present and creates:
            reading.diagnostics.append(Diagnostic("service-log-missing", f"no line of the {service} service is in these logs", Location(reading.sources[0], 1)))
        elif cover.present and not cover.debug and creates:
            reading.diagnostics.append(
                Diagnostic(
                    "level-too-high", f"the {service} service's log has no DEBUG lines: its flows and tasks cannot be seen", Location(reading.sources[0], 1)
                )
            )
        for at, _, where in cover.starts:
            if at is None:
                continue
            # A log may begin with the service's first start: it was started *again* if a process of it had fallen silent by then.
            if any(p.last is not None and p.last < at or p.pid is None and p.first is not None and p.first < at for p in cover.processes.values()):
                reading.diagnostics.append(Diagnostic("service-restarted", f"the {service} service was started again while the log went on", where))


def fetch_lines(timeline: Timeline, sources: list[str], limit: int | None = None) -> list[tuple[Location, str]]:
    """The log lines of a request, as text, from the sources they lie in. Lines that can no longer be read are left out."""
    lines = timeline.lines
    if lines is None:
        return []
    by_source: dict[int, list[int]] = defaultdict(list)
    for i, source in enumerate(lines.source):
        by_source[source].append(i)
    found: dict[int, tuple[Location, str]] = {}
    for source, rows in by_source.items():
        name = sources[source]
        try:
            with Source(name, name).open() as stream:
                for i in rows[:limit]:
                    stream.seek(lines.offset[i])
                    data = stream.read(lines.length[i])
                    text = read_entry(data) if data.startswith((b"{", b"_")) else None
                    found[i] = (Location(name, lines.line[i]), text if text is not None else data.decode("utf-8", "replace"))
        except READ_ERRORS:
            continue
    return [found[i] for i in sorted(found)]
