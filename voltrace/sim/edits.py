"""Edits: how unlawful faults change what a service writes, by the name that `falsehoods` give them.

Each is told the lines of one script after the other and a source of chance, and says what becomes of them, or None where it finds
nothing to do. A scenario's other requests are never touched.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from random import Random

from ..lifecycle import FAILURE, PENDING, REVERTED, REVERTING, RUNNING, SUCCESS, VOLUME_CREATE, Step
from .falsify import Edit, Line, Rewrite

_CASTING = {(cast.task, cast.state) for cast in VOLUME_CREATE.casts}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TRANSITION = re.compile(
    r"(Task|Flow) '[^']*' \(([0-9a-f-]{36})\) transitioned into state '\w+' from state '\w+'( with result '(?:.*?)'(?= \{\{| _task_receiver))?"
)
# Tasks that say nothing of a request which others do not say too.
_PLAIN = ("QuotaCommitTask", "ExtractSchedulerSpecTask", "OnFailureRescheduleTask", "ExtractVolumeSpecTask", "NotifyVolumeActionTask")
_SERVICES = tuple(flow.name for flow in VOLUME_CREATE.flows)


def _find(lines: list[Line], task: str | None, new: str) -> int | None:
    return next((n for n, line in enumerate(lines) if line.step and (line.step.task, line.step.new) == (task, new)), None)


def _drop(lines: list[Line], *places: int) -> list[Line]:
    return [line for n, line in enumerate(lines) if n not in places]


def _choose(lines: list[Line], chance: Random, fitting: set[tuple[str, str]]) -> int | None:
    """One of the steps that fit: first a flow is chosen, the same one for every script of a request."""
    flow = chance.choice(_SERVICES)
    places = [n for n, line in enumerate(lines) if line.step and line.step.flow == flow and (line.step.task, line.step.new) in fitting]
    return chance.choice(places) if places else None


_STEPS = {(task.name, state) for flow in VOLUME_CREATE.flows for task in flow.tasks for state in (RUNNING, SUCCESS)} - _CASTING
_ENDS = {(task, SUCCESS) for task in _PLAIN}


def drop_line(lines: list[Line], chance: Random) -> list[Line] | None:
    """A transition's line is lost."""
    at = _choose(lines, chance, {(task, state) for task, state in _STEPS if task in _PLAIN or state == RUNNING})
    return None if at is None else _drop(lines, at)


def double_line(lines: list[Line], chance: Random) -> list[Line] | None:
    """A transition's line is written twice."""
    at = _choose(lines, chance, _STEPS)
    return None if at is None else [*lines[: at + 1], lines[at], *lines[at + 1 :]]


def swap_lines(lines: list[Line], chance: Random) -> list[Line] | None:
    """A task begins before the line that tells the end of the one in front of it."""
    at = _choose(lines, chance, _ENDS)
    if at is None:
        return None
    later = next((n for n in range(at + 1, len(lines)) if lines[n].step), None)
    if later is None or lines[later].step.new != RUNNING:  # type: ignore[union-attr]
        return None
    return [*lines[:at], lines[later], *lines[at + 1 : later], lines[at], *lines[later + 1 :]]


def skip_task(lines: list[Line], chance: Random) -> list[Line] | None:
    """A task is left out altogether."""
    at = _choose(lines, chance, _ENDS)
    begun = None if at is None else _find(lines, lines[at].step.task, RUNNING)  # type: ignore[union-attr]
    return None if at is None or begun is None else lines[:begun] + lines[at + 1 :]


def swap_tasks(lines: list[Line], chance: Random) -> list[Line] | None:
    """NotifyVolumeActionTask runs before ExtractVolumeSpecTask."""
    a, b = _find(lines, "ExtractVolumeSpecTask", RUNNING), _find(lines, "NotifyVolumeActionTask", RUNNING)
    end = _find(lines, "NotifyVolumeActionTask", SUCCESS)
    return None if a is None or b is None or end is None else lines[:a] + lines[b : end + 1] + lines[a:b] + lines[end + 1 :]


def end_unbegun(lines: list[Line], chance: Random) -> list[Line] | None:
    """A task goes from PENDING to SUCCESS."""
    at = _choose(lines, chance, _ENDS)
    return None if at is None else _rewrite(lines, at, _from(PENDING))


def begin_after_failure(lines: list[Line], chance: Random) -> list[Line] | None:
    """CreateVolumeOnFinishTask begins and ends although CreateVolumeFromSpecTask has failed."""
    at = _find(lines, "NotifyVolumeActionTask", REVERTING)
    if at is None:
        return None
    made = [replace(lines[at], step=None, rewrite=_as_task("CreateVolumeOnFinishTask", *states)) for states in ((PENDING, RUNNING), (RUNNING, SUCCESS))]
    return lines[:at] + made + lines[at:]


def revert_out_of_order(lines: list[Line], chance: Random) -> list[Line] | None:
    """ExtractVolumeSpecTask is reverted before NotifyVolumeActionTask."""
    a, b = _find(lines, "NotifyVolumeActionTask", REVERTING), _find(lines, "ExtractVolumeSpecTask", REVERTING)
    end = _find(lines, "ExtractVolumeSpecTask", REVERTED)
    return None if a is None or b is None or end is None else lines[:a] + lines[b : end + 1] + lines[a:b] + lines[end + 1 :]


def skip_revert(lines: list[Line], chance: Random) -> list[Line] | None:
    """ExtractVolumeSpecTask is not reverted."""
    return _without_revert(lines, "ExtractVolumeSpecTask")


def keep_reservation(lines: list[Line], chance: Random) -> list[Line] | None:
    """QuotaReserveTask is not reverted."""
    return _without_revert(lines, "QuotaReserveTask")


def _without_revert(lines: list[Line], task: str) -> list[Line] | None:
    begun, end = _find(lines, task, REVERTING), _find(lines, task, REVERTED)
    return None if begun is None or end is None else lines[:begun] + lines[end + 1 :]


def add_task(lines: list[Line], chance: Random) -> list[Line] | None:
    """A task runs that no flow has."""
    at = _find(lines, "NotifyVolumeActionTask", RUNNING)
    if at is None:
        return None
    made = [replace(lines[at], step=None, rewrite=_as_task("AuditVolumeTask", *states)) for states in ((PENDING, RUNNING), (RUNNING, SUCCESS))]
    return lines[:at] + made + lines[at:]


def add_flow(lines: list[Line], chance: Random) -> list[Line] | None:
    """A flow runs that no create has, after the one that belongs there."""
    at = _find(lines, None, SUCCESS)
    if at is None or lines[at].step.flow != _SERVICES[2]:  # type: ignore[union-attr]
        return None
    made = [replace(lines[at], step=None, rewrite=_as("Flow", "volume_audit_manager", *states)) for states in ((PENDING, RUNNING), (RUNNING, SUCCESS))]
    return lines[: at + 1] + made + lines[at + 1 :]


def end_in_failure(lines: list[Line], chance: Random) -> list[Line] | None:
    """A flow that was reverted ends FAILURE, as if a revert had failed."""
    at = _find(lines, None, REVERTED)
    if at is None or lines[at].step.flow != _SERVICES[2]:  # type: ignore[union-attr]
        return None
    step = replace(lines[at].step, new=FAILURE)  # type: ignore[type-var]
    return _rewrite(lines, at, _as_failure, step)


def _as_failure(text: str) -> str:
    return text.replace("state 'REVERTED'", "state 'FAILURE'", 1)


def answer_wrongly(lines: list[Line], chance: Random) -> list[Line] | None:
    """The API answers 500 to a request that it has accepted."""
    if _find(lines, "VolumeCastTask", SUCCESS) is None:
        return None
    return [line.rewritten(_answer_500) for line in lines]


def _answer_500(text: str) -> str:
    return text.replace("returned with HTTP 202", "returned with HTTP 500").replace("(HTTP/1.1 202)", "(HTTP/1.1 500)")


def reserve_others(lines: list[Line], chance: Random) -> list[Line] | None:
    """The reservations that QuotaReserveTask hands on are not those that were made."""
    at = _find(lines, "QuotaReserveTask", SUCCESS)
    return None if at is None else _rewrite(lines, at, _in_result)


def _in_result(text: str) -> str:
    head, mark, result = text.partition(" with result ")
    return head + mark + _UUID.sub(lambda match: _other(match[0]), result)


def change_volume(lines: list[Line], chance: Random) -> list[Line] | None:
    """The volume service reports another volume made than it was to make."""
    if _find(lines, "CreateVolumeOnFinishTask", RUNNING) is None:
        return None
    return [line.rewritten(_report_another) for line in lines]


def _report_another(text: str) -> str:
    head, mark, rest = text.partition("Volume volume-")
    if "created successfully" not in rest:
        return text
    return head + mark + _UUID.sub(lambda match: _other(match[0]), rest)


def choose_refused(lines: list[Line], chance: Random) -> list[Line] | None:
    """The scheduler chooses a backend that its filters had not let pass."""
    if _find(lines, "ScheduleCreateVolumeTask", SUCCESS) is None:
        return None
    return [line.rewritten(_filter_others) for line in lines]


def _filter_others(text: str) -> str:
    head, mark, rest = text.partition("Filtered [")
    return head + mark + re.sub(r"(host '[^'@]*@)[^']*'", r"\1elsewhere#elsewhere'", rest)


def lower_limit(lines: list[Line], chance: Random) -> list[Line] | None:
    """The scheduler gives up at a limit that is lower than the attempts it has made."""
    begun, ended = (_find(lines, "ScheduleCreateVolumeTask", state) for state in (RUNNING, SUCCESS))
    if begun is None or ended is None:  # where it does choose, it begins in one script and ends in another
        return None
    return [line.rewritten(_lower) for line in lines]


def _lower(text: str) -> str:
    return re.sub(r"(max scheduling attempts )(\d+)", lambda match: f"{match[1]}{int(match[2]) - 1}", text)


def log_at_info(lines: list[Line], chance: Random) -> list[Line] | None:
    """A transition is logged at INFO."""
    at = _choose(lines, chance, {(task, state) for task, state in _STEPS if state == RUNNING})
    return None if at is None else _rewrite(lines, at, _as_info)


def _as_info(text: str) -> str:
    return text.replace("DEBUG", "INFO", 1)


def die_before_cast(lines: list[Line], chance: Random) -> list[Line] | None:
    """The API worker is killed while it commits the quota."""
    at = _find(lines, "QuotaCommitTask", RUNNING)
    return None if at is None or _find(lines, "VolumeCastTask", SUCCESS) is None else lines[: at + 1]


def die_after_cast(lines: list[Line], chance: Random) -> list[Line] | None:
    """The API worker is killed when it has cast, before it answers."""
    at = _find(lines, "VolumeCastTask", SUCCESS)
    return None if at is None else lines[: at + 1]


# -- damage: the log itself is hurt --------------------------------------------------------------------------------------


def tear(lines: list[Line], chance: Random) -> list[Line] | None:
    """A record breaks off before it has told anything."""
    at = _choose(lines, chance, _ENDS)
    return None if at is None else [*lines[:at], replace(lines[at], step=None, rewrite=_tear), *lines[at + 1 :]]


def _tear(text: str) -> str:
    return text[: text.index("Task '") + 8]


def ship_twice(lines: list[Line], chance: Random) -> list[Line] | None:
    """A shipper begins again at an old position: what the API wrote of the request is there twice."""
    if _find(lines, "VolumeCastTask", SUCCESS) is None:
        return None
    return lines + [replace(line, step=None, copied=True) for line in lines if line.step]


def spoil_bytes(lines: list[Line], chance: Random) -> list[Line] | None:
    """Bytes that are no text get into a record."""
    at = _find(lines, "VolumeCastTask", RUNNING)
    return None if at is None else [line.rewritten(_spoil) for line in lines]


def _spoil(text: str) -> str:
    return text.replace("Create volume request body: ", "Create volume request body: \udcff\udcfe", 1)


def swell(lines: list[Line], chance: Random) -> list[Line] | None:
    """A line is longer than any reader's patience."""
    at = _find(lines, "VolumeCastTask", RUNNING)
    return None if at is None else [line.rewritten(_swell) for line in lines]


def _swell(text: str) -> str:
    return text.replace("Create volume request body: ", "Create volume request body: " + "x" * OVERLONG, 1)


OVERLONG = 9_000_000


def forge(lines: list[Line], chance: Random) -> list[Line] | None:
    """The volume's name holds newlines, and between them what looks like a record: that the flow has ended badly."""
    at = _find(lines, "EntryCreateTask", SUCCESS)
    return None if at is None else _rewrite(lines, at, _forge)


def _forge(text: str) -> str:
    head, mark, rest = text.partition("display_name='")
    prefix = text[: text.index("DEBUG")]
    context = text[text.index(" [", len(prefix)) + 1 : text.index("Task '")]
    false = f"WARNING cinder.volume.api {context}Flow 'volume_create_api' (00000000-0000-4000-8000-000000000000) transitioned into state 'REVERTED' from state 'RUNNING'"
    goes_on = prefix if "]: " in prefix else ""  # the journal makes an entry of every line, a file takes the record as it is
    return f"{head}{mark}x\n{prefix}{false}\n{goes_on}{rest}"


# -- texts ---------------------------------------------------------------------------------------------------------------


def _rewrite(lines: list[Line], at: int, rewrite: Rewrite, step: Step | None = None) -> list[Line]:
    return [*lines[:at], lines[at].rewritten(rewrite, step), *lines[at + 1 :]]


def _other(uuid: str) -> str:
    """Another uuid, the same one for the same."""
    return "".join(c if c == "-" else f"{15 - int(c, 16):x}" for c in uuid)


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
        return _TRANSITION.sub(lambda match: f"{what} '{name}' ({_other(match[2])}) transitioned into state '{new}' from state '{old}'", text, count=1)

    return rewrite


EDITS: dict[str, Edit] = {
    edit.__name__.replace("_", "-"): edit
    for edit in (
        drop_line,
        double_line,
        swap_lines,
        skip_task,
        swap_tasks,
        end_unbegun,
        begin_after_failure,
        revert_out_of_order,
        skip_revert,
        keep_reservation,
        add_task,
        add_flow,
        end_in_failure,
        answer_wrongly,
        reserve_others,
        change_volume,
        choose_refused,
        lower_limit,
        log_at_info,
        die_before_cast,
        die_after_cast,
        tear,
        ship_twice,
        spoil_bytes,
        swell,
        forge,
    )
}
