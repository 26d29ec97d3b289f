"""Processes without ceremony: a generator that yields SimPy's events, followed from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import simpy


def follow(generator: Generator, finish: Callable[[], None] | None = None) -> None:
    """Runs a generator until it yields an event, and on when that event has come; calls ``finish`` at its end.

    It does what `simpy.Process` does for generators that nobody interrupts or waits for, and begins at once: a process
    makes two events of its own, for its beginning and its end, and they would be a third of a create's.
    """
    _Follower(generator, finish)(None)


class _Follower:
    """What an awaited event calls. An object, not a closure: one that names itself would be a reference cycle a request."""

    __slots__ = ("advance", "finish")

    def __init__(self, generator: Generator, finish: Callable[[], None] | None) -> None:
        self.advance, self.finish = generator.send, finish

    def __call__(self, event: simpy.Event | None) -> None:
        try:
            awaited = self.advance(None if event is None else event.value)
        except StopIteration:
            if self.finish is not None:
                self.finish()
        else:
            awaited.callbacks.append(self)
