"""Forms of truth: the JSON of a story with its names, ids and instants left open, made from the first story of a shape.

The JSON's layout stays in `encode`: a story whose every name, id and instant is a mark that occurs nowhere else is encoded
as any other, and where the marks come out, the form is open.
"""

from __future__ import annotations

import json
import re
from array import array
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING

from ..encode import encode_failure_told, encode_truth, instant, write_second
from ..kernel import load

if TYPE_CHECKING:
    from .play import Play
    from .truth import Story

_ENCODE = json.JSONEncoder(ensure_ascii=False).encode
_QUOTED = ("request_id", "global_request_id", "project", "user", "name", "volume_type", "zone", "path", "volume_id", "backend")
_MARK = re.compile(r'"\\u0000((id|instant)?\w+)"')
_get_quoted = attrgetter(*_QUOTED)
_SIZE = 987_654_321  # a size in GB that stands for whatever the size is
_EPOCH, _STEP = 10**15, 10**9
quote = lru_cache(maxsize=1024)(_ENCODE)


def encode(story: Story) -> bytes:
    """A story as a line of truth.jsonl."""
    return _ENCODE(encode_truth(story.timeline, story.outcome, story.faults)).encode()


@dataclass(slots=True, eq=False)
class Form:
    """A line of truth.jsonl in ``pieces``, with a gap behind each but the last; ``gaps`` are the numbers of the values that fill them.

    The values are the instants and lapses named here, then the uuids of all runs, then `others`. ``instants`` and ``lapses`` (end, start) are
    numbers of a story's instants: its own start and end (which records these are differs between stories of a shape), then those of all records.
    The kernel ``_form`` has its own `Form`, which makes the same bytes.
    """

    instants: tuple[int, ...]
    lapses: tuple[tuple[int, int], ...]
    pieces: list[str]
    gaps: tuple[int, ...]

    def fill(self, story: Story) -> bytes:
        """The line of a story of this form's shape."""
        ats = _instants(story)
        values = [f"{write_second((at := ats[n]) // 1_000_000)}.{str(at)[-6:]}" for n in self.instants]
        values += [repr((ats[end] - ats[start]) / 1e6) for end, start in self.lapses]
        for run in story.runs:
            values += run.ids.values()
        ready, names = others(story)
        values += ready
        values += map(quote, names)
        pieces = [""] * (2 * len(self.pieces) - 1)
        pieces[::2] = self.pieces
        pieces[1::2] = map(values.__getitem__, self.gaps)
        return "".join(pieces).encode()


def _instants(story: Story) -> list[int]:
    ats = [story.start, story.end]
    for run in story.runs:
        for play in run.plays:
            begin = play.begin
            ats += [begin + lapse for lapse in play.shown or play.lapses]
    return ats


def others(story: Story) -> tuple[tuple[str, str], list[str | int | None]]:
    """What else is open: failures and faults as JSON, and names, numbers and nulls that are yet to be `quote`d."""
    failures = _ENCODE([encode_failure_told(failure) for failure in story.told_failures]) if story.failures else "[]"
    names = [*_get_quoted(story), story.size_gb]
    for handoff in story.handoffs:
        names.append(handoff[5])
    return (failures, _ENCODE(story.faults) if story.faults else "[]"), names


def compile_form(story: Story) -> Form | None:
    """The form of stories of this one's shape; None if two of its instants are equal, so that it cannot be told which stands where."""
    ats = _instants(story)
    if len(set(ats[2:])) < len(ats) - 2:
        return None
    marks = [_EPOCH + _STEP * n + n * n for n in range(len(ats))]
    marked = _marked(story, dict(zip(ats[2:], marks[2:])), marks[0], marks[1])
    if marked is None:
        return None
    told = encode_truth(marked.timeline, marked.outcome, []) | {"failures": "\0failures", "faults": "\0faults"}
    names: dict[object, str] = {instant(mark): f"instant{n}" for n, mark in enumerate(marks)}
    ids = [uuid for run in marked.runs for uuid in run.ids.values()]
    rest = ["\0failures", "\0faults", *(f"\0{name}" for name in _QUOTED), _SIZE, *(handoff[5] for handoff in marked.handoffs)]
    names |= {uuid: f"id{n}" for n, uuid in enumerate(ids)} | {other: f"other{n}" for n, other in enumerate(rest)}
    found: dict[str, None] = {}
    text = _ENCODE(_open(told, names, found))
    instants = [name for name in found if name.startswith("instant")]
    lapses = [name for name in found if name.startswith("lapse")]
    order = [*instants, *lapses, *(f"id{n}" for n in range(len(ids))), *(f"other{n}" for n in range(len(rest)))]
    place = {name: n for n, name in enumerate(order)}
    pieces = _MARK.sub(_open_text, text).split("\0")
    gaps = tuple(place[name] for name in pieces[1::2])
    pairs = tuple((int(end), int(start)) for end, start in (name.removeprefix("lapse").split("_") for name in lapses))
    kernel = load("sim._form")
    return (kernel.Form if kernel else Form)(tuple(int(name.removeprefix("instant")) for name in instants), pairs, pieces[::2], gaps)


def _open_text(match: re.Match[str]) -> str:
    """A mark in the JSON as a gap: ids stay in their quotes, instants too and with their last letter, for the rest is filled in as JSON."""
    around = {"id": ('"', '"'), "instant": ('"', 'Z"')}.get(match[2], ("", ""))
    return f"{around[0]}\0{match[1]}\0{around[1]}"


def _marked(story: Story, marks: dict[int, int], start: int, end: int) -> Story | None:
    """The story with a mark in the place of every name, id and instant; None if a hand-off's instant is no record's of its flows."""
    try:
        handoffs = [
            (sender, receiver, attempt, None if sent is None else marks[sent], None if received is None else marks[received], f"\0server{n}")
            for n, (sender, receiver, attempt, sent, received, _) in enumerate(story.handoffs)
        ]
    except KeyError:
        return None
    marked = copy(story)
    for name in _QUOTED:
        if name != "volume_id" or story.volume_id is not None:
            setattr(marked, name, f"\0{name}")
    marked.size_gb, marked.start, marked.end, marked.handoffs, marked.failures = _SIZE, start, end, handoffs, []
    marked.runs = [
        replace(run, ids={name: f"\0{n}/{name}" for name in run.ids}, plays=[_mark_play(play, marks) for play in run.plays]) for n, run in enumerate(story.runs)
    ]
    return marked


def _mark_play(play: Play, marks: dict[int, int]) -> Play:
    return replace(play, begin=0, lapses=array("q", [marks[play.begin + lapse] for lapse in play.shown or play.lapses]), shown=None)


def _open(value: object, names: dict[object, str], found: dict[str, None]) -> object:
    """The value with every mark replaced by an opening; ``found`` are the marks' names."""
    if isinstance(value, dict):
        return {key: _open(item, names, found) for key, item in value.items()}
    if isinstance(value, list):
        return [_open(item, names, found) for item in value]
    if isinstance(value, float):
        name = _lapse(value)
    else:
        name = names.get(value) if isinstance(value, str) or value == _SIZE else None
    if name is None:
        return value
    found[name] = None
    return f"\0{name}"


def _lapse(lapse_s: float) -> str | None:
    """The name of the lapse from mark j to mark i, which is (i - j) * (step + i + j) µs: no two are equal. None for no time at all."""
    lapse = round(lapse_s * 1e6)
    apart = lapse // _STEP
    if not apart:
        return None
    both = lapse // apart - _STEP
    return f"lapse{(both + apart) // 2}_{(both - apart) // 2}"
