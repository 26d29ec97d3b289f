"""The reading benchmark: what it builds is real, its counts agree, and it goes on where a row fails. No speed is judged here."""

import re
import shutil
import sys
from datetime import date
from pathlib import Path

import pytest

from voltrace.check.judge import judge_all
from voltrace.parse.engine import read as read_logs

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import inputs
import processes
import read
import readers
import rounds
import tables

_DAYS = {b"Nov 22": b"Nov 23", b"2026-11-22": b"2026-11-23", b"2026, 11, 22": b"2026, 11, 23", b"Sun Nov": b"Mon Nov"}


def _row(rows, name):
    return next(row for row in rows if row.reader.name == name)


def test_inputs__two_copies__are_the_captured_lines_but_for_ids_and_days(tmp_path):
    source = inputs.build(tmp_path, 4.2)
    lines = source.paths[0].read_bytes().splitlines()
    half = len(lines) // 2
    assert (source.requests, source.lines, source.bytes) == (100, len(lines), source.paths[0].stat().st_size)
    captured = [line.encode() for line in inputs.captured_lines()]
    ids = re.compile(rb"[0-9a-f]{4}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

    def without(line):
        return ids.sub(lambda m: m[0][:-4], line)

    assert [without(line) for line in lines[:half]] == [without(line) for line in captured]
    later = b"\n".join(without(line) for line in captured)
    for day, next_day in _DAYS.items():
        later = later.replace(day, next_day)
    assert b"\n".join(without(line) for line in lines[half:]) == later
    first, second = ({found for line in part for found in ids.findall(line)} for part in (lines[:half], lines[half:]))
    assert first and second and not first & second
    assert date.fromtimestamp(source.paths[0].stat().st_mtime) >= date(2026, 11, 23)  # it tells the year


@pytest.mark.parametrize("name", inputs.WRITERS)
def test_inputs__in_every_format__tell_of_the_same_requests(tmp_path, name):
    source = inputs.build(tmp_path, 2, name)
    reading = read_logs([str(path) for path in source.paths])
    verdicts = judge_all(reading)
    creates = list(reading.creates())
    assert len(creates) == source.requests == 50
    assert {verdicts[t.request_id].outcome.outcome for t in creates} == {"created"}
    assert not [d for v in verdicts.values() for d in v.deviations] and not reading.unrecognised
    assert sum(len(task.states) for t in creates for flow in t.flows for task in flow.tasks) == 50 * 26


def test_rounds__voltrace_and_the_naive_loop__agree(tmp_path):
    source = inputs.build(tmp_path, 2)
    own = [reader for reader in readers.list_readers(source, tmp_path) if "voltrace" in reader.name or reader.name == readers.NAIVE]
    rows = rounds.run_rounds([(reader, source) for reader in own], 1, quiet=True)
    assert [row.failure for row in rows] == [None] * 4
    assert {row.answer.requests for row in rows} == {50}
    assert _row(rows, readers.NAIVE).answer.transitions == 1600
    found = rounds.check(rows)
    assert len(found) == 5 and all(each.holds for each in found)
    for row in rows:
        (took,) = row.runs
        assert took.cpu_s > 0 and took.wall_s > 0 and took.peak_mb > 5
    table = tables.table_of_readers(rows)
    assert {len(line) for line in table} == {10} and len(table) == 5
    assert tables.render(table, markdown=True).splitlines()[1].count("---:") == 9
    assert _row(rows, readers.NAIVE).reader.name in tables.render(table, markdown=False)


@pytest.mark.parametrize("program", ["lnav", "mawk"])
def test_rounds__other_programs__count_the_transitions_of_the_naive_loop(tmp_path, program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    source = inputs.build(tmp_path, 2)
    chosen = [reader for reader in readers.list_readers(source, tmp_path) if program in reader.name or reader.name == readers.NAIVE]
    rows = rounds.run_rounds([(reader, source) for reader in chosen], 1, quiet=True)
    assert [row.failure for row in rows] == [None, None]
    assert [row.answer.transitions for row in rows] == [1600, 1600]


def test_rounds__a_row_that_fails_or_is_absent__says_so_and_the_others_go_on(tmp_path):
    source = inputs.Input("none", (), 0, 0, 7, True)

    def reader(name, script, absent=None):
        return readers.Reader(name, (sys.executable, "-c", script), lambda text: readers.Answer(requests=int(text)), absent=absent)

    chosen = [
        reader("breaks", "import sys; sys.exit('no such luck')"),
        reader("mumbles", "print('what?')"),
        reader("is away", "print(7)", "not installed"),
        reader("is wrong", "print(6)"),
        reader("is right", "print(7)"),
    ]
    rows = rounds.run_rounds([(each, source) for each in chosen], 2, quiet=True)
    assert rows[0].failure == "exit 1: no such luck" and "not understood" in rows[1].failure
    assert [len(row.runs) for row in rows[2:]] == [0, 2, 2]
    assert [(each.holds, str(each)) for each in rounds.check(rows)] == [
        (False, "WRONG: is wrong: 6 requests of 7"),
        (True, "right: is right: 7 requests of 7"),
    ]
    shown = tables.render(tables.table_of_readers(rows), markdown=True)
    assert "failed: exit 1: no such luck" in shown and "| is away | not installed |" in shown


def test_processes__one_with_children__is_measured_with_them():
    hold = "import time; kept = bytearray(40_000_000); time.sleep(0.4)"
    script = f"import subprocess, sys; [p.wait() for p in [subprocess.Popen([sys.executable, '-c', {hold!r}]) for _ in range(2)]]"
    took = processes.watch([sys.executable, "-c", script])
    assert took.failure is None and took.peak_mb > 80


def test_processes__one_that_is_too_slow_or_not_there__has_failed():
    assert processes.watch([sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.2).failure == "longer than 0.2 s"
    assert "No such file" in processes.watch(["/no/such/program"]).failure


def test_measure__a_command__gives_time_and_memory_or_ends_the_run():
    cpu, peak = read.measure([sys.executable, "-c", "pass"])
    assert cpu > 0 and peak > 0
    with pytest.raises(SystemExit, match="exit 3"):
        read.measure([sys.executable, "-c", "raise SystemExit(3)"])
