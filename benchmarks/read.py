"""How fast logs are read: `voltrace trace` over real lines copied with fresh ids, against a naive loop of re.match in the same run.

    python benchmarks/read.py [MB] [ROUNDS]

Prints, for whole processes, CPU seconds (user and system), MB per CPU-second, peak memory, and the ratio to the naive loop.
Machines are noisy: trust the ratios of one run, not its seconds.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_IDS = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_NAIVE = r"""
import collections, re, sys
P = re.compile(r"^(\w{3} [ \d]\d \d\d:\d\d:\d\d\S*) (\S+) ([^\[]+)\[(\d+)\]: (\w+) (\S+) \[(\S+) (\S+) (\S+) (\S+)\] (Flow|Task) '([^']+)' \(([0-9a-f-]+)\) transitioned into state '(\w+)' from state '(\w+)'")
rows = collections.defaultdict(list)
for line in open(sys.argv[1], errors="replace"):
    m = P.match(line)
    if m:
        rows[m[8]].append(m.groups())
print(len(rows))
"""


def build(target: Path, megabytes: int) -> float:
    """Real lines of 20 creates, copied with fresh ids, a day apart each. Returns the size in MB."""
    lines = b"".join((ROOT / "sample_logs" / "sequential" / name).read_bytes() for name in ("c-api.log", "c-sch.log", "c-vol.log")).splitlines(keepends=True)
    text = b"".join(sorted(lines, key=lambda line: line[:22]))
    copies = max(1, megabytes * 1_000_000 // len(text))
    with open(target, "wb") as out:
        for k in range(copies):
            tag, day = b"%04x" % k, b"%s %2d" % (_MONTHS[k // 28 % 12], k % 28 + 1)
            out.write(re.sub(rb"(?m)^Nov 22", day, _IDS.sub(lambda m, tag=tag: m[0][:-4] + tag, text)))
    return target.stat().st_size / 1e6


def measure(command: list[str]) -> tuple[float, float]:
    """(CPU seconds, peak MB) of one whole process."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {child.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main(megabytes: int = 100, rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "big.log"
        size = build(log, megabytes)
        commands = {
            "voltrace trace --format jsonl": [sys.executable, "-m", "voltrace.cli", "trace", str(log), "--format", "jsonl"],
            "naive loop of re.match": [sys.executable, "-c", _NAIVE, str(log)],
        }
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                took[name].append(measure(command))
    print(f"{size:.0f} MB of real lines, {rounds} rounds in turn, median CPU time of whole processes")
    for name, runs in took.items():
        cpu, peak = statistics.median(r[0] for r in runs), max(r[1] for r in runs)
        print(f"  {name:32} {cpu:6.2f} s  {size / cpu:6.0f} MB/s  {peak:6.0f} MB peak")
    ratio = statistics.median(b[0] / a[0] for a, b in zip(*took.values(), strict=True))
    print(f"  ratio to the naive loop: {ratio:.2f} (the naive loop only collects transitions; voltrace tells outcomes, times and hand-offs)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
