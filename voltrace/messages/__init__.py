"""The message catalogue: one row a kind of line, used both to write lines (the simulator) and to recognise them (the parser).

The rows are data (``rows.tsv``); a column a release gives the source line that the debug suffix shows there. ``results.tsv``
says which facts the result of a task carries. ``samples.tsv`` has captured lines, with their source, for the tests and the docs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ..formats import RELEASES

_FIELD = re.compile(r"%\((\w+)\)[-+ #0]*[\d.]*[sdrfi]")
_WHOLE_NUMBERS = frozenset({"size_gb", "status", "attempt", "returncode", "count"})
_NUMBER = re.compile(r"-?[0-9]{1,18}")  # longer ones, and other scripts' digits, stay text
_SUMMARY_LEVELS = frozenset({"WARNING", "ERROR", "CRITICAL"})


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of line. ``wording`` is a %-format with named fields; ``lines`` gives the source line by release.

    ``facts`` are the fields that say something about a request's course; ``seen`` where it is a fact that the line is there. A logger that ends in ``.*`` stands for itself and all below it.
    ``told`` are those fields: place, name, whether it is a whole number, and whether an error summary may stand behind it.
    """

    key: str
    services: tuple[str, ...]
    level: str
    logger: str
    function: str
    path: str
    wording: str
    facts: tuple[str, ...]
    traceback: bool
    lines: dict[str, int | None]
    literals: tuple[bytes, ...] = field(repr=False)
    fields: tuple[str, ...] = field(repr=False)
    told: tuple[tuple[int, str, bool, bool], ...] = field(repr=False)

    def __reduce__(self) -> tuple:
        return _named, (self.key,)  # whoever is sent a row has the catalogue

    def match(self, message: bytes) -> tuple[bytes, ...] | None:
        """The values of the row's fields in this message (suffix cut off), or None if the wording is another.

        Takes time linear in the message: each literal is searched for once, leftmost first. From WARNING up, oslo.log may
        append `: ExceptionType: text` to any message.
        """
        literals = self.literals
        if not message.startswith(literals[0]):
            return None
        position = len(literals[0])
        if len(literals) == 1:
            ends = len(message) == position or (self.level in _SUMMARY_LEVELS and message.startswith(b": ", position))
            return () if ends else None
        values = []
        for literal in literals[1:-1]:
            end = message.find(literal, position)
            if end < 0:
                return None
            values.append(message[position:end])
            position = end + len(literal)
        last = literals[-1]
        end = len(message) - len(last)
        if end < position or not message.endswith(last):
            if self.level not in _SUMMARY_LEVELS:
                return None
            end = message.find(last + b": ", position)
            if end < 0:
                return None
        values.append(message[position:end])
        return tuple(values)

    def read_facts(self, values: tuple[bytes, ...]) -> dict:
        """The facts among matched values: text, or whole numbers for sizes, counts and codes."""
        facts: dict = {}
        for place, name, is_number, is_cut in self.told:
            text = values[place].decode("utf-8", "replace")
            if is_cut:
                text = text.partition(": ")[0]
            facts[name] = int(text) if is_number and _NUMBER.fullmatch(text) else text
        return facts

    def render(self, fields: dict) -> str:
        """The message with these fields. Raises KeyError if one is missing."""
        return self.wording % fields


@dataclass(frozen=True, slots=True)
class ResultFact:
    """A fact in the result that a task's transition shows: where ``pattern`` matches, group 1 is the fact."""

    task: str
    state: str
    fact: str
    pattern: re.Pattern[bytes]


def _read(name: str) -> Iterator[dict[str, str]]:
    text = Path(__file__).with_name(name).read_text("utf-8")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    names = next(lines).split("\t")
    for line in lines:
        yield dict(zip(names, line.split("\t")))


_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}


def unescape(cell: str) -> str:
    """A cell's text: `\\n`, `\\t` and `\\\\` stand for newline, tab and backslash."""
    return re.sub(r"\\[nt\\]", lambda m: _ESCAPES[m[0]], cell) if "\\" in cell else cell


def _row(cells: dict[str, str]) -> Row:
    wording = unescape(cells["wording"])
    pieces = _FIELD.split(wording)
    literals = tuple((piece % ()).encode() if "%" in piece else piece.encode() for piece in pieces[::2])
    level, fields, facts = cells["level"], tuple(pieces[1::2]), tuple(f for f in cells["facts"].split(",") if f)
    told = ((n, name, name in _WHOLE_NUMBERS, name.endswith("_id") and level in _SUMMARY_LEVELS) for n, name in enumerate(fields) if name in facts)
    return Row(
        cells["key"],
        tuple(cells["services"].split(",")),
        level,
        cells["logger"],
        cells["function"],
        cells["path"],
        wording,
        facts,
        cells["traceback"] == "yes",
        {release: int(cell) if cell.isdigit() else None for release in RELEASES if (cell := cells[release]) != "-"},
        literals,
        fields,
        tuple(told),
    )


class Catalogue:
    """All rows, and how to find them."""

    def __init__(self, rows: list[Row], results: list[ResultFact]) -> None:
        self.rows = {row.key: row for row in rows}
        self._exact: dict[tuple[str, str], list[Row]] = {}
        self._wild = [row for row in rows if row.logger.endswith(".*")]
        self._loggers: dict[str, set[str]] = {}
        for row in rows:
            if not row.logger.endswith(".*"):
                self._exact.setdefault((row.level, row.logger), []).append(row)
                self._loggers.setdefault(row.logger, set()).update(row.services)
        for fitting in self._exact.values():
            fitting.sort(key=lambda r: -len(r.literals[0]))
        self._candidates: dict[tuple[str, str], tuple[Row, ...]] = {}
        self._results: dict[tuple[str, str], list[ResultFact]] = {}
        for result in results:
            self._results.setdefault((result.task, result.state), []).append(result)

    def __getitem__(self, key: str) -> Row:
        return self.rows[key]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())

    def candidates(self, level: str, logger: str) -> tuple[Row, ...]:
        """The rows that a line of this level and logger may be of, the longest beginning first, wildcards last."""
        key = (level, logger)
        found = self._candidates.get(key)
        if found is None:
            wild = [r for r in self._wild if r.level in ("*", level) and (logger == r.logger[:-2] or logger.startswith(r.logger[:-1]))]
            found = self._candidates[key] = (*self._exact.get(key, ()), *wild)
        return found

    def find(self, level: str, logger: str, message: str) -> tuple[Row, dict] | None:
        """The row that this message is of, with its facts; None if the catalogue has none."""
        data = message.encode("utf-8", "surrogateescape")
        for row in self.candidates(level, logger):
            values = row.match(data)
            if values is not None:
                return row, row.read_facts(values)
        return None

    def services(self, logger: str) -> frozenset[str]:
        """The services in which this logger writes, as far as the rows tell."""
        return frozenset(self._loggers.get(logger, ()))

    def find_results(self, task: str, state: str, text: bytes, start: int = 0, end: int | None = None) -> tuple[bytes | None, ...]:
        """The values of the facts in a task's result, as they stand in this piece of text; None for those that are not there."""
        end = len(text) if end is None else end
        found = (item.pattern.search(text, start, end) for item in self._results.get((task, state), ()))
        return tuple(match and match[1] for match in found)

    def decode_result(self, task: str, state: str, values: tuple[bytes | None, ...]) -> dict:
        """The facts that these values are, as text or whole numbers."""
        facts = {}
        for item, value in zip(self._results.get((task, state), ()), values):
            if value is not None:
                text = value.decode("utf-8", "replace")
                facts[item.fact] = int(text) if item.fact in _WHOLE_NUMBERS and _NUMBER.fullmatch(text) else text
        return facts

    def results(self, task: str, state: str) -> list[ResultFact]:
        """The facts that the transition of this task into this state carries in its result."""
        return self._results.get((task, state), [])

    def result_facts(self, task: str, state: str, result: str) -> dict:
        """The facts in a task's result, as the transition into ``state`` shows it."""
        return self.decode_result(task, state, self.find_results(task, state, result.encode("utf-8", "surrogateescape")))

    def carries_result(self, task: str, state: str) -> bool:
        """Whether a transition of this task into this state carries facts in its result."""
        return (task, state) in self._results


@cache
def catalogue() -> Catalogue:
    """The catalogue that comes with voltrace."""
    rows = [_row(cells) for cells in _read("rows.tsv")]
    results = [ResultFact(c["task"], c["state"], c["fact"], re.compile(unescape(c["pattern"]).encode())) for c in _read("results.tsv")]
    return Catalogue(rows, results)


def _named(key: str) -> Row:
    return catalogue()[key]


def samples() -> Iterator[tuple[str, str, str, str]]:
    """Captured lines: (key, release, source, line)."""
    for cells in _read("samples.tsv"):
        yield cells["key"], cells["release"], cells["source"], unescape(cells["line"])
