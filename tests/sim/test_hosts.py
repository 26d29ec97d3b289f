"""Hosts: their names and clocks are in the lines, the truth is what these lines show, and no offset is taken for a deviation."""

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from compared import without

from voltrace.check.judge import judge_all
from voltrace.encode import encode_timeline
from voltrace.parse.casts import ends
from voltrace.parse.engine import read, read_together
from voltrace.sim.clocks import Clock
from voltrace.sim.scenario_file import load_scenario

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


NAMES = ("front", "controller", "storage-1", "storage-2")
START = 1_767_603_600_000_000  # the scenario's, µs


def _assert_true(reading, hosts):
    """Every clock that is told to be off is so between the bounds told; the number of clocks told, of casts corrected, and of drifts proven."""
    clocks = {h["name"]: Clock(round(h["clock_offset_s"] * 1e6), h["clock_drift_ppm"] / 1e6, START) for h in hosts}
    told = waits = drifts = 0
    for timeline in reading.creates():
        for off in timeline.clocks:
            at = clocks[off.host].true(off.at)
            offset = off.at - clocks[off.against].show(at)
            low, high = off.bounds_us
            assert (low is None or low - 1 <= offset) and (high is None or offset <= high + 1), (off, offset)
            assert (low is not None and low > 0) or (high is not None and high < 0)
            assert (low is None or low <= off.offset_us) and (high is None or off.offset_us <= high)
            told += 1
            if off.drift_bounds_ppm is not None:
                gained = ((1 + clocks[off.host].drift) / (1 + clocks[off.against].drift) - 1) * 1e6
                assert off.drift_bounds_ppm[0] <= gained <= off.drift_bounds_ppm[1]
                assert off.drift_bounds_ppm[0] <= off.drift_ppm <= off.drift_bounds_ppm[1]
                drifts += 1
        for handoff in timeline.handoffs:
            if handoff.corrected is not None and handoff.corrected.us is not None:
                sender, receiver = _hosts_of(reading, timeline, handoff)
                took = clocks[receiver].true(handoff.received) - clocks[sender].true(handoff.sent)
                low, high = handoff.corrected.bounds_us
                assert low - 2 <= took and (high is None or took <= high + 2)
                assert handoff.corrected.received >= handoff.corrected.sent - 3  # no cast goes back in time
                waits += 1
    return told, waits, drifts


def _hosts_of(reading, timeline, handoff):
    return [reading.coverage[flow.service].processes[flow.process].host for flow in ends(timeline, handoff)]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    "hosts",
    [
        _hosts(one=0.08, two=-0.08),
        _hosts(one=0.5, two=-0.5),
        _hosts(middle=-0.3),
        _hosts(front=0.2),
        _hosts(one=3600.0, two=-0.3, drift=50.0),
        _hosts(front=-7200.0, middle=0.3, two=-0.02, drift=250.0),
        _hosts(one=-0.1, drift=-200.0),
    ],
)
def test_clocks__that_differ__true_offsets_lie_inside_the_bounds(tmp_path, seed, hosts):
    lines, _ = run(_spread(hosts), requests=80, seed=seed, arrivals="poisson:0.5")
    reading, _ = _read_back(tmp_path, lines)
    told, waits, _ = _assert_true(reading, hosts)
    assert told > 40 and waits > 40
    assert [d for d in read_together([str(tmp_path)]).diagnostics if d.request_id is None] == [d for d in reading.diagnostics if d.request_id is None]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("ppm", [20.0, -100.0, 500.0])
def test_drift__casts_both_ways_for_long__is_found_inside_its_bounds(tmp_path, seed, ppm):
    """The fastest casts there and back leave some 90 ms open, so that a drift shows once it amounts to more."""
    hosts = [{"name": name, "clock_offset_s": 0.3 * (name == "storage-1"), "clock_drift_ppm": ppm * (name == "storage-1")} for name in NAMES]
    lines, _ = run(_spread(hosts, {"weight": 2}, {"fault": "driver-fails-once"}), requests=80, seed=seed, arrivals=f"every:{int(4000 / abs(ppm)) + 12}")
    reading, _ = _read_back(tmp_path, lines)
    told, _, drifts = _assert_true(reading, hosts)
    assert told > 20 and drifts == told
    (message,) = [d.message for d in reading.diagnostics if d.slug == "clock-offset" and d.request_id is None]
    assert ("gains" if ppm < 0 else "loses") in message and "no constant offset fits" in message  # the controller is the one behind


def test_offset__in_jsonl__both_times_are_kept(tmp_path):
    hosts = _hosts(one=0.5, two=0.5)
    reading, verdicts = _read_back(tmp_path, run(_spread(hosts), requests=40, seed=6)[0])
    timeline = next(t for t in reading.creates() if len(t.handoffs) > 2)
    plain, told = (encode_timeline(timeline, verdicts[timeline.request_id], events) for events in (False, True))
    (off,) = told["clocks"]
    low, high = off["offset_bounds_s"]
    assert (off["service"], off["against"], off["drift_ppm"]) == ("volume", "controller", None) and low <= 0.5 <= high < low + 0.15
    assert [("at_corrected" in e) for e in told["events"]] == [e["service"] == "volume" for e in told["events"]]
    assert plain["clocks"] == told["clocks"] and not any("wait_corrected_s" in h for h in plain["handoffs"])
    early = [h for h in told["handoffs"] if h["wait_s"] is None]
    assert early and all(h["wait_corrected_bounds_s"][0] <= h["wait_corrected_s"] <= h["wait_corrected_bounds_s"][1] for h in early)
    assert "wait_corrected_s" not in told["handoffs"][0]  # between hosts against which nothing speaks
    right = next(t for t in reading.creates() if not t.clocks)
    told = encode_timeline(right, verdicts[right.request_id], True)
    assert "clocks" not in told and "corrected" not in str(told)


def _set(lines, by):
    """The lines of a clock that was set by so many seconds behind the first half."""
    half = len(lines) // 2
    moved = []
    for line in lines[half:]:
        stamp = datetime.strptime(f"2026 {line[:22]}", "%Y %b %d %H:%M:%S.%f") + timedelta(seconds=by)
        moved.append(f"{stamp:%b %d %H:%M:%S.%f}{line[22:]}")
    return lines[:half] + moved


def test_clocks__set_forward_meanwhile__are_told_and_nothing_is_corrected(tmp_path):
    lines, _ = run(_spread(_hosts(one=-0.5, two=-0.5)), requests=40, seed=6)
    lines["volume"] = _set(lines["volume"], 3600)
    reading, _ = _read_back(tmp_path, lines)
    told = [d.message for d in reading.diagnostics if d.slug == "clock-offset" and d.request_id is None]
    assert told and all("nothing is corrected" in message for message in told)
    assert not any(t.clocks for t in reading.creates())


def test_clocks__set_back_meanwhile__each_side_of_the_step_has_its_offset(tmp_path):
    lines, _ = run(_spread(_hosts(one=0.75, two=0.75)), requests=80, seed=6, arrivals="poisson:5")
    lines["volume"] = _set(lines["volume"], -1.5)
    reading, _ = _read_back(tmp_path, lines)
    own, together = ([d.message for d in r.diagnostics if d.slug == "clock-offset" and d.request_id is None] for r in (reading, read_together([str(tmp_path)])))
    assert own == together and len(own) == 4
    assert not any(t.clocks for t in reading.creates() if t.stepped)
    told = [c for t in reading.creates() for c in t.clocks]
    for ahead in (True, False):
        own = [c.bounds_us for c in told if (c.offset_us > 0) == ahead]
        assert len(own) > 5
        assert all((low is None or low <= true) and (high is None or true <= high) for low, high in own for true in [750_000 if ahead else -750_000])


def test_clocks__stamps_of_seconds__true_offsets_lie_inside_wide_bounds(tmp_path):
    hosts = _hosts(one=7.3, two=-5.1)
    lines, _ = run(_spread(hosts), requests=60, seed=2, format="short")
    reading, _ = _read_back(tmp_path, lines)
    assert all(c.bounds_us[0] is None or c.bounds_us[1] is None or c.bounds_us[1] - c.bounds_us[0] > 1_000_000 for t in reading.creates() for c in t.clocks)
    clocks = {c.host: c for t in reading.creates() for c in t.clocks}
    for host, true in (("storage-1", 7_300_000), ("storage-2", -5_100_000)):
        low, high = clocks[host].bounds_us
        assert (low is None or low <= true) and (high is None or true <= high)


@pytest.mark.parametrize("name", ["devstack", "mixed"])
def test_clocks__true_ones_of_several_hosts__no_claim(tmp_path, name):
    scenario = load_scenario(name)
    backends = tuple(replace(backend, host=f"storage-{n}") for n, backend in enumerate(scenario.backends))
    lines, _ = run(replace(scenario, api_host="front", backends=backends), requests=200, seed=4)
    reading, _ = _read_back(tmp_path, lines)
    assert len({p.host for c in reading.coverage.values() for p in c.processes.values()}) > 2
    assert not [d for d in reading.diagnostics if d.slug == "clock-offset"] and not any(t.clocks for t in reading.timelines)


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
