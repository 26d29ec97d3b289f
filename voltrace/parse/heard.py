"""What messages say: matched against the rows once, and remembered for those that say the same."""

from __future__ import annotations

from collections import Counter

from ..messages import Row
from ..trace import Kind
from .continued import DEBUG_END
from .framing import split_suffix
from .tables import Header, Scan

# Kind and place of the facts of the event that a message is; -1 where there is none.
Said = tuple[int, int]
NOTHING: Said = (-1, -1)
_BEGINNING = 8
_MOST_BEGINNINGS = 1024
_MOST_KEPT, _MOST_OF_ROW, _LONGEST_KEPT = 4096, 128, 1000


class Voice:
    """What lines of one level and logger say. ``said`` is what is remembered, by whole messages with the newline."""

    __slots__ = ("level", "debug", "rows", "said", "fitting", "kinds")

    def __init__(self, header: Header) -> None:
        self.level, self.debug, self.rows = header.level, header.debug, header.rows
        self.said: dict[bytes, Said] = {}
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
        """No voice that was given is in use any more."""
        self._voices.clear()
        self._kept = 0
        self._kept_of.clear()

    def hear(self, voice: Voice, body: bytes, requested: bool) -> Said | None:
        """What a message with its suffix and newline says; None if it is not whole, begins a traceback, or is of a request and no row matches."""
        message = body[:-1]
        if voice.debug and self._oslo:
            message, suffix = split_suffix(message, "oslo")
            if suffix is None:
                return None
        elif voice.debug:
            if body[-3:] != b"}}\n" and not message.endswith(DEBUG_END):
                return None
            cut = body.rfind(b"{") - 2  # one byte is found faster than three
            if body[cut : cut + 3] != b" {{":
                cut = body.rfind(b" {{")
                if cut < 0:
                    return None
            message = body[:cut]
        for row in voice.fit(message[:_BEGINNING]):
            values = row.match(message)
            if values is not None:
                return None if row.traceback else self._say(voice, row, values, body)
        return None if requested else NOTHING

    def add_facts(self, values: tuple[bytes | None, ...]) -> int:
        """Their place among the facts of events."""
        facts = self._scan.events.facts
        facts.append(values)
        return len(facts) - 1

    def _say(self, voice: Voice, row: Row, values: tuple[bytes, ...], body: bytes) -> Said:
        said = NOTHING
        if row.facts:
            kind = voice.kinds.get(row.key)
            if kind is None:
                kind = voice.kinds[row.key] = self._scan.kind(Kind(row.key, level=voice.level))
            said = kind, self.add_facts(values) if self._scan.wants(row.facts) else -1
        kept = self._kept_of[row.key] = self._kept_of[row.key] + 1
        if kept < _MOST_OF_ROW and len(body) < _LONGEST_KEPT:  # what says something else each time is not worth the room
            self._kept += 1
            if self._kept > _MOST_KEPT:
                self._clear()
            voice.said[body] = said
        return said

    def _clear(self) -> None:
        for voice in self._voices.values():
            voice.said.clear()
        self._kept = 1
        self._kept_of.clear()
