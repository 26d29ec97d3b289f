"""Lines that a terminal, a mailer or a ticket broke at its width, anywhere in a word: whole lines again."""

from __future__ import annotations

import re

_LEAST_WIDTH, _LEAST_FULL = 60, 3
_STAMP = re.compile(rb"(?:[A-Z][a-z]{2} [ \d]\d|(?:[A-Z][a-z]{2} )?\d{4}-\d\d-\d\d)[ T]\d\d:\d\d:\d\d(?:[.,]\d{3,6})?(?:Z|[+-]\d\d:?\d\d)? |\d{9,11}\.\d{6} ")


class Folded:
    """A wrapping: a line that is as long as the width goes on in the next one, unless that begins with a stamp."""

    def __init__(self, width: int) -> None:
        self._width = width

    def __call__(self, line: bytes) -> tuple[bytes, bool]:
        return line, not self.is_full(line)

    def is_full(self, line: bytes) -> bool:
        """Whether the line is as long as the width, in bytes or in characters."""
        return len(line) == self._width or (not line.isascii() and len(line.decode("utf-8", "replace")) == self._width)

    def begins(self, line: bytes) -> bool:
        """Whether the line goes on with none before it."""
        return _STAMP.match(line) is not None


def find_fold(lines: list[bytes]) -> Folded | None:
    """How these lines were broken; None if they were not: then no width is the longest of several lines, behind which those stand that bear no stamp."""
    width = max((len(line.decode("utf-8", "replace")) for line in lines), default=0)
    if width < _LEAST_WIDTH:
        return None
    fold = Folded(width)
    begun = sum(map(fold.begins, lines))
    further = [fold.is_full(before) for before, line in zip(lines, lines[1:]) if line.strip() and not fold.begins(line)]
    return fold if begun >= _LEAST_FULL <= sum(further) and sum(further) * 10 >= len(further) * 7 else None
