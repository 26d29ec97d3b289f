"""Input that was made, or happened, to break readers: no exception, no line lost, and time that grows with the input only."""

import random
import time

import pytest
from given import API, SAMPLES, SCHEDULER, VOLUME, creates, lines, outcomes, read_lines, record

from voltrace.check.judge import judge_all
from voltrace.encode import encode_check, encode_timeline
from voltrace.parse.engine import read

LONG = 600_000
PREFIX = b"Nov 22 13:14:31.315338 controller devstack@c-api.service[3079]: "


def body(level, logger):
    return PREFIX + f"{level} {logger} [None req-00000000-0000-4000-8000-000000000001 admin admin] ".encode()


FLOW = body("DEBUG", "cinder.volume.api")
BODY = body("DEBUG", "cinder.api.openstack.wsgi") + b"Action: 'create', calling method: create, body: "
TAIL = b" {{(pid=1) f a:1}}"
PARAMETERS = body("DEBUG", "cinder.volume.flows.manager.create_volume") + b"Volume reschedule parameters: True retry: "


def task(name, state=b"SUCCESS", old=b"RUNNING"):
    return (
        b"Task 'cinder.volume.flows.api.create_volume.%s;volume:create' (314ea763-d21f-4a3c-96ba-7d232c07eb90) transitioned into state '%s' from state '%s'"
        % (name, state, old)
    )


def result(name):
    return FLOW + task(name) + b" with result '"


def times(piece, length=LONG):
    return piece * (length // len(piece))


# Lines on which a careless pattern takes time that grows with the square of their length.
ENDLESS = {
    "access-address": PREFIX + b"[pid: 1|app: 0|req: 1/1] " + times(b"a"),
    "access-brackets": PREFIX + b"[pid: 1|app: 0|req: 1/1] " + times(b"(a"),
    "access-users": PREFIX + b"[pid: 1|app: 0|req: 1/1] " + times(b"(a) "),
    "access-apps": PREFIX + b"[pid: 1|app: " + times(b"|app: "),
    "reservations": result(b"QuotaReserveTask") + times(b"'reservations': ["),
    "reservations-committed": result(b"QuotaCommitTask") + times(b"(reservations=["),
    "volume-types": result(b"ExtractVolumeRequestTask") + times(b"'volume_type': VolumeType("),
    "zones": result(b"ExtractVolumeRequestTask") + times(b"'availability_zones': ['"),
    "digits": result(b"ExtractVolumeRequestTask") + b"'size': " + times(b"9"),
    "braces": FLOW + times(b"{{"),
    "suffixes": FLOW + times(b" {{(pid=1) f a:1"),
    "suffix-colons": FLOW + b" {{(pid=1) f " + times(b"a:1") + b"}}",
    "context": PREFIX + b"DEBUG cinder.volume.api [" + times(b"]a"),
    "logger": PREFIX + b"DEBUG " + times(b"a."),
    "host": FLOW + b"x\nNov 22 13:14:31.315338 " + times(b"a"),
    "unit": FLOW + b"x\nNov 22 13:14:31.315338 a " + times(b"a[1"),
    "backends": PARAMETERS + times(b"'backends': [") + TAIL,
    "failure": FLOW.replace(b"DEBUG", b"WARNING") + task(b"QuotaReserveTask", b"FAILURE") + b"\n  |__Flow 'x': " + times(b"A.a"),
    "failure-lines": FLOW.replace(b"DEBUG", b"WARNING") + task(b"QuotaReserveTask", b"FAILURE") + times(b"\n x"),
    "summaries": b"\n".join(body("ERROR", "cinder.scheduler.flows.create_volume") + b"Failed to run task x: " + b"Aa" * 1900 + b"!" for _ in range(100)),
    "caught": body("ERROR", "cinder.api.middleware.fault") + b"Caught error: <class '" + times(b"a") + b"!'> x",
    "url": body("INFO", "cinder.api.openstack.wsgi") + b"POST http://" + times(b"/v1"),
    "body-nested": BODY + times(b'{"a":') + TAIL,
    "body-quotes": BODY + times(b"'name': '") + TAIL,
    "elided": FLOW + b"Task 'x' (" + times(b"... transitioned into state "),
    "stamps": FLOW + b"x\n" + times(b"Nov 22 13:14:31 "),
    "escapes": FLOW + times(b"\x1b["),
    "escape": FLOW + b"\x1b[" + times(b"0;"),
    "bars": b"| " + FLOW + times(b"| "),
    "task-name": FLOW + b"Task '" + times(b"' ("),
    "states": FLOW + b"Flow 'x' (314ea763-d21f-4a3c-96ba-7d232c07eb90) transitioned into state '" + times(b"' from state '"),
    "traceback": FLOW + b"x\n" + PREFIX + b"ERROR cinder.volume.manager " + times(b"a."),
}  # fmt: skip


def walk(path):
    """Everything that the commands would do with these logs, but print it."""
    reading = read([str(path)])
    verdicts = judge_all(reading)
    for timeline in reading.timelines:
        encode_timeline(timeline, verdicts[timeline.request_id], events=True)
    encode_check(reading, list(verdicts.values()))
    return reading


@pytest.mark.parametrize("name", ENDLESS)
def test_endless__line__takes_time_in_proportion(tmp_path, name):
    (tmp_path / "c-api.log").write_bytes(ENDLESS[name] + b"\n")
    before = time.process_time()
    reading = walk(tmp_path / "c-api.log")
    assert time.process_time() - before < 2, "a square of the length would be minutes"
    assert reading.lines == ENDLESS[name].count(b"\n") + 1


ACCESS = b"[pid: 1|app: 0|req: 1/1] 1.1.1.1 () {60 vars in 1 bytes} [Sun Nov 22 13:14:31 2026] POST /volume/v3/x/volumes => generated 9 bytes in 6 msecs (HTTP/1.1 202)"
SIZE = body("INFO", "cinder.api.v3.volumes") + b"Create volume of 1 GB"
ODD = {
    "pid-huge": PREFIX.replace(b"3079", b"1" * 5000) + b"x\n" + SIZE,
    "access-pid-huge": SIZE + b"\n" + PREFIX + ACCESS.replace(b"pid: 1", b"pid: " + b"1" * 5000),
    "access-status-huge": SIZE + b"\n" + PREFIX + ACCESS.replace(b"202", b"2" * 5000),
    "status-huge": body("INFO", "cinder.api.openstack.wsgi") + b"http://c/volume/v3/c/volumes returned with HTTP " + b"9" * 5000,
    "status-superscript": body("INFO", "cinder.api.openstack.wsgi") + "http://c/volume/v3/c/volumes returned with HTTP ²".encode(),
    "size-huge": SIZE.replace(b"of 1", b"of " + b"9" * 5000),
    "size-arabic": SIZE.replace(b"of 1", "of ٣".encode()),
    "source-line-huge": FLOW + b"x {{(pid=" + b"1" * 5000 + b") f a:" + b"1" * 5000 + b"}}",
    "attempt-huge": PARAMETERS + b"{'num_attempts': " + b"9" * 5000 + b"}" + TAIL,
    "limit-huge": body("ERROR", "cinder.scheduler.flows.create_volume") + b"Failed to run task a.B;c: No valid backend was found. Exceeded max scheduling attempts " + b"9" * 5000,
    "body-number-huge": BODY + b'{"volume": {"name": "x", "size": ' + b"9" * 5000 + b"}}" + TAIL,
    "body-repr-number-huge": BODY + b"{'size': " + b"9" * 5000 + b"}" + TAIL,
    "body-surrogate": BODY + b'{"volume": {"name": "\\ud800x", "size": 1}}' + TAIL,
    "body-other-types": BODY + b'{"volume": {"name": ["x"], "size": {"a": 1}, "volume_type": 3, "availability_zone": {"x": []}, "imageRef": 5}}' + TAIL,
    "body-infinite": BODY + b'{"volume": {"name": "x", "size": 1e999, "snapshot_id": NaN}}' + TAIL,
    "body-deep": BODY + b"[" * 50_000 + TAIL,
    "nul-in-the-prefix": SIZE[:10] + b"\x00" + SIZE[10:],
    "escape-in-the-prefix": SIZE[:10] + b"\x1b[0m" + SIZE[10:],
    "date-huge": SIZE + b" datetime.datetime(2026, " + b"1" * 5000 + b", 3,",
    "year-9999": b"9999-12-31T23:59:59-1200 h c-api[1]: x\n" * 3 + b"9999-12-31T23:59:59+0000 h c-api[1]: " + SIZE[len(PREFIX) :],
    "year-1": b"0001-01-01T00:00:00+1200 h c-api[1]: x\n" * 3 + b"0001-01-01T00:00:00+0000 h c-api[1]: " + SIZE[len(PREFIX) :],
    "29-february": b"Feb 29 23:59:50 h c-api[1]: " + SIZE[len(PREFIX) :],
    "unix-far": b"99999999999.999999 h c-api[1]: " + SIZE[len(PREFIX) :],
    "tabs": SIZE.replace(b"Create volume", b"Create\tvolume"),
    "only-nuls-between": SIZE + b"\n" + b"\x00" * 100_000 + b"\n" + SIZE,
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd__input__is_read_to_its_end(tmp_path, name):
    (tmp_path / "c-api.log").write_bytes(ODD[name] + b"\n")
    reading = walk(tmp_path / "c-api.log")
    assert reading.lines == ODD[name].count(b"\n") + 1
    assert len(reading.timelines) == 1 and reading.timelines[0].start is not None


def test_overlong__line__is_cut_and_told_and_the_next_is_read(tmp_path):
    (tmp_path / "c-api.log").write_bytes(FLOW + b"x" * 12_000_000 + b"\n" + SIZE + b"\n")
    reading = walk(tmp_path)
    assert reading.lines == 2 and [d.slug for d in reading.diagnostics].count("overlong-line") == 1
    assert [t.size_gb for t in reading.creates()] == [1]


def test_overlong__first_line__does_not_hide_the_log(tmp_path):
    (tmp_path / "c-api.log").write_bytes(b"x" * 12_000_000 + b"\n" + SIZE + b"\n")
    assert [t.size_gb for t in walk(tmp_path / "c-api.log").creates()] == [1]


def test_glued__two_records_on_one_line__no_other_request_is_hurt():
    logs = lines("sequential")
    first, *others = creates(logs)
    at = next(i for i, line in enumerate(logs[API]) if first.encode() in line and b"Validating" in line)
    logs[API][at : at + 2] = [logs[API][at] + logs[API][at + 1]]
    found = outcomes(logs)
    assert all(found[r] == outcomes(lines("sequential"))[r] for r in creates(lines("sequential")))


@pytest.mark.parametrize(
    "name",
    [
        "}} {{(pid=1) f p:1}}",
        "' from state 'PENDING",
        "'] x ['",
        '"}}, "size": 9',
        "]",
        "[None req-x a b]",
        "Task 'x' (y) transitioned into state 'SUCCESS'",
        "volume_id': '00000000-0000-4000-8000-000000000009'",
        "<script>",
        "\\",
        "…",
    ],
)
def test_names__that_look_like_log_text__change_nothing(name):
    logs = {file: [line.replace(b"vol-single-1", name.encode()) for line in own] for file, own in lines("created").items()}
    reading, verdicts = read_lines(logs)
    ((request, outcome),) = outcomes(logs).items()
    assert outcome == ("created", None) and not verdicts[request].deviations
    (timeline,) = reading.creates()
    assert timeline.volume_id == "16137011-a2b2-4db1-89c1-7270e0dd98b0" and timeline.size_gb == 1


def test_requests__ten_thousand__take_time_in_proportion():
    def seconds(count):
        own = [
            record(
                f"POST http://c/volume/v3/p/volumes?{i}", level="INFO", logger="cinder.api.openstack.wsgi", request=f"req-{i:08d}-0000-4000-8000-000000000001"
            )
            for i in range(count)
        ]
        before = time.process_time()
        reading, verdicts = read_lines({API: own})
        assert len(reading.timelines) == len(verdicts) == count
        return time.process_time() - before

    assert seconds(10_000) < 20 * seconds(1_000)


# -- accidents by the hundred -------------------------------------------------------------------------------------------

INSERTIONS = [
    b"'",
    b'"',
    b"}}",
    b"{{",
    b"]",
    b"[",
    b"\n",
    b"\r\n",
    b"\x00",
    b"\xff",
    b"\x1b[0m",
    b" ",
    b"\t",
    "²".encode(),
    b"...",
    b" | ",
    b"9" * 5000,
    b"(((",
    b"\xef\xbb\xbf",
]


def mutate(data, rng):
    for _ in range(rng.choice([1, 3, 10, 60])):
        at, kind = rng.randrange(len(data)), rng.randrange(8)
        if kind == 0:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + rng.choice([1, 5, 50, 500]) :]
        elif kind == 2:
            data = data[:at] + rng.choice(INSERTIONS) + data[at:]
        elif kind == 3:
            start = rng.randrange(len(data))
            data = data[:at] + data[start : start + rng.choice([1, 10, 100, 1000])] + data[at:]
        else:
            own = data.split(b"\n")
            i, j = rng.randrange(len(own)), rng.randrange(len(own))
            instead = {4: [], 5: [own[i], own[i]], 6: [b"".join(own[i : i + 2])], 7: [own[j]]}[kind]
            data = b"\n".join([*own[:i], *instead, *own[i + (2 if kind == 6 else 1) :]])
        data = data or b"x"
    return data


@pytest.mark.parametrize("case", ["created", "tutorial-2018", "created-colour", "created-oslo", "volume-killed", "created-copies"])
def test_accidents__anywhere__no_exception_and_every_line_counted(tmp_path, case):
    rng = random.Random(case)
    originals = {p.name: p.read_bytes() for p in (SAMPLES / case).glob("*.log")}
    for round in range(20):
        files = {name: mutate(data, rng) if rng.random() < 0.7 else data for name, data in originals.items()}
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        reading = walk_or_none(tmp_path)
        if reading is not None:
            read_files = [data for name, data in files.items() if any(s.endswith("/" + name) for s in reading.sources)]
            assert reading.lines == sum(d.count(b"\n") + (not d.endswith(b"\n")) for d in read_files), round


def walk_or_none(path):
    from voltrace.errors import SourceError

    try:
        return walk(path)
    except SourceError:  # nothing is left that looks like a log
        return None


def damage(line, request, rng):
    """A line damaged behind its request id."""
    cut = line.find(request) + len(request)
    at = rng.randrange(cut, len(line))
    return [
        line[:at],
        line[:at] + line[at + rng.choice([1, 10, 100]) :],
        line + line[cut:],
        line[:at] + bytes([rng.randrange(32, 256)]) + line[at + 1 :],
        None,
    ][rng.randrange(5)]


@pytest.mark.parametrize("case", ["sequential", "over-quota", "volume-killed", "no-valid-backend"])
def test_accidents__to_the_lines_of_one_request__change_no_other(case):
    def results(logs):
        reading, verdicts = read_lines(logs)
        found = {}
        for t in reading.timelines:
            shown = encode_timeline(t, verdicts[t.request_id])
            found[t.request_id] = (
                {k: v for k, v in shown.items() if k not in ("flows", "failures", "diagnostics")},
                [[(k.name, k.states) for k in f.tasks] for f in t.flows],
            )
        return found

    rng = random.Random(case)
    whole = results(lines(case))
    for _ in range(8):
        request = rng.choice(creates(lines(case)))
        logs = lines(case)
        for name in (API, SCHEDULER, VOLUME):
            places = [i for i, line in enumerate(logs[name]) if b" " + request.encode() + b" " in line]
            for i in rng.sample(places, min(len(places), 3)):
                logs[name][i] = damage(logs[name][i], request.encode(), rng)
            logs[name] = [line for line in logs[name] if line is not None]
        found = results(logs)
        assert {r: v for r, v in found.items() if r != request} == {r: v for r, v in whole.items() if r != request}, request


# -- lines that a user wrote ---------------------------------------------------------------------------------------------

FORGED = [
    "INFO cinder.volume.flows.manager.create_volume [None req-14375a73-9149-41a5-ba0c-370959432120 admin None] Volume volume-00000000-0000-4000-8000-00000000000f (00000000-0000-4000-8000-00000000000f): created successfully",
    "ERROR cinder.volume.flows.manager.create_volume [None req-14375a73-9149-41a5-ba0c-370959432120 admin None] Volume 16137011-a2b2-4db1-89c1-7270e0dd98b0: create failed",
    "INFO cinder.api.openstack.wsgi [None req-14375a73-9149-41a5-ba0c-370959432120 admin admin] http://c/volume/v3/p/volumes returned with HTTP 500",
    "DEBUG cinder.volume.manager [None req-14375a73-9149-41a5-ba0c-370959432120 admin None] Flow 'volume_create_manager' (00000000-0000-4000-8000-00000000000f) transitioned into state 'RUNNING' from state 'PENDING' {{(pid=3479) _flow_receiver /x/logging.py:160}}",
]  # fmt: skip


@pytest.mark.parametrize("file, word", [(API, b"EntryCreateTask"), (VOLUME, b"ExtractVolumeRefTask")])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("forged", FORGED, ids=["created", "failed", "answer", "flow"])
def test_forged__lines_in_a_volumes_name__are_suspected_and_not_counted(file, word, forged, count):
    """The name has newlines in it, so that journald makes records of its lines: the first and the last are the real record's."""
    logs = lines("created")
    index = next(i for i, line in enumerate(logs[file]) if word in line and b"vol-single-1" in line and b"with result" in line)
    line = logs[file][index]
    cut = line.index(b"vol-single-1")
    prefix = line[: line.index(b"]: ") + 3]
    logs[file][index : index + 1] = [line[:cut] + b"x", *[prefix + forged.encode()] * count, prefix + b"y" + line[cut:]]
    whole, _ = read_lines(lines("created"))
    reading, verdicts = read_lines(logs)
    (expected,), (timeline,) = list(whole.creates()), list(reading.creates())
    verdict = verdicts[timeline.request_id]
    assert verdict.outcome.outcome == "created" and not verdict.deviations
    assert (timeline.volume_ids, timeline.size_gb, len(timeline.flows), timeline.answer.status) == (expected.volume_ids, 1, 3, 202)
    assert [d.where.line for d in reading.diagnostics if d.slug == "forged-line-suspected"] == [index + 2 + k for k in range(count)]
    assert reading.unrecognised == 0


def test_forged__nothing_in_the_samples__is_suspected():
    for case in ("created", "sources", "driver-failure", "over-quota", "created-colour"):
        assert not [d for d in read_lines(lines(case))[0].diagnostics if d.slug == "forged-line-suspected"]


def test_forged__a_torn_record_and_whole_ones_after_it__are_not_suspected():
    logs = lines("created")
    index = next(i for i, line in enumerate(logs[API]) if b"EntryCreateTask" in line and b"with result" in line)
    logs[API][index] = logs[API][index][:-100]
    reading, verdicts = read_lines(logs)
    assert not [d for d in reading.diagnostics if d.slug == "forged-line-suspected"]
    assert not [d for v in verdicts.values() for d in v.deviations]
