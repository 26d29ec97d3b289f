"""The scan: the same reading however the bytes arrive, and what lines that are no records of their own belong to."""

import re

import pytest
from given import API, SCHEDULER, VOLUME, encoded, lines, outcomes, read_bytes, read_lines, record
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from voltrace.formats import FORMATS


def joined(case):
    return {name: b"\n".join(own) + b"\n" for name, own in lines(case).items()}


CASES = ["created", "tutorial-2018", "created-colour", "created-oslo", "over-quota"]
WHOLE = {case: encoded(*read_bytes(joined(case))) for case in CASES}


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=6, deadline=None)
@given_(size=st.one_of(st.integers(1, 300), st.integers(300, 30_000)))
def test_blocks__of_any_size__give_the_same_reading(case, size):
    if case == "over-quota":
        size = max(size, 2000)  # a large log: not byte by byte
    assert encoded(*read_bytes(joined(case), block=size)) == WHOLE[case]


def test_blocks__of_one_byte__give_the_same_reading():
    assert encoded(*read_bytes(joined("created"), block=1)) == WHOLE["created"]


@pytest.mark.parametrize("case", ["created", "driver-failure", "over-quota"])
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\n\n"),
        lambda data: b"\n\n" + data,
        lambda data: data.removesuffix(b"\n"),
        lambda data: b"-- Logs begin at Sun 2026-11-22 13:00:00 UTC, end at Sun 2026-11-22 14:00:00 UTC. --\n" + data,
        lambda data: data.replace(b"\n", b"\n-- Reboot --\n", 1),
        lambda data: b"\x00" * 3000 + data,
        lambda data: data.replace(b"]: DEBUG ", b"]: \x1b[00;32mDEBUG \x1b[01;36m").replace(b"}}\n", b"}}\x1b[00m\n"),
        lambda data: data.replace(b"]: INFO ", b"]: #033[00;36mINFO "),
        lambda data: data.replace(b" {{(pid=", b" {{(PID=").replace(b"(PID=", b"(pid="),
    ],
    ids=["crlf", "bom", "blank-after-each", "blank-first", "no-last-newline", "begins", "reboot", "nuls", "escapes", "escaped-escapes", "same"],
)
def test_lines__dressed_up__tell_the_same(case, change):
    expected = outcomes(lines(case))
    reading, verdicts = read_bytes({name: change(data) for name, data in joined(case).items()})
    assert {t.request_id: (verdicts[t.request_id].outcome.outcome, verdicts[t.request_id].outcome.cause) for t in reading.creates()} == expected
    assert not [d for v in verdicts.values() for d in v.deviations] and reading.unrecognised == 0


def test_bom__between_files_put_together__is_taken_off():
    data = joined("created")
    whole = b"".join(b"\xef\xbb\xbf" + data[name] for name in (API, SCHEDULER, VOLUME))
    reading, verdicts = read_bytes({"all.log": whole})
    assert [v.outcome.outcome for v in (verdicts[t.request_id] for t in reading.creates())] == ["created"] and reading.unrecognised == 0


def test_debug_suffix__without_pid__is_as_good():
    logs = {name: [line.replace(b"{{(pid=", b"{{(pod=") for line in own] for name, own in lines("created").items()}
    logs = {name: [re.sub(rb"\{\{\(pod=\d+\) ", b"{{", line) for line in own] for name, own in logs.items()}
    assert list(outcomes(logs).values()) == [("created", None)]


@pytest.mark.parametrize("unit", ["devstack@c-vol.service", "cinder-volume", "openstack-cinder-volume.service", "cinder_volume"])
def test_identifier__every_kind__tells_the_service(unit):
    logs = lines("created")
    logs[VOLUME] = [line.replace(b"devstack@c-vol.service", unit.encode()) for line in logs[VOLUME]]
    reading, _ = read_lines({"all.log": logs[API] + logs[SCHEDULER] + logs[VOLUME]})
    (timeline,) = reading.creates()
    assert {f.service for f in timeline.flows} == {"api", "scheduler", "volume"}


def test_pid__missing__is_read_all_the_same():
    logs = {name: [re.sub(rb"\[\d+\]: ", b": ", line, count=1) for line in own] for name, own in lines("created").items()}
    assert list(outcomes(logs).values()) == [("created", None)]


# -- records that go on -------------------------------------------------------------------------------------------------


def failures(logs):
    reading, _ = read_lines(logs)
    return {t.request_id: [(f.service, f.task, f.attempt, f.exception, f.message) for f in t.failures] for t in reading.creates() if t.failures}


def test_failure__with_predecessors_and_traceback__has_its_exception():
    for request, found in failures(lines("driver-failure")).items():
        driver = [f for f in found if f[0] == "volume"]
        assert driver and all(
            f[1:2] + f[3:4] == ("CreateVolumeFromSpecTask", "VolumeBackendAPIException") and "storage volume backend" in f[4] for f in driver
        ), request
        assert [f[2] for f in driver] == list(range(1, len(driver) + 1))


def test_failure__other_processes_in_between__are_not_mixed_up():
    """The lines of two processes, each in its order, dealt like cards."""
    logs = lines("driver-failure")
    noise = [
        record(f"noise {i}", service="volume", pid=99, request=None, logger="cinder.volume.manager", level="ERROR" if i % 2 else "INFO")
        for i in range(len(logs[VOLUME]))
    ]
    dealt = {**logs, VOLUME: [line for pair in zip(logs[VOLUME], noise) for line in pair]}
    assert failures(dealt) == failures(logs)


def test_continuation__in_files_without_prefix__belongs_to_the_record_before():
    at = "2026-11-22 13:43:02.098 11 "
    name = "Task 'cinder.volume.flows.manager.create_volume.CreateVolumeFromSpecTask;volume:create' (11111111-1111-4111-8111-111111111111)"
    head = "cinder.volume.manager [None req-00000000-0000-4000-8000-000000000001 u p - - default default] "
    text = "\n".join(
        [
            f"{at}DEBUG {head}{name} transitioned into state 'RUNNING' from state 'PENDING' _task_receiver /x/logging.py:190",
            f"{at}WARNING {head}{name} transitioned into state 'FAILURE' from state 'RUNNING'",
            "5 predecessors (most recent first):",
            "  Atom 'x;volume:create' {'intention': 'EXECUTE', 'state': 'SUCCESS'}",
            "  |__Flow 'volume_create_manager': cinder.exception.VolumeBackendAPIException: pool is read-only",
            f"{at}ERROR cinder.volume.manager Traceback (most recent call last):",
            f'{at}ERROR cinder.volume.manager   File "x.py", line 1, in f',
            f"{at}ERROR cinder.volume.manager cinder.exception.VolumeBackendAPIException: pool is read-only",
        ]
    )
    reading, _ = read_bytes({"cinder-volume.log": text.encode() + b"\n"})
    (timeline,) = reading.timelines
    assert [(f.exception, f.message) for f in timeline.failures] == [("VolumeBackendAPIException", "pool is read-only")]
    assert reading.unrecognised == 0


def test_result__over_several_records__gives_its_facts_and_no_line_is_lost():
    """A description with newlines and a false request id in it: the rest of the record has nothing but the journal's prefix."""
    reading, verdicts = read_lines(lines("sources"))
    assert reading.unrecognised == 0
    assert all(t.volume_ids for t in reading.creates() if verdicts[t.request_id].outcome.outcome == "created")


# -- the web server's line ----------------------------------------------------------------------------------------------


def test_access__the_only_answer__is_joined_to_its_request():
    reading, verdicts = read_lines(lines("over-quota"))
    answers = [e.kind.row for t in reading.creates() for e in t.events if e.kind.row.startswith("answer")]
    by_status = {}
    for timeline in reading.creates():
        by_status.setdefault(timeline.answer.status, []).append((timeline, verdicts[timeline.request_id].outcome))
    assert {400, 404, 406, 413, 202} <= set(by_status) and None not in by_status
    assert {o.cause for _, o in by_status[406]} == {"not-acceptable"} and {o.cause for _, o in by_status[413]} == {"over-quota"}
    assert sum(len(found) for found in by_status.values()) > len(answers)
    told_by_access = [t for status in (400, 401, 406) for t, _ in by_status.get(status, []) if not any(e.kind.row.startswith("answer") for e in t.events)]
    assert told_by_access and all(t.answer.method == "POST" and t.answer.path for t in told_by_access)


def test_access__every_line_gone__nothing_is_invented():
    logs = {name: [line for line in own if b"]: [pid: " not in line] for name, own in lines("over-quota").items()}
    with_access, without = outcomes(lines("over-quota")), outcomes(logs)
    assert {r: o for r, o in without.items() if o[0] != "unknown"}.items() <= with_access.items()
    assert [o for o in without.values() if o[0] == "unknown"]


def test_access__two_that_fit__joins_none():
    other = "req-00000000-0000-4000-8000-000000000002"
    open_both = [
        record("POST http://c/volume/v3/p/volumes", level="INFO", logger="cinder.api.openstack.wsgi"),
        record("POST http://c/volume/v3/p/volumes", level="INFO", logger="cinder.api.openstack.wsgi", request=other),
    ]
    line = b"Nov 22 13:14:31.000000 controller devstack@c-api.service[7]: [pid: 7|app: 0|req: 1/1] 127.0.0.1 () {60 vars in 1109 bytes} [Sun Nov 22 13:14:31 2026] POST /volume/v3/p/volumes => generated 9 bytes in 6 msecs (HTTP/1.1 406) 6 headers in 1 bytes (1 switches on core 0)"
    assert set(outcomes({API: [*open_both, line]}).values()) == {("unknown", "service-log-missing"), ("unknown", "service-log-missing")} or all(
        o[0] == "unknown" for o in outcomes({API: [*open_both, line]}).values()
    )
    assert outcomes({API: [open_both[0], line]}) == {"req-00000000-0000-4000-8000-000000000001": ("refused", "not-acceptable")}


# -- headers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names, layout, project, user",
    [
        ("admin demo", "devstack", "admin", "demo"),
        ("admin None", "devstack", "admin", None),
        ("my project admin", "devstack", "my project", "admin"),
        ("my]project admin", "devstack", "my]project", "admin"),
        ("u1 p1 - default default", "devstack", "p1", "u1"),
        ("u1 p1 - - -", "devstack", "p1", "u1"),
    ],
)
def test_context__odd_names__are_told_apart(names, layout, project, user):
    reading, _ = read_bytes({API: record("Create volume of 1 GB", level="INFO", logger="cinder.api.v3.volumes", names=names) + b"\n"})
    (timeline,) = reading.creates()
    assert (timeline.project, timeline.user) == (project, user)


@pytest.mark.parametrize(
    "context, own, shared",
    [
        ("req-1 u p", "req-1", None),
        ("req-1 req-2 u p", "req-2", "req-1"),
        ("gNone req-2 u p", "req-2", None),
        ("greq-1 req-2 u p", "req-2", "greq-1"),
        ("None req-2 None None", "req-2", None),
    ],
)
def test_context__one_or_two_ids__the_last_is_the_requests(context, own, shared):
    line = f"Nov 22 13:14:31 h devstack@c-api.service[1]: INFO cinder.api.v3.volumes [{context}] Create volume of 1 GB\n"
    reading, _ = read_bytes({API: line.encode()})
    assert [(t.request_id, t.global_request_id) for t in reading.timelines] == [(own, shared)]


def test_stamps__of_another_width_in_the_same_file__count_for_start_and_end():
    """`short-full` over the end of summer time: CEST, then CET."""
    body = "h cinder-volume[1]: INFO cinder.volume.manager [None req-1 u p] Created volume successfully.\n"
    reading, _ = read_bytes({VOLUME: f"Sun 2018-10-28 02:59:59 CEST {body}Sun 2018-10-28 03:00:00 UTC {body}".encode()})
    (timeline,) = reading.timelines
    assert timeline.end - timeline.start == 1_000_000


def test_message__empty__counts_for_start_and_end():
    line = record("", level="INFO").rstrip()
    reading, _ = read_bytes({API: line + b"\n"})
    (timeline,) = reading.timelines
    assert timeline.start is not None and reading.coverage["api"].last == timeline.end


@pytest.mark.parametrize("level", ["TRACE", "AUDIT", "CRITICAL"])
def test_level__rare__is_a_record(level):
    reading, _ = read_bytes({API: record("hello", level=level) + b"\n"})
    assert len(reading.timelines) == 1 and reading.unrecognised == 0


def test_clock__steps_back_within_a_process__is_told_once_and_order_is_the_files():
    logs = lines("created")
    half = len(logs[API]) // 2
    logs[API] = [line.replace(b"Nov 22 13:14:31", b"Nov 22 08:14:31") if i >= half else line for i, line in enumerate(logs[API])]
    reading, verdicts = read_lines({API: logs[API]})
    assert [d.slug for d in reading.diagnostics if d.slug == "clock-step"] == ["clock-step"]
    (timeline,) = reading.creates()
    assert timeline.duration_us is None and [t.name for t in timeline.flows[0].tasks][-1] == "VolumeCastTask"
    assert not verdicts[timeline.request_id].deviations


def test_clock__milliseconds_back__is_nothing():
    logs = lines("created")
    logs[API][20] = logs[API][20].replace(b"13:14:31.8", b"13:14:31.7")
    reading, verdicts = read_lines(logs)
    assert not [d for d in reading.diagnostics if d.slug == "clock-step"]
    assert not [d for v in verdicts.values() for d in v.deviations]


def test_bytes__no_utf8__are_told_once_with_their_line():
    logs = lines("created")
    for i in (3, 5):
        logs[API][i] = logs[API][i].replace(b"vol-single-1", b"v\xff\xfe")
    reading, _ = read_lines(logs, block=1000)
    assert [d.where.line for d in reading.diagnostics if d.slug == "invalid-bytes"] == [4]


@pytest.mark.parametrize("last", [4, 10, 13, 15, 16, 17, 28])
def test_torn__last_line_cut_anywhere__is_told_and_nothing_deviates(last):
    own = lines("created")[API]
    before = b"\n".join(own[:last]) + b"\n"
    for cut in range(1, len(own[last]) - 2, 7):
        reading, verdicts = read_bytes({API: before + own[last][:cut]})
        assert [d.where.line for d in reading.diagnostics if d.slug == "truncated-file"] == [last + 1], cut
        assert reading.lines == last + 1 and not [d for v in verdicts.values() for d in v.deviations]


@pytest.mark.parametrize("last", [4, 10, 13, 15, 16, 17, 28, 30])
def test_torn__last_line_whole_but_for_its_newline__is_nothing(last):
    reading, _ = read_bytes({API: b"\n".join(lines("created")[API][: last + 1])})
    assert not [d for d in reading.diagnostics if d.slug == "truncated-file"]


@pytest.mark.parametrize("name", FORMATS)
def test_format__every_one__carries_a_whole_request(name):
    """The lines of the sample behind every prefix: the same tasks, the same outcome."""
    fmt, source = FORMATS[name], FORMATS["short-precise"]
    logs = {}
    for file, own in lines("created").items():
        logs[file] = []
        for i, line in enumerate(own):
            found = source.pattern.match(line)
            prefix = fmt.write(1_795_353_271_000_000 + i * 1000, found["host"].decode(), found["unit"].decode(), int(found["pid"]))
            logs[file].append(prefix.encode() + line[found.end() :])
    if name == "oslo":
        logs = {
            f: [re.sub(rb" \{\{\(pid=\d+\) (.*)\}\}$", rb" \1", line) for line in own if re.search(rb" (DEBUG|INFO|WARNING) ", line)] for f, own in logs.items()
        }
    reading, verdicts = read_lines(logs)
    (timeline,) = reading.creates()
    assert verdicts[timeline.request_id].outcome.outcome == "created"
    assert [len(f.tasks) for f in timeline.flows] == [5, 2, 6] and not verdicts[timeline.request_id].deviations
