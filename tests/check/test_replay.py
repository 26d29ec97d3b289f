"""Replay: one fault is one deviation of the right name, and what a log cannot show is none."""

import re

import pytest
from given import API, REQUEST, SCHEDULER, TRANSITION, VOLUME, deviations, lines, of_one_request, outcomes, read_lines, replaced, transitions

LOGS = {"created": of_one_request(lines("created")), "driver-failure": of_one_request(lines("driver-failure"))}
PLACES = [(case, *place) for case, logs in LOGS.items() for place in transitions(logs)]
WHOLE = {case: outcomes(logs) for case, logs in LOGS.items()}


def at_an_end(case, name, index):
    """Whether a line is the first or the last transition of a log, so that nothing around it proves it."""
    own = [p[2] for p in PLACES if p[:2] == (case, name)]
    return index in (own[0], own[-1])


@pytest.mark.parametrize("case", LOGS)
def test_line_dropped__every_one__is_one_missing_transition(case):
    logs = LOGS[case]
    for _, name, index, what, new, old in [p for p in PLACES if p[0] == case]:
        altered = replaced(logs, name, index)
        found = deviations(altered)
        expected = [["missing-transition"], []] if at_an_end(case, name, index) else [["missing-transition"]]
        assert found in expected, (name, index + 1, what, old, new, found)
        assert outcomes(altered) == WHOLE[case], (name, index + 1)


@pytest.mark.parametrize("case", LOGS)
def test_line_doubled__any__is_one_repeated_transition(case):
    logs = LOGS[case]
    for _, name, index, what, new, old in [p for p in PLACES if p[0] == case][:: 1 if case == "created" else 3]:
        altered = replaced(logs, name, index, logs[name][index], logs[name][index])
        assert deviations(altered) == ["repeated-transition"], (name, index + 1, what, old, new)
        assert outcomes(altered) == WHOLE[case], (name, index + 1)


ORDER = {"task-out-of-order", "illegal-transition", "revert-out-of-order", "repeated-transition", "task-after-failure"}


def runs_of(logs):
    """The uuid of the run that each transition is of: (file, index) -> flow and attempt."""
    reading, _ = read_lines(logs)
    return {(e.where.path, e.where.line - 1): (e.flow, e.attempt) for t in reading.creates() for e in t.events if e.kind.is_step}


@pytest.mark.parametrize("case", LOGS)
def test_neighbours_swapped__of_one_run__is_one_deviation_of_order(case):
    """The lines change places, the stamps stay."""
    logs, run_of = LOGS[case], runs_of(LOGS[case])
    places = [p[1:3] for p in PLACES if p[0] == case]
    for i, (name, index) in enumerate(places):
        later = next(((n, j) for n, j in places[i + 1 :] if n == name), None)
        if later is None or run_of[(name, index)] != run_of[later]:
            continue
        a, b = logs[name][index], logs[name][later[1]]
        altered = replaced(replaced(logs, name, index, a[:22] + b[22:]), name, later[1], b[:22] + a[22:])
        found = deviations(altered)
        assert len(found) == 1 and set(found) <= ORDER, (name, index + 1, found)


# -- what a log cannot show ----------------------------------------------------------------------------------------------

CUT_CASES = ["created", "driver-failure", "over-quota", "sources", "volume-killed"]


@pytest.mark.parametrize("side", ["head", "tail"])
@pytest.mark.parametrize("case", CUT_CASES)
def test_log_cut__at_any_time__nothing_deviates(case, side):
    logs = lines(case)
    stamps = sorted({line[:22] for own in logs.values() for line in own})
    for k in range(1, 15):
        at = stamps[len(stamps) * k // 15]
        cut = {name: [line for line in own if (line[:22] < at) == (side == "head")] for name, own in logs.items()}
        assert deviations(cut) == [], at


@pytest.mark.parametrize("name", [API, SCHEDULER, VOLUME])
@pytest.mark.parametrize("case", CUT_CASES)
def test_log_of_one_service_cut__at_any_line__nothing_deviates(case, name):
    """The others' logs are whole: one was rotated away earlier, or copied before it was at its end."""
    logs = lines(case)
    for k in range(1, 6):
        at = len(logs[name]) * k // 6
        tail = {**logs, name: logs[name][at:]}
        assert deviations(tail) == [], ("tail", at)
        assert [d for d in deviations({**logs, name: logs[name][:at]}) if d not in ("handoff-lost", "flow-without-end")] == [], ("head", at)


@pytest.mark.parametrize("case", [*CUT_CASES, "sequential", "no-valid-backend"])
def test_log_without_debug__nothing_deviates_and_outcomes_stay(case):
    info = {name: [re.sub(rb" with result '.*'$", b"", line) for line in own if b"]: DEBUG " not in line] for name, own in lines(case).items()}
    reading, verdicts = read_lines(info)
    assert not [d for v in verdicts.values() for d in v.deviations]
    found, whole = outcomes(info), outcomes(lines(case))
    for request, outcome in found.items():
        assert outcome == whole[request] or outcome[0] == "unknown" or whole[request][0] == "unknown", (request, outcome, whole[request])
    assert {"level-too-high"} <= {d.slug for d in reading.diagnostics}
    assert sum(o[0] == "created" for o in found.values()) == sum(o[0] == "created" for o in whole.values())


@pytest.mark.parametrize("name", [API, SCHEDULER, VOLUME])
@pytest.mark.parametrize("case", CUT_CASES)
def test_service_without_log__nothing_deviates(case, name):
    assert deviations({other: own for other, own in lines(case).items() if other != name}) == []


@pytest.mark.parametrize("name", [API, SCHEDULER, VOLUME])
@pytest.mark.parametrize("case", CUT_CASES)
def test_service_without_debug__nothing_deviates(case, name):
    logs = lines(case)
    logs[name] = [line for line in logs[name] if b"]: DEBUG " not in line]
    assert deviations(logs) == []


# -- one fault, one name -------------------------------------------------------------------------------------------------


def index_of(logs, name, task, new, nth=0):
    return [p[1] for p in transitions(logs) if p[0] == name and p[2] == task and p[3] == new][nth]


def without_task(logs, name, task):
    return {**logs, name: [line for line in logs[name] if not ((m := TRANSITION.search(line)) and m[1].decode() == task)]}


@pytest.mark.parametrize("name, task", [place for place in dict.fromkeys((p[1], p[3]) for p in PLACES if p[0] == "created") if place[1].endswith("Task")])
def test_task_skipped__altogether__is_one_missing_transition(name, task):
    assert deviations(without_task(LOGS["created"], name, task)) == ["missing-transition"]


@pytest.mark.parametrize("task", ["CreateVolumeFromSpecTask", "NotifyVolumeActionTask"])
def test_revert_skipped__of_one_task__is_one_deviation(task):
    logs = LOGS["driver-failure"]
    for new in ("REVERTING", "REVERTED"):
        index = index_of(logs, VOLUME, task, new)
        assert deviations(replaced(logs, VOLUME, index)) == ["missing-transition"]
    both = {
        **logs,
        VOLUME: [line for i, line in enumerate(logs[VOLUME]) if i not in (index_of(logs, VOLUME, task, "REVERTING"), index_of(logs, VOLUME, task, "REVERTED"))],
    }
    assert len(deviations(both)) == 1 and set(deviations(both)) <= {"revert-incomplete", "missing-transition", "revert-out-of-order"}


@pytest.mark.parametrize(
    "old, new, slugs",
    [
        ("'SUCCESS' from state 'RUNNING'", "'SUCCESS' from state 'PENDING'", {"illegal-transition"}),
        ("'SUCCESS' from state 'RUNNING'", "'EXPLODED' from state 'RUNNING'", {"illegal-transition"}),
        ("'RUNNING' from state 'PENDING'", "'RUNNING' from state 'SUCCESS'", {"illegal-transition"}),
    ],
)
@pytest.mark.parametrize("name, task", [(API, "EntryCreateTask"), (SCHEDULER, "ExtractSchedulerSpecTask"), (VOLUME, "ExtractVolumeSpecTask")])
def test_state__that_no_lifecycle_has__is_one_illegal_transition(name, task, old, new, slugs):
    logs = LOGS["created"]
    index = next(i for n, i, t, *_ in transitions(logs) if (n, t) == (name, task) and old.encode() in logs[n][i])
    found = deviations(replaced(logs, name, index, logs[name][index].replace(old.encode(), new.encode())))
    assert len(found) == 1 and set(found) <= slugs, found


def test_task__that_its_flow_has_not__is_unexpected():
    logs = LOGS["created"]
    index = index_of(logs, API, "QuotaReserveTask", "RUNNING")
    line = re.sub(rb"\([0-9a-f-]{36}\)", b"(00000000-0000-4000-8000-00000000000f)", logs[API][index].replace(b"QuotaReserveTask", b"MineBitcoinTask"))
    assert deviations(replaced(logs, API, index, line, logs[API][index])) == ["unexpected-task"]


def test_flow__that_the_lifecycle_has_not__is_unexpected():
    logs = LOGS["created"]
    index = index_of(logs, API, "volume_create_api", "RUNNING")
    line = re.sub(rb"\([0-9a-f-]{36}\)", b"(00000000-0000-4000-8000-00000000000f)", logs[API][index].replace(b"volume_create_api", b"volume_destroy_api"))
    assert deviations(replaced(logs, API, index, line, logs[API][index])) == ["unexpected-flow"]


def test_flow__that_ends_reverted_without_a_failure__contradicts_its_tasks():
    logs = LOGS["created"]
    index = index_of(logs, VOLUME, "volume_create_manager", "SUCCESS")
    line = logs[VOLUME][index].replace(b"]: DEBUG ", b"]: WARNING ").replace(b"state 'SUCCESS'", b"state 'REVERTED'").partition(b" {{")[0]
    assert deviations(replaced(logs, VOLUME, index, line)) == ["flow-result-contradiction"]


def test_task__that_begins_after_a_failure__is_told():
    logs = LOGS["driver-failure"]
    index = index_of(logs, VOLUME, "CreateVolumeFromSpecTask", "FAILURE")
    begins = next(line for case_logs in [LOGS["created"]] for line in case_logs[VOLUME] if b"CreateVolumeOnFinishTask" in line and b"'RUNNING' from" in line)
    request = REQUEST.search(logs[VOLUME][index])[1]
    line = logs[VOLUME][index][:22] + begins[22:].replace(REQUEST.search(begins)[1], request)
    reverting = index_of(logs, VOLUME, "CreateVolumeFromSpecTask", "REVERTING")
    pid = re.search(rb"\[(\d+)\]: ", logs[VOLUME][index])[1]
    line = re.sub(rb"service\[\d+\]", b"service[" + pid + b"]", line)
    found = deviations(replaced(logs, VOLUME, reverting, line, logs[VOLUME][reverting]))
    assert found == ["task-after-failure"]


@pytest.mark.parametrize("level, slugs", [("INFO", ["level-contradiction"]), ("WARNING", ["level-contradiction"])])
def test_level__of_a_transition__is_the_listeners(level, slugs):
    logs = LOGS["created"]
    index = index_of(logs, API, "EntryCreateTask", "RUNNING")
    line = logs[API][index].replace(b"]: DEBUG ", b"]: %s " % level.encode()).partition(b" {{")[0]
    assert deviations(replaced(logs, API, index, line)) == slugs
