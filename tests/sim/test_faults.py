"""Faults: what each announces is what the checker finds in the logs, and nothing else."""

import json
from functools import cache

import pytest

from voltrace.check.judge import judge_all
from voltrace.encode import encode_timeline
from voltrace.parse.engine import read
from voltrace.sim.edits import EDITS
from voltrace.sim.falsehoods import FALSEHOODS
from voltrace.sim.faults import FAULTS, LAWFUL
from voltrace.sim.scenario_file import load_scenario
from voltrace.verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, OUTCOMES

from .clouds import simulated

FORMS = [("2026.2", "short-precise"), ("2026.2", "oslo"), ("queens", "short-precise"), ("queens", "oslo")]
_TIMES = {"start", "end", "sent", "received", "duration_s", "duration_bounds_s", "wait_s", "wait_bounds_s"}
# What the log says and nobody did is not in the truth.
_NOT_TRUE = {"task-unexpected": "flows", "flow-unexpected": "flows", "task-after-failure": "flows", "attempts-exceeded": "failures"}
# Diagnostics about a file, not about one request.
_OF_FILES = {"invalid-bytes", "overlong-line", "service-restarted", "truncated-file"}
_OF_RUNS = {"year-assumed"}


def announced(truth, what):
    """The slugs that a request's faults announce, sorted."""
    return sorted({slug for fault in truth["faults"] for slug in fault["expect"][what]})


def without(value, names):
    if isinstance(value, dict):
        return {k: without(v, names) for k, v in value.items() if k not in names}
    return [without(v, names) for v in value] if isinstance(value, list) else value


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
            blind = {*(_TIMES if form == "oslo" else ()), *(_NOT_TRUE.get(kind, "faults") for kind in kinds), "where", "deviations", "diagnostics", "faults"}
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


@cache
def _light(name):
    """The scenario without its lines of 9 MB."""
    from dataclasses import replace

    scenario = load_scenario(name)
    return replace(scenario, requests=tuple(ask for ask in scenario.requests if ask.fault != "line-overlong"))


def test_unlawful__info_level__written_without_what_debug_lines_show(tmp_path):
    folder = simulated(tmp_path / "s", _light("faulty"), "2026.2", 60, debug=False)
    reading = read([str(path) for path in sorted(folder.glob("c-*.log"))])
    found = {d.slug for v in judge_all(reading).values() for d in v.deviations}
    assert found <= {"volume-changed", "attempts-exceeded", "level-contradiction"}


def test_table__every_deviation__is_led_to_by_a_fault():
    assert {slug for fault in FAULTS.values() for slug in fault.deviations} == set(DEVIATIONS) - {"too-slow"}


def test_table__every_row__speaks_of_things_that_there_are():
    assert {fault.edit for fault in FALSEHOODS.values() if fault.edit} == set(EDITS)
    assert not any(fault.edit for fault in LAWFUL.values())
    for kind, fault in FAULTS.items():
        assert fault.kind == kind and fault.text and fault.outcome in OUTCOMES
        assert fault.cause is None or fault.cause in CAUSES
        assert set(fault.deviations) <= set(DEVIATIONS) and set(fault.diagnostics) <= set(DIAGNOSTICS)
