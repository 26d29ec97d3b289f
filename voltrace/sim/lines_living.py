"""What services write on their own account: at their start, and now and then while they live."""

from __future__ import annotations

from ..lifecycle import SCHEDULER, VOLUME
from .lines_scheduler import say_database_mode
from .lines_volume import DRIVER_CLASSES, VGS, lvs
from .script import Composer, Field, Script, Stage

# What a service shows of its options. The real list has 500 lines; these are the ones that say something of a create.
_OPTIONS = {
    "debug": "True",
    "default_availability_zone": "None",
    "default_volume_type": "%(default_type)s",
    "enabled_backends": "%(all_backends)s",
    "host": "%(node)s",
    "osapi_volume_workers": "None",
    "periodic_fuzzy_delay": "60",
    "periodic_interval": "60",
    "report_interval": "120",
    "rpc_response_timeout": "120",
    "scheduler_default_filters": "%(filters)s",
    "scheduler_default_weighers": "%(weighers)s",
    "scheduler_driver": "cinder.scheduler.filter_scheduler.FilterScheduler",
    "scheduler_max_attempts": "%(max_attempts)s",
    "service_down_time": "720",
    "storage_availability_zone": "%(zone)s",
    "transport_url": "****",
}
_FILES = "['--config-file', '/etc/cinder/cinder.conf']"
_LOCK = ("lock-wanted-library", "lock-acquired-library", "lock-released-library")


def compose_scheduler_start(stage: Stage) -> Script:
    """The first stretch of a scheduler's start: what the others' versions are, its options, and that it starts."""
    c = Composer(stage, SCHEDULER)
    c.stderr("start")
    say_database_mode(c, "services", anonymous=True)
    payloads = stage.release.payloads
    for service in ("cinder-volume", "cinder-backup", "cinder-scheduler"):
        if payloads.get("objects_version"):
            c.say("objects-version-selected", "services", anonymous=True, service=service, version=payloads["objects_version"])
            c.say("rpc-version-selected", anonymous=True, service=service, version=payloads[f"rpc_{service}"])
    if stage.lines_of_libraries:
        for key in _LOCK:
            c.say(key, anonymous=True, lock="singleton_lock")
    _say_options(c)
    c.say("service-starting", alone=True, service="cinder-scheduler", version=stage.release.version)
    return c.build()


def compose_scheduler_listens(stage: Stage) -> Script:
    """The rest of a scheduler's start, as a request of its own: it has nothing to clean up, and listens."""
    c = Composer(stage, SCHEDULER)
    _say_cleanup(c, 0)
    c.say("rpc-server-creating", anonymous=True, service="cinder-scheduler")
    if stage.release.payloads.get("objects_version"):
        c.say("object-versions-pinned", anonymous=True, version=stage.release.payloads["objects_version"])
    return c.build()


def _say_options(c: Composer) -> None:
    c.say("options-border", anonymous=True)
    c.say("options-sources", anonymous=True)
    c.say("options-command-line", anonymous=True, arguments=_FILES)
    c.say("options-files", anonymous=True, files="['/etc/cinder/cinder.conf']")
    c.say("options-rule", anonymous=True)
    for option, value in _OPTIONS.items():
        c.say("option-value", anonymous=True, option=f"{option:<30}", value=Field(value))
    c.say("options-border-end", anonymous=True)


def _say_cleanup(c: Composer, left: int) -> None:
    c.say("cleanup-initiated", anonymous=True, service_id=Field("%(service_id)s"))
    for n in range(left):
        c.say("cleaning-volume", anonymous=True, volume_id=Field(f"%(left_{n})s"), volume_status="creating")
    c.say("cleanup-completed", anonymous=True, service_id=Field("%(service_id)s"))


def compose_volume_start(stage: Stage, driver: str, left: int) -> Script:
    """What a volume service writes when it starts: it looks at its backend, and cleans the ``left`` volumes up that it was at work on."""
    c = Composer(stage, VOLUME)
    named = {"driver": DRIVER_CLASSES[driver], "version": "3.0.0"}
    c.say("service-starting", None, alone=True, service="cinder-volume", version=stage.release.version)
    c.say_either("driver-starting", "driver-starting-old", "begin", anonymous=True, **named)
    _say_stats(c, driver)
    c.say("capabilities-sent", anonymous=True)
    c.say_either("driver-started", "driver-started-old", anonymous=True)
    _say_cleanup(c, left)
    c.say("rpc-server-creating", anonymous=True, service="cinder-volume")
    c.say("driver-rpc-starting", anonymous=True, **named)
    c.say("driver-rpc-started", anonymous=True)
    return c.build()


def compose_report(stage: Stage, driver: str, reports: bool, counts: bool) -> Script:
    """What a backend's periodic tasks write: it ``reports`` its capabilities, it ``counts`` its threads (the newest release does)."""
    c = Composer(stage, VOLUME)
    if reports:
        c.say("periodic-task", task="VolumeManager.publish_service_capabilities")
        _say_stats(c, driver)
        c.say("capabilities-sent", mark="sent_at")
    if counts and c.has("thread-count"):
        c.say("periodic-task", task="VolumeManager._thread_info")
        c.say("thread-count", count=5)
        c.say("thread-list", threads=Field("%(threads)s"))
    return c.build()


def compose_update(stage: Stage, published: bool, thick: int) -> Script:
    """What a backend's report writes in the scheduler. If the room is to be ``published``, each of the ``thick`` pools is found to be no thin one."""
    c = Composer(stage, SCHEDULER)
    if not c.say("service-update-received", None, service="volume", cluster="", service_host=Field("%(service)s"), capabilities=Field("%(report)s")):
        c.say("service-update-received-plain", None, service="volume", service_host=Field("%(service)s"), capabilities=Field("%(report)s"))
    if published:
        for _ in range(thick):
            c.say("oversubscription-no-thin")
            c.say("oversubscription-no-thin-sched-utils")
        c.say("capacity-published", capacities=Field("%(published)s"))
    return c.build()


def compose_expiry(stage: Stage) -> Script:
    """What the scheduler's own periodic tasks write, which it runs soon after its start and then once a day."""
    c = Composer(stage, SCHEDULER)
    c.say("periodic-task", None, task="SchedulerManager._clean_expired_messages")
    say_database_mode(c, "services")
    c.say("messages-expired", count=0)
    c.say("periodic-task", task="SchedulerManager._clean_expired_reservation")
    return c.build()


def _say_stats(c: Composer, driver: str) -> None:
    if driver == "lvm":
        c.say("stats-updated-lvm")
        for n, command in enumerate((VGS, lvs(c.stage))):
            c.say("command-run", command=Field(command), mark=f"run_at_{n}")
            c.say("command-returned", "lvs", command=Field(command), returncode=0, elapsed_s=Field(f"%(elapsed_{n})s"), mark=f"returned_at_{n}")
