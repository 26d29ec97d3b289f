"""The scheduler: takes a request up, chooses a backend when its turn comes, and casts to it."""

from __future__ import annotations

from collections.abc import Generator

from ..lifecycle import SCHEDULER
from ..verdict import Outcome
from .capacity import Pool
from .lines_scheduler import DOWN, FIT, GOES, GONE, MISMATCH, NO_WEIGHED, TOO_SMALL, compose_choice, compose_receipt
from .lines_volume import FAILURES
from .play import Play
from .script import Script
from .site import Request, Site
from .template import fill
from .truth import Run


def schedule(site: Site, request: Request, sent: int, sender: str) -> Generator:
    """One run of the scheduler's flow, begun by the cast that ``sender`` made at ``sent``."""
    request.attempt += 1
    number, env = request.attempt, site.env
    exceeded = number > site.scenario.max_attempts
    run = site.begin_run(request, SCHEDULER, number)
    values = site.values(request, SCHEDULER, run.ids, _look_back(site, request, exceeded) if number > 1 else {})
    receipt = site.stage.script(compose_receipt, number, exceeded, site.scenario.max_attempts > 1)
    play = site.play(site.scheduler, receipt, values, request, run)
    request.story.hand_over(sender, SCHEDULER, number, sent, values["received_at"])
    if exceeded:
        _give_up(site, request, values, fill("%(attempts_exceeded)s", receipt.payloads, values), "retries-exhausted")
        site.end(request)
        return
    yield env.timeout(play.last - env.now + 1 + (0 if site.stage.lines_of_libraries else site.sample("scheduler/services")))
    turn = site.turn.take() or (yield site.turn.wait())
    play, chosen = _choose(site, request, run, values, receipt)
    if not chosen:
        site.end(request)
    yield env.timeout(play.last - env.now)
    site.turn.give(turn)


def _look_back(site: Site, request: Request, exceeded: bool) -> dict:
    """What the scheduler is told of the attempt before; it counts that volume out again if it will try once more."""
    last = next(p for p in site.pools if p.host == request.tried[-1])
    fields = {"last_host": last.host, "last_trace": request.last_trace}
    if exceeded:
        last.used -= request.fields["size"]
    else:
        last.consume(-request.fields["size"], site.env.now)
        fields["given_back"] = last.capabilities(site.payloads)
    return fields


def _choose(site: Site, request: Request, run: Run, values: dict, receipt: Script) -> tuple[Play, bool]:
    """Filters and weighs the backends and casts to the best. The play, and whether there was one."""
    size, kind = request.fields["size"], site.scenario.type(request.fields["type_name"])
    required = kind.backend if kind else None
    fault = request.wish.fault
    silent = bool(fault and fault.kind == "service-down")
    fates = tuple(_fate(pool, size, required, silent) for pool in site.pools)
    fit = [pool for pool, (fate, _, _) in zip(site.pools, fates) if fate == FIT]
    for n, pool in enumerate(site.pools):
        values.update(pool.fields(site.payloads, f"_{n}"))
    chosen = max(fit, key=lambda p: p.free) if fit else None
    if chosen:
        values.update(_weights(fit))
        chosen.consume(size, site.env.now)
        values["taken"] = chosen.capabilities(site.payloads)
    script = site.stage.script(compose_choice, run.number, receipt, fates, site.pools.index(chosen) if chosen else -1)
    play = site.play(site.scheduler, script, values, request, run)
    if not chosen:
        _give_up(site, request, values, NO_WEIGHED, "no-other-backend" if run.number > 1 else None)
        return play, False
    if request.tried:
        request.fields |= {"host_before": request.tried[-1], "scheduled_before": request.fields["scheduled_at"]}
    request.tried += (chosen.host,)
    request.fields["scheduled_at"] = values["scheduled_at"]
    arrival = values["scheduled_at"] + site.sample("broker/cinder-volume")
    site.broker.cast(chosen.topic, arrival, request, values["sent_at"])
    return play, True


def _fate(pool: Pool, size: int, required: str | None, silent: bool) -> tuple[str, bool, bool]:
    """How a backend fares, whether its report is taken over, whether its capacity is finite. ``silent``: its service was not heard of in time."""
    if silent:
        fate, pool.known = (DOWN if pool.known else GONE), False
        return fate, False, pool.finite
    if not pool.enabled:
        fate, pool.known = (GOES if pool.known else GONE), False
        return fate, False, pool.finite
    pool.known = True
    fresh = pool.take_over()
    if pool.finite and pool.free < size:
        return TOO_SMALL, fresh, True
    return (FIT if required in (None, pool.backend.name) else MISMATCH), fresh, pool.finite


def _weights(fit: list[Pool]) -> dict:
    """CapacityWeigher's raw extremes and the normalised weights, the best first."""
    raw = [p.free if p.finite else -1 for p in fit]
    low, high = min(raw), max(raw)
    weighed = sorted((((w - low) / (high - low) if high > low else 0.0), -n) for n, w in enumerate(raw))[::-1]
    hosts = ", ".join(f"WeighedHost [host: {fit[-n].host}, weight: {weight}]" for weight, n in weighed)
    return {"weight_max": high, "weight_min": low, "weighed": f"[{hosts}]"}


def _give_up(site: Site, request: Request, values: dict, message: str, gave_up: str | None) -> None:
    story, fault = request.story, request.wish.fault
    story.fail(values["given_up_at"], SCHEDULER, "volume_create_scheduler", "ScheduleCreateVolumeTask", request.attempt, None, "NoValidBackend", message)
    cause = FAILURES[fault.raises].cause if request.tried and fault and fault.raises else "no-valid-backend"
    story.outcome = Outcome("failed", cause, gave_up, "error")
    site.blame(request, SCHEDULER, values["given_up_at"])
