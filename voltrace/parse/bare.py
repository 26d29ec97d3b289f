"""The journal's `cat`: bare messages, without stamp, host and process. The service is told by the logger; the order is the file's."""

from __future__ import annotations

import re

from ..formats import HEAD, read_context, service_of
from ..lifecycle import VOLUME_CREATE
from ..trace import Location
from .clock import StampReader
from .framing import ACCESS, JOURNAL_NOTE, SUPPRESSED, TRACEBACK, Framing
from .headers import NO_TIME
from .scan import SourceScanner
from .tables import NO_REQUEST, Header, Scan, Sender

_OF_FLOWS = {flow.logger: flow.service for flow in VOLUME_CREATE.flows}


class BareScanner(SourceScanner):
    """Reads the lines of one source of bare messages. All processes of a service are as one: nothing tells them apart."""

    def __init__(self, scan: Scan, name: str, framing: Framing, stamps: StampReader) -> None:
        super().__init__(scan, name, framing, stamps)
        self._at_work: dict[int, list[str]] = {}  # the services that have written for a request, the latest last

    def _line(self, line: bytes, number: int, offset: int, length: int) -> None:
        cut = line.find(b"] ")
        header = self._headers.get(line[:cut]) if cut >= 0 else None
        if header is None:
            head = HEAD.match(line)
            if head is None:
                self._headerless(line, number)
                return
            header, cut = self._find_header(line, head), head.end() - 2
        if header.request != NO_REQUEST:
            self._note_service(header)
        self._record(header, line, cut + 2, NO_TIME, number, offset, length)

    def _find_header(self, line: bytes, head: re.Match[bytes]) -> Header:
        """The header of a line: known by its text alone only if that tells the service."""
        services = self._services(head[2].decode("utf-8", "replace"))
        service = services[0] if len(services) == 1 else self._guess(services, line, head)
        process = self.scan.process(service, None, None, None)
        key = line[: head.end(3)] if len(services) == 1 else (line[: head.end(3)], process)
        self._make_room()
        header = self._headers.get(key)
        if header is None:
            header = self._headers[key] = self._header_of(process, head)
        return header

    def _services(self, logger: str) -> tuple[str, ...]:
        """The services of which a line of this logger may be."""
        if self._service:
            return (self._service,)
        if logger in _OF_FLOWS:
            return (_OF_FLOWS[logger],)
        return tuple(sorted(self.scan.catalogue.services(logger)))

    def _guess(self, services: tuple[str, ...], line: bytes, head: re.Match[bytes]) -> str | None:
        """The service of a logger that several have: the one that wrote for this request last, or the one that the message names."""
        request_id = read_context(head[3].decode("utf-8", "replace"), self._layout).request_id
        at_work = self._at_work.get(self.scan.request(request_id), []) if request_id else []
        known = next((s for s in reversed(at_work) if s in services or not services), None)
        return known or service_of(line[head.end() : head.end() + 80].decode("utf-8", "replace"))

    def _note_service(self, header: Header) -> None:
        service = self.scan.processes[header.process].service
        at_work = self._at_work.setdefault(header.request, [])
        if service and at_work[-1:] != [service]:
            if service in at_work:
                at_work.remove(service)
            at_work.append(service)

    def _headerless(self, line: bytes, number: int) -> None:
        """A line without level, logger and bracket: of the web server, of the journal, a traceback, the rest of the record before it, or
        what another program wrote: any text may be a whole message, so that none is unrecognised."""
        access, traceback, suppressed = ACCESS.match(line), TRACEBACK.match(line), SUPPRESSED.match(line)
        services = self._services(traceback[1].decode("utf-8", "replace")) if traceback else ()
        if access:
            self._headless(Sender(), line, NO_TIME, number)
        elif len(services) == 1:
            self._continue(self.scan.process(services[0], None, None, None), line)
        elif suppressed and not self._unfinished:
            self.scan.note("rate-limited", f"the journal dropped {int(suppressed[1])} records", Location(self.name, number))
        elif self._last is not None and not JOURNAL_NOTE.match(line):
            self._continue(self._last.process, line)
