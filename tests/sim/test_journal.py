"""The journal's rate limit: it drops and tells as journald does, and a reader takes nothing that is missing for a deviation."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from voltrace.check.judge import judge_all
from voltrace.errors import UsageError
from voltrace.formats import FORMATS
from voltrace.parse.engine import read
from voltrace.sim.cloud import Host, Scenario
from voltrace.sim.journal import open_journal
from voltrace.sim.scenario_file import load_scenario

from .clouds import cloud, run

FILES = {"api": "c-api.log", "scheduler": "c-sch.log", "volume": "c-vol.log"}


def _limited(name, burst, interval=30.0):
    return replace(load_scenario(name), hosts=(Host("controller", journal_burst=burst, journal_interval_s=interval),))


def _journal(burst=3, interval=10.0):
    return open_journal(Scenario(hosts=(Host("controller", journal_burst=burst, journal_interval_s=interval),)), FORMATS["short-precise"])


def _limit(journal, *whens):
    """What is left of a volume service's lines at these seconds, by their last words."""
    stamp = "Jan  5 09:00:00.000000 controller"
    left = journal.limit([(round(when * 1e6), 0, f"{stamp} cinder-volume[7]: line at {when}") for when in whens], ("volume",))
    return [line.rpartition(": ")[2].removeprefix("line at ") for _, _, record in left for line in record.split("\n")]


def test_limit__burst_and_interval__as_journald_counts():
    said = "Suppressed 2 messages from devstack@c-vol.service"
    assert _limit(_journal(), 0, 1, 2, 3, 10, 10.5, 11, 12, 13) == ["0", "1", "2", said, "10.5", "11", "12"]
    assert _limit(_journal(), 0, 1, 20, 21, 22, 23) == ["0", "1", "20", "21", "22"]
    journal = _journal()
    assert _limit(journal, 0, 1, 2, 3, 4) == ["0", "1", "2"] and _limit(journal, 30) == [said, "30"]


def test_limit__several_lines_of_a_record__count_each():
    journal = _journal(burst=3)
    stamp = "Jan  5 09:00:00.000000 controller cinder-volume[7]: "
    left = journal.limit([(0, 0, f"{stamp}a\n{stamp}b"), (1, 0, f"{stamp}c\n{stamp}d")], ("volume",))
    assert [line[-1] for _, _, record in left for line in record.split("\n")] == ["a", "b", "c"]


def test_limit__other_hosts_and_services__have_their_own():
    journal = _journal(burst=1)
    stamp = "Jan  5 09:00:00.000000"
    elsewhere = [(0, 0, f"{stamp} other cinder-volume[7]: controller cinder-volume[8]: x")] * 5
    assert journal.limit(elsewhere, ("volume",)) == elsewhere
    for service, name in (("volume", "cinder-volume"), ("scheduler", "cinder-scheduler"), ("api", "devstack@c-api.service")):
        assert len(journal.limit([(0, 0, f"{stamp} controller {name}[7]: x")] * 3, (service,))) == 1


@pytest.mark.parametrize("form", ["short-precise", "short", "with-unit", "json", "export", "cat"])
@pytest.mark.parametrize(("burst", "interval"), [(300, 10.0), (1000, 30.0)])
def test_check__a_limited_run__finds_the_outcome_or_knows_that_records_are_lost(tmp_path, form, burst, interval):
    lines, truth = run(_limited("mixed", burst, interval), requests=120, arrivals="poisson:3", format=form, seed=4)
    plain, _ = run("mixed", requests=120, arrivals="poisson:3", format=form, seed=4)
    for service, name in FILES.items():
        (tmp_path / name).write_text("\n".join(lines[service]) + "\n")
    reading = read([str(tmp_path)])
    verdicts = judge_all(reading)
    told = {t["request_id"]: t for t in truth}
    assert "rate-limited" in {d.slug for d in reading.diagnostics} and reading.unrecognised == 0
    seen = Counter()
    for t in reading.creates():
        verdict, true = verdicts[t.request_id], told[t.request_id]
        assert not verdict.deviations
        assert verdict.outcome.outcome in ("unknown", true["outcome"]) and (verdict.outcome.outcome != "unknown" or verdict.outcome.cause == "records-lost")
        for fault in true["faults"]:
            assert fault["expect"]["outcome"] in (None, verdict.outcome.outcome) or fault["kind"] != "rate-limited"
            assert not fault["expect"]["deviations"]
        seen[verdict.outcome.outcome] += 1
    assert seen["created"] and seen["unknown"]
    if form not in ("json", "export"):
        said = sum(int(n) for n in re.findall(r"Suppressed (\d+) messages", "\n".join(lines["merged"])))
        notes = sum("Suppressed " in line for line in lines["merged"])
        assert len(plain["merged"]) == len(lines["merged"]) - notes + said
        assert set(lines["merged"]) - set(plain["merged"]) == {line for line in lines["merged"] if "Suppressed " in line}


def test_truth__requests_that_lost_nothing__bear_no_such_fault():
    _, truth = run(_limited("devstack", 1000), requests=30, arrivals="every:20")
    assert not any(f["kind"] == "rate-limited" for t in truth for f in t["faults"])
    lines, truth = run(_limited("devstack", 150), requests=30, arrivals="poisson:3")
    lost = {t["request_id"] for t in truth if any(f["kind"] == "rate-limited" for f in t["faults"])}
    plain, _ = run("devstack", requests=30, arrivals="poisson:3")
    kept, all_of_them = (Counter(re.findall(r"\[(?:None )?(req-\S+) ", "\n".join(some["merged"]))) for some in (lines, plain))
    assert lost and all(kept[t["request_id"]] == all_of_them[t["request_id"]] for t in truth if t["request_id"] not in lost)
    assert all(kept[request] < all_of_them[request] for request in lost)


def test_limit__log_files__are_no_journal():
    assert run(_limited("devstack", 10), requests=3, format="oslo") == run("devstack", requests=3, format="oslo")


def test_scenario__a_limit_without_background__is_refused():
    with pytest.raises(UsageError, match=r"cloud\.hosts\[0\]\.journal_burst needs cloud\.background_s"):
        cloud(hosts=[{"name": "controller", "journal_burst": 5}])
