"""The scheduler: takes a request up, chooses a backend when its turn comes, and casts to it."""

from __future__ import annotations

from collections.abc import Generator

from ..lifecycle import SCHEDULER
from ..verdict import Outcome
from .capacity import Home, Pool
from .filters import PASSES, Question, ask_all, weigh
from .lines_scheduler import DOWN, GOES, GONE, LISTED, NO_WEIGHED, Choice, compose_choice, compose_receipt
from .lines_volume import FAILURES
from .machines import claim, play_on
from .redelivery import take_up
from .schedulers import Scheduler
from .script import Script
from .site import Request, Site
from .template import fill
from .truth import Run


def schedule(site: Site, scheduler: Scheduler, request: Request, sent: int | None, sender: str) -> Generator:
    """One run of a scheduler's flow, begun by the cast that ``sender`` made at ``sent`` (None: it made none)."""
    again = take_up(request, SCHEDULER)
    request.attempt += not again
    number, env, machines = request.attempt, site.env, site.machines
    processor = yield from claim(site, scheduler.process)
    exceeded = number > site.scenario.max_attempts
    run = site.begin_run(request, SCHEDULER, number + again)  # readers count the runs
    values = site.values(request, SCHEDULER, run.ids, _look_back(site, scheduler, request, exceeded) if number > 1 else {})
    receipt = site.stage.script(compose_receipt, number, exceeded, site.scenario.max_attempts > 1)
    play = yield from play_on(processor, site, scheduler.process, receipt, values, request, run)
    if again:
        site.blame(request, SCHEDULER, values["received_at"])
    else:
        request.story.hand_over(sender, SCHEDULER, number, sent, values["received_at"])
    if exceeded:
        _give_up(site, scheduler, request, values, fill("%(attempts_exceeded)s", receipt.payloads, values), "retries-exhausted")
        site.end(request)
        return
    listing = 0 if site.stage.lines_of_libraries else site.sample("scheduler/services")
    if machines is None:
        yield env.timeout(play.last - env.now + 1 + listing)
    else:
        yield env.timeout(play.last - env.now + 1)
        yield from machines.work(machines.database, listing)
    turn = scheduler.turn.take() or (yield scheduler.turn.wait())
    processor = yield from claim(site, scheduler.process)
    script, chosen = _choose(site, scheduler, request, run, values, receipt)
    play = yield from play_on(processor, site, scheduler.process, script, values, request, run)
    if chosen:
        _send(site, scheduler, request, values, chosen)
    else:
        _give_up(site, scheduler, request, values, NO_WEIGHED, "no-other-backend" if number > 1 else None)
        site.end(request)
    yield env.timeout(play.last - env.now)
    scheduler.turn.give(turn)


def _look_back(site: Site, scheduler: Scheduler, request: Request, exceeded: bool) -> dict:
    """What the scheduler is told of the attempt before; it counts that volume out again if it will try once more."""
    last = scheduler.pool(request.tried[-1])
    fields = {"last_host": last.host, "last_trace": request.last_trace}
    if exceeded:
        last.stock.used -= request.fields["size"]
    else:
        last.consume(-request.fields["size"], None)
        fields["given_back"] = last.capabilities(site.payloads)
    return fields


def _choose(site: Site, scheduler: Scheduler, request: Request, run: Run, values: dict, receipt: Script) -> tuple[Script, Pool | None]:
    """Filters and weighs the pools and takes room of the best. What it writes of that, and the pool if there was one."""
    scenario, fields = site.scenario, request.fields
    fault = request.wish.fault
    kind = site.kinds.get(fields["type_name"])
    retries = scenario.max_attempts > 1
    question = Question(fields["size"], kind, fields["zone"], request.tried, retries, site.factored, site.payloads, not (kind and kind.thick))
    silent = bool(fault and fault.kind == "service-down") or site.is_silent()
    layout, pools = site.layout, scheduler.pools
    states = tuple([_state(pools[numbers[0]].home, scheduler, silent) for numbers in layout.homes])
    fresh, verdicts, left = [False] * len(pools), [()] * len(pools), []
    for numbers, state in zip(layout.homes, states):
        for n in numbers:
            pool = pools[n]
            if state != LISTED:
                values.update(pool.fields(site.payloads, n))
                continue
            fresh[n] = pool.take_over()
            verdicts[n], said = ask_all(pool, n, layout.filters, question)
            values.update(said)
            if pool.thin and not question.thin and question.factored:
                values[f"factors_{n}"] = pool.show_factors(site.payloads, False)
            if not verdicts[n] or verdicts[n][-1] in PASSES:
                left.append(n)
    chosen = None
    if left:
        best, weights = weigh(scenario, [pools[n] for n in left], question)
        values.update(weights)
        chosen = best[0]
        if request.wish.source in ("volume", "snapshot"):  # a copy is made where its source is
            source = site.source_pool(kind).host
            chosen = next((pool for pool in best if pool.host == source), None)
    if chosen:
        chosen.consume(fields["size"], site.env.now)
        values["taken"] = chosen.capabilities(site.payloads)
    if "IgnoreAttemptedHostsFilter" in scenario.filters:
        values["tried_before"] = site.stage.release.texts(request.tried)
    number = pools.index(chosen) if chosen else -1
    choice = Choice(layout, states, tuple(fresh), tuple(verdicts), not question.thin, number)
    return site.stage.script(compose_choice, request.attempt, receipt, choice), chosen


def _send(site: Site, scheduler: Scheduler, request: Request, values: dict, chosen: Pool) -> None:
    """The cast to the chosen pool's service."""
    fields = request.fields
    if request.tried:
        fields |= {"host_before": request.tried[-1], "scheduled_before": fields["scheduled_at"]}
    request.tried += (chosen.host,)
    fields["scheduled_at"] = values["scheduled_at"]
    arrival = scheduler.process.true(values["scheduled_at"]) + site.sample("broker/cinder-volume")
    site.broker.cast(chosen.topic, arrival, request, values["sent_at"])


def _state(home: Home, scheduler: Scheduler, silent: bool) -> str:
    """Whether a backend is listed. ``silent``: its service was not heard of in time."""
    if home.enabled and not silent:
        scheduler.known[home.number] = True
        return LISTED
    known, scheduler.known[home.number] = scheduler.known[home.number], False
    return (DOWN if silent else GOES) if known else GONE


def _give_up(site: Site, scheduler: Scheduler, request: Request, values: dict, message: str, gave_up: str | None) -> None:
    story, fault = request.story, request.wish.fault
    story.fail(
        scheduler.process.true(values["given_up_at"]),
        SCHEDULER,
        "volume_create_scheduler",
        "ScheduleCreateVolumeTask",
        request.attempt,
        None,
        "NoValidBackend",
        message,
    )
    cause = FAILURES[fault.raises].cause if request.tried and fault and fault.raises else "no-valid-backend"
    story.outcome = Outcome("failed", cause, gave_up, "error")
    if site.is_silent() and site.gone:
        site.touch(request, site.gone[0], SCHEDULER)
    elif fault and (fault.service == SCHEDULER or request.tried):
        site.blame(request, SCHEDULER, values["given_up_at"])
    # A fault that another backend would have made good leads to this one's end where there is no other.
    for before in story.faults:
        before["expect"] = before["expect"] and before["expect"] | {"outcome": "failed", "cause": cause}
