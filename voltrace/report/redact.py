"""A reading without the names in it: projects, users, volume names, hosts, addresses and folders become stable pseudonyms.

The same name gives the same pseudonym throughout one report. Names are also replaced where messages quote them; what else
free text may hold nobody can know, so source lines are dropped wholly (`pages.compose`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ..trace import Answer, Coverage, Diagnostic, Failure, HostClock, Location, Reading, Timeline
from ..verdict import Deviation, Verdict

_HEX = "[0-9A-Fa-f]{1,4}"
_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)"
    rf"|(?<![\w:])(?=[0-9A-Fa-f:]*[0-9A-Fa-f])(?:{_HEX}(?::{_HEX})*)?::(?:{_HEX}(?::{_HEX})*)?(?![\w:])"
    rf"|(?<![\w:]){_HEX}(?::{_HEX}){{4,7}}(?![\w:])"
)
_PROJECT_IN_PATH = re.compile(r"(?<=/)[0-9a-f]{32}(?=/|$)|(?<=/)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=/|$)")


def redact(reading: Reading, verdicts: Mapping[str, Verdict]) -> tuple[Reading, dict[str, Verdict]]:
    """Copies of a reading and its verdicts in which names are pseudonyms."""
    mask = _Mask(reading)
    shown = Reading(
        timelines=[mask.timeline(t) for t in reading.timelines],
        coverage={service: mask.coverage(c) for service, c in reading.coverage.items()},
        diagnostics=[mask.diagnostic(d) for d in reading.diagnostics],
        lines=reading.lines,
        unrecognised=reading.unrecognised,
        sources=[mask.path(s) for s in reading.sources],
        records_lost=reading.records_lost,
    )
    return shown, {key: v._replace(deviations=tuple(map(mask.deviation, v.deviations))) for key, v in verdicts.items()}


class _Mask:
    """Pseudonyms by kind of name, given in the order in which names are met."""

    def __init__(self, reading: Reading):
        self._names: dict[str, dict[str, str]] = {}
        self.volumes: dict[str, tuple[str | None, str | None]] = {}
        for path in reading.sources:
            self.name("folder", _folder(path))
        for timeline in reading.timelines:
            for kind, name in (("project", timeline.project), ("user", timeline.user)):
                self.name(kind, name)
            for backend in (timeline.backend, *(f.backend for f in timeline.failures), *(h.server for h in timeline.handoffs)):
                self.name("host", _host(backend))
            # In messages a volume's name is looked for only where its own request speaks: thousands of names make a slow pattern.
            self.volumes[timeline.request_id] = timeline.name, self.name("volume", timeline.name)
            for project in _PROJECT_IN_PATH.findall(timeline.answer.path or ""):
                self.name("project", project)
        for coverage in reading.coverage.values():
            for process in coverage.processes.values():
                self.name("host", process.host)
        known = {name: pseudonym for kind, names in self._names.items() if kind != "volume" for name, pseudonym in names.items()}
        words = sorted(known, key=lambda name: (-len(name), name))
        self._known = known
        self._pattern = re.compile("|".join(rf"(?<!\w){re.escape(w)}(?!\w)" for w in words)) if words else None

    def name(self, kind: str, name: str | None) -> str | None:
        """The pseudonym of a name of that kind; a new one if it has none."""
        if not name:
            return name
        names = self._names.setdefault(kind, {})
        return names.setdefault(name, f"{kind}-{len(names) + 1}")

    def text(self, text: str | None, request_id: str | None = None) -> str | None:
        """Free text with every known name, the volume's name of that request, and every address replaced."""
        if text is None:
            return None
        name, pseudonym = self.volumes.get(request_id or "", (None, None))
        if name and pseudonym:
            text = text.replace(name, pseudonym)
        if self._pattern:
            text = self._pattern.sub(lambda m: self._known[m[0]], text)
        return _ADDRESS.sub(lambda m: self.name("address", m[0]) or "", text)

    def path(self, path: str) -> str:
        folder = self.name("folder", _folder(path))
        base = self.text(path.rsplit("/", 1)[-1]) or ""
        return f"{folder}/{base}" if folder else base

    def place(self, where: Location | None) -> Location | None:
        return None if where is None else Location(self.path(where.path), where.line)

    def backend(self, backend: str | None) -> str | None:
        host = _host(backend)
        return None if backend is None else f"{self.name('host', host)}{backend[len(host or '') :]}" if host else self.text(backend)

    def diagnostic(self, d: Diagnostic) -> Diagnostic:
        return replace(d, message=self.text(d.message, d.request_id) or "", where=self.place(d.where))

    def deviation(self, d: Deviation) -> Deviation:
        def said(text: str | None) -> str | None:
            return self.text(text, d.request_id)

        return replace(d, message=said(d.message) or "", expected=said(d.expected), observed=said(d.observed), where=self.place(d.where))

    def failure(self, f: Failure, request_id: str) -> Failure:
        return replace(f, backend=self.backend(f.backend), message=self.text(f.message, request_id), where=self.place(f.where))

    def coverage(self, c: Coverage) -> Coverage:
        processes = {
            self.name("process", name) or "": replace(p, host=self.name("host", p.host), backend=self.backend(p.backend)) for name, p in c.processes.items()
        }
        return replace(c, processes=processes)

    def clock(self, c: HostClock) -> HostClock:
        processes = frozenset(self.name("process", process) or "" for process in sorted(c.processes))
        return replace(c, host=self.name("host", c.host) or "", against=self.name("host", c.against) or "", processes=processes)

    def timeline(self, t: Timeline) -> Timeline:
        flows = tuple(
            replace(f, where=self.place(f.where), process=self.name("process", f.process), tasks=tuple(replace(k, where=self.place(k.where)) for k in f.tasks))
            for f in t.flows
        )
        path = t.answer.path and self.text(_PROJECT_IN_PATH.sub(lambda m: self.name("project", m[0]) or "", t.answer.path))
        return replace(
            t,
            project=self.name("project", t.project),
            user=self.name("user", t.user),
            name=self.name("volume", t.name),
            availability_zone=self.text(t.availability_zone),
            source=self.text(t.source),
            answer=Answer(t.answer.method, path, t.answer.status),
            backend=self.backend(t.backend),
            flows=flows,
            handoffs=tuple(replace(h, server=self.backend(h.server), where=self.place(h.where)) for h in t.handoffs),
            failures=tuple(self.failure(f, t.request_id) for f in t.failures),
            diagnostics=tuple(self.diagnostic(replace(d, request_id=t.request_id)) for d in t.diagnostics),
            events=tuple(e._replace(facts={}, process=self.name("process", e.process), where=self.place(e.where)) for e in t.events),
            clocks=tuple(map(self.clock, t.clocks)),
            where=self.place(t.where),
            lines=None,
        )


def _folder(path: str) -> str:
    return path.rsplit("/", 1)[0] if "/" in path else ""


def _host(backend: str | None) -> str | None:
    return re.split("[@#]", backend, maxsplit=1)[0] if backend else None
