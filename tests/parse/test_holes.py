"""Holes in logs: told where a service that writes all the time had nothing to say, and what may lie in them is unknown."""

from datetime import UTC, datetime, timedelta

import pytest
from here import Here

from voltrace.check.judge import judge_all, judge_together
from voltrace.parse.engine import read, read_together
from voltrace.parse.pieces import ReadOptions
from voltrace.sim.run import make_plan, simulate_into

OPTIONS = ReadOptions(2026)
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
UNITS = {"c-vol": "VolumeManager", "c-sch": "SchedulerManager", "c-api": "API"}


def stamp(minute):
    at = START + timedelta(minutes=minute)
    return f"{at:%b} {at.day:2} {at:%H:%M:%S.%f}"


def line(minute, unit="c-vol", pid=7, level="DEBUG", host="controller", message=None):
    """What a service says of itself at this minute."""
    tail = f" {{{{(pid={pid}) run_periodic_tasks /x.py:210}}}}" if level == "DEBUG" else ""
    text = message or f"Running periodic task {UNITS[unit]}.tick"
    logger = "oslo_service.periodic_task" if message is None else "cinder.volume.manager"
    return f"{stamp(minute)} {host} devstack@{unit}.service[{pid}]: {level} {logger} [None req-{pid:08d}-0000-4000-8000-000000000000 None None] {text}{tail}\n"


def log(*minutes, **how):
    return [line(minute, **how) for part in minutes for minute in part]


def gaps(folder, by=None, **files):
    """The messages and places of the holes told of these files."""
    folder.mkdir(exist_ok=True)
    for name, lines in files.items():
        (folder / f"{name.replace('_', '-')}.log").write_text("".join(lines))
    reading = read([str(folder)], OPTIONS, crew=by)
    told = [(d.message, d.where.line) for d in reading.diagnostics if d.slug == "log-gap"]
    assert len(told) == sum(len(c.holes) for c in reading.coverage.values())
    return told


BEFORE, BEHIND = range(60), range(280, 340)


def test_hole__in_a_log_of_one_line_a_minute__is_told_with_its_ends_and_the_line_behind(tmp_path):
    message = "the volume service's log of controller has nothing from 2026-01-05T09:59:00.000000Z to 2026-01-05T13:40:00.000000Z (3.7 h): records may be lost, or the service was down"
    assert gaps(tmp_path / "a", c_vol=log(BEFORE, BEHIND)) == [(message, 61)]
    assert gaps(tmp_path / "b", Here(700), c_vol=log(BEFORE, BEHIND)) == [(message, 61)]


def test_holes__several__each_is_told(tmp_path):
    assert [where for _, where in gaps(tmp_path, c_vol=log(BEFORE, BEHIND, range(400, 460)))] == [61, 121]


@pytest.mark.parametrize(
    ("case", "lines"),
    [
        ("short", log(range(60), range(66, 120))),
        ("often silent", log(*(range(n, n + 6) for n in range(0, 600, 40)))),
        ("one line in ten minutes", log(range(0, 600, 10), range(900, 1500, 10))),
        ("INFO", log(BEFORE, BEHIND, level="INFO", message="Public endpoint was asked for")),
        ("another process", log(BEFORE) + log(BEHIND, pid=8)),
        ("another process that wrote on", sorted(log(BEFORE, BEHIND) + log(range(60, 280), pid=8))),
    ],
)
def test_silence__that_is_none_of_a_service_that_writes_all_the_time__is_not_told(tmp_path, case, lines):
    assert not gaps(tmp_path, c_vol=lines)


def test_silence__of_the_scheduler__is_a_hole_only_where_a_volume_service_wrote(tmp_path):
    own = log(BEFORE, BEHIND, unit="c-sch")
    assert not gaps(tmp_path / "alone", c_sch=own)
    assert len(gaps(tmp_path / "heard", c_sch=own, c_vol=log(range(340)))) == 1
    assert [m.split("'")[0] for m, _ in gaps(tmp_path / "both", c_sch=own, c_vol=log(BEFORE, BEHIND))] == ["the volume service"]


def test_silence__of_an_api_that_nobody_asks__is_no_hole(tmp_path):
    assert not gaps(tmp_path, c_api=log(BEFORE, BEHIND, unit="c-api"), c_vol=log(range(340)))


def test_start__or_boot_at_the_end_of_a_silence__explains_it(tmp_path):
    start = line(279.99, level="INFO", message="Starting cinder-volume node (version 29.0.0)").replace("cinder.volume.manager", "cinder.service")
    assert not gaps(tmp_path / "started", c_vol=[*log(BEFORE), start, *log(BEHIND)])
    assert not gaps(tmp_path / "booted", c_vol=[*log(BEFORE), "-- Reboot --\n", *log(BEHIND)])


def test_hole__filled_by_another_source_or_file__is_none(tmp_path):
    assert not gaps(tmp_path / "whole", c_vol=log(BEFORE, BEHIND), merged=log(range(340)))
    assert not gaps(tmp_path / "rest", c_vol=log(BEFORE, BEHIND), rest=log(range(55, 290)))


def test_hole__between_two_files_of_one_process__is_told_at_the_later(tmp_path):
    ((message, where),) = gaps(tmp_path, c_vol_a=log(BEFORE), c_vol_b=log(BEHIND))
    assert where == 1 and "3.7 h" in message


def hung(folder, seed=1):
    """Logs of a volume service of which a driver hangs, and the instant of the hang."""
    import json
    from dataclasses import replace

    from voltrace.sim.scenario_file import read_scenario

    backend = {"name": "lvmdriver-1", "total_gb": 2048}
    table = {"cloud": {"default_type": "a", "backends": [backend], "types": [{"name": "a"}], "projects": [{"name": "p", "user": "p"}]}}
    scenario = read_scenario(table | {"requests": [{"weight": 1, "fault": "driver-hangs"}]}, "test")
    plan = replace(make_plan(requests=30, seed=seed, arrivals="every:400"), scenario=scenario)
    simulate_into(plan, folder)
    (folder / "merged.log").unlink()
    return {t["request_id"]: t["end"] for t in map(json.loads, (folder / "truth.jsonl").read_text().splitlines())}


def cut(path, begin, end):
    """Take the records of a stretch (minutes) out of a file."""
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(text for text in lines if not stamp(begin) <= text[:22] < stamp(end)))


def test_hole__behind_a_hang__leaves_it_unknown_and_others_stuck(tmp_path):
    ends = hung(tmp_path / "s")
    cut(tmp_path / "s" / "c-vol.log", 60, 120)
    reading = read([str(tmp_path / "s")], OPTIONS)
    verdicts = judge_all(reading)
    assert {v.request_id: v.outcome for v in judge_together(read_together([str(tmp_path / "s")], OPTIONS))} == {i: verdicts[i].outcome for i in ends}
    hole = [f"{START + timedelta(minutes=minute):%Y-%m-%dT%H:%M}" for minute in (50, 60, 120)]
    seen = set()
    for request_id, end in ends.items():
        expected = ("unknown", "records-lost") if hole[0] <= end < hole[2] else ("stuck", None)
        found = verdicts[request_id]
        assert (found.outcome.outcome, found.outcome.cause) == expected, (end, found)
        assert {d.slug for d in found.deviations} == ({"flow-without-end"} if expected[0] == "stuck" else set())
        seen.add((expected[0], end < hole[1]))
    assert seen == {("unknown", True), ("unknown", False), ("stuck", True), ("stuck", False)}


def test_hole__in_the_midst_of_a_flow__makes_nothing_missing(tmp_path):
    """Two hours of which nothing is there, in the middle of a request, in the volume service's log: without them transitions are missing."""
    folder = tmp_path / "s"
    simulate_into(make_plan(requests=60, arrivals="poisson:0.02", seed=2), folder)
    (folder / "merged.log").unlink()
    timelines = read([str(folder)], OPTIONS).creates()
    request = next(t for t in timelines if t.attempts == 1 and t.start > (START.timestamp() + 1800) * 1e6 and t.flows[-1].state == "SUCCESS")
    at = next(e.at for e in request.events if e.kind.task == "CreateVolumeFromSpecTask" and e.kind.new == "RUNNING") / 6e7 - START.timestamp() / 60
    path = folder / "c-vol.log"
    lines = path.read_text().splitlines(keepends=True)
    lost = next(n for n, text in enumerate(lines) if request.request_id in text and "CreateVolumeFromSpecTask" in text and "into state 'SUCCESS'" in text)
    del lines[lost]
    path.write_text("".join(lines))
    assert [d.slug for d in judge_all(read([str(folder)], OPTIONS))[request.request_id].deviations] == ["missing-transition"]
    for path in folder.glob("c-*.log"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(text.replace(" 09:", " 12:", 1) if text[:22] > stamp(at) else text for text in lines))
    reading = read([str(folder)], OPTIONS)
    verdict = judge_all(reading)[request.request_id]
    assert [d.slug for d in reading.diagnostics if d.slug == "log-gap"] == ["log-gap"]
    assert (verdict.outcome.outcome, verdict.deviations) == ("created", ())
