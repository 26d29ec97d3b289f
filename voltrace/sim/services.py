"""The services as SimPy processes, set to work on a load.

SimPy decides what queues: a free API worker, the scheduler's turn, the broker's delivery, the driver. The lines between
those instants are placed by the scripts, whose steps the lifecycle must grant.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from random import Random

from ..lifecycle import SCHEDULER_TOPIC
from ..trace import STUCK_AFTER_US
from .background import start_background
from .follow import follow
from .load import Arrivals, Wish
from .outages import start_outages
from .service_api import arrive, serve
from .service_scheduler import schedule
from .service_volume import create
from .site import Site
from .start_up import after, start_services


def open_services(site: Site) -> None:
    """Scheduler and volume services listen to their queues."""
    for scheduler in site.schedulers:
        site.broker.subscribe(SCHEDULER_TOPIC, partial(schedule, site, scheduler))
    for n, topic in enumerate(site.topics):
        site.broker.subscribe(topic, partial(create, site, n))


def run_load(site: Site, load: Iterator[Wish], arrivals: Arrivals, rng: Random) -> None:
    """Sends the load through the services and lets them live on for a while."""
    env = site.env
    # Truth needs logs that go on past stuck-after behind the last fault, in every process.
    silence = STUCK_AFTER_US + 2 * site.scenario.background_s * 1_000_000
    lead = any(ask.trouble and ask.trouble.loses for ask in site.scenario.requests)
    up = start_services(site)
    coming = _clients(site, load, arrivals, rng)
    if lead:
        coming = [_later(site, client) for client in coming]
    if up > env.now:
        coming = [after(site, up, client) for client in coming]
    clients = [env.process(client) for client in coming]

    def over() -> bool:
        return site.running == 0 and all(c.triggered for c in clients) and env.now > site.last_end + silence

    start_background(site, over)
    start_outages(site)
    env.run()
    for process in site.volumes:
        for request in process.active:
            site.end(request)


def _later(site: Site, client: Generator) -> Generator:
    """A client who comes when the scheduler has written something: only a log that began before a message proves that it was lost."""
    while not any(scheduler.process.until for scheduler in site.schedulers):
        yield site.env.timeout(100_000)
    yield from client


def _clients(site: Site, load: Iterator[Wish], arrivals: Arrivals, rng: Random) -> list[Generator]:
    if arrivals.kind == "closed":
        return [_closed(site, load, rng) for _ in range(int(arrivals.value))]
    if arrivals.kind == "burst":
        return [_burst(site, load)]
    return [_open(site, load, arrivals, rng)]


def _open(site: Site, load: Iterator[Wish], arrivals: Arrivals, rng: Random) -> Generator:
    for wish in load:
        yield site.env.timeout(arrivals.pause(rng))
        site.sent += 1
        follow(serve(site, arrive(site, wish)))


def _burst(site: Site, load: Iterator[Wish]) -> Generator:
    """All requests are at the door at once; each is looked at when a worker is free for it."""
    for wish in load:
        worker = site.idle.take() or (yield site.idle.wait())
        site.sent += 1
        follow(serve(site, arrive(site, wish), worker))


def _closed(site: Site, load: Iterator[Wish], rng: Random) -> Generator:
    """A client that sends its next request when the last has come to its end and it has thought for a while."""
    think_s = site.scenario.think_s
    for wish in load:
        site.sent += 1
        request = arrive(site, wish)
        request.done = site.env.event()
        follow(serve(site, request))
        yield request.done
        if think_s:
            yield site.env.timeout(round(rng.expovariate(1 / think_s) * 1e6))
