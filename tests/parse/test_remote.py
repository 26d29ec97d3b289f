"""Logs behind URLs: whatever fsspec can open is read as the same files on this machine are."""

import gzip
import os
import subprocess
import sys

import pytest
from given import SAMPLES

from voltrace.cli.main import main
from voltrace.errors import SourceError, UsageError
from voltrace.parse import remote
from voltrace.parse.crew import Processes
from voltrace.parse.engine import fetch_lines, read
from voltrace.parse.pieces import ReadOptions, Task, plan_source
from voltrace.parse.sources import Source, find_sources, read_tail

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'voltrace[distributed]'")
LOGS = sorted((SAMPLES / "driver-failure").glob("*.log"))
OPTIONS = ReadOptions(2026, keep_lines=True)


@pytest.fixture
def memory():
    """A folder of logs in a file system in memory; its URL."""
    system = fsspec.filesystem("memory")
    remote._about.cache_clear()
    for log in LOGS:
        system.pipe(f"/logs/deep/{log.name}", log.read_bytes())
    system.pipe("/logs/packed/c-api.log.gz", gzip.compress(LOGS[0].read_bytes()))
    system.pipe("/logs/.hidden/c-api.log", LOGS[0].read_bytes())
    system.pipe("/logs/words.txt", b"nothing to see\n")
    system.pipe("/logs/truth.jsonl", b"{}\n")
    yield "memory://logs"
    system.rm("/logs", recursive=True)
    remote._about.cache_clear()


def names(*paths):
    return [s.name for s in find_sources([str(p) for p in paths])[0]]


def told(paths, crew=None):
    reading = read([str(p) for p in paths], OPTIONS, crew=crew)
    return [
        (t.request_id, t.start, t.end, list(t.lines.line), list(t.lines.offset), [text for _, text in fetch_lines(t, reading.sources)])
        for t in reading.timelines
    ]


def test_find__folder_and_glob_of_a_url__logs_as_in_a_folder_here(memory):
    deep = [f"memory:///logs/deep/{p.name}" for p in LOGS]
    assert names(memory) == [*deep, "memory:///logs/packed/c-api.log.gz"]
    assert names(f"{memory}/deep/*.log") == deep
    assert names(f"{memory}/**/c-api.log") == [f"memory:///logs/{d}/c-api.log" for d in (".hidden", "deep")]
    assert names(f"{memory}/deep/c-api.log", *deep[:1]) == [f"{memory}/deep/c-api.log"]


def test_find__a_file_by_path_and_by_url__is_one_source():
    assert names(LOGS[0], f"file://{LOGS[0]}") == [str(LOGS[0])]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("memory://logs/none.log", "no such file or folder"),
        ("memory://logs/*.none", "matches no file"),
        ("memory://logs/[a", "matches no file"),
        ("nowhere://logs", "rotocol not known"),
        ("file:///no/such/file.log", "no such file or folder"),
    ],
)
def test_find__a_url_that_is_not_there__says_so_in_one_line(memory, url, says, capsys):
    with pytest.raises(UsageError, match=says):
        find_sources([url])
    assert main(["trace", url]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"voltrace trace: {url}: ") and err.count("\n") == 1


def test_find__a_folder_without_logs__says_so(memory):
    fsspec.filesystem("memory").pipe("/logs/none/x.md", b"")
    with pytest.raises(SourceError, match="no logs in this folder"):
        find_sources([f"{memory}/none"])


@pytest.mark.parametrize("crew", [None, Processes(2, 20_000)])
def test_read__urls__tell_what_the_files_tell(memory, crew):
    here = told(LOGS)
    assert here and all(texts for *_, texts in here)
    assert told([f"{memory}/deep"], crew) == here
    assert told([f"file://{p}" for p in LOGS], crew) == here
    packed = [f"{memory}/packed/c-api.log.gz", *(f"{memory}/deep/{p.name}" for p in LOGS[1:])]
    assert told(packed, crew) == here


def test_plan__a_plain_url__is_cut_and_a_packed_one_is_not(memory):
    plain, packed = (Source(f"{memory}/{p}", "x") for p in ("deep/c-api.log", "packed/c-api.log.gz"))
    assert [t.start for t in plan_source(plain, OPTIONS, 5000)] == [t.start for t in plan_source(Source(str(LOGS[0]), "x"), OPTIONS, 5000)]
    assert len(plan_source(packed, OPTIONS, 5000)) == 1
    assert read_tail(plain) == LOGS[0].read_bytes()[-(1 << 16) :] and read_tail(packed) == b""


def test_source__modified__is_that_of_the_file(memory):
    assert Source(f"file://{LOGS[0]}", "x").modified() == pytest.approx(os.stat(LOGS[0]).st_mtime)
    assert Source(f"{memory}/deep/c-api.log", "x").modified() is not None


def test_two_readers_of_one_file_in_memory__do_not_move_each_other(memory):
    source = Source(f"{memory}/deep/c-api.log", "x")
    with source.open() as one, source.open() as two:
        two.seek(1000)
        assert one.read(10) == LOGS[0].read_bytes()[:10]


class Broken:
    """A stream of a file system with errors of its own."""

    def seekable(self):
        return False

    def read(self, size):
        raise RuntimeError("the bucket said no\nand more")

    def close(self):
        pass


def test_read__a_file_system_with_errors_of_its_own__is_an_unreadable_source(memory, monkeypatch, capsys):
    monkeypatch.setattr(fsspec.filesystem("memory"), "open", lambda path, mode: Broken(), raising=False)
    assert plan_source(source := Source(f"{memory}/deep/c-api.log", "x"), OPTIONS, 5000) == [Task(source, OPTIONS)]
    assert main(["trace", f"{memory}/deep/c-api.log", str(LOGS[1]), "--workers", "1"]) == 0
    assert "c-api.log: could not be read: the bucket said no\n" in capsys.readouterr().err


def test_read__a_server_without_ranges__is_read_once_from_its_beginning(memory, monkeypatch):
    monkeypatch.setattr(remote, "_about", lambda url: {"type": "file", "size": None, "partial": False})
    source = Source(f"{memory}/deep/c-api.log", "x")
    assert source.is_stream and source.modified() is None and len(plan_source(source, OPTIONS, 5000)) == 1
    assert told([f"{memory}/deep/{p.name}" for p in LOGS]) == told(LOGS)


def test_url__without_fsspec__says_what_to_install():
    code = "import sys\nsys.modules['fsspec'] = None\nfrom voltrace.cli.main import main\nsys.exit(main(['trace', 's3://logs/x.log']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "voltrace trace: s3://logs/x.log: to read URLs, install the package's extra: pip install 'voltrace[distributed]'\n"


def test_url__of_a_protocol_whose_package_is_missing__names_the_package():
    code = "import sys\nsys.modules['s3fs'] = None\nfrom voltrace.cli.main import main\nsys.exit(main(['trace', 's3://logs/x.log']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "s3fs" in done.stderr and done.stderr.count("\n") == 1
