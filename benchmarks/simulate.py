"""How fast logs are simulated: lines of merged.log per CPU-second, against Python's logging writing the same lines in the same run.

    python benchmarks/simulate.py [REQUESTS] [ROUNDS]

Measures whole processes (user and system time), the least of all rounds: `voltrace simulate -o DIR` with its service files and truth, with the
compiled kernels (if they were built) and in pure Python; the same to a pipe; and a loop that gives the finished lines to a logging.FileHandler,
which is the least that a simulator which logs each line would do.
Then says where the time goes, by module, from one run under cProfile (which makes calls dearer than they are: read the order, not the
figures). Machines are noisy: trust the ratios of one run, not its seconds.
"""

from __future__ import annotations

import cProfile
import pstats
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from read import measure

from voltrace.kernel import PURE, in_use

_OPTIONS = ["--release", "2026.2", "--arrivals", "poisson:2", "--seed", "1"]
_VOLTRACE = [sys.executable, "-c", "from voltrace.cli.main import enter; enter()"]
_LOGGING = """
import logging, sys
handler = logging.FileHandler(sys.argv[2], "w")
handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)06d controller cinder[%(process)d]: %(message)s", "%b %d %H:%M:%S"))
logger = logging.getLogger("cinder")
logger.addHandler(handler)
logger.setLevel(logging.DEBUG)
logger.propagate = False
for line in open(sys.argv[1], errors="replace"):
    logger.debug("%s", line[:-1])
"""


def main(requests: int = 5000, rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "out"
        simulate = [*_VOLTRACE, "simulate", "--requests", str(requests), *_OPTIONS]
        commands = {
            "simulate -o DIR": [*simulate, "-o", str(folder), "--force"],
            "  pure Python": ["env", f"{PURE}=1", *simulate, "-o", str(folder), "--force"],
            "simulate -o -": [*simulate, "-o", "-"],
            "logging": [sys.executable, "-c", _LOGGING, str(folder / "merged.log"), str(Path(name) / "again.log")],
        }
        figures: dict[str, list[tuple[float, float]]] = {what: [] for what in commands}
        for _ in range(rounds):
            for what, command in commands.items():
                figures[what].append(measure(command))
        size = (folder / "merged.log").stat().st_size
        lines = subprocess.run(["wc", "-l", str(folder / "merged.log")], capture_output=True, text=True, check=True).stdout.split()[0]
    count = int(lines)
    print(f"{requests} requests, {count} lines ({count / requests:.0f} a request, {size / count:.0f} B each), least of {rounds}; {in_use()}")
    naive = min(cpu for cpu, _ in figures["logging"])
    for what, runs in figures.items():
        cpu, peak = min(cpu for cpu, _ in runs), max(peak for _, peak in runs)
        print(
            f"{what:16} {cpu:6.2f} cpu-s  {count / cpu / 1e3:5.0f} k lines/s  {cpu / requests * 1e6:4.0f} us a request  {naive / cpu:5.2f} x logging  {peak:4.0f} MB"
        )
    show_profile(min(requests, 2000))


def show_profile(requests: int) -> None:
    """Prints each module's share of the time."""
    from voltrace.sim.run import make_plan, simulate_into

    plan = make_plan("devstack", requests=requests, arrivals="poisson:2", seed=1)
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as name:
        profile.runcall(simulate_into, plan, Path(name) / "out")
    times: Counter[str] = Counter()
    for (path, _, function), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        parts = Path(path).parts
        where = "/".join(parts[parts.index("voltrace") :]) if "voltrace" in parts else "compiled scripts" if path == "<string>" else "/".join(parts[-2:])
        times[function if path == "~" else where] += own
    whole = sum(times.values())
    print("where the time goes:")
    for where, own in times.most_common(16):
        print(f"  {own / whole:6.1%}  {where}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
