"""The volume service is killed and started again: what it had in hand never ends, and is cleaned up."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

from ..encode import instant
from ..lifecycle import SCHEDULER, VOLUME
from ..trace import STUCK_AFTER_US
from ..verdict import Outcome
from .faults import FAULTS
from .lines_living import compose_volume_start
from .lines_volume import FAILURES
from .site import Request, Site

FOR_GOOD = "volume-killed-for-good"
_DOWN_US = (15_000_000, 45_000_000)  # shorter than the time after which the scheduler takes a silent service for down


def kill(site: Site, for_good: bool = False) -> None:
    """Kills every process of the volume service as soon as the lines that they have begun are written.

    systemd starts them again, unless it is ``for_good``.
    """
    if not site.stopped:
        stop(site, FOR_GOOD if for_good else "volume-killed")
        for process in site.volumes:
            process.dying = True
        site.env.process(_restart(site, for_good))


def stop(site: Site, kind: str) -> None:
    """No volume service takes messages or reports any more."""
    site.stopped, site.gone = True, (kind, site.env.now)
    for topic in site.topics:
        site.broker.close(topic)


def _restart(site: Site, for_good: bool) -> Generator:
    env, old = site.env, site.volumes
    while any(process.playing for process in old):
        yield env.timeout(1000)
    yield env.timeout(max(0, *(process.until - env.now for process in old)) + 1)
    for process in old:
        for request in process.active:
            (_leave if for_good else _strand)(site, request)
    if for_good:
        for process, topic in zip(old, site.topics):
            process.active = []
            site.broker.replace(topic, partial(_forget, site))
        return
    yield env.timeout(site.times.randrange(*_DOWN_US))
    yield from start_again(site)


def start_again(site: Site) -> Generator:
    """New processes of the volume service start, clean up what the old ones had in hand, and take messages."""
    env, old = site.env, site.volumes
    site.volumes = site.start_volumes()
    last = env.now
    for n, (process, before) in enumerate(zip(site.volumes, old)):
        backend = site.scenario.backends[n]
        left = {f"left_{i}": request.story.volume_id for i, request in enumerate(before.active)}
        values = site.anonymous_values(None, left, {"backend": backend.name, "service_id": n + 2})
        last = max(last, site.play(process, site.stage.script(compose_volume_start, backend.driver, len(left)), values).last)
        before.active = []
    yield env.timeout(last - env.now + 1)
    site.stopped, site.gone = False, None
    for topic in site.topics:
        site.broker.reopen(topic)


def _leave(site: Site, request: Request) -> None:
    """The volume service had the request in hand, and nothing shows any more what becomes of it."""
    if not (request.hung and site.env.now - request.story.end > STUCK_AFTER_US):
        request.story.outcome = Outcome("unknown", "log-ends")
        for fault in request.story.faults:
            fault["expect"] = None  # what it would have led to is not seen any more
    site.touch(request, FOR_GOOD, VOLUME)
    site.end(request)


def _forget(site: Site, request: Request, sent: int) -> Generator:
    """The request waits for a volume service that never comes back."""
    request.story.hand_over(SCHEDULER, VOLUME, request.attempt, sent, None, site.pool(request.tried[-1]).service)
    _leave(site, request)
    return
    yield  # it takes no time


def _strand(site: Site, request: Request) -> None:
    """The request is stuck; the start of the service that follows will set its volume to error."""
    story, fault, killed = request.story, request.wish.fault, FAULTS["volume-killed"]
    cause = FAILURES[fault.raises].cause if story.failures and fault and fault.raises else killed.cause
    story.outcome = Outcome("stuck", cause, final_status="error")
    expect = killed.expect(site.scenario.max_attempts) | {"cause": cause}
    story.faults = [before | {"expect": expect} for before in story.faults]  # what they would have led to is not seen any more
    story.faults.append({"kind": killed.kind, "service": VOLUME, "at": instant(site.env.now), "expect": expect})
    site.end(request)
