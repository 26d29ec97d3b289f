"""Unlawful faults: no lifecycle allows what the log then shows. They are there for testing checkers, which must find exactly what each announces."""

from __future__ import annotations

from ..lifecycle import SCHEDULER, VOLUME
from .fault import Fault


def _made(kind: str, service: str, text: str, edit: str, *deviations: str, diagnostics: tuple[str, ...] = ()) -> Fault:
    """A fault of a request that is made all the same."""
    return Fault(kind, service, text, "created", None, edit=edit, deviations=deviations, diagnostics=diagnostics)


def _reverted(kind: str, text: str, edit: str, deviation: str) -> Fault:
    """A fault of a request of which the volume service's flow is reverted for good."""
    return Fault(kind, "volume", text, "failed", "driver-error", raises="volume-not-found", edit=edit, deviations=(deviation,))


FALSEHOODS = {
    f.kind: f
    for f in (
        _made("line-dropped", "any", "a transition's line is lost", "drop-line", "missing-transition"),
        _made("line-duplicated", "any", "a transition's line is written twice", "double-line", "repeated-transition"),
        _made("lines-swapped", "any", "a task begins before the line that tells the end of the one in front of it", "swap-lines", "task-out-of-order"),
        _made("task-skipped", "any", "a task is left out altogether", "skip-task", "missing-transition"),
        _made("tasks-swapped", "volume", "NotifyVolumeActionTask runs before ExtractVolumeSpecTask", "swap-tasks", "task-out-of-order"),
        _made("state-illegal", "any", "a task goes from PENDING to SUCCESS", "end-unbegun", "illegal-transition"),
        _reverted("task-after-failure", "a task begins after the one in front of it has failed", "begin-after-failure", "task-after-failure"),
        _reverted("revert-out-of-order", "two tasks are reverted in the wrong order", "revert-out-of-order", "revert-out-of-order"),
        _reverted("revert-incomplete", "a task is not reverted", "skip-revert", "revert-incomplete"),
        _reverted("flow-end-wrong", "a flow that was reverted ends FAILURE", "end-in-failure", "flow-result-contradiction"),
        Fault(
            "reservation-kept",
            "api",
            "the database refuses the volume's row, and the quota's reservations are not rolled back",
            "failed",
            "database-error",
            breaks="database",
            edit="keep-reservation",
            deviations=("reservation-unsettled",),
        ),
        _made("reservation-other", "api", "QuotaReserveTask hands reservations on that were not made", "reserve-others", "reservation-mismatch"),
        _made("task-unexpected", "volume", "a task runs that no flow has", "add-task", "unexpected-task"),
        _made("flow-unexpected", "volume", "a flow runs that no create has", "add-flow", "unexpected-flow"),
        Fault(
            "answer-wrong",
            "api",
            "the API answers 500 to a request that it has accepted",
            "created",
            None,
            edit="answer-wrongly",
            answers=500,
            deviations=("answer-contradiction",),
        ),
        _made("volume-changed", "volume", "the volume service reports another volume made", "change-volume", "volume-changed"),
        _made("backend-not-admitted", "scheduler", "the scheduler chooses a backend that its filters refused", "choose-refused", "backend-not-admitted"),
        Fault(
            "attempts-exceeded",
            "scheduler",
            "the driver raises on every attempt, and the scheduler tries once more than it may",
            "failed",
            "driver-error",
            raises="driver-error",
            edit="lower-limit",
            deviations=("attempts-exceeded",),
        ),
        _made("level-wrong", "any", "a transition is logged at INFO", "log-at-info", "level-contradiction"),
        Fault(
            "message-duplicated",
            "volume",
            "the broker delivers the cast to the volume service twice",
            "created",
            None,
            doubles=VOLUME,
            deviations=("handoff-received-twice",),
        ),
        Fault(
            "cast-duplicated",
            "scheduler",
            "the broker delivers the cast to the scheduler twice",
            "created",
            None,
            doubles=SCHEDULER,
            deviations=("handoff-received-twice",),
        ),
        Fault(
            "message-unsent",
            "scheduler",
            "the API fails before it casts, and the scheduler takes the request up all the same",
            "created",
            None,
            breaks="commit",
            strays=True,
            deviations=("handoff-before-send",),
        ),
        _made("record-torn", "any", "a record breaks off before it has told anything", "tear", diagnostics=("torn-record",)),
        _made("record-blotted", "any", "a record ends in NULs, as after a power cut", "blot", diagnostics=("torn-record",)),
        _made("records-duplicated", "api", "a shipper sends a stretch of records twice", "ship-twice", diagnostics=("duplicated-records",)),
        _made("bytes-invalid", "api", "bytes that are no text get into a record", "spoil-bytes", diagnostics=("invalid-bytes",)),
        _made("line-overlong", "api", "a line is of 9 MB", "swell", diagnostics=("overlong-line",)),
        _made("line-forged", "api", "the volume's name holds what looks like a record", "forge", diagnostics=("forged-line-suspected",)),
    )
}
