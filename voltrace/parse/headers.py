"""What stands before a record's message, taken apart once: whom a line is of (process, request) and which rows it may be of."""

from __future__ import annotations

import re

from ..formats import Context, read_context, service_of
from ..trace import EventTable, Process
from .framing import split_suffix
from .tables import NO_REQUEST, Header, Scan, Seen, Sender

NO_TIME = EventTable.NO_TIME
MANY_HEADERS = 200_000
_MOST_PENDING = 16


class Headers:
    """The headers of one source, each known by what stands before its message, and the processes that they name."""

    def __init__(self, scan: Scan, name: str, layout: str, resolution_us: int) -> None:
        self.scan, self.name = scan, name
        self._layout = layout
        self._source = scan.add_source(name, resolution_us)
        self._service = service_of(name.rsplit("/", 1)[-1])
        self._headers: dict[object, Header] = {}
        self._pending: dict[int, dict[int, None]] = {}  # of each worker of the API: the requests for which it wrote, the latest last

    def _settle_headers(self) -> None:
        found: dict[tuple[int, int], Seen] = {}
        for header in self._headers.values():
            if header.first is None or header.last is None or header.begun is None or header.ended is None:
                continue
            process = self.scan.processes[header.process]
            if header.first != NO_TIME:
                widen(process, header.first, header.last)
            if header.debug:
                self.scan.debug[header.process] = True
            if header.request != NO_REQUEST:
                seen = Seen(header.first, header.last, header.begun, header.ended)
                if (header.request, header.origin) in found:
                    found[header.request, header.origin].join(seen)
                else:
                    found[header.request, header.origin] = seen
        for (request, origin), seen in found.items():
            self.scan.seen.append(request, origin, seen)
        self._headers.clear()

    def _new_header(self, sender: Sender, head: re.Match[bytes]) -> Header:
        return self._header_of(self._process(sender, head[2].decode("utf-8", "replace")), head)

    def _header_of(self, process: int, head: re.Match[bytes]) -> Header:
        scan = self.scan
        level, logger = head[1].decode(), head[2].decode("utf-8", "replace")
        context = read_context(head[3].decode("utf-8", "replace"), self._layout)
        request = NO_REQUEST
        if context.request_id:
            request = scan.request(context.request_id)
            self._learn_context(request, context, scan.processes[process].service or logger)
        return Header(request, process, scan.origin(process, self._source), level, logger, scan.catalogue.candidates(level, logger))

    def _process(self, sender: Sender, logger: str | None) -> int:
        host, unit, pid = sender
        service = (service_of(unit) if unit else None) or self._service
        process = self.scan.process(service, host, unit, pid)
        if logger and not service:
            services = self.scan.catalogue.services(logger)
            if len(services) == 1:
                self.scan.votes[process].update(services)
        return process

    def _learn_context(self, request: int, context: Context, service: str) -> None:
        info = self.scan.info[request]
        from_api = service == "api" or service.startswith(("cinder.api.", "cinder.volume.api"))
        if context.global_request_id not in (None, "None"):
            info.global_request_id = context.global_request_id
        if (from_api or not info.from_api) and (context.project or context.user):
            info.project, info.user, info.from_api = context.project or info.project, context.user or info.user, from_api

    def _find_workers(self, header: Header, line: bytes) -> None:
        """Learn by which numbers the web server calls the worker that wrote this: it names no request."""
        process = self.scan.processes[header.process]
        if process.service not in ("api", ""):
            return
        suffix = split_suffix(line, "devstack")[1] if header.debug and self._layout == "devstack" else None
        header.pids = tuple({pid: None for pid in (process.pid, suffix.pid if suffix else None) if pid is not None})

    def _pend(self, header: Header) -> None:
        """Remember that these workers were last at work on this request."""
        for pid in header.pids:
            waiting = self._pending.setdefault(pid, {})
            waiting.pop(header.request, None)
            waiting[header.request] = None
            if len(waiting) > _MOST_PENDING:
                del waiting[next(iter(waiting))]


def widen(process: Process, first: int | None, last: int | None) -> None:
    """Let the process have lived from ``first`` to ``last``, too."""
    if first is not None and (process.first is None or first < process.first):
        process.first = first
    if last is not None and (process.last is None or last > process.last):
        process.last = last
