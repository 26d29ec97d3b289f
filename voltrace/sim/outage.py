"""What can befall a whole run: the rows that `[[faults]]` of a scenario name. `outages` does them."""

from __future__ import annotations

from dataclasses import dataclass

from ..lifecycle import SERVICES


@dataclass(frozen=True, slots=True)
class Outage:
    """A kind of fault of a run. ``keys`` are those of `[[faults]]` that it needs beside ``at_s``; ``diagnostics`` are those of requests that it touches.

    ``foretold``: what is left of the logs proves the same outcomes.
    """

    kind: str
    text: str
    keys: tuple[str, ...] = ("for_s",)
    diagnostics: tuple[str, ...] = ()
    foretold: bool = True


OUTAGES = {
    o.kind: o
    for o in (
        Outage("scheduler-down", "the scheduler is stopped and started again; what is cast to it waits in the broker", diagnostics=("service-restarted",)),
        Outage(
            "volume-down",
            "the volume services are stopped and started again; what is cast to them waits, and after a minute the scheduler takes them for down",
            diagnostics=("service-restarted",),
        ),
        Outage("broker-outage", "the broker is out: the API cannot cast and answers 500, what is on its way arrives when the broker is back"),
        Outage("clock-stepped", "the clock of all hosts is set back", keys=("by_s",), diagnostics=("clock-step",)),
        Outage("file-rotated", "the service's file is rotated: what it held until then is in NAME.log.1", keys=("service",)),
        Outage(
            "file-exported-twice",
            "the service's journal is exported twice: NAME.log.1 ends so much later than NAME.log begins",
            keys=("service", "for_s"),
            diagnostics=("overlapping-sources",),
        ),
        Outage(
            "file-lost",
            "of the service's rotated files one is lost: NAME.log.1 ends at `at_s`, NAME.log begins so much later",
            keys=("service", "for_s"),
            diagnostics=("log-gap",),
            foretold=False,
        ),
        Outage(
            "file-cut",
            "the copy of the service's file breaks off in a record: the first after `at_s`, or the last if that is not given",
            keys=("service",),
            diagnostics=("truncated-file",),
            foretold=False,
        ),
    )
}
SERVICE_CHOICES = ("", *SERVICES)
