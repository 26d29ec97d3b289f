"""Files, folders, globs, pipes and packed files -> blocks of whole lines."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import sys
import threading
import tracemalloc
from functools import partial

import pytest
from compared import without
from given import SAMPLES, record
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from voltrace.encode import encode_timeline
from voltrace.errors import SourceError, UsageError
from voltrace.parse import sources
from voltrace.parse.engine import ReadOptions, fetch_lines, read
from voltrace.parse.sources import blocks, find_sources
from voltrace.verdict import Outcome, Verdict

try:
    from compression import zstd  # Python 3.14
except ImportError:
    from backports import zstd

LOG = record("Create volume of 1 GB", level="INFO", logger="cinder.api.v3.volumes") + b"\n"


@settings(max_examples=200, deadline=None)
@given_(data=st.lists(st.sampled_from([b"a", b"bc" * 20, b"\n", b"\n\n", b"\r\n"])).map(b"".join), size=st.integers(1, 60))
def test_blocks__any_size__hold_every_line_once_at_its_place(data, size):
    found = list(blocks(io.BytesIO(data), size))
    lines = [line for b in found for line in b.data.split(b"\n")]
    assert lines == (data.removesuffix(b"\n").split(b"\n") if data else [])
    assert all(data[b.offset : b.offset + len(b.data)] == b.data for b in found)
    assert [b.ended for b in found if not b.ended] == ([False] if data and not data.endswith(b"\n") else [])


@pytest.mark.parametrize("after", [b"", b"\n", b"\nnext", b"\nnext\n", b"\nnext\nlast\n", b"\n\nnext\n"])
@pytest.mark.parametrize("size", [1, 7, 40])
@pytest.mark.parametrize("length", [51, 60, 200])
def test_blocks__line_that_is_too_long__is_cut_and_the_rest_goes_on(monkeypatch, after, size, length):
    monkeypatch.setattr(sources, "LONGEST_LINE", 50)
    data = b"first\n" + b"x" * length + after
    found = list(blocks(io.BytesIO(data), size))
    (cut,) = [b for b in found if b.overlong]
    assert cut.data == b"x" * 50
    lines = [line for b in found for line in b.data.split(b"\n")]
    assert lines == data.replace(b"x" * length, b"x" * 50).removesuffix(b"\n").split(b"\n")
    assert all(data[b.offset :].startswith(b.data) for b in found)


def names(paths):
    return [s.name for s in find_sources([str(p) for p in paths])[0]]


def test_find__folder__logs_in_all_its_folders_and_nothing_else(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("a.log", "deep/b.log.1", "deep/er/c", "truth.jsonl", "p.toml", "r.html", "notes.md", ".hidden.log"):
        (tmp_path / name).write_bytes(LOG)
    (tmp_path / "words.txt").write_text("nothing to see\n")
    (tmp_path / "empty.log").write_bytes(b"")
    assert names([tmp_path]) == [str(tmp_path / n) for n in ("a.log", "deep/b.log.1", "deep/er/c")]


def test_find__links_in_a_circle_and_into_nowhere__each_log_once(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.log").write_bytes(LOG)
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "self").symlink_to("self")
    (tmp_path / "again.log").symlink_to(tmp_path / "in" / "a.log")
    (tmp_path / "gone.log").symlink_to(tmp_path / "nothing")
    assert len(names([tmp_path])) == 1
    assert len(names([tmp_path, tmp_path / "in" / "a.log", tmp_path / "in"])) == 1


def test_find__glob__what_it_matches(tmp_path):
    for name in ("c-api.log", "c-sch.log", "x.txt"):
        (tmp_path / name).write_bytes(LOG)
    assert names([tmp_path / "c-*.log"]) == [str(tmp_path / "c-api.log"), str(tmp_path / "c-sch.log")]
    (tmp_path / "odd[1].log").write_bytes(LOG)
    assert names([tmp_path / "odd[1].log"]) == [str(tmp_path / "odd[1].log")]


def test_find__nothing_there__is_an_error_and_beside_something_a_remark(tmp_path):
    (tmp_path / "a.log").write_bytes(LOG)
    (tmp_path / "none").mkdir()
    for path, error in ((tmp_path / "missing", UsageError), (tmp_path / "z*.log", UsageError), (tmp_path / "none", SourceError), ("", UsageError)):
        with pytest.raises(error):
            find_sources([str(path)])
        found, bad = find_sources([str(path), str(tmp_path / "a.log")])
        assert len(found) == 1 and [p for p, _ in bad] == [str(path)]


@pytest.mark.parametrize("pack, suffix", [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz"), (zstd.compress, ".zst")])
def test_packed__by_whatever_name__is_unpacked(tmp_path, pack, suffix):
    for name in ("c-api.log" + suffix, "c-api.log"):
        path = tmp_path / name
        path.write_bytes(pack(LOG * 3))
        assert read([str(path)]).lines == 3
        path.unlink()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, partial(lzma.compress, preset=0), zstd.compress])
@pytest.mark.parametrize("count", [100, 4000])  # less than is looked at to find the format out, and more
def test_packed__broken_off__what_came_before_stands(tmp_path, pack, count):
    if count == 100 and pack in (bz2.compress, zstd.compress):
        pytest.skip("nothing can be unpacked before the first block is whole")
    noise = [record(os.urandom(200).hex(), request=None) for _ in range(count)]
    data = pack(LOG + b"\n".join(noise) + b"\n")
    (tmp_path / "c-api.log.p").write_bytes(data[: len(data) * 2 // 3])
    reading = read([str(tmp_path / "c-api.log.p")])
    assert 0 < reading.lines < count
    (bad,) = [d for d in reading.diagnostics if d.slug == "unreadable-source"]
    assert "to its end" in bad.message and "\n" not in bad.message
    (timeline,) = reading.creates()
    assert timeline.start is not None and reading.coverage["api"].last is not None


@pytest.mark.parametrize("bomb", [gzip.compress, partial(lzma.compress, preset=0), zstd.compress])
@pytest.mark.parametrize("text", [b"\0", b"x"])
def test_packed__bomb__is_read_in_bounded_memory(tmp_path, bomb, text):
    """A few kB that unpack to a line of 200 MB: it is cut, told, and what stands around it is read."""
    (tmp_path / "c-api.log.p").write_bytes(bomb(LOG + text * 200_000_000 + b"\n" + LOG))
    tracemalloc.start()
    reading = read([str(tmp_path / "c-api.log.p")])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reading.lines == 3 and "overlong-line" in {d.slug for d in reading.diagnostics}
    assert peak < 60_000_000


def test_packed__fallback_for_gzip__reads_the_same(tmp_path, monkeypatch):
    (tmp_path / "c-api.log.gz").write_bytes(gzip.compress(LOG * 3))
    monkeypatch.setitem(sys.modules, "isal", None)
    assert read([str(tmp_path / "c-api.log.gz")]).lines == 3


@pytest.mark.skipif(not shutil.which("journalctl"), reason="no journalctl here")
@pytest.mark.parametrize("pack", [bytes, lzma.compress])
def test_journal__its_own_file__is_what_journalctl_exports(tmp_path, pack):
    (journal,) = (SAMPLES / "created-journal").glob("*.journal.xz")
    (tmp_path / "system.journal").write_bytes(pack(lzma.decompress(journal.read_bytes())))
    found, exported = (read([str(path)], ReadOptions(keep_lines=True)) for path in (tmp_path, SAMPLES / "created-export"))
    tell = partial(encode_timeline, verdict=Verdict("", "", Outcome("unknown")), events=True)
    assert without([tell(t) for t in found.timelines], {"where"}) == without([tell(t) for t in exported.timelines], {"where"})
    (timeline,) = found.creates()
    lines = fetch_lines(timeline, found.sources)
    assert len(lines) > 50 and all(timeline.request_id in text or "POST" in text for _, text in lines)


@pytest.mark.skipif(not shutil.which("journalctl"), reason="no journalctl here")
def test_journal__broken_file__says_what_journalctl_says(tmp_path):
    (tmp_path / "system.journal").write_bytes(b"LPKSHHRH" + b"x" * 500)
    with pytest.raises(SourceError, match="journalctl says"):
        read([str(tmp_path / "system.journal")])


def test_journal__no_journalctl__says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "system.journal").write_bytes(b"LPKSHHRH" + b"x" * 500)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError, match="-o export"):
        read([str(tmp_path / "system.journal")])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_pipe__named__is_read_from_its_first_byte(tmp_path, pack):
    pipe = tmp_path / "c-api.log"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(pack(LOG * 5_000)))
    writer.start()
    reading = read([str(pipe)])
    writer.join()
    assert reading.lines == 5_000
    assert not [d for d in reading.diagnostics if d.slug in ("unreadable-source", "truncated-file")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipe__in_a_folder__is_left_alone(tmp_path):
    os.mkfifo(tmp_path / "c-sch.log")
    (tmp_path / "c-api.log").write_bytes(LOG)
    assert read([str(tmp_path)]).sources == [str(tmp_path / "c-api.log")]


def test_file__grows_while_it_is_read__what_was_there_is_read(tmp_path):
    path = tmp_path / "c-api.log"
    path.write_bytes(LOG * 8_000)
    grown = 0

    def grow(name, count):
        nonlocal grown
        if not grown:
            grown = 1
            with path.open("ab") as out:
                out.write(LOG * 10 + LOG[:60])

    reading = read([str(path)], progress=grow)
    assert grown and 8_000 <= reading.lines <= 8_011


def test_file__deleted_while_it_is_read__is_read_to_its_end(tmp_path):
    path = tmp_path / "c-api.log"
    path.write_bytes(LOG * 8_000)
    reading = read([str(path)], progress=lambda name, count: path.unlink(missing_ok=True))
    assert reading.lines == 8_000


def test_file__gone_between_finding_and_reading__others_stand(tmp_path, monkeypatch):
    for name in ("c-api.log", "c-sch.log"):
        (tmp_path / name).write_bytes(LOG)
    found = find_sources([str(tmp_path)])
    (tmp_path / "c-api.log").unlink()
    monkeypatch.setattr("voltrace.parse.engine.find_sources", lambda paths: found)
    reading = read([str(tmp_path)])
    assert reading.sources == [str(tmp_path / "c-sch.log")]
    assert [d.slug for d in reading.diagnostics if d.slug == "unreadable-source"] == ["unreadable-source"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file__not_readable__others_stand(tmp_path):
    for name in ("c-api.log", "c-sch.log"):
        (tmp_path / name).write_bytes(LOG)
    (tmp_path / "c-api.log").chmod(0)
    reading = read([str(tmp_path)])
    assert reading.sources == [str(tmp_path / "c-sch.log")]
    assert [d.slug for d in reading.diagnostics if d.slug == "unreadable-source"] == ["unreadable-source"]
