"""Hosts: their names and clocks are in the lines, the truth is what these lines show, and no offset is taken for a deviation."""

import json
import re

import pytest
from compared import without

from voltrace.check.judge import judge_all
from voltrace.encode import encode_timeline
from voltrace.parse.engine import read, read_together
from voltrace.sim.clocks import Clock

from .clouds import cloud, run

_NOT_SHARED = {"where", "diagnostics", "deviations", "faults"}

ASKS = ({"weight": 6}, {"fault": "driver-fails-once"}, {"fault": "driver-fails"}, {"fault": "size-zero"})
BACKENDS = [{"name": "lvm-1", "host": "storage-1", "total_gb": 100}, {"name": "lvm-2", "host": "storage-2", "total_gb": 100}]


def _hosts(front=0.0, middle=0.0, one=0.0, two=0.0, drift=0.0):
    offsets = {"front": front, "controller": middle, "storage-1": one, "storage-2": two}
    return [{"name": name, "clock_offset_s": offset, "clock_drift_ppm": drift * k} for k, (name, offset) in enumerate(offsets.items())]


def _spread(hosts, *asks, **more):
    return cloud(*(asks or ASKS), backends=BACKENDS, hosts=hosts, api_host="front", background_s=60, lines_of_libraries=True, **more)


def _read_back(folder, lines):
    for service, name in (("api", "c-api.log"), ("scheduler", "c-sch.log"), ("volume", "c-vol.log")):
        (folder / name).write_text("\n".join(lines[service]) + "\n")
    reading = read([str(folder)])
    return reading, judge_all(reading)


def test_prefix__services_on_hosts__each_line_bears_its_own():
    lines, _ = run(_spread(_hosts()), requests=30)
    named = {service: {re.match(r"\S+ +\S+ \S+ (\S+) ", line)[1] for line in lines[service]} for service in ("api", "scheduler", "volume")}
    assert named == {"api": {"front"}, "scheduler": {"controller"}, "volume": {"storage-1", "storage-2"}}
    assert all(f" storage-{n} " in line for n in (1, 2) for line in lines["volume"] if f"Lock acquired storage-{n}" in line)


@pytest.mark.parametrize(
    "hosts",
    [
        _hosts(one=-0.8, two=3600.0),
        _hosts(front=0.05, one=0.01, drift=20.0),
        _hosts(front=-7200.0, middle=0.3, two=-0.02, drift=500.0),
        _hosts(front=40000.0, middle=-40000.0),
        _hosts(drift=-90_000.0 / 3),
    ],
)
def test_loop__clocks_that_differ__truth_comes_back_and_conforms(tmp_path, hosts):
    lines, truth = run(_spread(hosts), requests=40, arrivals="poisson:4", seed=6)
    reading, verdicts = _read_back(tmp_path, lines)
    traced = {t.request_id: json.loads(json.dumps(encode_timeline(t, verdicts[t.request_id]))) for t in reading.creates()}
    assert list(traced) == [t["request_id"] for t in truth] and reading.unrecognised == 0
    for told in truth:
        assert {key: value for key, value in without(traced[told["request_id"]], _NOT_SHARED).items() if key in told} == without(told, _NOT_SHARED)
        assert verdicts[told["request_id"]].verdict == "conforms"
    assert {d.slug for d in reading.diagnostics} <= {"clock-offset", "year-assumed"}


def test_check__a_receipt_before_its_cast__is_an_offset_of_these_hosts(tmp_path):
    lines, truth = run(_spread(_hosts(one=-0.8, two=3600.0)), requests=40, seed=6)
    reading, _ = _read_back(tmp_path, lines)
    told = [d for d in reading.diagnostics if d.slug == "clock-offset"]
    assert len(told) == 2 and all(d.where for d in told)
    assert "the clock of storage-1 is behind that of controller" in told[0].message
    assert "the clock of controller is behind that of storage-2" in told[1].message and " up to 3599.9" in told[1].message
    shown = {t.request_id for t in reading.creates() if any(d.slug == "clock-offset" for d in t.diagnostics)}
    assert shown == {t["request_id"] for t in truth if any(h["received"] < h["sent"] for h in t["handoffs"])} and shown
    assert all(h["wait_s"] is None for t in truth for h in t["handoffs"] if h["received"] < h["sent"])


@pytest.mark.parametrize("offset", [0.08, 0.5, 3600.0])
def test_offset__casts_both_ways__lies_between_what_they_show(tmp_path, offset):
    lines, _ = run(_spread(_hosts(one=offset, two=offset)), requests=60, seed=6)
    reading, _ = _read_back(tmp_path, lines)
    told = [d.message for d in reading.diagnostics if d.slug == "clock-offset" and d.request_id is None and "casts the other way" in d.message]
    assert told
    for message in told:
        least, most = map(float, re.findall(r"(\d+\.\d+) s", message))
        assert least <= offset <= most < least + 0.15
    together = read_together([str(tmp_path)])
    assert {d.message for d in together.diagnostics if d.slug == "clock-offset" and d.request_id is None} >= set(told)


def test_check__clocks_that_differ__what_is_stuck_or_lost_still_is(tmp_path):
    asks = ({"weight": 20}, {"fault": "message-lost"}, {"fault": "driver-hangs"}, {"fault": "volume-killed"})
    lines, truth = run(_spread(_hosts(front=2.0, middle=-1.5, one=-0.8, two=5.0), *asks), requests=46, seed=6)
    _, verdicts = _read_back(tmp_path, lines)
    assert {t["outcome"] for t in truth} == {"created", "lost", "stuck"}
    for told in truth:
        verdict = verdicts[told["request_id"]]
        announced = sorted({slug for fault in told["faults"] for slug in fault["expect"]["deviations"]})
        assert (verdict.outcome.outcome, [d.slug for d in verdict.deviations]) == (told["outcome"], announced)


def test_check__true_clocks__no_offset(tmp_path):
    reading, _ = _read_back(tmp_path, run(_spread(_hosts()), requests=40, seed=6)[0])
    assert not reading.diagnostics


def test_merged__clocks_that_differ__lines_are_in_true_order():
    lines, _ = run(_spread(_hosts(one=-5.0), {}), requests=1)
    order = [line.split()[3] for line in lines["merged"] if "req-" in line and "'volume_create" in line]
    assert order[0] == "front" and order[-1].startswith("storage")


def test_truth__a_run_with_true_clocks_on_other_hosts__only_names_differ():
    plain, truth = run(_spread(_hosts()), requests=10, seed=1)
    skewed, told = run(_spread(_hosts(front=10.0, middle=10.0, one=10.0, two=10.0)), requests=10, seed=1)
    assert [line.split("[")[0][16:] for line in plain["api"]] == [line.split("[")[0][16:] for line in skewed["api"]]
    assert [t["request_id"] for t in truth] == [t["request_id"] for t in told] and [t["duration_s"] for t in truth] == [t["duration_s"] for t in told]


@pytest.mark.parametrize(("ahead", "ppm"), [(0, 20.0), (-800_000, 0.0), (86_400_000_000, 100_000.0), (5, -100_000.0)])
def test_clock__shown_and_true__are_each_other_s_inverse(ahead, ppm):
    clock = Clock(ahead, ppm / 1e6, 1_000_000_000)
    for at in range(1_000_000_000, 1_000_900_000, 7919):
        assert abs(clock.true(clock.show(at)) - at) <= 1
        assert clock.show(at + 10) > clock.show(at)
