"""What stands before a record's message, taken apart once: whom a line is of (process, request) and which rows it may be of."""

from __future__ import annotations

import re
from array import array
from sys import intern

from ..formats import PLAIN_CONTEXT, read_context, service_of
from ..trace import EventTable, Process
from .tables import NO_REQUEST, Header, Scan, Seen, Sender

NO_TIME = EventTable.NO_TIME
MANY_HEADERS = 2_000  # known at once: those of lines that the fast way declines, or of what a few hundred requests say
MOST_PENDING = 16
_WORKER = re.compile(rb"\{\{\(pid=(\d{1,10})\)")


class Headers:
    """The headers of one source, each known by what stands before its message, and the processes that they name."""

    def __init__(self, scan: Scan, name: str, layout: str, resolution_us: int) -> None:
        self.scan, self.name = scan, name
        self._layout = layout
        self._source = scan.add_source(name, resolution_us)
        self._service = service_of(name.rsplit("/", 1)[-1])
        self._headers: dict[object, Header] = {}
        self._pending = Pending()
        self._pended: tuple[int, bool, int] | None = None  # the latest header (its `whom`) of which that was told
        self._latest = array("q")  # of each process: its latest instant in this source, `NO_TIME` if there is none
        self._busy = bytearray()  # of each process: whether a record of it is open
        self._begun_busy = False  # whether a process counts as busy until its first record: it may go on with one that began before this piece
        self._make_room()

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
        level, logger = head[1].decode(), intern(head[2].decode("utf-8", "replace"))
        request = self._request_of(head[3], self._is_api(process, logger))
        header = Header(request, process, scan.origin(process, self._source), level, logger, scan.catalogue.candidates(level, logger))
        header.is_api = request != NO_REQUEST and self._may_be_api(process)
        return header

    def _request_of(self, context: bytes, is_api: bool) -> int:
        """The request that a bracket's inside names; what else it says is kept."""
        found = read_context(context.decode("utf-8", "replace"), self._layout)
        if not found.request_id:
            return NO_REQUEST
        request = self.scan.request(found.request_id)
        self.scan.learn_context(request, found.global_request_id, found.project, found.user, is_api)
        return request

    def read_request(self, context: bytes, is_api: bool) -> int:
        """The same; told at once where a request's id is all that is wanted of a context, and it looks as most do."""
        plain = PLAIN_CONTEXT.fullmatch(context) if self.scan.wanted is not None and self._layout != "oslo" else None
        return self.scan.request(plain[1].decode()) if plain else self._request_of(context, is_api)

    def _may_be_api(self, process: int) -> bool:
        return self.scan.processes[process].service in ("api", "")

    def _is_api(self, process: int, logger: str) -> bool:
        """Whether a line of this process and logger names the user as the API does."""
        service = self.scan.processes[process].service or logger
        return service == "api" or service.startswith(("cinder.api.", "cinder.volume.api"))

    def _process(self, sender: Sender, logger: str | None) -> int:
        host, unit, pid = sender
        service = (service_of(unit) if unit else None) or self._service
        process = self.scan.process(service, host, unit, pid)
        self._make_room()
        if logger and not service:
            self.scan.votes[process].add(logger)
        return process

    def _make_room(self) -> None:
        new = len(self.scan.processes) - len(self._busy)
        if new > 0:
            self._latest.extend([NO_TIME] * new)
            self._busy.extend((b"\1" if self._begun_busy else b"\0") * new)

    def _pend(self, whom: tuple[int, bool, int], line: bytes) -> None:
        """Remember that the worker that wrote this line was at work on this request, for the web server's line names no request."""
        process, debug, request = self._pended = whom
        pid = self.scan.processes[process].pid
        worker = worker_pid(line) if debug and self._layout == "devstack" else None
        if pid is not None:
            self._pending.push(pid, request)
        if worker is not None and worker != pid:
            self._pending.push(worker, request)


class Pending:
    """Which requests each worker of the API was last at work on, the latest last."""

    def __init__(self) -> None:
        self._of: dict[int, dict[int, None]] = {}

    def push(self, pid: int, request: int) -> None:
        """This worker writes for this request."""
        waiting = self._of.setdefault(pid, {})
        waiting.pop(request, None)
        waiting[request] = None
        if len(waiting) > MOST_PENDING:
            del waiting[next(iter(waiting))]

    def pop(self, pid: int) -> tuple[int, ...]:
        """The requests that this worker was at work on; they are forgotten."""
        return tuple(self._of.pop(pid, ()))

    def all(self) -> dict[int, tuple[int, ...]]:
        """The same of all workers; nothing is forgotten."""
        return {pid: tuple(waiting) for pid, waiting in self._of.items() if waiting}


def worker_pid(line: bytes) -> int | None:
    """The worker's pid in DevStack's debug suffix: the journal's own may be that of its parent."""
    at = line.rfind(b"{{(pid=")
    found = _WORKER.match(line, at) if at >= 0 else None
    return int(found[1]) if found else None


def widen(process: Process, first: int | None, last: int | None) -> None:
    """Let the process have lived from ``first`` to ``last``, too."""
    if first is not None and (process.first is None or first < process.first):
        process.first = first
    if last is not None and (process.last is None or last > process.last):
        process.last = last
