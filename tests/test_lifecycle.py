"""The laws of the lifecycle. The tables here are written down a second time, from taskflow's states.py and Cinder's flows."""

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltrace.lifecycle import (
    FLOW_TRANSITIONS,
    GROUP_CREATE,
    RESTORE,
    STATES,
    TASK_TRANSITIONS,
    VARIANTS,
    VOLUME_CREATE,
    Position,
    Refusal,
    Step,
    advance,
    describe,
    enabled,
    level_of,
    put,
)
from voltrace.verdict import DEVIATIONS

API, SCHEDULER, MANAGER = "volume_create_api", "volume_create_scheduler", "volume_create_manager"
FLOWS = {
    API: ("api", "cinder.volume.api", ["ExtractVolumeRequestTask", "QuotaReserveTask", "EntryCreateTask", "QuotaCommitTask", "VolumeCastTask"]),
    SCHEDULER: ("scheduler", "cinder.scheduler.manager", ["ExtractSchedulerSpecTask", "ScheduleCreateVolumeTask"]),
    MANAGER: (
        "volume",
        "cinder.volume.manager",
        [
            "ExtractVolumeRefTask",
            "OnFailureRescheduleTask",
            "ExtractVolumeSpecTask",
            "NotifyVolumeActionTask",
            "CreateVolumeFromSpecTask",
            "CreateVolumeOnFinishTask",
        ],
    ),
}
# taskflow's tables, all of them; and what a create-volume request can reach.
TASKFLOW_TASK = {
    ("PENDING", "RUNNING"),
    ("PENDING", "IGNORE"),
    ("RUNNING", "SUCCESS"),
    ("RUNNING", "FAILURE"),
    ("FAILURE", "REVERTING"),
    ("SUCCESS", "REVERTING"),
    ("REVERTING", "REVERTED"),
    ("REVERTING", "REVERT_FAILURE"),
    ("REVERTED", "PENDING"),
    ("IGNORE", "PENDING"),
}
TASKFLOW_FLOW = {
    ("PENDING", "RUNNING"),
    ("RUNNING", "SUCCESS"),
    ("RUNNING", "FAILURE"),
    ("RUNNING", "REVERTED"),
    ("RUNNING", "SUSPENDING"),
    ("RUNNING", "RESUMING"),
    ("SUCCESS", "RUNNING"),
    ("SUCCESS", "PENDING"),
    ("FAILURE", "RUNNING"),
    ("REVERTED", "PENDING"),
    ("SUSPENDING", "SUSPENDED"),
    ("SUSPENDING", "SUCCESS"),
    ("SUSPENDING", "FAILURE"),
    ("SUSPENDING", "REVERTED"),
    ("SUSPENDING", "RESUMING"),
    ("SUSPENDED", "RUNNING"),
    ("RESUMING", "SUSPENDED"),
}
UNREACHED_TASK = {("PENDING", "IGNORE"), ("REVERTED", "PENDING"), ("IGNORE", "PENDING")}
REACHED_FLOW = {("PENDING", "RUNNING"), ("RUNNING", "SUCCESS"), ("RUNNING", "FAILURE"), ("RUNNING", "REVERTED")}
FINAL = {"SUCCESS", "FAILURE", "REVERTED"}
MAX_ATTEMPTS = 3


# -- how the tests walk ------------------------------------------------------------------------------------------------


def walk(lifecycle, path):
    """The position after the path; fails at the first refusal."""
    position = Position()
    for step in path:
        after = advance(lifecycle, position, step)
        assert isinstance(after, Position), (step, after)
        position = after
    return position


def flow_steps(flow, tasks=None, run=1):
    """The steps of a flow that ends SUCCESS."""
    tasks = FLOWS[flow][2] if tasks is None else tasks
    middle = [Step(flow, run, t, old, new) for t in tasks for old, new in (("PENDING", "RUNNING"), ("RUNNING", "SUCCESS"))]
    return [Step(flow, run, None, "PENDING", "RUNNING"), *middle, Step(flow, run, None, "RUNNING", "SUCCESS")]


def failing_steps(flow, failing, run=1):
    """The steps of a flow of which this task fails and everything is reverted."""
    done = FLOWS[flow][2][: FLOWS[flow][2].index(failing)]
    path = flow_steps(flow, done, run)[:-1]
    path += [Step(flow, run, failing, "PENDING", "RUNNING"), Step(flow, run, failing, "RUNNING", "FAILURE")]
    for task, old in [(failing, "FAILURE"), *((t, "SUCCESS") for t in reversed(done))]:
        path += [Step(flow, run, task, old, "REVERTING"), Step(flow, run, task, "REVERTING", "REVERTED")]
    return [*path, Step(flow, run, None, "RUNNING", "REVERTED")]


def every_step(lifecycle, runs):
    """Every transition that one could write down, lawful or not."""
    for flow in lifecycle.flows:
        for run in range(1, runs + 1):
            for task in (None, *(t.name for t in flow.tasks)):
                for old in STATES:
                    for new in STATES:
                        yield Step(flow.name, run, task, old, new)


def refuse(path, step, lifecycle=VOLUME_CREATE):
    refusal = advance(lifecycle, walk(lifecycle, path), step)
    assert isinstance(refusal, Refusal), refusal
    assert refusal.slug in DEVIATIONS
    assert refusal.message and refusal.expected
    return refusal.slug


# -- the tables --------------------------------------------------------------------------------------------------------


def test_transitions__tasks__are_taskflows_reachable_ones():
    assert {(t.old, t.new) for t in TASK_TRANSITIONS} == TASKFLOW_TASK - UNREACHED_TASK
    assert len(TASK_TRANSITIONS) == len(TASKFLOW_TASK - UNREACHED_TASK)


def test_transitions__flows__are_taskflows_reachable_ones():
    assert {(t.old, t.new) for t in FLOW_TRANSITIONS} == REACHED_FLOW < TASKFLOW_FLOW
    assert len(FLOW_TRANSITIONS) == len(REACHED_FLOW)


def test_transitions__levels__warning_for_failures_and_ends_of_reverts():
    assert {t.new for t in TASK_TRANSITIONS if t.level == "WARNING"} == {"FAILURE", "REVERTED", "REVERT_FAILURE"}
    assert {t.new for t in FLOW_TRANSITIONS if t.level == "WARNING"} == {"FAILURE", "REVERTED"}
    assert all(t.level in ("DEBUG", "WARNING") and t.reason for t in (*TASK_TRANSITIONS, *FLOW_TRANSITIONS))
    assert level_of(True, "REVERTING") == "DEBUG"
    assert level_of(True, "REVERTED") == level_of(False, "FAILURE") == "WARNING"


@pytest.mark.parametrize("flow", FLOWS)
def test_flow__names_and_order__are_cinders(flow):
    service, logger, tasks = FLOWS[flow]
    found = VOLUME_CREATE.flow(flow)
    assert (found.service, found.logger, [t.name for t in found.tasks]) == (service, logger, tasks)
    assert VOLUME_CREATE.flow_of(service) is found
    assert [found.index(t) for t in tasks] == list(range(len(tasks)))
    assert found.index("NoSuchTask") == -1


def test_flow__names_in_the_log__carry_the_notification_where_there_is_one():
    logged = {t.name: t.logged_as for f in VOLUME_CREATE.flows for t in f.tasks}
    assert logged["QuotaReserveTask"] == "cinder.volume.flows.api.create_volume.QuotaReserveTask;volume:create"
    assert logged["ScheduleCreateVolumeTask"] == "cinder.scheduler.flows.create_volume.ScheduleCreateVolumeTask;volume:create"
    assert logged["NotifyVolumeActionTask"] == "cinder.volume.flows.manager.create_volume.NotifyVolumeActionTask;volume:create, create.start"
    assert logged["CreateVolumeOnFinishTask"] == "cinder.volume.flows.manager.create_volume.CreateVolumeOnFinishTask;volume:create, create.end"
    assert all("," not in name for task, name in logged.items() if task not in ("NotifyVolumeActionTask", "CreateVolumeOnFinishTask"))


def test_casts__volume_create__api_to_scheduler_to_volume_and_back():
    assert [(c.task, c.state, c.receiver, c.topic, c.next_run) for c in VOLUME_CREATE.casts] == [
        ("VolumeCastTask", "RUNNING", SCHEDULER, "cinder-scheduler", 0),
        ("ScheduleCreateVolumeTask", "RUNNING", MANAGER, "cinder-volume", 0),
        ("OnFailureRescheduleTask", "REVERTING", SCHEDULER, "cinder-scheduler", 1),
    ]
    assert VOLUME_CREATE.cast_to(SCHEDULER, 1).task == "VolumeCastTask"
    assert VOLUME_CREATE.cast_to(SCHEDULER, 2).task == "OnFailureRescheduleTask"
    assert VOLUME_CREATE.cast_to(MANAGER, 1) is VOLUME_CREATE.cast_to(MANAGER, 3)
    assert VOLUME_CREATE.cast_to(API, 1) is None


def test_variants__restore__is_volume_create_by_another_name():
    assert set(VARIANTS) == {"volume-create", "group-create", "restore"}
    assert (RESTORE.flows, RESTORE.casts, RESTORE.starts) == (VOLUME_CREATE.flows, VOLUME_CREATE.casts, VOLUME_CREATE.starts)


def test_describe__any_variant__plain_values():
    import json

    for lifecycle in VARIANTS.values():
        found = describe(lifecycle)
        assert json.loads(json.dumps(found)) == found
        assert found["operation"] == lifecycle.operation
        assert [f["name"] for f in found["flows"]] == [f.name for f in lifecycle.flows]
        assert len(found["task_transitions"]) == 7


# -- what is granted ---------------------------------------------------------------------------------------------------

HAPPY = [*flow_steps(API), *flow_steps(SCHEDULER), *flow_steps(MANAGER)]
ONE_FAILED_ATTEMPT = [*flow_steps(API), *flow_steps(SCHEDULER), *failing_steps(MANAGER, "CreateVolumeFromSpecTask")]


def test_advance__whole_create__granted():
    position = walk(VOLUME_CREATE, HAPPY)
    assert [(r.flow, r.run, r.state) for r in position.runs] == [(API, 1, "SUCCESS"), (SCHEDULER, 1, "SUCCESS"), (MANAGER, 1, "SUCCESS")]
    assert enabled(VOLUME_CREATE, position) == ()


@pytest.mark.parametrize("flow, task", [(f, t) for f in FLOWS for t in FLOWS[f][2]])
def test_advance__any_task_fails__reverts_last_to_first(flow, task):
    before = {API: [], SCHEDULER: flow_steps(API), MANAGER: [*flow_steps(API), *flow_steps(SCHEDULER)]}[flow]
    position = walk(VOLUME_CREATE, [*before, *failing_steps(flow, task)])
    assert position.find(flow, 1).state == "REVERTED"


def test_advance__reschedule__next_attempt_begins_before_the_revert_is_done():
    failing = failing_steps(MANAGER, "CreateVolumeFromSpecTask")
    cast = failing.index(Step(MANAGER, 1, "OnFailureRescheduleTask", "SUCCESS", "REVERTING"))
    path = [*flow_steps(API), *flow_steps(SCHEDULER), *failing[: cast + 1], *flow_steps(SCHEDULER, run=2), *flow_steps(MANAGER, run=2), *failing[cast + 1 :]]
    assert walk(VOLUME_CREATE, path).find(MANAGER, 2).state == "SUCCESS"


def test_advance__receipt_before_the_casting_task_ends__granted():
    api = flow_steps(API)
    cast = api.index(Step(API, 1, "VolumeCastTask", "PENDING", "RUNNING"))
    walk(VOLUME_CREATE, [*api[: cast + 1], *flow_steps(SCHEDULER), *api[cast + 1 :]])


def test_advance__no_valid_backend__scheduler_ends_success_without_a_volume_flow():
    position = walk(VOLUME_CREATE, [*flow_steps(API), *flow_steps(SCHEDULER)])
    assert position.find(MANAGER, 1) is None


def test_advance__revert_raises__flow_ends_failure_and_nothing_else_is_reverted():
    path = failing_steps(API, "EntryCreateTask")[:-1]
    raised = path.index(Step(API, 1, "QuotaReserveTask", "REVERTING", "REVERTED"))
    position = walk(VOLUME_CREATE, [*path[:raised], Step(API, 1, "QuotaReserveTask", "REVERTING", "REVERT_FAILURE")])
    assert enabled(VOLUME_CREATE, position) == (Step(API, 1, None, "RUNNING", "FAILURE"),)


def test_group_create__a_run_a_volume__no_cast_and_nothing_downstream():
    assert GROUP_CREATE.casts == ()
    assert [t.name for t in GROUP_CREATE.flows[0].tasks] == FLOWS[API][2][:-1]
    tasks = FLOWS[API][2][:-1]
    position = walk(GROUP_CREATE, [*flow_steps(API, tasks), *flow_steps(API, tasks, run=2)])
    assert [r.state for r in position.runs] == ["SUCCESS", "SUCCESS"]
    assert refuse(flow_steps(API, tasks), Step(SCHEDULER, 1, None, "PENDING", "RUNNING"), GROUP_CREATE) == "unexpected-flow"
    assert refuse(flow_steps(API, tasks)[:-1], Step(API, 1, "VolumeCastTask", "PENDING", "RUNNING"), GROUP_CREATE) == "unexpected-task"


# -- what is refused: one test a slug that advance can give ----------------------------------------------------------------


@pytest.mark.parametrize(
    "path, step",
    [
        pytest.param(flow_steps(API)[:1], Step(API, 1, "ExtractVolumeRequestTask", "RUNNING", "SUCCESS"), id="task_that_never_ran_succeeds"),
        pytest.param(flow_steps(API)[:2], Step(API, 1, "QuotaReserveTask", "PENDING", "RUNNING"), id="task_begins_while_the_one_before_runs"),
        pytest.param([], Step(API, 1, "ExtractVolumeRequestTask", "PENDING", "RUNNING"), id="task_begins_before_its_flow"),
        pytest.param([], Step(API, 1, None, "RUNNING", "SUCCESS"), id="flow_that_never_began_ends"),
        pytest.param(flow_steps(API)[:-2], Step(API, 1, None, "RUNNING", "SUCCESS"), id="flow_succeeds_before_its_last_task"),
        pytest.param(failing_steps(API, "QuotaReserveTask")[:-2], Step(API, 1, None, "RUNNING", "REVERTED"), id="flow_reverted_before_its_last_revert_ended"),
        pytest.param(failing_steps(API, "QuotaReserveTask")[:5], Step(API, 1, "QuotaReserveTask", "REVERTING", "REVERTED"), id="revert_that_never_began_ends"),
    ],
)
def test_refusal__missing_transition__given(path, step):
    assert refuse(path, step) == "missing-transition"


@pytest.mark.parametrize(
    "path, step",
    [
        pytest.param(flow_steps(API)[:2], flow_steps(API)[1], id="task_runs_again"),
        pytest.param(flow_steps(API)[:3], flow_steps(API)[2], id="task_succeeds_again"),
        pytest.param(flow_steps(API)[:3], Step(API, 1, "ExtractVolumeRequestTask", "SUCCESS", "SUCCESS"), id="task_succeeds_from_success"),
        pytest.param(flow_steps(API), flow_steps(API)[-1], id="flow_ends_again"),
        pytest.param(flow_steps(API), flow_steps(API)[-2], id="task_succeeds_again_after_its_flow_ended"),
    ],
)
def test_refusal__repeated_transition__given(path, step):
    assert refuse(path, step) == "repeated-transition"


@pytest.mark.parametrize(
    "path, step",
    [
        pytest.param(flow_steps(API)[:2], Step(API, 1, "ExtractVolumeRequestTask", "RUNNING", "REVERTED"), id="no_such_transition"),
        pytest.param(flow_steps(API)[:2], Step(API, 1, None, "RUNNING", "PENDING"), id="no_such_flow_transition"),
        pytest.param(flow_steps(API)[:3], Step(API, 1, "ExtractVolumeRequestTask", "RUNNING", "FAILURE"), id="fails_after_success"),
        pytest.param(flow_steps(API)[:3], Step(API, 1, "ExtractVolumeRequestTask", "SUCCESS", "REVERTING"), id="revert_without_failure"),
        pytest.param(flow_steps(API), Step(API, 1, "VolumeCastTask", "SUCCESS", "REVERTING"), id="task_moves_after_its_flow_ended"),
        pytest.param(
            [*failing_steps(API, "QuotaReserveTask")[:6], Step(API, 1, "QuotaReserveTask", "REVERTING", "REVERT_FAILURE")],
            Step(API, 1, "ExtractVolumeRequestTask", "SUCCESS", "REVERTING"),
            id="revert_after_a_revert_failed",
        ),
    ],
)
def test_refusal__illegal_transition__given(path, step):
    assert refuse(path, step) == "illegal-transition"


def test_refusal__task_out_of_order__given():
    assert refuse(flow_steps(API)[:3], Step(API, 1, "EntryCreateTask", "PENDING", "RUNNING")) == "task-out-of-order"


def test_refusal__task_after_failure__given():
    failed = failing_steps(API, "QuotaReserveTask")[:5]
    assert failed[-1].new == "FAILURE"
    assert refuse(failed, Step(API, 1, "EntryCreateTask", "PENDING", "RUNNING")) == "task-after-failure"


def test_refusal__revert_out_of_order__given():
    failed = failing_steps(API, "EntryCreateTask")
    first_revert = next(i for i, s in enumerate(failed) if s.new == "REVERTED") + 1
    assert refuse(failed[:first_revert], Step(API, 1, "ExtractVolumeRequestTask", "SUCCESS", "REVERTING")) == "revert-out-of-order"


def test_refusal__revert_incomplete__given():
    assert refuse(failing_steps(API, "QuotaReserveTask")[:-3], Step(API, 1, None, "RUNNING", "REVERTED")) == "revert-incomplete"


@pytest.mark.parametrize(
    "path, step",
    [
        pytest.param([], Step(SCHEDULER, 1, None, "PENDING", "RUNNING"), id="scheduler_without_api"),
        pytest.param(flow_steps(API)[:-3], Step(SCHEDULER, 1, None, "PENDING", "RUNNING"), id="scheduler_before_the_casting_task"),
        pytest.param(flow_steps(API), Step(MANAGER, 1, None, "PENDING", "RUNNING"), id="volume_without_scheduler"),
        pytest.param(HAPPY, Step(SCHEDULER, 2, None, "PENDING", "RUNNING"), id="second_attempt_without_reschedule"),
        pytest.param(ONE_FAILED_ATTEMPT, Step(MANAGER, 2, None, "PENDING", "RUNNING"), id="second_volume_run_without_scheduler"),
    ],
)
def test_refusal__handoff_before_send__given(path, step):
    assert refuse(path, step) == "handoff-before-send"


@pytest.mark.parametrize(
    "path, step",
    [
        pytest.param([], Step("volume_create_backup", 1, None, "PENDING", "RUNNING"), id="unknown_name"),
        pytest.param(flow_steps(API), Step(API, 2, None, "PENDING", "RUNNING"), id="api_flow_twice"),
    ],
)
def test_refusal__unexpected_flow__given(path, step):
    assert refuse(path, step) == "unexpected-flow"


def test_refusal__unexpected_task__given():
    assert refuse(flow_steps(API)[:1], Step(API, 1, "ExtractVolumeRefTask", "PENDING", "RUNNING")) == "unexpected-task"


@pytest.mark.parametrize(
    "path, step",
    [
        pytest.param(failing_steps(API, "QuotaReserveTask")[:-1], Step(API, 1, None, "RUNNING", "SUCCESS"), id="success_after_a_failure"),
        pytest.param(flow_steps(API)[:-1], Step(API, 1, None, "RUNNING", "REVERTED"), id="reverted_without_a_failure"),
        pytest.param(failing_steps(API, "QuotaReserveTask")[:-1], Step(API, 1, None, "RUNNING", "FAILURE"), id="failure_though_every_revert_worked"),
    ],
)
def test_refusal__flow_result_contradiction__given(path, step):
    assert refuse(path, step) == "flow-result-contradiction"


# -- laws --------------------------------------------------------------------------------------------------------------


def within_limits(step):
    """Cinder bounds the attempts by scheduler_max_attempts; the lifecycle itself does not."""
    return step.run <= MAX_ATTEMPTS


def rank(position):
    """Grows with every step: how far along its states each flow and task is."""
    height = {"PENDING": 0, "RUNNING": 1, "SUCCESS": 2, "FAILURE": 2, "REVERTING": 3, "REVERTED": 4, "REVERT_FAILURE": 4}
    return sum(1 + height[run.state] + sum(height[s] for s in run.tasks) for run in position.runs)


@st.composite
def walks(draw, lifecycle=VOLUME_CREATE):
    """A random walk to its end, with the positions on the way."""
    prefer_failure = draw(st.booleans())
    position, path = Position(), []
    while True:
        choices = [s for s in enabled(lifecycle, position) if within_limits(s)]
        if not choices:
            return path, position
        worse = [s for s in choices if s.new in ("FAILURE", "REVERTING")]
        step = draw(st.sampled_from(worse if worse and prefer_failure and draw(st.booleans()) else choices))
        path.append((position, step))
        position = advance(lifecycle, position, step)


@settings(deadline=None)
@given(st.sampled_from(list(VARIANTS.values())).flatmap(lambda v: st.tuples(st.just(v), walks(v))))
def test_law__any_walk__ends_with_every_flow_ended(found):
    lifecycle, (path, end) = found
    ranks = [rank(position) for position, _ in path] + [rank(end)]
    assert ranks == sorted(set(ranks))
    longest = MAX_ATTEMPTS * sum(2 + 4 * len(f.tasks) for f in lifecycle.flows)
    assert len(path) <= longest
    assert end.runs and all(run.state in FINAL for run in end.runs)
    for run in end.runs:
        assert (run.state == "SUCCESS") == (set(run.tasks) == {"SUCCESS"})
        assert (run.state == "FAILURE") == ("REVERT_FAILURE" in run.tasks)
        if run.state == "REVERTED":
            assert set(run.tasks) <= {"REVERTED", "PENDING"}


@settings(deadline=None)
@given(walks())
def test_law__any_walk__tasks_in_order_and_reverts_reversed(found):
    path, end = found
    for run in end.runs:
        taken = [s for _, s in path if (s.flow, s.run) == (run.flow, run.run)]
        assert taken[0] == Step(run.flow, run.run, None, "PENDING", "RUNNING")
        assert taken[-1].task is None
        order = FLOWS[run.flow][2]
        begun = [s.task for s in taken if s.task and s.new == "RUNNING"]
        reverted = [s.task for s in taken if s.new == "REVERTING"]
        assert begun == order[: len(begun)]
        assert reverted == list(reversed(begun))[: len(reverted)]
        failures = [i for i, s in enumerate(taken) if s.new == "FAILURE" and s.task]
        assert len(failures) <= 1
        assert all(s.new != "RUNNING" for i in failures for s in taken[i:])


@settings(deadline=None)
@given(walks())
def test_law__any_position__at_most_one_task_of_a_flow_is_at_work(found):
    path, _ = found
    for position, _ in path:
        for run in position.runs:
            assert sum(state in ("RUNNING", "REVERTING") for state in run.tasks) <= 1


@settings(deadline=None)
@given(walks())
def test_law__any_walk__receipt_after_cast(found):
    path, _ = found
    taken = [step for _, step in path]
    for i, step in enumerate(taken):
        if step.task is None and step.new == "RUNNING" and step.flow != API:
            cast = VOLUME_CREATE.cast_to(step.flow, step.run)
            sent = [s for s in taken[:i] if (s.flow, s.run, s.task, s.new) == (cast.sender, step.run - cast.next_run, cast.task, cast.state)]
            assert len(sent) == 1


@settings(deadline=None, max_examples=25)
@given(walks(), st.data())
def test_law__enabled__is_exactly_what_advance_grants(found, data):
    path, end = found
    position = data.draw(st.sampled_from([p for p, _ in path] + [end]))
    granted = set(enabled(VOLUME_CREATE, position))
    for step in every_step(VOLUME_CREATE, MAX_ATTEMPTS + 1):
        after = advance(VOLUME_CREATE, position, step)
        assert (step in granted) == isinstance(after, Position)
        if isinstance(after, Refusal):
            assert after.slug in DEVIATIONS


@settings(deadline=None)
@given(walks())
def test_law__advance__is_pure(found):
    path, end = found
    again = Position()
    for before, step in path:
        assert again == before and hash(again) == hash(before)
        again = advance(VOLUME_CREATE, again, step)
        advance.__wrapped__(VOLUME_CREATE, before, step)
        assert advance.__wrapped__(VOLUME_CREATE, before, step) == again
    assert again == end


def test_position__frozen__cannot_be_changed():
    position = walk(VOLUME_CREATE, flow_steps(API))
    with pytest.raises(FrozenInstanceError):
        position.runs = ()
    run = position.find(API, 1)
    assert put(position, run) == position
    assert position.find(API, 2) is None


def test_enabled__log_that_begins_in_the_second_attempt__third_may_follow():
    first = walk(VOLUME_CREATE, ONE_FAILED_ATTEMPT).find(MANAGER, 1)
    position = Position((replace(first, run=2),))
    assert Step(SCHEDULER, 3, None, "PENDING", "RUNNING") in enabled(VOLUME_CREATE, position)
