"""The services start when the log begins: the scheduler, then a volume service for each backend. Clients come when all are up."""

from __future__ import annotations

from collections.abc import Generator

from .lines_living import compose_scheduler_listens, compose_scheduler_start, compose_volume_start
from .site import Process, Site

_MARGIN_US = 1_000_000


def start_services(site: Site) -> int:
    """Writes the services' start, if the scenario has it, and returns the instant at which all are up. The web server's own start is not in Cinder's log."""
    scenario = site.scenario
    if not scenario.start_up:
        return int(site.env.now)
    up = max(start_scheduler(site, n) for n in range(len(site.schedulers)))
    for n, process in enumerate(site.volumes):
        backend = scenario.backends[n]
        values = site.anonymous_values(None, {"backend": backend.name, "service_id": n + 2})
        up = max(up, site.play(process, site.stage.script(compose_volume_start, backend.driver, 0), values).last)
    return int(up) + _MARGIN_US


def start_scheduler(site: Site, n: int) -> int:
    """Writes the start of scheduler ``n``, and returns the instant from which it takes messages."""
    scenario, process = site.scenario, site.schedulers[n].process
    shown = {
        "service_id": len(scenario.backends) + 1 + n if n else 1,
        "node": process.host,
        "zone": scenario.zone,
        "max_attempts": scenario.max_attempts,
        "default_type": scenario.default_type,
        "all_backends": [b.name for b in scenario.backends if b.name] or None,
        "filters": list(scenario.filters),
        "weighers": list(scenario.weighers),
    }
    up = site.play(process, site.stage.script(compose_scheduler_start), site.anonymous_values(None, shown)).last + 1
    site.env.process(after(site, up, _listen(site, process, shown)))
    return up


def _listen(site: Site, process: Process, shown: dict) -> Generator:
    site.play(process, site.stage.script(compose_scheduler_listens), site.anonymous_values(None, shown))
    return
    yield  # a process that takes no time of its own


def after(site: Site, instant: int, client: Generator) -> Generator:
    """A client who comes at this instant."""
    yield site.env.timeout(max(0, instant - site.env.now))
    yield from client
