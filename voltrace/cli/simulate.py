"""``voltrace simulate``: the logs that a real cloud would write, and the truth about them."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

from ..collector import without_collector
from ..errors import UsageError

_EXAMPLE = """example:
  voltrace simulate -o demo --scenario mixed --requests 100 --seed 7
  voltrace simulate -o - --truth truth.jsonl --format short-iso | voltrace trace -
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = _EXAMPLE
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="folder for c-api.log, c-sch.log, c-vol.log, merged.log and truth.jsonl; '-' writes the merged lines to standard output",
    )
    parser.add_argument("--truth", metavar="FILE", help="with -o -: where the truth goes")
    parser.add_argument("--scenario", metavar="NAME|FILE.toml", default="devstack", help="what the cloud is and what is asked of it (default devstack)")
    parser.add_argument("--release", default="2026.2", metavar="NAME", help="whose lines are written (default 2026.2)")
    parser.add_argument("--requests", type=int, metavar="N", help="how many requests (default 20; 1 for a scenario of the message catalogue)")
    parser.add_argument("--arrivals", default="poisson:1", metavar="HOW", help="burst, every:SECONDS, poisson:RATE or closed:CLIENTS (default poisson:1)")
    parser.add_argument("--profile", metavar="FILE.toml", help="how long things take, learnt from logs or written by hand (default: one node with LVM)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed and options give the same bytes (default 0)")
    parser.add_argument("--start", default="2026-01-05T09:00:00Z", metavar="ISO", help="when the simulation begins (default 2026-01-05T09:00:00Z)")
    parser.add_argument(
        "--format", default="short-precise", metavar="NAME", help="the lines' format: journalctl's output formats, or oslo (default short-precise)"
    )
    parser.add_argument("--color", action="store_true", help="colour escapes as DevStack writes them with LOG_COLOR=True")
    parser.add_argument("--level", default="DEBUG", metavar="DEBUG|INFO", help="the services' log level (default DEBUG)")
    parser.add_argument("--force", action="store_true", help="replace the files of an earlier simulation")
    parser.add_argument("--list", action="store_true", help="name the built-in scenarios")


@without_collector()
def run(args: argparse.Namespace) -> int:
    """Simulate, or list the scenarios."""
    from ..sim import run as simulation
    from ..sim.scenario_file import scenarios

    if args.list:
        known = scenarios()
        for name, text in known.items():
            print(f"{name:<{max(map(len, known))}} {text}")
        return 0
    if args.output is None:
        raise UsageError("say where to with -o DIR (or -o - for standard output)")
    if args.level not in ("DEBUG", "INFO"):
        raise UsageError(f"no level '{args.level}'; there are DEBUG, INFO")
    if args.truth and args.output != "-":
        raise UsageError("--truth goes with -o -; with -o DIR the truth is DIR/truth.jsonl")
    plan = simulation.make_plan(
        args.scenario, args.release, args.format, args.requests, args.arrivals, args.seed, args.start, args.color, args.level == "DEBUG", args.profile
    )
    if args.output == "-":
        simulation.simulate_to(plan, sys.stdout.buffer, Path(args.truth) if args.truth else None)
    else:
        simulation.simulate_into(plan, Path(args.output), args.force)
    gc.freeze()  # the process ends: its last searches for cycles need not look at what is alive
    return 0
