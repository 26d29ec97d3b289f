"""What a volume service writes about a create: from the receipt to the driver, and from the driver to the end or the revert."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from ..lifecycle import FAILURE, REVERTED, REVERTING, RUNNING, SUCCESS, VOLUME
from .lines_image import QCOW2, RAW, is_image, say_copy, say_deleted, say_fetch, say_missing_device
from .lines_scheduler import say_database_mode
from .script import Composer, Field, Script, Stage

_ROOTWRAP = "sudo cinder-rootwrap /etc/cinder/rootwrap.conf env LC_ALL=C "
_LVCREATE = _ROOTWRAP + "lvcreate %(lvcreate)s"
VGS = _ROOTWRAP + "vgs --noheadings --unit=g -o name,size,free,lv_count,uuid --separator : --nosuffix stack-volumes-%(backend)s"
_BEFORE_DRIVER = ("ExtractVolumeRefTask", "OnFailureRescheduleTask", "ExtractVolumeSpecTask", "NotifyVolumeActionTask")
_RESULTS = {"ExtractVolumeRefTask": "%(volume)s", "ExtractVolumeSpecTask": "%(volume_spec)s"}
DRIVER_CLASSES = {"lvm": "LVMVolumeDriver", "fake": "FakeDriver"}
# What a volume is made from, as the volume service names it.
CREATE_TYPES = {"blank": "raw", "volume": "source_vol", "snapshot": "snap", QCOW2: "image", RAW: "image"}
_TRACEBACK = "Traceback (most recent call last):"
_REASON = "Storage array returned status 503: pool is read-only"
_BACKEND_ERROR = f"Bad or unexpected response from the storage volume backend API: {_REASON}"
_COPY_FAILED = "Failed to copy image to volume: "
_QEMU = "qemu-img: error while reading sector 131072: Input/output error"
_NO_DEVICE = "qemu-img convert destination /dev/mapper/%(device)s does not exist"
_COMMAND_ERROR = ("Unexpected error while running command.", "Command: qemu-img convert", "Exit code: 1", "Stdout: ''", f"Stderr: '{_QEMU}'")


@dataclass(frozen=True, slots=True)
class Failure:
    """What may go wrong in a volume service: the exception with its text, how the code raises it, the traceback's name, and the root cause it is.

    ``retryable``: the request may go back to the scheduler. ``recorded``: newer releases write a message for the user.
    ``late``: the driver has made the volume by then.
    """

    exception: str
    error: str
    raised: str
    frames: str
    cause: str = "driver-error"
    retryable: bool = True
    recorded: bool = False
    late: bool = False


FAILURES = {
    "driver-error": Failure(
        "cinder.exception.VolumeBackendAPIException",
        _BACKEND_ERROR,
        f"exception.VolumeBackendAPIException(data='{_REASON}')",
        "driver_failure",
        recorded=True,
    ),
    "driver-crash": Failure("ValueError", "backend exploded", "ValueError('backend exploded')", "driver_failure", recorded=True),
    "volume-not-found": Failure(
        "cinder.exception.VolumeNotFound",
        "Volume %(volume_id)s could not be found.",
        "exception.VolumeNotFound(volume_id=volume.id)",
        "driver_failure",
        retryable=False,
        recorded=True,
    ),
    "clone-error": Failure(
        "cinder.exception.VolumeBackendAPIException", _BACKEND_ERROR, f"exception.VolumeBackendAPIException(data='{_REASON}')", "clone_failure"
    ),
    "image-fetch": Failure(
        "cinder.exception.ImageCopyFailure",
        _COPY_FAILED + "HTTP 500 from glance",
        "exception.ImageCopyFailure(reason='HTTP 500 from glance')",
        "image_failure",
        "image-error",
        retryable=False,
        late=True,
    ),
    "image-conversion": Failure(
        "cinder.exception.ImageCopyFailure", _COPY_FAILED + _QEMU, "", "image_command_failure", "image-error", retryable=False, late=True
    ),
    "device-missing": Failure("cinder.exception.ImageCopyFailure", _COPY_FAILED + _NO_DEVICE, "", "device_missing", "image-error", retryable=False, late=True),
    "driver-not-initialized": Failure(
        "cinder.exception.DriverNotInitialized", "Volume driver not ready.", "", "driver_not_initialized", "driver-not-initialized"
    ),
}


def lvs(stage: Stage) -> str:
    """The command that lists the volumes of a backend's group."""
    return (
        _ROOTWRAP
        + f"lvs --noheadings --unit=g -o vg_name,name,size --nosuffix {'--readonly ' if 'lvs-readonly' in stage.release.flags else ''}stack-volumes-%(backend)s"
    )


def compose_start(stage: Stage, run: int, driver: str, failure: str | None, source: str, retries: bool) -> Script:
    """From the receipt of the ``run``-th attempt to the moment when the driver begins its work (or raises ``failure``).

    ``retries``: whether there may be further attempts.
    """
    c = Composer(stage, VOLUME, run)
    _choose_payloads(c, run, source, retries)
    c.say("reschedule-parameters", None, allow="True", retry=Field("%(retry)s"), mark="received_at")
    c.enter(None, RUNNING, "begin")
    for task in _BEFORE_DRIVER:
        c.start(task)
        c.succeed(task, task if task == "ExtractVolumeRefTask" else "line", _RESULTS.get(task, "None"))
    c.start("CreateVolumeFromSpecTask")
    if failure == "driver-not-initialized":
        c.say("driver-not-initialized", driver=DRIVER_CLASSES[driver])
        return c.build()
    c.say("being-created", volume_id=Field("%(volume_id)s"), create_type=CREATE_TYPES[source], specification=Field("%(volume_rest)s"))
    if is_image(source):
        c.say_either("image-clone-tried", "image-clone-tried-new", **_IMAGE)
        say_fetch(c, source)
    if driver == "lvm" and source == "volume":
        c.say("clone-started", source_id=Field("%(source_id)s"))
    if driver == "lvm" and (failure is None or FAILURES[failure].late):
        c.say("command-run", command=Field(_LVCREATE), mark="run_at")
    return c.build()


def _choose_payloads(c: Composer, run: int, source: str, retries: bool) -> None:
    """What the reprs of this attempt look like."""
    payloads = c.payloads
    if source != "blank":
        for name in ("volume_spec", "volume_rest"):
            payloads[name] = payloads[f"{name}_{CREATE_TYPES[source]}"]
    if source in ("volume", "snapshot"):  # the source is locked meanwhile
        payloads["run_flow_line"] = payloads["run_flow_line_locked"]
    if not retries:
        payloads["retry"] = "None"
        payloads["filter_properties"] = payloads["filter_properties_alone"]
    elif run > 1:
        payloads["filter_properties"] = payloads["filter_properties_again"]


_IMAGE = {"volume_id": Field("%(volume_id)s"), "image_id": Field("%(image_id)s"), "location": Field("%(image_location)s")}


def _say_copy_failed(c: Composer, failure: str) -> None:
    release = c.stage.release
    if failure == "image-conversion":
        name = release.summary("oslo_concurrency.processutils.ProcessExecutionError")
        first, *more = _COMMAND_ERROR
        frames = (*release.tracebacks["image_copy"][:-1], "    raise processutils.ProcessExecutionError(cmd=cmd, exit_code=1)")
        trace = (_TRACEBACK, *frames, f"{name}: {first}", *more, "")
        key, summary = "image-copy-failed-command", f": {name}: {first}"
    elif failure == "device-missing":
        error = f"{release.summary('cinder.exception.CinderException')}: {_NO_DEVICE}"
        more, trace = [], (_TRACEBACK, *release.tracebacks["image_copy_device"], error, "")
        key, summary = "image-copy-failed", f": {error}"
    else:
        error = f"{release.summary(FAILURES[failure].exception)}: %(error)s"
        more, trace = [], (_TRACEBACK, *release.tracebacks["image_copy"], error, "")
        key, summary = "image-copy-failed", f": {error}"
    c.say_either(key, f"{key}-utils", summary=summary, more=more, trace=trace, volume_id=_IMAGE["volume_id"], image_id=_IMAGE["image_id"])


def _return_from_driver(c: Composer, driver: str) -> None:
    """What tells that the driver has made the volume."""
    if driver == "lvm":
        c.say("command-returned", None, command=Field(_LVCREATE), returncode=0, elapsed_s=Field("%(elapsed)s"), mark="returned_at")


def compose_end(stage: Stage, run: int, driver: str, begun: Script, source: str) -> Script:
    """From the driver's return to the end of a create that works."""
    c = Composer(stage, VOLUME, run, after=begun)
    _return_from_driver(c, driver)
    if is_image(source):
        c.say_either("image-download-started", "image-download-started-utils", **_IMAGE)
        say_copy(c, source, driver)
        c.say_either("image-downloaded", "image-downloaded-utils", **_IMAGE)
        say_deleted(c)
        c.say_either("marked-bootable", "marked-bootable-utils", volume_id=_IMAGE["volume_id"])
        c.say("metadata-copied-from-image", volume_id=_IMAGE["volume_id"], image_id=_IMAGE["image_id"])
        c.say("image-metadata-stored", volume_id=_IMAGE["volume_id"], image_id=_IMAGE["image_id"], metadata=Field("%(image_glance_metadata)s"))
    c.succeed("CreateVolumeFromSpecTask", "line", "%(volume_rest)s")
    c.start("CreateVolumeOnFinishTask")
    c.say("volume-created", "CreateVolumeOnFinishTask", volume_name=Field("volume-%(volume_id)s"), volume_id=Field("%(volume_id)s"))
    c.succeed("CreateVolumeOnFinishTask")
    c.enter(None, SUCCESS)
    c.say("create-finished", "end")
    return c.build()


def compose_failure(stage: Stage, run: int, driver: str, failure: str, begun: Script, retried: bool, source: str = "") -> Script:
    """From the exception through the revert, in which the request goes back to the scheduler if it is ``retried``."""
    c = Composer(stage, VOLUME, run, after=begun)
    release, kind = stage.release, FAILURES[failure]
    error = f"{release.summary(kind.exception)}: %(error)s"
    frames = release.tracebacks.get(kind.frames)
    if not frames:
        raise UsageError(f"no traceback of {failure} is known of release {release.name}")
    if kind.late:
        c.payloads["volume"] = c.payloads["volume"].replace("status='creating'", "status='downloading'")
        _return_from_driver(c, driver)
        c.say_either("image-download-started", "image-download-started-utils", **_IMAGE)
        if failure == "device-missing":
            say_missing_device(c, source)
        _say_copy_failed(c, failure)
    if kind.recorded and "message-on-driver-failure" in release.flags:
        c.say("message-record-created", request_id=Field("%(request_id)s"))
        say_database_mode(c, "driver-failure")
    c.enter("CreateVolumeFromSpecTask", FAILURE, more=c.dump(error), trace=(_TRACEBACK, *frames, error, ""), mark="failed_at")
    for task in ("CreateVolumeFromSpecTask", "NotifyVolumeActionTask", "ExtractVolumeSpecTask"):
        c.revert(task)
    c.enter("OnFailureRescheduleTask", REVERTING, mark="reschedule_at")
    if retried:
        _reschedule(c, driver)
    else:
        c.say("volume-set-to-error", object_type="Volume", volume_id=Field("%(volume_id)s"), reason="Unknown reason")
        c.say("create-failed", volume_id=Field("%(volume_id)s"))
    c.enter("OnFailureRescheduleTask", REVERTED, result=str(retried))
    c.revert("ExtractVolumeRefTask")
    c.enter(None, REVERTED)
    # The traceback of an error's cause stands before that of the error, which alone goes through the message's handling.
    cause = len(frames) - frames[::-1].index(_TRACEBACK) if _TRACEBACK in frames else 0
    trace = (_TRACEBACK, *frames[:cause], *release.tracebacks["message_handling"], *frames[cause:], error, "")
    if failure == "volume-not-found" and release.tracebacks.get("exception_dropped"):
        # The clean-up after it fails on its own, and its error takes the place of the first.
        c.say_either("exception-dropped", "exception-dropped-root", traceback=Field("%(dropped)s"))
        error = "TypeError: unsupported operand type(s) for +: 'NoneType' and 'str'"
        trace = (_TRACEBACK, *release.tracebacks["exception_dropped"], error, "")
    c.say("message-handling-failed", summary=f": {error}", trace=trace)
    return c.build()


def _reschedule(c: Composer, driver: str) -> None:
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


def _delete_remains(c: Composer) -> None:
    """LVM's driver looks for a volume to delete and finds none."""
    command = f"{lvs(c.stage)}/volume-%(volume_id)s"
    c.say("command-run", command=Field(command), mark="run_at")
    c.say("command-returned", "lvs", command=Field(command), returncode=5, elapsed_s=Field("%(elapsed)s"), mark="returned_at")
    c.say("command-given-up", command=Field(f"'{command}'"))
    c.say("lvm-volume-not-found", volume_group=Field("stack-volumes-%(backend)s"), volume_name=Field("volume-%(volume_id)s"))
