"""What logs prove when lines, levels, stretches or whole services are missing from them; found by a fresh reader."""

import re

import pytest
from given import API, SCHEDULER, VOLUME, lines, read_lines


def info_only(own):
    """The lines above DEBUG, as a log of that level has them."""
    return [re.sub(rb" with result '.*'$", b"", line) for line in own if b"]: DEBUG " not in line]


def only(logs):
    reading, verdicts = read_lines(logs)
    timeline = next(reading.creates())
    return timeline, verdicts[timeline.request_id]


@pytest.mark.parametrize("width", [3, 6, 10])
def test_lost_lines__a_stretch_of_one_service__makes_no_other_run(width):
    logs = lines("created")
    for name in (API, SCHEDULER, VOLUME):
        for start in range(0, len(logs[name]) - width, 2):
            cut = {**logs, name: logs[name][:start] + logs[name][start + width :]}
            timeline, verdict = only(cut)
            assert timeline.attempts == 1 and len(timeline.flows) == 3, (name, start)
            assert verdict.outcome.outcome in ("created", "unknown"), (name, start)
            assert len(verdict.deviations) <= 2, (name, start, verdict.deviations)


def test_lost__receiver_without_debug__is_not_proven():
    logs = lines("sequential")
    later = [line.replace(b"Nov 22 13:", b"Nov 22 15:") for line in info_only(lines("no-valid-backend")[SCHEDULER])]
    reading, verdicts = read_lines({API: logs[API], SCHEDULER: later})
    assert {verdicts[t.request_id].outcome.outcome for t in reading.creates() if t.start is not None and t.request_id in str(logs[API])} == {"unknown"}


def test_rate_limited__what_is_not_there__is_not_missing():
    logs = lines("created")
    said = logs[VOLUME][4][:35] + b"systemd-journald[71]: Suppressed 12 messages from devstack@c-vol.service"
    timeline, verdict = only({**logs, VOLUME: logs[VOLUME][:6] + [said] + logs[VOLUME][12:]})
    assert "rate-limited" in {d.slug for d in read_lines({**logs, VOLUME: logs[VOLUME][:6] + [said] + logs[VOLUME][12:]})[0].diagnostics}
    assert not verdict.deviations and timeline.attempts == 1


def test_attempts__info_only__are_counted_by_the_drivers_work():
    logs = {name: info_only(own) for name, own in lines("driver-failure").items()}
    reading, _ = read_lines(logs)
    assert sorted(t.attempts for t in reading.creates()) == [1, 3, 3, 3, 3]


def test_handoff__clocks_of_two_hosts_differ__wait_is_not_known():
    logs = lines("created")
    behind = [line.replace(b"Nov 22 13:", b"Nov 22 08:") for line in logs[SCHEDULER]]
    timeline, _ = only({**logs, SCHEDULER: behind})
    assert [h.bounds_us for h in timeline.handoffs][0] is None


def test_handoff__receivers_log_begins_late__receipt_is_not_known():
    logs = lines("created")
    timeline, verdict = only({**logs, VOLUME: logs[VOLUME][11:]})
    to_volume = next(h for h in timeline.handoffs if h.receiver == "volume")
    assert to_volume.received is None and to_volume.bounds_us is None and verdict.outcome.outcome == "created"


def test_copies__coarser_ones__leave_start_and_end_as_they_are():
    logs = lines("sequential")
    whole_seconds = sorted((line for own in logs.values() for line in own), key=lambda line: line[:22])
    merged = [line[:15] + line[22:] for line in whole_seconds]
    fine, both = read_lines(logs)[0], read_lines({**logs, "merged.log": merged})[0]
    assert {t.request_id: (t.start, t.end) for t in fine.creates()} == {t.request_id: (t.start, t.end) for t in both.creates()}


def test_file_twice_in_one__a_shippers_work__is_a_diagnostic():
    logs = lines("created")
    reading, verdicts = read_lines({**logs, API: logs[API] * 2})
    assert "duplicated-records" in {d.slug for d in reading.diagnostics}
    assert not any(v.deviations for v in verdicts.values())


def test_server_error__other_services_logs_absent__proves_no_failure():
    own = [line.replace(b"returned with HTTP 202", b"returned with HTTP 500").replace(b"(HTTP/1.1 202)", b"(HTTP/1.1 500)") for line in lines("created")[API]]
    assert only({API: own})[1].outcome.outcome == "unknown"


def test_missing_end__counts_against_fitness():
    logs = lines("created")
    own = [line for line in logs[API] if b"Flow 'volume_create_api'" not in line or b"'SUCCESS'" not in line]
    _, verdict = only({**logs, API: own})
    assert [d.slug for d in verdict.deviations] == ["missing-transition"] and verdict.fitness < 1


def test_group__flows_of_the_api__are_all_the_first_attempt():
    reading, _ = read_lines(lines("sources"))
    group = next(t for t in reading.timelines if t.operation == "group-create")
    assert [f.attempt for f in group.flows if f.service == "api"] == [1, 1]


def test_torn_record__in_mid_file__is_no_deviation():
    logs = lines("created")
    index = next(i for i, line in enumerate(logs[API]) if b"QuotaCommitTask" in line and b"'RUNNING' from" in line)
    torn = logs[API][:index] + [logs[API][index][:180]] + logs[API][index + 1 :]
    reading, verdicts = read_lines({**logs, API: torn})
    assert "torn-record" in {d.slug for d in reading.diagnostics}
    assert not any(v.deviations for v in verdicts.values())
