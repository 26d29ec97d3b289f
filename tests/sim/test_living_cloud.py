"""The background of a living cloud: services start, see to their periodic tasks, and answer clients who ask what became of their volumes."""

import re
from itertools import pairwise

import pytest

from voltrace.check.judge import judge_all
from voltrace.cli.main import main
from voltrace.errors import UsageError
from voltrace.parse.engine import read
from voltrace.sim.release import releases

from .clouds import LVM, cloud, run

POLL = re.compile(r"\[None (req-\S+) admin admin\] GET \S+/volumes/([0-9a-f-]{36})$")


def living(*asks, **more):
    return cloud(*asks, backends=LVM, **{"background_s": 60, "warm": False, "lines_of_libraries": True, **more})


def seconds(line):
    return float(line.split(" ")[0])


@pytest.mark.parametrize("release", releases())
def test_start_up__log_begins_with_it__then_clients_come(release):
    lines, _ = run(living(start_up=True), release)
    for service, name in (("scheduler", "cinder-scheduler"), ("volume", "cinder-volume")):
        first = next(n for n, line in enumerate(lines["merged"]) if f"Starting {name} node" in line)
        assert first < next(n for n, line in enumerate(lines["merged"]) if "POST http" in line)
        assert sum("Creating RPC server for service" in line for line in lines[service]) == {"scheduler": 1, "volume": len(LVM)}[service]


@pytest.mark.parametrize(("scenario", "release"), [("gate", "queens"), ("gate", "2023.1"), ("gate", "2026.2"), ("devstack", "2026.2")])
def test_living_cloud__lawful__conforms_and_is_no_restart(tmp_path, scenario, release):
    assert main(["simulate", "-o", str(tmp_path / "s"), "--scenario", scenario, "--release", release, "--requests", "30"]) == 0
    reading = read([str(tmp_path / "s" / name) for name in ("c-api.log", "c-sch.log", "c-vol.log")])
    assert reading.diagnostics == [] and reading.unrecognised == 0
    verdicts = judge_all(reading)
    assert [verdicts[t.request_id].verdict for t in reading.creates()] == ["conforms"] * 30


def test_poll__every_second__until_the_volume_is_there():
    lines, truths = run(living(poll_s=1), requests=5, format="short-unix", arrivals="every:3")
    polls = [(seconds(line), *POLL.search(line).groups()) for line in lines["api"] if POLL.search(line)]
    assert len({request_id for _, request_id, _ in polls}) == len(polls)
    for told in truths:
        times = [at for at, _, volume in polls if volume == told["volume_id"]]
        assert times and all(1 <= b - a < 1.5 for a, b in pairwise(times))
    assert not {request_id for _, request_id, _ in polls} & {t["request_id"] for t in truths}


def test_poll__worker__is_at_one_request_at_a_time():
    lines, _ = run(living(poll_s=0.1, api_workers=1), requests=40, arrivals="burst", format="short-unix")
    open_requests = set()
    for line in lines["api"]:
        request = re.search(r"req-[0-9a-f-]{36}", line)
        if "RequestId filter" in line:
            open_requests.add(request[0])
        assert len(open_requests) <= 1
        if "returned with HTTP" in line:
            open_requests.discard(request[0])


def test_poll__volume_that_hangs__the_client_gives_up():
    lines, truths = run(living({"fault": "driver-hangs"}, poll_s=10), requests=1, format="short-unix")
    times = [seconds(line) for line in lines["api"] if POLL.search(line)]
    assert truths[0]["outcome"] == "stuck" and 290 < times[-1] - times[0] < 310


@pytest.mark.parametrize("poll_s", [-1, 0.01, 10_000, float("nan")])
def test_poll__no_reasonable_time__is_refused(poll_s):
    with pytest.raises(UsageError, match="poll_s"):
        living(poll_s=poll_s)


def test_periodic_tasks__of_one_process__have_one_request_id_and_come_each_round_or_each_second_one():
    lines, _ = run(living(), requests=1, format="short-unix")
    reports = {}
    for line in lines["volume"]:
        if "Running periodic task VolumeManager.publish" in line:
            reports.setdefault(line.split("]:")[0].rpartition("[")[2], []).append((seconds(line), re.search(r"req-\S+", line)[0]))
    assert len(reports) == len(LVM)
    for told in reports.values():
        assert len({request_id for _, request_id in told}) == 1
        assert all(abs(b - a - 60) < 1 or abs(b - a - 120) < 1 for (a, _), (b, _) in pairwise(told))


def test_capacity__is_published__only_if_it_has_changed():
    lines, _ = run(living(), requests=1)
    received = sum("Received volume service update" in line for line in lines["scheduler"])
    published = [line for line in lines["scheduler"] if "Publish storage capacity" in line]
    assert len(LVM) <= len(published) <= len(LVM) + 1 < received


def test_reports__endless_pool_beside_another__is_published_only_while_it_stays_as_it_is():
    pools = [{"name": "some", "total_gb": 500}, {"name": "endless", "total_gb": "infinite"}]
    for pool in ("some", "endless"):
        types = [{"name": "t", "specs": {"pool_name": pool}}]
        lines, truths = run(cloud(backends=[{"name": "b", "pools": pools}], types=types, background_s=10), requests=3, arrivals="every:40")
        published = [line for line in lines["scheduler"] if "Publish storage capacity" in line]
        assert all(t["backend"].endswith("#" + pool) for t in truths)
        assert bool(published) == (pool == "some") and not any("endless" in line or "{}" in line for line in published)
