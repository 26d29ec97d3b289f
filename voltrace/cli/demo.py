"""``make demo``: simulates a small cloud, traces and checks it and real logs, and writes a report of the one against the other."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from .main import main as voltrace

REAL = ("sequential", "over-quota", "no-valid-backend", "driver-failure", "sources")


def main(folder: str, samples: str = "sample_logs") -> int:
    """Run the demonstration into ``folder``; the last line printed is the path of the report."""
    home = Path(folder)
    if home.exists() and not (home / ".voltrace-demo").exists():
        print(f"demo: {home} exists and is not an earlier demo's; say another with: make demo DEMO=FOLDER", file=sys.stderr)
        return 2
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / ".voltrace-demo").touch()
    simulated, report = home / "simulated", home / "report.html"
    real = [str(Path(samples) / case) for case in REAL]
    first = _first_request(real[-2])
    steps = [
        ["simulate", "-o", str(simulated), "--scenario", "mixed", "--requests", "120", "--seed", "7"],
        ["check", str(simulated)],
        ["check", *real],
        ["trace", real[-2], "--request", first],
        ["report", *real, "--against", str(simulated), "--title", "Real logs against simulated ones", "-o", str(report)],
    ]
    for step in steps:
        print(f"\n$ voltrace {shlex.join(step)}", flush=True)
        status = voltrace(step)
        if status > (step[0] == "check"):  # 1 of `check`: requests left the lifecycle, as stuck and lost ones of the simulation do
            print(f"demo: that ended with status {status}", file=sys.stderr)
            return status
    print(f"\nOpen this in a browser:\n{report.resolve()}")
    return 0


def _first_request(path: str) -> str:
    """The first failed request under this path, or the first of all."""
    from ..check.judge import judge_all
    from ..parse.engine import read

    reading = read([path])
    verdicts = judge_all(reading)
    creates = list(reading.creates())
    return next((t.request_id for t in creates if verdicts[t.request_id].outcome.outcome == "failed"), creates[0].request_id)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
