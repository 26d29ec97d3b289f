"""What the lines of a service's log are wrapped in by those who carry them: syslog, containers and their runtimes, shippers, grep, tables.

Each wrapping takes a line apart on its own. What is inside is a line as the service or the journal wrote it. oslo.log's own lines do not say
whose they are; where the wrapping does, it is told behind their stamp, as ``host/unit``, which `formats` knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from ..formats import FORMATS, HEAD
from .folded import Folded, find_fold
from .framing import cut_bars

Part = tuple[bytes, bool]  # what a line holds, and whether its own line ends there
Wrapping = Callable[[bytes], Part | None]  # takes a line apart; None if it is not wrapped

_MOST_WRAPPINGS = 3  # one in the other
_MOST_OF = 0.8  # of these must be wrapped, at least
_LOOKED_AT = 60  # lines of a source by which it is told
_ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_OSLO = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{3}) (?=\d{1,10} [A-Z])")
_NO_NAME = re.compile(rb"[^\w.-]")

_CRI = re.compile(_ISO + rb" (?:stdout|stderr) ([FP])(?::[^ ]*)? ")
_OBJECT = re.compile(rb'\s*\{.{0,2000}?"(?:log|message)"\s*:', re.DOTALL)
_PREFIXES = tuple(
    re.compile(pattern)
    for pattern in (
        # RFC 5424, RFC 3164 and rsyslog's newer default, in front of a file's lines
        rb"(?:<\d{1,3}>)?1 " + _ISO + rb" (?P<host>\S{1,255}) (?P<unit>\S{1,48}) \S{1,128} \S{1,32} (?:-|(?:\[[^\]]*\])+) ?(?:\xef\xbb\xbf)?",
        rb"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|" + _ISO + rb") (?P<host>\S{1,255}) (?P<unit>[^\s:\[]{1,64})(?:\[\d{0,10}\])?:? ",
        rb"(?P<unit>[A-Za-z][\w.-]{0,79}) *\| ",  # docker compose
        rb"\[pod/(?P<host>[^/\]\s]{1,255})/(?P<unit>[^/\]\s]{1,80})\] ",  # kubectl logs --prefix
        _ISO + rb" ",  # docker logs --timestamps, kubectl logs --timestamps
    )
)
# A colour whose escape was made visible, or lost: by less, cat -v, a terminal's or a page's copy; and how it stands in records.
_SEEN_COLOUR = re.compile(rb"(?:\^\[|ESC|\\033|\\x1b|\\u001b|\\e)?\[\d{0,2}(?:;\d{1,3}){0,4}m")
_COLOURED = re.compile(rb"(?: |%s)(?:DEBUG|INFO|WARNING|ERROR|CRITICAL|TRACE|AUDIT) [\w.<>-]+ \[%s" % (_SEEN_COLOUR.pattern, _SEEN_COLOUR.pattern))
_PRIORITY = re.compile(rb"<\d{1,3}>(?=[A-Z\d])")
_INSIDE = re.compile(rb"(?:[A-Z][a-z]{2} [ \d]\d |\d{4}-\d\d-\d\d[ T])\d\d:\d\d:\d\d|\d{9,11}\.\d{6} ")
_BARS = re.compile(rb"[ \t]*\|[ \t]?(.*?)[ \t]*\|?[ \t]*")
_FOUND = re.compile(rb"(?P<path>[^\s:][^\n:]{0,500}?)[:-](?P<number>\d{1,10}[:-])?")


def find_wrappings(sample: bytes) -> list[Wrapping]:
    """How the lines of a source that begins like this are wrapped, the outermost first: such that more of them are records than as they stand."""
    lines = [line for line in sample.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n", _LOOKED_AT)[:_LOOKED_AT] if line.strip()]
    if len(lines) > 1 and not sample.endswith(b"\n"):
        lines.pop()  # it may be cut
    found: list[Wrapping] = []
    fold = find_fold(lines)
    if fold is not None:
        found.append(fold)
        lines = list(_unwrap(fold, lines))
    if sum(_COLOURED.search(line) is not None for line in lines) * 2 > len(lines):
        found.append(_take_seen_colours)
        lines = list(_unwrap(_take_seen_colours, lines))
    return found + _peel(lines, _MOST_WRAPPINGS)[1]


def _peel(lines: list[bytes], layers: int) -> tuple[int, list[Wrapping]]:
    """How many of the lines are records without their wrappings, of which there are no more than so many, and these."""
    best: list[Wrapping] = []
    most = sum(map(_is_record, lines))
    for make in _MAKERS if layers and not most else ():
        wrapping = make(lines)
        wrapped = sum(wrapping(line) is not None for line in lines)
        records, inner = _peel(list(_unwrap(wrapping, lines)), layers - 1) if wrapped >= _MOST_OF * len(lines) else (0, [])
        if records > most:
            best, most = [wrapping, *inner], records
    return most, best


def _unwrap(wrapping: Wrapping, lines: list[bytes]) -> Iterator[bytes]:
    """The lines that are wrapped in these; of the last perhaps not all."""
    begun: list[bytes] = []
    for line in lines:
        if begun and isinstance(wrapping, Folded) and wrapping.begins(line):
            yield b"".join(begun)
            begun = []
        part = wrapping(line)
        if part is not None:
            begun.append(part[0])
            if part[1]:
                yield b"".join(begun)
                begun = []
    yield b"".join(begun)


def _is_record(line: bytes) -> bool:
    """Whether a record begins in front of the line, as one of the formats writes it."""
    for fmt in FORMATS.values():
        prefix = fmt.pattern.match(line)
        if prefix is not None and HEAD.match(line, prefix.end()):
            return True
    return False


def name_sender(line: bytes, host: bytes, unit: bytes) -> bytes:
    """A line of oslo.log with the sender behind its stamp; others, which name it themselves or go on with a record, stay as they are."""
    found = _OSLO.match(line)
    if found is None or not unit:
        return line
    return b"%s %s/%s %s" % (found[1], _NO_NAME.sub(b"_", host), _NO_NAME.sub(b"_", unit), line[found.end() :])


def _take_cri(line: bytes) -> Part | None:
    """Kubernetes: a stamp, the stream and a flag, which says whether the line ends with its part."""
    found = _CRI.match(line)
    return None if found is None else (line[found.end() :], found[1] == b"F")


def _take_object(line: bytes) -> Part | None:
    """Docker's json-file and shippers: an object a line. Docker leaves the newline in the last part of a line, and in no other."""
    if not _OBJECT.match(line):
        return None
    try:
        held = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text = held.get("log", held.get("message")) if isinstance(held, dict) else None
    if not isinstance(text, str):
        return None
    data = text.encode("utf-8", "replace")
    ended = data.endswith(b"\n") or not {"log", "stream", "time"} <= held.keys()
    about = held.get("kubernetes")
    if isinstance(about, dict):
        data = name_sender(data, *(str(about.get(key) or "").encode("utf-8", "replace")[:255] for key in ("pod_name", "container_name")))
    return data.removesuffix(b"\n"), ended


def _take_priority(line: bytes) -> Part | None:
    """A syslog message as it is sent, in front of which stands its priority."""
    found = _PRIORITY.match(line)
    return None if found is None else (line[found.end() :], True)


def _take_seen_colours(line: bytes) -> Part | None:
    """Colours whose escapes are no escapes any more."""
    text, count = _SEEN_COLOUR.subn(b"", line)
    return (text, True) if count else None


def _prefix_taker(prefix: re.Pattern[bytes]) -> Wrapping:
    """A prefix in front of every line, which may name host and unit."""

    def take(line: bytes) -> Part | None:
        found = prefix.match(line)
        if found is None:
            return None
        named = found.groupdict()
        return name_sender(line[found.end() :], named.get("host") or b"", named.get("unit") or b""), True

    return take


class _Grep:
    """What grep found in several files: a file's path and a colon in front of a match, a dash in front of its context, perhaps with a line number.

    Lines that are no records of their own are told by the paths of those that are.
    """

    def __init__(self) -> None:
        self._paths: dict[bytes, bool] = {}  # and whether line numbers stand behind them

    def __call__(self, line: bytes) -> Part | None:
        if line == b"--":
            return b"", True
        record = _INSIDE.search(line, 0, 600)
        found = _FOUND.fullmatch(line, 0, record.start()) if record else None
        if found is not None and record is not None:
            if len(self._paths) < 1000:
                self._paths[found["path"]] = found["number"] is not None
            return name_sender(line[record.start() :], b"", found["path"].rpartition(b"/")[2]), True
        for path, numbered in self._paths.items():
            if line.startswith(path) and line[len(path) : len(path) + 1] in (b":", b"-"):
                rest = line[len(path) + 1 :]
                return (re.sub(rb"^\d{1,10}[:-]", b"", rest, count=1) if numbered else rest), True
        return None


def _bar_taker(lines: list[bytes]) -> Wrapping:
    """A table's bars around every line, if it has but one column: of others only a page's reader knows what to make."""
    cells = [found[1] for found in map(_BARS.fullmatch, lines) if found]
    single = not any(cut_bars(cell)[1] for cell in cells)

    def take(line: bytes) -> Part | None:
        found = _BARS.fullmatch(line) if single else None
        return None if found is None else (found[1], True)

    return take


def _indent_taker(lines: list[bytes]) -> Wrapping:
    """As many blanks in front of every line as the least of these lines has."""
    indents = [len(line) - len(line.lstrip(b" \t")) for line in lines]
    indent = re.compile(rb"[ \t]{%d}" % (min(indents, default=0) or 1))

    def take(line: bytes) -> Part | None:
        found = indent.match(line)
        return None if found is None else (line[found.end() :], True)

    return take


_MAKERS: tuple[Callable[[list[bytes]], Wrapping], ...] = (
    lambda lines: _take_cri,
    lambda lines: _take_object,
    lambda lines: _take_priority,
    *((lambda lines, prefix=prefix: _prefix_taker(prefix)) for prefix in _PREFIXES),
    lambda lines: _Grep(),
    _bar_taker,
    _indent_taker,
)
