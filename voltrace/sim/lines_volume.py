"""What a volume service writes about a create: from the receipt to the driver, and from the driver to the end or the revert."""

from __future__ import annotations

from ..lifecycle import FAILURE, REVERTED, REVERTING, RUNNING, SUCCESS, VOLUME
from .lines_scheduler import say_database_mode
from .script import Composer, Field, Script, Stage

_ROOTWRAP = "sudo cinder-rootwrap /etc/cinder/rootwrap.conf env LC_ALL=C "
_LVCREATE = _ROOTWRAP + "lvcreate -n volume-%(volume_id)s stack-volumes-%(backend)s -L %(size)sg"
_VGS = _ROOTWRAP + "vgs --noheadings --unit=g -o name,size,free,lv_count,uuid --separator : --nosuffix stack-volumes-%(backend)s"
_BEFORE_DRIVER = ("ExtractVolumeRefTask", "OnFailureRescheduleTask", "ExtractVolumeSpecTask", "NotifyVolumeActionTask")
_RESULTS = {"ExtractVolumeRefTask": "%(volume)s", "ExtractVolumeSpecTask": "%(volume_spec)s"}
DRIVER_CLASSES = {"lvm": "LVMVolumeDriver", "fake": "FakeDriver"}
# What a driver may do wrong, and the exception that it is.
FAILURES = {"driver-error": "VolumeBackendAPIException", "driver-not-initialized": "DriverNotInitialized"}


def _lvs(stage: Stage) -> str:
    return (
        _ROOTWRAP
        + f"lvs --noheadings --unit=g -o vg_name,name,size --nosuffix {'--readonly ' if 'lvs-readonly' in stage.release.flags else ''}stack-volumes-%(backend)s"
    )


def compose_start(stage: Stage, run: int, driver: str, failure: str | None) -> Script:
    """From the receipt of the ``run``-th attempt to the moment when the driver begins its work (or raises ``failure``)."""
    c = Composer(stage, VOLUME, run)
    c.say("reschedule-parameters", None, allow="True", retry=Field("%(retry)s"), mark="received_at")
    c.enter(None, RUNNING, "begin")
    for task in _BEFORE_DRIVER:
        c.start(task)
        c.succeed(task, task if task == "ExtractVolumeRefTask" else "line", _RESULTS.get(task, "None"))
    c.start("CreateVolumeFromSpecTask")
    if failure == "driver-not-initialized":
        c.say("driver-not-initialized", driver=DRIVER_CLASSES[driver])
        return c.build()
    c.say("being-created", volume_id=Field("%(volume_id)s"), create_type="raw", specification=Field("%(volume_rest)s"))
    if driver == "lvm" and failure is None:
        c.say("command-run", command=Field(_LVCREATE), mark="run_at")
    return c.build()


def compose_end(stage: Stage, run: int, driver: str, begun: Script) -> Script:
    """From the driver's return to the end of a create that works."""
    c = Composer(stage, VOLUME, run, after=begun)
    pause = None
    if driver == "lvm":
        c.say("command-returned", None, command=Field(_LVCREATE), returncode=0, elapsed_s=Field("%(elapsed)s"), mark="returned_at")
        pause = "line"
    c.succeed("CreateVolumeFromSpecTask", pause or "line", "%(volume_rest)s")
    c.start("CreateVolumeOnFinishTask")
    c.say("volume-created", "CreateVolumeOnFinishTask", volume_name=Field("volume-%(volume_id)s"), volume_id=Field("%(volume_id)s"))
    c.succeed("CreateVolumeOnFinishTask")
    c.enter(None, SUCCESS)
    c.say("create-finished", "end")
    return c.build()


def compose_failure(stage: Stage, run: int, driver: str, failure: str, begun: Script) -> Script:
    """From the driver's exception through the revert, in which the request goes back to the scheduler."""
    c = Composer(stage, VOLUME, run, after=begun)
    release = stage.release
    error = f"{release.summary(FAILURES[failure])}: %(error)s"
    frames = release.tracebacks["driver_failure" if failure == "driver-error" else "driver_not_initialized"]
    if failure == "driver-error" and "message-on-driver-failure" in release.flags:
        c.say("message-record-created", request_id=Field("%(request_id)s"))
        say_database_mode(c, "driver-failure")
    c.enter("CreateVolumeFromSpecTask", FAILURE, more=_dump(c, error), trace=("Traceback (most recent call last):", *frames, error, ""), mark="failed_at")
    for task in ("CreateVolumeFromSpecTask", "NotifyVolumeActionTask", "ExtractVolumeSpecTask"):
        c.revert(task)
    c.enter("OnFailureRescheduleTask", REVERTING, mark="reschedule_at")
    c.say("reschedule-update", volume_id=Field("%(volume_id)s"), update=Field("%(row_cleared)s"))
    c.say(
        "rescheduling",
        volume_id=Field("%(volume_id)s"),
        method="SchedulerAPI.create_volume",
        attempt=Field("%(attempt)s"),
        reason=Field("%(error)s"),
        mark="recast_at",
    )
    c.say("rescheduled", "cast", volume_id=Field("%(volume_id)s"))
    if driver == "lvm":
        _delete_remains(c)
    c.enter("OnFailureRescheduleTask", REVERTED, result="True")
    c.revert("ExtractVolumeRefTask")
    c.enter(None, REVERTED)
    trace = ("Traceback (most recent call last):", *release.tracebacks["message_handling"], *frames, error, "")
    c.say("message-handling-failed", summary=f": {error}", trace=trace)
    return c.build()


def _dump(c: Composer, error: str) -> tuple[str, ...]:
    """The predecessors of the failed task, the latest first, each indented below the one before."""
    lines = ["5 predecessors (most recent first):"]
    for depth, name in enumerate(reversed(_BEFORE_DRIVER)):
        logged_as = next(t.logged_as for t in c.flow.tasks if t.name == name)
        branch = "  |__" if depth else "  "
        lines.append(f"{'   ' * (depth - 1)}{branch}Atom '{logged_as}' %(atom_{name})s")
    lines.append(f"{'   ' * (len(_BEFORE_DRIVER) - 1)}  |__Flow '{c.flow.name}': {error}")
    return tuple(lines)


def _delete_remains(c: Composer) -> None:
    """LVM's driver looks for a volume to delete and finds none."""
    command = f"{_lvs(c.stage)}/volume-%(volume_id)s"
    c.say("command-run", command=Field(command), mark="run_at")
    c.say("command-returned", "lvs", command=Field(command), returncode=5, elapsed_s=Field("%(elapsed)s"), mark="returned_at")
    c.say("command-given-up", command=Field(f"'{command}'"))
    c.say("lvm-volume-not-found", volume_group=Field("stack-volumes-%(backend)s"), volume_name=Field("volume-%(volume_id)s"))


def compose_report(stage: Stage, driver: str) -> Script:
    """What a backend's periodic tasks write: they own a request id of their own."""
    c = Composer(stage, VOLUME)
    if c.has("thread-count"):
        c.say("periodic-task", task="VolumeManager._thread_info")
        c.say("thread-count", count=5)
        c.say("thread-list", threads=Field("%(threads)s"))
    c.say("periodic-task", task="VolumeManager.publish_service_capabilities")
    if driver == "lvm":
        c.say("stats-updated-lvm")
        for n, command in enumerate((_VGS, _lvs(c.stage))):
            c.say("command-run", command=Field(command), mark=f"run_at_{n}")
            c.say("command-returned", "lvs", command=Field(command), returncode=0, elapsed_s=Field(f"%(elapsed_{n})s"), mark=f"returned_at_{n}")
    c.say("capabilities-sent", mark="sent_at")
    return c.build()
