"""Faults of a whole run: services stopped and started again, and the broker out, at the instants that the scenario says."""

from __future__ import annotations

from collections.abc import Callable, Generator

from ..lifecycle import SCHEDULER, SCHEDULER_TOPIC, VOLUME
from .cloud import RunFault
from .restart import start_again, stop
from .site import Site
from .start_up import start_scheduler

_POLL_US = 100_000


def start_outages(site: Site) -> None:
    """Lets the scenario's faults come when their time has come."""
    for fault in site.scenario.faults:
        act = _ACTS.get(fault.kind)
        if act:
            site.env.process(_wait(site, fault, act))


def _wait(site: Site, fault: RunFault, act: Callable[[Site, int], Generator]) -> Generator:
    yield site.env.timeout(round(fault.at_s * 1e6))
    yield from act(site, round(fault.for_s * 1e6))


def _stop_scheduler(site: Site, lasts: int) -> Generator:
    """What it has in hand is brought to its end first, as by a stop that is asked for."""
    site.broker.close(SCHEDULER_TOPIC)
    yield site.env.timeout(lasts)
    while site.broker.is_busy(SCHEDULER_TOPIC):
        yield site.env.timeout(_POLL_US)
    site.renew_schedulers()
    up = max(start_scheduler(site, n) for n in range(len(site.schedulers)))
    yield site.env.timeout(up - site.env.now)
    _touch_waiting(site, SCHEDULER_TOPIC, "scheduler-down", SCHEDULER)
    site.broker.reopen(SCHEDULER_TOPIC)


def _stop_volumes(site: Site, lasts: int) -> Generator:
    if site.stopped:
        return
    stop(site, "volume-down")
    yield site.env.timeout(lasts)
    while any(not request.hung for process in site.volumes for request in process.active):
        yield site.env.timeout(_POLL_US)
    for topic in site.topics:
        _touch_waiting(site, topic, "volume-down", VOLUME)
    yield from start_again(site)


def _stop_broker(site: Site, lasts: int) -> Generator:
    site.broker.interrupt()
    yield site.env.timeout(lasts)
    for topic in site.broker.queues:
        if site.broker.queues[topic].open:
            _touch_waiting(site, topic, "broker-outage", SCHEDULER if topic == SCHEDULER_TOPIC else VOLUME)
    site.broker.restore()


def _touch_waiting(site: Site, topic: str, kind: str, service: str) -> None:
    for request, *_ in site.broker.waiting(topic):
        site.touch(request, kind, service)


_ACTS = {"scheduler-down": _stop_scheduler, "volume-down": _stop_volumes, "broker-outage": _stop_broker}
