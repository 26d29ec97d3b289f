"""Contention: who finds the processors or the database busy waits, latency rises with load as queueing says, and truth stays truth."""

import json
from dataclasses import replace
from datetime import datetime

import pytest
from compared import without

from voltrace.check.judge import judge_all
from voltrace.encode import encode_timeline
from voltrace.parse.engine import read
from voltrace.sim import machines
from voltrace.sim.scenario_file import load_scenario
from voltrace.sim.station import Station

from .clouds import FAKE, cloud, run

_NOT_SHARED = {"where", "diagnostics", "deviations"}

QUIET = {"background_s": 0, "requests": load_scenario("busy").requests[:1]}


class Watched(Station):
    """A station that adds up how long its servers work (µs)."""

    seen: list["Watched"] = []

    __slots__ = ("busy", "work", "since", "most")

    def __init__(self, env, servers):
        super().__init__(env, servers)
        self.busy = self.work = self.since = self.most = 0
        Watched.seen.append(self)

    def _count(self, change):
        self.work += self.busy * (self.env.now - self.since)
        self.busy, self.since = self.busy + change, self.env.now
        self.most = max(self.most, self.busy)

    def take(self):
        server = super().take()
        if server is not None:
            self._count(1)
        return server

    def give(self, server):
        if not self.queue:  # else it goes from hand to hand
            self._count(-1)
        super().give(server)


@pytest.fixture
def watched(monkeypatch):
    """Runs the busy node without its background: latencies (s), requests a second, and each station's work (s) and most servers at work."""

    def work(arrivals, count=400, **more):
        Watched.seen = []
        monkeypatch.setattr(machines, "Station", Watched)
        _, truth = run(replace(load_scenario("busy"), **{**QUIET, **more}), requests=count, arrivals=arrivals, seed=5)
        starts, ends = ([datetime.fromisoformat(t[key]).timestamp() for t in truth] for key in ("start", "end"))
        latencies = [end - start for start, end in zip(starts, ends)]
        return latencies, len(truth) / (max(ends) - min(starts)), [(s.work / 1e6, s.most) for s in Watched.seen]

    return work


def _mean(values):
    return sum(values) / len(values)


def test_latency__more_arrivals__rises_and_bends_upwards(watched):
    means = [_mean(watched(f"poisson:{rate}")[0]) for rate in (0.5, 3, 5, 6.5, 9)]
    assert means == sorted(means) and means[0] < 0.5
    assert means[2] - means[1] > means[1] - means[0] and means[4] > 10 * means[0]


def test_stations__any_load__utilisation_is_rate_times_demand_and_the_bottleneck_caps_the_rate(watched):
    _, _, alone = watched("every:5", count=50)
    demands = [work / 50 for work, _ in alone]
    assert 0.25 < demands[0] < 0.4 and 0.08 < demands[1] < 0.16  # a processor's and the database's seconds a request
    for rate in (2, 5):
        _, throughput, stations = watched(f"poisson:{rate}")
        for (work, most), demand in zip(stations, demands):
            utilisation, expected = work / (2 * 400 / throughput), throughput * demand / 2
            assert utilisation == pytest.approx(expected, rel=0.05) and most <= 2
    _, throughput, stations = watched("poisson:50")
    assert throughput == pytest.approx(2 / demands[0], rel=0.06)
    assert stations[0][0] / (400 / throughput) / 2 > 0.93  # the processors hardly ever rest


def test_busy__the_whole_mix__bears_what_its_page_says(watched):
    requests = load_scenario("busy").requests
    assert watched("poisson:20", requests=requests)[1] == pytest.approx(3.4, rel=0.1)
    assert watched("poisson:20")[1] == pytest.approx(6.8, rel=0.1)


def test_database__a_single_connection__becomes_the_bottleneck(watched):
    _, _, alone = watched("every:5", count=50, cpus=0, database_connections=1)
    demand = alone[0][0] / 50
    assert watched("burst", cpus=0, database_connections=1, api_workers=20)[1] == pytest.approx(1 / demand, rel=0.05)


def test_closed__clients__reach_what_the_asymptotic_bounds_allow(watched):
    alone, _, stations = watched("closed:1", count=50, think_s=0.0)
    demand = stations[0][0] / 50
    for clients, think in ((1, 0.0), (4, 1.0), (20, 1.0)):
        throughput = watched(f"closed:{clients}", think_s=think)[1]
        bound = min(clients / (_mean(alone) + think), 2 / demand)
        assert 0.75 * bound < throughput < 1.05 * bound


@pytest.mark.parametrize("limits", [{"cpus": 1}, {"database_connections": 1}, {"cpus": 1, "database_connections": 1}])
def test_limits__nobody_to_wait_for__change_nothing(limits):
    asks = ({}, {"fault": "driver-fails-once"}, {"fault": "driver-fails"}, {"sizes": [0], "fault": "size-zero"})
    for ask in asks:
        assert run(cloud(ask, **limits), seed=3) == run(cloud(ask), seed=3)


def test_threads__of_one_worker__serve_so_many_requests_at_once():
    for threads, workers in ((1, 1), (3, 1), (1, 3), (2, 2)):
        lines, _ = run(cloud(api_workers=workers, api_threads=threads), requests=40, arrivals="burst")
        inside, most = set(), 0
        for line in lines["api"]:
            request = line.split("[None ")[-1][:40] if "request-id" not in line else ""
            if "POST http" in line:
                inside.add(request)
            elif "returned with HTTP" in line:
                inside.discard(request)
            most = max(most, len(inside))
        assert most == threads * workers and len({line.split("[")[1].split("]")[0] for line in lines["api"]}) == workers


@pytest.mark.parametrize(
    ("scenario", "limits", "arrivals"),
    [
        ("busy", {}, "poisson:6"),
        ("busy", {}, "closed:12"),
        ("mixed", {"cpus": 1, "database_connections": 1, "api_threads": 2}, "poisson:3"),
        ("mixed", {"cpus": 2, "database_connections": 1}, "burst"),
        ("multi-backend", {"database_connections": 1, "api_workers": 8}, "poisson:8"),
    ],
)
def test_loop__under_contention__truth_comes_back_and_conforms(tmp_path, scenario, limits, arrivals):
    loaded = load_scenario(scenario)
    if limits.get("api_threads", 1) > 1:  # what the rules then refuse
        loaded = replace(loaded, requests=tuple(a for a in loaded.requests if not (a.trouble and a.trouble.unanswered or "worker" in a.fault)))
    lines, truth = run(replace(loaded, **limits), requests=100, arrivals=arrivals, seed=8)
    for service, name in (("api", "c-api.log"), ("scheduler", "c-sch.log"), ("volume", "c-vol.log")):
        (tmp_path / name).write_text("\n".join(lines[service]) + "\n")
    reading = read([str(tmp_path)])
    verdicts = judge_all(reading)
    traced = {t.request_id: json.loads(json.dumps(encode_timeline(t, verdicts[t.request_id]))) for t in reading.creates()}
    assert list(traced) == [t["request_id"] for t in truth] and reading.unrecognised == 0
    for told in truth:
        found = without(traced[told["request_id"]], _NOT_SHARED)
        assert {key: found[key] for key in told if key != "faults"} == without({key: value for key, value in told.items() if key != "faults"}, _NOT_SHARED)
        announced = sorted({slug for fault in told["faults"] for slug in fault["expect"]["deviations"]})
        assert [d.slug for d in verdicts[told["request_id"]].deviations] == announced
    stamps = [line[:22] for line in lines["merged"]]
    assert stamps == sorted(stamps)


def test_contention__same_seed__same_bytes():
    assert run("busy", requests=60, arrivals="closed:6", seed=2) == run("busy", requests=60, arrivals="closed:6", seed=2)


def test_waits__under_contention__stand_in_the_tasks_where_they_arise():
    def reserve(limit):
        _, truth = run(cloud(backends=[FAKE], api_workers=10, database_connections=limit), requests=10, arrivals="burst")
        return [task["duration_s"] for t in truth for task in t["flows"][0]["tasks"] if task["name"] == "QuotaReserveTask"]

    assert max(reserve(0)) < 0.1 < max(reserve(1))
