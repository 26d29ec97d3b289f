"""``voltrace check``: hold the logs against the lifecycle."""

from __future__ import annotations

import argparse
import json
import sys

from ..encode import encode_check
from ..errors import UsageError
from .reading import add_reading_options, is_utf8, read_verdicts


def configure(parser: argparse.ArgumentParser) -> None:
    add_reading_options(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or one JSON object")
    parser.add_argument("--baseline", metavar="PROFILE", help=argparse.SUPPRESS)
    parser.add_argument("--strict", action="store_true", help="exit status 1 also for requests of unknown outcome and sources that could not be read")
    parser.epilog = """exit status: 0 everything judged conforms, 1 deviations were found, 2 it could not run

examples:
  voltrace check /var/log/cinder
  voltrace check /var/log/cinder --format json | jq .summary
  voltrace explain missing-transition"""


def run(args: argparse.Namespace) -> int:
    if args.baseline:
        raise UsageError("--baseline: checking against a learnt profile is not there yet; leave the option out")
    reading, verdicts = read_verdicts(args)
    result = encode_check(reading, verdicts)
    if args.format == "json":
        _dump(result)
    else:
        from ..report.text import draw_check

        print(draw_check(reading, verdicts, colour=sys.stdout.isatty(), unicode=is_utf8(sys.stdout)))
    deviates = result["summary"]["deviates"] > 0
    strict = args.strict and (result["summary"]["unknown"] > 0 or any(d.slug == "unreadable-source" for d in reading.diagnostics))
    return 1 if deviates or strict else 0


def _dump(result: dict) -> None:
    """One JSON object, each request and each diagnostic on a line of its own: json's own indentation takes longer than all judging."""
    encode = json.JSONEncoder(ensure_ascii=not is_utf8(sys.stdout)).encode
    parts = []
    for name, value in result.items():
        text = "[\n  " + ",\n  ".join(map(encode, value)) + "\n ]" if isinstance(value, list) and value else encode(value)
        parts.append(f" {encode(name)}: {text}")
    print("{\n" + ",\n".join(parts) + "\n}")
