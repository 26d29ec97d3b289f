"""One process at a time, measured as a whole: CPU seconds, wall seconds, and the memory of it and its children."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_S = 0.02


@dataclass(frozen=True, slots=True)
class Took:
    """What a process took, and what it wrote to standard output.

    ``cpu_s`` is user and system time, that of waited-for children included. ``peak_mb`` is the resident memory of the process and
    its children at one instant, sampled 50 times a second (more often in the beginning), or the mark that the kernel kept for one of them if that is higher; pages
    that they share count for each of them. ``failure`` says in a line why the rest is void, or is None.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float
    output: str
    failure: str | None = None


def watch(command: Sequence[str], env: dict[str, str] | None = None, timeout_s: float = 3600) -> Took:
    """Runs the command to its end, with ``env`` on top of the environment. Never raises: see ``Took.failure``.

    Python keeps its compiled modules, as everywhere: an environment that forbids it makes each start seconds longer.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=kept | (env or {}), start_new_session=True)
        except OSError as error:
            return Took(0, 0, 0, "", str(error))
        sampler = _Sampler(child.pid, began + timeout_s)
        sampler.start()
        try:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # its number stays taken until the sampler is done with it
        except BaseException:  # such as Control-C, which does not reach a session of its own
            os.killpg(child.pid, signal.SIGKILL)
            raise
        finally:
            wall = time.perf_counter() - began
            sampler.over.set()
            sampler.join()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        failure = None
        if sampler.too_late:
            failure = f"longer than {timeout_s:g} s"
        elif child.returncode:
            err.seek(0)
            said = err.read().decode(errors="replace").strip().splitlines()
            failure = f"exit {child.returncode}" + (f": {said[-1][:120]}" if said else "")
        out.seek(0)
        # A child begins with its parent's mark in ru_maxrss, so that is used only where nothing could be sampled.
        peak = sampler.peak_kb or used.ru_maxrss
        return Took(used.ru_utime + used.ru_stime, wall, peak / 1024, out.read().decode(errors="replace"), failure)


class _Sampler(threading.Thread):
    """Watches the memory of a process and its children until ``over`` is set; ends them at the deadline."""

    def __init__(self, pid: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self.pid, self.deadline = pid, deadline
        self.over = threading.Event()
        self.peak_kb, self.too_late = 0, False

    def run(self) -> None:
        pause = 0.001
        while not self.over.wait(pause):
            pause = min(_SAMPLE_S, pause * 1.5)  # short runs have a peak, too
            memory = [_memory(pid) for pid in _tree(self.pid)]
            self.peak_kb = max([self.peak_kb, sum(now for now, _ in memory), *(mark for _, mark in memory)])
            if time.perf_counter() > self.deadline and not self.too_late:
                self.too_late = True
                os.killpg(self.pid, signal.SIGKILL)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listed.read_text().split()
        except OSError:  # that thread is gone
            continue
        for child in children:
            yield from _tree(int(child))


def _memory(pid: int) -> tuple[int, int]:
    """Resident memory in kB: now, and at most so far. Zeros where that is not known."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0, 0
    fields = dict(line.split(":", 1) for line in text.splitlines() if line.startswith("Vm"))
    now, mark = (int(fields.get(name, "0").split()[0]) for name in ("VmRSS", "VmHWM"))
    return now, mark
