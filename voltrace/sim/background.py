"""The background: what living services write when nobody asks for a volume. It shows that their logs go on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial

from ..lifecycle import SCHEDULER_TOPIC
from .capacity import Stats, show_report
from .follow import follow
from .lines_api import compose_get
from .lines_living import compose_expiry, compose_report, compose_update
from .machines import claim, play_on
from .schedulers import Scheduler
from .site import Process, Site

_REST = (0, 1, 1)  # how many rounds a periodic task lets pass after it ran: its jitter makes it late for the next more often than not


def start_background(site: Site, stop: Callable[[], bool]) -> None:
    """Each volume service sees to its periodic tasks and each API worker answers a monitor, once a period, until ``stop()``."""
    period = site.scenario.background_s * 1_000_000
    if period:
        for n, backend in enumerate(site.scenario.backends):
            every = period if backend.report_s is None else round(backend.report_s * 1_000_000)
            site.env.process(_live(site, n, every, stop))
        for n in range(len(site.workers)):
            site.env.process(_repeat(site, period, partial(_list_volumes, site, n), stop))
        if site.scenario.start_up:
            for scheduler in site.schedulers:
                site.env.process(_expire(site, scheduler, period))


def _repeat(site: Site, period: int, act: Callable[[], Generator], stop: Callable[[], bool]) -> Generator:
    yield site.env.timeout(site.times.randrange(period))
    while not stop():
        begun = site.env.now
        yield from act()
        yield site.env.timeout(max(1, period - (site.env.now - begun)))


def _live(site: Site, n: int, period: int, stop: Callable[[], bool]) -> Generator:
    """The periodic tasks of volume service ``n``, all under the request id of its process. In the last round it reports in any case."""
    rests, told, process, request_id = [0, 0], None, None, ""
    yield site.env.timeout(site.times.randrange(period))
    last = False
    while not last:
        begun, last = site.env.now, stop()
        due = [last and not task or not rest for task, rest in enumerate(rests)]
        rests = [site.times.choice(_REST) if runs else rest - 1 for runs, rest in zip(due, rests)]
        if not site.stopped and any(due):
            if process is not site.volumes[n]:
                process, request_id = site.volumes[n], f"req-{site.ids.one()}"
            state = [(pool.stock.used, pool.stock.volumes) for pool in site.pools_of(n)]
            moved = [pool for k, pool in enumerate(site.pools_of(n)) if told is None or state[k] != told[k]]
            yield from _report(site, n, request_id, due[0], due[1], bool(moved) and all(pool.finite for pool in moved))
            told = state if due[0] else told
        yield site.env.timeout(max(1, period - (site.env.now - begun)))


def _report(site: Site, n: int, request_id: str, reports: bool, counts: bool, published: bool) -> Generator:
    """Volume service ``n`` looks at its pools and tells the schedulers, which hear of it a little later.

    The room is ``published`` where a pool's has changed; Cinder breaks off where one of these is endless.
    """
    pools, backend = site.pools_of(n), site.scenario.backends[n]
    threads = ("Thread-1 (_beat_forever_until_stopped)", "Rabbit-heartbeat", "Thread-3 (_runner)", "Thread-5 (_runner)")
    listed = ", ".join(f"<Thread({name}, started daemon {140205770469504 + 65536 * k})>" for k, name in enumerate(threads))
    shown = {"threads": f"[<_MainThread(MainThread, started 140205891513216)>, {listed}]", "backend": backend.name, "request_id": request_id}
    values = site.anonymous_values(None, shown)
    script = site.stage.script(compose_report, backend.driver, reports, counts)
    if script.pauses:
        site.play(site.volumes[n], script, values)
    if not reports:
        return
    yield site.env.timeout(site.volumes[n].true(values["sent_at"]) - site.env.now)
    told = [pool.measure(site.env.now) for pool in pools]
    for scheduler in site.schedulers[1:]:
        follow(_hear(site, scheduler, n, told, published))
    yield from _hear(site, site.schedulers[0], n, told, published)


def _hear(site: Site, scheduler: Scheduler, n: int, told: list[Stats], published: bool) -> Generator:
    """The report reaches a scheduler: each has a queue of its own for what all of them are told."""
    yield site.env.timeout(site.sample("broker/cinder-scheduler"))
    if not site.broker.listens(SCHEDULER_TOPIC):
        return
    pools = [scheduler.pools[k] for k in site.layout.homes[n]]
    for pool, stats in zip(pools, told):
        pool.hear(stats)
    received = site.anonymous_values(None, show_report(pools, site.payloads, site.factored))
    thick = sum(pool.finite and not pool.thin for pool in pools)
    site.play(scheduler.process, site.stage.script(compose_update, published, thick), received)


def _expire(site: Site, scheduler: Scheduler, period: int) -> Generator:
    """The scheduler's own tasks run soon after its start; the next time would be a day later."""
    yield site.env.timeout(site.times.randrange(period, 2 * period))
    site.play(scheduler.process, site.stage.script(compose_expiry), site.anonymous_values())


def _list_volumes(site: Site, n: int) -> Generator:
    """A monitor lists the volumes, if worker ``n`` is free."""
    worker = site.workers[n]
    if site.idle.remove(worker):
        yield from answer_get(site, worker, site.scenario.projects[0].name, "volumes/detail", "volume-get-all", "detail", 2480)


def answer_get(site: Site, worker: Process, project: str, what: str, said: str, method: str, size: int) -> Generator:
    """A worker answers a GET of ``what`` with ``size`` bytes, and is free again."""
    path = f"/volume/v3/{site.identities[project][0]}/{what}"
    values = site.anonymous_values(project, {"path": path, "url": site.url(path), "controller": site.controller})
    processor = yield from claim(site, worker)
    script = site.stage.script(compose_get, said, method, site.serves_first(worker))
    site.count(worker, values, len(what) + 67, size)
    play = yield from play_on(processor, site, worker, script, values)
    yield site.env.timeout(play.last - site.env.now + 1)
    site.idle.give(worker)
