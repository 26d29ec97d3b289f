"""A real Dask cluster of two worker processes: what it tells is, byte for byte, what one process tells, also if one of them is killed."""

import contextlib
import io
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from given import SAMPLES

from voltrace.cli import reading
from voltrace.cli.main import main
from voltrace.errors import UsageError
from voltrace.parse import cluster
from voltrace.parse.cluster import Cluster, mark_of, read_there
from voltrace.parse.pieces import ReadOptions, Task, plan_source, read_piece
from voltrace.parse.sources import Source

distributed = pytest.importorskip("distributed", reason="distributed is not installed: pip install 'voltrace[distributed]'")
CASE = str(SAMPLES / "driver-failure")
LOG = str(SAMPLES / "driver-failure" / "c-vol.log")
COMMANDS = [["trace", "--all", "--events", "--format", "jsonl"], ["check", "--format", "json"], ["stats", "--format", "json"]]
PIECE, LARGE = 20_000, 100_000


@pytest.fixture(scope="module")
def local():
    """Two workers on this machine, started as `--dask local` starts them; what their scheduler's address is."""
    crew = Cluster("local", 2)
    with crew.connect() as client:
        yield client.cluster.scheduler_address


@pytest.fixture
def scheduler():
    """A scheduler that has no workers."""
    with distributed.LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL) as alone:
        yield alone


def run(argv, crew, monkeypatch):
    """(exit status, standard output, standard error) of a command whose logs this crew reads."""
    monkeypatch.setattr(reading, "_crew", lambda args: crew)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    return status, out.getvalue(), err.getvalue()


def read_slowly(task, mark, version):
    """On a worker: as `read_there`; the first that comes to the middle of a file says its number and waits until it is killed."""
    if task.start:
        flag = Path(task.source.path).with_name("flag")
        with contextlib.suppress(FileExistsError), open(flag, "x") as file:
            file.write(f"{os.getpid()}\n")
            file.flush()
            time.sleep(60)
    return read_there(task, mark, version)


@pytest.mark.parametrize("command", COMMANDS, ids=[c[0] for c in COMMANDS])
def test_cluster__small_pieces__tell_byte_for_byte_what_one_process_tells(command, local, monkeypatch):
    alone = run([*command, CASE], None, monkeypatch)
    assert alone[1] and run([*command, CASE], Cluster(local, 2, PIECE), monkeypatch) == alone


def test_cluster__urls_and_packed_files__tell_the_same(local, monkeypatch):
    argv = [*COMMANDS[0], *(f"file://{p}" for p in sorted(Path(CASE).glob("*.log"))), str(SAMPLES / "created-json")]
    assert run(argv, Cluster(local, 2, PIECE), monkeypatch) == run(argv, None, monkeypatch)


def test_cluster__a_worker_is_killed__its_piece_is_read_by_another(local, monkeypatch, tmp_path):
    for log in Path(CASE).glob("*.log"):
        (tmp_path / log.name).write_bytes(log.read_bytes())
    killed = []

    def kill():
        flag = tmp_path / "flag"
        while not (flag.exists() and flag.read_text().endswith("\n")):
            time.sleep(0.01)
        killed.append(int(flag.read_text()))
        os.kill(killed[0], signal.SIGKILL)

    argv = [*COMMANDS[0], "--year", "2026", str(tmp_path)]
    alone = run(argv, None, monkeypatch)
    monkeypatch.setattr(cluster, "read_there", read_slowly)
    killer = threading.Thread(target=kill)
    killer.start()
    assert run(argv, Cluster(local, 2, PIECE), monkeypatch) == alone
    killer.join()
    assert killed and killed[0] != os.getpid()


def run_out_of_memory(task, mark, version):
    raise MemoryError


def test_cluster__a_piece_that_no_worker_can_read__is_read_here(local, monkeypatch):
    monkeypatch.setattr(cluster, "read_there", run_out_of_memory)
    assert run([*COMMANDS[0], LOG], Cluster(local, 2, PIECE), monkeypatch) == run([*COMMANDS[0], LOG], None, monkeypatch)


def test_cluster__another_voltrace_on_the_workers__is_told(local, monkeypatch):
    monkeypatch.setattr(cluster, "__version__", "9.9")
    status, out, err = run(["trace", LOG], Cluster(local, 2, PIECE), monkeypatch)
    assert (status, out, err.count("\n")) == (2, "", 1) and "has voltrace " in err and "install voltrace 9.9 there" in err


def test_cluster__a_file_that_workers_do_not_see__is_told(local, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/only-here.log", Path(LOG).read_bytes())  # each process has a memory of its own
    status, out, err = run(["trace", "memory://only-here.log"], Cluster(local, 2, PIECE), monkeypatch)
    assert (status, out, err.count("\n")) == (2, "", 1) and "cannot read memory://only-here.log" in err and "workers must see the same paths" in err


def test_there__another_file_of_the_same_name__is_told(tmp_path):
    log = tmp_path / "c-vol.log"
    log.write_bytes(Path(LOG).read_bytes())
    task = plan_source(Source(str(log), str(log)), ReadOptions(2026), PIECE)[1]
    mark = mark_of(task)
    with log.open("ab") as file:
        file.write(b"it grows\n")
    assert pickle.loads(zlib.decompress(read_there(task, mark, cluster.__version__))).lines == read_piece(task).lines
    log.write_bytes(b"x" * mark[0])
    with pytest.raises(UsageError, match="sees another file at "):
        read_there(task, mark, cluster.__version__)
    with pytest.raises(UsageError, match="they must be the same"):
        read_there(task, mark, "9.9")


def test_there__what_is_sent_back__is_a_small_part_of_the_log():
    source = Source(LOG, LOG)
    tasks = plan_source(source, ReadOptions(2026), 50_000)
    sent = sum(len(read_there(task, mark_of(task), cluster.__version__)) for task in tasks)
    assert sent < 0.12 * Path(source.path).stat().st_size
    assert max(len(pickle.dumps(task)) for task in tasks) < 1000


def test_cluster__standard_input__is_read_here():
    gathering = cluster._Gathering(None, "x", [], 1)
    assert gathering._submit(Task(Source("-", "<stdin>"), ReadOptions())) == (Task(Source("-", "<stdin>"), ReadOptions()), None, None)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "odd://x:1"])
def test_cluster__no_scheduler_there__is_told_soon(address, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_S", 1)
    began = time.monotonic()
    status, out, err = run(["trace", LOG], Cluster(address, 2, PIECE), monkeypatch)
    assert (status, out, err.count("\n")) == (2, "", 1) and f"--dask {address}: no Dask scheduler answers there" in err
    assert time.monotonic() - began < 10


def test_cluster__no_workers__is_told(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "_WORKERS_S", 0.2)
    status, _, err = run(["trace", LOG], Cluster(scheduler.scheduler_address, 2, LARGE), monkeypatch)
    assert status == 2 and "has no workers" in err and err.count("\n") == 1


def test_cluster__all_workers_are_gone__the_pieces_are_read_here(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "_ask_workers", lambda client, address: 2)
    monkeypatch.setattr(cluster, "_ALONE_S", 0.1)
    monkeypatch.setattr(cluster, "_LOOK_S", 0.1)
    assert run([*COMMANDS[0], LOG], Cluster(scheduler.scheduler_address, 2, LARGE), monkeypatch) == run([*COMMANDS[0], LOG], None, monkeypatch)


def test_cluster__the_scheduler_is_lost__is_told(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "_ask_workers", lambda client, address: scheduler.close() or 2)
    began = time.monotonic()
    address = scheduler.scheduler_address
    status, out, err = run(["trace", LOG], Cluster(address, 2, LARGE), monkeypatch)
    assert (status, out, err) == (2, "", f"voltrace trace: --dask {address}: the scheduler was lost\n")
    assert time.monotonic() - began < 20


def test_dask__without_the_extra__says_what_to_install():
    code = f"import importlib.util as u, sys\nu.find_spec = lambda name: None\nfrom voltrace.cli.main import main\nsys.exit(main(['trace', {LOG!r}, '--dask', 'local']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "voltrace trace: --dask needs the package's extra: pip install 'voltrace[distributed]'\n")


_MAIN = f"""
import sys
from voltrace.cli import reading
from voltrace.cli.main import main
from voltrace.parse.cluster import Cluster

class Telling(Cluster):
    def run(self, tasks, folder=None):
        for n, found in enumerate(super().run(tasks)):
            yield found
            print("begun", flush=True) if not n else None

reading._crew = lambda args: Telling(args.dask, 2, {PIECE})
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("interrupt", [False, True])
def test_dask_local__done_or_interrupted__leaves_no_word_and_no_process(interrupt, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(_MAIN)
    argv = [sys.executable, script, "trace", LOG, "--format", "jsonl", "--dask", "local"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "begun\n"
        if interrupt:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == ((130, "voltrace trace: interrupted\n") if interrupt else (0, ""))
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("processes are left")
