"""How a request ended: created, refused, failed, stuck, lost or unknown; why; and how the retries ended.

Decided in the contract's order, and also from logs without DEBUG lines, where only messages and failures tell.
"""

from __future__ import annotations

from ..lifecycle import API, FAILURE, FINAL_FLOW_STATES, REVERTED, SCHEDULER, SUCCESS, VOLUME
from ..trace import STUCK_AFTER_US, Coverage, Failure, FlowSpan, Handoff, Location, Process, Reading, TaskSpan, Timeline
from ..verdict import Outcome
from .lacking import is_cut_short

CREATE_FAILED = frozenset({"create-failed", "create-failed-no-reschedule-type", "create-failed-extracting-reference"})
_CREATED = frozenset({"volume-created", "create-finished"})
_SET_TO_ERROR = frozenset({"volume-set-to-error", "schedule-failed", *CREATE_FAILED})

# Failures that cinder's OnFailureRescheduleTask does not try again (its no_reschedule_types, Pike to 2026.2).
NOT_RETRYABLE = frozenset(
    "ImageCopyFailure MetadataCopyFailure MetadataCreateFailure MetadataUpdateFailure VolumeNotFound SnapshotNotFound VolumeTypeNotFound "
    "ImageUnacceptable ImageTooBig InvalidSignatureImage ImageSignatureVerificationException ImageConversionNotAllowed".split()
)
_IMAGE_TYPES = frozenset(
    "ImageCopyFailure ImageUnacceptable ImageTooBig InvalidSignatureImage ImageSignatureVerificationException ImageConversionNotAllowed ImageNotFound "
    "GlanceConnectionFailed ImageDownloadFailed ImageLimitExceeded ImageCacheVolumeFailed".split()
)
_QUOTA_TYPES = frozenset(
    "OverQuota QuotaError VolumeLimitExceeded VolumeSizeExceedsLimit VolumeSizeExceedsAvailableQuota GigabytesLimitExceeded QuotaExceeded".split()
)
_BY_STATUS = {400: "invalid-input", 401: "unauthorized", 403: "forbidden", 404: "not-found", 406: "not-acceptable", 413: "over-quota"}


def decide(timeline: Timeline, reading: Reading, stuck_after_us: int = STUCK_AFTER_US) -> Outcome:
    """The outcome of a request, with its cause, how the retries ended and the volume's last status."""
    rows = {e.kind.row for e in timeline.events}
    status = timeline.answer.status
    volume_flows = [f for f in timeline.flows if f.service == VOLUME]
    last_attempt = max(volume_flows, key=lambda f: f.attempt, default=None)
    if rows & _CREATED or (last_attempt is not None and last_attempt.state == SUCCESS):
        return Outcome("created", None, None, "available")
    if status is not None and 400 <= status < 500:
        return Outcome("refused", _cause(timeline, status), None, _row_after_revert(timeline))
    if _proves_failure(timeline, rows, reading, status):
        final = "error" if rows & _SET_TO_ERROR or _rescheduled(timeline) is False else _row_after_revert(timeline)
        return Outcome("failed", _cause(timeline, status), _gave_up(timeline, rows), final)
    if reading.records_lost or is_cut_short(timeline):
        return Outcome("unknown", "records-lost")  # what is not there may be among the records that the journal, or the reader, dropped
    stopped = _stuck(timeline, reading, stuck_after_us)
    if stopped is not None:
        cleaned = timeline.volume_id in reading.coverage[VOLUME].cleaned
        return Outcome("stuck", _cause(timeline, None) or stopped or None, None, "error" if cleaned else "creating" if timeline.volume_id else None)
    if any(_lost(timeline, h, reading, stuck_after_us) for h in timeline.handoffs):
        return Outcome("lost", "message-not-received", None, "creating")
    if timeline.operation == "other":
        return Outcome("unknown")
    return Outcome("unknown", _why_unknown(timeline, reading, stuck_after_us), None, None)


def _proves_failure(timeline: Timeline, rows: set[str], reading: Reading, status: int | None) -> bool:
    if rows & _SET_TO_ERROR or _rescheduled(timeline) is False:
        return True
    if any(f.service in (API, SCHEDULER) and f.state in (REVERTED, FAILURE) for f in timeline.flows):
        return True
    if status is None or status < 500 or any(s != API for s in timeline.seen):
        return False
    cast = any(f.service == API and f.state == SUCCESS for f in timeline.flows) or any(h.sender == API for h in timeline.handoffs)
    return not cast or reading.coverage[SCHEDULER].present


def _rescheduled(timeline: Timeline) -> bool | None:
    """What the last revert of OnFailureRescheduleTask did: True sent the request back, False set the volume to error, None: none was."""
    last = None
    for event in timeline.events:
        if event.kind.task == "OnFailureRescheduleTask" and "rescheduled" in event.facts:
            last = event.facts["rescheduled"] == "True"
    return last


def cause_of(service: str, task: str | None, exception: str | None) -> str:
    """The cause that an exception of this type, raised in this task, stands for."""
    name = exception or ""
    if name in _QUOTA_TYPES or "Quota" in name:
        return "over-quota"
    if name in _IMAGE_TYPES or name.startswith("Image"):
        return "image-error"
    if name.startswith("DB") or name in ("OperationalError", "IntegrityError", "DatabaseError", "InternalError"):
        return "database-error"
    if name == "NoValidBackend":
        return "no-valid-backend"
    if service == VOLUME:
        if name == "DriverNotInitialized":
            return "driver-not-initialized"
        return "driver-error" if task in (None, "CreateVolumeFromSpecTask") else "internal-error"
    if task == "VolumeCastTask" or name.startswith(("Message", "AMQP")):
        return "message-not-sent"
    if name.startswith("Invalid") or name in ("ValidationError", "ParameterNotFound"):
        return "invalid-input"
    if name.endswith("NotFound"):
        return "not-found"
    if name in ("NotAuthorized", "PolicyNotAuthorized", "Forbidden", "AdminRequired"):
        return "forbidden"
    return "internal-error"


def _cause(timeline: Timeline, status: int | None) -> str | None:
    by_status = _BY_STATUS.get(status or 0, "invalid-input" if status is not None and 400 <= status < 500 else None)
    for failure in timeline.failures:
        if failure.service == SCHEDULER and failure.exception == "NoValidBackend" and _was_retried(timeline, failure):
            return "driver-error"  # what the attempts before it failed of is in a log that is not here
        cause = cause_of(failure.service, failure.task, failure.exception)
        return by_status if cause == "internal-error" and by_status else cause
    return by_status or ("internal-error" if status is not None and status >= 500 else None)


def _was_retried(timeline: Timeline, failure: Failure) -> bool:
    """Whether the scheduler was asked again because a backend had failed before."""
    return "Exceeded max scheduling attempts" in (failure.message or "") or any(e.kind.row == "last-attempt-failed" for e in timeline.events)


def _gave_up(timeline: Timeline, rows: set[str]) -> str | None:
    for event in timeline.events:
        if event.kind.row == "schedule-failed":
            if "Exceeded max scheduling attempts" in str(event.facts.get("cause")):
                return "retries-exhausted"
            return "no-other-backend" if timeline.attempts or (event.attempt or 1) > 1 else None
    volume_failures = [f for f in timeline.failures if f.service == VOLUME]
    if not volume_failures or not (rows & CREATE_FAILED or _rescheduled(timeline) is False):
        return None
    parameters = [e.facts for e in timeline.events if e.kind.row == "reschedule-parameters"]
    if parameters and (parameters[-1].get("retry") == "None" or parameters[-1].get("allow") == "False"):
        return "retries-off"
    if volume_failures[-1].exception in NOT_RETRYABLE:
        return "not-retryable"
    return None if parameters else "retries-off"  # an error that would be tried again was not


def _row_after_revert(timeline: Timeline) -> str | None:
    """What the API's revert left of the volume's row: nothing was made, deleted, or kept because its quota was committed."""
    tasks = {t.name: t for f in timeline.flows if f.service == API for t in f.tasks}
    entry, commit = tasks.get("EntryCreateTask"), tasks.get("QuotaCommitTask")
    if entry is None or not _had_succeeded(entry) or REVERTED not in entry.states:
        return None
    return "creating" if commit is not None and _had_succeeded(commit) else "deleted-row"


def _had_succeeded(task: TaskSpan) -> bool:
    """Whether the task's execute had returned; without DEBUG lines only the revert of a task that had not failed tells."""
    return SUCCESS in task.states or (REVERTED in task.states and FAILURE not in task.states)


def _process(reading: Reading, flow: FlowSpan) -> tuple[Coverage | None, Process | None]:
    coverage = reading.coverage.get(flow.service)
    return coverage, coverage.processes.get(flow.process or "") if coverage else None


def is_open(flow: FlowSpan) -> bool:
    """Whether this run began and has not ended."""
    return flow.state not in FINAL_FLOW_STATES and any((flow.start is not None, flow.state != "PENDING", flow.tasks))


def _last(timeline: Timeline, flow: FlowSpan) -> tuple[int | None, Location | None]:
    """The latest instant of this run, and the place of its last line."""
    own = [e for e in timeline.events if e.flow == flow.name and e.attempt == flow.attempt]
    return max((e.at for e in own if e.at is not None), default=flow.start), own[-1].where if own else flow.where


def _stuck(timeline: Timeline, reading: Reading, stuck_after_us: int) -> str | None:
    """Why a begun flow can no longer end (``service-stopped``, or ``""`` where nothing says why); None if it still may."""
    for flow in timeline.flows:
        if not is_open(flow):
            continue
        coverage, process = _process(reading, flow)
        if coverage is None:
            continue
        last, place = _last(timeline, flow)
        if timeline.volume_id not in coverage.cleaned and _may_hide_end(coverage, last, process, stuck_after_us):
            continue
        if timeline.volume_id in coverage.cleaned or coverage.started_after(last, process.host if process else None, place):
            return "service-stopped"
        if last is not None and process is not None and process.last is not None and process.last - last > stuck_after_us:
            return ""
    return _stuck_without_debug(timeline, reading.coverage[VOLUME], stuck_after_us)


def _may_hide_end(coverage: Coverage, last: int | None, process: Process | None, stuck_after_us: int) -> bool:
    """Whether what followed this instant may lie in a hole of the log that comes before anything could be called stuck."""
    return last is not None and coverage.has_hole(last, last + stuck_after_us, process.host if process else None)


def _stuck_without_debug(timeline: Timeline, coverage: Coverage, stuck_after_us: int) -> str | None:
    """The same where no flow can be seen: the volume service says that it begins to create, and nothing after that."""
    begun = [e for e in timeline.events if e.kind.row == "being-created"]
    if coverage.debug or not begun or timeline.failures:
        return None
    last, process = begun[-1].at, coverage.processes.get(begun[-1].process or "")
    if timeline.volume_id in coverage.cleaned or coverage.started_after(last, process.host if process else None, begun[-1].where):
        return "service-stopped"
    return "" if last is not None and process is not None and process.last is not None and process.last - last > stuck_after_us else None


def _lost(timeline: Timeline, handoff: Handoff, reading: Reading, stuck_after_us: int) -> bool:
    if handoff.sent is None or any(f.service == handoff.receiver and f.attempt == handoff.attempt for f in timeline.flows):
        return False
    coverage = reading.coverage.get(handoff.receiver)
    if coverage is None or not coverage.debug or coverage.last is None or coverage.first is None or coverage.first > handoff.sent:
        return False
    serving = [p for p in coverage.processes.values() if p.last is not None and (handoff.server is None or p.backend == handoff.server)]
    if not serving or any(start <= handoff.sent + stuck_after_us and end > handoff.sent for p in serving for start, end in p.gaps):
        return False
    last = max(p.last or 0 for p in serving)
    return last - handoff.sent > stuck_after_us and not coverage.started_after(handoff.sent)


def _why_unknown(timeline: Timeline, reading: Reading, stuck_after_us: int) -> str:
    if _may_go_on_in_hole(timeline, reading, stuck_after_us):
        return "records-lost"
    for handoff in timeline.handoffs:
        if handoff.received is None and not any(f.service == handoff.receiver and f.attempt == handoff.attempt for f in timeline.flows):
            return _why_not_seen(handoff.receiver, handoff.sent, reading)
    open_flows = [f for f in timeline.flows if is_open(f)]
    api = reading.coverage[API].last
    if open_flows and {f.service for f in timeline.flows} == {API} and api is not None and timeline.end is not None and api - timeline.end > stuck_after_us:
        return "response-not-logged"  # other workers wrote on
    if open_flows or VOLUME in timeline.seen:
        return "log-ends"
    if timeline.answer.status == 202 or any(f.service == API and f.state == SUCCESS for f in timeline.flows):
        missing = next((s for s in (SCHEDULER, VOLUME) if not reading.coverage[s].present), None)
        return _why_not_seen(missing, timeline.end, reading) if missing else "log-ends"
    if not reading.coverage[API].present:
        return "service-log-missing"
    last = reading.coverage[API].last
    if timeline.end is not None and last is not None and last - timeline.end > stuck_after_us:
        return "response-not-logged"
    return "log-ends"


def _may_go_on_in_hole(timeline: Timeline, reading: Reading, stuck_after_us: int) -> bool:
    """Whether a service's log has a hole where the request's next records should be: what is open should end, what was cast be received."""
    ends = [(f.service, _last(timeline, f)[0]) for f in timeline.flows if is_open(f)]
    ends += [(h.receiver, h.sent) for h in timeline.handoffs if h.received is None]
    ends = ends or [(service, timeline.end) for service in timeline.seen]
    return any(at is not None and reading.coverage[service].has_hole(at, at + stuck_after_us) for service, at in ends if service in reading.coverage)


def _why_not_seen(service: str, sent: int | None, reading: Reading) -> str:
    coverage = reading.coverage[service]
    if not coverage.present:
        return "service-log-missing"
    if sent is not None and coverage.first is not None and coverage.first > sent:
        return "log-begins-late"
    return "log-ends"
