"""``voltrace explain``: the help page of an outcome, cause, deviation or diagnostic."""

from __future__ import annotations

import argparse
import sys

from ..explain import GROUPS, page


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slug", nargs="?", metavar="SLUG", help="what to explain; without it, all are listed")
    parser.epilog = "example: voltrace explain no-valid-backend"


def run(args: argparse.Namespace) -> int:
    sys.stdout.write(_list() if args.slug is None else page(args.slug))
    return 0


def _list() -> str:
    """All slugs in their groups, each with its one line."""
    width = max(len(slug) for group in GROUPS.values() for slug in group)
    blocks = ["\n".join([name, *(f"  {slug:<{width}}  {line}" for slug, line in group.items())]) for name, group in GROUPS.items()]
    return "\n\n".join(blocks) + "\n"
