"""``voltrace check``: hold the logs against the lifecycle."""

from __future__ import annotations

import argparse
import json
import sys

from ..encode import dump_verdicts, encode_diagnostic, summarise
from ..errors import UsageError
from ..trace import Reading
from ..verdict import Verdict
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
    summary = summarise(reading, verdicts)
    if args.format == "json":
        _dump(summary, reading, verdicts)
    else:
        from ..report.text import draw_check

        print(draw_check(reading, verdicts, colour=sys.stdout.isatty(), unicode=is_utf8(sys.stdout)))
    deviates = summary["deviates"] > 0
    strict = args.strict and (summary["unknown"] > 0 or any(d.slug == "unreadable-source" for d in reading.diagnostics))
    return 1 if deviates or strict else 0


def _dump(summary: dict, reading: Reading, verdicts: list[Verdict]) -> None:
    """One JSON object, each request and each diagnostic on a line of its own: json's own indentation takes longer than all judging."""
    encode = json.JSONEncoder(ensure_ascii=not is_utf8(sys.stdout)).encode
    requests, diagnostics = ",\n  ".join(dump_verdicts(verdicts, encode)), ",\n  ".join(map(encode, map(encode_diagnostic, reading.diagnostics)))
    print(f'{{\n "summary": {encode(summary)},\n "requests": {_lines(requests)},\n "diagnostics": {_lines(diagnostics)}\n}}')


def _lines(items: str) -> str:
    return f"[\n  {items}\n ]" if items else "[]"
