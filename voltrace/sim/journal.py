"""The journal's rate limit: lines that a unit writes beyond it are dropped, and the journal says how many it has dropped.

As systemd does it (src/journal/journald-rate-limit.c): an interval begins with the first message after the last interval has passed;
that message is kept, up to the burst's number of messages follow it, the others are counted and dropped. The first message of the next
interval makes the journal write ``Suppressed N messages from UNIT`` in front of it. A line is a message. (journald makes the burst larger
where the disk has much room; a scenario's number is what comes of that.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..encode import instant
from ..formats import IDENTIFIERS, UNITS, Format
from .cloud import Scenario

if TYPE_CHECKING:
    from .truth import Story

_REQUEST_ID = re.compile(r"\breq-[0-9a-f-]{36}")
_HEAD = 600  # characters of a line in which host and request stand
_PID = 287
SLUG = "rate-limited"


@dataclass(slots=True)
class _Unit:
    """A unit's interval: when it began (µs), how many lines were kept and how many dropped."""

    begin: int | None = None
    kept: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Journal:
    """The limits of a run's hosts: lines and µs by host. ``losses`` are the requests that lost lines: where and when first.

    ``sender`` finds a line's stamp and host; ``name`` is how the journal itself signs.
    """

    limits: dict[str, tuple[int, int]]
    sender: re.Pattern[str]
    name: str = "systemd-journald"
    units: dict[tuple[str, str], _Unit] = field(default_factory=dict)
    losses: dict[str, tuple[str, int]] = field(default_factory=dict)
    lossy: bool = False

    def limit(self, records: list[tuple[int, int, str]], services: tuple[str, ...]) -> list[tuple[int, int, str]]:
        """What is left of records, which come in their order (instant, number of the service, text), with what the journal says in between."""
        left: list[tuple[int, int, str]] = []
        for at, number, record in records:
            sender, service = self.sender.match(record, 0, _HEAD), services[number]
            if sender is None or sender[2] not in self.limits:
                left.append((at, number, record))
                continue
            unit = self.units.setdefault((service, sender[2]), _Unit())
            burst, interval = self.limits[sender[2]]
            lines = []
            for line in record.split("\n"):
                if unit.begin is None or unit.begin + interval < at:
                    if unit.dropped:
                        lines.append(f"{sender[1]} {sender[2]} {self.name}[{_PID}]: Suppressed {unit.dropped} messages from {UNITS[service]}")
                    unit.begin, unit.kept, unit.dropped = at, 0, 0
                if unit.kept < burst:
                    unit.kept += 1
                    lines.append(line)
                else:
                    unit.dropped += 1
                    self._lose(service, at, record)
            if lines:
                left.append((at, number, "\n".join(lines)))
        return left

    def _lose(self, service: str, at: int, record: str) -> None:
        self.lossy = True
        for request_id in _REQUEST_ID.findall(record, 0, _HEAD):
            self.losses.setdefault(request_id, (service, at))

    def announce(self, stories: dict[str, Story]) -> None:
        """Adds to the faults of each request what the dropped lines mean for it: what is left of them may prove its outcome or not."""
        if not self.lossy:
            return
        for request_id, story in stories.items():
            # What rests on silence is proved no more for anybody, once a journal has dropped anything.
            for fault in story.faults:
                if fault["expect"]["deviations"]:
                    fault["expect"] = {"outcome": "unknown", "cause": "records-lost", "deviations": [], "diagnostics": [SLUG]}
            if request_id in self.losses:
                service, at = self.losses[request_id]
                expect = {"outcome": None, "cause": None, "deviations": [], "diagnostics": [SLUG]}
                story.faults = [*story.faults, {"kind": SLUG, "service": service, "at": instant(at), "expect": expect}]


def open_journal(scenario: Scenario, format: Format) -> Journal | None:
    """The journals of a scenario that limits them; None if none does, and for files that no journal keeps."""
    limits = {host.name: (host.journal_burst, round(host.journal_interval_s * 1e6)) for host in scenario.hosts if host.journal_burst}
    if not limits or format.layout != "devstack":
        return None
    names = "|".join(re.escape(name) for name in (*IDENTIFIERS.values(), *UNITS.values()))
    own = "systemd-journald.service" if format.name == "with-unit" else "systemd-journald"
    return Journal(limits, re.compile(rf"(.+?) (\S+) (?:{names})\[\d+\]: "), own)
