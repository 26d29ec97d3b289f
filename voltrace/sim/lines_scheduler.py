"""What the scheduler writes about a create: taking it up, and choosing a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..lifecycle import RUNNING, SCHEDULER, SUCCESS
from .filters import (
    BAD_RATIO,
    ENDLESS,
    FULL,
    FULL_THIN,
    LACKING,
    MISMATCH,
    NO_ROOM_AT_ALL,
    OVERSUBSCRIBED,
    PASSES,
    RETRIES_OFF,
    ROOMY,
    ROOMY_THIN,
    TRIED,
)
from .script import Composer, Field, Script, Stage

DATABASE_MODE = (
    "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,TRADITIONAL,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION"
)
NO_WEIGHED = "No valid backend was found. No weighed backends available"
# Whether the scheduler lists a backend: not any more, its service was just found down or disabled, or yes.
GONE, DOWN, GOES, LISTED = "gone", "down", "goes", "listed"


def say_database_mode(c: Composer, pause: str = "line", anonymous: bool = False) -> bool:
    """A new connection to the database tells its mode."""
    return c.stage.lines_of_libraries and c.say("database-mode", pause, anonymous=anonymous, mode=DATABASE_MODE)


def compose_receipt(stage: Stage, run: int, exceeded: bool, retries: bool) -> Script:
    """The first stretch of the ``run``-th scheduling; on a later one with what became of the last. ``exceeded``: it is one too many.

    ``retries``: whether attempts are counted at all.
    """
    c = Composer(stage, SCHEDULER, run)
    c.enter(None, RUNNING, None, mark="received_at")
    c.start("ExtractSchedulerSpecTask", "begin")
    c.succeed("ExtractSchedulerSpecTask", "ExtractSchedulerSpecTask", "%(spec_result)s")
    c.start("ScheduleCreateVolumeTask", mark="sent_at")
    if retries and "spec-without-volume-id" in stage.release.flags:
        c.say("object-attribute-missing", object_name="VolumeProperties", attribute="volume_id")
    if run > 1:
        c.say("last-attempt-failed", volume_id=Field("%(volume_id_of_last_attempt)s"), backend=Field("%(last_host)s"), error=Field("%(last_trace)s"))
    if exceeded:
        _give_up(c, "%(attempts_exceeded)s", connects=True)
        return c.build()
    if run > 1:
        c.say("capacity-consumed", size_gb=Field("-%(size)s"), grouping="host", backend=Field("%(last_host)s"), capabilities=Field("%(given_back)s"))
    say_database_mode(c, "services")
    return c.build()


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What is the same for every choice of a site: the numbers of each backend's pools, which pools are thin, the filters and the weighers."""

    homes: tuple[tuple[int, ...], ...]
    thin: tuple[bool, ...]
    filters: tuple[str, ...]
    weighers: tuple[str, ...]


class Choice(NamedTuple):
    """What a choice is made of, as far as its lines differ: a script is compiled for each that occurs.

    ``states``: of each backend, whether it is listed. ``fresh``: of each pool, whether its report is taken over. ``verdicts``: of each pool, those of
    the filters that were asked about it. ``thick``: the volume is to be thick wherever it is made. ``chosen`` is the chosen pool's number, -1 if none is.
    """

    layout: Layout
    states: tuple[str, ...]
    fresh: tuple[bool, ...]
    verdicts: tuple[tuple[str, ...], ...]
    thick: bool
    chosen: int

    def round(self, n: int) -> list[tuple[int, str]]:
        """The pools that the n-th filter was asked about, and its verdicts."""
        return [(pool, said[n]) for pool, said in enumerate(self.verdicts) if len(said) > n]


def compose_choice(stage: Stage, run: int, zero: Script, choice: Choice) -> Script:
    """The second stretch, after ``zero``: what the filters and weighers say, and the cast. Fields of pool n end in ``_n``."""
    c = Composer(stage, SCHEDULER, run, after=zero)
    pause = "capabilities"
    firsts = [(numbers[0], state) for numbers, state in zip(choice.layout.homes, choice.states)]
    for n, state in firsts:
        if state == DOWN:
            pause = "capabilities" if not c.say("service-down", pause, service_host=Field(f"%(service_{n})s")) else "line"
    for n, state in firsts:
        if state in (DOWN, GOES):
            pause = "capabilities" if not c.say("backend-inactive", pause, backend=Field(f"%(service_{n})s")) else "line"
    listed = [n for numbers, state in zip(choice.layout.homes, choice.states) if state == LISTED for n in numbers]
    for n in listed:
        c.say("capabilities-updated", pause, backend=Field(f"%(host_{n})s"), capabilities=Field(f"%(stats_{n})s"))
        pause = "line"
        if choice.fresh[n] and not choice.layout.thin[n]:
            c.say("oversubscription-no-thin")
            c.say("oversubscription-no-thin-sched-utils")
    c.say("backends-left-at-start", pause, count=len(listed))
    results = []
    for k, name in enumerate(choice.layout.filters):
        for n, verdict in choice.round(k):
            _SAY[name](c, n, verdict, choice)
        results.append((name, [n for n, verdict in choice.round(k) if verdict in PASSES]))
        c.say("filter-returned", filter=name, count=len(results[-1][1]))
    fit = results[-1][1]
    if not fit:
        _report_none(c, listed, results)
        return c.build()
    c.say("backends-filtered", backends=Field(f"[{', '.join(f'host {_quoted(n)}:%(capabilities_{n})s' for n in fit)}]"))
    for k, weigher in enumerate(choice.layout.weighers):
        c.say("weigher-returned", weigher=weigher, max_weight=Field(f"%(weight_max_{k})s"), min_weight=Field(f"%(weight_min_{k})s"))
    c.say("backends-weighed", backends=Field("%(weighed)s"))
    if choice.chosen < 0:  # where its source is, there is no room
        _give_up_weighed(c)
        return c.build()
    c.say("backend-chosen", backend=Field(f"%(host_{choice.chosen})s"))
    c.say(
        "capacity-consumed",
        size_gb=Field("%(size)s"),
        grouping="host",
        backend=Field(f"%(host_{choice.chosen})s"),
        capabilities=Field("%(taken)s"),
        mark="scheduled_at",
    )
    c.succeed("ScheduleCreateVolumeTask", "cast")
    c.enter(None, SUCCESS)
    return c.build()


def _quoted(n: int) -> str:
    return f"'%(host_{n})s'"


def _say_zone(c: Composer, n: int, verdict: str, choice: Choice) -> None:
    """AvailabilityZoneFilter tells nothing of its reasons."""


def _say_capacity(c: Composer, n: int, verdict: str, choice: Choice) -> None:
    where = {"grouping": "host", "backend": Field(f"%(host_{n})s")}
    room = {**where, "size_gb": Field("%(size)s"), "available_gb": Field(f"%(available_{n})s")}
    c.say("capacity-check", size_gb=Field("%(size)s"), volume_id=Field("%(volume_id)s"), **where)
    if verdict == ENDLESS:
        return
    if verdict == NO_ROOM_AT_ALL:
        c.say("total-capacity-too-small", total_gb=Field(f"%(total_gb_{n})s"), **where)
        return
    c.say("storage-capacity-factors", factors=Field(f"%(factors_{n})s"))
    if choice.layout.thin[n] and not choice.thick and verdict != BAD_RATIO:
        c.say("provisioning-check", size_gb=Field("%(size)s"), capabilities=Field(f"%(capabilities_{n})s"), **where)
    if verdict == FULL:
        c.say("free-space-too-small", **room)
    elif verdict == ROOMY:
        c.say("space-information", **room)
    elif verdict == ROOMY_THIN:
        c.say("space-information-thin", **room)
    elif verdict == FULL_THIN:
        c.say("virtual-space-too-small", **room)
    else:
        key = "oversubscribed" if verdict == OVERSUBSCRIBED else "oversubscription-ratio-invalid"
        c.say(key, provisioned_ratio=Field(f"%(oversubscription_{n})s"), allowed_ratio=Field(f"%(allowed_ratio_{n})s"), **where)


def _say_capabilities(c: Composer, n: int, verdict: str, choice: Choice) -> None:
    if verdict == MISMATCH:
        required = {"key": Field(f"%(spec_key_{n})s"), "required": Field(f"%(spec_value_{n})s")}
        c.say("extra-spec-mismatch", capability=Field(f"%(capability_{n})s"), **required)
    elif verdict == LACKING:
        c.say("capability-missing", capability=Field(f"%(lacking_{n})s"))
    else:
        return
    c.say("extra-specs-failed", grouping="host", backend=Field(f"%(host_{n})s"), capabilities=Field(f"%(capabilities_{n})s"))


def _say_attempts(c: Composer, n: int, verdict: str, choice: Choice) -> None:
    if verdict == RETRIES_OFF:
        c.say("rescheduling-disabled")
        return
    c.say("backend-tried-before", backend=Field(f"%(host_{n})s"), verdict="fails" if verdict == TRIED else "passes", backends=Field("%(tried_before)s"))


_SAY = {
    "AvailabilityZoneFilter": _say_zone,
    "CapacityFilter": _say_capacity,
    "CapabilitiesFilter": _say_capabilities,
    "IgnoreAttemptedHostsFilter": _say_attempts,
}


def _report_none(c: Composer, listed: list[int], results: list[tuple[str, list[int]]]) -> None:
    prefix = c.stage.release.unicode
    shown = ", ".join(f"('{name}', [{', '.join(prefix + _quoted(n) for n in left)}])" for name, left in results)
    c.say("no-backend-left", volume_id=Field("%(volume_id)s"), results=Field(f"[{shown}]"))
    before = (listed, *(left for _, left in results))
    counts = ", ".join(f"{name}: (start: {len(start)}, end: {len(left)})" for start, (name, left) in zip(before, results))
    c.say("no-backend-left-summary", volume_id=Field("%(volume_id)s"), results=counts)
    _give_up_weighed(c)


def _give_up_weighed(c: Composer) -> None:
    c.say("no-weighed-backend", volume_type=Field("%(type_python)s"))
    _give_up(c, NO_WEIGHED)


def _give_up(c: Composer, cause: str, connects: bool = False) -> None:
    """No backend will do: the volume goes to error, and task and flow end SUCCESS all the same."""
    c.say("message-record-created", request_id=Field("%(request_id)s"))
    if connects:
        say_database_mode(c, "services")
    task = c.flow.tasks[-1]
    c.say(
        "schedule-failed",
        task=task.logged_as,
        cause=Field(cause),
        summary=f": {c.stage.release.summary('cinder.exception.NoValidBackend')}: {cause}",
        mark="given_up_at",
    )
    c.say("volume-set-to-error", object_type="Volume", volume_id=Field("%(volume_id)s"), reason=Field(cause))
    c.succeed(task.name)
    c.enter(None, SUCCESS)
