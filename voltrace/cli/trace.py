"""``voltrace trace``: one timeline a request, as a waterfall for the terminal or as JSON lines."""

from __future__ import annotations

import argparse
import json
import sys

from ..encode import encode_timeline
from ..errors import UsageError
from .reading import add_reading_options, is_utf8, read

_MANY = 2


def configure(parser: argparse.ArgumentParser) -> None:
    add_reading_options(parser)
    parser.add_argument("--request", metavar="ID", help="only this request id (its beginning is enough)")
    parser.add_argument("--volume", metavar="ID", help="only requests about this volume id (its beginning is enough)")
    parser.add_argument("--all", action="store_true", help="also requests that do not create a volume")
    parser.add_argument("--events", action="store_true", help="list every transition in causal order, too")
    parser.add_argument("--format", choices=("text", "jsonl"), default="text", help="a waterfall to look at (default), or one JSON object a line")
    parser.epilog = """examples:
  voltrace trace /var/log/cinder
  voltrace trace c-api.log c-sch.log c-vol.log --request req-14375a73
  journalctl -u 'devstack@c-*' -o short-precise | voltrace trace - --format jsonl"""


def run(args: argparse.Namespace) -> int:
    reading, verdicts = read(args)
    timelines = reading.timelines
    if args.request:
        timelines = [t for t in timelines if t.request_id.startswith(args.request) or t.request_id == f"req-{args.request}"]
    if args.volume:
        timelines = [t for t in timelines if any(v.startswith(args.volume) for v in t.volume_ids)]
    if (args.request or args.volume) and not timelines:
        what = f"request {args.request}" if args.request else f"volume {args.volume}"
        raise UsageError(f"no {what} in these logs; `voltrace trace PATH` lists what is there")
    if args.format == "jsonl":
        write = sys.stdout.write
        for timeline in timelines:
            write(json.dumps(encode_timeline(timeline, verdicts[timeline.request_id], args.events), ensure_ascii=not is_utf8(sys.stdout)) + "\n")
        return 0
    _print_text(args, reading, timelines, verdicts)
    return 0


def _print_text(args: argparse.Namespace, reading, timelines, verdicts) -> None:
    from shutil import get_terminal_size

    from ..report.text import draw, summary_line

    colour = sys.stdout.isatty()
    unicode = is_utf8(sys.stdout)
    width = get_terminal_size((100, 24)).columns
    if len(timelines) > _MANY and not args.events:
        for timeline in timelines:
            print(summary_line(timeline, verdicts[timeline.request_id], width=width, colour=colour, unicode=unicode))
        print(f"\n{len(timelines)} requests. One of them as a waterfall: voltrace trace … --request ID", file=sys.stderr)
        return
    for i, timeline in enumerate(timelines):
        if i:
            print()
        print(draw(timeline, verdicts[timeline.request_id], width=width, colour=colour, unicode=unicode))
        if args.events:
            _print_events(timeline)


def _print_events(timeline) -> None:
    from ..corrected import clock_of
    from ..encode import instant
    from ..report.text import plain

    for event in timeline.events:
        if event.kind.is_step:
            name = event.kind.task or event.flow or ""
            clock = clock_of(timeline, event.service, event.process)
            corrected = f" {instant(clock.correct(event.at)) if clock and event.at is not None else '':27}" if timeline.clocks else ""
            print(plain(f"  {instant(event.at) or '-':27}{corrected} {event.service:9} {event.attempt or '-':>2} {name:28} {event.kind.new:14} {event.where}"))
