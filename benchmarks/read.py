"""How fast logs are read: voltrace against a naive loop, lnav and mawk, whole processes in turn over several rounds.

    python benchmarks/read.py                        # 1 GB of captured lines, 3 rounds: some minutes
    python benchmarks/read.py --mb 60 --rounds 1     # a quick look
    python benchmarks/read.py --markdown             # the table as the README shows it
    python benchmarks/read.py --formats              # also: the same lines as other formats
    python benchmarks/read.py --grow 1000,2000,4000  # also: memory as the input grows

The input is made of `sample_logs/concurrent`, fifty real creates at once, copied with fresh ids and a day apart each (or simulated:
`--input simulated`). All rows read the same file, which is in the page cache by then. What each of them does:

- `voltrace stats FILE --format json`: tells outcomes, times and hand-offs of every request. As installed, with one worker; the same
  without compiled kernels; and with two workers, where the time on the wall is what counts.
- the naive loop collects the groups of every transition by request id, and does no more with them.
- lnav with a format of ours (`lnav_format.json`), asked for every field of every line, and no more.
- mawk counts the lines that are transitions and takes nothing apart: nobody can be expected to be faster.

CPU seconds are user and system time; all rates are per CPU-second. A ratio is taken in each round between runs that followed one
another, and the median is shown: above 1 the row is faster. Machines are noisy: trust the ratios of one run, not its seconds.
Needs room for the input (and for `--grow` the largest of them) in the folder for temporary files (TMPDIR says which).
The exit status is 1 if a row failed or told other counts than it must.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from inputs import WRITERS, Input, build, simulate
from processes import watch
from readers import VOLTRACE, list_readers, voltrace_reader
from rounds import Check, Row, check, run_rounds
from tables import describe_machine, render, table_of_formats, table_of_growth, table_of_readers


def measure(command: list[str]) -> tuple[float, float]:
    """(CPU seconds, peak MB) of one whole process, for `benchmarks/simulate.py`. Raises SystemExit where it fails."""
    took = watch(command)
    if took.failure:
        raise SystemExit(f"{' '.join(command)}: {took.failure}")
    return took.cpu_s, took.peak_mb


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    passed = True

    def show(title: str, rows: list[Row], table: list[list[str]], checks: list[Check]) -> None:
        nonlocal passed
        print(f"\n{title}\n\n{render(table, args.markdown)}\n")
        for found in checks:
            print(f"- {found}" if args.markdown else f"  {found}")
        passed &= all(found.holds for found in checks) and not any(row.failure for row in rows)

    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="voltrace-read-") as name:
        folder = Path(name)
        source = simulate(folder / "in", args.mb) if args.input == "simulated" else build(folder / "in", args.mb)
        rows = run_rounds([(reader, source) for reader in list_readers(source, folder)], args.rounds, args.timeout, args.quiet)
        what = "simulated" if args.input == "simulated" else "captured"
        title = f"{source.megabytes:,.0f} MB of {what} lines ({source.lines:,} lines, {source.requests:,} requests), {args.rounds} rounds in turn"
        show(title, rows, table_of_readers(rows), check(rows))
        _remove(source)
        if args.formats:
            sources = [build(folder / "formats" / each, args.mb, each) for each in WRITERS]
            rows = run_rounds([(voltrace_reader(s.name, s, "--workers", "1"), s) for s in sources], args.rounds, args.timeout, args.quiet)
            show("The same lines in other formats, read by voltrace stats with one worker", rows, table_of_formats(rows), check(rows))
            for each in sources:
                _remove(each)
        if args.grow:
            rows = []
            for size in args.grow:
                grown = build(folder / "grow", size)
                rows += run_rounds([(voltrace_reader(f"{grown.megabytes:,.0f} MB", grown, "--workers", "1"), grown)], 1, args.timeout, args.quiet)
                _remove(grown)
            show("Memory as the input grows, voltrace stats with one worker", rows, table_of_growth(rows), check(rows))
        print("\n" + "\n".join(_time_start_up(folder, args.timeout)))
    return 0 if passed else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=1000, help="size of the input (default 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each row runs (default 3)")
    parser.add_argument("--input", choices=("captured", "simulated"), default="captured", help="which lines are read (default captured)")
    parser.add_argument("--formats", action="store_true", help=f"also read the same lines as {', '.join(WRITERS)}")
    parser.add_argument("--grow", type=_sizes, default=[], metavar="MB,MB…", help="also read inputs of these sizes once, and show the memory")
    parser.add_argument("--markdown", action="store_true", help="tables in Markdown")
    parser.add_argument("--timeout", type=float, default=3600, metavar="SECONDS", help="a run that takes longer has failed (default 3600)")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return parser.parse_args(argv)


def _sizes(text: str) -> list[float]:
    return [float(size) for size in text.split(",")]


def _remove(source: Input) -> None:
    for path in source.paths:
        path.unlink()


def _time_start_up(folder: Path, timeout_s: float, runs: int = 7) -> list[str]:
    """Lines that tell how long small things take on the wall: the shortest of some runs each."""
    small = build(folder / "small", 1)
    commands = {
        "voltrace --help": (*VOLTRACE, "--help"),
        f"voltrace stats of {small.megabytes:.1f} MB": voltrace_reader("", small).command,
    }
    lines = []
    for name, command in commands.items():
        tries = [watch(command, timeout_s=timeout_s) for _ in range(runs)]
        failure = next((took.failure for took in tries if took.failure), None)
        lines.append(
            f"{name}: " + (f"failed: {failure}" if failure else f"{min(took.wall_s for took in tries) * 1000:.0f} ms on the wall, the shortest of {runs}")
        )
    _remove(small)
    return lines


if __name__ == "__main__":
    sys.exit(main())
