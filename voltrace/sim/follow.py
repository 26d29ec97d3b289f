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
    advance = generator.send

    def resume(event: simpy.Event | None) -> None:
        try:
            awaited = advance(None if event is None else event.value)
        except StopIteration:
            if finish is not None:
                finish()
        else:
            awaited.callbacks.append(resume)

    resume(None)
