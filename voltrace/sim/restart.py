"""The volume service is killed and started again: what it had in hand never ends, and is cleaned up."""

from __future__ import annotations

from collections.abc import Generator

from ..encode import instant
from ..lifecycle import VOLUME
from ..verdict import Outcome
from .faults import FAULTS
from .lines_living import compose_volume_start
from .lines_volume import FAILURES
from .site import Request, Site

_DOWN_US = (15_000_000, 45_000_000)  # shorter than the time after which the scheduler takes a silent service for down


def kill(site: Site) -> None:
    """Kills every process of the volume service as soon as the lines that they have begun are written; systemd starts them again."""
    if not site.stopped:
        site.stopped = True
        for process, pool in zip(site.volumes, site.pools):
            process.dying = True
            site.broker.close(pool.topic)
        site.env.process(_restart(site))


def _restart(site: Site) -> Generator:
    env, old = site.env, site.volumes
    yield env.timeout(max(0, *(process.until - env.now for process in old)) + 1)
    for process in old:
        for request in process.active:
            _strand(site, request)
    yield env.timeout(site.times.randrange(*_DOWN_US))
    site.volumes = site.start_volumes()
    last = env.now
    for n, (process, before) in enumerate(zip(site.volumes, old)):
        backend = site.scenario.backends[n]
        left = {f"left_{i}": request.story.volume_id for i, request in enumerate(before.active)}
        values = site.anonymous_values(None, left, {"backend": backend.name, "service_id": n + 2})
        last = max(last, site.play(process, site.stage.script(compose_volume_start, backend.driver, len(left)), values).last)
        before.active = []
    yield env.timeout(last - env.now + 1)
    site.stopped = False
    for pool in site.pools:
        site.broker.reopen(pool.topic)


def _strand(site: Site, request: Request) -> None:
    """The request is stuck; the start of the service that follows will set its volume to error."""
    story, fault, killed = request.story, request.wish.fault, FAULTS["volume-killed"]
    cause = FAILURES[fault.raises].cause if story.failures and fault and fault.raises else killed.cause
    story.outcome = Outcome("stuck", cause, final_status="error")
    expect = killed.expect(site.scenario.max_attempts) | {"cause": cause}
    story.faults = [before | {"expect": expect} for before in story.faults]  # what they would have led to is not seen any more
    story.faults.append({"kind": killed.kind, "service": VOLUME, "at": instant(site.env.now), "expect": expect})
    site.end(request)
