"""Logs wrapped by syslog, containers, shippers and grep tell what the service's own files tell."""

import io
import json
import re
from pathlib import Path

import pytest
from compared import without
from given import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

from voltrace.check.judge import judge_all
from voltrace.encode import encode_check, encode_timeline
from voltrace.parse.engine import ReadOptions, read
from voltrace.parse.sources import Source
from voltrace.parse.unwrapped import unwrap
from voltrace.parse.wrappings import find_wrappings
from voltrace.sim.run import make_plan, simulate_into

STAMP = re.compile(rb"\d{4}-(\d\d)-(\d\d) (\d\d:\d\d:\d\d)\.(\d{3})")
TAGS = {"c-api.log": b"cinder-api", "c-sch.log": b"cinder-scheduler", "c-vol.log": b"cinder-volume"}


class Carrier:
    """Who carries a service's lines: stamps them with the time of the last record (continuation lines, too)."""

    def __init__(self, tag: bytes) -> None:
        self.tag, self.month, self.iso = tag, b"Nov 22 13:07:44", b"2026-11-22T13:07:44.839634"

    def look(self, line: bytes) -> None:
        found = STAMP.match(line)
        if found:
            self.month, self.iso = b"Nov %s %s" % (found[2], found[3]), b"2026-%s-%sT%s.%s000" % found.groups()


def docker(text: bytes, ended: bool = True) -> bytes:
    return json.dumps({"log": text.decode() + "\n" * ended, "stream": "stderr", "time": "2026-11-22T13:07:44.839634123Z"}).encode()


def cut(line: bytes, size: int) -> list[bytes]:
    """An ASCII line in parts."""
    return [line[i : i + size] for i in range(0, len(line), size)] or [b""]


def in_parts(c: Carrier, line: bytes, size: int = 400) -> bytes:
    parts = cut(line, size)
    return b"\n".join(c.iso + b"123Z stderr " + (b"F " if n == len(parts) - 1 else b"P ") + part for n, part in enumerate(parts))


def docker_in_parts(c: Carrier, line: bytes) -> bytes:
    parts = cut(line, 400)
    return b"\n".join(docker(part, n == len(parts) - 1) for n, part in enumerate(parts))


# Of any log.
ANY = {
    "docker": lambda c, line: docker(line),
    "docker, long lines in parts": docker_in_parts,
    "docker logs --timestamps": lambda c, line: c.iso + b"123Z " + line,
    "docker compose": lambda c, line: c.tag.ljust(20) + b" | " + line,
    "kubernetes": lambda c, line: c.iso + b"123Z stderr F " + line,
    "kubernetes, long lines in parts": in_parts,
    "kubectl logs --prefix": lambda c, line: b"[pod/" + c.tag + b"-7d9f/" + c.tag + b"] " + line,
    "shipper": lambda c, line: json.dumps({"@timestamp": "2026-11-22T13:07:44.839Z", "message": line.decode(), "tags": ["x"]}).encode(),
    "fluent bit": lambda c, line: json.dumps({"log": line.decode(), "kubernetes": {"pod_name": "p", "container_name": c.tag.decode()}}).encode(),
    "grep": lambda c, line: b"/var/log/cinder/" + c.tag + b".log:" + line,
    "grep -n": lambda c, line: b"/var/log/cinder/" + c.tag + b".log:17:" + line,
    "grep, context": lambda c, line: b"/var/log/cinder/" + c.tag + b".log-" + line,
    "table": lambda c, line: b"| " + line + b" |",
    "indented": lambda c, line: b"      " + line,
    "docker compose around docker": lambda c, line: c.tag.ljust(20) + b" | " + docker(line),
}
# Of files that oslo.log writes.
OSLO = {
    "rsyslog, a file's lines": lambda c, line: c.month + b" controller " + c.tag + b" " + line,
    "rsyslog, tag": lambda c, line: c.month + b" controller " + c.tag + b": " + line,
    "rsyslog, tag and pid": lambda c, line: c.month + b" controller " + c.tag + b"[2211]: " + line,
    "rsyslog, ISO stamps": lambda c, line: c.iso + b"+00:00 controller " + c.tag + b": " + line,
    "RFC 3164 as it is sent": lambda c, line: b"<14>" + c.month + b" controller " + c.tag + b": " + line,
    "RFC 5424": lambda c, line: b"<14>1 " + c.iso + b"+00:00 controller " + c.tag + b" 2211 - - " + line,
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> dict[str, Path]:
    """Folders of service files, one line in ten or more of which goes on with another."""
    mixed = tmp_path_factory.mktemp("wrapped") / "mixed"
    simulate_into(make_plan("mixed", "yoga", "oslo", 40, "poisson:1", 3), mixed)
    (mixed / "merged.log").unlink()
    return {"journal": SAMPLES / "driver-failure", "oslo": SAMPLES / "created-oslo", "oslo, everything": mixed}


def told(folder: Path) -> tuple:
    reading = read([str(folder)], ReadOptions(year=2026))
    verdicts = judge_all(reading)
    timelines = [encode_timeline(t, verdicts[t.request_id], events=True) for t in reading.timelines]
    return without([timelines, encode_check(reading, list(verdicts.values()))], {"where", "lines"})


def wrap(folder: Path, target: Path, how, merged: bool = False) -> Path:
    target.mkdir()
    for name, tag in TAGS.items():
        carrier, out = Carrier(tag), []
        for line in (folder / name).read_bytes().split(b"\n")[:-1]:
            carrier.look(line)
            out.append(how(carrier, line) + b"\n")
        with open(target / ("all.log" if merged else name), "ab") as file:
            file.write(b"".join(out))
    return target


@pytest.mark.parametrize("how", ANY)
@pytest.mark.parametrize("case", ["journal", "oslo", "oslo, everything"])
def test_read__wrapped_lines__tell_the_same(case, how, logs, tmp_path):
    assert told(wrap(logs[case], tmp_path / "wrapped", ANY[how])) == told(logs[case])


@pytest.mark.parametrize("how", OSLO)
@pytest.mark.parametrize("case", ["oslo", "oslo, everything"])
def test_read__carried_by_syslog__tell_the_same(case, how, logs, tmp_path):
    assert told(wrap(logs[case], tmp_path / "wrapped", OSLO[how])) == told(logs[case])


@pytest.mark.parametrize("how", ["docker compose", "kubectl logs --prefix", "fluent bit", "grep", "rsyslog, tag", "RFC 5424"])
def test_read__all_services_in_one_file__tell_the_same(how, logs, tmp_path):
    folder = logs["oslo, everything"]
    assert told(wrap(folder, tmp_path / "wrapped", (ANY | OSLO)[how], merged=True)) == told(folder)


@pytest.mark.parametrize("how", [*ANY, *OSLO])
def test_unwrapped__places__are_those_of_the_file(how, logs, tmp_path):
    if "parts" in how:
        return
    folder = wrap(logs["oslo"], tmp_path / "wrapped", (ANY | OSLO)[how])
    for name in TAGS:
        plain, found = ((f / name).read_bytes().split(b"\n") for f in (logs["oslo"], folder))
        with Source(str(folder / name), name).open() as stream:
            lines = stream.read().split(b"\n")
        assert len(lines) == len(plain) == len(found)
        assert all(line.endswith(own[24:]) for line, own in zip(lines, plain))


@pytest.mark.parametrize("case", ["created", "created-json", "created-export", "created-iso", "created-short", "created-colour", "created-oslo", "concurrent"])
def test_find__lines_as_they_were_written__are_not_wrapped(case):
    for path in (SAMPLES / case).glob("*.log"):
        assert find_wrappings(path.read_bytes()[: 1 << 16]) == []


def test_find__table_of_several_columns__is_a_page():
    lines = (SAMPLES / "created" / "c-api.log").read_bytes().split(b"\n")[:-1]
    assert find_wrappings(b"\n".join(b"| " + line + b" |" for line in lines))
    assert not find_wrappings(b"\n".join(b"| " + line + b" | what it says |" for line in lines))


def test_find__records_among_other_text__are_a_page():
    lines = (SAMPLES / "created" / "c-api.log").read_bytes().split(b"\n")[:-1]
    assert find_wrappings(b"\n".join(b"%d | %s" % (n, line) if n % 3 else b"what this says" for n, line in enumerate(lines))) == []
    assert find_wrappings(b"\n".join(b"x | " + line if n % 3 else b"what this says" for n, line in enumerate(lines))) == []


LINES = st.lists(st.binary(max_size=60).map(lambda b: b.translate(None, b"\r\n")), min_size=1, max_size=12)


@settings(max_examples=300, deadline=None)
@given(lines=LINES, size=st.integers(1, 30), end=st.booleans(), chunk=st.integers(1, 50))
def test_unwrapped__lines_in_parts__are_put_together_and_keep_their_places(lines, size, end, chunk):
    """Whatever the lines are, wherever the stream's reads end."""
    data = b"\n".join(in_parts(Carrier(b""), line, size) for line in lines) + b"\n" * end
    (take,) = find_wrappings(
        b"2026-11-22T13:07:44Z stdout F Nov 22 13:14:31 controller devstack@c-api.service[7]: DEBUG cinder [-] x {{(pid=7) run /x.py:1}}\n"
    )
    stream = unwrap(io.BufferedReader(io.BytesIO(data), chunk), take)  # type: ignore[arg-type]
    expected = b"".join(line + b"\n" * len(cut(line, size)) for line in lines)
    assert stream.read() == (expected if end else expected[:-1])


@settings(max_examples=300, deadline=None)
@given(
    data=st.binary(max_size=400),
    start=st.sampled_from([b'{"log":"', b"Nov 22 13:07:44 host tag: ", b"<14>", b"2026-11-22T13:07:44Z stdout P ", b"a.log:", b"x | ", b""]),
)
def test_find__hostile_bytes__no_exception(data, start):
    for wrapping in find_wrappings(start + data):
        for line in data.split(b"\n"):
            wrapping(start + line)
