"""The fields that an expression may name: of which part of a request each speaks, its type, and its values where the list is closed."""

from __future__ import annotations

from dataclasses import dataclass

from ..lifecycle import SERVICES, STATES
from ..verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, FINAL_STATUSES, GAVE_UP, OUTCOMES

# Generous for people, and small enough for the recursive parser and for the multiplied-out form.
MAX_LENGTH, MAX_DEPTH, MAX_ALTERNATIVES, MAX_PATTERN = 10_000, 20, 256, 200

REQUEST, SPAN, HANDOFF, FAILURE, DEVIATION, DIAGNOSTIC = "request", "flow or task", "hand-off", "failure", "deviation", "diagnostic"
TEXT, NUMBER, DURATION, INSTANT = "text", "number", "duration", "instant"
EXAMPLES = {NUMBER: "a number such as 2", DURATION: "a duration with its unit such as 2s, 300ms or 1m30s", INSTANT: "an instant such as 2026-01-05T09:00:00Z"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field that expressions may name: of which part it speaks, its type, and its values where the list is closed."""

    name: str
    part: str
    type: str = TEXT
    choices: tuple[str, ...] = ()


FIELDS = {
    field.name: field
    for field in (
        Field("request_id", REQUEST),
        Field("global_request_id", REQUEST),
        Field("operation", REQUEST),
        Field("outcome", REQUEST, choices=tuple(OUTCOMES)),
        Field("cause", REQUEST, choices=tuple(CAUSES)),
        Field("gave_up", REQUEST, choices=tuple(GAVE_UP)),
        Field("final_status", REQUEST, choices=FINAL_STATUSES),
        Field("project", REQUEST),
        Field("user", REQUEST),
        Field("volume_id", REQUEST),
        Field("name", REQUEST),
        Field("size_gb", REQUEST, NUMBER),
        Field("volume_type", REQUEST),
        Field("availability_zone", REQUEST),
        Field("source", REQUEST),
        Field("http.method", REQUEST),
        Field("http.path", REQUEST),
        Field("http.status", REQUEST, NUMBER),
        Field("start", REQUEST, INSTANT),
        Field("end", REQUEST, INSTANT),
        Field("duration", REQUEST, DURATION),
        Field("attempts", REQUEST, NUMBER),
        Field("backend", REQUEST),
        Field("service", SPAN, choices=SERVICES),
        Field("flow", SPAN),
        Field("task", SPAN),
        Field("attempt", SPAN, NUMBER),
        Field("state", SPAN, choices=STATES),
        Field("wait", HANDOFF, DURATION),
        Field("topic", HANDOFF),
        Field("exception", FAILURE),
        Field("message", FAILURE),
        Field("deviation", DEVIATION, choices=tuple(DEVIATIONS)),
        Field("diagnostic", DIAGNOSTIC, choices=tuple(DIAGNOSTICS)),
    )
}
ALIASES = {"status": "http.status", "method": "http.method", "path": "http.path"}
# Which fields of flows and tasks other parts have too: there they may be joined with the part's own.
SHARED = {FAILURE: {"service", "flow", "task", "attempt"}, HANDOFF: {"service", "attempt"}}
