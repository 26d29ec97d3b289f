"""What edits are made of: finding lines of a script, choosing among them, giving them another text."""

from __future__ import annotations

import re
from random import Random

from ..lifecycle import RUNNING, SUCCESS, VOLUME_CREATE, Step
from .falsify import Line, Rewrite

_CASTING = {(cast.task, cast.state) for cast in VOLUME_CREATE.casts}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
FLOWS = tuple(flow.name for flow in VOLUME_CREATE.flows)
# Tasks that say nothing of a request which others do not say too.
PLAIN = ("QuotaCommitTask", "ExtractSchedulerSpecTask", "OnFailureRescheduleTask", "ExtractVolumeSpecTask", "NotifyVolumeActionTask")
STEPS = {(task.name, state) for flow in VOLUME_CREATE.flows for task in flow.tasks for state in (RUNNING, SUCCESS)} - _CASTING
ENDS = {(task, SUCCESS) for task in PLAIN}


def find(lines: list[Line], task: str | None, new: str) -> int | None:
    """The place of the line that tells this step of a task, or of the flow (None); None if there is none."""
    return next((n for n, line in enumerate(lines) if line.step and (line.step.task, line.step.new) == (task, new)), None)


def choose(lines: list[Line], chance: Random, fitting: set[tuple[str, str]]) -> int | None:
    """One of the steps that fit: first a flow is chosen, the same one for every script of a request."""
    flow = chance.choice(FLOWS)
    places = [n for n, line in enumerate(lines) if line.step and line.step.flow == flow and (line.step.task, line.step.new) in fitting]
    return chance.choice(places) if places else None


def put_text(lines: list[Line], at: int, rewrite: Rewrite, step: Step | None = None) -> list[Line]:
    """The lines, of which one has another text, and tells another step if one is given."""
    return [*lines[:at], lines[at].rewritten(rewrite, step), *lines[at + 1 :]]


def other_uuid(uuid: str) -> str:
    """Another uuid, the same one for the same."""
    return "".join(c if c == "-" else f"{15 - int(c, 16):x}" for c in uuid)
