"""Requests that ask for something else than a volume: clouds are asked for volumes all day, and logs tell of millions.

They are let go while a log is read (`letting_go`), but for what they asked and what was answered, packed: the web server's lines are told apart by it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_BETWEEN = b"\0"  # which no line holds


def pack(values: object) -> bytes | None:
    """The raw values of an event's facts in one piece; None if they are no bytes."""
    if type(values) is tuple and all(type(value) is bytes and _BETWEEN not in value for value in values):
        return _BETWEEN.join(values)
    return None


class Others:
    """The requests that were let go, and what their events told of asking and answering, one row an event: ``end`` is where its values end in ``text``."""

    def __init__(self) -> None:
        self.flags = bytearray()  # of each request: whether it was let go
        self._request, self._kind, self._end = array("i"), array("i"), array("q")
        self._text = bytearray()

    def __bool__(self) -> bool:
        return bool(self.flags)

    def of(self, requests: np.ndarray) -> np.ndarray:
        """Of each of these requests whether it was let go; -1 is none."""
        import numpy as np

        table = np.zeros(max(len(self.flags), int(requests.max(initial=-1)) + 1) + 1, bool)
        table[: len(self.flags)] = np.frombuffer(self.flags, bool)
        return table[requests]

    def answers(self, among: np.ndarray) -> Iterator[tuple[int, int, tuple[bytes, ...]]]:
        """Request, kind and raw values of each event of the requests among these: ``among`` is a table of which."""
        import numpy as np

        for row in np.flatnonzero(among[np.frombuffer(self._request, np.int32)]).tolist():
            text = bytes(self._text[self._end[row - 1] if row else 0 : self._end[row]])
            yield self._request[row], self._kind[row], tuple(text.split(_BETWEEN))

    def add(self, request: int, kind: int, packed: bytes) -> None:
        """An event of a request that is let go."""
        self._text += packed
        self._request.append(request)
        self._kind.append(kind)
        self._end.append(len(self._text))
