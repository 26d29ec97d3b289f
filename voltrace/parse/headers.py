"""What stands before a record's message, taken apart once: whom a line is of (process, request) and which rows it may be of."""

from __future__ import annotations

import re

from ..formats import Context, read_context, service_of
from ..trace import EventTable, Process
from .framing import split_suffix
from .tables import NO_REQUEST, Header, Scan, Seen, Sender

NO_TIME = EventTable.NO_TIME
MANY_HEADERS = 200_000


class Headers:
    """The headers of one source, each known by what stands before its message, and the processes that they name."""

    def __init__(self, scan: Scan, name: str, layout: str, resolution_us: int) -> None:
        self.scan, self.name = scan, name
        self._layout = layout
        self._source = scan.add_source(name, resolution_us)
        self._service = service_of(name.rsplit("/", 1)[-1])
        self._headers: dict[object, Header] = {}
        self._pending: dict[int, list[int]] = {}

    def _settle_headers(self) -> None:
        seen = self.scan.seen
        for header in self._headers.values():
            if header.first is None or not header.count:
                continue
            process = self.scan.processes[header.process]
            if header.first != NO_TIME:
                widen(process, header.first, header.last)
            if header.debug:
                self.scan.debug[header.process] = True
            if header.request != NO_REQUEST and header.begun and header.ended and header.last is not None:
                of_request = seen.setdefault(header.request, {})
                key = (header.process, self._source)
                span = of_request.get(key)
                if span is None or span.first == NO_TIME:  # what has no stamp tells no instant
                    of_request[key] = Seen(header.first, header.last, header.begun, header.ended)
                elif header.first != NO_TIME:
                    span.first, span.last = min(span.first, header.first), max(span.last, header.last)
                    span.begun, span.ended = min(span.begun, header.begun), max(span.ended, header.ended)
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
        return Header(request, process, level, logger, scan.catalogue.candidates(level, logger))

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

    def _pend(self, header: Header, line: bytes) -> None:
        """Remember that this worker is at work on this request, for the web server's line that names no request."""
        if self.scan.processes[header.process].service not in ("api", ""):
            return
        pids = {self.scan.processes[header.process].pid}
        if header.debug and self._layout == "devstack":
            suffix = split_suffix(line, "devstack")[1]
            if suffix and suffix.pid:
                pids.add(suffix.pid)
        for pid in pids:
            if pid is not None:
                waiting = self._pending.setdefault(pid, [])
                if header.request not in waiting:
                    waiting.append(header.request)
                    del waiting[:-16]


def widen(process: Process, first: int | None, last: int | None) -> None:
    """Let the process have lived from ``first`` to ``last``, too."""
    if first is not None and (process.first is None or first < process.first):
        process.first = first
    if last is not None and (process.last is None or last > process.last):
        process.last = last
