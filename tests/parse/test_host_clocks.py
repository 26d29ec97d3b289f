"""Clocks of hosts in captured lines: no claim where they are right, the true offset inside the bounds where one was shifted, and the same whoever reads."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from given import API, SCHEDULER, VOLUME, lines, read_lines

from voltrace.check.judge import judge_all
from voltrace.encode import encode_timeline
from voltrace.parse.crew import Processes
from voltrace.parse.engine import read, read_together
from voltrace.parse.pieces import ReadOptions

REAL = Path(__file__).parents[3] / "shared" / "logs"
HOSTS = {API: b"front", SCHEDULER: b"controller", VOLUME: b"storage"}
_PREFIX = re.compile(rb"^(\w{3} +\d+ \d\d:\d\d:\d\d\.\d{6}) \S+ ")


def spread(logs, name=None, by_us=0):
    """The logs as of a host a service, the clock of one of them ahead by so much."""
    return {own: [_moved(line, HOSTS[own], by_us if own == name else 0) for line in logs[own]] for own in HOSTS}


def _moved(line, host, by_us):
    def prefix(found):
        stamp = datetime.strptime("2026 " + found[1].decode(), "%Y %b %d %H:%M:%S.%f") + timedelta(microseconds=by_us)
        return f"{stamp:%b %d %H:%M:%S.%f} ".encode() + host + b" "

    return _PREFIX.sub(prefix, line)


def write(folder, logs):
    for name, own in logs.items():
        (folder / name).write_bytes(b"\n".join(own) + b"\n")
    return [str(folder)]


def offsets(reading):
    return [d for d in reading.diagnostics if d.slug == "clock-offset" and d.request_id is None]


@pytest.mark.parametrize("case", ["created", "driver-failure", "no-valid-backend", "over-quota", "sequential", "sources", "volume-killed"])
def test_real_lines__of_three_hosts_with_true_clocks__no_claim(case):
    reading, _ = read_lines(spread(lines(case)))
    assert not offsets(reading) and not any(t.clocks for t in reading.timelines)


@pytest.mark.skipif(not REAL.is_dir(), reason="the captured logs are not beside the project")
@pytest.mark.parametrize("folder", sorted(p.parent for p in REAL.glob("*/*/c-sch.log")), ids=lambda p: f"{p.parent.name}-{p.name}")
def test_real_logs__of_three_hosts_with_true_clocks__no_claim(folder):
    logs = {name: (folder / name).read_bytes().splitlines() if (folder / name).exists() else [] for name in HOSTS}
    reading, _ = read_lines(spread(logs))
    assert not offsets(reading) and not any(t.clocks for t in reading.timelines)


@pytest.mark.parametrize("name", [SCHEDULER, VOLUME])
@pytest.mark.parametrize("by_us", [-500_000, -80_000, 300_000, 3_600_000_000])
def test_real_lines__a_clock_shifted__is_found_between_its_bounds(name, by_us):
    reading, _ = read_lines(spread(lines("driver-failure"), name, by_us))
    clocks = [c for t in reading.creates() for c in t.clocks]
    assert clocks
    for clock in clocks:
        shift = {HOSTS[name].decode(): by_us}
        true = shift.get(clock.host, 0) - shift.get(clock.against, 0)
        low, high = clock.bounds_us
        assert (low is None or low <= true) and (high is None or true <= high)
    for timeline in reading.creates():
        assert all(h.corrected.received >= h.corrected.sent - 3 for h in timeline.handoffs if h.corrected and h.corrected.received is not None)


def _told(reading):
    verdicts = judge_all(reading)
    return [encode_timeline(t, verdicts[t.request_id], True) for t in reading.timelines], reading.diagnostics


def test_clocks__whoever_reads__are_the_same(tmp_path, monkeypatch):
    paths, options = write(tmp_path, spread(lines("driver-failure"), VOLUME, -300_000)), ReadOptions(2026)
    told = _told(read(paths, options))
    assert any("clocks" in t for t in told[0])
    assert _told(read(paths, options, None, Processes(2, 20_000))) == told
    assert offsets(read_together(paths, options)) == offsets(read(paths, options))
    monkeypatch.setenv("VOLTRACE_PURE", "1")
    assert _told(read(paths, options)) == told


@pytest.mark.parametrize("case", ["driver-failure", "sequential", "sources"])
def test_together__a_clock_shifted__tells_what_all_requests_tell(tmp_path, case):
    for by_us in (-400_000, 700_000):
        paths = write(tmp_path, spread(lines(case), VOLUME, by_us))
        assert offsets(read_together(paths, ReadOptions(2026))) == offsets(read(paths, ReadOptions(2026)))
