"""What the command line promises: exit statuses, one line for every bad input, and the keys of its JSON."""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from given import SAMPLES

from voltrace.cli.main import main
from voltrace.verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, FINAL_STATUSES, GAVE_UP, OUTCOMES

CREATED, FAILURE = str(SAMPLES / "created"), str(SAMPLES / "driver-failure")
VOLTRACE = [sys.executable, "-c", "import sys; from voltrace.cli.main import main; sys.exit(main())"]


@pytest.fixture
def call(capsys):
    """Runs a command in this process: (status, output, lines on stderr)."""

    def run(*argv):
        try:
            status = main([str(a) for a in argv])
        except SystemExit as stop:
            status = stop.code
        said = capsys.readouterr()
        return status, said.out, said.err.splitlines()

    return run


def process(*argv, stdin=b"", **options):
    return subprocess.run([*VOLTRACE, *map(str, argv)], input=stdin, capture_output=True, **options)


def dropped_line(tmp_path):
    """The created sample without one line of a task in the middle."""
    for path in (SAMPLES / "created").glob("*.log"):
        own = path.read_bytes().splitlines(keepends=True)
        if path.name == "c-api.log":
            del own[next(i for i, line in enumerate(own) if b"QuotaReserveTask" in line and b"'RUNNING' from" in line)]
        (tmp_path / path.name).write_bytes(b"".join(own))
    return tmp_path


# -- exit statuses -------------------------------------------------------------------------------------------------------


def test_status__everything_conforms__0(call):
    assert call("check", CREATED)[0] == 0 and call("check", FAILURE)[0] == 0


def test_status__a_deviation__1_and_trace_0(call, tmp_path):
    folder = dropped_line(tmp_path)
    assert call("check", folder)[0] == 1
    assert call("check", folder, "--format", "json")[0] == 1
    assert call("trace", folder)[0] == 0


def test_status__strict__1_for_what_is_unknown_or_could_not_be_read(call, tmp_path):
    cut = tmp_path / "c-api.log"
    cut.write_bytes((SAMPLES / "created" / "c-api.log").read_bytes())
    assert call("check", cut)[0] == 0 and call("check", cut, "--strict")[0] == 1
    assert call("check", CREATED, "--strict")[0] == 0
    assert call("check", CREATED, tmp_path / "missing", "--strict")[0] == 1


def test_status__no_create_request__0_and_a_line(call, tmp_path):
    log = tmp_path / "c-vol.log"
    log.write_bytes(b"".join(line for line in (SAMPLES / "created" / "c-vol.log").read_bytes().splitlines(keepends=True) if b"periodic_task" in line))
    for command in (("trace",), ("trace", "--format", "jsonl"), ("check",), ("check", "--format", "json"), ("check", "--strict")):
        status, out, err = call(command[0], log, *command[1:])
        assert status == 0 and len(err) == 1 and "no create request" in err[0], command
    assert call("trace", CREATED, "--format", "jsonl", "--where", "outcome = lost")[:2] == (0, "")


BAD_FILES = {
    "not-a-log": b"Dear diary,\ntoday nothing happened.\n" * 50,
    "binary": bytes(range(256)) * 400,
    "random": os.urandom(20_000),
    "empty": b"",
    "newline": b"\n",
    "nuls": b"\x00" * 5000,
    "long-line": b"x" * 300_000,
    "json": b'{"a": 1}\n',
    "zstd": b"\x28\xb5\x2f\xfd" + b"x" * 100,
    "torn-gzip": gzip.compress(b"x" * 1000)[:15],
    "false-gzip": b"\x1f\x8b" + b"x" * 100,
    "false-xz": b"\xfd7zXZ\x00" + b"x" * 100,
    "false-bz2": b"BZh9" + b"x" * 100,
}


@pytest.mark.parametrize("command", ["trace", "check"])
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file__alone__2_and_one_line(call, tmp_path, name, command):
    path = tmp_path / "c-api.log"
    path.write_bytes(BAD_FILES[name])
    status, out, err = call(command, path)
    assert (status, out, len(err)) == (2, "", 1), err
    assert err[0].startswith(f"voltrace {command}: {path}")


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file__beside_good_ones__result_stands_and_it_is_told(call, tmp_path, name):
    path = tmp_path / "x.log"
    path.write_bytes(BAD_FILES[name])
    status, out, err = call("check", CREATED, path, "--format", "json")
    assert status == 0 and json.loads(out)["summary"]["conforms"] == 1
    assert [d["where"].startswith(str(path)) for d in json.loads(out)["diagnostics"] if d["slug"] == "unreadable-source"] == [True]
    assert len(err) == 1 and str(path) in err[0]
    assert call("check", CREATED, path, "--strict")[0] == 1


@pytest.mark.parametrize("command", ["trace", "check"])
def test_bad_path__alone__2_and_one_line(call, tmp_path, command):
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "notes.txt").write_text("nothing\n")
    for path in (tmp_path / "missing", tmp_path / "empty", tmp_path / "words", tmp_path / "*.log", "", tmp_path / ("x" * 5000)):
        status, out, err = call(command, path)
        assert (status, out, len(err)) == (2, "", 1), (path, err)


def test_bad_path__beside_good_ones__result_stands_and_it_is_told(call, tmp_path):
    status, out, err = call("trace", tmp_path / "missing", CREATED, "--format", "jsonl")
    assert status == 0 and len(out.splitlines()) == 1 and len(err) == 1 and "missing" in err[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_bad_file__that_may_not_be_read__2_and_one_line(call, tmp_path):
    path = tmp_path / "c-api.log"
    path.write_bytes(b"x")
    path.chmod(0)
    status, out, err = call("trace", path)
    assert (status, out, len(err)) == (2, "", 1)


@pytest.mark.parametrize(
    "options",
    [
        *[("--year", y) for y in ("", "26", "20266", "twenty", "-1", "²", "0", "9999999999")],
        *[("--tz", z) for z in ("", "Mars", "+99:00", "../../etc/passwd")],
        *[("--where", w) for w in ("", "outcome =", "outcome = ", "nonsense = 1", "outcome = failed and", "((((", "duration > fast", "'")],
        *[("--stuck-after", s) for s in ("", "-1", "long", "nan", "inf", "1e99")],
        *[("--workers", w) for w in ("", "0", "-1", "many", "1.5", "²", "99999999")],
        ("--format", "xml"),
        ("--nonsense",),
    ],
    ids=lambda o: " ".join(o),
)  # fmt: skip
@pytest.mark.parametrize("command", ["trace", "check"])
def test_bad_option__2_and_one_line(call, command, options):
    status, out, err = call(command, CREATED, *options)
    assert (status, out, len(err)) == (2, "", 1), err
    assert err[0].startswith(f"voltrace {command}: ")


def test_bad_command_line__2_and_says_what_there_is(call):
    assert call()[0] == 2 and "usage" in call()[1]
    status, _, err = call("traec", CREATED)
    assert status == 2 and len(err) == 1 and "trace" in err[0]
    assert call("trace")[0] == 2 and call("check")[0] == 2
    for request in (("--request", "req-none"), ("--volume", "none")):
        status, out, err = call("trace", CREATED, *request)
        assert (status, out, len(err)) == (2, "", 1)


@pytest.mark.parametrize("command", ["trace", "check"])
def test_help__every_command__has_an_example(call, command):
    status, out, _ = call(command, "--help")
    assert status == 0 and f"voltrace {command} " in out.partition("examples:")[2]


# -- streams -------------------------------------------------------------------------------------------------------------


def test_stderr__any_bad_input__no_traceback(tmp_path):
    (tmp_path / "c-api.log").write_bytes(bytes(range(256)) * 100)
    for argv in (["trace", tmp_path / "missing"], ["check", tmp_path / "c-api.log"], ["trace", CREATED, "--where", "("], ["frob"]):
        done = process(*argv)
        assert done.returncode == 2 and done.stdout == b"" and done.stderr.count(b"\n") == 1 and b"Traceback" not in done.stderr


def test_pipe__reader_goes_away__quiet(tmp_path):
    """As in `voltrace trace … | head -1`, with more output than a pipe holds."""
    for command in (
        ["trace", FAILURE, str(SAMPLES / "sequential"), str(SAMPLES / "over-quota"), "--format", "jsonl", "--events"],
        ["check", FAILURE, str(SAMPLES / "sequential"), str(SAMPLES / "over-quota"), "--format", "json"],
    ):
        running = subprocess.Popen([*VOLTRACE, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b"" and running.wait() == 0
        running.stderr.close()


def merged():
    return (SAMPLES / "created-copies" / "merged.log").read_bytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_stdin__plain_or_packed__is_read(pack):
    done = process("trace", "-", "--format", "jsonl", stdin=pack(merged()))
    (found,) = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, found["outcome"]) == (0, "created") and found["flows"][0]["where"].startswith("<stdin>:")


def test_stdin__empty__2_and_one_line():
    done = process("trace", "-", stdin=b"")
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("pack, suffix", [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz")])
def test_packed__file__reads_as_the_plain_one(call, tmp_path, pack, suffix):
    for name, data in (("plain", merged()), ("packed", pack(merged()))):
        (tmp_path / name).mkdir()
        (tmp_path / name / ("merged.log" + (suffix if name == "packed" else ""))).write_bytes(data)
    plain, packed = (call("trace", tmp_path / name, "--format", "jsonl")[1] for name in ("plain", "packed"))
    assert plain.replace("/plain/", "/packed/").replace("merged.log", "merged.log" + suffix) == packed


def test_names__that_no_encoding_can_say__are_escaped(tmp_path):
    path = os.fsencode(tmp_path) + b"/c-api-\xff.log"
    Path(os.fsdecode(path)).write_bytes((SAMPLES / "created" / "c-api.log").read_bytes().replace(b'"vol-single-1"', b'"\\ud800x"'))
    for argv in (["trace"], ["trace", "--format", "jsonl"], ["check", "--format", "json"], ["check"], ["trace", "--events"]):
        for encoding in ("utf-8", "ascii"):
            done = subprocess.run([*VOLTRACE, argv[0], path, *argv[1:]], capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding})
            assert done.returncode == 0 and b"Traceback" not in done.stderr
            if "jsonl" in argv:
                json.loads(done.stdout)


# -- JSON ----------------------------------------------------------------------------------------------------------------

TEXT, NUMBER, INSTANT = "text", "number", "instant"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
BOUNDS = [NUMBER, NUMBER]
TASK = {
    "name": TEXT,
    "uuid": [TEXT, None],
    "state": TEXT,
    "inferred": bool,
    "start": [INSTANT, None],
    "end": [INSTANT, None],
    "duration_s": [NUMBER, None],
    "duration_bounds_s": ["bounds", None],
    "states": list,
    "where": [TEXT, None],
}
FLOW = {
    "service": TEXT,
    "name": TEXT,
    "uuid": [TEXT, None],
    "attempt": int,
    "state": TEXT,
    "start": [INSTANT, None],
    "end": [INSTANT, None],
    "duration_s": [NUMBER, None],
    "duration_bounds_s": ["bounds", None],
    "tasks": list,
}
HANDOFF = {
    "from": TEXT,
    "to": TEXT,
    "topic": TEXT,
    "attempt": int,
    "sent": [INSTANT, None],
    "received": [INSTANT, None],
    "wait_s": [NUMBER, None],
    "wait_bounds_s": ["bounds", None],
}
REMARK = {"slug": TEXT, "message": TEXT, "where": [TEXT, None]}
FAILED = {
    "service": TEXT,
    "flow": [TEXT, None],
    "task": [TEXT, None],
    "attempt": [int, None],
    "backend": [TEXT, None],
    "exception": [TEXT, None],
    "message": [TEXT, None],
    "where": [TEXT, None],
}
EVENT = {
    "at": [INSTANT, None],
    "at_bounds": [list, None],
    "service": TEXT,
    "flow": [TEXT, None],
    "flow_uuid": [TEXT, None],
    "task": [TEXT, None],
    "task_uuid": [TEXT, None],
    "attempt": [int, None],
    "state": TEXT,
    "where": [TEXT, None],
}
TIMELINE = {
    "request_id": TEXT, "global_request_id": [TEXT, None], "operation": TEXT, "outcome": TEXT, "cause": [TEXT, None], "gave_up": [TEXT, None], "failures": list,
    "final_status": [TEXT, None], "project": [TEXT, None], "user": [TEXT, None], "volume_id": [TEXT, None], "volume_ids": list, "name": [TEXT, None], "size_gb": [int, None],
    "volume_type": [TEXT, None], "availability_zone": [TEXT, None], "source": [TEXT, None], "http": dict, "start": [INSTANT, None], "end": [INSTANT, None],
    "duration_s": [NUMBER, None], "attempts": int, "backend": [TEXT, None], "flows": list, "handoffs": list, "deviations": list, "diagnostics": list,
}  # fmt: skip


def is_of(value, kind):
    if isinstance(kind, list):
        return any(is_of(value, k) for k in kind)
    if kind is None:
        return value is None
    if kind == TEXT:
        return isinstance(value, str)
    if kind == INSTANT:
        return isinstance(value, str) and bool(_INSTANT.fullmatch(value))
    if kind == NUMBER:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "bounds":
        return isinstance(value, list) and len(value) == 2 and all(is_of(v, NUMBER) for v in value) and 0 <= value[0] <= value[1]
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def assert_shape(value, shape):
    assert shape.keys() <= value.keys(), shape.keys() - value.keys()
    wrong = {key: value[key] for key, kind in shape.items() if not is_of(value[key], kind)}
    assert not wrong, wrong


@pytest.mark.parametrize("case", sorted(p.parent.name for p in SAMPLES.glob("*/expected.toml")))
def test_trace__every_sample__has_all_keys_of_the_right_types(call, case):
    status, out, _ = call("trace", SAMPLES / case, "--format", "jsonl", "--events", "--all")
    assert status == 0
    found = [json.loads(line) for line in out.splitlines()]
    assert [(t["start"] or "", t["request_id"]) for t in found] == sorted((t["start"] or "", t["request_id"]) for t in found)
    for timeline in found:
        assert_shape(timeline, TIMELINE)
        assert timeline["outcome"] in OUTCOMES and timeline["cause"] in {None, *CAUSES} and timeline["gave_up"] in {None, *GAVE_UP}
        assert timeline["final_status"] in {None, *FINAL_STATUSES}
        assert set(timeline["http"]) >= {"method", "path", "status"} and is_of(timeline["http"]["status"], [int, None])
        assert timeline["volume_id"] == (timeline["volume_ids"] or [None])[0]
        for flow in timeline["flows"]:
            assert_shape(flow, FLOW)
            for task in flow["tasks"]:
                assert_shape(task, TASK)
                if task["duration_s"] is not None:
                    assert task["duration_bounds_s"][0] <= task["duration_s"] <= task["duration_bounds_s"][1]
        for part, shape in (("handoffs", HANDOFF), ("failures", FAILED), ("deviations", REMARK), ("diagnostics", REMARK), ("events", EVENT)):
            for item in timeline[part]:
                assert_shape(item, shape)
        assert all(h["wait_s"] is None or h["wait_s"] >= 0 for h in timeline["handoffs"])
        assert {d["slug"] for d in timeline["deviations"]} <= DEVIATIONS.keys() and {d["slug"] for d in timeline["diagnostics"]} <= DIAGNOSTICS.keys()


@pytest.mark.parametrize("case", sorted(p.parent.name for p in SAMPLES.glob("*/expected.toml")))
def test_check__every_sample__has_all_keys_of_the_right_types(call, case):
    status, out, _ = call("check", SAMPLES / case, "--format", "json")
    found = json.loads(out)
    assert_shape(
        found["summary"],
        {"requests": int, "conforms": int, "deviates": int, "unknown": int, "fitness": [NUMBER, None], "lines": int, "lines_unrecognised": int},
    )
    assert found["summary"]["requests"] == len(found["requests"]) == sum(found["summary"][k] for k in ("conforms", "deviates", "unknown"))
    assert (status == 1) == (found["summary"]["deviates"] > 0)
    for request in found["requests"]:
        assert_shape(request, {"request_id": TEXT, "verdict": TEXT, "fitness": [NUMBER, None], "outcome": TEXT, "deviations": list})
        expected = "deviates" if request["deviations"] else "unknown" if request["outcome"] == "unknown" else "conforms"
        assert request["verdict"] == expected and (request["fitness"] is None or 0 <= request["fitness"] <= 1)
        for deviation in request["deviations"]:
            assert_shape(deviation, {**REMARK, "expected": [TEXT, None], "observed": [TEXT, None]})
    for diagnostic in found["diagnostics"]:
        assert_shape(diagnostic, REMARK)
        assert diagnostic["slug"] in DIAGNOSTICS


def test_check__a_deviation__names_its_line(call, tmp_path):
    out = call("check", dropped_line(tmp_path), "--format", "json")[1]
    ((deviation,),) = [r["deviations"] for r in json.loads(out)["requests"]]
    path, _, line = deviation["where"].rpartition(":")
    assert deviation["slug"] == "missing-transition" and "QuotaReserveTask" in (SAMPLES.__class__(path)).read_text().splitlines()[int(line) - 1]


@pytest.mark.parametrize(
    "tz, start", [("UTC", "2026-11-22T13:14:31.315338Z"), ("+08:00", "2026-11-22T05:14:31.315338Z"), ("Europe/Berlin", "2026-11-22T12:14:31.315338Z")]
)
def test_tz__of_stamps_without_zone__is_taken_off(call, tz, start):
    assert json.loads(call("trace", CREATED, "--format", "jsonl", "--tz", tz)[1])["start"] == start


def test_year__given__is_taken(call):
    assert json.loads(call("trace", CREATED, "--format", "jsonl", "--year", "2019")[1])["start"].startswith("2019-")


def test_year__told_by_the_log__is_taken_before_the_files_time(call, tmp_path):
    path = tmp_path / "c-api.log"
    path.write_bytes((SAMPLES / "created" / "c-api.log").read_bytes())
    os.utime(path, (1_500_000_000, 1_500_000_000))
    assert json.loads(call("trace", path, "--format", "jsonl")[1])["start"].startswith("2026-")


def test_year__told_by_nothing__is_the_files_and_is_said(call, tmp_path):
    path = tmp_path / "c-api.log"
    path.write_bytes(b"".join(line for line in (SAMPLES / "created" / "c-api.log").read_bytes().splitlines(keepends=True) if b"2026" not in line))
    for modified, year in ((1_511_400_000, "2017"), (1_511_000_000, "2016")):  # 23 and 18 November 2017
        os.utime(path, (modified, modified))
        assert json.loads(call("trace", path, "--format", "jsonl")[1])["start"].startswith(year)
    assert "year-assumed" in {d["slug"] for d in json.loads(call("check", path, "--format", "json")[1])["diagnostics"]}


def test_output__twice_and_with_any_number_of_workers__is_the_same_bytes(call):
    wanted = call("trace", FAILURE, "--format", "jsonl", "--events")[1]
    for workers in ("1", "2", "7"):
        assert call("trace", FAILURE, "--format", "jsonl", "--events", "--workers", workers)[1] == wanted


def test_stdin__in_process__is_read_too(call, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(merged())))
    assert json.loads(call("trace", "-", "--format", "jsonl")[1])["outcome"] == "created"
