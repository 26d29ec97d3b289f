"""What the API writes about a create: from the request's arrival to its answer."""

from __future__ import annotations

from ..lifecycle import API, FAILURE, REVERTED, RUNNING, SUCCESS
from .script import Composer, Field, Script, Stage

# uWSGI's own access line; DevStack leaves its format at the default.
_ACCESS = (
    "[pid: %%(pid)s|app: 0|req: %%(worker_requests)s/%%(all_requests)s] 127.0.0.1 () {60 vars in %%(request_bytes)s bytes} [%%(access_date)s] "
    "%s %%(path)s => generated %%(answer_bytes)s bytes in %%(milliseconds)s msecs (HTTP/1.1 %d) 7 headers in 292 bytes (1 switches on core 0)"
)
ACCEPTED = "accepted"
# Refusals, by the name that `Api.judge` gives them: the HTTP status, and the exception where the flow raises one.
REFUSALS = {
    "schema": (400, None),
    "type": (404, None),
    "size": (400, None),
    "zone": (400, "InvalidAvailabilityZone"),
    "flow-size": (400, "InvalidInput"),
    "quota-limit": (413, "VolumeSizeExceedsLimit"),
    "quota-gigabytes": (413, "VolumeSizeExceedsAvailableQuota"),
    "quota-volumes": (413, "VolumeLimitExceeded"),
}


def compose_create(stage: Stage, ending: str, zones_old: bool, type_new: bool) -> Script:
    """The lines of a create that ends so: `ACCEPTED` or one of `REFUSALS`.

    ``zones_old``: the worker's cache of availability zones is empty or too old. ``type_new``: it meets the volume type first.
    """
    c = Composer(stage, API)
    arrived = c.say("request-id-filter", None, anonymous=True, mark="received_at")
    c.say("request-received", "authenticate" if arrived else None, method="POST", url=Field("%(url)s"), mark=None if arrived else "received_at")
    c.say("request-body-raw", action="create", method=Field("%(method)s"), body=Field("%(body_json)s"))
    if ending == "schema":
        return _answer(c, ending)
    c.say("request-body", body=Field("%(body_python)s"))
    if ending == "type":
        return _answer(c, ending)
    c.say("size-requested", size_gb=Field("%(size_asked)s"))
    c.stderr("size-requested")
    if ending == "size":
        return _answer(c, ending)
    if zones_old:
        _refresh_zones(c)
    c.say("zones-retrieved", "line" if zones_old else "zones")
    c.enter(None, RUNNING, "prepare")
    c.start("ExtractVolumeRequestTask")
    c.say("size-validated", size_gb=Field("%(size_asked)s"), checks="validate_int")
    if ending == "zone":
        _fail_by_zone(c)
        _refresh_zones(c)
        c.say("zones-retrieved")
        return _answer(c, ending)
    if ending == "flow-size":
        _fail(c, "ExtractVolumeRequestTask", ending)
        return _answer(c, ending)
    c.succeed("ExtractVolumeRequestTask", "ExtractVolumeRequestTask", "%(extract_result)s")
    c.start("QuotaReserveTask")
    if type_new:
        for resource in ("volumes", "gigabytes"):
            name = f"{resource}_%(type_name)s"
            c.say("quota-default-deprecated", resource=Field(name), option=Field(f"quota_{name}"))
    if ending != ACCEPTED:
        _fail_by_quota(c, ending)
        return _answer(c, ending)
    c.say("reservations-created", "QuotaReserveTask", reservations=Field("%(reservations)s"))
    c.succeed("QuotaReserveTask", result="{'reservations': %(reservations)s}")
    c.start("EntryCreateTask", mark="created_at")
    c.stderr("EntryCreateTask")
    c.succeed("EntryCreateTask", "EntryCreateTask", "%(entry_result)s")
    c.start("QuotaCommitTask")
    c.succeed("QuotaCommitTask", "QuotaCommitTask", "%(commit_result)s")
    c.start("VolumeCastTask", mark="sent_at")
    c.succeed("VolumeCastTask", "VolumeCastTask")
    c.enter(None, SUCCESS)
    c.say("request-issued")
    return _answer(c, ending)


def _refresh_zones(c: Composer) -> None:
    c.say("zone-cache-updated", "zones", until=Field("%(until)s"), mark="zones_at")


def _answer(c: Composer, ending: str) -> Script:
    status = 202 if ending == ACCEPTED else REFUSALS[ending][0]
    # Quota errors leave the handler and are answered by the middleware around it.
    c.say("answer-refused" if status == 413 else "answer", url=Field("%(url)s"), status=status, mark="answered_at")
    c.raw(_ACCESS % ("POST", status), pause="line")
    return c.build()


def _fail(c: Composer, task: str, ending: str) -> None:
    """A failure of a kind that is expected: its text, without dump and traceback. Then the reverts."""
    c.enter(task, FAILURE, task, more=("", f"Failure: cinder.exception.{REFUSALS[ending][1]}: %(error)s"))
    _revert(c)


def _revert(c: Composer) -> None:
    done = [t.name for t in c.flow.tasks if c.states[t.name] in (SUCCESS, FAILURE)]
    for name in reversed(done):
        c.revert(name)
    c.enter(None, REVERTED)


def _fail_by_quota(c: Composer, ending: str) -> None:
    over = f": {c.stage.release.summary('OverQuota')}: Quota exceeded for resources: "
    if ending == "quota-gigabytes":
        fields = {name: Field(f"%({name})s") for name in ("project_id", "consumed_gb", "quota_gb")}
        c.say("quota-exceeded-gigabytes", "QuotaReserveTask", size_gb=Field("%(size)s"), resource="volume", summary=over + "['gigabytes']", **fields)
    elif ending == "quota-volumes":
        c.say(
            "quota-exceeded-count",
            "QuotaReserveTask",
            project_id=Field("%(project_id)s"),
            resource="volume",
            count=Field("%(consumed)s"),
            resources="volumes",
            summary=over + "['volumes']",
        )
    _fail(c, "QuotaReserveTask", ending)


def _fail_by_zone(c: Composer) -> None:
    error = f"{c.stage.release.summary('InvalidAvailabilityZone')}: %(error)s"
    trace = ("Traceback (most recent call last):", *c.stage.release.tracebacks["invalid_zone"], error, "")
    c.enter("ExtractVolumeRequestTask", FAILURE, more=("1 predecessors (most recent first):", f"  Flow '{c.flow.name}': {error}"), trace=trace)
    _revert(c)


def compose_listing(stage: Stage) -> Script:
    """What a listing of volumes writes: the API's own background, asked for by a monitor."""
    c = Composer(stage, API)
    arrived = c.say("request-id-filter", None, anonymous=True, mark="received_at")
    c.say("request-received", "authenticate" if arrived else None, method="GET", url=Field("%(url)s"), mark=None if arrived else "received_at")
    c.say("method-called", method=Field("%(method)s"))
    c.say("volume-get-all", "zones")
    c.say("answer", url=Field("%(url)s"), status=200, mark="answered_at")
    c.raw(_ACCESS % ("GET", 200), pause="line")
    return c.build()
