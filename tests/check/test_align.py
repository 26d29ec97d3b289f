"""Alignment: fitness 1 and conforming replay are the same thing, and costs stay within their bounds."""

import time

from given import deviations, lines, of_one_request, read_lines, replaced, transitions
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from voltrace.check.align import align
from voltrace.lifecycle import FINAL_FLOW_STATES, STATES, VOLUME_CREATE, Lifecycle, Position, Refusal, Step, advance, enabled

FLOWS = {flow.name: flow for flow in VOLUME_CREATE.flows}


def alone(flow):
    return Lifecycle("one flow", (flow,), (), (flow.name,))


def conforms(flow, steps):
    """Whether `advance` grants these steps, and where they lead."""
    position = Position()
    for step in steps:
        after = advance(alone(flow), position, Step(flow.name, 1, *step))
        if isinstance(after, Refusal):
            return False, position
        position = after
    return True, position


@st.composite
def lawful_walks(draw):
    """A run as the lifecycle allows it, from its start to anywhere."""
    flow = draw(st.sampled_from(VOLUME_CREATE.flows))
    position, steps = Position(), []
    for _ in range(draw(st.integers(1, 60))):
        options = [s for s in enabled(alone(flow), position) if s.run == 1]
        if not options:
            break
        step = draw(st.sampled_from(options))
        steps.append((step.task, step.old, step.new))
        position = advance(alone(flow), position, step)
    return flow, steps


@st.composite
def any_walks(draw):
    """A lawful run in which lines are lost, doubled, swapped or changed."""
    flow, steps = draw(lawful_walks())
    for _ in range(draw(st.integers(0, 3))):
        if not steps:
            break
        i, j = draw(st.integers(0, len(steps) - 1)), draw(st.integers(0, len(steps) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "change"])):
            case "drop":
                del steps[i]
            case "double":
                steps.insert(j, steps[i])
            case "swap":
                steps[i], steps[j] = steps[j], steps[i]
            case _:
                steps[i] = (steps[i][0], draw(st.sampled_from(STATES)), draw(st.sampled_from(STATES)))
    return flow, steps


def ended(flow, steps):
    return any(task is None and new in FINAL_FLOW_STATES for task, _, new in steps)


@settings(max_examples=80, deadline=None)
@given_(walk=lawful_walks())
def test_align__a_lawful_run__costs_nothing(walk):
    flow, steps = walk
    assert align(flow, tuple(steps), ended(flow, steps))[0] == 0


@settings(max_examples=120, deadline=None)
@given_(walk=any_walks())
def test_align__any_run__costs_nothing_exactly_if_replay_grants_it(walk):
    flow, steps = walk
    cost, worst = align(flow, tuple(steps), ended(flow, steps))
    granted, position = conforms(flow, steps)
    complete = not ended(flow, steps) or (bool(position.runs) and position.runs[0].state in FINAL_FLOW_STATES)
    assert (cost == 0) == (granted and complete)
    assert 0 <= cost <= worst


@settings(max_examples=50, deadline=None)
@given_(walk=lawful_walks(), data=st.data())
def test_align__one_line_lost_or_doubled__costs_at_most_one(walk, data):
    flow, steps = walk
    i = data.draw(st.integers(0, len(steps) - 1))
    assert align(flow, tuple(steps[:i] + steps[i : i + 1] + steps[i:]), ended(flow, steps))[0] <= 1
    if len(steps) > 1:
        assert align(flow, tuple(steps[:i] + steps[i + 1 :]), ended(flow, steps))[0] <= 1


def test_align__three_hundred_senseless_steps__are_done_in_seconds():
    flow = VOLUME_CREATE.flows[2]
    steps = tuple((flow.tasks[(i * 7) % 6].name, STATES[i % 7], STATES[(i * 3 + 1) % 7]) for i in range(300))
    before = time.process_time()
    cost, worst = align(flow, steps, True)
    assert 0 < cost <= worst and time.process_time() - before < 5


def test_fitness__of_a_request__is_one_exactly_without_a_step_deviation():
    logs = of_one_request(lines("driver-failure"))
    for name, index, *_ in transitions(logs)[::9]:
        for instead in ((), (logs[name][index],), (logs[name][index], logs[name][index])):
            altered = replaced(logs, name, index, *instead)
            reading, verdicts = read_lines(altered)
            (verdict,) = [verdicts[t.request_id] for t in reading.creates()]
            assert (verdict.fitness == 1) == (not verdict.deviations) == (not deviations(altered))
            assert 0 <= verdict.fitness <= 1
            assert verdict.fitness > 0.9
