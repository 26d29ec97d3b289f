"""The background: what living services write when nobody asks for a volume. It shows that their logs go on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial

from .lines_api import compose_listing
from .lines_scheduler import compose_update
from .lines_volume import compose_report
from .site import Process, Site


def start_background(site: Site, stop: Callable[[], bool]) -> None:
    """Each volume service reports its capabilities and each API worker answers a monitor, once a period, until ``stop()``."""
    period = site.scenario.background_s * 1_000_000
    if period:
        for n in range(len(site.pools)):
            site.env.process(_repeat(site, period, partial(_report, site, n), stop))
        for worker in site.workers:
            site.env.process(_repeat(site, period, partial(_list_volumes, site, worker), stop))


def _repeat(site: Site, period: int, act: Callable[[], Generator], stop: Callable[[], bool]) -> Generator:
    yield site.env.timeout(site.times.randrange(period))
    while not stop():
        begun = site.env.now
        yield from act()
        yield site.env.timeout(max(1, period - (site.env.now - begun)))


def _report(site: Site, n: int) -> Generator:
    """Volume service ``n`` looks at its pool and tells the scheduler, which hears of it a little later."""
    if site.stopped:
        return
    pool = site.pools[n]
    threads = ", ".join(f"<Thread(Thread-{k} (_runner), started daemon {140205770000000 + k})>" for k in (3, 5))
    shown = {"threads": f"[<_MainThread(MainThread, started 140205891513216)>, {threads}]", "backend": pool.backend.name}
    values = site.anonymous_values(None, shown)
    site.play(site.volumes[n], site.stage.script(compose_report, pool.backend.driver), values)
    yield site.env.timeout(values["sent_at"] - site.env.now)
    pool.measure(site.env.now)
    yield site.env.timeout(site.sample("broker/cinder-scheduler"))
    received = site.anonymous_values(None, pool.fields(site.payloads))
    site.play(site.scheduler, site.stage.script(compose_update, pool.backend.driver), received)


def _list_volumes(site: Site, worker: Process) -> Generator:
    """A monitor lists the volumes, if the worker is free."""
    if not site.idle.remove(worker):
        return
    project = site.scenario.projects[0].name
    path = f"/volume/v3/{site.identities[project][0]}/volumes/detail"
    values = site.anonymous_values(project, {"path": path, "url": site.url(path), "controller": site.controller})
    site.count(worker, values, 0, 2480)
    play = site.play(worker, site.stage.script(compose_listing), values)
    yield site.env.timeout(play.last - site.env.now + 1)
    site.idle.give(worker)
