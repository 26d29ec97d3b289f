"""Logs read in pieces: wherever they are cut, the answer is that of one reader who read all in order."""

import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from given import SAMPLES
from here import Here
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voltrace import kernel
from voltrace.check.judge import judge_all
from voltrace.cli.main import main
from voltrace.encode import encode_check, encode_timeline
from voltrace.parse import crew, shelf
from voltrace.parse.crew import Processes
from voltrace.parse.engine import read, read_durations
from voltrace.parse.folder import Folder
from voltrace.parse.pieces import ReadOptions, plan_source, read_piece
from voltrace.parse.sources import Source

CASES = ["created", "driver-failure", "created-colour", "created-short", "created-oslo", "over-quota", "volume-killed", "sources", "created-threads"]
OPTIONS = ReadOptions(2026, keep_lines=True)


def told(paths, by=None, options=OPTIONS):
    """All that a reading tells."""
    reading = read([str(p) for p in paths], options, crew=by)
    verdicts = judge_all(reading)
    timelines = [(encode_timeline(t, verdicts[t.request_id], events=True), t.lines and [list(t.lines.line), list(t.lines.offset)]) for t in reading.timelines]
    coverage = {
        s: (c.first, c.last, c.debug, c.starts, [(p.name, p.first, p.last, p.backend, p.gaps) for p in c.processes.values()])
        for s, c in reading.coverage.items()
    }
    return timelines, encode_check(reading, list(verdicts.values())), coverage


def durations(paths, by=None):
    found, count, bad = read_durations([str(p) for p in paths], OPTIONS, crew=by)
    return {key: sorted(values.tolist()) for key, values in found.items()}, count, bad


@pytest.fixture(scope="module")
def whole():
    return {case: told([SAMPLES / case]) for case in CASES}


SIZES = [(case, size) for case in CASES for size in (1000, 7777)] + [(case, 150) for case in ("created", "created-oslo", "created-colour")]


@pytest.mark.parametrize(("case", "size"), SIZES)
def test_pieces__of_any_size__tell_what_the_whole_tells(case, size, whole):
    assert told([SAMPLES / case], Here(size)) == whole[case]
    assert durations([SAMPLES / case], Here(size)) == durations([SAMPLES / case])


def mutate(data: bytes, draw) -> bytes:
    """A log to which something happened, here and there."""
    lines = data.split(b"\n")
    for _ in range(draw(st.integers(0, 12))):
        n = draw(st.integers(0, len(lines) - 1))
        line = lines[n]
        lines[n : n + 1] = draw(
            st.sampled_from(
                [
                    [],
                    [line, line],
                    [line[: len(line) // 2]],
                    [line[: len(line) // 2], line[len(line) // 2 :]],
                    [line[:80], line[80:]],
                    [line[:110], line[110:]],
                    [line + b"".join(lines[n + 1 : n + 2])],
                    [re.sub(rb" \{\{.*", b"", line)],
                    [re.sub(rb" \{\{.*", b"", line), b"    more of it {{(pid=1) f /x.py:1}}"],
                    [line, b"", b"-- Reboot --"],
                    [line, b"an odd line", b"  one that goes on"],
                    [line.replace(b"Nov 22 13", b"Nov 22 11")],
                    [line.replace(b"Nov 22", b"Dec 31"), line.replace(b"Nov 22", b"Jan  1")],
                    [line.replace(b"DEBUG", b"ERROR"), re.sub(rb"(\]: ).*", rb"\1ERROR cinder.x Traceback (most recent call last):", line)],
                    [re.sub(rb"(\]: ).*", rb"\1a line of its own", line)],
                    [line + b"\r"],
                    [b"\x00" * 5 + line],
                    [line.replace(b"transitioned", b"\xff\xfe")],
                    [line[:60] + b" " + line],
                ]
            )
        )
    if draw(st.booleans()):
        return b"\n".join(lines)
    return b"\n".join(lines) + b"\n"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), case=st.sampled_from(["created", "driver-failure", "over-quota"]), size=st.integers(300, 9000))
def test_pieces__of_a_mutated_log__tell_what_the_whole_tells(tmp_path, data, case, size):
    logs = sorted((SAMPLES / case).glob("*.log"))
    merged = data.draw(st.booleans())
    if merged:
        lines = sorted((line for p in logs for line in p.read_bytes().splitlines()[:150]), key=lambda line: line[:22])
        texts = {"merged.log": b"\n".join(lines)}
    else:
        texts = {p.name: b"\n".join(p.read_bytes().splitlines()[:120]) for p in logs}
    paths = []
    for name, text in texts.items():
        (tmp_path / name).write_bytes(mutate(text, data.draw))
        paths.append(tmp_path / name)
    assert told(paths, Here(size)) == told(paths)


def test_plan__a_small_log__is_one_piece_and_a_large_one_is_cut_at_lines(tmp_path):
    log = SAMPLES / "driver-failure" / "c-vol.log"
    source = Source(str(log), str(log))
    assert len(plan_source(source, OPTIONS, 1 << 20)) == 1
    tasks = plan_source(source, OPTIONS, 5000)
    data = log.read_bytes()
    assert len(tasks) > 10 and tasks[0].start == 0 and tasks[-1].end is None
    assert all(a.end == b.start and data[b.start - 1 : b.start] == b"\n" for a, b in zip(tasks, tasks[1:]))


def test_pieces__of_packed_and_damaged_sources__are_whole(tmp_path):
    for case in ("concurrent", "created-json", "created-export", "tutorial-2018"):
        assert told([SAMPLES / case], Here(2000)) == told([SAMPLES / case])


def test_processes__several_sources__tell_the_same():
    paths = [SAMPLES / case for case in ("driver-failure", "created-json")]
    assert told(paths, Processes(2, 20_000)) == told(paths)


def die_once(task):
    """A worker that is killed in the middle of its work, the first time."""
    flag = Path(os.environ["VOLTRACE_TEST_FLAG"])
    if task.start and not flag.exists():
        flag.write_text("killed")
        os._exit(9)
    return read_piece(task)


def test_processes__a_worker_is_killed__its_piece_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "read_piece", die_once)
    monkeypatch.setenv("VOLTRACE_TEST_FLAG", str(tmp_path / "flag"))
    assert told([SAMPLES / "driver-failure"], Processes(2, 20_000)) == told([SAMPLES / "driver-failure"])
    assert (tmp_path / "flag").exists()


HERE = os.getpid()


def die_always(task):
    """A piece of which every worker dies."""
    if task.start and os.getpid() != HERE:
        os._exit(9)
    return read_piece(task)


def fail(task):
    """A reading that fails in a way that nobody foresaw."""
    raise ZeroDivisionError(task.source.name)


def test_processes__every_worker_dies_of_some_pieces__they_are_read_here(monkeypatch):
    monkeypatch.setattr(crew, "read_piece", die_always)
    assert told([SAMPLES / "driver-failure"], Processes(3, 20_000)) == told([SAMPLES / "driver-failure"])


def test_processes__a_reading_fails_in_a_worker__that_is_raised_here(monkeypatch):
    monkeypatch.setattr(crew, "read_piece", fail)
    with pytest.raises(ZeroDivisionError, match="c-"):
        told([SAMPLES / "driver-failure"], Processes(2, 20_000))


def test_processes__the_reading_is_given_up__no_worker_is_left():
    tasks = plan_source(Source(str(SAMPLES / "driver-failure" / "c-vol.log"), "c-vol.log"), OPTIONS, 20_000)
    pieces = Processes(2, 20_000).run(tasks)
    next(pieces)
    pieces.close()
    for worker in multiprocessing.active_children():
        worker.join(5)
        assert not worker.is_alive()


def test_plan__a_file_is_cut__into_an_even_number_of_pieces_of_about_one_size():
    path = SAMPLES / "driver-failure" / "c-vol.log"
    tasks = plan_source(Source(str(path), "c-vol.log"), OPTIONS, 20_000)
    sizes = [(task.end or path.stat().st_size) - task.start for task in tasks]
    assert len(tasks) % 2 == 0 and sum(sizes) == path.stat().st_size and max(sizes) < 4 * 30_000


@pytest.mark.parametrize("case", ["driver-failure", "over-quota", "concurrent", "created-oslo", "volume-killed"])
@pytest.mark.parametrize("by", [None, Here(5000)])
def test_shelf__events_are_put_away_on_disk__durations_are_the_same(case, by, monkeypatch):
    expected = durations([SAMPLES / case])
    monkeypatch.setattr(shelf.Shelf.__init__, "__defaults__", (50,))
    assert durations([SAMPLES / case], by) == expected


@pytest.mark.parametrize("by", [None, Processes(2, 30_000)])
def test_shelf__parts_measured_by_two_processes__durations_are_the_same(by, monkeypatch):
    expected = durations([SAMPLES / "concurrent"])
    monkeypatch.setattr(shelf.Shelf.__init__, "__defaults__", (50,))
    monkeypatch.setattr(shelf, "_TOGETHER", 200)
    assert durations([SAMPLES / "concurrent"], by) == expected


def test_processes__share_killed__it_is_done_here():
    def work(share, shares):
        if share and os.getpid() != here:
            os.kill(os.getpid(), 9)
        return share, shares

    here = os.getpid()
    assert Processes(3).spread(work) == [(0, 3), (1, 3), (2, 3)]


@pytest.mark.skipif(kernel.load("parse._rows") is None, reason="the kernel is not built")
def test_worker__that_puts_away_what_it_reads__does_without_numpy(tmp_path):
    """Its import costs as much as the reading of 50 MB."""
    script = f"""
import sys
from voltrace.parse.pieces import *
tasks = plan_source(Source({str(SAMPLES / "driver-failure" / "c-vol.log")!r}, "c-vol.log"), ReadOptions(2026, facts=frozenset({{"retry"}})), 20_000)
for task in tasks:
    assert read_piece(replace(task, folder={str(tmp_path)!r})).bundle.events[-1]
assert len(tasks) > 1 and "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", "from dataclasses import replace\n" + script], check=True)


def test_shelf__no_room_on_disk__is_told_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(shelf.Shelf.__init__, "__defaults__", (50,))
    monkeypatch.setattr(Folder, "path", str(tmp_path / "gone"))
    for by in ("1", "2"):
        monkeypatch.setattr(crew, "PIECE", 20_000)
        assert main(["stats", str(SAMPLES / "driver-failure" / "c-vol.log"), "--workers", by, "--year", "2026"]) == 2
        assert "gone: No such file or directory" in capsys.readouterr().err
