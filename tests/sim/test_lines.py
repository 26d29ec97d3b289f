"""Every simulated line is of the catalogue, in every release, level and format."""

import re
from functools import cache

import pytest

from voltrace.formats import ESCAPE, FORMATS
from voltrace.messages import catalogue
from voltrace.sim.release import releases

from .clouds import run

HEAD = re.compile(r"^(DEBUG|INFO|WARNING|ERROR) (\S+) \[([^\]]*)\] (.*)$")
TAIL = re.compile(r" (?:\{\{\(pid=\d+\) )?(\S+) (/\S+):(\d+)(?:\}\})?$")
WILD = re.compile(r"^(?:driver-line|library-line)")


@cache
def mixed(release, format="short-precise", **options):
    return run("mixed", release, 100, format=format, seed=5, **options)


def bodies(lines, format):
    """The text after each prefix, colour taken off; None for a text line that has no prefix (oslo's continuations)."""
    for line in lines:
        found = FORMATS[format].pattern.match(line.encode())
        yield ESCAPE.sub(b"", line.encode()[found.end() :]).decode() if found else None


@pytest.mark.parametrize("release", releases())
@pytest.mark.parametrize("format", ["short-precise", "oslo"])
def test_lines__mixed__each_is_of_a_row_with_its_source_line(release, format):
    lines, _ = mixed(release, format)
    rows, seen = catalogue(), set()
    for service in ("api", "scheduler", "volume"):
        for body in bodies(lines[service], format):
            head = HEAD.match(body or "")
            if not head:
                continue
            level, logger, _, message = head.groups()
            tail = TAIL.search(message) if level == "DEBUG" else None
            assert tail or level != "DEBUG", body
            found = rows.find(level, logger, message[: tail.start()] if tail else message)
            assert found, body
            row = found[0]
            assert not WILD.match(row.key), body
            seen.add(row.key)
            if tail:
                twins = [r for r in rows.candidates(level, logger) if r.match((message[: tail.start()]).encode()) is not None]
                assert (tail[1], int(tail[3])) in {(r.function, r.lines.get(release)) for r in twins}, body
    assert len(seen) > 60


@pytest.mark.parametrize("release", releases())
def test_lines__those_without_head__continue_a_record(release):
    lines, _ = mixed(release)
    for service in ("api", "scheduler", "volume"):
        for body in bodies(lines[service], "short-precise"):
            assert body is not None
            if not HEAD.match(body):
                assert re.match(
                    r"ERROR [\w.]+ |\d predecessors|  Atom| +\|__|  Flow|Failure: |Command: |Exit code: |Stdout: |Stderr: |\[pid: |/opt/stack/|/usr/local/|  warnings|  attachments|  return base",
                    body,
                ), body


@pytest.mark.parametrize("format", FORMATS)
def test_lines__every_format__stamps_never_go_back(format):
    lines, truths = run("devstack", "2026.2", 10, format=format)
    pattern = FORMATS[format].pattern
    for service in ("api", "scheduler", "volume", "merged"):
        stamps = [m["stamp"] for m in (pattern.match(line.encode()) for line in lines[service]) if m]
        assert stamps == sorted(stamps)
    assert len(truths) == 10


def test_lines__oslo__continuations_have_no_prefix_and_tracebacks_have():
    lines, _ = mixed("2026.2", "oslo")
    text = "\n".join(lines["volume"])
    assert re.search(r"transitioned into state 'FAILURE' from state 'RUNNING'\n5 predecessors \(most recent first\):\n  Atom ", text)
    assert re.search(r"\n\S+ \S+ \d+ ERROR cinder\.volume\.manager Traceback", text)
    assert re.search(r"FAILURE' from state 'RUNNING'\n\nFailure: cinder\.exception\.VolumeSize", "\n".join(lines["api"]))
    assert "[pid: " not in text and "DeprecationWarning" not in "\n".join(lines["api"])


def test_lines__info__no_debug_and_reverts_without_result():
    lines, truths = mixed("2026.2", debug=False)
    heads = [HEAD.match(body or "") for body in bodies(lines["merged"], "short-precise")]
    assert "DEBUG" not in {head[1] for head in heads if head}
    assert "with result" not in "\n".join(lines["merged"])
    assert any("'REVERTED' from state 'REVERTING'" in line for line in lines["volume"])
    assert truths == mixed("2026.2")[1]  # the truth is what complete logs would tell


def test_lines__colour__taken_off_is_the_same_text():
    plain, coloured = mixed("2026.2")[0]["merged"], mixed("2026.2", colour=True)[0]["merged"]
    assert any("\x1b[01;31m" in line for line in coloured)
    assert [ESCAPE.sub(b"", line.encode()).decode().rstrip() for line in coloured] == [line.rstrip() for line in plain]


def test_lines__identifiers__the_unit_only_where_journalctl_shows_it():
    assert " cinder-volume[" in mixed("2026.2")[0]["volume"][0]
    assert " devstack@c-vol.service[" in run("devstack", "2026.2", 1, format="with-unit")[0]["volume"][0]


def test_background__after_the_last_request__longer_than_stuck_after():
    lines, truths = run("devstack", "2026.2", 3, format="short-unix")
    end = max(t["end"] for t in truths)
    from voltrace.sim.run import read_start

    for service in ("api", "scheduler", "volume"):
        last: dict[str, float] = {}
        for line in lines[service]:
            stamp, _, unit, *_ = line.split(" ")
            last[unit] = float(stamp)
        assert min(last.values()) > read_start(end) / 1e6 + 600, service
