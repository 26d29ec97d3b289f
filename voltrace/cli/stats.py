"""``voltrace stats``: times of every flow, task and hand-off."""

from __future__ import annotations

import argparse
import sys

from .reading import add_reading_options, read_durations


def configure(parser: argparse.ArgumentParser) -> None:
    add_reading_options(parser)
    parser.add_argument("--format", choices=("text", "json", "csv"), default="text", help="a table to look at (default), JSON objects or CSV, both in seconds")
    parser.epilog = """examples:
  voltrace stats /var/log/cinder
  voltrace stats /var/log/cinder --where 'outcome = created and size > 10' --format csv"""


def run(args: argparse.Namespace) -> int:
    from ..report import tables

    table = tables.stats_table(read_durations(args))
    write = {"text": tables.to_text, "json": tables.to_json, "csv": tables.to_csv}[args.format]
    sys.stdout.write(write(table))
    return 0
