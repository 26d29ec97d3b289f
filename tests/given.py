"""The sample logs as lines that a test may alter, and their reading without files."""

from __future__ import annotations

import io
import re
from datetime import UTC
from functools import cache
from pathlib import Path

from voltrace.check.judge import judge_all
from voltrace.encode import encode_check, encode_timeline
from voltrace.parse.assemble import Assembler
from voltrace.parse.clock import StampReader
from voltrace.parse.framing import detect
from voltrace.parse.pieces import scanner_of
from voltrace.parse.reading import assemble
from voltrace.parse.sources import BLOCK, blocks
from voltrace.parse.tables import Scan

SAMPLES = Path(__file__).parents[1] / "sample_logs"
API, SCHEDULER, VOLUME = "c-api.log", "c-sch.log", "c-vol.log"
TRANSITION = re.compile(rb"(?:Flow|Task) '(?:[\w.]*\.)?(\w+)[^']*' \([0-9a-f-]{36}\) transitioned into state '(\w+)' from state '(\w+)'")
REQUEST = re.compile(rb"\[\S+ (req-[0-9a-f-]{36}) ")


@cache
def _lines(case: str) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    return tuple((p.name, tuple(p.read_bytes().splitlines())) for p in sorted((SAMPLES / case).glob("*.log")))


def lines(case: str) -> dict[str, list[bytes]]:
    """The lines of every log of a sample, by file name."""
    return {name: list(own) for name, own in _lines(case)}


def of_one_request(logs: dict[str, list[bytes]], request_id: str | None = None) -> dict[str, list[bytes]]:
    """The logs without the lines of other create requests: those of the first request (or the one named), and those without a request."""
    wanted = (request_id or creates(logs)[0]).encode()
    others = {r.encode() for r in creates(logs)} - {wanted}
    kept: dict[str, list[bytes]] = {}
    for name, own in logs.items():
        mine, kept[name] = True, []
        for line in own:
            found = REQUEST.search(line)
            if found or b" [-] " in line:
                mine = not found or found[1] not in others
            if mine:
                kept[name].append(line)
    return kept


def creates(logs: dict[str, list[bytes]]) -> list[str]:
    """The ids of the requests whose flows are in these logs, in the order in which they come up."""
    ids = dict.fromkeys(m[1].decode() for own in logs.values() for line in own if b" transitioned into " in line and (m := REQUEST.search(line)))
    return list(ids)


def read_bytes(files: dict[str, bytes], block: int = BLOCK, year: int | None = 2026, zone=UTC, keep_lines: bool = False):
    """The reading of these files, by name, and the verdicts."""
    scan, layouts = Scan(keep_lines), []
    for name, data in files.items():
        framing = detect(data)
        assert framing is not None, name
        layouts.append(framing.format.layout)
        scanner = scanner_of(scan, name, framing, StampReader(framing.format, year, zone))
        for piece in blocks(io.BytesIO(data), block):
            scanner.feed(piece)
        scanner.finish()
    reading = assemble(Assembler(scan, layouts))
    return reading, judge_all(reading)


def read_lines(logs: dict[str, list[bytes]], **options):
    """The reading of these lines, and the verdicts. Files without lines are left out."""
    return read_bytes({name: b"".join(line + b"\n" for line in own) for name, own in logs.items() if own}, **options)


def encoded(reading, verdicts):
    """All that a reading tells: its timelines with events, the check of them, and what the logs cover."""
    timelines = [encode_timeline(t, verdicts[t.request_id], events=True) for t in reading.timelines]
    return timelines, encode_check(reading, list(verdicts.values())), {s: (c.first, c.last, c.debug, c.starts) for s, c in reading.coverage.items()}


def deviations(logs: dict[str, list[bytes]], **options) -> list[str]:
    """The slugs of all deviations in these logs."""
    _, verdicts = read_lines(logs, **options)
    return [d.slug for v in verdicts.values() for d in v.deviations]


def outcomes(logs: dict[str, list[bytes]], **options) -> dict[str, tuple[str, str | None]]:
    """Outcome and cause of every create request, by id."""
    reading, verdicts = read_lines(logs, **options)
    return {t.request_id: (verdicts[t.request_id].outcome.outcome, verdicts[t.request_id].outcome.cause) for t in reading.creates()}


def replaced(logs: dict[str, list[bytes]], name: str, index: int, *instead: bytes) -> dict[str, list[bytes]]:
    """The logs with one line of one file replaced by these (none: dropped)."""
    own = logs[name]
    return {**logs, name: [*own[:index], *instead, *own[index + 1 :]]}


def transitions(logs: dict[str, list[bytes]]) -> list[tuple[str, int, str, str, str]]:
    """Every line of a transition: (file, index, task or flow, state entered, state left)."""
    return [(name, i, *(g.decode() for g in m.groups())) for name, own in logs.items() for i, line in enumerate(own) if (m := TRANSITION.search(line))]


def record(
    message: str,
    *,
    at: str = "Nov 22 13:14:31.000000",
    level: str = "DEBUG",
    logger: str = "cinder.volume.api",
    service: str = "api",
    pid: int = 7,
    request: str | None = "req-00000000-0000-4000-8000-000000000001",
    names: str = "admin admin",
    tail: bool = True,
) -> bytes:
    """A record in the journal's format, as DevStack has it."""
    unit = {"api": "devstack@c-api.service", "scheduler": "devstack@c-sch.service", "volume": "devstack@c-vol.service"}[service]
    context = f"None {request} {names}" if request else "-"
    suffix = f" {{{{(pid={pid}) run /opt/stack/cinder/cinder/x.py:1}}}}" if level == "DEBUG" and tail else ""
    return f"{at} controller {unit}[{pid}]: {level} {logger} [{context}] {message}{suffix}".encode()
