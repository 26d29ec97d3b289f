"""``voltrace model``: print the lifecycle that the simulator obeys and the checker holds logs against."""

from __future__ import annotations

import argparse
import sys

from ..errors import UsageError
from ..formats import RELEASES
from ..lifecycle import VARIANTS, VOLUME_CREATE, describe
from .diagram import DRAWINGS, Sources


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=tuple(DRAWINGS), default="text", help="text to read, dot for Graphviz, mermaid for Markdown, json for programs (%(default)s)"
    )
    parser.add_argument("--release", metavar="NAME", help=f"add where this release's transition lines say they come from: {', '.join(RELEASES)}")
    parser.add_argument("--operation", choices=tuple(VARIANTS), default=VOLUME_CREATE.operation, help="the kind of request (%(default)s)")
    parser.epilog = "example: voltrace model --format dot | dot -Tsvg -o lifecycle.svg"


def run(args: argparse.Namespace) -> int:
    if args.release is not None and args.release not in RELEASES:
        raise UsageError(f"no release '{args.release}'; there are {', '.join(RELEASES)}")
    model = describe(VARIANTS[args.operation])
    sys.stdout.write(DRAWINGS[args.format](model, _sources(model, args.release) if args.release else []))
    return 0


def _sources(model: dict, release: str) -> Sources:
    """Where the lines that tell transitions come from in this release, by the catalogue's rows; only DEBUG lines carry it."""
    from ..messages import catalogue

    services = {flow["service"] for flow in model["flows"]}
    rows = [row for row in catalogue() if "-transition-" in row.key and row.level == "DEBUG" and services.intersection(row.services)]
    return [(row.key, row.function, f"{row.path}:{row.lines[release]}") for row in rows if row.lines.get(release)]
