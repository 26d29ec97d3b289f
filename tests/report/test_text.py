"""A request in the terminal."""

import re

import pytest

from voltrace.report.text import draw, draw_check, plain, summary, summary_line

from .examples import HOSTILE, created, info_only, lost, mixed, reading, refused, rescheduled, skewed, stuck

KINDS = [created, rescheduled, refused, stuck, lost, info_only]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("facts", [{}, {"start": None}])
def test_draw__every_kind__header_and_a_line_a_span(make, facts):
    timeline, verdict = make(**facts)
    text = draw(timeline, verdict)
    assert timeline.request_id in text.splitlines()[0] and verdict.outcome.outcome in text.splitlines()[0]
    for flow in timeline.flows:
        assert flow.name in text and all(task.name in text for task in flow.tasks)


def test_draw__rescheduled__attempts_failures_deviations_diagnostics():
    text = draw(*rescheduled(message="pool is read-only"))
    assert "volume_create_manager #2" in text and "cast volume → scheduler #2" in text
    assert text.count("! Exception: pool is read-only") == 2
    assert "deviation  missing-transition: task ExtractVolumeRefTask" in text and "logs/c-vol.log:68" in text
    assert "diagnostic clock-offset" in text and "gave up  retries-exhausted: every scheduling attempt failed" in text


def test_draw__a_clock_is_off__says_so_and_draws_corrected_times():
    text, right = draw(*skewed()), draw(*created())
    assert "  clocks   stor-host-7's clock is 3,600.000 s behind controller's" in text and "by which it took 831 ms" in text
    assert [line for line in text.splitlines() if "Task" in line] == [line for line in right.splitlines() if "Task" in line]


@pytest.mark.parametrize("width", [40, 80, 100, 160])
def test_draw__widths__rows_fit(width):
    rows = [line for line in draw(*created(), width=width).splitlines() if "Task" in line]
    assert len(rows) == 13 and all(len(row) <= max(width, 90) for row in rows)
    assert len({row.index("c-") for row in rows}) == 1  # the columns stand under each other


def test_draw__hostile_log__no_control_character_reaches_the_terminal():
    text = draw(*rescheduled(name=HOSTILE, project=HOSTILE, user=HOSTILE, message=HOSTILE + "\r\n"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_draw__colour__only_when_asked():
    assert "\x1b" not in draw(*rescheduled()) and "\x1b[31mfailed\x1b[0m" in draw(*rescheduled(), colour=True)
    assert re.sub(r"\x1b\[\d+m", "", draw(*rescheduled(), colour=True)) == draw(*rescheduled())


def test_draw__terminal_without_unicode__ascii_only_and_aligned():
    text = draw(*rescheduled(), unicode=False)
    assert text.isascii()
    assert len({line.index("c-vol.log:") for line in text.splitlines() if "c-vol.log" in line and "Task" in line and "logs/" not in line}) == 1


def test_draw__whole_seconds__bounds_and_order():
    text = draw(*created(step=1_000_000))
    assert "whole seconds: in order, not to scale" in text and "≤ 1 s" in text and "+" not in text.split("took")[-1]


def test_summary_line__each_kind__one_line():
    for make in KINDS:
        timeline, verdict = make(name=HOSTILE + "\n")
        line = summary_line(timeline, verdict, width=120)
        assert not re.search(r"[\x00-\x1f]", line) and timeline.request_id in line and len(line) <= 135


def test_summary__mixed__counts_causes_percentiles():
    read, verdicts = mixed(20)
    text = summary(read.timelines, verdicts)
    assert text.startswith(
        "20 requests: 16 created, 1 refused (1 over-quota), 1 failed (1 driver-error), 1 stuck (1 service-stopped), 1 lost (1 message-not-received); duration p50 "
    )
    assert text.endswith("; 3 deviate from the lifecycle")
    assert summary([], {}) == "0 requests: none judged"


def test_draw_check__mixed__deviations_with_places_then_the_sum():
    read, verdicts = reading(created(1), stuck(4))
    text = draw_check(read, list(verdicts.values()))
    assert "deviates: stuck (service-stopped)" in text and "deviation  flow-without-end" in text and "logs/c-vol.log:" in text
    assert text.splitlines()[-1].startswith("2 requests: 1 conforms, 1 deviates; fitness 0.9")


def test_plain__hostile__one_harmless_line():
    assert plain("a\x1b[2J\nb") == "a\\x1b[2J\\nb"
