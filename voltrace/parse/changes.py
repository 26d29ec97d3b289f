"""DEBUG transitions by what stands before and behind their uuid: each is taken apart once, not once a line."""

from __future__ import annotations

from collections.abc import Callable

_INTO, _FROM = b") transitioned into state '", b"' from state '"
TAIL = 64  # bytes behind the uuid: both states, and hardly more
_MOST_NAMES, _MOST_TAILS, _LONGEST_NAME = 1000, 1000, 400
_Known = tuple[int, str | None, bool]  # kind, task and whether facts of its result are wanted


class Change:
    """A transition: its kind, and if facts of its result are wanted, the task, its state, and where behind the uuid the result begins."""

    __slots__ = ("kind", "wants")

    def __init__(self, kind: int, wants: tuple[str, str, int] | None) -> None:
        self.kind, self.wants = kind, wants


class Changes:
    """All of one source. ``learn`` gives what is known of a transition by level, what it is of, name, and both states."""

    def __init__(self, learn: Callable[[tuple], _Known]) -> None:
        self._learn = learn
        self._names: dict[bytes, dict[bytes, Change]] = {}

    def find(self, name: bytes, tail: bytes) -> Change | None:
        """The transition of a line by what stands from the message's beginning to the uuid, and behind it; None if it is none that is known."""
        own = self._names.get(name)
        return (own.get(tail) if own is not None else None) or self._take_apart(name, tail)

    def _take_apart(self, name: bytes, tail: bytes) -> Change | None:
        own = self._names.get(name)
        if own is None:
            if not 8 < len(name) < _LONGEST_NAME or not name.endswith(b"' (") or len(self._names) >= _MOST_NAMES:
                return None
            own = self._names[name] = {}
        state = tail.find(_FROM)
        old = state + len(_FROM)
        stop = tail.find(b"'", old)
        if not tail.startswith(_INTO) or state < 0 or stop < 0 or state - len(_INTO) > 20 or stop - old > 20:
            return None
        new = tail[len(_INTO) : state]
        kind, task, wants = self._learn(("DEBUG", name[:4], name[6:-3], new, tail[old:stop]))
        if task == "":
            return None
        if len(own) >= _MOST_TAILS:
            own.clear()
        change = own[tail] = Change(kind, (task or "", new.decode(), stop + 1) if wants else None)
        return change
