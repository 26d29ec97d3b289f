"""One real log in every format of the contract tells the same, up to the resolution of its stamps."""

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from compared import TIMES, without
from given import SAMPLES

from voltrace.check.judge import judge_all
from voltrace.encode import encode_timeline
from voltrace.formats import FORMATS, PACKINGS
from voltrace.parse.engine import ReadOptions, read

LINE = re.compile(r"(\w{3} [ \d]\d \d\d:\d\d:\d\d\.\d{6}) (\S+) ([^\s\[\]:]+)\[(\d+)\]: (.*)", re.DOTALL)
CASES = ["created", "driver-failure", "over-quota", "volume-killed", "no-valid-backend", "sources"]
JOURNAL = [name for name, fmt in FORMATS.items() if fmt.layout == "devstack"]
BOUNDS = ("at", "at_bounds", "duration_s", "duration_bounds_s", "wait_s", "wait_bounds_s")


def render(case: str, name: str, folder: Path) -> None:
    """The service logs of a sample in that format."""
    fmt, packing = (PACKINGS[name].entries, PACKINGS[name]) if name in PACKINGS else (FORMATS[name], None)
    for path in sorted((SAMPLES / case).glob("c-*.log")):
        out = []
        for line in path.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]:
            stamp, host, unit, pid, message = LINE.fullmatch(line).groups()
            at = datetime.strptime(f"2026 {stamp}", "%Y %b %d %H:%M:%S.%f").replace(tzinfo=UTC)
            text = fmt.write(round(at.timestamp() * 1e6), host, unit, int(pid)) + message
            out.append(packing.pack(text) if packing else (text + "\n").encode("utf-8", "surrogateescape"))
        (folder / path.name).write_bytes(b"".join(out))


@cache
def _original(case):
    return told(SAMPLES / case)


def told(folder: Path) -> list[dict]:
    reading = read([str(folder)], ReadOptions(year=2026))
    verdicts = judge_all(reading)
    return [encode_timeline(t, verdicts[t.request_id], events=True) for t in reading.timelines]


def in_order(timelines: list[dict], names) -> list[dict]:
    """By request, their events by service: which of two services wrote first, coarse stamps do not tell where one does not wait for the other."""
    found = sorted(without(timelines, {"where", "message", *names}), key=lambda t: t["request_id"])
    return [t | {"events": by_service(t)} for t in found]


def by_service(timeline: dict) -> list[dict]:
    return sorted(timeline["events"], key=lambda e: e["service"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [*(n for n in JOURNAL if FORMATS[n].resolution_us == 1), "json", "export"])
def test_format__with_microseconds__tells_all_the_same(case, name, tmp_path):
    render(case, name, tmp_path)
    assert without(told(tmp_path), {"where", "message"}) == without(_original(case), {"where", "message"})


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [n for n in JOURNAL if FORMATS[n].resolution_us > 1])
def test_format__with_seconds__tells_the_same_and_bounds_that_hold_the_truth(case, name, tmp_path):
    render(case, name, tmp_path)
    found, true = told(tmp_path), _original(case)
    assert in_order(found, {*TIMES, *BOUNDS}) == in_order(true, {*TIMES, *BOUNDS})
    by_id = {t["request_id"]: t for t in found}
    for timeline in true:
        for coarse, fine in zip(by_service(by_id[timeline["request_id"]]), by_service(timeline)):
            low, high = coarse["at_bounds"]
            assert low <= fine["at"] <= high


@pytest.mark.parametrize("case", CASES)
def test_format__cat__tells_the_same_without_times(case, tmp_path):
    """What silence or times would prove stays open: a request without end is unknown then."""
    render(case, "cat", tmp_path)
    proven = [t for t in _original(case) if t["outcome"] not in ("stuck", "lost")]
    kept = {t["request_id"] for t in proven}
    names = {*TIMES, *BOUNDS, "diagnostics", "deviations"}
    found = [t for t in told(tmp_path) if t["request_id"] in kept]
    assert in_order(found, names) == in_order(proven, names)
    assert all(t["start"] is t["end"] is t["duration_s"] is None for t in found)


def spans(timeline: dict):
    """Every duration and wait of a timeline with its bounds and its stamps."""
    for flow in timeline["flows"]:
        for part in (flow, *flow["tasks"]):
            yield part["duration_s"], part["duration_bounds_s"], part["start"], part["end"]
    for handoff in timeline["handoffs"]:
        yield handoff["wait_s"], handoff["wait_bounds_s"], handoff["sent"], handoff["received"]


def test_seconds__estimates__lie_in_their_bounds_and_nearer_to_the_truth_than_the_stamps(tmp_path):
    guessed = plain = 0.0
    for case in CASES:
        (folder := tmp_path / case).mkdir()
        render(case, "short", folder)
        by_id = {t["request_id"]: t for t in told(folder)}
        for timeline in _original(case):
            for (guess, bounds, start, end), (true, *_) in zip(spans(by_id[timeline["request_id"]]), spans(timeline), strict=True):
                if true is None or guess is None:
                    continue
                assert bounds[0] <= guess <= bounds[1] and bounds[0] <= true <= bounds[1]
                guessed += abs(guess - true)
                plain += abs((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() - true)
    assert guessed < 0.9 * plain


HEAD = re.compile(rb"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+ ")
PREFIX = re.compile(rb"\w{3} [ \d]\d \d\d:\d\d:\d\d\.\d{6} \S+ [^\s\[\]:]+(\[\d+\]): ")


def join_lines(lines: list[bytes]) -> list[bytes]:
    """What goes on with a record of the same process, in its line, as syslog does it."""
    out: list[bytes] = []
    for line in lines:
        found, before = PREFIX.match(line), PREFIX.match(out[-1]) if out else None
        text = line[found.end() :] if found else line
        goes_on = not HEAD.match(text) and not text.startswith((b"[pid", b"{address"))
        if goes_on and before and (found is None or found[1] == before[1]) and HEAD.match(out[-1], before.end()):
            out[-1] += b"#012" + text
        else:
            out.append(line)
    return out


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("case", [*CASES, "created-oslo"])
def test_lines_joined_by_syslog__tell_the_same(case, kernel, tmp_path, monkeypatch):
    if not kernel:
        monkeypatch.setattr("voltrace.kernel.load", lambda name: None)
    joined = 0
    for path in sorted((SAMPLES / case).glob("c-*.log")):
        lines = path.read_bytes().split(b"\n")
        found = join_lines(lines)
        joined += len(lines) - len(found)
        (tmp_path / path.name).write_bytes(b"\n".join(found))
    assert joined or case == "created-oslo"
    assert without(told(tmp_path), {"where", "message"}) == without(_original(case), {"where", "message"})
