"""``voltrace report``: everything in one HTML file that can be mailed."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from .. import __version__
from ..errors import UsageError
from ..formats import service_of
from ..trace import Location, Reading, Timeline
from .reading import add_reading_options, fetch_lines, read


def configure(parser: argparse.ArgumentParser) -> None:
    add_reading_options(parser)
    parser.add_argument("-o", "--output", metavar="FILE.html", required=True, help="where to write the page")
    parser.add_argument("--title", help="the page's title (default: the first PATH's name)")
    parser.add_argument("--against", metavar="PATH", help="a second set of logs, real or simulated, to put beside the first")
    parser.add_argument(
        "--lines", metavar="N|all", type=_lines, default=200, help="source lines a request (default 200, and 8 MB in all; 'all': every line of every request)"
    )
    parser.add_argument("--redact", action="store_true", help="pseudonyms for projects, users, volume names, hosts, addresses and folders; no source lines")
    parser.epilog = """examples:
  voltrace report /var/log/cinder -o cinder.html
  voltrace report /var/log/cinder -o failures.html --where 'outcome = failed' --lines all
  voltrace report /var/log/cinder --against demo/simulated -o compared.html --title 'Simulated against real'"""


def _lines(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is no number of lines; give one such as 200, or all")
    return int(text)


def run(args: argparse.Namespace) -> int:
    from ..report.html import render_report
    from ..report.redact import redact

    output = Path(args.output)
    if output.is_dir():
        raise UsageError(f"-o {args.output} is a folder; name a file in it, e.g. {output / 'report.html'}")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"-o {args.output}: there is no folder {output.parent}")
    reading, verdicts = read(args, keep_lines=not args.redact)
    other, title = None, args.title or _title(args.paths)
    if args.against:
        second, second_verdicts = read(args, [args.against])
        other = (second, second_verdicts, _title([args.against]))
    fetch = _fetch(reading)
    if args.redact:
        reading, verdicts = redact(reading, verdicts)
        # The names of folders are hidden, too, unless somebody chose them as a title.
        title = args.title or "Volume creation"
        other = other and (*redact(other[0], other[1]), "the other set")
    page = render_report(reading, verdicts, fetch, title=title, version=__version__, against=other, lines=args.lines, redacted=args.redact)
    _write(output, page)
    print(output)
    return 0


def _title(paths: list[str]) -> str:
    first = paths[0]
    return "standard input" if first == "-" else Path(first).name or str(Path(first).resolve())


def _fetch(reading: Reading) -> Callable[[Timeline], list[tuple[Location, str, str]]]:
    """The source lines of a request, each with the service that wrote it."""
    fetch = fetch_lines(reading)

    def fetch_with_services(timeline: Timeline) -> list[tuple[Location, str, str]]:
        written = {e.where: e.service for e in timeline.events if e.where}
        by_path = {where.path: service for where, service in written.items()}
        return [
            # A merged file holds all services: its lines name their unit. A service's own file need not.
            (
                where,
                text,
                written.get(where) or service_of(text[:160].split(" [", 1)[0]) or service_of(where.path.rsplit("/", 1)[-1]) or by_path.get(where.path, "other"),
            )
            for where, text in fetch(timeline)
        ]

    return fetch_with_services


def _write(output: Path, page: str) -> None:
    """Write a sibling and rename it: an interrupted run leaves no half page, and an old page stands until the new one is whole."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{output.name[:100]}.", suffix=".part", dir=output.absolute().parent)
    except OSError as error:
        raise UsageError(f"-o {output}: {error.strerror}") from error
    try:
        with open(handle, "w", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.write(page)
        # mkstemp gives 0600; a report is to be read by whoever may read the folder's other files.
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, output)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError):
            raise UsageError(f"-o {output}: {error.strerror}") from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
