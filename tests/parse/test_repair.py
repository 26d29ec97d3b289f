"""Damaged text: what the lifecycle forces is supplied, all else is left open; nothing is invented."""

import re

import pytest
from given import API, SCHEDULER, VOLUME, lines, of_one_request, read_lines, replaced, transitions

PAGE = lines("tutorial-2018")[API]
TUTORIAL = "req-4111af2f-99a8-4166-8647-569b038786d9"
TASKS = ["ExtractVolumeRequestTask", "QuotaReserveTask", "EntryCreateTask", "QuotaCommitTask", "VolumeCastTask"]


def the(logs, **options):
    reading, verdicts = read_lines(logs, **options)
    (timeline,) = reading.creates()
    return timeline, verdicts[timeline.request_id]


def test_page__tutorial__flow_five_tasks_and_clock_step():
    timeline, verdict = the({API: PAGE})
    (flow,) = timeline.flows
    assert (flow.name, flow.uuid, flow.state) == ("volume_create_api", "3c60509d-1a85-43c9-96fb-be0a949d0eea", "SUCCESS")
    assert [(t.name, t.state) for t in flow.tasks] == [(name, "SUCCESS") for name in TASKS]
    assert flow.tasks[0].uuid == "4865720e-3012-4135-8683-e14e5ac151f9"
    assert any(t.inferred for t in flow.tasks) and {"elided-text", "clock-step"} <= {d.slug for d in timeline.diagnostics}
    assert (verdict.outcome.outcome, verdict.verdict) == ("unknown", "unknown") and timeline.duration_us is None


@pytest.mark.parametrize(
    "change",
    [
        lambda own: [line for raw in own for line in (raw, b"")],
        lambda own: [line + b"\r" for line in own],
        lambda own: [b"| " + line + b" |" for line in own],
        lambda own: [re.sub(rb"\(pid=\d+\) ", b"", line) for line in own],
        lambda own: [line.replace(b"Task ...", b"Task") for line in own],
    ],
    ids=["blank-lines", "crlf", "bars", "no-pid", "no-dots"],
)
def test_page__other_dress__is_read_the_same(change):
    timeline, verdict = the({API: change(PAGE)})
    assert [(t.name, t.state) for t in timeline.flows[0].tasks] == [(name, "SUCCESS") for name in TASKS]
    assert verdict.outcome.outcome == "unknown" and not verdict.deviations


def test_page__any_line_lost__nothing_is_invented():
    for i in range(len(PAGE)):
        reading, _ = read_lines({API: PAGE[:i] + PAGE[i + 1 :]})
        for timeline in reading.creates():
            for flow in timeline.flows:
                names = [t.name for t in flow.tasks]
                assert names == [n for n in TASKS if n in names], PAGE[i][:80]
                assert len([e for e in timeline.events if e.kind.is_step]) <= 12


def damage_name(line):
    return re.sub(rb"create_volume\.\w+;", b"create_volume.;", line)


def damage_states(line):
    return re.sub(rb"into state '\w+'", b"into state", line)


def damage_uuid(line):
    return re.sub(rb" \([0-9a-f-]{36}\) transitioned", b" ... transitioned", line)


DAMAGES = {
    "name": damage_name,
    "state": damage_states,
    "uuid": damage_uuid,
    "name-and-uuid": lambda line: damage_uuid(damage_name(line)),
    "name-and-state": lambda line: damage_states(damage_name(line)),
}
CREATED = of_one_request(lines("created"))
PLACES = transitions(CREATED)


def shape(timeline):
    return [(f.name, f.uuid, f.state, [(t.name, t.uuid, t.states) for t in f.tasks]) for f in timeline.flows]


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_line_damaged__anywhere__is_supplied(damage):
    """The rest of the request leaves but one step that the line can have been."""
    whole = shape(the(CREATED)[0])
    for name, index, what, new, _ in PLACES:
        line = DAMAGES[damage](CREATED[name][index])
        timeline, verdict = the(replaced(CREATED, name, index, line))
        assert shape(timeline) == whole, (name, index, what, new)
        assert verdict.outcome.outcome == "created" and not verdict.deviations
        assert [d.slug for d in timeline.diagnostics] == ["elided-text"] * (line != CREATED[name][index])


@pytest.mark.parametrize("name", [API, SCHEDULER, VOLUME])
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_line_of_a_log_damaged__names_no_wrong_task(name, damage):
    logs = {**CREATED, name: [DAMAGES[damage](line) if b" transitioned into " in line else line for line in CREATED[name]]}
    timeline, verdict = the(logs)
    assert verdict.outcome.outcome == "created"
    whole = {flow: {task: states for task, _, states in tasks} for flow, _, _, tasks in shape(the(CREATED)[0])}
    for flow, _, _, tasks in shape(timeline):
        for task, _, states in tasks:
            assert set(states) <= set(whole[flow].get(task, ())), (flow, task, states)


def test_inferred__only_what_was_damaged__is_marked():
    name, index, what, *_ = next(p for p in PLACES if p[2] == "EntryCreateTask")
    timeline, _ = the(replaced(CREATED, name, index, damage_name(CREATED[name][index])))
    assert [t.name for f in timeline.flows for t in f.tasks if t.inferred] == [what]
    assert not any(t.inferred for f in the(CREATED)[0].flows for t in f.tasks)


def test_ambiguous__two_tasks_at_work_fit__neither_is_chosen():
    """A line of which only the new state is left, while two flows of the service are open: nobody can say whose it is."""
    logs = of_one_request(lines("driver-failure"))
    timeline, _ = the(logs)
    name, index, *_ = next(p for p in transitions(logs) if p[0] == VOLUME and p[3] == "REVERTED" and p[2] == "ExtractVolumeRefTask")
    line = logs[name][index]
    bare = re.sub(rb"Task '.*' \([0-9a-f-]{36}\) transitioned.*", b"Task ... transitioned into state from state", line)
    damaged, _ = the(replaced(logs, name, index, bare))
    assert "ambiguous-repair" in {d.slug for d in damaged.diagnostics} or shape(damaged) == shape(timeline)
