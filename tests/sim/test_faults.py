"""Faults: what each announces is what the checker finds in the logs, and nothing else."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from compared import TIMES, without

from voltrace.check.judge import judge_all
from voltrace.encode import encode_timeline
from voltrace.errors import UsageError
from voltrace.formats import SERVICE_FILES
from voltrace.parse.engine import read
from voltrace.sim.cloud import RunFault
from voltrace.sim.edits import EDITS
from voltrace.sim.falsehoods import FALSEHOODS
from voltrace.sim.faults import FAULTS, LAWFUL
from voltrace.sim.outage import OUTAGES
from voltrace.sim.run import make_plan, simulate_into
from voltrace.sim.scenario_file import load_scenario, read_scenario
from voltrace.verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, OUTCOMES

from .clouds import LVM, simulated

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()

FORMS = [("2026.2", "short-precise"), ("2026.2", "oslo"), ("queens", "short-precise"), ("queens", "oslo")]
# What the log says and nobody did is not in the truth.
_NOT_TRUE = {
    "task-unexpected": "flows",
    "flow-unexpected": "flows",
    "task-after-failure": "flows",
    "attempts-exceeded": "failures",
    "cast-duplicated": "handoffs",
}
# Diagnostics about a file, not about one request.
_OF_FILES = {"invalid-bytes", "overlong-line", "service-restarted", "truncated-file", "overlapping-sources"}
_OF_RUNS = {"year-assumed", "truncated-file"}


def announced(truth, what):
    """The slugs that a request's faults announce, sorted."""
    return sorted({slug for fault in truth["faults"] for slug in fault["expect"][what]})


def assert_found_as_announced(folder, form="short-precise", shared=True):
    """Every request shows what its faults announce; ``shared``: and every field is as the truth has it. The truths, by request id."""
    truths = {t["request_id"]: t for t in map(json.loads, (folder / "truth.jsonl").read_text().splitlines())}
    reading = read([str(path) for path in sorted(folder.glob("c-*.log*"))])
    verdicts, timelines = judge_all(reading), {t.request_id: t for t in reading.creates()}
    assert set(timelines) == set(truths) and reading.unrecognised == 0
    for request_id, truth in truths.items():
        verdict, timeline = verdicts[request_id], timelines[request_id]
        kinds = [fault["kind"] for fault in truth["faults"]]
        assert sorted(d.slug for d in verdict.deviations) == announced(truth, "deviations"), kinds
        assert sorted({d.slug for d in timeline.diagnostics}) == sorted({*announced(truth, "diagnostics")} - _OF_FILES), kinds
        assert (verdict.outcome.outcome, verdict.outcome.cause) == (truth["outcome"], truth["cause"]), kinds
        for fault in truth["faults"]:
            assert (fault["expect"]["outcome"], fault["expect"]["cause"]) == (truth["outcome"], truth["cause"]), kinds
        if shared:
            blind = {*(TIMES if form == "oslo" else ()), *(_NOT_TRUE.get(kind, "faults") for kind in kinds), "where", "deviations", "diagnostics", "faults"}
            assert without(encode_timeline(timeline, verdict), blind) == without(truth, blind), kinds
    told = {slug for truth in truths.values() for slug in announced(truth, "diagnostics")}
    assert {d.slug for d in reading.diagnostics} - _OF_RUNS == told
    return truths


@pytest.mark.parametrize(("release", "form"), FORMS)
def test_unlawful__every_fault__is_found_as_announced_and_nothing_else(tmp_path, release, form):
    folder = simulated(tmp_path / "s", "faulty", release, 120, format=form, seed=5)
    truths = assert_found_as_announced(folder, form)
    assert {fault["kind"] for truth in truths.values() for fault in truth["faults"]} == set(FALSEHOODS)


@pytest.mark.parametrize("options", [{"colour": True}, {"arrivals": "burst", "seed": 2}, {"format": "short", "release": "yoga"}])
def test_unlawful__in_other_runs__found_too(tmp_path, options):
    folder = simulated(tmp_path / "s", _light("faulty"), options.pop("release", "train"), 60, **options)
    assert_found_as_announced(folder, shared=options.get("format") != "short")


def test_unlawful__where_processors_are_few__found_too(tmp_path):
    few = replace(_light("faulty"), cpus=2, database_connections=2)
    assert_found_as_announced(simulated(tmp_path / "s", few, "2026.2", 60, arrivals="poisson:5"))


@cache
def _light(name):
    """The scenario without its lines of 9 MB."""
    scenario = load_scenario(name)
    return replace(scenario, requests=tuple(ask for ask in scenario.requests if ask.fault != "line-overlong"))


@pytest.mark.parametrize(("release", "form"), [("2026.2", "short-precise"), ("queens", "oslo"), ("2023.1", "short-precise")])
def test_outages__services_and_broker__are_by_the_book(tmp_path, release, form):
    truths = assert_found_as_announced(simulated(tmp_path / "s", "outages", release, 150, format=form, seed=4), form).values()
    met = {(fault["kind"], truth["outcome"], truth["cause"]) for truth in truths for fault in truth["faults"]}
    assert met >= {
        ("scheduler-down", "created", None),
        ("broker-outage", "failed", "message-not-sent"),
        ("volume-down", "created", None),
        ("volume-down", "failed", "no-valid-backend"),
        ("driver-slow", "created", None),
        ("message-late", "created", None),
        ("api-worker-killed", "unknown", "response-not-logged"),
        ("api-worker-killed-late", "created", None),
    }
    waits = {kind: [] for kind, _, _ in met}
    for truth in truths:
        for fault in truth["faults"]:
            waits[fault["kind"]] += [h["wait_s"] for h in truth["handoffs"] if h["wait_s"]]
    assert max(waits["scheduler-down"]) > 4 and max(waits["message-late"]) > 20 and max(waits["volume-down"]) > 70
    assert {t["http"]["status"] for t in truths if any("killed" in fault["kind"] for fault in t["faults"])} == {None}


@pytest.mark.parametrize("release", ["2026.2", "train"])
def test_volume_killed_for_good__nothing_proves_more_than_that_the_log_ends(tmp_path, release):
    truths = assert_found_as_announced(simulated(tmp_path / "s", "volume-dies", release, 150, seed=4)).values()
    killed = [t for t in truths for f in t["faults"] if f["kind"] == "volume-killed-for-good"]
    assert {(t["outcome"], t["cause"]) for t in killed} == {("unknown", "log-ends"), ("failed", "no-valid-backend")}
    assert {t["outcome"] for t in truths if not t["faults"]} == {"created"}
    unheard = [h for t in killed for h in t["handoffs"] if h["received"] is None]
    assert unheard and {h["to"] for h in unheard} == {"volume"}


@pytest.mark.parametrize(("release", "form"), FORMS)
def test_mishaps__of_the_logs__are_told_of_the_requests_that_they_touch(tmp_path, release, form):
    folder = simulated(tmp_path / "s", "mishaps", release, 200, format=form, seed=2, arrivals="poisson:9")
    truths = assert_found_as_announced(folder, form).values()
    assert {f["kind"] for t in truths for f in t["faults"]} == {"file-rotated", "clock-stepped"}
    assert sorted(path.name for path in folder.glob("c-*")) == ["c-api.log", "c-sch.log", "c-vol.log", "c-vol.log.1"]
    whole = read([str(folder)])
    assert [d.slug for d in whole.diagnostics if d.slug == "truncated-file"] == ["truncated-file"]
    assert {v.outcome.outcome for v in judge_all(whole).values() if v.request_id in {t["request_id"] for t in truths}} == {"created"}


@pytest.mark.parametrize(("release", "form"), [("2026.2", "short-precise"), ("queens", "oslo"), ("yoga", "json"), ("2025.1", "export"), ("2023.1", "short")])
@pytest.mark.parametrize("service", ["api", "scheduler", "volume"])
def test_file_exported_twice__each_record__counts_once(tmp_path, release, form, service):
    mishap = RunFault("file-exported-twice", at_s=20.0, for_s=12.0, service=service)
    folder = simulated(tmp_path / "s", replace(_lawful(), faults=(mishap,)), release, 60, format=form, seed=3)
    truths = assert_found_as_announced(folder, form, shared=form != "short").values()
    met = [t for t in truths for fault in t["faults"] if fault["kind"] == "file-exported-twice"]
    assert 3 < len(met) < 40
    assert len(list(folder.glob("c-*.log.1"))) == 1


@pytest.mark.parametrize(("release", "form"), [("2026.2", "short-precise"), ("queens", "oslo"), ("2026.1", "json"), ("2023.1", "short")])
@pytest.mark.parametrize("service", ["api", "scheduler", "volume"])
def test_file_cut__in_the_middle__proves_less_and_nothing_else(tmp_path, release, form, service):
    cut = RunFault("file-cut", at_s=20.0, service=service)
    folder = simulated(tmp_path / "s", replace(_lawful(), faults=(cut,)), release, 60, format=form, seed=3)
    truths = {t["request_id"]: t for t in map(json.loads, (folder / "truth.jsonl").read_text().splitlines())}
    reading = read([str(path) for path in sorted(folder.glob("c-*"))])
    verdicts = judge_all(reading)
    assert sorted(path.name for path in folder.glob("c-*")) == ["c-api.log", "c-sch.log", "c-vol.log"]
    assert [d.slug for d in reading.diagnostics if d.slug not in ("year-assumed", "torn-record")] == ["truncated-file"]
    for request_id, truth in truths.items():
        met = [fault["expect"] for fault in truth["faults"] if fault["kind"] == "file-cut"]
        if request_id not in verdicts:
            assert met and service == "api"
            continue
        found = verdicts[request_id].outcome.outcome
        assert found == truth["outcome"] or met and found == "unknown", truth
        assert not verdicts[request_id].deviations
    assert {f["expect"]["outcome"] for t in truths.values() for f in t["faults"] if f["kind"] == "file-cut"} == {None}
    whole = read([str(folder / "merged.log")])
    assert len(list(whole.creates())) == len(truths)


@pytest.mark.parametrize(("release", "form"), [("2026.2", "short-precise"), ("queens", "oslo"), ("2026.1", "json"), ("2023.1", "short")])
@pytest.mark.parametrize("service", ["api", "scheduler", "volume"])
def test_file_lost__a_hole_in_the_log__is_told_and_what_it_hides_is_unknown(tmp_path, release, form, service):
    lost = RunFault("file-lost", at_s=1500.0, for_s=3700.0, service=service)
    folder = simulated(tmp_path / "s", replace(_lawful(), faults=(lost,)), release, 60, format=form, seed=3, arrivals="poisson:0.01")
    truths = {t["request_id"]: t for t in map(json.loads, (folder / "truth.jsonl").read_text().splitlines())}
    reading = read([str(path) for path in sorted(folder.glob("c-*"))])
    verdicts = judge_all(reading)
    met = {t["request_id"] for t in truths.values() for fault in t["faults"] if fault["kind"] == "file-lost"}
    assert 10 < len(met) < 50
    told = [d for d in reading.diagnostics if d.slug == "log-gap"]
    assert len(told) == 1 and f"the {service} service's log" in told[0].message and " has nothing from 2026-01-05T09:2" in told[0].message
    first = next(d.where for d in told)
    assert first.path == str(folder / SERVICE_FILES[service]) and first.line < 20
    for request_id, truth in truths.items():
        if request_id not in verdicts:
            assert request_id in met and service == "api"
            continue
        found = verdicts[request_id].outcome
        if request_id not in met:
            assert (found.outcome, found.cause) == (truth["outcome"], truth["cause"])
        elif found.outcome != truth["outcome"]:
            assert (found.outcome, found.cause) == ("unknown", "records-lost"), truth
        assert not verdicts[request_id].deviations
    whole = read([str(folder / "merged.log"), *(str(path) for path in sorted(folder.glob("c-*")))])
    assert not [d for d in whole.diagnostics if d.slug == "log-gap"]


@pytest.mark.parametrize("seed", range(6))
def test_clock_stepped__truth__is_what_the_logs_prove(tmp_path, seed):
    busy = replace(load_scenario("mishaps"), faults=tuple(RunFault("clock-stepped", at_s=at, by_s=1800.0) for at in (5.0, 11.0)))
    folder = simulated(tmp_path / "s", busy, "2026.2", 150, seed=seed, arrivals="poisson:9")
    truths = list(assert_found_as_announced(folder).values())
    assert any(f["start"] and f["duration_s"] is None for t in truths for f in t["flows"])
    assert len({t["start"][:13] for t in truths}) >= 2


def _lawful():
    """A scenario of which every request is by the book and ends."""
    mixed = load_scenario("mixed")
    return replace(mixed, requests=tuple(a for a in mixed.requests if not (a.trouble and (a.trouble.deviations or a.trouble.outcome == "unknown"))))


def test_file_rotated__written_again_without_it__leaves_no_older_file(tmp_path):
    folder = simulated(tmp_path / "s", "mishaps")
    simulate_into(make_plan("devstack", requests=2), folder, force=True)
    assert not list(folder.glob("*.1"))


def test_unlawful__info_level__written_without_what_debug_lines_show(tmp_path):
    folder = simulated(tmp_path / "s", _light("faulty"), "2026.2", 60, debug=False)
    reading = read([str(path) for path in sorted(folder.glob("c-*.log"))])
    found = {d.slug for v in judge_all(reading).values() for d in v.deviations}
    assert found <= {"volume-changed", "attempts-exceeded", "level-contradiction"}


def test_table__every_deviation__is_led_to_by_a_fault():
    assert {slug for fault in FAULTS.values() for slug in fault.deviations} == set(DEVIATIONS) - {"too-slow"}


def _rows(after):
    """The cells of the table behind this text of the page."""
    table = PAGE.split(after, 1)[1].split("|---|---|---|---|\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()]


def _cell(slugs):
    return ", ".join(f"`{slug}`" for slug in slugs if slug) or "-"


@pytest.mark.parametrize(("after", "faults"), [("\nThese are lawful", LAWFUL), ("\nThese are unlawful", FALSEHOODS)])
def test_page__faults__are_those_of_the_table(after, faults):
    assert _rows(after) == [[f"`{f.kind}`", f.text, _cell((f.outcome, f.cause)), _cell((*f.deviations, *f.diagnostics))] for f in faults.values()]


def test_page__faults_of_the_run__are_those_of_the_table():
    assert _rows("| kind | what is done |") == [[f"`{o.kind}`", o.text, _cell(o.keys), _cell(o.diagnostics)] for o in OUTAGES.values()]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"kind": "scheduler-dwn", "at_s": 1.0}, "must be one of scheduler-down, volume-down"),
        ({"at_s": 1.0}, "a fault needs the key 'kind'"),
        ({"kind": "scheduler-down", "at_s": 1.0}, "faults[0]: scheduler-down needs the key 'for_s'"),
        ({"kind": "clock-stepped", "by_s": 5.0}, "faults[0].by_s must be 600 or more, not 5"),
        ({"kind": "file-cut", "service": "nova"}, "must be one of api, scheduler, volume"),
        ({"kind": "file-exported-twice", "service": "api"}, "faults[0]: file-exported-twice needs the key 'for_s'"),
        ({"kind": "file-lost", "service": "api", "at_s": 2000, "for_s": 60}, "faults[0].for_s must be 3600 or more, not 60"),
    ],
)
def test_faults_of_the_run__mistakes__are_told(table, says):
    cloud_ = {"default_type": "a", "backends": LVM, "types": [{"name": "a"}], "projects": [{"name": "p", "user": "p"}]}
    with pytest.raises(UsageError) as told:
        read_scenario({"cloud": cloud_, "requests": [{"weight": 1}], "faults": [table]}, "s")
    assert says in str(told.value)


def test_table__every_row__speaks_of_things_that_there_are():
    assert {fault.edit for fault in FAULTS.values() if fault.edit} == set(EDITS)
    assert not any(fault.deviations for fault in LAWFUL.values() if fault.edit)
    for kind, fault in FAULTS.items():
        assert fault.kind == kind and fault.text and fault.outcome in OUTCOMES
        assert fault.cause is None or fault.cause in CAUSES
        assert set(fault.deviations) <= set(DEVIATIONS) and set(fault.diagnostics) <= set(DIAGNOSTICS)
