"""Outcomes, causes, deviations and diagnostics: the closed lists of slugs, and the values that carry them.

Each slug comes with the one line that every output uses for it; its help page is ``explain/SLUG.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .trace import Location

OUTCOMES = {
    "created": "the volume was made",
    "refused": "the API answered 4xx",
    "failed": "the request ended in an error",
    "stuck": "a flow or task began and never ended",
    "lost": "a message was handed over and never received",
    "unknown": "the logs do not prove how it ended",
}
CAUSES = {
    "over-quota": "a quota would have been exceeded",
    "invalid-input": "the request made no sense to the API",
    "not-found": "something that the request names does not exist",
    "unauthorized": "the token was missing or not accepted",
    "forbidden": "the policy does not allow it",
    "not-acceptable": "the API cannot answer in the version asked for",
    "no-valid-backend": "no backend passed the scheduler's filters",
    "driver-error": "the backend's driver raised an error",
    "driver-not-initialized": "the backend's driver had not started",
    "image-error": "the image could not be fetched, converted or written",
    "database-error": "the database refused or failed",
    "message-not-sent": "the cast to the next service failed",
    "message-not-received": "the next service never received the cast",
    "service-stopped": "the service stopped or was restarted in between",
    "internal-error": "an unexpected exception",
    "log-ends": "the log ends before the request does",
    "log-begins-late": "the log begins after the request did",
    "service-log-missing": "the log of a service is missing",
    "response-not-logged": "the API's answer is not in the log",
    "records-lost": "records of the log were lost",
}
GAVE_UP = {
    "retries-exhausted": "every scheduling attempt failed",
    "no-other-backend": "no backend was left for another attempt",
    "not-retryable": "an error of a kind that is not tried again",
    "retries-off": "rescheduling is switched off",
}
FINAL_STATUSES = ("available", "error", "creating", "deleted-row")
DEVIATIONS = {
    "missing-transition": "a transition that must have happened is not in the log",
    "repeated-transition": "a transition was logged twice",
    "illegal-transition": "a flow or task went from one state to another that the lifecycle does not allow",
    "task-out-of-order": "a task began before the one in front of it",
    "task-after-failure": "a task began after another of its flow had failed",
    "revert-out-of-order": "tasks were not reverted last to first",
    "revert-incomplete": "a flow ended REVERTED with a task not reverted",
    "flow-without-end": "a flow or task began and never ended",
    "handoff-lost": "a cast was never received",
    "handoff-received-twice": "a cast was received twice",
    "handoff-before-send": "a service began work that nobody had handed over",
    "unexpected-flow": "a flow that this kind of request does not have",
    "unexpected-task": "a task that its flow does not have",
    "flow-result-contradiction": "a flow's end contradicts its tasks",
    "answer-contradiction": "the API's answer contradicts its flow",
    "reservation-mismatch": "the reservations made and used differ",
    "reservation-unsettled": "a quota reservation was neither committed nor rolled back",
    "volume-changed": "the volume's id or size changed on the way",
    "backend-not-admitted": "the backend chosen had not passed the filters",
    "attempts-exceeded": "more attempts than the scheduler's limit",
    "level-contradiction": "a line's level is not the one this line is logged at",
    "too-slow": "slower than the baseline allows",
}
DIAGNOSTICS = {
    "unreadable-source": "a source could not be read",
    "unrecognised-line": "a line is of no known kind",
    "torn-record": "a record is broken",
    "truncated-file": "a file ends in the middle of a line",
    "invalid-bytes": "bytes that are no UTF-8 text",
    "overlong-line": "a line too long to be read whole",
    "clock-step": "the clock jumped, or lines stand in another order than their stamps",
    "clock-offset": "the clocks of two hosts differ",
    "year-assumed": "the stamps carry no year, and nothing in the log tells it",
    "log-gap": "the log is silent for a long time",
    "rate-limited": "the journal dropped records",
    "overlapping-sources": "the same records are in several sources",
    "duplicated-records": "stretches of records are repeated",
    "service-log-missing": "the log of a service is missing",
    "level-too-high": "the log has no DEBUG lines, so no flow or task can be seen",
    "service-restarted": "a service was restarted",
    "elided-text": "text was left out or lost",
    "ambiguous-repair": "lost text fits more than one repair",
    "pid-reused": "a process id was used again",
    "forged-line-suspected": "a line looks as if a user had written it",
    "limit-reached": "a limit of voltrace was reached",
}


class Outcome(NamedTuple):
    """How a request ended, why (the root cause), how the retries ended, and the volume's status in the database."""

    outcome: str
    cause: str | None = None
    gave_up: str | None = None
    final_status: str | None = None


@dataclass(frozen=True, slots=True)
class Deviation:
    """Where the system that wrote the log left the lifecycle."""

    slug: str
    request_id: str
    message: str
    expected: str | None = None
    observed: str | None = None
    where: Location | None = None


class Verdict(NamedTuple):  # of many requests: a tuple is made several times as fast as an object with fields
    """The judgement of one request. ``verdict``: conforms, deviates or unknown.

    ``fitness`` is 1 - ``cost`` / ``worst`` of the optimal alignment, None without transitions.
    """

    request_id: str
    verdict: str
    outcome: Outcome
    fitness: float | None = None
    deviations: tuple[Deviation, ...] = ()
    cost: int = 0
    worst: int = 0
