"""Walks sample_logs/: every case says where its logs come from and what must come out."""

import shutil
import tomllib
from pathlib import Path

import pytest

from voltrace.check.judge import judge_all
from voltrace.parse.engine import read

ROOT = Path(__file__).parents[1] / "sample_logs"
CASES = sorted(p.parent.name for p in ROOT.glob("*/expected.toml"))


def _expect(case):
    expected = tomllib.loads((ROOT / case / "expected.toml").read_text())
    if not shutil.which(expected.get("needs", "env")):
        pytest.skip(f"{case} needs {expected['needs']}")
    return expected


def _read(case):
    reading = read([str(ROOT / case)])
    return reading, judge_all(reading)


@pytest.mark.parametrize("case", CASES)
def test_sample__every_request__has_the_outcome_that_its_client_saw(case):
    expected = _expect(case)
    reading, verdicts = _read(case)
    creates = {t.request_id: t for t in reading.creates()}
    assert sorted(creates) == sorted(r["id"] for r in expected["request"])
    for request in expected["request"]:
        timeline, outcome = creates[request["id"]], verdicts[request["id"]].outcome
        assert (outcome.outcome, outcome.cause) == (request["outcome"], request.get("cause")), request
        assert timeline.volume_id == request.get("volume_id"), request
        if "backend" in request and request["outcome"] == "created":
            assert timeline.backend == request["backend"]


@pytest.mark.parametrize("case", CASES)
def test_sample__lines_and_transitions__are_all_understood(case):
    expected = _expect(case)
    reading, verdicts = _read(case)
    assert reading.unrecognised == expected["unrecognised"]
    assert [d.slug for v in verdicts.values() for d in v.deviations] == expected["deviations"]
    assert set(expected.get("diagnostics", [])) <= {d.slug for d in reading.diagnostics}


def test_sample__every_folder__says_where_it_comes_from():
    for case in CASES:
        expected = tomllib.loads((ROOT / case / "expected.toml").read_text())
        assert expected["source"] and expected["why"], case
