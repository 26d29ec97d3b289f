"""What messages say: matched against the rows once, and remembered for those that say the same."""

from __future__ import annotations

from collections import Counter

from ..messages import Row
from ..trace import Kind
from .continued import DEBUG_END
from .forms import Forms
from .framing import split_suffix
from .tables import Header, Scan

# What a message says is one number, kind and place of the facts of the event that it is: `pack` makes it of both. -1 where there is none.
NOTHING = -1
UNKNOWN, CAREFUL = -2, -3  # kinds of messages that no row matches, and of those that are for the careful way
_BEGINNING = 8
_MOST_BEGINNINGS = 1024
_MOST_KEPT, _MOST_OF_ROW, _LONGEST_KEPT = 4096, 128, 1000


def pack(kind: int, fact: int) -> int:
    """Both in one number: ``kind`` in its upper half."""
    return kind << 32 | fact & 0xFFFFFFFF


class Voice:
    """What lines of one level and logger say. ``said`` is what is remembered, by whole messages."""

    __slots__ = ("level", "debug", "rows", "said", "fitting", "kinds")

    def __init__(self, header: Header) -> None:
        self.level, self.debug, self.rows = header.level, header.debug, header.rows
        self.said: dict[bytes, int] = {}
        self.fitting: dict[bytes, tuple[Row, ...]] = {}  # the rows that a message with this beginning may be of
        self.kinds: dict[str, int] = {}

    def fit(self, beginning: bytes) -> tuple[Row, ...]:
        """The rows that a message with this beginning may be of."""
        rows = self.fitting.get(beginning)
        if rows is None:
            if len(self.fitting) > _MOST_BEGINNINGS:
                self.fitting.clear()
            rows = self.fitting[beginning] = tuple(row for row in self.rows if beginning.startswith(row.literals[0][: len(beginning)]))
        return rows


class Hearing:
    """Finds out what messages of one source say."""

    def __init__(self, scan: Scan, layout: str) -> None:
        self._scan = scan
        self._oslo = layout == "oslo"
        self.forms = Forms()
        self._voices: dict[tuple[str, str], Voice] = {}
        self._kept = 0
        self._kept_of: Counter[str] = Counter()

    def voice(self, header: Header) -> Voice:
        """The voice of a header's lines."""
        key = header.level, header.logger
        if key not in self._voices:
            self._voices[key] = Voice(header)
        return self._voices[key]

    def forget(self) -> None:
        """No voice that was given is in use any more, nor is any number of a writer."""
        self.forms.clear()
        self._voices.clear()
        self._kept = 0
        self._kept_of.clear()

    def hear(self, voice: Voice, body: bytes, form: tuple[int, int]) -> int:
        """What a message with its suffix says; of the kind `CAREFUL` if it is not whole or begins a traceback. ``form`` is its key in `forms`, and who wrote it."""
        cut = self._cut_suffix(body) if voice.debug else len(body)
        if cut < 0:
            return pack(CAREFUL, -1)
        message = body[:cut]
        before: list[Row] = []
        for row in voice.fit(message[:_BEGINNING]):
            values = row.match(message)
            if values is not None:
                return pack(CAREFUL, -1) if row.traceback else self._say(voice, row, values, body, cut, form, before)
            before.append(row)
        return pack(UNKNOWN, -1)

    def _cut_suffix(self, body: bytes) -> int:
        """Where a DEBUG record's suffix begins; -1 if it is not whole."""
        if self._oslo:
            message, suffix = split_suffix(body, "oslo")
            return -1 if suffix is None else len(message)
        if not body.endswith(DEBUG_END):
            return -1
        cut = body.rfind(b"{") - 2  # one byte is found faster than three
        return cut if body[cut : cut + 3] == b" {{" else body.rfind(b" {{")

    def add_facts(self, values: tuple[bytes | None, ...]) -> int:
        """Their place among the facts of events."""
        facts = self._scan.events.facts
        facts.append(values)
        return len(facts) - 1

    def _say(self, voice: Voice, row: Row, values: tuple[bytes, ...], body: bytes, cut: int, form: tuple[int, int], before: list[Row]) -> int:
        said = NOTHING
        wanted = bool(row.facts) and self._scan.wants(row.facts)
        if row.facts:
            kind = voice.kinds.get(row.key)
            if kind is None:
                kind = voice.kinds[row.key] = self._scan.kind(Kind(row.key, level=voice.level))
            said = pack(kind, self.add_facts(values) if wanted else -1)
        hidden = [_sign_of(other) for other in before if _may_hide(row, other)]
        if not wanted and b"" not in hidden and self._learn_form(row, values, body, cut, form, said, hidden):
            return said
        kept = self._kept_of[row.key] = self._kept_of[row.key] + 1
        if kept < _MOST_OF_ROW and len(body) < _LONGEST_KEPT:  # what says something else each time is not worth the room
            self._kept += 1
            if self._kept > _MOST_KEPT:
                self.forget_said()
            voice.said[body] = said
        return said

    def _learn_form(self, row: Row, values: tuple[bytes, ...], body: bytes, cut: int, form: tuple[int, int], said: int, hidden: list[bytes]) -> bool:
        """Let messages of this form in which nothing ``hidden`` stands say the same; whether that can be."""
        pieces = _literals(row, values)
        if pieces[-1][1] != cut:  # the summary of an error is behind it
            return False
        pieces[0] = 0, min(max(pieces[0][1], _BEGINNING), len(body))  # by which it was told what else a message may be of
        return self.forms.learn(*form, body, pieces, cut, said, tuple(hidden))

    def forget_said(self) -> None:
        """No number of a fact that was given holds any more."""
        for voice in self._voices.values():
            voice.said.clear()
        self._kept = 1
        self._kept_of.clear()


def _literals(row: Row, values: tuple[bytes, ...]) -> list[tuple[int, int]]:
    """Where the literals of a row lie in a message with these values (from, to)."""
    found, at = [], 0
    for literal, value in zip(row.literals, (*values, b"")):
        found.append((at, at + len(literal)))
        at += len(literal) + len(value)
    return found


def _may_hide(row: Row, other: Row) -> bool:
    """Whether a message with all literals of a row may be of another, which is tried before it and says something else."""
    size = min(len(row.literals[0]), len(other.literals[0]))
    return bool(row.facts or other.facts or other.traceback) and row.literals[0][:size] == other.literals[0][:size]


def _sign_of(row: Row) -> bytes:
    """What stands in every message of this row, behind its beginning; empty if that is nothing."""
    return max(row.literals[1:], key=len, default=b"")
