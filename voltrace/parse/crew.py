"""Who reads the pieces: worker processes on this machine (`cluster`: those of Dask). What they bring back is taken in the order of the pieces."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Protocol

from .pieces import Piece, Task, read_piece
from .remote import runs_threads

PIECE = 24 << 20
AHEAD = 2  # pieces that each worker may be ahead of the joining
_TRIES = 3


class Crew(Protocol):
    """Reads pieces. ``piece_bytes`` is how large they should be."""

    piece_bytes: int

    def run(self, tasks: list[Task]) -> Iterator[tuple[Task, Piece]]:
        """The pieces of these tasks, in their order."""
        ...


class Processes:
    """So many worker processes. One that is killed is replaced, and what it was reading is read again."""

    def __init__(self, count: int, piece_bytes: int = PIECE) -> None:
        self.count, self.piece_bytes = count, piece_bytes

    def run(self, tasks: list[Task]) -> Iterator[tuple[Task, Piece]]:
        """The pieces of these tasks, in their order."""
        waiting: deque[tuple[Task, int]] = deque((task, 0) for task in tasks)
        running: deque[tuple[Task, int, Future[Piece]]] = deque()
        pool = self._open()
        try:
            while waiting or running:
                try:
                    while waiting and len(running) < self.count * AHEAD:
                        running.append((*waiting[0], pool.submit(read_piece, waiting[0][0])))
                        waiting.popleft()
                    task, tries, future = running[0]
                    piece = future.result()
                    running.popleft()
                except BrokenProcessPool:
                    pool.shutdown(wait=False, cancel_futures=True)
                    pool = self._open()
                    waiting.extendleft((task, tries) for task, tries, _ in reversed(running))
                    running.clear()
                    task, tries = waiting.popleft()
                    if tries + 1 < _TRIES:
                        waiting.appendleft((task, tries + 1))
                        continue
                    piece = read_piece(task)  # whatever kills the workers, here it is at least seen
                yield task, piece
        finally:
            _close(pool)

    def _open(self) -> ProcessPoolExecutor:
        # Forked workers have all that is imported; where threads make that unsafe, they start anew.
        method = "fork" if sys.platform == "linux" and not runs_threads() else "spawn"
        return ProcessPoolExecutor(self.count, multiprocessing.get_context(method), initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    """An interrupt is for the process that the user sees: it ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _close(pool: ProcessPoolExecutor) -> None:
    """End the workers at once, whatever they are doing."""
    workers = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        with suppress(OSError):
            worker.terminate()
