"""The volume services: a request from its receipt through the driver to its end, or back to the scheduler."""

from __future__ import annotations

from collections.abc import Callable, Generator

from ..lifecycle import SCHEDULER, SCHEDULER_TOPIC, VOLUME
from ..verdict import Outcome
from .lines_volume import FAILURES, compose_end, compose_failure, compose_start
from .script import Script, Values
from .site import ERRORS, REASON, Request, Site
from .truth import Run


def volume_service(site: Site, n: int) -> Callable[..., Generator]:
    """The receiver of backend ``n``'s queue."""

    def receive(request: Request, sent: int) -> Generator:
        return _create(site, n, request, sent)

    return receive


def _create(site: Site, n: int, request: Request, sent: int) -> Generator:
    env, story, number, pool = site.env, request.story, request.attempt, site.pools[n]
    run = site.begin_run(request, VOLUME, number)
    failure = _failure(request)
    prefix = site.stage.release.unicode
    tried = ", ".join(f"{prefix}'{host}'" for host in request.tried)
    more = {"host": pool.host, "backend": pool.backend.name, "attempt": number, "tried": tried, "error": ERRORS.get(failure or "", ""), "reason": REASON}
    values = site.values(request, VOLUME, run.ids, more)
    begun = site.stage.script(compose_start, number, pool.backend.driver, failure)
    ats = site.play(site.volumes[n], begun, values, request, run)
    story.attempts, story.backend = number, pool.host
    story.hand_over(SCHEDULER, VOLUME, number, sent, values["received_at"], pool.service)
    yield env.timeout(ats[-1] - env.now + 1)
    if failure:
        _fail(site, n, request, run, values, begun, failure)
        return
    with site.drivers[n].request() as slot:
        yield slot
        yield env.timeout(site.sample("volume/lvcreate"))
    pool.volumes += 1
    ats = site.play(site.volumes[n], site.stage.script(compose_end, number, pool.backend.driver, begun), values, request, run)
    story.outcome = Outcome("created", final_status="available")
    yield env.timeout(ats[-1] - env.now)
    site.end(request)


def _failure(request: Request) -> str | None:
    """What the driver does wrong on this attempt, if anything."""
    fault = request.wish.fault
    return fault.raises if fault and fault.raises and (not fault.attempts or request.attempt <= fault.attempts) else None


def _fail(site: Site, n: int, request: Request, run: Run, values: Values, begun: Script, failure: str) -> None:
    """The driver raises: the flow is reverted, and the request goes back to the scheduler while it still is."""
    pool, fault = site.pools[n], request.wish.fault
    script = site.stage.script(compose_failure, run.number, pool.backend.driver, failure, begun)
    site.play(site.volumes[n], script, values, request, run)
    request.story.fail(values["failed_at"], VOLUME, run.name, "CreateVolumeFromSpecTask", run.number, pool.host, FAILURES[failure], values["error"])
    request.last_trace = _trace(site, failure, values)
    site.blame(request, VOLUME, values["failed_at"])
    if fault and fault.disables:
        pool.enabled = False
    arrival = max(values["reschedule_at"] + site.sample("broker/reschedule"), values["recast_at"] + 1)
    site.broker.cast(SCHEDULER_TOPIC, arrival, request, values["reschedule_at"], VOLUME)


def _trace(site: Site, failure: str, values: Values) -> str:
    """The traceback as the scheduler is told it: the repr of a list of strings, one a frame."""
    release = site.stage.release
    frames: list[str] = []
    for line in release.tracebacks["driver_failure" if failure == "driver-error" else "driver_not_initialized"]:
        if line.startswith("  File") or not frames:
            frames.append("")
        frames[-1] += line % values + "\n"
    return repr(["Traceback (most recent call last):\n", *frames, f"{release.summary(FAILURES[failure])}: {values['error']}\n"])
