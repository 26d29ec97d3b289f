"""Falsified scripts: what a service wrote, made into what a checker must object to. Truth is told from them too: it is what the log then shows."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import accumulate, cycle
from random import Random
from typing import ClassVar

from ..lifecycle import Step
from .script import Script, Stage
from .template import Records

Rewrite = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A record of a falsified script: the number of the record that it was made from, the step that it tells, and what becomes of its text.

    ``copied``: it is that record once more, stamp and all.
    """

    record: int
    step: Step | None = None
    rewrite: Rewrite | None = None
    copied: bool = False

    def rewritten(self, rewrite: Rewrite, step: Step | None = None) -> Line:
        """The line with another text, and with another step if one is given."""
        return replace(self, rewrite=rewrite, step=step or self.step)


# Gives the lines of a script as the fault leaves them, None if there is nothing in this script for it to do.
Edit = Callable[[list[Line], Random], "list[Line] | None"]


@dataclass(slots=True, eq=False)
class Falsified:
    """A falsified script, the number of its first record that is not as it was, and the records that its own are made from."""

    script: Script
    first: int
    records: tuple[int, ...]

    def place(self, lapses: array[int]) -> array[int]:
        """When its records are written, where the script's own had these lapses: none before the one in front of it."""
        return array("q", accumulate((lapses[record] for record in self.records), max))


def falsify(stage: Stage, script: Script, edit: Edit, choice: str) -> Falsified | None:
    """The script as the edit leaves it, None if there is nothing for it to do. ``choice`` seeds what the edit chooses."""
    steps = dict(script.steps)
    before = [Line(n, steps.get(n)) for n in range(len(script.pauses))]
    after = edit(list(before), Random(choice))
    if after is None:
        return None
    first = next((n for n, (a, b) in enumerate(zip(before, after)) if a != b), min(len(before), len(after)) - 1)
    made = stage.script(_rebuild, script, tuple(after))
    return Falsified(made, min(first, len(made.pauses) - 1), tuple(line.record for line in after))


def _rebuild(stage: Stage, script: Script, lines: tuple[Line, ...]) -> Script:
    own = [n for n, line in enumerate(lines) if script.own[0] <= line.record <= script.own[1]]
    levels = None if script.written is None else set(script.written)
    written = None if levels is None else tuple(n for n, line in enumerate(lines) if line.record in levels)
    shown = [line for line in lines if levels is None or line.record in levels]
    places = list(range(len(script.pauses))) if script.written is None else list(script.written)
    return replace(
        script,
        pauses=[script.pauses[line.record] for line in lines],
        records=_rewrite(script.records, shown, {record: n for n, record in enumerate(places)}),
        written=written,
        steps=tuple((n, line.step) for n, line in enumerate(lines) if line.step),
        marks=tuple((name, _place(lines, record)) for name, record in script.marks),
        own=(own[0], own[-1]) if own else (0, -1),
        block=1,
        drawn=[],
    )


def _place(lines: Iterable[Line], record: int) -> int:
    """Where the record stands now; where it is gone, the one behind it, or else the last."""
    places = [(line.record, n) for n, line in enumerate(lines)]
    at = [n for made_from, n in places if made_from == record] or [n for made_from, n in places if made_from > record]
    return min(at, default=len(places) - 1)


@dataclass(slots=True, eq=False)
class Rewritten(Records):
    """Records of which some texts are changed when they are written. ``rewrites`` has one for each record, None where nothing changes."""

    rewrites: tuple[Rewrite | None, ...] = ()
    rewritten: ClassVar[bool] = True

    def write(self, plays: Iterable[tuple[list[str], list[str], tuple]]) -> list[str]:
        texts = Records.write(self, plays)
        return [rewrite(text) if rewrite else text for text, rewrite in zip(texts, cycle(self.rewrites))]


def _rewrite(records: Records, lines: list[Line], places: dict[int, int]) -> Records:
    """The records of these lines. ``places`` are those of the original records among its templates, which number their stamps."""
    templates: list[str] = []
    stamps: dict[int, int] = {}
    for n, line in enumerate(lines):
        first = stamps.setdefault(line.record, n)
        at = places[line.record]
        templates.append(records.templates[at].replace(f"%({at})s", f"%({first if line.copied else n})s"))
    return Rewritten(templates, records.fields, records.derived, records.pick, rewrites=tuple(line.rewrite for line in lines))
