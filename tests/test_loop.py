"""The loop: what the simulator knows of its requests, the parser must find in its logs; and the checker nothing to object to."""

import json
from itertools import product

import pytest
from compared import TIMES, without

from voltrace.check.judge import judge_all
from voltrace.cli.main import main
from voltrace.encode import encode_timeline
from voltrace.parse.engine import read
from voltrace.sim.release import releases
from voltrace.verdict import CAUSES, OUTCOMES

# Fields of the truth that a timeline of complete logs shows alike. Others say where lines are, or what was done to the request.
_ONLY_THERE = {"faults"}
_ONLY_HERE = {"deviations", "diagnostics"}
_COARSE = {"short": 1_000_000, "short-iso": 1_000_000, "short-full": 1_000_000, "with-unit": 1_000_000, "oslo": 1000}


def _simulate(folder, *options):
    assert main(["simulate", "-o", str(folder), "--seed", "11", *options]) == 0
    return {t["request_id"]: t for t in map(json.loads, (folder / "truth.jsonl").read_text().splitlines())}


def _traced(folder):
    reading = read([str(folder / name) for name in ("c-api.log", "c-sch.log", "c-vol.log")])
    verdicts = judge_all(reading)
    return reading, verdicts, {t.request_id: encode_timeline(t, verdicts[t.request_id]) for t in reading.creates()}


_FORMS = ["short-precise", "short-iso-precise", "short-unix", "short", "short-iso", "short-full", "with-unit", "oslo", "json", "export"]
_BETWEEN = [r for r in releases() if r not in ("queens", "2026.2")]


@pytest.mark.parametrize(
    ("release", "form"), [*product(("queens", "2026.2"), _FORMS), *((release, _FORMS[-n % len(_FORMS)]) for n, release in enumerate(_BETWEEN, 1))]
)
def test_loop__every_shared_field__comes_back(tmp_path, release, form):
    truth = _simulate(tmp_path / "s", "--scenario", "mixed", "--requests", "60", "--release", release, "--format", form)
    _, _, traced = _traced(tmp_path / "s")
    assert list(traced) == list(truth) or form in _COARSE and sorted(traced) == sorted(truth)
    blind = {"where", *(TIMES if form in _COARSE else ())}
    for request_id, told in truth.items():
        assert without(traced[request_id], {*blind, *_ONLY_HERE}) == without(told, {*blind, *_ONLY_THERE})


@pytest.mark.parametrize("form", ["short-precise", "short"])
def test_loop__new_year__moves_the_year_on_in_every_file(tmp_path, form):
    truth = _simulate(tmp_path / "s", "--requests", "40", "--start", "2025-12-31T23:59:40Z", "--format", form)
    _, _, traced = _traced(tmp_path / "s")
    assert {t["start"][:4] for t in traced.values()} == {"2025", "2026"}
    assert {i: t["start"][:19] for i, t in traced.items()} == {i: t["start"][:19] for i, t in truth.items()}


@pytest.mark.parametrize("form", ["short", "oslo"])
def test_loop__coarse_stamps__bounds_hold_the_truth(tmp_path, form):
    truth = _simulate(tmp_path / "s", "--scenario", "mixed", "--requests", "60", "--format", form)
    _, _, traced = _traced(tmp_path / "s")
    for request_id, told in truth.items():
        for true_flow, flow in zip(told["flows"], traced[request_id]["flows"], strict=True):
            for true, read_back in zip([true_flow, *true_flow["tasks"]], [flow, *flow["tasks"]], strict=True):
                if true["duration_s"] is not None:
                    low, high = read_back["duration_bounds_s"]
                    assert low <= true["duration_s"] <= high
        for true, read_back in zip(told["handoffs"], traced[request_id]["handoffs"], strict=True):
            if true["wait_s"] is not None:
                low, high = read_back["wait_bounds_s"]
                assert low <= true["wait_s"] <= high


@pytest.mark.parametrize(
    ("release", "form"), [*product(("queens", "2026.2"), ("short-precise", "short", "oslo", "json", "export")), *product(_BETWEEN, ("oslo",))]
)
def test_loop__lawful_simulation__conforms_and_every_line_is_known(tmp_path, release, form):
    truth = _simulate(tmp_path / "s", "--scenario", "mixed", "--requests", "60", "--release", release, "--format", form)
    reading, verdicts, _ = _traced(tmp_path / "s")
    assert reading.unrecognised == 0
    for t in reading.creates():
        announced = sorted({slug for fault in truth[t.request_id]["faults"] for slug in fault["expect"]["deviations"]})
        assert [d.slug for d in verdicts[t.request_id].deviations] == announced
        unknown = truth[t.request_id]["outcome"] == "unknown"
        assert verdicts[t.request_id].verdict == ("deviates" if announced else "unknown" if unknown else "conforms")


def test_loop__folder_with_the_merged_file__counts_every_record_once(tmp_path):
    truth = _simulate(tmp_path / "s", "--scenario", "mixed", "--requests", "30")
    reading = read([str(tmp_path / "s")])
    verdicts = judge_all(reading)
    traced = {t.request_id: encode_timeline(t, verdicts[t.request_id]) for t in reading.creates()}
    for request_id, told in truth.items():
        assert without(traced[request_id], {"where", *_ONLY_HERE}) == without(told, {"where", *_ONLY_THERE})
    assert [d.slug for d in reading.diagnostics].count("overlapping-sources") == 1


def test_loop__coloured_logs__read_the_same(tmp_path):
    plain = _simulate(tmp_path / "p", "--scenario", "mixed", "--requests", "30")
    assert _simulate(tmp_path / "c", "--scenario", "mixed", "--requests", "30", "--color") == plain
    assert b"\x1b[" in (tmp_path / "c" / "c-api.log").read_bytes()
    a, b = _traced(tmp_path / "p")[2], _traced(tmp_path / "c")[2]
    assert without(a, {"where"}) == without(b, {"where"})


def test_loop__info_level__outcomes_and_causes_stay(tmp_path):
    truth = _simulate(tmp_path / "s", "--scenario", "mixed", "--requests", "200", "--level", "INFO")
    reading, verdicts, traced = _traced(tmp_path / "s")
    seen = {i: t for i, t in truth.items() if i in traced}
    assert {t["cause"] for i, t in truth.items() if i not in seen} <= {"unauthorized", "response-not-logged"}
    proven = {i: t for i, t in seen.items() if t["outcome"] not in ("stuck", "lost")}  # without flows nothing shows that those began
    for request_id, told in proven.items():
        assert (traced[request_id]["outcome"], traced[request_id]["cause"]) == (told["outcome"], told["cause"])
    assert not any(verdicts[i].deviations for i in proven)


# What is about logs that are not complete.
_INCOMPLETE = {"log-ends", "log-begins-late", "service-log-missing", "records-lost"}


@pytest.mark.parametrize(
    ("release", "form", "not_shown"),
    [
        ("2026.2", "short-precise", set()),
        ("train", "json", {"unauthorized"}),
        ("queens", "short", {"unauthorized", "forbidden"}),
        ("2025.1", "oslo", {"unauthorized", "not-acceptable"}),
    ],
)
def test_loop__mixed__shows_every_outcome_and_cause_that_complete_logs_can_show(tmp_path, release, form, not_shown):
    truth = _simulate(tmp_path / "s", "--scenario", "mixed", "--requests", "300", "--release", release, "--format", form).values()
    assert {t["outcome"] for t in truth} == set(OUTCOMES)
    assert {t["cause"] for t in truth} == {None, *CAUSES} - _INCOMPLETE - not_shown
    assert {t["gave_up"] for t in truth} >= {None, "retries-exhausted"}
    assert max(t["attempts"] for t in truth) == 3
