"""What the scheduler writes about a create: taking it up, and choosing a backend."""

from __future__ import annotations

from ..lifecycle import RUNNING, SCHEDULER, SUCCESS
from .script import Composer, Field, Script, Stage

FILTERS = ("AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter")
DATABASE_MODE = (
    "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,TRADITIONAL,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION"
)
NO_WEIGHED = "No valid backend was found. No weighed backends available"
# How a backend fares: not listed any more (its service just found down or disabled), too little room, wrong capabilities, or fit.
GONE, DOWN, GOES, TOO_SMALL, MISMATCH, FIT = "gone", "down", "goes", "too-small", "mismatch", "fit"


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


def compose_choice(stage: Stage, run: int, zero: Script, fates: tuple[tuple[str, bool, bool], ...], chosen: int) -> Script:
    """The second stretch, after ``zero``. ``fates``: of each backend how it fares, whether its stats are taken over, whether its capacity is finite.

    ``chosen`` is the chosen backend's number, -1 if none is fit. Fields of backend n end in ``_n``.
    """
    c = Composer(stage, SCHEDULER, run, after=zero)
    pause = "capabilities"
    for n, (fate, _, _) in enumerate(fates):
        if fate == DOWN:
            pause = "capabilities" if not c.say("service-down", pause, service_host=Field(f"%(service_{n})s")) else "line"
    for n, (fate, _, _) in enumerate(fates):
        if fate in (DOWN, GOES):
            pause = "capabilities" if not c.say("backend-inactive", pause, backend=Field(f"%(service_{n})s")) else "line"
    listed = [n for n, (fate, _, _) in enumerate(fates) if fate not in (GONE, DOWN, GOES)]
    for n in listed:
        c.say("capabilities-updated", pause, backend=Field(f"%(host_{n})s"), capabilities=Field(f"%(stats_{n})s"))
        pause = "line"
        if fates[n][1]:
            c.say("oversubscription-no-thin")
            c.say("oversubscription-no-thin-sched-utils")
    c.say("backends-left-at-start", pause, count=len(listed))
    c.say("filter-returned", filter=FILTERS[0], count=len(listed))
    for n in listed:
        _check_capacity(c, n, *fates[n])
    roomy = [n for n in listed if fates[n][0] != TOO_SMALL]
    c.say("filter-returned", filter=FILTERS[1], count=len(roomy))
    for n in roomy:
        if fates[n][0] == MISMATCH:
            c.say("extra-spec-mismatch", key=Field("%(spec_key)s"), required=Field("%(spec_value)s"), capability=Field(f"%(capability_{n})s"))
            c.say("extra-specs-failed", grouping="host", backend=Field(f"%(host_{n})s"), capabilities=Field(f"%(capabilities_{n})s"))
    fit = [n for n in roomy if fates[n][0] == FIT]
    c.say("filter-returned", filter=FILTERS[2], count=len(fit))
    if chosen < 0:
        _report_none(c, listed, roomy, fit)
        return c.build()
    c.say("backends-filtered", backends=Field(f"[{', '.join(f'host {_quoted(n)}:%(capabilities_{n})s' for n in fit)}]"))
    c.say("weigher-returned", weigher="CapacityWeigher", max_weight=Field("%(weight_max)s"), min_weight=Field("%(weight_min)s"))
    c.say("backends-weighed", backends=Field("%(weighed)s"))
    c.say("backend-chosen", backend=Field(f"%(host_{chosen})s"))
    c.say(
        "capacity-consumed",
        size_gb=Field("%(size)s"),
        grouping="host",
        backend=Field(f"%(host_{chosen})s"),
        capabilities=Field("%(taken)s"),
        mark="scheduled_at",
    )
    c.succeed("ScheduleCreateVolumeTask", "cast")
    c.enter(None, SUCCESS)
    return c.build()


def _quoted(n: int) -> str:
    return f"'%(host_{n})s'"


def _check_capacity(c: Composer, n: int, fate: str, _fresh: bool, finite: bool) -> None:
    backend = Field(f"%(host_{n})s")
    c.say("capacity-check", grouping="host", backend=backend, size_gb=Field("%(size)s"), volume_id=Field("%(volume_id)s"))
    if finite:
        c.say("storage-capacity-factors", factors=Field(f"%(factors_{n})s"))
        key = "free-space-too-small" if fate == TOO_SMALL else "space-information"
        c.say(key, grouping="host", backend=backend, size_gb=Field("%(size)s"), available_gb=Field(f"%(free_{n})s"))


def _report_none(c: Composer, listed: list[int], roomy: list[int], fit: list[int]) -> None:
    prefix = c.stage.release.unicode
    left = (listed, roomy, fit)
    results = ", ".join(f"('{name}', [{', '.join(prefix + _quoted(n) for n in hosts)}])" for name, hosts in zip(FILTERS, left))
    c.say("no-backend-left", volume_id=Field("%(volume_id)s"), results=Field(f"[{results}]"))
    counts = ", ".join(f"{name}: (start: {len(before)}, end: {len(after)})" for name, before, after in zip(FILTERS, (listed, *left), left))
    c.say("no-backend-left-summary", volume_id=Field("%(volume_id)s"), results=counts)
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
