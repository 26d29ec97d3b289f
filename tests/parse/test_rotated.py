"""Rotated files are one log: they tell what the undivided one tells, each line in the file in which it stands."""

import gzip
import re

import pytest
from given import SAMPLES
from here import Here
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voltrace.check.judge import judge_all
from voltrace.encode import encode_check, encode_timeline
from voltrace.parse.engine import ReadOptions, fetch_lines, read
from voltrace.parse.rotated import sets_of
from voltrace.trace import LogSet

PLACE = re.compile(r"(\S+/)?(c-\w+\.log)(\S*):(\d+)")
NAMES = {
    "numbers": lambda n, count: "" if n == count - 1 else f".{count - 1 - n}",
    "dates": lambda n, count: "" if n == count - 1 else f"-202611{10 + n}",
    "hours": lambda n, count: "" if n == count - 1 else f".2026-11-22-{10 + n}",
    "no newest": lambda n, count: f".{count - n}",
}


def told(folder, crew=None, moved=lambda text: text):
    reading = read([str(folder)], ReadOptions(year=2026, keep_lines=True), crew=crew)
    verdicts = judge_all(reading)
    timelines = [encode_timeline(t, verdicts[t.request_id], events=True) for t in reading.timelines]
    texts = [(str(where), text) for t in reading.creates() for where, text in fetch_lines(t, reading.sources)]
    return moved([timelines, encode_check(reading, list(verdicts.values())), texts])


def moved_by(begins):
    """Makes places in parts those in the whole: ``begins`` has the lines before each part."""

    def move(value):
        if isinstance(value, dict):
            return {k: move(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [move(v) for v in value]
        if isinstance(value, str):
            return PLACE.sub(lambda m: f"{m[2]}:{int(m[4]) + begins.get(m[2] + m[3], 0)}", value)
        return value

    return move


def divide(case, folder, cuts, names, pack):
    """Writes a sample's logs in parts; the number of lines before each."""
    begins = {}
    for path in (SAMPLES / case).glob("c-*.log"):
        lines = path.read_bytes().split(b"\n")[:-1]
        marks = [0, *sorted({int(len(lines) * cut) for cut in cuts} - {0, len(lines)}), len(lines)]
        for n, (start, end) in enumerate(zip(marks, marks[1:])):
            name = path.name + NAMES[names](n, len(marks) - 1)
            data = b"".join(line + b"\n" for line in lines[start:end])
            begins[name] = start
            if pack and n < len(marks) - 2:
                name, data = name + ".gz", gzip.compress(data)
                begins[name] = start
            (folder / name).write_bytes(data)
    return begins


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    case=st.sampled_from(["driver-failure", "created-oslo", "sources", "volume-killed", "over-quota"]),
    cuts=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=4),
    names=st.sampled_from(sorted(NAMES)),
    pack=st.booleans(),
    crew=st.sampled_from([None, Here(4000)]),
)
def test_rotated__cut_anywhere__tells_the_same_with_places_in_the_parts(case, cuts, names, pack, crew, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rotated")
    begins = divide(case, folder, cuts, names, pack)
    assert told(folder, crew, moved_by(begins)) == told(SAMPLES / case, None, moved_by({}))


def test_rotated__named_in_any_order__is_one_log(tmp_path):
    divide("created", tmp_path, [0.3, 0.6], "numbers", False)
    paths = sorted(map(str, tmp_path.glob("c-api.log*")))
    one, other = (read(order, ReadOptions(2026)) for order in (paths, paths[::-1]))
    assert [str(e.where) for e in one.timelines[0].events] == [str(e.where) for e in other.timelines[0].events]
    (log,) = one.sources
    assert isinstance(log, LogSet) and [*log.files] == paths[::-1] and len({str(e.where).rpartition(":")[0] for e in one.timelines[0].events}) == 3


def test_rotated__part_that_breaks_off__is_told_and_the_rest_read(tmp_path):
    divide("driver-failure", tmp_path, [0.3, 0.6], "numbers", True)
    broken = tmp_path / "c-vol.log.1.gz"
    broken.write_bytes(broken.read_bytes()[:-4000])
    reading = read([str(tmp_path)], ReadOptions(2026))
    (bad,) = [d for d in reading.diagnostics if d.slug == "unreadable-source"]
    assert str(broken) in bad.message and "to its end" in bad.message
    assert {str(e.where).rpartition("/")[2].partition(":")[0] for t in reading.timelines for e in t.events} >= {"c-vol.log", "c-vol.log.2.gz"}


def test_rotated__part_without_last_newline__keeps_the_lines_apart(tmp_path):
    begins = divide("created", tmp_path, [0.5], "numbers", False)
    older = tmp_path / "c-api.log.1"
    older.write_bytes(older.read_bytes()[:-1])
    assert told(tmp_path, None, moved_by(begins)) == told(SAMPLES / "created", None, moved_by({}))


@pytest.mark.parametrize(
    ("names", "sets"),
    [
        (["c-api.log", "c-api.log.1", "c-api.log.10", "c-api.log.2.gz"], [["c-api.log.10", "c-api.log.2.gz", "c-api.log.1", "c-api.log"]]),
        (["v.log-20181011.gz", "v.log", "v.log-20181010"], [["v.log-20181010", "v.log-20181011.gz", "v.log"]]),
        (["v-20181011.log", "v.log", "v.1.log"], []),
        (["v.1.log", "v.log"], [["v.1.log", "v.log"]]),
        (["v.log", "v.log.gz"], []),
        (["volume-1.log", "volume-2.log"], []),
        (["a/v.log.1", "b/v.log"], []),
        (["c-api.log", "c-sch.log"], []),
    ],
)
def test_sets__by_their_names__oldest_first(names, sets):
    assert sets_of(names) == sets


def test_sets__that_do_not_follow_one_another__stay_apart(tmp_path):
    """Names as of rotated files, but the older one begins later: two nodes' logs, or a name of somebody's own."""
    lines = (SAMPLES / "created" / "c-api.log").read_bytes().splitlines(keepends=True)
    (tmp_path / "c-api.log").write_bytes(b"".join(lines[:20]))
    (tmp_path / "c-api.log.1").write_bytes(b"".join(lines[30:]))
    assert len(read([str(tmp_path)], ReadOptions(2026)).sources) == 2
