"""Causal order: one-second stamps, records that several sources hold, a cast before its receipt."""

import re
from collections import defaultdict
from pathlib import Path

import pytest
from given import API, SAMPLES, SCHEDULER, VOLUME, lines, of_one_request, outcomes, read_lines
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from voltrace.lifecycle import VARIANTS
from voltrace.parse.engine import read
from voltrace.parse.pieces import ReadOptions

CASES = ["created", "driver-failure", "sequential", "over-quota", "sources", "volume-killed"]


def to_seconds(logs):
    return {name: [re.sub(rb"^(\w{3} [ \d]\d \d\d:\d\d:\d\d)\.\d{6}", rb"\1", line) for line in own] for name, own in logs.items()}


def steps(logs, **options):
    """Per request: every step in causal order as (service, attempt, flow, task, state)."""
    reading, _ = read_lines(logs, **options)
    return {t.request_id: [(e.service, e.attempt, e.flow, e.kind.task, e.kind.new) for e in t.events if e.kind.is_step] for t in reading.creates()}


def by_service(order):
    found = defaultdict(list)
    for step in order:
        found[step[0]].append(step)
    return found


def assert_no_receipt_before_its_cast(order):
    lifecycle = VARIANTS["volume-create"]
    for i, (_, attempt, flow, task, state) in enumerate(order):
        if task is None and state == "RUNNING":
            cast = lifecycle.cast_to(flow, attempt)
            if cast:
                assert any(s[2:] == (cast.sender, cast.task, cast.state) and s[1] == attempt - cast.next_run for s in order[:i]), (flow, attempt)


@pytest.mark.parametrize("case", CASES)
def test_seconds__three_files__casts_before_receipts_and_each_service_as_its_log_has_it(case):
    fine, coarse = steps(lines(case)), steps(to_seconds(lines(case)))
    assert fine.keys() == coarse.keys()
    for request, order in coarse.items():
        assert_no_receipt_before_its_cast(order)
        assert by_service(order) == by_service(fine[request])


@pytest.mark.parametrize("case", CASES)
def test_seconds__outcomes_and_bounds__are_those_of_the_fine_log(case):
    fine, _ = read_lines(lines(case))
    coarse, verdicts = read_lines(to_seconds(lines(case)))
    assert outcomes(to_seconds(lines(case))) == outcomes(lines(case))
    assert not [d for v in verdicts.values() for d in v.deviations]
    known = {(t.request_id, f.name, f.attempt): f for t in fine.creates() for f in t.flows}
    for timeline in coarse.creates():
        for flow in timeline.flows:
            exact = known[(timeline.request_id, flow.name, flow.attempt)]
            if exact.start is not None and exact.end is not None and flow.bounds_us:
                assert flow.bounds_us[0] <= exact.end - exact.start <= flow.bounds_us[1]


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=4, deadline=None)
@given_(order=st.permutations([API, SCHEDULER, VOLUME]))
def test_files__in_any_order__give_the_same_order(case, order):
    logs = lines(case)
    assert steps({name: logs[name] for name in order}) == steps(logs)


@pytest.mark.parametrize("name", [API, SCHEDULER, VOLUME])
@pytest.mark.parametrize("shift", [-2, 2, 5])
def test_clock__of_one_host_off_by_seconds__keeps_the_causal_order(name, shift):
    logs = of_one_request(lines("created"))
    logs[name] = [re.sub(rb"^Nov 22 13:14:(\d\d)", lambda m: b"Nov 22 13:14:%02d" % (int(m[1]) + shift), line) for line in logs[name]]
    (order,) = steps(logs).values()
    assert_no_receipt_before_its_cast(order)
    assert by_service(order) == by_service(next(iter(steps(lines("created")).values())))
    reading, verdicts = read_lines(logs)
    assert all(h.bounds_us is None or h.bounds_us[0] >= 0 for t in reading.creates() for h in t.handoffs)
    assert not [d for v in verdicts.values() for d in v.deviations]


def facts(logs):
    reading, verdicts = read_lines(logs)
    return {
        t.request_id: (verdicts[t.request_id].outcome, [len(f.tasks) for f in t.flows], len(t.failures), [d.slug for d in verdicts[t.request_id].deviations])
        for t in reading.creates()
    }


@pytest.mark.parametrize("case", ["created", "driver-failure", "over-quota"])
def test_overlap__the_same_records_in_two_sources__count_once(case):
    logs = lines(case)
    merged = sorted((line for own in logs.values() for line in own), key=lambda line: line[:22])
    both = {**logs, "merged.log": merged}
    assert facts(both) == facts(logs)
    reading, _ = read_lines(both)
    assert [d.slug for d in reading.diagnostics].count("overlapping-sources") == 1


def test_overlap__a_coarse_and_a_fine_copy__the_fine_stamps_count():
    logs = of_one_request(lines("created"))
    both = {**logs, **{"x-" + name: own for name, own in to_seconds(logs).items()}}
    fine, _ = read_lines(logs)
    reading, _ = read_lines(both)
    spans = [[(f.start, f.end) for f in t.flows] for r in (fine, reading) for t in r.creates()]
    assert spans[0] == spans[1] and facts(both) == facts(logs)


@pytest.mark.parametrize("cut", [5, 15, 25])
def test_overlap__two_exports_that_share_a_stretch__are_one_log(cut):
    logs = of_one_request(lines("created"))
    two = {SCHEDULER: logs[SCHEDULER], VOLUME: logs[VOLUME], "1-c-api.log": logs[API][: cut + 4], "2-c-api.log": logs[API][cut:]}
    assert facts(two) == facts(logs)


def test_overlap__rotated_pieces_in_any_order__are_one_log():
    logs = of_one_request(lines("driver-failure"))
    middle = len(logs[VOLUME]) // 2
    pieces = {API: logs[API], SCHEDULER: logs[SCHEDULER], "c-vol.log": logs[VOLUME][middle:], "c-vol.log.1": logs[VOLUME][:middle]}
    assert facts(pieces) == facts(logs)


def test_overlap__within_one_source__nothing_is_merged():
    logs = of_one_request(lines("created"))
    at = next(i for i, line in enumerate(logs[API]) if b"QuotaReserveTask" in line)
    logs[API].insert(at, logs[API][at])
    ((_, _, _, found),) = facts(logs).values()
    assert found == ["repeated-transition"]
    reading, _ = read_lines(logs)
    assert "overlapping-sources" not in {d.slug for d in reading.diagnostics}


REAL = sorted(p.parent for p in (Path(__file__).parents[3] / "shared" / "logs").glob("2*/*/c-api.log"))


@pytest.mark.parametrize("folder", [*map(str, REAL), *[str(SAMPLES / case) for case in CASES]])
def test_seconds__whatever_is_cut__holds_what_the_fine_log_tells(folder, tmp_path):
    """Real logs without the fractions of their stamps: every duration and wait lies in its bounds, also those that messages narrow."""
    for path in Path(folder).glob("c-*.log"):
        (tmp_path / path.name).write_bytes(re.sub(rb"(?m)^(\w{3} [ \d]\d \d\d:\d\d:\d\d)\.\d{6}", rb"\1", path.read_bytes()))
    fine, coarse = ({t.request_id: t for t in read([str(p)], ReadOptions(2026)).creates()} for p in (folder, tmp_path))
    assert fine.keys() == coarse.keys()
    for request_id, timeline in fine.items():
        for exact, told in zip(durations(timeline), durations(coarse[request_id]), strict=True):
            assert exact is None or told is None or told[0] <= exact[0] <= exact[1] <= told[1]


def durations(timeline):
    for flow in timeline.flows:
        yield from (part.bounds_us for part in (flow, *flow.tasks))
    yield from (handoff.bounds_us for handoff in timeline.handoffs)


def api_bounds(logs):
    reading, _ = read_lines(logs)
    return [flow.bounds_us for t in reading.creates() for flow in t.flows if flow.service == "api" and flow.bounds_us]


def test_seconds__what_the_web_server_says_that_it_lasted__bounds_the_apis_flow_and_tasks():
    logs = to_seconds(lines("sequential"))
    without = {name: [line for line in own if b"msecs (HTTP" not in line] for name, own in logs.items()}
    told, plain = api_bounds(logs), api_bounds(without)
    assert len(told) == len(plain) > 10
    assert max(high for _, high in told) < 999_999 <= min(high for _, high in plain)


def test_seconds__commands_that_lasted__are_shorter_than_their_task(tmp_path):
    """What a command took, its task took: a line that says that it took most of a second raises the lower bound."""
    logs = to_seconds(lines("sequential"))
    slow = {name: [re.sub(rb"(returned: 0 in )[\d.]+s", rb"\g<1>0.900s", line) for line in own] for name, own in logs.items()}
    assert slow != logs
    lows = [
        task.bounds_us[0]
        for t in read_lines(slow)[0].creates()
        for f in t.flows
        for task in f.tasks
        if task.name == "CreateVolumeFromSpecTask" and task.bounds_us
    ]
    assert lows and min(lows) == 800_000


def test_copies__one_of_whole_seconds__the_finer_stamps_hold():
    logs = lines("created")
    both = logs | {f"{name}.copy": own for name, own in to_seconds(logs).items()}
    exact, found = ([list(durations(t)) for t in read_lines(own)[0].creates()] for own in (logs, both))
    assert exact == found and all(low == high for own in found for low, high in filter(None, own))
