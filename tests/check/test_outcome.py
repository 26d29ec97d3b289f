"""Outcomes that need time to show: stuck and lost, by what the logs cover and how long they go on."""

import pytest
from given import API, SCHEDULER, VOLUME, lines, of_one_request, read_lines, record, transitions

from voltrace.check.judge import judge_all

CREATED = of_one_request(lines("created"))
REQUEST = "req-14375a73-9149-41a5-ba0c-370959432120"


def later(seconds, service, pid, **options):
    """A line that a service writes that long after 13:14:32."""
    total = 13 * 3600 + 14 * 60 + 32 + seconds
    at = f"Nov 22 {total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}.000000"
    return record(
        "Running periodic task VolumeManager._thread_info",
        at=at,
        service=service,
        pid=pid,
        logger="oslo_service.periodic_task",
        request="req-00000000-0000-4000-8000-0000000000aa",
        names="None None",
        **options,
    )


def on_until(seconds, service, pid):
    """A service that lives on that long after 13:14:32: a line every ten seconds."""
    return [later(s, service, pid) for s in (*range(1, seconds, 10), seconds)]


def verdict(logs, stuck_after=600.0):
    reading, _ = read_lines(logs)
    found = judge_all(reading, int(stuck_after * 1e6))[REQUEST]
    return (found.outcome.outcome, found.outcome.cause, found.outcome.final_status, [d.slug for d in found.deviations])


def cut_after(logs, name, task, new):
    index = next(i for n, i, t, s, _ in transitions(logs) if (n, t, s) == (name, task, new))
    return {**logs, name: logs[name][: index + 1]}


HANGING = cut_after(CREATED, VOLUME, "CreateVolumeFromSpecTask", "RUNNING")  # its worker is pid 3479
UNRECEIVED = {**CREATED, VOLUME: CREATED[VOLUME][:3]}
PID = 3479


@pytest.mark.parametrize("seconds, outcome", [(1, "unknown"), (590, "unknown"), (615, "stuck"), (20_000, "stuck")])
def test_stuck__worker_writes_on__once_it_is_longer_than_stuck_after(seconds, outcome):
    logs = {**HANGING, VOLUME: [*HANGING[VOLUME], *on_until(seconds, "volume", PID)]}
    if outcome == "stuck":
        assert verdict(logs)[::2] == ("stuck", "creating") and verdict(logs)[3] == ["flow-without-end"]
    else:
        assert verdict(logs) == ("unknown", "log-ends", None, [])


@pytest.mark.parametrize("stuck_after, outcome", [(10, "stuck"), (99, "stuck"), (101, "unknown"), (0.5, "stuck"), (1e8, "unknown")])
def test_stuck__after_another_time__as_asked(stuck_after, outcome):
    logs = {**HANGING, VOLUME: [*HANGING[VOLUME], *on_until(100, "volume", PID)]}
    assert verdict(logs, stuck_after)[0] == outcome


def test_stuck__another_process_writes_on__proves_nothing():
    logs = {**HANGING, VOLUME: [*HANGING[VOLUME], *on_until(5000, "volume", 4711)]}
    assert verdict(logs)[0] == "unknown"


def test_stuck__service_was_started_again__service_stopped():
    started = record(
        "Starting cinder-volume node (version 29.0.0)",
        at="Nov 22 13:20:00.000000",
        level="INFO",
        logger="cinder.service",
        service="volume",
        pid=99,
        request=None,
    )
    logs = {**HANGING, VOLUME: [*HANGING[VOLUME], started]}
    assert verdict(logs) == ("stuck", "service-stopped", "creating", ["flow-without-end"])


def test_stuck__cleaned_up_after_a_restart__is_in_error():
    volume_id = "16137011-a2b2-4db1-89c1-7270e0dd98b0"
    cleaning = record(
        f"Cleaning Volume with id {volume_id} and status creating",
        at="Nov 22 13:20:00.000000",
        level="INFO",
        logger="cinder.manager",
        service="volume",
        pid=99,
        request="req-00000000-0000-4000-8000-0000000000bb",
        names="None None",
    )
    logs = {**HANGING, VOLUME: [*HANGING[VOLUME], cleaning]}
    assert verdict(logs) == ("stuck", "service-stopped", "error", ["flow-without-end"])


def test_lost__volume_services_backend_unknown__is_not_proven():
    """Nobody knows whether the process that writes on is the one that should have received it."""
    logs = {**UNRECEIVED, VOLUME: [*UNRECEIVED[VOLUME], *on_until(5000, "volume", 4711)]}
    assert verdict(logs)[0] == "unknown"


@pytest.mark.parametrize("seconds, stuck_after, outcome", [(615, 600, "lost"), (590, 600, "unknown"), (590, 300, "lost"), (615, 1000, "unknown")])
def test_lost__schedulers_log_goes_on_without_a_receipt__as_asked(seconds, stuck_after, outcome):
    before = record("Running periodic task", at="Nov 22 13:14:25.000000", service="scheduler", pid=3077, logger="oslo_service.periodic_task", request=None)
    logs = {API: CREATED[API], SCHEDULER: [before, *on_until(seconds, "scheduler", 3077)]}
    if outcome == "lost":
        assert verdict(logs, stuck_after) == ("lost", "message-not-received", "creating", ["handoff-lost"])
    else:
        assert verdict(logs, stuck_after)[0] == "unknown" and not verdict(logs, stuck_after)[3]


def test_lost__scheduler_was_started_in_between__is_not_proven():
    before = record("Running periodic task", at="Nov 22 13:14:25.000000", service="scheduler", pid=3077, logger="oslo_service.periodic_task", request=None)
    started = record(
        "Starting cinder-scheduler node (version 29.0.0)",
        at="Nov 22 13:20:00.000000",
        level="INFO",
        logger="cinder.service",
        service="scheduler",
        pid=99,
        request=None,
    )
    assert verdict({API: CREATED[API], SCHEDULER: [before, started, *on_until(5000, "scheduler", 99)]})[0] == "unknown"


def test_lost__schedulers_log_begins_after_the_cast__is_not_proven():
    assert verdict({API: CREATED[API], SCHEDULER: on_until(5000, "scheduler", 3077)})[:2] == ("unknown", "log-begins-late")


@pytest.mark.parametrize(
    "case, status, outcome, cause",
    [
        ("over-quota", 413, "refused", "over-quota"),
        ("over-quota", 400, "refused", "invalid-input"),
        ("over-quota", 404, "refused", "not-found"),
        ("over-quota", 406, "refused", "not-acceptable"),
    ],
)
def test_refused__by_status__has_its_cause_without_any_flow(case, status, outcome, cause):
    """From INFO lines alone: the failure's exception or the status tells."""
    info = {name: [line for line in own if b"]: DEBUG " not in line] for name, own in lines(case).items()}
    reading, verdicts = read_lines(info)
    found = [verdicts[t.request_id].outcome for t in reading.creates() if t.answer.status == status]
    assert found and all((o.outcome, o.cause) == (outcome, cause) for o in found)


def test_failed__every_attempt_of_the_driver__retries_exhausted():
    reading, verdicts = read_lines(lines("driver-failure"))
    ends = {
        (verdicts[t.request_id].outcome.outcome, verdicts[t.request_id].outcome.cause, verdicts[t.request_id].outcome.gave_up, t.attempts)
        for t in reading.creates()
        if verdicts[t.request_id].outcome.outcome == "failed"
    }
    assert ("failed", "driver-error", "retries-exhausted", 3) in ends


def test_unknown__only_the_apis_log__service_log_missing():
    assert verdict({API: CREATED[API]})[:2] == ("unknown", "service-log-missing")
