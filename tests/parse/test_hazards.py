"""What real logs do to parsers, hazard by hazard (docs/hazards.md): one small input of its own each, for what no other test holds."""

import json
import os
import re
import shutil

import pytest
from compared import without
from given import API, SAMPLES, SCHEDULER, VOLUME, creates, deviations, encoded, lines, of_one_request, outcomes, read_lines, record, replaced, transitions

from voltrace.check.judge import judge_all
from voltrace.cli.main import main
from voltrace.parse.engine import read
from voltrace.parse.wrappings import find_wrappings

CREATED = lines("created")
REQUEST = b"req-14375a73-9149-41a5-ba0c-370959432120"
OTHER = b"req-00000000-0000-4000-8000-00000000000f"
VOLUME_ID = "16137011-a2b2-4db1-89c1-7270e0dd98b0"
WHOLE = [5, 2, 6]


def each(change, logs=CREATED):
    """The logs with every line changed."""
    return {name: [change(line) for line in own] for name, own in logs.items()}


def the(logs):
    """The one create request of these logs, and its verdict."""
    reading, verdicts = read_lines(logs)
    (timeline,) = reading.creates()
    return timeline, verdicts[timeline.request_id]


def read_files(folder, logs):
    """The reading of these lines as files, and the verdicts."""
    for name, own in logs.items():
        (folder / name).write_bytes(b"".join(line + b"\n" for line in own))
    reading = read([str(folder)])
    return reading, judge_all(reading)


def is_whole(timeline, verdict):
    """Whether everything of the sample's request is there, and nothing else."""
    return verdict.outcome.outcome == "created" and [len(f.tasks) for f in timeline.flows] == WHOLE and not verdict.deviations


def find(own, *words):
    """Index of the first line with all these words."""
    return next(i for i, line in enumerate(own) if all(word in line for word in words))


def again(logs=CREATED, at=b"Nov 22 15:", ending=b"eeee"):
    """The logs two hours later: another request, with other uuids."""
    return each(lambda line: re.sub(rb"(-[0-9a-f]{8})[0-9a-f]{4}\b", rb"\1" + ending, line).replace(b"Nov 22 13:", at), logs)


# -- 1, 2: two flows at once, and many -------------------------------------------------------------------------------------


def test_reschedule__next_attempt_begins_in_the_old_ones_revert__each_task_is_in_its_own_flow():
    """The first scheduler flow of the second attempt, and the volume's, stand before the last line of the first attempt."""
    logs = of_one_request(lines("driver-failure"))
    own = logs[VOLUME]
    last = find(own, b"Flow 'volume_create_manager'", b"'REVERTED'")
    begun = next(i for i in range(last, len(own)) if b"Flow 'volume_create_manager'" in own[i] and b"'RUNNING'" in own[i])
    late = own[last].replace(own[last][:22], own[begun][:22])
    timeline, verdict = the({**logs, VOLUME: [*own[:last], *own[last + 1 : begun + 3], late, *own[begun + 3 :]]})
    assert [(f.service, f.attempt, f.state) for f in timeline.flows if f.service == "volume"] == [("volume", n, "REVERTED") for n in (1, 2, 3)]
    assert {len(f.tasks) for f in timeline.flows if f.service == "volume"} == {5} and not verdict.deviations


def test_attempts__four_scheduler_flows_and_three_of_volumes__are_told_apart_by_uuid():
    timeline, _ = the(of_one_request(lines("driver-failure")))
    found = [(f.service, f.attempt) for f in timeline.flows]
    assert sorted(found) == [("api", 1), *(("scheduler", n) for n in (1, 2, 3, 4)), *(("volume", n) for n in (1, 2, 3))]
    assert len({f.uuid for f in timeline.flows}) == len(found)


# -- 4, 5, 6: clocks -------------------------------------------------------------------------------------------------------


def test_receipt__before_the_casting_task_is_done__is_no_deviation_and_no_step():
    """The scheduler's first line 21 ms before the end of the API's VolumeCastTask."""
    at = find(CREATED[API], b"VolumeCastTask", b"'SUCCESS'")
    late = [line.replace(b"13:14:31.903563", b"13:14:31.955563") if i >= at else line for i, line in enumerate(CREATED[API])]
    timeline, verdict = the({**CREATED, API: late})
    assert is_whole(timeline, verdict) and not timeline.diagnostics
    assert all(h.bounds_us and h.bounds_us[0] >= 0 for h in timeline.handoffs)


def test_clock__forward_by_a_suspended_machine__order_stays_and_nothing_deviates():
    half = len(CREATED[VOLUME]) // 2
    late = [line.replace(b"Nov 22 13:14", b"Nov 22 21:14") if i >= half else line for i, line in enumerate(CREATED[VOLUME])]
    assert is_whole(*the({**CREATED, VOLUME: late}))


def test_clock__back_by_milliseconds_in_a_merge_of_processes__nothing_deviates():
    own = CREATED[VOLUME]
    at = find(own, b"ExtractVolumeSpecTask", b"'SUCCESS'")
    early = record("Running periodic task", service="volume", pid=3504, logger="oslo_service.periodic_task", request=None, at="Nov 22 13:14:32.090000")
    timeline, verdict = the({**CREATED, VOLUME: [*own[: at + 1], early, *own[at + 1 :]]})
    assert is_whole(timeline, verdict) and not timeline.diagnostics


NOTES = [
    b"-- Logs begin at Sun 2026-11-22 13:00:00 UTC, end at Sun 2026-11-22 16:00:00 UTC. --",
    b"-- Journal begins at Sun 2026-11-22 13:00:00 UTC, ends at Sun 2026-11-22 16:00:00 UTC. --",
    b"-- Boot 0123456789abcdef0123456789abcdef --",
    b"-- Reboot --",
    b"-- No entries --",
]


@pytest.mark.parametrize("note", NOTES)
def test_journals_own_lines__in_mid_file__are_no_text_of_a_record_and_known(note):
    logs = {name: [text for line in own for text in (note, line)] for name, own in CREATED.items()}
    reading, verdicts = read_lines(logs)
    (timeline,) = reading.creates()
    assert is_whole(timeline, verdicts[timeline.request_id]) and reading.unrecognised == 0


@pytest.mark.parametrize(("first", "second", "years"), [(b"Mar  2 13:", b"Nov 22 15:", [2026, 2026]), (b"Nov 22 13:", b"Mar  2 15:", [2026, 2027])])
@pytest.mark.parametrize("note", [b"-- Reboot --", b"-- Boot 0123456789abcdef0123456789abcdef --"])
def test_gap__of_months_with_a_boot_in_it__each_request_has_its_year(note, first, second, years):
    then, now = each(lambda line: line.replace(b"Nov 22 13:", first)), again(at=second)
    reading, verdicts = read_lines({name: [*then[name], note, *now[name]] for name in CREATED})
    found = list(reading.creates())
    assert all(is_whole(t, verdicts[t.request_id]) for t in found)
    assert [t.start // 1_000_000 // 86400 // 365.25 + 1970 for t in found] == years


def test_rotated__with_dates_and_packed__is_one_log_whatever_the_order(tmp_path):
    import gzip

    own = CREATED[API]
    (tmp_path / "c-api.log-20181011.gz").write_bytes(gzip.compress(b"\n".join(own[:12]) + b"\n"))
    (tmp_path / "c-api.log-20181012").write_bytes(b"\n".join(own[12:20]) + b"\n")
    reading, verdicts = read_files(tmp_path, {**CREATED, API: own[20:]})
    (timeline,) = reading.creates()
    assert is_whole(timeline, verdicts[timeline.request_id])


# -- 7, 8, 10: who wrote it, and for whom ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "shared"),
    [
        (b"req-00000000-0000-4000-8000-00000000000e ", "req-00000000-0000-4000-8000-00000000000e"),
        (b"greq-00000000-0000-4000-8000-00000000000e ", "greq-00000000-0000-4000-8000-00000000000e"),
        (b"gNone ", None),
        (b"None ", None),
        (b"", None),
    ],
)
def test_two_ids__shared_by_all_calls_of_a_boot__requests_stay_apart(ids, shared):
    """Twenty requests of one global id, as an instance boot makes them."""
    logs = each(lambda line: re.sub(rb"\[None (req-)", b"[" + ids + rb"\1", line), lines("sequential"))
    reading, verdicts = read_lines(logs)
    found = list(reading.creates())
    assert len(found) == 20 and {t.global_request_id for t in found} == {shared}
    assert all(is_whole(t, verdicts[t.request_id]) for t in found)


def test_answer__under_another_id_than_the_post__is_the_posts_and_no_request_of_its_own():
    logs = each(
        lambda line: re.sub(rb"req-[0-9a-f]{8}", b"req-00000000", line, count=1) if b"returned with HTTP 202" in line else line,
        lines("sequential"),
    )
    reading, verdicts = read_lines(logs)
    found = list(reading.creates())
    assert sorted(t.request_id for t in found) == sorted(creates(lines("sequential")))
    assert all(t.answer.status == 202 and is_whole(t, verdicts[t.request_id]) for t in found)


def test_pid__of_the_parent_in_the_journal__worker_in_the_suffix__access_lines_find_their_requests():
    logs = each(lambda line: re.sub(rb"c-api\.service\[\d+\]", b"c-api.service[1]", line), lines("over-quota"))
    told, expected = (read_lines(own)[0] for own in (logs, lines("over-quota")))
    answers = [{t.request_id: t.answer for t in reading.creates()} for reading in (told, expected)]
    assert answers[0] == answers[1] and None not in {a.status for a in answers[0].values()}


STARTED = record(
    "Starting cinder-volume node (version 29.0.0)",
    at="Nov 22 14:00:00.000000",
    level="INFO",
    logger="cinder.service",
    service="volume",
    pid=3479,
    request=None,
)


def test_pid__used_again_after_a_restart_or_by_another_service__requests_stay_whole():
    swapped = each(lambda line: re.sub(rb"\b(3079|3479)\b", lambda m: b"3479" if m[1] == b"3079" else b"3079", line), again(at=b"Nov 22 17:", ending=b"dddd"))
    same = again()
    logs = {name: [*CREATED[name], *([STARTED] if name == VOLUME else []), *same[name], *swapped[name]] for name in CREATED}
    reading, verdicts = read_lines(logs)
    found = list(reading.creates())
    assert len(found) == 3 and all(is_whole(t, verdicts[t.request_id]) for t in found)


def test_pid__used_again_by_a_restarted_service__does_not_go_on_with_what_hung():
    cut = next(i for n, i, what, new, _ in transitions(CREATED) if (n, what, new) == (VOLUME, "CreateVolumeFromSpecTask", "RUNNING"))
    later = again()
    found = outcomes({**{n: [*CREATED[n], *later[n]] for n in (API, SCHEDULER)}, VOLUME: [*CREATED[VOLUME][: cut + 1], STARTED, *later[VOLUME]]})
    assert list(found.values()) == [("stuck", "service-stopped"), ("created", None)]


BOOTED = [b"-- Reboot --", b"-- Boot 0123456789abcdef0123456789abcdef --"]


@pytest.mark.parametrize(("pid", "without_it"), [(b"3479", ("stuck", None)), (b"977", ("unknown", "log-ends"))])
@pytest.mark.parametrize("note", BOOTED)
def test_boot__in_mid_request__what_was_at_work_has_stopped(note, pid, without_it):
    """Whether the service has its old process id afterwards or another one; a service that says nothing of its start, too."""
    cut = next(i for n, i, what, new, _ in transitions(CREATED) if (n, what, new) == (VOLUME, "CreateVolumeFromSpecTask", "RUNNING"))
    after = each(lambda line: re.sub(rb"\b3479\b", pid, line), again())
    for notes, first in (([note], ("stuck", "service-stopped")), ([], without_it)):
        logs = {n: [*(CREATED[n][: cut + 1] if n == VOLUME else CREATED[n]), *notes, *after[n]] for n in CREATED}
        reading, verdicts = read_lines(logs)
        assert [(v.outcome.outcome, v.outcome.cause) for v in verdicts.values() if v.request_id in {t.request_id for t in reading.creates()}] == [
            first,
            ("created", None),
        ]
        reused = [d.message for d in reading.diagnostics if d.slug == "pid-reused"]
        assert any(" 3479 " in message for message in reused) == (bool(notes) and pid == b"3479")
        assert {d.where.line - 1 for d in reading.diagnostics if d.slug == "service-restarted"} == (
            {cut + 1, *(len(CREATED[n]) for n in (API, SCHEDULER))} if notes else set()
        )


@pytest.mark.parametrize("note", [*BOOTED, b"-- Bootstrapped --", b"-- Boot of the ship --"])
def test_boot__told_where_nothing_can_have_been_booted__stops_nothing(note):
    """At the beginning and end of a log, in a service's own file, and in words that only look so."""
    for logs in (
        {name: [note, *own, note] for name, own in CREATED.items()},
        {name: [t for line in own for t in (line, note)] for name, own in lines("created-oslo").items()},
    ):
        timeline, verdict = the(logs)
        assert is_whole(timeline, verdict)
    half = len(CREATED[VOLUME]) // 2
    reading, _ = read_lines({**CREATED, VOLUME: [*CREATED[VOLUME][:half], note, *CREATED[VOLUME][half:]]})
    assert any(d.slug == "pid-reused" for d in reading.diagnostics) is False


def test_message__that_quotes_another_request_and_its_volume__says_nothing_of_that():
    quoting = record(
        f"Volume {VOLUME_ID}: create failed, asked for by {REQUEST.decode()}",
        at="Nov 22 13:14:32.100000",
        level="ERROR",
        logger="cinder.volume.flows.manager.create_volume",
        service="volume",
        pid=3485,
        request="req-00000000-0000-4000-8000-0000000000bb",
        names="None None",
    )
    own = CREATED[VOLUME]
    reading, verdicts = read_lines({**CREATED, VOLUME: [*own[:12], quoting, *own[12:]]})
    timeline = next(t for t in reading.creates() if t.request_id == REQUEST.decode())
    assert is_whole(timeline, verdicts[timeline.request_id]) and not timeline.failures


def test_request_filter__the_only_line_with_none_none__does_not_name_the_user():
    timeline, _ = the(CREATED)
    first = CREATED[API][0]
    assert b"None None] RequestId filter calling" in first and (timeline.project, timeline.user) == ("admin", "admin")
    reading, _ = read_lines({API: [first]})
    assert [t.operation for t in reading.timelines] == ["other"] and not list(reading.creates())


def test_periodic_tasks__with_ids_of_their_own__are_no_create_requests():
    reading, _ = read_lines({VOLUME: [line for line in CREATED[VOLUME] if b"None None]" in line]})
    assert len(reading.timelines) == 2 and not list(reading.creates())


# -- 13, 14, 15: records that go on, and what looks like their end ----------------------------------------------------------


def test_traceback__indented_to_the_prefix__is_its_records():
    """As journalctl shows a message of several lines."""
    logs = of_one_request(lines("driver-failure"))
    at = find(logs[VOLUME], b"'FAILURE' from state 'RUNNING'")
    own = logs[VOLUME]
    width = own[at].index(b"]: ") + 3
    end = next(i for i in range(at + 1, len(own)) if re.match(rb"(?:DEBUG|INFO|WARNING|ERROR) \S+ \[", own[i][width:]))
    indented = [b" " * width + line[width:] for line in own[at + 1 : end]]
    assert indented
    changed, plain = (the({**logs, VOLUME: [*own[: at + 1], *rest, *own[end:]]})[0] for rest in (indented, own[at + 1 : end]))
    assert [(f.exception, f.message) for f in changed.failures] == [(f.exception, f.message) for f in plain.failures]


def test_record__split_by_old_journald_at_2048_bytes__is_one():
    """The prefix before each part, and nothing else."""

    def split(line):
        cut = line.index(b"]: ") + 3
        prefix, text = line[:cut], line[cut:]
        return [prefix + text[i : i + 2048] for i in range(0, len(text), 2048)]

    long = each(lambda line: line.replace(b"'display_name': ", b"'display_description': '" + b"d" * 3000 + b"', 'display_name': "))
    parts = {name: [part for line in own for part in split(line)] for name, own in long.items()}
    assert sum(map(len, parts.values())) > sum(map(len, CREATED.values())), "nothing was split"
    timeline, verdict = the(parts)
    assert is_whole(timeline, verdict) and timeline.volume_ids == (VOLUME_ID,)


def test_result__with_quotes_braces_and_calls_nested__is_the_tasks():
    nasty = b"{'a': \"it's }} {{\", 'b': datetime.datetime(2026, 11, 22, 13, 14), 'c': OrderedDict([('x', <?>)]), 'd': Volume(name='}}'), "
    logs = each(lambda line: line.replace(b" with result '{", b" with result '" + nasty))
    timeline, verdict = the(logs)
    assert is_whole(timeline, verdict) and timeline.volume_ids == (VOLUME_ID,)


def test_task_name__with_blanks_and_a_notification__is_the_class_name():
    logs = each(
        lambda line: re.sub(rb"(NotifyVolumeActionTask|CreateVolumeOnFinishTask);volume:create(?:, create\.\w+)?", rb"\1;volume:create, create.start", line)
    )
    timeline, verdict = the(logs)
    assert is_whole(timeline, verdict) and any(b"create.start" in line for line in logs[VOLUME])
    assert {"NotifyVolumeActionTask", "CreateVolumeOnFinishTask"} <= {t.name for t in timeline.flows[2].tasks}


def test_braces__of_json_in_a_message__are_no_debug_suffix():
    body = '{"volume": {"name": "x", "size": 2, "metadata": {"a": {"b": {}}}}}'
    asked = record("POST http://c/volume/v3/p/volumes", level="INFO", logger="cinder.api.openstack.wsgi")
    reading, _ = read_lines({API: [asked, record(f"Action: 'create', calling method: create, body: {body}", logger="cinder.api.openstack.wsgi")]})
    (timeline,) = reading.creates()
    assert (timeline.name, timeline.size_gb) == ("x", 2)


# -- 16: colours -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("escape", [b"#033", b"^[", b"ESC", rb"\x1b", rb"\033", b""], ids=["syslog", "caret", "less", "hex", "octal", "lost"])
def test_colours__written_or_lost_escapes__are_taken_out(tmp_path, escape):
    """Inside the brackets, before the message, before the suffix and at the line's end."""
    reading, verdicts = read_files(tmp_path, each(lambda line: line.replace(b"\x1b", escape), lines("created-colour")))
    (timeline,) = reading.creates()
    assert is_whole(timeline, verdicts[timeline.request_id]) and reading.unrecognised == 0
    assert (timeline.project, timeline.user, timeline.name) == ("admin", "admin", "vol-single-1")


def test_colours__that_a_few_messages_quote__change_no_line():
    own = [record(f"^[[01;36mx {n}^[[00m", level="INFO") for n in range(3)]
    assert find_wrappings(b"\n".join([*CREATED[API], *own])) == []


# -- 17: INFO --------------------------------------------------------------------------------------------------------------


def test_info__failures_without_running__are_told_and_nothing_is_missing():
    logs = {name: [line for line in own if b"]: DEBUG " not in line] for name, own in lines("driver-failure").items()}
    reading, verdicts = read_lines(logs)
    failed = [t for t in reading.creates() if verdicts[t.request_id].outcome.outcome == "failed"]
    assert len(failed) == 4 and all({f.exception for f in t.failures if f.service == "volume"} == {"VolumeBackendAPIException"} for t in failed)
    assert not any(v.deviations for v in verdicts.values())
    assert all(task.start is None and task.bounds_us is None for t in failed for f in t.flows for task in f.tasks)


# -- 18: contexts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "project", "user"),
    [
        (b"%s u p", "u", "p"),
        (b"%s u p - - -", "p", "u"),
        (b"%s u p - default default", "p", "u"),
        (b"None %s u p - - - -", "p", "u"),
        (b"None %s p u", "p", "u"),
        (b"None %s None None", None, None),
        (b"None %s c0a7b6a1a8b84d3c8d1c0f9b3e5e7a11 1267940cac525338b44cab067db63cea", "c0a7b6a1a8b84d3c8d1c0f9b3e5e7a11", "1267940cac525338b44cab067db63cea"),
        (b"None %s the big project u", "the big project", "u"),
        (b"None %s p]x u", "p]x", "u"),
        (b"None %s p [u]", "p", "[u]"),
    ],
)
def test_context__of_every_kind__carries_whole_requests(context, project, user):
    logs = each(lambda line: re.sub(rb"None (req-[0-9a-f-]{36}) admin \w+\]", lambda m: context % m[1] + b"]", line), lines("sequential"))
    reading, verdicts = read_lines(logs)
    found = list(reading.creates())
    assert len(found) == 20 and all(is_whole(t, verdicts[t.request_id]) for t in found)
    assert {(t.project, t.user) for t in found} == {(project, user)}


def test_context__of_nobody__is_no_request():
    reading, _ = read_lines({API: [record("Loaded extension: os-hosts", request=None)]})
    assert reading.timelines == [] and reading.unrecognised == 0


# -- 19: pages and pastes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 132, 200, 300])
@pytest.mark.parametrize("case", ["created", "created-oslo", "driver-failure"])
def test_wrapped__at_a_width__is_the_log_that_it_was(tmp_path, case, width):
    """In words, task names, uuids and request ids alike."""
    logs = {name: [line[i : i + width] for line in own for i in range(0, max(1, len(line)), width)] for name, own in lines(case).items()}
    reading, verdicts = read_files(tmp_path, logs)
    shutil.copytree(SAMPLES / case, tmp_path / "plain")
    whole = read([str(tmp_path / "plain")])
    expected = judge_all(whole)
    told = [
        {
            t.request_id: (v[t.request_id].outcome, [(f.uuid, f.state, len(f.tasks)) for f in t.flows], t.name, t.volume_ids, len(t.failures))
            for t in r.creates()
        }
        for r, v in ((reading, verdicts), (whole, expected))
    ]
    assert told[0] == told[1] and reading.unrecognised == 0 and not any(v.deviations for v in verdicts.values())


@pytest.mark.parametrize("broken", [b"'cinder.volume.flows.api.create_volume.QuotaRes", b"volume:cre", b"' (314ea7", b"transitioned into st", b"'RUNNI"])
@pytest.mark.parametrize("indent", [b"", b"    "])
def test_record__broken_inside_a_name_or_uuid__is_the_transition(broken, indent):
    at = find(CREATED[API], b"QuotaReserveTask", b"'RUNNING' from")
    line = CREATED[API][at]
    cut = line.index(broken) + len(broken)
    timeline, verdict = the(replaced(CREATED, API, at, line[:cut], indent + line[cut:]))
    assert is_whole(timeline, verdict) and timeline.flows[0].tasks[1].uuid.startswith("314ea763")


HEAD = re.compile(rb"(?<=[ ])(?:DEBUG|INFO) \S+ \[[^\]]+\]")


@pytest.mark.parametrize(("indent", "trimmed"), [(b"", False), (b"    ", False), (b"", True), (b"        ", True)])
@pytest.mark.parametrize("case", ["created", "created-oslo", "created-short"])
def test_head__broken_over_two_lines_anywhere__is_the_records(case, indent, trimmed):
    """In every record at once, at another place in each; who broke it may have put the break for a blank."""
    logs = lines(case)
    expected = told_of(logs)
    for share in (0, 0.13, 0.31, 0.52, 0.77, *(() if trimmed else (0.99,))):
        broken = {}
        for name, own in logs.items():
            broken[name] = out = []
            for line in own:
                head = HEAD.search(line[:300])
                at = head and head.start() + 1 + int((len(head[0]) - 2) * share)
                if at and trimmed:  # at the nearest blank
                    at = line.index(b" ", at)
                out += [line[:at], indent + line[at:].lstrip() if trimmed else indent + line[at:]] if at and line[at - 1 : at] != b"]" else [line]
        assert sum(map(len, broken.values())) > sum(map(len, logs.values()))
        names = {"project", "user"} if trimmed else set()  # between which the blank may be gone
        assert without(told_of(broken), names) == without(expected, names), share


@pytest.mark.parametrize("behind", [b"", b"Traceback", b"[SQL: SELECT 1] (Background on this error)", b"x] y", b"-- Reboot --"])
def test_head__that_does_not_go_on__is_no_record(behind):
    own = CREATED[API]
    odd = own[5].split(b"DEBUG ")[0] + b"ERROR cinder.volume.api "
    timeline, verdict = the({**CREATED, API: [*own[:20], odd, *([behind] if behind else []), *own[20:]]})
    assert is_whole(timeline, verdict) and not timeline.failures


RECORD = re.compile(rb"(?:DEBUG|INFO|WARNING|ERROR) [\w.]+ \[|\]: \[pid: ")
# Messages in which anything may stand, so that a record behind them is not certain.
OPEN = re.compile(rb"thread info|oslo_concurrency.processutils|Exception|exception|Acquiring|Lock ")
NAMELESS = {"where", "message", "lines"}


def glue(own, which):
    """The lines of a log without the newlines behind those records of which ``which`` accepts the number, if a record comes next."""
    ends = [
        b"" if which(i) and RECORD.search(own[i][:150]) and RECORD.search(own[i + 1][:150]) and not OPEN.search(own[i]) else b"\n" for i in range(len(own) - 1)
    ]
    return b"".join(line + end for line, end in zip(own, [*ends, b""])).split(b"\n")


def told_of(logs):
    return without(list(encoded(*read_lines(logs))[:2]), NAMELESS)


@pytest.mark.parametrize("which", [lambda i: i % 2, lambda i: i % 2 == 0, lambda i: True], ids=["odd", "even", "all"])
@pytest.mark.parametrize("case", ["created", "created-2023-1", "created-oslo", "created-short", "created-iso", "created-threads"])
def test_glued__records_on_one_line__are_all_read(case, which):
    """In every prefix; behind transitions, results, messages that the catalogue knows, and lines of the web server."""
    logs = lines(case)
    glued = {name: glue(own, which) for name, own in logs.items()}
    assert sum(map(len, glued.values())) < 0.6 * sum(map(len, logs.values()))
    assert told_of(glued) == told_of(logs)


@pytest.mark.parametrize("case", ["no-valid-backend", "over-quota", "driver-failure", "sources"])
def test_glued__to_any_transition__is_read(case):
    """Also behind failures and reverts, which are warnings without a tail."""
    logs = lines(case)
    glued = {name: glue(own, lambda i, own=own: b" transitioned into state " in own[i]) for name, own in logs.items()}
    assert glued != logs and told_of(glued) == told_of(logs)


@pytest.mark.parametrize("glued", ["POST http", "HTTP 202", "[pid: "])
def test_glued__what_was_asked_and_answered__is_known(glued):
    """The API's line of the POST, its answer and the web server's line with what comes next."""
    timeline, _ = the(CREATED)
    at = find(CREATED[API], glued.encode())
    own = CREATED[API] if at + 1 < len(CREATED[API]) else [*CREATED[API], record("Loaded extension: os-hosts", at="Nov 22 13:14:33.000000", request=None)]
    told, verdict = the({**CREATED, API: glue(own, lambda i: i == at)})
    assert is_whole(told, verdict) and told.answer == timeline.answer
    assert len(glue(own, lambda i: i == at)) < len(own)


def test_glued__inside_a_containers_log__both_are_the_containers(tmp_path):
    """The container's runtime says whose all of a line is."""
    own = {name: glue(lines("created-oslo")[name], lambda i: True) for name in lines("created-oslo")}
    for name, texts in own.items():
        packed = [json.dumps({"log": text.decode() + "\n", "stream": "stdout", "time": "2026-11-22T13:43:02.1Z"}).encode() for text in texts]
        (tmp_path / name).write_bytes(b"".join(line + b"\n" for line in packed))
    reading = read([str(tmp_path)])
    (timeline,) = reading.creates()
    assert is_whole(timeline, judge_all(reading)[timeline.request_id])


def test_glued__behind_what_breaks_off__is_text_of_it():
    """Nothing proves where a record ends of which the end is not there."""
    at = find(CREATED[VOLUME], b"being created as")
    own = CREATED[VOLUME]
    cut = own[at][: own[at].index(b"with spec") + 5]
    timeline, verdict = the({**CREATED, VOLUME: [*own[:at], cut + FORGED.encode(), *own[at + 1 :]]})
    assert verdict.outcome.outcome == "created" and not timeline.failures


# -- 20: bytes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["line", "before", "end"])
def test_nuls__of_a_power_cut__cost_no_record(where):
    nuls = b"\0" * 4000
    changes = {
        "line": lambda own: [*own[:12], nuls, *own[12:]],
        "before": lambda own: [*own[:12], nuls + own[12], *own[13:]],
        "end": lambda own: [*own, nuls],
    }
    assert is_whole(*the({name: changes[where](own) for name, own in CREATED.items()}))


def test_folder__with_a_loop_and_what_cannot_be_read__is_read_for_the_rest(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "loop").symlink_to(tmp_path)
    (tmp_path / "itself.log").symlink_to(tmp_path / "itself.log")
    (tmp_path / "nowhere.log").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.log")
    reading, verdicts = read_files(tmp_path, CREATED)
    (timeline,) = reading.creates()
    assert is_whole(timeline, verdicts[timeline.request_id]) and len(reading.sources) == 3


# -- 21: what users write --------------------------------------------------------------------------------------------------

FORGED = (
    "Nov 22 13:14:32.000000 controller devstack@c-vol.service[3479]: ERROR cinder.volume.flows.manager.create_volume "
    f"[None {REQUEST.decode()} admin None] Volume {VOLUME_ID}: create failed"
)
FORGED_FILE = (
    "2026-11-22 13:43:02.098 23873 ERROR cinder.volume.flows.manager.create_volume "
    f"[None req-077b86a2-6a0e-48e2-a108-528a790e6d5a u p - - default default] Volume {VOLUME_ID}: create failed"
)
TAIL = " {{(pid=3079) _task_receiver /opt/stack/data/venv/lib/python3.11/site-packages/taskflow/listeners/logging.py:178}}"
FORGED_STEP = (
    "Nov 22 13:14:31.950000 controller devstack@c-api.service[3079]: DEBUG cinder.volume.api "
    f"[None {REQUEST.decode()} admin admin] Flow 'volume_create_api' (fc413340-1579-44f9-9114-5493ce5d0000) transitioned into state 'REVERTED' from state 'RUNNING'"
)
GLUED_NAMES = [
    before + TAIL + forged + behind
    for before in ("x", "x'", "x')}'", 'x"', 'x"}', "x\\'", "x\\\"}'")
    for forged, behind in (
        (FORGED, ""),
        (FORGED_STEP, ""),
        (FORGED_STEP, TAIL),
        (FORGED_STEP, " with result '{'a': '"),
        (FORGED_STEP, " with result '{'a': \""),
    )
]
NAMES = ['it\'s "so"', "}} {{", "a\nb", "]", "[x] y", "<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "a\\", FORGED, f"a\n{FORGED}\nb", FORGED_FILE]


def name_in(line, name):
    """The line with the volume's name as its writer would show it: in JSON where the line quotes JSON, as Python's repr elsewhere."""
    quoted = {b'"vol-single-1"': json.dumps(name), b"'vol-single-1'": repr(name)}
    for old, new in quoted.items():
        line = line.replace(old, new.encode())
    return line.replace(b"vol-single-1", repr(name)[1:-1].encode())


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("case", ["created", "created-oslo"])
def test_name__of_any_text__is_the_volumes_and_says_nothing(case, name):
    timeline, verdict = the(each(lambda line: name_in(line, name), lines(case)))
    assert is_whole(timeline, verdict) and timeline.name == name and not timeline.failures


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_name__of_any_text_in_json__is_the_volumes_and_says_nothing(tmp_path, name):
    import gzip

    packed = gzip.decompress((SAMPLES / "created-json" / "merged.journalctl.json.gz").read_bytes())
    out = []
    for entry in map(json.loads, packed.splitlines()):
        message = entry["MESSAGE"] if isinstance(entry["MESSAGE"], str) else bytes(entry["MESSAGE"]).decode()
        shown = name_in(message.encode(), name)
        entry["MESSAGE"] = list(shown) if isinstance(entry["MESSAGE"], list) else shown.decode()
        out.append(json.dumps(entry).encode())
    reading, verdicts = read_files(tmp_path, {"merged.json.log": out})
    (timeline,) = reading.creates()
    assert is_whole(timeline, verdicts[timeline.request_id]) and not timeline.failures


@pytest.mark.parametrize("name", GLUED_NAMES, ids=range(len(GLUED_NAMES)))
@pytest.mark.parametrize("escaped", [True, False])
def test_name__with_the_end_of_a_record_and_another_behind_it__is_no_glued_line(name, escaped):
    """Cinder's objects show their texts in quotes, and do not escape those inside."""
    quoted = [b"display_name='vol-single-1'", b"display_name='" + name.encode() + b"'"]
    logs = each(lambda line: name_in(line if escaped else line.replace(*quoted), name))
    timeline, verdict = the(logs)
    assert is_whole(timeline, verdict) and timeline.name == name and not timeline.failures


@pytest.mark.parametrize("pid", [b"23873", b"11"], ids=["own-pid", "another-pid"])
@pytest.mark.parametrize("forged", [1, 2])
def test_name__with_newlines_in_a_file__its_lines_are_suspected_and_not_counted(pid, forged):
    """oslo.log writes newlines as they are: what stands behind one may look like a record of any process."""
    logs = lines("created-oslo")
    own = logs[API]
    at = find(own, b"calling method: create, body: ")
    cut = own[at].index(b"vol-single-1")
    fake = FORGED_FILE.encode().replace(b" 23873 ", b" " + pid + b" ")
    timeline, verdict = the({**logs, API: [*own[:at], own[at][:cut] + b"a", *[fake] * forged, b"b" + own[at][cut:], *own[at + 1 :]]})
    assert is_whole(timeline, verdict) and not timeline.failures
    assert [d.where.line for d in timeline.diagnostics if d.slug == "forged-line-suspected"] == [at + 2 + k for k in range(forged)]


# -- 22 to 29: what it means -----------------------------------------------------------------------------------------------


def test_no_valid_backend__task_and_flow_end_well__the_volume_is_in_error():
    logs = of_one_request(lines("no-valid-backend"))
    timeline, verdict = the(logs)
    scheduler = next(f for f in timeline.flows if f.service == "scheduler")
    assert scheduler.state == "SUCCESS" and {t.state for t in scheduler.tasks} == {"SUCCESS"}
    assert (verdict.outcome.outcome, verdict.outcome.cause, verdict.outcome.final_status) == ("failed", "no-valid-backend", "error")
    assert not verdict.deviations


def test_cast__that_fails__leaves_the_volume_creating(tmp_path):
    assert main(["simulate", "-o", str(tmp_path), "--scenario", "10_rpcfail", "--requests", "1", "--seed", "3"]) == 0
    reading = read([str(tmp_path / name) for name in (API, SCHEDULER, VOLUME) if (tmp_path / name).stat().st_size])
    ((request, verdict),) = judge_all(reading).items()
    assert (verdict.outcome.outcome, verdict.outcome.cause, verdict.outcome.final_status) == ("failed", "message-not-sent", "creating")
    (timeline,) = reading.creates()
    assert [f.task for f in timeline.failures][:1] == ["VolumeCastTask"] and not verdict.deviations


@pytest.mark.parametrize(("result", "outcome", "status"), [(b"True", "unknown", None), (b"False", "failed", "error")])
def test_revert__of_the_rescheduling_task__true_is_sent_back_and_false_is_error(result, outcome, status):
    """The first attempt alone: what its revert says is all that there is of what came of it."""
    logs = of_one_request(lines("driver-failure"))
    own = logs[VOLUME]
    second = [i for i, line in enumerate(own) if b"Volume reschedule parameters" in line][1]
    first = set(re.findall(rb"\(([0-9a-f-]{36})\) transitioned", b"".join(own[:second])))
    told = own[:second] + [line for line in own[second:] if first & set(re.findall(rb"\(([0-9a-f-]{36})\) transitioned", line))]
    told = [line.replace(b"with result 'True'", b"with result '" + result + b"'") for line in told]
    scheduler = logs[SCHEDULER][: find(logs[SCHEDULER], b"Flow 'volume_create_scheduler'", b"'SUCCESS'") + 1]
    timeline, verdict = the({**logs, SCHEDULER: scheduler, VOLUME: told})
    assert (verdict.outcome.outcome, verdict.outcome.final_status) == (outcome, status)
    assert [h.attempt for h in timeline.handoffs if h.sender == "volume"] == ([2] if result == b"True" else [])


def test_refusal__answered_by_another_logger_than_the_202__is_an_answer():
    logs = lines("over-quota")
    loggers = {
        status: {line.split(b" [")[0].rsplit(b" ", 1)[1] for line in logs[API] if b"returned with HTTP " + status in line} for status in (b"202", b"413")
    }
    assert not loggers[b"202"] & loggers[b"413"]
    without = {name: [line for line in own if b"]: [pid: " not in line] for name, own in logs.items()}
    reading, verdicts = read_lines(without)
    refused = [t for t in reading.creates() if t.answer.status == 413]
    assert len(refused) == 11 and {verdicts[t.request_id].outcome.cause for t in refused} == {"over-quota"}


def test_end__of_the_log_at_any_step__is_no_hang():
    for name, at, *_ in transitions(CREATED):
        (found,) = outcomes({name: CREATED[name][: at + 1]}).values()
        assert found[0] in ("unknown", "created"), (name, at, found)
    assert not deviations({VOLUME: CREATED[VOLUME][:14]})


@pytest.mark.parametrize("said", [[], [b"SIGPIPE: writing to a closed pipe/socket/fd (probably the client disconnected) on request /x (ip 127.0.0.1) !!!"]])
def test_client__that_gave_up_before_the_answer__the_volume_is_created(said):
    """No 202 and no access line: the worker's reply found nobody."""
    prefix = CREATED[API][-1].split(b"[pid: ")[0]
    own = [line for line in CREATED[API] if b"returned with HTTP" not in line and b"]: [pid: " not in line]
    timeline, verdict = the({**CREATED, API: [*own, *(prefix + text for text in said)]})
    assert is_whole(timeline, verdict) and timeline.answer.status is None


def test_journal__that_dropped_records__proves_neither_loss_nor_hang():
    """The volume service's log goes on, the request's lines are not in it, and the journal says that it dropped some."""
    prefix = CREATED[VOLUME][0].split(b" devstack@")[0]
    dropped = prefix + b" systemd-journald[71]: Suppressed 40 messages from devstack@c-vol.service"
    served = again(at=b"Nov 22 13:")
    served[VOLUME] = [line.replace(b"13:14:3", b"13:13:3") for line in served[VOLUME]]
    later = [
        record("Running periodic task", at=f"Nov 22 13:{minute}:00.000000", service="volume", pid=3479, logger="oslo_service.periodic_task", request=None)
        for minute in range(15, 30)
    ]
    logs = {**{n: [*served[n], *CREATED[n]] for n in (API, SCHEDULER)}, VOLUME: [*served[VOLUME], dropped, *later]}
    assert outcomes(logs)[REQUEST.decode()] == ("unknown", "records-lost")
    logs[VOLUME].remove(dropped)
    assert outcomes(logs)[REQUEST.decode()] == ("lost", "message-not-received")


def shuffle(own, at, by=1):
    """The log with the lines from ``at`` on, so many, behind the one that comes next."""
    return [*own[:at], own[at + by], *own[at : at + by], *own[at + by + 1 :]]


def read_order(logs):
    """What is told but for diagnostics, and the slugs of those of the request."""
    timelines, verdicts = told_of(logs)
    slugs = [d["slug"] for d in timelines[0]["diagnostics"]]
    return without([timelines, {k: v for k, v in verdicts.items() if k != "diagnostics"}], {"diagnostics"}), slugs


STAMP = re.compile(rb"(\d\d):(\d\d):(\d\d)\.(\d{3,6})")
STEPS = re.compile(rb"transitioned into state|POST http|HTTP 202|created successfully")


def later(line, ms):
    """The line with so much added to its stamp."""
    hour, minute, second, fraction = STAMP.search(line).groups()
    at = int(hour) * 3600_000_000 + int(minute) * 60_000_000 + int(second + fraction.ljust(6, b"0")) + ms * 1000
    minutes, micros = divmod(at, 60_000_000)
    stamp = b"%02d:%02d:%02d.%06d" % (*divmod(minutes, 60), *divmod(micros, 1_000_000))
    return STAMP.sub(stamp[: 9 + len(fraction)], line, count=1)


@pytest.mark.parametrize("by", [1, 3])
@pytest.mark.parametrize("case", ["created", "created-oslo"])
def test_shuffled__lines_of_a_process__are_read_by_their_stamps_and_that_is_told(case, by):
    logs = {name: [line for line in own if STEPS.search(line)] for name, own in lines(case).items()}
    expected, _ = read_order(logs)
    assert expected[0][0]["outcome"] == "created" and not expected[0][0]["deviations"]
    for name, own in logs.items():
        for at in range(len(own) - by):
            stamps = [STAMP.search(line)[0] for line in own[at : at + by + 1]]
            if stamps[by] in stamps[:by]:  # nothing tells their order
                continue
            found, slugs = read_order({**logs, name: shuffle(own, at, by)})
            assert found == expected, own[at]
            assert set(slugs) <= {"clock-step"}
            assert slugs or not (b"transitioned" in own[at] and b"transitioned" in own[at + by])


@pytest.mark.parametrize(("ms", "believed"), [(0, True), (3000, True), (8000, False)])
def test_shuffled__over_seconds__is_no_step_of_the_clock_but_over_more_it_may_be(ms, believed):
    """The end of a task before its beginning."""
    own = [line for line in CREATED[VOLUME] if STEPS.search(line)]
    at = find(own, b"CreateVolumeFromSpecTask", b"'SUCCESS'")
    own = [*own[:at], *(later(line, ms) for line in own[at:])]
    expected, _ = the({**CREATED, VOLUME: own})
    timeline, verdict = the({**CREATED, VOLUME: shuffle(own, at - 1)})
    assert is_whole(timeline, verdict) == believed
    assert not believed or timeline.duration_us == expected.duration_us


@pytest.mark.parametrize("ms", [-20, -900, -3000, -8000])
@pytest.mark.parametrize("name", [API, SCHEDULER, VOLUME])
def test_clock__back_at_any_line__keeps_the_files_order(name, ms):
    """What the lifecycle grants in the file's order is believed, whatever the stamps."""
    own = CREATED[name]
    for at in range(1, len(own)):
        timeline, verdict = the({**CREATED, name: [*own[:at], *(later(line, ms) for line in own[at:])]})
        assert is_whole(timeline, verdict)
        assert all(d.message.startswith("the clock went back by") for d in timeline.diagnostics if d.slug == "clock-step")


def test_shuffled__stamps_of_seconds__the_file_is_believed():
    ((name, own),) = lines("created-short").items()
    own = [line for line in own if STEPS.search(line)]
    assert not deviations({name: own})
    assert deviations({name: shuffle(own, find(own, b"QuotaReserveTask", b"'RUNNING' from"))})


WORDINGS = {
    "no-valid-backend": ("no-valid-backend", rb"No valid backend was found", b"No valid host was found"),
    "sources": ("sources", rb"Trying to clone (\S+) from image (\S+) at location ", rb"Cloning \1 from image \2  at location "),
    "lines-of-sources": ("driver-failure", rb"\.py:\d+", b".py:7"),
    "u-quotes": ("driver-failure", rb"(?<=[{ (\[])'(?=[a-z_]+': )", b"u'"),
}


@pytest.mark.parametrize("drift", WORDINGS)
def test_wording__of_another_release__tells_the_same(drift):
    case, now, then = WORDINGS[drift]
    logs = each(lambda line: re.sub(now, then, line), lines(case))
    assert logs != lines(case) and outcomes(logs) == outcomes(lines(case)) and deviations(logs) == []
    assert read_lines(logs)[0].unrecognised == 0


def test_reschedule_parameters__with_keys_in_another_order__tell_attempt_and_backend():
    timeline, _ = the(CREATED)
    logs = each(lambda line: re.sub(rb"retry: \{('num_attempts': \d+), (.*)\}( \{\{)", rb"retry: {\2, \1}\3", line))
    assert logs != CREATED
    changed, verdict = the(logs)
    assert is_whole(changed, verdict) and (changed.attempts, changed.backend) == (timeline.attempts, timeline.backend)
