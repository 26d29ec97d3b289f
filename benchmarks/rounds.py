"""Rounds in turn: every reader once, then every reader again; and whether what they told is right."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from inputs import Input
from processes import Took, watch
from readers import NAIVE, VOLTRACE, Answer, Reader


@dataclass(slots=True)
class Row:
    """A reader, what it read, and one `Took` a round. ``failure`` says why there are none (any more), or is None."""

    reader: Reader
    source: Input
    runs: list[Took] = field(default_factory=list)
    answer: Answer = Answer()
    output: str = ""
    failure: str | None = None

    @property
    def measured(self) -> bool:
        return bool(self.runs) and self.failure is None

    def median(self, of: Callable[[Took], float]) -> float:
        return statistics.median(of(took) for took in self.runs)


@dataclass(frozen=True, slots=True)
class Check:
    holds: bool
    text: str

    def __str__(self) -> str:
        return f"{'right' if self.holds else 'WRONG'}: {self.text}"


def run_rounds(readers: Sequence[tuple[Reader, Input]], rounds: int, timeout_s: float = 3600, quiet: bool = False) -> list[Row]:
    """One row a reader, in their order. One that is absent never runs; one that fails runs no more, and the others go on."""
    rows = [Row(reader, source) for reader, source in readers]
    for source in dict.fromkeys(row.source for row in rows):
        _warm(source)
    for number in range(rounds):
        for row in rows:
            if row.failure or row.reader.absent:
                continue
            if not quiet:
                print(f"round {number + 1}: {row.reader.name}", file=sys.stderr, flush=True)
            _run(row, timeout_s)
    return rows


def _run(row: Row, timeout_s: float) -> None:
    took = watch(row.reader.command, dict(row.reader.env), timeout_s)
    row.failure = took.failure
    if took.failure is None:
        row.runs.append(took)
        row.output = took.output
        try:
            row.answer = row.reader.answer(took.output)
        except (ValueError, LookupError, StopIteration):
            row.failure = f"output not understood: {took.output[:80]!r}"


def ratio(row: Row, other: Row | None, of: Callable[[Took], float]) -> float | None:
    """How many times less ``row`` took than ``other``: the median over rounds; None where one of them was not measured."""
    if other is None or not row.measured or not other.measured:
        return None
    return statistics.median(of(b) / max(of(a), 1e-9) for a, b in zip(row.runs, other.runs, strict=True))


def find(rows: Sequence[Row], name: str) -> Row | None:
    return next((row for row in rows if row.reader.name == name), None)


def check(rows: Sequence[Row]) -> list[Check]:
    """What must hold of the answers: requests as the input has them, transitions as the naive loop counts them, and where voltrace read
    the same file in several ways, the same output byte for byte."""
    found = []
    naive = find(rows, NAIVE)
    outputs: dict[Input, list[str]] = {}
    for row in rows:
        if not row.measured:
            continue
        name, source, answer = row.reader.name, row.source, row.answer
        if answer.requests is not None and (source.captured or row is not naive):  # a simulated request may be refused before its flow
            found.append(Check(answer.requests == source.requests, f"{name}: {answer.requests:,} requests of {source.requests:,}"))
        if answer.transitions is not None and naive and naive.measured and row is not naive:
            wanted = naive.answer.transitions or 0
            found.append(Check(answer.transitions == wanted, f"{name}: {answer.transitions:,} transitions, {wanted:,} by the naive loop"))
        if tuple(row.reader.command[: len(VOLTRACE)]) == VOLTRACE:
            outputs.setdefault(source, []).append(row.output)
    for said in outputs.values():
        if len(said) > 1:
            found.append(Check(len(set(said)) == 1, f"voltrace: the same answer, byte for byte, in {len(said)} ways to run"))
    return found


def _warm(source: Input) -> None:
    """Reads the files once, so that they are in the page cache for the first as for the last."""
    for path in source.paths:
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass
