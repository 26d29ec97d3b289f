"""How fast logs are read: voltrace against a naive loop, lnav and mawk, whole processes in turn over several rounds.

    python benchmarks/read.py                        # 1 GB of captured lines, 3 rounds: some minutes
    python benchmarks/read.py --mb 60 --rounds 1     # a quick look
    python benchmarks/read.py --only naive,lnav      # some of the rows
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
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from inputs import WRITERS, Input, build, simulate
from processes import watch
from readers import VOLTRACE, Reader, list_readers, voltrace_reader
from rounds import Row, check, run_rounds
from tables import describe_machine, render, table_of_formats, table_of_growth, table_of_readers


def measure(command: list[str]) -> tuple[float, float]:
    """(CPU seconds, peak MB) of one whole process, for `benchmarks/simulate.py`. Raises SystemExit where it fails."""
    took = watch(command)
    if took.failure:
        raise SystemExit(f"{' '.join(command)}: {took.failure}")
    return took.cpu_s, took.peak_mb


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    print(describe_machine(), flush=True)
    passed = True
    with tempfile.TemporaryDirectory(prefix="voltrace-read-") as name:
        folder = Path(name)
        start_up = _time_start_up(folder, args.timeout)  # first, so that Python has compiled what it imports
        for title, rows, table in _compare(args, folder):
            found = check(rows)
            print(f"\n{title}\n\n{render(table, args.markdown)}\n")
            print("\n".join(f"- {each}" for each in found), flush=True)
            passed &= all(each.holds for each in found) and not any(row.failure for row in rows)
    print("\nOn the wall, the shortest of some runs:\n\n" + "\n".join(f"- {line}" for line in start_up))
    return 0 if passed else 1


def _compare(args: argparse.Namespace, folder: Path) -> Iterator[tuple[str, list[Row], list[list[str]]]]:
    """Title, rows and table of each comparison that is asked for. Inputs go when they are no longer needed."""

    def run(readers: list[tuple[Reader, Input]], rounds: int) -> list[Row]:
        return run_rounds(readers, rounds, args.timeout, args.quiet)

    with _removed(simulate(folder / "in", args.mb) if args.input == "simulated" else build(folder / "in", args.mb)) as source:
        chosen = [reader for reader in list_readers(source, folder) if any(word in reader.name for word in args.only)]
        rows = run([(reader, source) for reader in chosen], args.rounds)
    rounds = f"{args.rounds} round{'s in turn' if args.rounds > 1 else ''}"
    title = f"{source.megabytes:,.0f} MB of {args.input} lines ({source.lines:,} lines, {source.requests:,} requests), {rounds}"
    yield title, rows, table_of_readers(rows)
    if args.formats:
        with ExitStack() as stack:
            sources = [stack.enter_context(_removed(build(folder / name, args.mb, name))) for name in WRITERS]
            rows = run([(voltrace_reader(each.name, each, "--workers", "1"), each) for each in sources], args.rounds)
        yield f"The same lines in other formats, voltrace stats with one worker, {rounds}", rows, table_of_formats(rows)
    if args.grow:
        rows = []
        for size in args.grow:
            with _removed(build(folder / "grown", size)) as grown:
                rows += run([(voltrace_reader(f"{grown.megabytes:,.0f} MB", grown, "--workers", "1"), grown)], 1)
        yield "Memory as the input grows, voltrace stats with one worker", rows, table_of_growth(rows)


@contextmanager
def _removed(source: Input) -> Iterator[Input]:
    """The input, whose files are removed afterwards: several of a gigabyte need not lie around at once."""
    try:
        yield source
    finally:
        for path in source.paths:
            path.unlink()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=1000, help="size of the input (default 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each row runs (default 3)")
    parser.add_argument("--input", choices=("captured", "simulated"), default="captured", help="which lines are read (default captured)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[""], metavar="WORD,WORD…", help="only rows whose names hold one of these words")
    parser.add_argument("--formats", action="store_true", help=f"also read the same lines as {', '.join(WRITERS)}")
    parser.add_argument("--grow", type=_sizes, default=[], metavar="MB,MB…", help="also read inputs of these sizes once, and show the memory")
    parser.add_argument("--markdown", action="store_true", help="tables in Markdown")
    parser.add_argument("--timeout", type=float, default=3600, metavar="SECONDS", help="a run that takes longer has failed (default 3600)")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return parser.parse_args(argv)


def _sizes(text: str) -> list[float]:
    return [float(size) for size in text.split(",")]


def _time_start_up(folder: Path, timeout_s: float, runs: int = 7) -> list[str]:
    """Lines that tell how long small things take."""
    lines = []
    with _removed(build(folder / "small", 1)) as small:
        os.truncate(small.paths[0], 1_000_000)
        for name, command in {"voltrace --help": [*VOLTRACE, "--help"], "voltrace stats of 1 MB": voltrace_reader("small", small).command}.items():
            tries = [watch(command, timeout_s=timeout_s) for _ in range(runs)]
            failure = next((took.failure for took in tries if took.failure), None)
            lines.append(f"{name}: failed: {failure}" if failure else f"{name}: {min(took.wall_s for took in tries) * 1000:.0f} ms")
    return lines


if __name__ == "__main__":
    sys.exit(main())
