"""One request as bars: offsets, segments, hand-offs, notes; with stamps, with coarse ones, and without."""

from dataclasses import replace

from voltrace.report.waterfall import draw_up

from .examples import created, info_only, lost, rescheduled, skewed, stuck


def test_draw_up__created__three_flows_with_their_casts_between():
    fall = draw_up(*created())
    rows = [(b.kind, b.service, b.name) for b in fall.bars if b.kind != "task"]
    assert rows == [
        ("flow", "api", "volume_create_api"), ("handoff", "scheduler", "api → scheduler"), ("flow", "scheduler", "volume_create_scheduler"),
        ("handoff", "volume", "scheduler → volume (controller@lvmdriver-1)"), ("flow", "volume", "volume_create_manager"),
    ]  # fmt: skip
    assert sum(b.kind == "task" for b in fall.bars) == 13
    assert fall.untimed == "" and (fall.first, fall.last) == (0, 830_900)


def test_draw_up__created__tasks_have_offsets_lengths_and_texts():
    driver = next(b for b in draw_up(*created()).bars if b.name == "CreateVolumeFromSpecTask")
    assert (driver.length, driver.duration, driver.state, str(driver.where)) == (700_000, "700 ms", "SUCCESS", "logs/c-vol.log:38")
    assert [(s.state, s.length) for s in driver.segments] == [("SUCCESS", 700_000)]


def test_draw_up__rescheduled__work_and_revert_are_segments_of_one_bar():
    fall = draw_up(*rescheduled())
    task = next(b for b in fall.bars if b.name == "OnFailureRescheduleTask")
    assert task.states == ("RUNNING", "SUCCESS", "REVERTING", "REVERTED")
    assert [(s.state, s.length) for s in task.segments] == [("SUCCESS", 10_000), ("REVERTED", 2000)]
    assert [b.attempt for b in fall.bars if b.kind == "flow"] == [1, 1, 1, 2, 2]


def test_draw_up__failure_and_deviation__stand_beside_their_tasks():
    fall = draw_up(*rescheduled(message="boom"))
    noted = [(b.name, b.attempt, n[0], n[1]) for b in fall.bars for n in b.notes]
    assert noted == [
        ("CreateVolumeFromSpecTask", 1, "failure", "Exception"),
        ("ExtractVolumeRefTask", 2, "deviation", "missing-transition"),
        ("CreateVolumeFromSpecTask", 2, "failure", "Exception"),
    ]


def test_draw_up__stuck__flow_and_task_are_open():
    assert [(b.name, b.duration) for b in draw_up(*stuck()).bars if b.open] == [
        ("volume_create_manager", "no end seen"),
        ("CreateVolumeFromSpecTask", "no end seen"),
    ]


def test_draw_up__lost__the_cast_is_open_and_last():
    bar = draw_up(*lost()).bars[-1]
    assert (bar.kind, bar.open, bar.duration) == ("handoff", True, "no receipt seen")


def test_draw_up__no_stamps__order_instead_of_times():
    fall = draw_up(*rescheduled(start=None))
    assert fall.untimed and all(b.duration == "not known" for b in fall.bars if b.kind != "handoff")
    starts = [b.at for b in fall.bars]
    assert None not in starts and fall.last > 50


def test_draw_up__no_stamps_and_no_events__tasks_one_after_the_other():
    timeline, verdict = created(start=None)
    fall = draw_up(replace(timeline, events=()), verdict)
    assert [b.at for b in fall.bars if b.kind == "task"] == list(range(13))


def test_draw_up__whole_seconds__order_and_bounds():
    fall = draw_up(*created(step=1_000_000))
    assert "whole seconds" in fall.untimed
    assert {b.duration for b in fall.bars} == {"≤ 1 s"}
    assert len({b.at for b in fall.bars if b.kind == "task"}) == 13


def test_draw_up__clock_stepped__order_instead_of_times():
    timeline, verdict = created()
    assert "clock stepped" in draw_up(replace(timeline, stepped=True), verdict).untimed


def test_draw_up__info_only__marks_instead_of_bars():
    fall = draw_up(*info_only())
    assert not fall.bars and [(m.at, m.row) for m in fall.marks] == [(0, "request-issued"), (9000, "created-successfully")]


def test_draw_up__receipt_stamped_before_the_send__a_wait_of_nothing():
    timeline, verdict = created()
    early = replace(timeline.handoffs[0], received=timeline.handoffs[0].sent - 21_000, bounds_us=(0, 0))
    bar = next(b for b in draw_up(replace(timeline, handoffs=(early,)), verdict).bars if b.kind == "handoff")
    assert (bar.length, bar.duration) == (0, "0 µs")


def test_draw_up__a_clock_is_off__drawn_as_if_it_were_right_and_said():
    fall, right = draw_up(*skewed()), draw_up(*created())
    assert (fall.first, fall.last) == (right.first, right.last) and not right.corrected
    assert [(b.name, b.at, b.length, b.segments) for b in fall.bars] == [(b.name, b.at, b.length, b.segments) for b in right.bars]
    assert fall.corrected == ("stor-host-7's clock is 3,600.000 s behind controller's (between 3,599.950 s and 3,600.050 s)",)
    assert [b.duration for b in fall.bars if b.kind == "handoff"] == ["4 ms", "≤ 54 ms"]


def test_draw_up__a_clock_is_off_by_nobody_knows_how_much_more__at_least():
    fall = draw_up(*skewed(ahead=-500_000, bounds=(None, -450_000)))
    assert fall.corrected == ("stor-host-7's clock is 500 ms behind controller's (at least 450 ms)",)
    assert [b.duration for b in fall.bars if b.kind == "handoff"] == ["4 ms", "not known"]
