"""What the API writes about a create: from the request's arrival to its answer."""

from __future__ import annotations

from ..lifecycle import API, FAILURE, REVERTED, REVERTING, RUNNING, SUCCESS
from .lines_scheduler import say_database_mode
from .script import Composer, Field, Script, Stage

# uWSGI's own access line; DevStack leaves its format at the default. A GET has no body, and fewer headers for it.
_ACCESS = (
    "[pid: %%(pid)s|app: 0|req: %%(worker_requests)s/%%(all_requests)s] 127.0.0.1 () {%d vars in %%(request_bytes)s bytes} [%%(access_date)s] "
    "%s %%(path)s => generated %%(answer_bytes)s bytes in %%(milliseconds)s msecs (HTTP/1.1 %d) %d headers in %d bytes (1 switches on core 0)"
)
_VARS = {"POST": 60, "GET": 56}
_HEADERS = {"POST": (7, 292), "GET": (7, 286)}
_HEADERS_OF_REFUSALS = {401: (5, 227), 406: (7, 298)}
ACCEPTED = "accepted"
# Refusals, by the name that `Api.judge` gives them: the HTTP status, and the exception where the flow raises one.
REFUSALS = {
    "schema": (400, None),
    "type": (404, None),
    "image": (400, None),
    "size": (400, None),
    "zone": (400, "InvalidAvailabilityZone"),
    "flow-size": (400, "InvalidInput"),
    "source-size": (400, "InvalidInput"),
    "token-missing": (401, None),
    "token-wrong": (401, None),
    "version": (406, None),
    "body": (400, None),
    "project": (400, None),
    "policy": (403, None),
    "quota-limit": (413, "VolumeSizeExceedsLimit"),
    "quota-gigabytes": (413, "VolumeSizeExceedsAvailableQuota"),
    "quota-volumes": (413, "VolumeLimitExceeded"),
}
# Of those, the ones that no line of the API tells: they are answered on the web server's access line alone. And those before anybody is known.
UNANSWERED = ("token-missing", "token-wrong", "version", "body", "project")
NAMELESS = ("token-missing", "token-wrong")
# What may break in the API, by the name that faults give it: the task that fails, the exception with its text, and its traceback.
BREAKDOWNS = {
    "database": ("EntryCreateTask", "oslo_db.exception.DBError", "(sqlite3.OperationalError) disk I/O error", "database_error"),
    "commit": ("QuotaCommitTask", "cinder.exception.CinderException", "An unknown exception occurred.", "commit_failure"),
    "cast": ("VolumeCastTask", "oslo_messaging.exceptions.MessageDeliveryFailure", "Unable to connect to AMQP server on 127.0.0.1:5672", "cast_failure"),
}
_INVALID_TOKEN = "keystonemiddleware.auth_token._exceptions.InvalidToken"
_POLICY = "volume:create"
# What shows a volume's source, and the check of the size that goes with it.
_SOURCES = {"volume": ("volume-retrieved", ", validate_source_size"), "snapshot": ("snapshot-retrieved", ", validate_snap_size")}


def compose_create(stage: Stage, ending: str, zones_old: bool, type_new: bool, source: str = "blank", first: bool = False) -> Script:
    """The lines of a create from this source that ends so: `ACCEPTED`, one of `REFUSALS` or one of `BREAKDOWNS`.

    ``zones_old``: the worker's cache of availability zones is empty or too old. ``type_new``: it meets the volume type first.
    ``first``: it has served nothing before.
    """
    c = Composer(stage, API)
    arrived = c.say("request-id-filter", None, anonymous=True, mark="received_at")
    if ending in NAMELESS:
        # Up to Train nobody has made a context yet: whose request id the token's line then shows is not known, nor is that line itself.
        if ending == "token-wrong" and arrived:
            c.say("token-refused", "authenticate", anonymous=True, summary=f": {c.stage.release.summary(_INVALID_TOKEN)}: Token authorization failed")
        return _close(c, ending)
    c.say("request-received", "authenticate" if arrived else None, method="POST", url=Field("%(url)s"), mark=None if arrived else "received_at")
    if ending == "version":
        return _close(c, ending)
    c.say("request-body-raw", action="create", method=Field("%(method)s"), body=Field("%(body_json)s"))
    if ending in UNANSWERED:
        return _close(c, ending)
    if ending == "schema":
        return _answer(c, ending)
    c.say("request-body", body=Field("%(body_python)s"))
    if ending == "type":
        return _answer(c, ending)
    if ending == "image":
        if stage.lines_of_libraries:
            c.say("image-request-refused", "zones", status=404)
        c.say("http-exception-thrown", error="Invalid image identifier or unable to access requested image.")
        return _answer(c, ending)
    shown, checks = _SOURCES.get(source, ("", ""))
    if shown:
        c.say(shown)
    c.say("size-requested", size_gb=Field("%(size_asked)s"))
    c.stderr("size-requested")
    if ending == "size":
        return _answer(c, ending)
    if ending == "policy":
        exception = f": {c.stage.release.summary('cinder.exception.PolicyNotAuthorized')}: Policy doesn't allow {_POLICY} to be performed."
        shown_old = c.say("policy-refused-old", "zones", action=_POLICY, credentials=Field("%(credentials)s"), summary=exception)
        shown_old or c.say("policy-refused", "zones", action=_POLICY, credentials=Field("%(credentials)s"))
        return _answer(c, ending)
    if first:
        _connect(c)
    if zones_old:
        _refresh_zones(c, first)
    c.say("zones-retrieved", "line" if zones_old else "zones")
    c.enter(None, RUNNING, "prepare")
    c.start("ExtractVolumeRequestTask")
    c.say("size-validated", size_gb=Field("%(size_asked)s"), checks=f"validate_int{checks}")
    if ending == "zone":
        _fail_by_zone(c)
        _refresh_zones(c, False)
        c.say("zones-retrieved")
        return _answer(c, ending)
    if ending in ("flow-size", "source-size"):
        _fail(c, "ExtractVolumeRequestTask", ending)
        return _answer(c, ending)
    c.succeed("ExtractVolumeRequestTask", "ExtractVolumeRequestTask", "%(extract_result)s")
    c.start("QuotaReserveTask")
    if type_new:
        for resource in ("volumes", "gigabytes"):
            name = f"{resource}_%(type_name)s"
            c.say("quota-default-deprecated", resource=Field(name), option=Field(f"quota_{name}"))
    if ending in REFUSALS:
        _fail_by_quota(c, ending)
        return _answer(c, ending)
    c.say("reservations-created", "QuotaReserveTask", reservations=Field("%(reservations)s"))
    c.succeed("QuotaReserveTask", result="{'reservations': %(reservations)s}")
    for task in ("EntryCreateTask", "QuotaCommitTask", "VolumeCastTask"):
        c.start(task, mark=_MARKS.get(task))
        if ending in BREAKDOWNS and BREAKDOWNS[ending][0] == task:
            _break(c, ending)
            return _answer(c, ending)
        c.stderr(task)
        c.succeed(task, task, _RESULTS.get(task, "None"))
    c.enter(None, SUCCESS)
    c.say("request-issued")
    return _answer(c, ending)


_MARKS = {"EntryCreateTask": "created_at", "VolumeCastTask": "sent_at"}
_RESULTS = {"EntryCreateTask": "%(entry_result)s", "QuotaCommitTask": "%(commit_result)s"}


def _refresh_zones(c: Composer, first: bool) -> None:
    if not first:
        c.stderr("zone-cache")
    c.say("zone-cache-updated", "zones", until=Field("%(until)s"), mark="zones_at")


def _answer(c: Composer, ending: str) -> Script:
    status = 202 if ending == ACCEPTED else 500 if ending in BREAKDOWNS else REFUSALS[ending][0]
    # Quota errors and unexpected ones leave the handler and are answered by the middleware around it.
    shown: int | str = status
    if ending in BREAKDOWNS and not BREAKDOWNS[ending][1].startswith("cinder.") and "status-names" in c.stage.release.flags:
        shown = "HTTPStatus.INTERNAL_SERVER_ERROR"
    c.say("answer-refused" if status in (413, 500) else "answer", url=Field("%(url)s"), status=shown, mark="answered_at")
    _access(c, "POST", status)
    return c.build()


def _close(c: Composer, ending: str) -> Script:
    """Only the web server answers; what is written before tells nothing of it."""
    begun = bool(c.marks)
    _access(c, "POST", REFUSALS[ending][0])
    for name in ("answered_at",) if begun else ("received_at", "answered_at") if c.texts else ():
        c.mark(name)
    return c.build()


def _access(c: Composer, method: str, status: int) -> None:
    if c.stage.access_lines:
        headers, answered = _HEADERS_OF_REFUSALS.get(status, _HEADERS[method])
        c.raw(_ACCESS % (_VARS[method], method, status, headers, answered), pause="line")


def _connect(c: Composer) -> None:
    """A worker's first request connects to the database, where the connection is not made at the start."""
    if "api-connects-late" in c.stage.release.flags:
        say_database_mode(c)


def _fail(c: Composer, task: str, ending: str) -> None:
    """A failure of a kind that is expected: its text, without dump and traceback. Then the reverts."""
    c.enter(task, FAILURE, task, more=("", f"Failure: cinder.exception.{REFUSALS[ending][1]}: %(error)s"))
    _revert(c)


def _revert(c: Composer) -> None:
    committed = c.states["QuotaCommitTask"] == SUCCESS
    done = [t.name for t in c.flow.tasks if c.states[t.name] in (SUCCESS, FAILURE)]
    for name in reversed(done):
        c.enter(name, REVERTING)
        if name == "QuotaCommitTask" and committed:
            c.say("reservations-created", "QuotaReserveTask", reservations=Field("%(reservations_back)s"))
        c.enter(name, REVERTED, result="None")
    c.enter(None, REVERTED)


def _break(c: Composer, ending: str) -> None:
    """A failure that nobody expected: a dump and a traceback in the flow's log, the reverts, and the error that the middleware catches."""
    task, exception, _, frames = BREAKDOWNS[ending]
    release = c.stage.release
    error = f"{release.summary(exception)}: %(error)s"
    trace = ("Traceback (most recent call last):", *release.tracebacks[frames], error, "")
    c.enter(task, FAILURE, task, more=c.dump(error), trace=trace)
    _revert(c)
    trace = ("Traceback (most recent call last):", *release.tracebacks["caught_error"], *release.tracebacks[frames], error, "")
    c.say("error-caught", exception=exception, error=Field("%(error)s"), summary=f": {error}", trace=trace)


def _fail_by_quota(c: Composer, ending: str) -> None:
    over = f": {c.stage.release.summary('cinder.exception.OverQuota')}: Quota exceeded for resources: "
    if ending == "quota-gigabytes":
        fields = {name: Field(f"%({name})s") for name in ("project_id", "consumed_gb", "quota_gb")}
        c.say("quota-exceeded-gigabytes", "QuotaReserveTask", size_gb=Field("%(size)s"), resource="volume", summary=over + "['gigabytes']", **fields)
    elif ending == "quota-volumes":
        c.say(
            "quota-exceeded-count",
            "QuotaReserveTask",
            project_id=Field("%(project_id)s"),
            resource="volume",
            count=Field("%(used_volumes)s"),
            resources="volumes",
            summary=over + "['volumes']",
        )
    _fail(c, "QuotaReserveTask", ending)


def _fail_by_zone(c: Composer) -> None:
    error = f"{c.stage.release.summary('cinder.exception.InvalidAvailabilityZone')}: %(error)s"
    trace = ("Traceback (most recent call last):", *c.stage.release.tracebacks["invalid_zone"], error, "")
    c.enter("ExtractVolumeRequestTask", FAILURE, more=c.dump(error), trace=trace)
    _revert(c)


def compose_get(stage: Stage, said: str, method: str, first: bool) -> Script:
    """What a GET writes that the controller's ``method`` answers: of all volumes (``said`` is the row `volume-get-all`) or of one (`volume-shown`).

    ``first``: the worker's first request.
    """
    c = Composer(stage, API)
    c.payloads["method"] = c.payloads["method"].replace("create", method)
    arrived = c.say("request-id-filter", None, anonymous=True, mark="received_at")
    c.say("request-received", "authenticate" if arrived else None, method="GET", url=Field("%(url)s"), mark=None if arrived else "received_at")
    c.say("request-body-empty")
    c.say("method-called", method=Field("%(method)s"))
    c.stderr("size-requested")
    if first:
        _connect(c)
    c.say(said, "zones")
    c.say("answer", url=Field("%(url)s"), status=200, mark="answered_at")
    _access(c, "GET", 200)
    return c.build()
