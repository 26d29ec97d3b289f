"""A report as plain values."""

from voltrace.report.lines import extract, interest
from voltrace.report.pages import compose, request_page
from voltrace.trace import Diagnostic, Location

from .examples import HOSTILE, created, fetch, info_only, lost, mixed, reading, refused, request_id, rescheduled, stuck


def _compose(read, **options):
    return compose(*read, fetch, title="Week 47", version="0.1.0", **options)


def test_summary__one_of_each__outcomes_causes_and_deviations():
    summary = _compose(reading(created(1), rescheduled(2), refused(3), stuck(4), lost(5), info_only(6))).summary
    assert [(c.slug, c.n) for c in summary.outcomes] == [("created", 2), ("refused", 1), ("failed", 1), ("stuck", 1), ("lost", 1)]
    assert [(c.slug, c.example) for c in summary.causes] == [
        ("over-quota", request_id(3)), ("driver-error", request_id(2)), ("message-not-received", request_id(5)), ("service-stopped", request_id(4)),
    ]  # fmt: skip
    assert [c.slug for c in summary.gave_up] == ["retries-exhausted"]
    assert summary.verdicts == {"conforms": 3, "deviates": 3, "unknown": 0}
    assert [(c.slug, c.n, c.meaning) for c in summary.deviations][0] == ("missing-transition", 1, "a transition that must have happened is not in the log")
    assert summary.attempts == ((0, 3), (1, 2), (2, 1))
    assert [c.slug for c in summary.diagnostics] == ["clock-offset", "year-assumed"]
    assert (summary.first, summary.coarse) == ("2026-11-18 11:06:40.000", False)


def test_summary__durations__percentiles_by_outcome():
    rows = _compose(reading(*(created(n, driver=n * 100_000) for n in range(1, 12)), refused(20))).summary.durations
    assert [(r.name, r.n) for r in rows] == [("all", 12), ("created", 11), ("refused", 1)]
    assert (rows[1].p50, rows[1].longest, rows[1].slowest) == ("731 ms", "1.23 s", request_id(11))


def test_compose__no_requests__an_empty_report():
    report = _compose(reading())
    assert (report.summary.requests, report.rows, report.requests, report.times, report.summary.fitness) == (0, (), (), (), None)


def test_compose__request_that_nobody_judged__is_unknown():
    read, _ = reading(created())
    report = compose(read, {}, fetch, title="t", version="0")
    assert (report.rows[0].outcome, report.rows[0].verdict) == ("unknown", "unknown")


def test_compose__other_operations__are_not_shown():
    from dataclasses import replace

    read, verdicts = reading(created(1), created(2))
    read.timelines[1] = replace(read.timelines[1], operation="group-create")
    assert [r.request_id for r in _compose((read, verdicts)).rows] == [request_id(1)]


def test_row__rescheduled__what_the_list_shows():
    row = _compose(reading(rescheduled(2))).rows[0]
    assert (row.start, row.outcome, row.cause, row.verdict, row.deviations) == (
        "2026-11-18 11:06:40.000",
        "failed",
        "driver-error",
        "deviates",
        "missing-transition",
    )
    assert (row.attempts, row.duration, row.name, row.us) == (2, "235 ms", "vol-2", 235_300)


def test_row__whole_seconds__duration_is_a_bound():
    assert _compose(reading(created(step=1_000_000))).rows[0].duration == "≤ 1 s"


def test_row__no_stamps__no_duration():
    row = _compose(reading(created(start=None))).rows[0]
    assert (row.at, row.start, row.us, row.duration) == (None, "", None, "")


def test_request_page__rescheduled__facts_and_problems():
    page = _compose(reading(rescheduled(2))).requests[0]
    facts = dict(page.facts)
    assert facts["Gave up"] == "retries-exhausted: every scheduling attempt failed"
    assert (facts["HTTP"], facts["Start"], facts["Size"]) == ("POST /volume/v3/p/volumes → 202", "2026-11-18 11:06:40.000000 UTC", "1 GB")
    assert [(p.kind, p.slug) for p in page.problems] == [
        ("deviation", "missing-transition"),
        ("failure", "Exception"),
        ("failure", "Exception"),
        ("diagnostic", "clock-offset"),
    ]
    assert page.problems[1].context == "volume, CreateVolumeFromSpecTask, attempt 1, controller@lvmdriver-1"


def test_request_page__many_alike_diagnostics__told_once_with_their_places():
    from dataclasses import replace

    timeline, verdict = created(1)
    odd = tuple(Diagnostic("elided-text", "text was lost", Location("a.log", n)) for n in range(30))
    problems = request_page(replace(timeline, diagnostics=odd), verdict).problems
    assert len(problems) == 1 and problems[0].places[:2] == ("a.log:0", "a.log:1") and len(problems[0].places) == 30


def test_request_page__hostile_names__made_fit():
    page = _compose(reading(rescheduled(2, name=HOSTILE + "x" * 100_000, message=HOSTILE))).requests[0]
    name = dict(page.facts)["Name"]
    assert "\x1b" not in name and "\u202e" not in name and name.endswith("(100,079 characters)") or len(name) < 600
    assert "\x1b" not in page.problems[1].message


def test_times__mixed__flows_tasks_and_handoffs_in_their_order():
    times = _compose(mixed(40)).times
    assert [t.kind for t in times[:3]] == ["request", "flow", "task"] and times[0].share == "100 %"
    assert [t.name for t in times if t.kind == "handoff"] == ["api → scheduler", "volume → scheduler", "scheduler → volume"]


def test_extract__few_requests__all_lines_of_all():
    read, verdicts = mixed(20)
    found, said = extract(read.timelines, verdicts, fetch)
    assert (len(found), said) == (20, "")
    assert [line.service for line in found[request_id(1)].lines] == sorted(
        (e.service for e in read.timelines[0].events), key=["api", "scheduler", "volume"].index
    )


def test_extract__many_requests__what_went_wrong_comes_first_and_the_rest_is_said():
    read, verdicts = mixed(400)
    found, said = extract(read.timelines, verdicts, fetch)
    wrong = {t.request_id for t in read.timelines if verdicts[t.request_id].verdict == "deviates"}
    assert wrong <= found.keys() and len(found) == len(wrong) + 120
    assert f"the source lines of {400 - len(found)} requests of 400" in said and "`--lines all`" in said


def test_extract__a_limit__keeps_the_lines_that_the_page_names():
    read, verdicts = reading(rescheduled(2))
    found, said = extract(read.timelines, verdicts, fetch, 30)
    kept = {(line.path, line.line) for line in found[request_id(2)].lines}
    assert len(kept) == 30 and found[request_id(2)].left_out > 0 and "beyond 30 a request" in said
    assert all((f.where.path, f.where.line) in kept for f in read.timelines[0].failures)


def test_extract__no_lines_wanted__none():
    read, verdicts = mixed(5)
    assert extract(read.timelines, verdicts, fetch, 0)[0] == {}


def test_extract__huge_records__stop_at_the_total(monkeypatch):
    read, verdicts = mixed(50)
    found, said = extract(read.timelines, verdicts, lambda t: [(Location("a", n), "x" * 10_000, "api") for n in range(100)], 100)
    assert 15 < len(found) < 25 and "of 50" in said
    assert all("(10,000 characters)" in line.text for e in found.values() for line in e.lines)


def test_interest__mixed__one_of_each_kind_before_the_many():
    read, verdicts = mixed(200)
    first = [verdicts[t.request_id].outcome.outcome for t in interest(read.timelines, verdicts)[:32]]
    assert {"created", "refused", "failed", "stuck", "lost"} <= set(first)
