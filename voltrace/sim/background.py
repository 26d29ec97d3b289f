"""The background: what living services write when nobody asks for a volume. It shows that their logs go on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial

from .capacity import show_report
from .lines_api import compose_listing
from .lines_scheduler import compose_update
from .lines_volume import compose_report
from .site import Process, Site


def start_background(site: Site, stop: Callable[[], bool]) -> None:
    """Each volume service reports its capabilities and each API worker answers a monitor, once a period, until ``stop()``."""
    period = site.scenario.background_s * 1_000_000
    if period:
        for n, backend in enumerate(site.scenario.backends):
            every = period if backend.report_s is None else round(backend.report_s * 1_000_000)
            site.env.process(_repeat(site, every, partial(_report, site, n), stop))
        for worker in site.workers:
            site.env.process(_repeat(site, period, partial(_list_volumes, site, worker), stop))


def _repeat(site: Site, period: int, act: Callable[[], Generator], stop: Callable[[], bool]) -> Generator:
    yield site.env.timeout(site.times.randrange(period))
    while not stop():
        begun = site.env.now
        yield from act()
        yield site.env.timeout(max(1, period - (site.env.now - begun)))


def _report(site: Site, n: int) -> Generator:
    """Volume service ``n`` looks at its pools and tells the scheduler, which hears of it a little later."""
    if site.stopped:
        return
    pools, driver = site.pools_of(n), site.scenario.backends[n].driver
    threads = ", ".join(f"<Thread(Thread-{k} (_runner), started daemon {140205770000000 + k})>" for k in (3, 5))
    shown = {"threads": f"[<_MainThread(MainThread, started 140205891513216)>, {threads}]", "backend": site.scenario.backends[n].name}
    values = site.anonymous_values(None, shown)
    site.play(site.volumes[n], site.stage.script(compose_report, driver), values)
    yield site.env.timeout(site.volumes[n].true(values["sent_at"]) - site.env.now)
    heard = [(pool, pool.measure(site.env.now)) for pool in pools]
    yield site.env.timeout(site.sample("broker/cinder-scheduler"))
    for pool, stats in heard:
        pool.hear(stats)
    received = site.anonymous_values(None, show_report(pools, site.payloads, site.factored))
    site.play(site.scheduler, site.stage.script(compose_update, pools[0].finite), received)


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
