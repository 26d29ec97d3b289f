"""Input that is much larger than it looks: what is read of it does not fill the memory, and what is given up is told."""

import gzip
import json
import lzma
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from given import SAMPLES

from voltrace.check.judge import judge_all
from voltrace.parse import ids, letting_go, limits
from voltrace.parse.crew import Processes
from voltrace.parse.engine import ReadOptions, read, read_durations
from voltrace.parse.limits import MOST_EVENTS

MB = 1 << 20
GZIP = partial(gzip.open, compresslevel=1)
LARGE = 140 * MB
PREFIX = b"Nov 22 13:14:31.315338 controller devstack@c-api.service[3079]: "
REQUEST = "req-{:08x}-0000-4000-8000-000000000001"
FLOW = PREFIX + b"DEBUG cinder.volume.api [None req-00000000-0000-4000-8000-000000000001 admin admin] "
STEP = FLOW + (
    b"Task 'cinder.volume.flows.api.create_volume.QuotaReserveTask;volume:create' (314ea763-d21f-4a3c-96ba-7d232c07eb90) "
    b"transitioned into state 'RUNNING' from state 'PENDING' {{(pid=3079) _task_receiver /usr/lib/python3/a.py:177}}\n"
)
SIZE = PREFIX + b"INFO cinder.api.v3.volumes [None req-00000000-0000-4000-8000-000000000002 admin admin] Create volume of 1 GB\n"
CONTENTS = {"zeros": b"\0" * MB, "one-line": b"x" * MB, "one-record": STEP * 3000, "no-words": (b"\n" * 300 + b"x" * 300_000) * 3}
# Not getrusage's ru_maxrss: that of a process begins with what its parent had when it was forked.
RUN = """
import sys
from voltrace.cli.main import main
code = main(sys.argv[1:])
sys.stdout.flush()
with open("/proc/self/status") as file:
    print(code, next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) // 1024, file=sys.stderr)
"""
pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the system does not tell how much memory a process took")


def run(*args, pure=False, feed=None):
    """What a command writes, its exit status, and how much memory (MB) it took at most; ``feed`` are chunks for its standard input."""
    environ = {**os.environ, "VOLTRACE_PURE": "1"} if pure else dict(os.environ)
    process = subprocess.Popen([sys.executable, "-c", RUN, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ)

    def write():
        for chunk in feed or ():
            process.stdin.write(chunk)
        process.stdin.close()

    writer = threading.Thread(target=write)
    writer.start()
    out, errors = process.stdout.read(), process.stderr.read()
    writer.join()
    process.wait()
    code, peak = errors.split(b"\n")[-2].split()
    return out, int(code), int(peak)


def open_zstd(path, mode):
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    return zstd.open(path, mode)


def write_bomb(path, opened, chunk, size=LARGE):
    with opened(path, "wb") as file:
        file.write(SIZE)
        for _ in range(size // len(chunk)):
            file.write(chunk)
        file.write(b"\n" + SIZE.replace(b"000000000002", b"000000000003"))
    return str(path)


def slugs(report):
    return {d["slug"] for d in report["diagnostics"]}


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize("content", CONTENTS)
def test_bomb__of_gzip__is_read_in_little_memory(tmp_path, content, pure):
    path = write_bomb(tmp_path / "c-api.log.gz", GZIP, CONTENTS[content])
    out, code, peak = run("check", "--format", "json", path, pure=pure)
    assert code in (0, 1) and peak < 200
    report = json.loads(out)
    assert {"one-record": "limit-reached", "one-line": "overlong-line"}.get(content, "year-assumed") in slugs(report)
    assert "req-00000000-0000-4000-8000-000000000003" in out.decode()


@pytest.mark.parametrize("opened", [open_zstd, partial(lzma.open, preset=0)], ids=["zstd", "xz"])
def test_bomb__that_unpacks_a_thousandfold__is_read_to_its_end_in_little_memory(tmp_path, opened):
    path = write_bomb(tmp_path / "c-api.log.x", opened, CONTENTS["one-record"])
    assert 1000 * Path(path).stat().st_size < LARGE
    out, code, peak = run("check", "--format", "json", path)
    assert code == 0 and peak < 200
    report = json.loads(out)
    assert "limit-reached" in slugs(report) and {r["request_id"][-1] for r in report["requests"]} == {"1", "2", "3"}


def test_bomb__stats__let_go_of_the_same_events(tmp_path):
    path = write_bomb(tmp_path / "c-api.log.gz", GZIP, CONTENTS["one-record"])
    _, code, peak = run("stats", "--format", "json", path)
    assert code == 0 and peak < 250


@pytest.mark.parametrize("pure", [False, True])
def test_line__of_200_mb_through_a_pipe__is_cut_and_told(pure):
    json_line = b'{"__REALTIME_TIMESTAMP": "1763769600000000", "_HOSTNAME": "controller", "SYSLOG_IDENTIFIER": "devstack@c-api.service", "_PID": "3079", "MESSAGE": "%s"}\n'
    for head, rest in ((SIZE, SIZE.replace(b"000000000002", b"000000000003")), *[(json_line % SIZE[len(PREFIX) :].strip(),) * 2]):
        out, code, peak = run("check", "--format", "json", "-", pure=pure, feed=[head, FLOW, *[b"x" * MB] * 200, b"\n", rest])
        assert code in (0, 1) and peak < 150
        report = json.loads(out)
        assert "overlong-line" in slugs(report) and len(report["requests"]) == 1 + (head == SIZE)


def requests(number, first=0):
    """Lines of so many requests that ask for something else than a volume."""
    for n in range(first, first + number):
        context = f"INFO cinder.api.openstack.wsgi [None {REQUEST.format(n)} admin admin] "
        url = f"http://10.0.0.1/volume/v3/abcdef/volumes/{n:08x}"
        yield PREFIX + f"{context}GET {url}\n".encode() + PREFIX + f"{context}{url} returned with HTTP 200\n".encode()


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize("command", ["stats", "check", "trace"])
def test_requests__distinct_and_no_creates__cost_little_each(tmp_path, command, pure):
    (tmp_path / "c-api.log").write_bytes(b"".join(requests(25_000)))
    _, code, peak = run(command, str(tmp_path / "c-api.log"), "--workers", "1", pure=pure)
    assert code == 0 and peak < 130


def test_requests__that_are_no_creates__are_kept_only_where_they_are_wanted(tmp_path):
    (tmp_path / "c-api.log").write_bytes(b"".join(requests(5)) + SIZE.replace(b"000000000002", b"0000000000aa"))
    assert [len(read([str(tmp_path)], ReadOptions(others=others)).timelines) for others in (True, False)] == [6, 1]


@pytest.mark.parametrize("many", [1, 1000, 10**9])
def test_events__more_of_one_request_than_are_kept__are_let_go_whenever_that_is_done(tmp_path, monkeypatch, many):
    for n in range(3):
        log = SIZE + STEP * (MOST_EVENTS - 1) + SIZE + STEP * (10 + n) + SIZE.replace(b"000000000002", b"000000000003")
        (tmp_path / f"c-api-{n}.log").write_bytes(log)
    monkeypatch.setattr(limits.Excess.__init__, "__defaults__", (many,))
    reading = read([str(tmp_path)], ReadOptions(year=2026))
    told = [d for d in reading.diagnostics if d.slug == "limit-reached"]
    assert [str(d.where).rpartition("/")[2] for d in told] == ["c-api-0.log:20003"]
    by_id = {t.request_id[-1]: t for t in reading.timelines}
    assert (len(by_id["1"].events), len(by_id["2"].events), len(by_id["3"].events)) == (1, 2, 1)


@pytest.mark.parametrize("case", ["created", "driver-failure", "over-quota", "volume-killed", "no-valid-backend"])
def test_request__of_which_only_the_first_events_are_kept__is_what_they_prove_or_unknown(monkeypatch, case):
    """Nothing is missing, stuck or lost for what was left out, however much that was."""
    true = {i: v.outcome for i, v in judge_all(read([str(SAMPLES / case)], ReadOptions(year=2026, others=False))).items()}
    seen = set()
    for most in (1, *range(2, 150, 7)):
        monkeypatch.setattr(limits, "MOST_EVENTS", most)
        reading = read([str(SAMPLES / case)], ReadOptions(year=2026, others=False))
        cut = {d.request_id for d in reading.diagnostics if d.slug == "limit-reached"}
        for request_id, verdict in judge_all(reading).items():
            found = verdict.outcome
            if request_id in cut and found.outcome == "unknown":
                assert found.cause == "records-lost" and not verdict.deviations
            else:
                assert found.outcome == true[request_id].outcome, (most, verdict)
                assert request_id not in cut or {d.slug for d in verdict.deviations} <= {"flow-without-end"}
            seen.add((request_id in cut, found.outcome))
    assert (True, "unknown") in seen and any(outcome != "unknown" for _, outcome in seen)


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize("workers", [None, 2])
def test_requests__more_than_are_kept__later_ones_are_let_go_and_told(tmp_path, monkeypatch, workers, pure):
    if pure:
        monkeypatch.setenv("VOLTRACE_PURE", "1")
    monkeypatch.setattr(ids, "MOST_REQUESTS", 40)
    create = SIZE.replace(b"000000000002", b"0000000000aa")
    (tmp_path / "c-api.log").write_bytes(create + b"".join(requests(100)) + create.replace(b"0000000000aa", b"0000000000bb") + create)
    crew = Processes(workers, 4000) if workers else None
    reading = read([str(tmp_path)], ReadOptions(year=2026), crew=crew)
    assert (len(reading.timelines), len(list(reading.creates())), reading.lines) == (40, 1, 203)
    assert [d.message for d in reading.diagnostics if d.slug == "limit-reached"] == [
        "more than 40 requests: of those that came later only the lines were counted"
    ]
    durations, creates, _ = read_durations([str(tmp_path)], ReadOptions(year=2026), crew=crew)
    assert creates == 1 and len(durations["request", "", "volume-create"]) == 1


@pytest.mark.parametrize("command", ["stats", "check"])
def test_requests__of_one_unknown_line_each__cost_little_each(tmp_path, command):
    line = PREFIX + b"DEBUG cinder.some.driver [None %s admin admin] nobody knows what %d is {{(pid=3079) f /opt/stack/a.py:1}}\n"
    (tmp_path / "c-api.log").write_bytes(b"".join(line % (REQUEST.format(n).encode(), n) for n in range(20_000)))
    _, code, peak = run(command, str(tmp_path / "c-api.log"), "--workers", "1")
    assert code == 0 and peak < 100


@pytest.mark.parametrize("pure", [False, True])
def test_requests__very_many_that_are_no_creates__are_let_go_while_the_log_is_read(tmp_path, monkeypatch, pure):
    if pure:
        monkeypatch.setenv("VOLTRACE_PURE", "1")
    create = SIZE.replace(b"000000000002", b"0000000000aa")
    (tmp_path / "c-api.log").write_bytes(b"".join(requests(60_000)) + create + b"".join(requests(1000)))
    seen = []
    monkeypatch.setattr(letting_go, "let_go", lambda scan, keep, own=letting_go.let_go: (own(scan, keep), seen.append(len(scan.events)))[0])
    reading = read([str(tmp_path)], ReadOptions(year=2026, others=False))
    assert seen and max(seen) < 10 and len(reading.timelines) == 1
