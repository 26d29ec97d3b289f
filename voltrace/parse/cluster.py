"""The workers of a Dask cluster as a crew. They get tasks and send back pieces, packed; each first shows that it sees the same file as we do."""

from __future__ import annotations

import logging
import pickle
import signal
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from socket import gethostname
from time import monotonic
from typing import Any

from .. import __version__
from ..errors import UsageError, VoltraceError
from .crew import AHEAD, PIECE, T
from .folder import Folder
from .pieces import Piece, Task, read_piece

Mark = tuple[int, int]  # size of a file when its pieces were planned, and a checksum of a piece's first bytes
_MARKED = 4096
_CONNECT_S = 5
_WORKERS_S = 10
_ALONE_S = 30  # without any worker, until the pieces are read here
_LOOK_S = 2


class Cluster:
    """The workers of a Dask cluster: the address of its scheduler, or ``local`` for ``count`` processes on this machine. They must see the same paths."""

    def __init__(self, address: str, count: int, piece_bytes: int = PIECE) -> None:
        """Raises UsageError if Dask is not installed."""
        from importlib.util import find_spec

        if find_spec("distributed") is None:
            raise UsageError("--dask needs the package's extra: pip install 'voltrace[distributed]'")
        self.address, self.count, self.piece_bytes = address, count, piece_bytes

    def spread(self, work: Callable[[int, int], T]) -> list[T]:
        """Done here, all of it: what has been read is here."""
        return [work(0, 1)]

    def run(self, tasks: list[Task], folder: Folder | None = None) -> Iterator[tuple[Task, Piece]]:
        """The pieces of these tasks, in their order, with all their events. Dask gives a piece whose worker is lost to another; what it gives up is read here.

        Raises UsageError if no scheduler answers, if there are no workers, or if one has another voltrace or sees other files; VoltraceError if
        the scheduler is lost.
        """
        with self.connect() as client:
            threads = _ask_workers(client, self.address)
            yield from _Gathering(client, self.address, tasks, threads * AHEAD).pieces()

    @contextmanager
    def connect(self) -> Iterator[Any]:
        """A client of the cluster, which is started and ended if it is a local one. Raises UsageError if no scheduler answers."""
        from distributed import Client, LocalCluster

        # Dask would write to stderr what is told here in one line, or is nobody's business.
        quiet = logging.getLogger("distributed")
        level = quiet.level
        quiet.setLevel(logging.CRITICAL + 1)
        local = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self.address == "local":
                    with _without_interrupts():
                        local = LocalCluster(
                            n_workers=self.count,
                            threads_per_worker=1,
                            memory_limit=0,
                            dashboard_address="127.0.0.1:0",  # nobody's port: without an address Dask would serve at its usual one
                            scheduler_kwargs={"dashboard": False},
                            silence_logs=logging.CRITICAL,
                        )
                try:
                    client = Client(local or self.address, timeout=_CONNECT_S, set_as_default=False)
                except (OSError, ValueError, ImportError) as error:
                    raise UsageError(f"--dask {self.address}: no Dask scheduler answers there ({_line(error)})") from None
            with client:
                yield client
        finally:
            if local is not None:
                with _without_interrupts():
                    local.close()
            quiet.setLevel(level)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """An interrupt waits until this is over, and never reaches the workers that are started meanwhile: who inherits the mask keeps it."""
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    resource_tracker.ensure_running()  # it starts with the first process, and would lift the mask for those after it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def read_there(task: Task, mark: Mark, version: str) -> bytes:
    """On a worker: the piece, packed, so that a few percent of the log travel. Raises UsageError if this worker has another voltrace or other files."""
    worker = f"a worker on {gethostname()}"
    if version != __version__:
        raise UsageError(f"{worker} has voltrace {__version__}, and here is {version}: they must be the same")
    try:
        size, found = mark_of(task, mark[0])
    except (OSError, VoltraceError) as error:
        raise UsageError(f"{worker} cannot read {task.source.name} ({_line(error)}): workers must see the same paths") from None
    if size < mark[0] or found != mark[1]:
        raise UsageError(f"{worker} sees another file at {task.source.name}: workers must see the same paths")
    return zlib.compress(pickle.dumps(read_piece(task), pickle.HIGHEST_PROTOCOL), 1)


def mark_of(task: Task, size: int | None = None) -> Mark:
    """What tells a file from others of its name; ``size`` is up to where it is looked at (None: its end). Raises OSError."""
    with task.source.open_raw() as raw:
        length = raw.seek(0, 2)
        raw.seek(task.start)
        return length, zlib.crc32(raw.read(min(_MARKED, max(0, (length if size is None else size) - task.start))))


def _ask_workers(client: Any, address: str) -> int:
    """How many threads the workers have. Raises UsageError if there are none, or not the same voltrace on all of them."""
    from distributed import TimeoutError as LateError

    try:
        client.wait_for_workers(1, timeout=_WORKERS_S)
    except (LateError, TimeoutError):
        raise UsageError(f"--dask {address}: this cluster has no workers: start some with `dask worker {address}`") from None
    for worker, about in client.get_versions(packages=["voltrace"])["workers"].items():
        version = about["packages"].get("voltrace")
        if version != __version__:
            found = f"has voltrace {version}" if version and version != "MISSING" else "has no voltrace"
            raise UsageError(f"--dask {address}: the worker {worker} {found}: install voltrace {__version__} there, as here")
    return sum(client.nthreads().values())


class _Gathering:
    """Tasks on their way to the workers, and pieces on their way back."""

    def __init__(self, client: Any, address: str, tasks: list[Task], ahead: int) -> None:
        self.client, self.address, self.ahead = client, address, ahead
        self.waiting = deque(tasks)
        self.running: deque[tuple[Task, Mark | None, Any]] = deque()
        self._alone_since: float | None = None

    def pieces(self) -> Iterator[tuple[Task, Piece]]:
        """The pieces in the order of their tasks."""
        while self.waiting or self.running:
            while self.waiting and len(self.running) < self.ahead:
                self.running.append(self._submit(self.waiting.popleft()))
            task, mark, future = self.running.popleft()
            packed = self._wait(task, mark, future) if future is not None else None
            yield task, read_piece(task) if packed is None else pickle.loads(zlib.decompress(packed))

    def _submit(self, task: Task) -> tuple[Task, Mark | None, Any]:
        if task.source.is_stream:
            return task, None, None  # it is here and nowhere else
        try:
            mark = mark_of(task)
        except OSError:
            return task, None, None
        if self.client.status != "running":
            raise self._lost()
        return task, mark, self.client.submit(read_there, task, mark, __version__, pure=False)

    def _wait(self, task: Task, mark: Mark | None, future: Any) -> bytes | None:
        """The packed piece; None if it has to be read here: Dask gave it up, or all workers are gone."""
        from distributed import CancelledError
        from distributed import TimeoutError as LateError

        while True:
            try:
                return future.result(timeout=_LOOK_S)
            except (LateError, TimeoutError):
                if self._is_alone():
                    return None
            except (CancelledError, OSError):
                if self.client.status != "running":
                    raise self._lost() from None
                return None
            except UsageError as error:
                if mark_of(task) == mark:
                    raise UsageError(f"--dask {self.address}: {error}") from None
                return None  # the file has changed since
            except Exception:  # a worker that runs out of memory, or several that died of this piece; here it is at least seen
                return None

    def _is_alone(self) -> bool:
        """Whether there has been no worker for a while."""
        try:
            workers = self.client.nthreads()
        except OSError:
            raise self._lost() from None
        if workers:
            self._alone_since = None
            return False
        if self._alone_since is None:
            self._alone_since = monotonic()
        return monotonic() - self._alone_since >= _ALONE_S

    def _lost(self) -> VoltraceError:
        return VoltraceError(f"--dask {self.address}: the scheduler was lost")


def _line(error: Exception) -> str:
    """The first line of what an error says."""
    return str(error).strip().split("\n")[0] or type(error).__name__
