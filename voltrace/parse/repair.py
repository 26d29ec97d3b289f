"""What the model can supply for text that was lost, and nothing that it does not force."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..lifecycle import VOLUME_CREATE, Lifecycle, Position, Refusal, Step, advance, enabled, level_of
from ..messages import Catalogue, Row
from ..trace import Kind
from .framing import split_suffix
from .grammar import Damaged, read_transition

_LEAST_LEFT = 8  # so many characters of a row's first words prove it


@dataclass(frozen=True, slots=True)
class Elided:
    """A line whose text was lost in part: the row that it must be of (None: no row is forced), and what is left of it."""

    row: Row | None
    damaged: Damaged | None
    text: str


def read_elided(catalogue: Catalogue, level: str, logger: str, body: bytes, layout: str) -> Elided | None:
    """What a line that matches no row may have been, if text of it was lost; None if it looks whole (then nobody knows it)."""
    message, suffix = split_suffix(body, layout)
    text = " ".join(message.decode("utf-8", "replace").split())
    damaged = read_transition(text)
    if damaged:
        if suffix and not damaged.what:
            damaged = replace(damaged, what="flow" if suffix.function == "_flow_receiver" else "task")
        return Elided(None, damaged, text)
    rows = [row for row in catalogue.candidates(level, logger) if not row.logger.endswith(".*")]
    if not text:
        return Elided(rows[0] if len(rows) == 1 else None, None, text) if rows else None
    if suffix:
        rows = [row for row in rows if row.function == suffix.function] or rows
    fitting = [row for row in rows if _is_remnant(row, text)]
    if not fitting and "..." not in text:
        return None
    fitting = fitting or (rows if suffix else [])
    return Elided(fitting[0] if len({r.key for r in fitting}) == 1 else None, None, text) if fitting else None


def _is_remnant(row: Row, text: str) -> bool:
    """Whether the text is the row's wording without (the front of) its first words, or a URL without its scheme."""
    first = row.literals[0].decode("utf-8", "replace")
    if row.fields[:2] == ("method", "url") and text.startswith("//"):
        return " " not in text
    words = first.strip().split(" ")
    may_end_so = text[:_LEAST_LEFT] in first or text.startswith(":")  # told at once of most lines, which are whole and of no row
    for cut in range(1, len(first)) if may_end_so else ():
        rest = first[cut:].lstrip()
        if len(rest) < 1 or not text.startswith(rest.rstrip() if len(row.literals) > 1 else rest):
            continue
        if len(rest.strip()) >= _LEAST_LEFT or (rest.strip() in (":", ": ") and len(words) > 1):
            return True
    return first.endswith(" ") and text.startswith("[") and len(row.literals) == 2 and not row.literals[1]


def supply(
    position: Position, damaged: Damaged, level: str, row_task: str | None, lifecycle: Lifecycle = VOLUME_CREATE, flows: tuple[str, ...] = ()
) -> tuple[Kind, Step] | str:
    """The one step that the lifecycle allows here and that what is left of the line fits; else a sentence why there is none.

    ``row_task`` is the class name that the uuid is already known to belong to. ``flows`` limits the flows that may have written it.
    """
    name = damaged.name or ""
    flow = name if damaged.what == "flow" or lifecycle.flow(name) else None
    task = row_task or (None if flow else name.partition(";")[0].rpartition(".")[2]) or None
    fitting = []
    for step in enabled(lifecycle, position):
        if flows and step.flow not in flows:
            continue
        if damaged.what and damaged.what != ("task" if step.task else "flow"):
            continue
        if task and step.task != task:
            continue
        if flow and (step.task is not None or step.flow != flow):
            continue
        if damaged.old and step.old != damaged.old:
            continue
        if damaged.new and step.new != damaged.new:
            continue
        if damaged.has_result and (step.task is None or step.new not in ("SUCCESS", "REVERTED")):
            continue
        if not damaged.has_result and step.task is not None and step.new == "SUCCESS":
            continue
        if level_of(step.task is not None, step.new) != level:
            continue
        fitting.append(step)
    if len(fitting) != 1:
        return (
            "no step of the lifecycle fits what is left of the line here"
            if not fitting
            else f"{len(fitting)} steps of the lifecycle fit what is left of the line"
        )
    step = fitting[0]
    row = "task-transition" if step.task else "flow-transition"
    return Kind(row, None if step.task else step.flow, step.task, step.old, step.new, level), step


def follow(position: Position, step: Step, lifecycle: Lifecycle = VOLUME_CREATE) -> Position:
    """The position after a step that was read; where the lifecycle refuses it, the position stays."""
    after = advance(lifecycle, position, step)
    return position if isinstance(after, Refusal) else after
