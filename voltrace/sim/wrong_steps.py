"""Edits of steps: lines that are lost, doubled or swapped, tasks that run out of turn, states that no lifecycle has, and workers that die."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from random import Random

from ..lifecycle import FAILURE, PENDING, REVERTED, REVERTING, RUNNING, SUCCESS
from .edit import ENDS, FLOWS, PLAIN, STEPS, choose, find, other_uuid, put_text
from .falsify import Line, Rewrite

_TRANSITION = re.compile(
    r"(Task|Flow) '[^']*' \(([0-9a-f-]{36})\) transitioned into state '\w+' from state '\w+'( with result '(?:.*?)'(?= \{\{| _task_receiver))?"
)


def _drop(lines: list[Line], *places: int) -> list[Line]:
    return [line for n, line in enumerate(lines) if n not in places]


def drop_line(lines: list[Line], chance: Random) -> list[Line] | None:
    """A transition's line is lost."""
    at = choose(lines, chance, {(task, state) for task, state in STEPS if task in PLAIN or state == RUNNING})
    return None if at is None else _drop(lines, at)


def double_line(lines: list[Line], chance: Random) -> list[Line] | None:
    """A transition's line is written twice."""
    at = choose(lines, chance, STEPS)
    return None if at is None else [*lines[: at + 1], lines[at], *lines[at + 1 :]]


def swap_lines(lines: list[Line], chance: Random) -> list[Line] | None:
    """A task begins before the line that tells the end of the one in front of it."""
    at = choose(lines, chance, ENDS)
    if at is None:
        return None
    later = next((n for n in range(at + 1, len(lines)) if lines[n].step), None)
    if later is None or lines[later].step.new != RUNNING:  # type: ignore[union-attr]
        return None
    return [*lines[:at], lines[later], *lines[at + 1 : later], lines[at], *lines[later + 1 :]]


def skip_task(lines: list[Line], chance: Random) -> list[Line] | None:
    """A task is left out altogether."""
    at = choose(lines, chance, ENDS)
    begun = None if at is None else find(lines, lines[at].step.task, RUNNING)  # type: ignore[union-attr]
    return None if at is None or begun is None else lines[:begun] + lines[at + 1 :]


def swap_tasks(lines: list[Line], chance: Random) -> list[Line] | None:
    """NotifyVolumeActionTask runs before ExtractVolumeSpecTask."""
    a, b = find(lines, "ExtractVolumeSpecTask", RUNNING), find(lines, "NotifyVolumeActionTask", RUNNING)
    end = find(lines, "NotifyVolumeActionTask", SUCCESS)
    return None if a is None or b is None or end is None else lines[:a] + lines[b : end + 1] + lines[a:b] + lines[end + 1 :]


def end_unbegun(lines: list[Line], chance: Random) -> list[Line] | None:
    """A task goes from PENDING to SUCCESS."""
    at = choose(lines, chance, ENDS)
    return None if at is None else put_text(lines, at, _from(PENDING))


def begin_after_failure(lines: list[Line], chance: Random) -> list[Line] | None:
    """CreateVolumeOnFinishTask begins and ends although CreateVolumeFromSpecTask has failed."""
    at = find(lines, "NotifyVolumeActionTask", REVERTING)
    if at is None:
        return None
    made = [replace(lines[at], step=None, rewrite=_as_task("CreateVolumeOnFinishTask", *states)) for states in ((PENDING, RUNNING), (RUNNING, SUCCESS))]
    return lines[:at] + made + lines[at:]


def revert_out_of_order(lines: list[Line], chance: Random) -> list[Line] | None:
    """ExtractVolumeSpecTask is reverted before NotifyVolumeActionTask."""
    a, b = find(lines, "NotifyVolumeActionTask", REVERTING), find(lines, "ExtractVolumeSpecTask", REVERTING)
    end = find(lines, "ExtractVolumeSpecTask", REVERTED)
    return None if a is None or b is None or end is None else lines[:a] + lines[b : end + 1] + lines[a:b] + lines[end + 1 :]


def skip_revert(lines: list[Line], chance: Random) -> list[Line] | None:
    """ExtractVolumeSpecTask is not reverted."""
    return _without_revert(lines, "ExtractVolumeSpecTask")


def keep_reservation(lines: list[Line], chance: Random) -> list[Line] | None:
    """QuotaReserveTask is not reverted."""
    return _without_revert(lines, "QuotaReserveTask")


def _without_revert(lines: list[Line], task: str) -> list[Line] | None:
    begun, end = find(lines, task, REVERTING), find(lines, task, REVERTED)
    return None if begun is None or end is None else lines[:begun] + lines[end + 1 :]


def add_task(lines: list[Line], chance: Random) -> list[Line] | None:
    """A task runs that no flow has."""
    at = find(lines, "NotifyVolumeActionTask", RUNNING)
    if at is None:
        return None
    made = [replace(lines[at], step=None, rewrite=_as_task("AuditVolumeTask", *states)) for states in ((PENDING, RUNNING), (RUNNING, SUCCESS))]
    return lines[:at] + made + lines[at:]


def add_flow(lines: list[Line], chance: Random) -> list[Line] | None:
    """A flow runs that no create has, after the one that belongs there."""
    at = find(lines, None, SUCCESS)
    if at is None or lines[at].step.flow != FLOWS[2]:  # type: ignore[union-attr]
        return None
    made = [replace(lines[at], step=None, rewrite=_as("Flow", "volume_audit_manager", *states)) for states in ((PENDING, RUNNING), (RUNNING, SUCCESS))]
    return lines[: at + 1] + made + lines[at + 1 :]


def end_in_failure(lines: list[Line], chance: Random) -> list[Line] | None:
    """A flow that was reverted ends FAILURE, as if a revert had failed."""
    at = find(lines, None, REVERTED)
    if at is None or lines[at].step.flow != FLOWS[2]:  # type: ignore[union-attr]
        return None
    step = replace(lines[at].step, new=FAILURE)  # type: ignore[type-var]
    return put_text(lines, at, _as_failure, step)


def _as_failure(text: str) -> str:
    return text.replace("state 'REVERTED'", "state 'FAILURE'", 1)


def log_at_info(lines: list[Line], chance: Random) -> list[Line] | None:
    """A transition is logged at INFO."""
    at = choose(lines, chance, {(task, state) for task, state in STEPS if state == RUNNING})
    return None if at is None else put_text(lines, at, _as_info)


def _as_info(text: str) -> str:
    return text.replace("DEBUG", "INFO", 1)


def die_before_cast(lines: list[Line], chance: Random) -> list[Line] | None:
    """The API worker is killed while it commits the quota."""
    at = find(lines, "QuotaCommitTask", RUNNING)
    return None if at is None or find(lines, "VolumeCastTask", SUCCESS) is None else lines[: at + 1]


def die_after_cast(lines: list[Line], chance: Random) -> list[Line] | None:
    """The API worker is killed when it has cast, before it answers."""
    at = find(lines, "VolumeCastTask", SUCCESS)
    return None if at is None else lines[: at + 1]


@cache
def _from(old: str) -> Rewrite:
    return lambda text: text.replace("from state 'RUNNING'", f"from state '{old}'", 1)


def _as_task(name: str, old: str, new: str) -> Rewrite:
    addon = ", create.end" if name == "CreateVolumeOnFinishTask" else ""
    return _as("Task", f"cinder.volume.flows.manager.create_volume.{name};volume:create{addon}", old, new)


@cache
def _as(what: str, name: str, old: str, new: str) -> Rewrite:
    """A transition's line made into that of another flow or task, with a uuid of its own."""

    def rewrite(text: str) -> str:
        return _TRANSITION.sub(lambda match: f"{what} '{name}' ({other_uuid(match[2])}) transitioned into state '{new}' from state '{old}'", text, count=1)

    return rewrite
