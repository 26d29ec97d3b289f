"""Rules beyond the state machine: each broken once, and what it is called."""

import re

import pytest
from given import API, REQUEST, SCHEDULER, VOLUME, deviations, lines, of_one_request, read_lines, replaced

CREATED = of_one_request(lines("created"))
FAILED = of_one_request(lines("driver-failure"))
OTHER = b"00000000-0000-4000-8000-00000000000e"


def find(logs, name, *words):
    """Index of the first line of a file with all these words."""
    return next(i for i, line in enumerate(logs[name]) if all(w.encode() in line for w in words))


def changed(logs, name, index, old, new):
    line = logs[name][index]
    assert re.search(old, line), line
    return replaced(logs, name, index, re.sub(old, new, line))


def test_reservations__other_ones_committed__mismatch():
    index = find(CREATED, API, "QuotaReserveTask", "with result")
    assert deviations(changed(CREATED, API, index, rb"'reservations': \['[0-9a-f-]{36}'", b"'reservations': ['" + OTHER + b"'")) == ["reservation-mismatch"]


def test_volume__another_id_in_the_volume_service__changed():
    index = find(CREATED, VOLUME, "created successfully", "Volume volume-")
    own = re.search(rb"Volume volume-([0-9a-f-]{36})", CREATED[VOLUME][index])[1]
    logs = {**CREATED, VOLUME: [line.replace(own, OTHER) for line in CREATED[VOLUME]]}
    assert deviations(logs) == ["volume-changed"]


def test_volume__another_size_in_the_volume_service__changed():
    index = find(CREATED, VOLUME, "ExtractVolumeRefTask", "with result")
    assert deviations(changed(CREATED, VOLUME, index, rb"([(,])size=\d+", rb"\g<1>size=7")) == ["volume-changed"]
    index = find(CREATED, VOLUME, "ExtractVolumeSpecTask", "with result")
    assert deviations(changed(CREATED, VOLUME, index, rb"'volume_size': \d+", b"'volume_size': 7")) == ["volume-changed"]


@pytest.mark.parametrize("status", [b"500", b"413", b"404"])
def test_answer__an_error_although_the_flow_ended_well__contradiction(status):
    index = find(CREATED, API, "returned with HTTP 202")
    logs = changed(CREATED, API, index, rb"HTTP 202", b"HTTP " + status)
    logs = {**logs, API: [line.replace(b"(HTTP/1.1 202)", b"(HTTP/1.1 " + status + b")") for line in logs[API]]}
    assert deviations(logs) == ["answer-contradiction"]


def test_answer__202_although_the_flow_was_reverted__contradiction():
    logs = lines("over-quota")
    reading, _ = read_lines(logs)
    refused = next(t.request_id for t in reading.creates() if t.answer.status == 413)
    own = of_one_request(logs, refused)
    own = {**own, API: [line.replace(b"returned with HTTP 413", b"returned with HTTP 202").replace(b"(HTTP/1.1 413)", b"(HTTP/1.1 202)") for line in own[API]]}
    found = deviations(own)
    assert found == ["answer-contradiction"]


def test_handoff__nobody_had_cast__before_send():
    """A request that the API refused, and a scheduler that works at it all the same."""
    logs = lines("over-quota")
    reading, _ = read_lines(logs)
    refused = next(t.request_id for t in reading.creates() if t.answer.status == 413)
    own = of_one_request(logs, refused)
    request = REQUEST.search(CREATED[SCHEDULER][0])[1]
    assert deviations({API: own[API], SCHEDULER: [line.replace(request, refused.encode()) for line in CREATED[SCHEDULER]]}) == ["handoff-before-send"]


def clone_run(logs, name, request):
    """The lines of a service once more, as another run: other uuids of flow and tasks."""
    swap = lambda m: b"(" + m[1][:-4] + b"ffff)"  # noqa: E731
    return [
        re.sub(rb"\(([0-9a-f-]{36})\)", swap, line)
        for line in logs[name]
        if request in line and (b" transitioned into " in line or b"reschedule parameters" in line)
    ]


def test_handoff__received_twice__is_told():
    request = REQUEST.search(CREATED[VOLUME][4])[1]
    twice = {**CREATED, VOLUME: [*CREATED[VOLUME], *clone_run(CREATED, VOLUME, request)]}
    assert deviations(twice) == ["handoff-received-twice"]


def test_attempts__more_than_the_schedulers_own_limit__exceeded():
    index = find(FAILED, SCHEDULER, "Failed to run task", "Exceeded max scheduling attempts 3")
    assert deviations(changed(FAILED, SCHEDULER, index, rb"attempts 3", b"attempts 2")) == ["attempts-exceeded"]


def test_rules__the_sample_logs_as_they_are__break_none():
    for logs in (CREATED, FAILED, lines("over-quota"), lines("sources")):
        assert deviations(logs) == []
