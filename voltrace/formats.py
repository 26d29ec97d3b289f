"""Log formats, one row each: how a line's prefix is written and recognised, and what it carries.

A line is *prefix* (stamp, host, identifier, pid) and *body* (level, logger, context, message, suffix). The prefix is
journalctl's or oslo.log's; the body's layout is the logging_* options of DevStack or oslo.log's defaults. Facts from
systemd's ``journalctl -o``, DevStack's ``setup_systemd_logging`` and oslo.log's option defaults.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from .lifecycle import API, SCHEDULER, VOLUME

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
RELEASES = ("pike", "queens", "train", "yoga", "2023.1", "2024.1", "2025.1", "2026.1", "2026.2")

# A record's body: level, logger and the context in brackets. A name in it may hold a bracket, but none before a blank.
HEAD_LEVELS = (b"DEBUG", b"INFO", b"WARNING", b"ERROR", b"CRITICAL", b"TRACE", b"AUDIT")
HEAD = re.compile(rb"(" + b"|".join(HEAD_LEVELS) + rb") ([\w.<>-]+) \[([^\]]{0,400}(?:\](?! |$)[^\]]{0,400}){0,9})\](?: |$)")

# How oslo.log's ColorHandler and DevStack's format strings colour a line.
COLOURS = {"DEBUG": "\x1b[00;32m", "INFO": "\x1b[00;36m", "WARNING": "\x1b[01;33m", "ERROR": "\x1b[01;31m", "CRITICAL": "\x1b[01;31m"}
ESCAPES = re.compile(rb"\x1b\[[0-9;]*m"), re.compile(rb"#033\[[0-9;]*m")
ESCAPE = re.compile(b"|".join(pattern.pattern for pattern in ESCAPES))

# DevStack names its units so; only uWSGI's unit sets its journal identifier to the unit's name.
UNITS = {API: "devstack@c-api.service", SCHEDULER: "devstack@c-sch.service", VOLUME: "devstack@c-vol.service"}
IDENTIFIERS = {API: "devstack@c-api.service", SCHEDULER: "cinder-scheduler", VOLUME: "cinder-volume"}
SERVICE_FILES = {API: "c-api.log", SCHEDULER: "c-sch.log", VOLUME: "c-vol.log"}
_SERVICE_NAMES = (
    (API, re.compile(r"(?:^|[^a-z])(?:c-api|cinder[-_]api|cinder-wsgi)(?![a-z])|^api\.log")),
    (SCHEDULER, re.compile(r"(?:^|[^a-z])(?:c-sch|cinder[-_]scheduler)(?![a-z])|^scheduler\.log")),
    (VOLUME, re.compile(r"(?:^|[^a-z])(?:c-vol|cinder[-_]volume)(?![a-z])|^volume\.log")),
)


@lru_cache(maxsize=4096)
def service_of(name: str) -> str | None:
    """The service that a journal identifier, unit or file name speaks of, or None."""
    return next((service for service, pattern in _SERVICE_NAMES if pattern.search(name)), None)


@dataclass(frozen=True, slots=True)
class Format:
    """One log format.

    ``pattern`` matches the prefix with the groups stamp, host, unit and pid (those that it carries); ``resolution_us``
    is what one unit of the stamp's last digit stands for. ``write`` renders a prefix from (at, host, unit, pid).
    """

    name: str
    pattern: re.Pattern[bytes]
    resolution_us: int
    has_year: bool
    has_zone: bool
    layout: str
    write: Callable[[int, str, str, int], str]
    text: str


_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_MONTH_STAMP = rb"(?P<stamp>(?:%s) [ \d]\d \d\d:\d\d:\d\d" % "|".join(_MONTHS).encode()
_REST = rb" (?P<host>\S+) (?P<unit>[^\s\[\]:]+)(?:\[(?P<pid>\d{1,10})\])?: "


@lru_cache(maxsize=4096)
def _stamp(layout: str, second: int) -> str:
    parts = time.gmtime(second)
    if layout == "month":
        return f"{_MONTHS[parts.tm_mon - 1]} {parts.tm_mday:2d} {parts.tm_hour:02d}:{parts.tm_min:02d}:{parts.tm_sec:02d}"
    if layout == "full":
        return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", parts)
    return time.strftime("%Y-%m-%d %H:%M:%S" if layout == "space" else "%Y-%m-%dT%H:%M:%S", parts)


def _journal(layout: str, fraction: bool = False, zone: str = "") -> Callable[[int, str, str, int], str]:
    def write(at: int, host: str, unit: str, pid: int) -> str:
        second, micros = divmod(at, 1_000_000)
        return f"{_stamp(layout, second)}{f'.{micros:06d}' if fraction else ''}{zone} {host} {unit}[{pid}]: "

    return write


def _unix(at: int, host: str, unit: str, pid: int) -> str:
    return f"{at // 1_000_000}.{at % 1_000_000:06d} {host} {unit}[{pid}]: "


def _oslo(at: int, host: str, unit: str, pid: int) -> str:
    second, micros = divmod(at, 1_000_000)
    return f"{_stamp('space', second)}.{micros // 1000:03d} {pid} "


_ZONE = rb"(?:Z|[+-]\d\d:?\d\d)"
_FULL_STAMP = rb"(?P<stamp>[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:[A-Z]{2,5}|[+-]\d\d(?:\d\d)?))"
FORMATS = {
    f.name: f
    for f in (
        Format(
            "short",
            re.compile(_MONTH_STAMP + rb")" + _REST),
            1_000_000,
            False,
            False,
            "devstack",
            _journal("month"),
            "journalctl's default: whole seconds, no year",
        ),
        Format("short-precise", re.compile(_MONTH_STAMP + rb"\.\d{6})" + _REST), 1, False, False, "devstack", _journal("month", True), "microseconds, no year"),
        Format(
            "short-iso",
            re.compile(rb"(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d" + _ZONE + rb")" + _REST),
            1_000_000,
            True,
            True,
            "devstack",
            _journal("iso", zone="+0000"),
            "whole seconds, year and zone",
        ),
        Format(
            "short-iso-precise",
            re.compile(rb"(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}" + _ZONE + rb")" + _REST),
            1,
            True,
            True,
            "devstack",
            _journal("iso", True, "+0000"),
            "microseconds, year and zone",
        ),
        Format("short-full", re.compile(_FULL_STAMP + _REST), 1_000_000, True, True, "devstack", _journal("full"), "weekday, date and zone's name"),
        Format("short-unix", re.compile(rb"(?P<stamp>\d{9,11}\.\d{6})" + _REST), 1, True, True, "devstack", _unix, "seconds since 1970"),
        Format(
            "with-unit",
            re.compile(_FULL_STAMP + _REST),
            1_000_000,
            True,
            True,
            "devstack",
            _journal("full"),
            "as short-full, with the unit's name for the identifier",
        ),
        Format(
            "oslo",
            re.compile(rb"(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{3})(?: (?P<host>[\w.-]*)/(?P<unit>[\w.-]+))? (?P<pid>\d{1,10}) "),
            1000,
            True,
            False,
            "oslo",
            _oslo,
            "oslo.log's own, in files: milliseconds, local time",
        ),
    )
}


# journalctl's outputs that are no prefix and body: the entries of short-unix, packed. journald takes no control character for text:
# such a MESSAGE is an array of bytes in json, and its length and bytes in export.
# Bytes that are no UTF-8 are in our texts as surrogates.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\udc80-\udcff]")
_UNIT_OF = {IDENTIFIERS[service]: unit for service, unit in UNITS.items()} | {"systemd-journald": "systemd-journald.service"}


def _fields(line: str) -> tuple[dict[str, str], str]:
    """What journald knows of an entry given as a line of short-unix, and its message."""
    prefix, _, message = line.partition(": ")
    stamp, host, sender = prefix.split(" ")
    identifier, _, pid = sender[:-1].partition("[")
    fields = {
        "__REALTIME_TIMESTAMP": stamp.replace(".", ""),
        "_TRANSPORT": "stdout",
        "PRIORITY": "6",
        "_HOSTNAME": host,
        "SYSLOG_IDENTIFIER": identifier,
        "_SYSTEMD_UNIT": _UNIT_OF.get(identifier, identifier),
        "_PID": pid,
    }
    return fields, message


def _pack_json(line: str) -> bytes:
    fields, message = _fields(line)
    shown = list(message.encode("utf-8", "surrogateescape")) if _CONTROL.search(message) else message
    return json.dumps(fields | {"MESSAGE": shown}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _pack_export(line: str) -> bytes:
    fields, message = _fields(line)
    data = message.encode("utf-8", "surrogateescape")
    shown = b"MESSAGE\n" + len(data).to_bytes(8, "little") + data if _CONTROL.search(message) else b"MESSAGE=" + data
    return "".join([f"{name}={value}\n" for name, value in fields.items()]).encode() + shown + b"\n\n"


def _pack_cat(line: str) -> bytes:
    return line.partition(": ")[2].encode("utf-8", "surrogateescape") + b"\n"


@dataclass(frozen=True, slots=True)
class Packing:
    """A format that packs the entries of another: ``pack`` makes one entry's bytes of its line in ``entries``.

    ``pattern`` matches at the beginning of lines that only this packing has.
    """

    name: str
    entries: Format
    pack: Callable[[str], bytes]
    pattern: re.Pattern[bytes]
    text: str


_JSON_ENTRY = re.compile(rb'[\x1e\s]*\{.*?"(?:MESSAGE|__REALTIME_TIMESTAMP|__CURSOR|_BOOT_ID)"\s*:')
_EXPORT_FIELD = re.compile(rb"(?:__REALTIME_TIMESTAMP=\d|__CURSOR=|_BOOT_ID=[0-9a-f]|MESSAGE(?:=|$))")
PACKINGS = {
    p.name: p
    for p in (
        Packing("json", FORMATS["short-unix"], _pack_json, _JSON_ENTRY, "an object a line; a message with colour is an array of bytes"),
        Packing("export", FORMATS["short-unix"], _pack_export, _EXPORT_FIELD, "blocks of KEY=value, binary where a message has colour"),
        Packing("cat", FORMATS["short-unix"], _pack_cat, HEAD, "the bare message: no stamps, no pid"),
    )
}


@dataclass(frozen=True, slots=True)
class Context:
    """What a line's bracket says of the request: ids and names as logged, None where the line says nothing."""

    global_request_id: str | None
    request_id: str | None
    project: str | None
    user: str | None


_REQUEST_ID = re.compile(r"req-[0-9A-Za-z-]+")
# What most of DevStack's contexts are, read at once: a request's id, project and user.
PLAIN_CONTEXT = re.compile(rb"None (req-[0-9A-Za-z-]+) (\w[^ ]*) (\w[^ ]*)")
_PLAIN_TEXT = re.compile(PLAIN_CONTEXT.pattern.decode(), re.ASCII)


@lru_cache(maxsize=1 << 14)
def read_context(text: str, layout: str) -> Context:
    """The fields of the bracket after the logger's name.

    With two request ids the second is this request's and the first the global one; before Pike's global ids, and in oslo's
    format up to Yoga, there is one. DevStack names project, then user; oslo gives user id, then project id.
    """
    plain = _PLAIN_TEXT.fullmatch(text) if layout != "oslo" else None
    if plain:
        return Context(None, plain[1], _none(plain[2]), _none(plain[3]))
    words = text.split()
    if not words or words == ["-"]:
        return Context(None, None, None, None)
    ids = [w for w in words[:2] if _REQUEST_ID.fullmatch(w.lstrip("g")) and "req-" in w]
    if not ids:
        return Context(None, None, None, None)
    at = words.index(ids[-1])
    names = words[at + 1 :]
    oslo = layout == "oslo" or "-" in names  # its fields may stand behind journald's prefix, too
    if not oslo and len(names) > 2:  # a project's name with blanks in it
        names = [" ".join(names[:-1]), names[-1]]
    first, second = (_none(names[i]) if len(names) > i else None for i in (0, 1))
    project, user = (second, first) if oslo else (first, second)
    return Context(ids[0] if len(ids) == 2 else None, ids[-1], project, user)


def _none(word: str) -> str | None:
    return None if word in ("None", "-") else word


def write_context(
    layout: str, release: str, request_id: str | None, global_request_id: str | None, project: tuple[str, str], user: tuple[str, str], colour: str = ""
) -> str:
    """The bracket's inside. ``project`` and ``user`` are (name, id) pairs; ``colour`` is the level's escape, if any."""
    if request_id is None:
        return f"\x1b[00;36m-{colour}" if colour else "-"
    if layout == "oslo":
        ids = f"{global_request_id or None} {request_id}" if _has_system_scope(release) else request_id
        if user[1] == "-":
            return f"{ids} - - - - -" + (" -" if _has_system_scope(release) else "")
        domains = "- - default default" if _has_system_scope(release) else "- default default"
        return f"{ids} {user[1]} {project[1]} {domains}"
    if colour:
        return f"\x1b[01;36m{global_request_id or None} {request_id} \x1b[00;36m{project[0]} {user[0]}{colour}"
    return f"{global_request_id or None} {request_id} {project[0]} {user[0]}"


def _has_system_scope(release: str) -> bool:
    """oslo.log 4.8 (Zed) added the global request id and the system scope to its default formats."""
    return RELEASES.index(release) >= RELEASES.index("2023.1")


def write_body(layout: str, level: str, logger: str, context: str, message: str, suffix: tuple[int, str, str, int] | None, colour: str = "") -> str:
    """A record's first line after the prefix. ``suffix`` is (pid, function, path, line) of a DEBUG record, else None."""
    if layout == "oslo":
        tail = f" {suffix[1]} {suffix[2]}:{suffix[3]}" if suffix else ""
        return f"{level} {logger} [{context}] {message}{tail}"
    if colour:
        tail = f" \x1b[00;33m{{{{(pid={suffix[0]}) {suffix[1]} {suffix[2]}:{suffix[3]}}}}}\x1b[00m" if suffix else ""
        return f"{colour}{level} {logger} [{context}] \x1b[01;35m{colour}{message}\x1b[00m{tail}\x1b[00m"
    tail = f" {{{{(pid={suffix[0]}) {suffix[1]} {suffix[2]}:{suffix[3]}}}}}" if suffix else ""
    return f"{level} {logger} [{context}] {message}{tail}"


def write_traceback(layout: str, logger: str, text: str, colour: str = "") -> str:
    """A traceback's line after the prefix: the level is ERROR whatever the record's own, and there is no bracket."""
    if colour and layout != "oslo":
        return f"ERROR {logger} \x1b[01;35m\x1b[00m{text}"
    return f"ERROR {logger} {text}"
