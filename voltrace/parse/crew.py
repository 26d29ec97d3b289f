"""Who reads the pieces: processes on this machine, or the workers of a Dask cluster. What they bring back is taken in the order of the pieces."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Protocol

from ..errors import UsageError
from .pieces import Piece, Task, read_piece

PIECE = 24 << 20
_AHEAD = 2  # pieces that each worker may be ahead of the joining
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
                while waiting and len(running) < self.count * _AHEAD:
                    task, tries = waiting.popleft()
                    running.append((task, tries, pool.submit(read_piece, task)))
                task, tries, future = running.popleft()
                try:
                    piece = future.result()
                except BrokenProcessPool:
                    pool.shutdown(wait=False, cancel_futures=True)
                    pool = self._open()
                    waiting.extendleft((t, n) for t, n, _ in reversed(running))
                    running.clear()
                    if tries + 1 < _TRIES:
                        waiting.appendleft((task, tries + 1))
                        continue
                    piece = read_piece(task)  # whatever kills the workers, here it is at least seen
                yield task, piece
        finally:
            _close(pool)

    def _open(self) -> ProcessPoolExecutor:
        # Forked workers have all that is imported; where threads make that unsafe, they start anew.
        method = "fork" if sys.platform == "linux" else "spawn"
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


class Cluster:
    """The workers of a Dask cluster: the address of its scheduler, or ``local`` for one on this machine. They must see the same paths."""

    def __init__(self, address: str, count: int, piece_bytes: int = PIECE) -> None:
        self.address, self.count, self.piece_bytes = address, count, piece_bytes

    def run(self, tasks: list[Task]) -> Iterator[tuple[Task, Piece]]:
        """The pieces of these tasks, in their order. Dask gives a piece whose worker is lost to another."""
        try:
            from dask.distributed import Client, LocalCluster
        except ImportError:
            raise UsageError("--dask needs the package's extra: pip install 'voltrace[distributed]'") from None
        try:
            where = LocalCluster(n_workers=self.count, threads_per_worker=1, dashboard_address=None) if self.address == "local" else self.address
            client = Client(where, timeout="20s")
        except (OSError, ValueError) as error:
            raise UsageError(f"--dask {self.address}: no Dask scheduler answers there ({error})") from None
        try:
            yield from _gather(client.submit, tasks, self.count * _AHEAD if self.address == "local" else max(4, 2 * len(client.scheduler_info()["workers"])))
        finally:
            client.close()
            if self.address == "local":
                where.close()


def _gather(submit: Callable[..., Future[Piece]], tasks: list[Task], ahead: int) -> Iterator[tuple[Task, Piece]]:
    waiting, running = deque(tasks), deque[tuple[Task, Future[Piece]]]()
    while waiting or running:
        while waiting and len(running) < ahead:
            task = waiting.popleft()
            running.append((task, submit(read_piece, task, pure=False, retries=_TRIES)))
        task, future = running.popleft()
        yield task, future.result()
