"""Falsified scripts: what a service wrote, made into what a checker must object to. Truth is told from them too: it is what the log then shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random

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
    """A falsified script, and the number of its first record that is not as it was."""

    script: Script
    first: int


def falsify(stage: Stage, script: Script, edit: Edit, choice: str) -> Falsified | None:
    """The script as the edit leaves it, None if there is nothing for it to do. ``choice`` seeds what the edit chooses."""
    steps = dict(script.steps)
    before = [Line(n, steps.get(n)) for n in range(len(script.pauses))]
    after = edit(list(before), Random(choice))
    if after is None:
        return None
    first = next((n for n, (a, b) in enumerate(zip(before, after)) if a != b), min(len(before), len(after)) - 1)
    made = stage.script(_rebuild, script, tuple(after))
    return Falsified(made, min(first, len(made.pauses) - 1))


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


def _rewrite(records: Records, lines: list[Line], places: dict[int, int]) -> Records:
    """The records' function for these lines. ``places`` are those of the records among the texts that the original writes."""

    def write(heads: list[str], fractions: list[str], fields: tuple) -> list[str]:
        texts: list[str] = []
        for n, line in enumerate(lines):
            at = next((k for k, other in enumerate(lines[:n]) if other.record == line.record), n) if line.copied else n
            text = records.write([heads[at]] * len(places), [fractions[at]] * len(places), fields)[places[line.record]]
            texts.append(line.rewrite(text) if line.rewrite else text)
        return texts

    return replace(records, write=write)
