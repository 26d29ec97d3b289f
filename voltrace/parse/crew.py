"""Who reads the pieces: worker processes on this machine (`cluster`: those of Dask). What they bring back is taken in the order of the pieces."""

from __future__ import annotations

import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from .folder import Folder
from .pieces import Piece, Task, prepare, read_piece
from .remote import runs_threads

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

T = TypeVar("T")
PIECE = 24 << 20
AHEAD = 2  # pieces that each worker may be ahead of the joining
_TRIES = 3
_PIPE = 1 << 20  # bytes that may wait in a pipe, so that a worker need not


class Crew(Protocol):
    """Reads pieces. ``piece_bytes`` is how large they should be."""

    piece_bytes: int

    def run(self, tasks: list[Task], folder: Folder | None = None) -> Iterator[tuple[Task, Piece]]:
        """The pieces of these tasks, in their order. ``folder`` is where workers on this machine may put events away."""
        ...

    def spread(self, work: Callable[[int, int], T]) -> list[T]:
        """What ``work`` gives for the number of each share, and how many there are: shares are done at the same time."""
        ...


class Processes:
    """So many worker processes. One that is killed is replaced, and what it was reading is read again."""

    def __init__(self, count: int, piece_bytes: int = PIECE) -> None:
        self.count, self.piece_bytes = count, piece_bytes

    def run(self, tasks: list[Task], folder: Folder | None = None) -> Iterator[tuple[Task, Piece]]:
        """The pieces of these tasks, in their order. The workers begin at once, whatever is done before the first piece is asked for."""
        prepare(tasks[0])  # here, once, and not in each of them
        gang = _Gang(self.count, [replace(task, folder=folder.path) for task in tasks] if folder else tasks)
        gang.hand_out(0)
        return gang.pieces()

    def spread(self, work: Callable[[int, int], T]) -> list[T]:
        """What ``work`` gives for each share: all but the first are done by processes that are forked from this one, and know what it knows."""
        if self.count < 2 or not _can_fork():
            return [work(0, 1)]
        from multiprocessing import get_context

        context = get_context("fork")
        others = []
        for share in range(1, self.count):
            answers, answered = context.Pipe(duplex=False)
            _widen(answers)
            process = context.Process(target=_answer, args=(answered, work, share, self.count), daemon=True)
            process.start()
            answered.close()
            others.append((process, answers))
        found = [work(0, self.count)]
        for share, (process, answers) in enumerate(others, 1):
            with answers:
                try:
                    found.append(pickle.loads(answers.recv_bytes()))
                except (EOFError, OSError):  # it was killed, or failed: here that is at least seen
                    found.append(work(share, self.count))
            process.join()
        return found


def _answer(answered: Connection, work: Callable[[int, int], object], share: int, shares: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(Exception):
        answered.send_bytes(pickle.dumps(work(share, shares), pickle.HIGHEST_PROTOCOL))


class _Gang:
    """Workers at work on a list of tasks."""

    def __init__(self, count: int, tasks: list[Task]) -> None:
        from multiprocessing import get_context

        # Forked workers have all that is imported; where threads make that unsafe, they start anew.
        self._context = get_context("fork" if _can_fork() else "spawn")
        self._tasks, self._ahead = tasks, count * AHEAD
        self._waiting = deque(range(len(tasks)))
        self._failed = [0] * len(tasks)  # how many workers died of it
        self._found: dict[int, Piece] = {}
        self._workers: list[_Worker] = []
        for _ in range(min(count, len(tasks))):
            self._workers.append(_Worker(self._context, self._workers))

    def pieces(self) -> Iterator[tuple[Task, Piece]]:
        """The pieces, in the order of their tasks."""
        from multiprocessing.connection import wait

        try:
            for number, task in enumerate(self._tasks):
                self.hand_out(number)
                while number not in self._found:
                    ready = wait([worker.answers for worker in self._workers if worker.given])
                    for worker in [w for w in self._workers if w.answers in ready]:
                        self._listen(worker)
                    self.hand_out(number)
                yield task, self._found.pop(number)
        finally:
            for worker in self._workers:
                worker.end()

    def hand_out(self, number: int) -> None:
        """Give the workers what comes next, while that is not too far ahead of this task."""
        while self._waiting and self._waiting[0] < number + self._ahead:
            worker = min(self._workers, key=lambda worker: len(worker.given))
            # A second task lies ready, so that no worker waits for the joining; of the last ones none, for another worker may be free before.
            if len(worker.given) >= (AHEAD if len(self._waiting) > len(self._workers) else 1):
                return
            worker.give(self._waiting[0], self._tasks[self._waiting[0]])
            self._waiting.popleft()

    def _listen(self, worker: _Worker) -> None:
        """Take a piece that a worker has read; if it is dead, another takes its place."""
        number = worker.given[0]
        try:
            self._found[number] = worker.take()
        except (EOFError, OSError):
            worker.end()
            self._workers.remove(worker)
            self._workers.append(_Worker(self._context, self._workers))
            self._failed[number] += 1
            if self._failed[number] >= _TRIES:
                worker.given.popleft()
                self._found[number] = read_piece(self._tasks[number])  # whatever kills the workers, here it is at least seen
            self._waiting.extendleft(reversed(worker.given))


class _Worker:
    """One process, and the tasks it was given and has not answered."""

    def __init__(self, context: BaseContext, others: list[_Worker]) -> None:
        self.given: deque[int] = deque()
        asked, self._orders = context.Pipe(duplex=False)
        self.answers, answered = context.Pipe(duplex=False)
        _widen(self.answers)
        # A forked worker has copies of all our ends: it closes them, so that it sees ours close when we are gone.
        ours = [end for worker in (self, *others) for end in (worker._orders, worker.answers)] if context.get_start_method() == "fork" else []
        self._process = context.Process(target=_work, args=(asked, answered, ours), daemon=True)  # type: ignore[attr-defined]
        self._process.start()
        asked.close()
        answered.close()

    def give(self, number: int, task: Task) -> None:
        """Let it read this, behind what it was given before."""
        self.given.append(number)
        with suppress(OSError):  # if it is dead, that is seen when its answers are read
            self._orders.send_bytes(pickle.dumps(task))

    def take(self) -> Piece:
        """The piece of the first task that it was given. Raises EOFError or OSError if it is dead, and whatever the reading raised."""
        told = pickle.loads(self.answers.recv_bytes())
        self.given.popleft()
        if isinstance(told, BaseException):
            raise told
        return told

    def end(self) -> None:
        """End it at once, whatever it is doing."""
        self._process.terminate()
        self._orders.close()
        self.answers.close()


def _work(asked: Connection, answered: Connection, others: list[Connection]) -> None:
    """What a worker does: read what it is given, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the process that the user sees: it ends its workers
    for end in others:
        end.close()
    with suppress(EOFError, OSError):
        while True:
            task = pickle.loads(asked.recv_bytes())
            told: Piece | Exception
            try:
                told = read_piece(task)
            except Exception as error:
                told = error
            answered.send_bytes(pickle.dumps(told, pickle.HIGHEST_PROTOCOL))


def _can_fork() -> bool:
    return sys.platform == "linux" and not runs_threads()


def _widen(pipe: Connection) -> None:
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # the user has too many wide pipes
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
