"""The volume services: a request from its receipt through the driver to its end, or back to the scheduler."""

from __future__ import annotations

from collections.abc import Generator

from ..lifecycle import SCHEDULER, SCHEDULER_TOPIC, VOLUME
from ..verdict import Outcome
from .lines_image import stored_as
from .lines_volume import FAILURES, Failure, compose_end, compose_failure, compose_start
from .machines import claim, play_on
from .redelivery import deliver_again, take_up
from .restart import kill
from .script import Script
from .site import Request, Site
from .template import fill
from .truth import Run

_LVCREATE = "-n volume-%(volume_id)s stack-volumes-%(backend)s -L %(size)sg"
_LVCREATE_THIN = "-T -V %(size)sg -n volume-%(volume_id)s stack-volumes-%(backend)s/stack-volumes-%(backend)s-pool"


def create(site: Site, n: int, request: Request, sent: int) -> Generator:
    """A create that backend ``n``'s service takes from its queue, where the scheduler's cast of ``sent`` put it."""
    env, story, number, pool, fault = site.env, request.story, request.attempt, site.pool(request.tried[-1]), request.wish.fault
    process, machines = site.volumes[n], site.machines
    processor = yield from claim(site, process)
    if processor is not None and process.dying:  # it has written nothing yet, nor told the broker that it has the message
        processor.leave()
        site.broker.cast(pool.topic, env.now, request, sent)
        return
    process.active.append(request)
    again = take_up(request, VOLUME)
    run = site.begin_run(request, VOLUME, number)
    failure, source = _failure(request), _source(request)
    prefix = site.stage.release.unicode
    tried = ", ".join(f"{prefix}'{host}'" for host in request.tried)
    where = {"host": pool.host, "service": pool.service, "backend": pool.backend.name}
    values = site.values(request, VOLUME, run.ids, where, {"attempt": number, "tried": tried})
    if pool.backend.driver == "lvm":
        values["lvcreate"] = (_LVCREATE_THIN if pool.thin else _LVCREATE) % values
    if failure:
        values["raised"], values["error"] = FAILURES[failure].raised, fill(FAILURES[failure].error, {}, values)
    begun = site.stage.script(compose_start, number, pool.backend.driver, failure, source, site.scenario.max_attempts > 1)
    play = yield from play_on(processor, site, process, begun, values, request, run)
    story.attempts, story.backend = story.attempts + 1, pool.host
    if again:
        site.blame(request, VOLUME, values["received_at"])
    elif not (fault and fault.doubles and story.attempts > 1):
        story.hand_over(SCHEDULER, VOLUME, number, sent, values["received_at"], pool.service)
    yield env.timeout(play.last - env.now + 1)
    if fault and fault.kills:
        kill(site, fault.for_good)
    if process.dying:
        return
    if fault and fault.hangs:
        _hang(site, request)
        return
    if failure and not FAILURES[failure].late:
        yield from _fail(site, n, request, run, values, begun, failure)
        return
    driver = site.drivers[n]
    slot = driver.take() or (yield driver.wait())
    if machines is None or pool.backend.driver != "lvm":
        yield env.timeout(site.sample("volume/lvcreate"))
    else:
        yield from machines.work(machines.processors[process.host], site.sample("volume/lvcreate"))
    if fault and fault.slow_s:
        site.blame(request, VOLUME, env.now)
        yield env.timeout(round(fault.slow_s * 1e6))
    driver.give(slot)
    if process.dying:
        return
    if failure:
        yield from _fail(site, n, request, run, values, begun, failure)
        return
    processor = yield from claim(site, process)
    if processor is not None and process.dying:
        processor.leave()
        return
    pool.stock.volumes += not again
    process.active.remove(request)
    finished = site.stage.script(compose_end, number, pool.backend.driver, begun, source)
    play = yield from play_on(processor, site, process, finished, values, request, run)
    story.outcome = Outcome("created", final_status="available")
    if not deliver_again(site, request, play.last, sent):
        site.end(request)


def _hang(site: Site, request: Request) -> None:
    """The driver never returns. Only a restart may still tell something of the request."""
    request.story.outcome = Outcome("stuck", final_status="creating")
    site.blame(request, VOLUME, site.env.now)
    site.let_go(request)
    request.hung = True


def _source(request: Request) -> str:
    """What the volume is made from, as the lines tell kinds of images apart."""
    wish = request.wish
    return stored_as(wish.source_id) if wish.source == "image" else wish.source


def _failure(request: Request) -> str | None:
    """What the driver does wrong on this attempt, if anything."""
    fault = request.wish.fault
    return fault.raises if fault and fault.raises and (not fault.attempts or request.attempt <= fault.attempts) else None


def _fail(site: Site, n: int, request: Request, run: Run, values: dict, begun: Script, failure: str) -> Generator:
    """Something raises: the flow is reverted. While it still is, the request goes back to the scheduler, if it may."""
    process = site.volumes[n]
    processor = yield from claim(site, process)
    if processor is not None and process.dying:
        processor.leave()
        return
    pool, fault, kind, story = site.pool(request.tried[-1]), request.wish.fault, FAILURES[failure], request.story
    retried = kind.retryable and site.scenario.max_attempts > 1
    if site.stage.release.tracebacks.get("exception_dropped"):
        values["dropped"] = _dropped(site, values, kind, begun)
    script = site.stage.script(compose_failure, run.number, pool.backend.driver, failure, begun, retried, _source(request))
    process.active.remove(request)
    yield from play_on(processor, site, process, script, values, request, run)
    exception = kind.exception.rpartition(".")[2]
    story.fail(process.true(values["failed_at"]), VOLUME, run.name, "CreateVolumeFromSpecTask", run.number, pool.host, exception, values["error"])
    if not retried:
        story.outcome = Outcome("failed", kind.cause, "not-retryable" if site.scenario.max_attempts > 1 else "retries-off", "error")
        site.blame(request, VOLUME, values["failed_at"])
        site.end(request)
        return
    request.last_trace = _trace(site, failure, values, begun)
    site.blame(request, VOLUME, values["failed_at"])
    if fault and fault.disables:
        pool.enabled = False
    arrival = max(process.true(values["reschedule_at"]) + site.sample("broker/reschedule"), process.true(values["recast_at"]) + 1)
    site.broker.cast(SCHEDULER_TOPIC, arrival, request, values["reschedule_at"], VOLUME)


def _trace(site: Site, failure: str, values: dict, begun: Script) -> str:
    """The traceback as the scheduler is told it: the repr of a list of strings, one a frame."""
    return _as_list(site, [], FAILURES[failure], values, begun)


def _dropped(site: Site, values: dict, kind: Failure, begun: Script) -> str:
    """The traceback of an error that another one took the place of, from the volume manager on."""
    frames = site.stage.release.tracebacks["message_handling"]
    begin = next(i for i, line in enumerate(frames) if "/cinder/volume/manager.py" in line)
    return _as_list(site, frames[begin:], kind, values, begun)


def _as_list(site: Site, before: list[str], kind: Failure, values: dict, begun: Script) -> str:
    """The repr of a list of strings, one a frame, between the head and the error's summary."""
    release = site.stage.release
    frames: list[str] = []
    for line in fill("\n".join((*before, *release.tracebacks[kind.frames])), begun.payloads, values).split("\n"):
        if line.startswith("  File") or not frames:
            frames.append("")
        frames[-1] += line + "\n"
    return repr(["Traceback (most recent call last):\n", *frames, f"{release.summary(kind.exception)}: {values['error']}\n"])
