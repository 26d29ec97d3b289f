"""Input for the reading benchmark: captured lines of fifty creates at once, copied with fresh ids, a day apart each; or simulated ones.

Within a copy the lines of the three services stand as they were written, so requests interleave as they did in the real cloud. The
same copies can be written as a plain journal in any of its formats, a coloured one, the journal's json, and the services' files as
oslo.log writes them.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import lzma
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from voltrace.formats import COLOURS, FORMATS, LEVELS, SERVICE_FILES, UNITS, service_of, write_body, write_context

SAMPLE = Path(__file__).parents[1] / "sample_logs" / "concurrent"
REQUESTS_A_COPY = 50
_DAY = date(2026, 11, 22)
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Input:
    """Files to read, all at once, and what must come out. ``captured`` tells that every request has flows in the log."""

    name: str
    paths: tuple[Path, ...]
    bytes: int
    lines: int
    requests: int
    captured: bool

    @property
    def megabytes(self) -> float:
        return self.bytes / 1e6


# -- captured lines -----------------------------------------------------------------------------------------------------------------------


def captured_lines() -> list[str]:
    """The sample's lines without line ends, the three services merged by stamp."""
    lines = [line for path in sorted(SAMPLE.glob("c-*.log.xz")) for line in lzma.decompress(path.read_bytes()).decode().splitlines()]
    return sorted(lines, key=lambda line: line[:22])


def build(folder: Path, megabytes: float, name: str = "short-precise") -> Input:
    """Writes captured lines in the format ``name`` (one of `WRITERS`) to the folder. ``megabytes`` is the size as short-precise: the
    same figure gives the same content in every format."""
    lines = captured_lines()
    copies = max(1, round(megabytes * 1e6 / sum(len(line.encode()) + 1 for line in lines)))
    texts = {path: b"".join(written) for path, written in WRITERS[name](lines).items()}
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        _write_copies(text, folder / path, copies)
    return _describe(name, [folder / path for path in texts], copies * sum(t.count(b"\n") for t in texts.values()), copies * REQUESTS_A_COPY, True)


_IDS = re.compile(rb"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8})[0-9a-f]{4}(?![0-9a-f])")
_REALTIME = re.compile(rb'(?<="__REALTIME_TIMESTAMP":")\d{16}|(?<![^\n])\d{10}(?=\.\d{6} )')
# A message with control characters, which the journal's json shows as an array of bytes. That is made last: ids are found in text.
_CONTROLLED = re.compile(rb'(?<="MESSAGE":)"(?=[^"]{0,40}\\u001b)(?:[^"\\]|\\.)*"')
# The ways in which the day is written, each with a control character (which no captured line holds) that stands for it meanwhile.
_DAYS: tuple[tuple[re.Pattern[bytes], bytes, Callable[[date], str]], ...] = (
    (re.compile(rb"Sun(?= (?:Nov 22|2026-11-22))"), b"\x05", lambda day: calendar.day_abbr[day.weekday()]),
    (re.compile(rb"2026-11-22"), b"\x02", lambda day: day.isoformat()),
    (re.compile(rb"2026, 11, 22"), b"\x03", lambda day: f"{day.year}, {day.month}, {day.day}"),
    (re.compile(rb"(?<=Nov 22 \d\d:\d\d:\d\d )2026"), b"\x04", lambda day: f"{day.year}"),
    (re.compile(rb"Nov 22"), b"\x06", lambda day: f"{calendar.month_abbr[day.month]} {day.day:2d}"),
)


def _write_copies(text: bytes, target: Path, copies: int) -> None:
    """Each copy on its own day, the last four digits of each UUID its number. The file's time is its last line's: it tells the year."""
    has_realtime, has_controls = _REALTIME.search(text) is not None, _CONTROLLED.search(text) is not None
    text = _IDS.sub(b"\\1\x01", text)
    for pattern, mark, _ in _DAYS:
        text = pattern.sub(mark, text)
    with open(target, "wb") as out:
        for k in range(copies):
            day = _DAY + timedelta(days=k)
            copy = text.replace(b"\x01", b"%04x" % k)
            for _, mark, write in _DAYS:
                copy = copy.replace(mark, write(day).encode())
            if has_realtime:
                later = {16: k * _DAY_US, 10: k * _DAY_US // 1_000_000}
                copy = _REALTIME.sub(lambda m, later=later: b"%d" % (int(m[0]) + later[len(m[0])]), copy)
            if has_controls:
                copy = _CONTROLLED.sub(lambda m: b"[%s]" % b",".join(b"%d" % byte for byte in json.loads(m[0]).encode()), copy)
            out.write(copy)
    end = datetime(day.year, day.month, day.day, 14, tzinfo=UTC).timestamp()
    os.utime(target, (end, end))


def _describe(name: str, paths: list[Path], lines: int, requests: int, captured: bool) -> Input:
    return Input(name, tuple(paths), sum(path.stat().st_size for path in paths), lines, requests, captured)


# -- the same lines in other formats ------------------------------------------------------------------------------------------------------

_ENTRY = re.compile(r"Nov 22 (?P<time>\d\d:\d\d:\d\d)\.(?P<micros>\d{6}) (?P<host>\S+) (?P<unit>[^\s\[]+)\[(?P<pid>\d+)\]: (?P<text>.*)")
_RECORD = re.compile(rf"({'|'.join(LEVELS)}) (\S+) \[(?:-|(\S+) (\S+) (\S+) (\S+))\] (.*)")
_SUFFIX = re.compile(r" \{\{\(pid=(\d+)\) (\S+) (\S+):(\d+)\}\}$")


def _write_plain(lines: Iterable[str]) -> dict[str, list[bytes]]:
    return {"journal.log": [f"{line}\n".encode() for line in lines]}


def _write_coloured(lines: Iterable[str]) -> dict[str, list[bytes]]:
    written = []
    for line in lines:
        text = _take_apart(line)["text"]
        written.append(f"{line.removesuffix(text)}{_colour(text)}\n".encode())
    return {"journal.colour.log": written}


def _write_text(name: str) -> Callable[[Iterable[str]], dict[str, list[bytes]]]:
    """A writer of another of the journal's formats."""

    def write(lines: Iterable[str]) -> dict[str, list[bytes]]:
        entries = map(_take_apart, lines)
        return {f"journal.{name}.log": [f"{FORMATS[name].write(_instant(e), e['host'], e['unit'], int(e['pid']))}{e['text']}\n".encode() for e in entries]}

    return write


def _write_oslo(lines: Iterable[str]) -> dict[str, list[bytes]]:
    """A file a service. What no logger wrote (warnings on standard error, uWSGI's own lines) does not get into such files."""
    files: dict[str, list[bytes]] = {}
    for line in lines:
        entry = _take_apart(line)
        record = _RECORD.fullmatch(entry["text"])
        service = service_of(entry["unit"])
        if record and service:
            prefix = FORMATS["oslo"].write(_instant(entry), entry["host"], entry["unit"], int(entry["pid"]))
            files.setdefault(SERVICE_FILES[service], []).append(f"{prefix}{_write_record(record, 'oslo')}\n".encode())
    return files


def _write_json(lines: Iterable[str]) -> dict[str, list[bytes]]:
    return {"journal.json": [_pack(entry, entry["text"]) for entry in map(_take_apart, lines)]}


def _write_coloured_json(lines: Iterable[str]) -> dict[str, list[bytes]]:
    return {"journal.colour.json": [_pack(entry, _colour(entry["text"])) for entry in map(_take_apart, lines)]}


def _pack(entry: dict[str, str], message: str) -> bytes:
    """An entry with all fields that `journalctl -o json` shows of a service's standard output; the order of fields differs from
    service to service, as it does there."""
    at = _instant(entry)
    unit = UNITS.get(service_of(entry["unit"]) or "", entry["unit"])
    boot = "8333cefbf2744c8880efc02162eba0f1"
    fields = {
        "_CMDLINE": f'"{entry["unit"]}worker 1"',
        "_SYSTEMD_SLICE": "system-devstack.slice",
        "_COMM": "uwsgi" if unit == UNITS["api"] else entry["unit"],
        "_CAP_EFFECTIVE": "0",
        "_TRANSPORT": "stdout",
        "_HOSTNAME": entry["host"],
        "_STREAM_ID": "659fc22ca34646a7929274dcb82cb374",
        "__MONOTONIC_TIMESTAMP": f"{at % 10**10}",
        "_EXE": "/opt/stack/data/venv/bin/uwsgi",
        "_MACHINE_ID": "3d1219c7c4c5404aaa1f6d2a48adfda4",
        "_GID": "1001",
        "_PID": entry["pid"],
        "SYSLOG_IDENTIFIER": entry["unit"],
        "SYSLOG_FACILITY": "3",
        "_SYSTEMD_UNIT": unit,
        "__CURSOR": f"s=026e22111ed9412990c8fe709279b4f5;i={at % 10**6:x};b={boot};m={at % 10**10:x};t={at:x};x=94920d3cbbfe9cc",
        "_UID": "1001",
        "_RUNTIME_SCOPE": "system",
        "__REALTIME_TIMESTAMP": f"{at}",
        "_BOOT_ID": boot,
        "_SYSTEMD_CGROUP": f"/system.slice/system-devstack.slice/{unit}",
        "_SYSTEMD_INVOCATION_ID": "8b1f9ac4f1c94ba0a39a1b4fd0c6f40e",
        "_SELINUX_CONTEXT": [117, 110, 99, 111, 110, 102, 105, 110, 101, 100, 10],
        "MESSAGE": message,
        "PRIORITY": "6",
    }
    turn = sum(unit.encode()) % len(fields)
    names = list(fields)
    return json.dumps({name: fields[name] for name in names[turn:] + names[:turn]}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


WRITERS: dict[str, Callable[[Iterable[str]], dict[str, list[bytes]]]] = {
    "short-precise": _write_plain,
    "colour": _write_coloured,
    "oslo": _write_oslo,
    "json": _write_json,
    "colour json": _write_coloured_json,
    **{name: _write_text(name) for name in ("short-iso", "short-iso-precise", "short-full", "short-unix")},
}


def _take_apart(line: str) -> dict[str, str]:
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        raise ValueError(f"not a journal's line: {line[:80]}")
    return entry.groupdict()


def _instant(entry: dict[str, str]) -> int:
    """Microseconds since 1970."""
    second = datetime.fromisoformat(f"{_DAY.isoformat()}T{entry['time']}+00:00")
    return int(second.timestamp()) * 1_000_000 + int(entry["micros"])


def _write_record(record: re.Match[str], layout: str, colour: str = "") -> str:
    level, logger, global_id, request_id, project, user, message = record.groups()
    found = _SUFFIX.search(message)
    suffix = (int(found[1]), found[2], found[3], int(found[4])) if found else None
    names = [(name, _id_of(name)) for name in (project, user)]
    context = write_context(layout, "2026.2", request_id, global_id if global_id != "None" else None, names[0], names[1], colour)
    return write_body(layout, level, logger, context, message[: found.start()] if found else message, suffix, colour)


def _colour(text: str) -> str:
    """The text of an entry as DevStack colours it."""
    record = _RECORD.fullmatch(text)
    return _write_record(record, "devstack", COLOURS[record[1]]) if record else text


def _id_of(name: str | None) -> str:
    """oslo.log writes ids for names: any 32 digits will do, and a dash for nobody."""
    return "-" if name in (None, "None") else hashlib.md5(str(name).encode()).hexdigest()


# -- simulated lines ----------------------------------------------------------------------------------------------------------------------


def simulate(folder: Path, megabytes: float) -> Input:
    """About so many MB of `voltrace simulate -o -`, two requests a second. Raises CalledProcessError where that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "simulated.log"
    trial = min(400, max(20, round(megabytes * 5)))
    _simulate_into(log, trial)
    requests = max(1, round(trial * megabytes * 1e6 / log.stat().st_size))
    _simulate_into(log, requests)
    with open(log, "rb") as written:
        lines = sum(block.count(b"\n") for block in iter(lambda: written.read(1 << 20), b""))
    return _describe("simulated", [log], lines, requests, False)


def _simulate_into(log: Path, requests: int) -> None:
    command = [sys.executable, "-m", "voltrace.cli", "simulate", "-o", "-", "--requests", str(requests), "--arrivals", "poisson:2", "--seed", "1"]
    with open(log, "wb") as out:
        subprocess.run(command, stdout=out, check=True)
