"""Edits of what lines say: answers, reservations, volumes and backends that contradict the rest; and records that are hurt on their way."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

from ..lifecycle import RUNNING, SUCCESS
from .edit import ENDS, UUID, choose, find, other_uuid, put_text
from .falsify import Line

OVERLONG = 9_000_000  # what readers may cut


def answer_wrongly(lines: list[Line], chance: Random) -> list[Line] | None:
    """The API answers 500 to a request that it has accepted."""
    if find(lines, "VolumeCastTask", SUCCESS) is None:
        return None
    return [line.rewritten(_answer_500) for line in lines]


def _answer_500(text: str) -> str:
    return text.replace("returned with HTTP 202", "returned with HTTP 500").replace("(HTTP/1.1 202)", "(HTTP/1.1 500)")


def reserve_others(lines: list[Line], chance: Random) -> list[Line] | None:
    """The reservations that QuotaReserveTask hands on are not those that were made."""
    at = find(lines, "QuotaReserveTask", SUCCESS)
    return None if at is None else put_text(lines, at, _in_result)


def _in_result(text: str) -> str:
    head, mark, result = text.partition(" with result ")
    return head + mark + UUID.sub(lambda match: other_uuid(match[0]), result)


def change_volume(lines: list[Line], chance: Random) -> list[Line] | None:
    """The volume service reports another volume made than it was to make."""
    if find(lines, "CreateVolumeOnFinishTask", RUNNING) is None:
        return None
    return [line.rewritten(_report_another) for line in lines]


def _report_another(text: str) -> str:
    head, mark, rest = text.partition("Volume volume-")
    if "created successfully" not in rest:
        return text
    return head + mark + UUID.sub(lambda match: other_uuid(match[0]), rest)


def choose_refused(lines: list[Line], chance: Random) -> list[Line] | None:
    """The scheduler chooses a backend that its filters had not let pass."""
    if find(lines, "ScheduleCreateVolumeTask", SUCCESS) is None:
        return None
    return [line.rewritten(_filter_others) for line in lines]


def _filter_others(text: str) -> str:
    head, mark, rest = text.partition("Filtered [")
    return head + mark + re.sub(r"(host '[^'@]*@)[^']*'", r"\1elsewhere#elsewhere'", rest)


def lower_limit(lines: list[Line], chance: Random) -> list[Line] | None:
    """The scheduler gives up at a limit that is lower than the attempts it has made."""
    begun, ended = (find(lines, "ScheduleCreateVolumeTask", state) for state in (RUNNING, SUCCESS))
    if begun is None or ended is None:  # where it does choose, it begins in one script and ends in another
        return None
    return [line.rewritten(_lower) for line in lines]


def _lower(text: str) -> str:
    return re.sub(r"(max scheduling attempts )(\d+)", lambda match: f"{match[1]}{int(match[2]) - 1}", text)


def tear(lines: list[Line], chance: Random) -> list[Line] | None:
    """A record breaks off before it has told anything."""
    at = choose(lines, chance, ENDS)
    return None if at is None else [*lines[:at], replace(lines[at], step=None, rewrite=_tear), *lines[at + 1 :]]


def _tear(text: str) -> str:
    return text[: text.index("Task '") + 8]


def blot(lines: list[Line], chance: Random) -> list[Line] | None:
    """What was to follow in a record is NULs: a power cut came before it was on the disk."""
    at = choose(lines, chance, ENDS)
    return None if at is None else [*lines[:at], replace(lines[at], step=None, rewrite=_blot), *lines[at + 1 :]]


def _blot(text: str) -> str:
    left = _tear(text)
    return left + "\0" * (len(text) - len(left))


def ship_twice(lines: list[Line], chance: Random) -> list[Line] | None:
    """A shipper begins again at an old position: what the API wrote of the request is there twice."""
    if find(lines, "VolumeCastTask", SUCCESS) is None:
        return None
    return lines + [replace(line, step=None, copied=True) for line in lines if line.step]


def spoil_bytes(lines: list[Line], chance: Random) -> list[Line] | None:
    """Bytes that are no text get into a record."""
    at = find(lines, "VolumeCastTask", RUNNING)
    return None if at is None else [line.rewritten(_spoil) for line in lines]


def _spoil(text: str) -> str:
    return text.replace("Create volume request body: ", "Create volume request body: \udcff\udcfe", 1)


def swell(lines: list[Line], chance: Random) -> list[Line] | None:
    """A line is longer than any reader's patience."""
    at = find(lines, "VolumeCastTask", RUNNING)
    return None if at is None else [line.rewritten(_swell) for line in lines]


def _swell(text: str) -> str:
    return text.replace("Create volume request body: ", "Create volume request body: " + "x" * OVERLONG, 1)


def forge(lines: list[Line], chance: Random) -> list[Line] | None:
    """The volume's name holds newlines, and between them what looks like a record: that the flow has ended badly."""
    at = find(lines, "EntryCreateTask", SUCCESS)
    return None if at is None else put_text(lines, at, _forge)


def _forge(text: str) -> str:
    head, mark, rest = text.partition("display_name='")
    prefix = text[: text.index("DEBUG")]
    context = text[text.index(" [", len(prefix)) + 1 : text.index("Task '")]
    false = f"WARNING cinder.volume.api {context}Flow 'volume_create_api' (00000000-0000-4000-8000-000000000000) transitioned into state 'REVERTED' from state 'RUNNING'"
    goes_on = prefix if "]: " in prefix else ""  # the journal makes an entry of every line, a file takes the record as it is
    return f"{head}{mark}x\n{prefix}{false}\n{goes_on}{rest}"
