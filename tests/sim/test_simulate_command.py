"""``voltrace simulate``: same seed, same bytes; what is refused; nothing half-written."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from voltrace.cli.main import main
from voltrace.sim.progress import draw

FILES = {"c-api.log", "c-sch.log", "c-vol.log", "merged.log", "truth.jsonl"}


def simulate(folder, *options):
    return main(["simulate", "-o", str(folder), "--requests", "12", *options])


@pytest.mark.parametrize(
    "options", [["--scenario", "mixed"], ["--scenario", "mixed", "--release", "queens", "--format", "oslo"], ["--arrivals", "closed:3", "--color"]]
)
def test_bytes__same_seed__same_files(tmp_path, options):
    assert simulate(tmp_path / "a", *options, "--seed", "9") == 0
    assert simulate(tmp_path / "b", *options, "--seed", "9") == 0
    assert simulate(tmp_path / "c", *options, "--seed", "10") == 0
    assert {f.name for f in (tmp_path / "a").iterdir()} == FILES
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes()


def test_bytes__other_process__same_files(tmp_path):
    simulate(tmp_path / "a", "--scenario", "mixed")
    command = [sys.executable, "-m", "voltrace.cli.main"]
    code = "import sys; from voltrace.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "simulate", "-o", str(tmp_path / "b"), "--requests", "12", "--scenario", "mixed"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "77"})
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in FILES)


def test_merged__the_services_lines__all_and_in_order(tmp_path):
    simulate(tmp_path / "a", "--scenario", "mixed")
    merged = (tmp_path / "a" / "merged.log").read_text().splitlines()
    parts = [(tmp_path / "a" / name).read_text().splitlines() for name in ("c-api.log", "c-sch.log", "c-vol.log")]
    assert sorted(merged) == sorted(line for part in parts for line in part)
    assert [line[:22] for line in merged] == sorted(line[:22] for line in merged)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--release", "pike"], "no release 'pike' to simulate; there are queens, train, "),
        (["--release", "grizzly"], "there are queens, train, "),
        (["--format", "xml"], "there are short, short-precise"),
        (["--scenario", "nosuch"], "there are busy, devstack, faulty, full-backends, gate, mishaps, mixed, "),
        (["--scenario", "nosuch.toml"], "cannot be read"),
        (["--arrivals", "poisson:0"], "must be burst, every:SECONDS, poisson:RATE or closed:CLIENTS"),
        (["--arrivals", "poisson:nan"], "must be burst"),
        (["--arrivals", "closed:1.5"], "must be burst"),
        (["--arrivals", "every:-1"], "must be burst"),
        (["--arrivals", "often"], "must be burst"),
        (["--start", "yesterday"], "must be an ISO 8601 instant such as 2026-01-05T09:00:00Z"),
        (["--start", "1920-01-01"], "must lie between 1970-01-02 and 2169"),
        (["--requests", "0"], "requests must be 1 or more"),
        (["--requests", "many"], "invalid int value"),
        (["--level", "TRACE"], "there are DEBUG, INFO"),
        (["--truth", "t.jsonl"], "--truth goes with -o -"),
    ],
)
def test_refused__bad_value__one_line_exit_2_nothing_written(tmp_path, capsys, options, says):
    assert simulate(tmp_path / "new" / "out", *options) == 2
    shown = capsys.readouterr()
    assert says in shown.err and shown.err.count("\n") == 1 and not shown.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[cloud", "scenario"),
        ("[cloud]\nworkers = 3\n", "bad.toml:2: cloud has no key 'workers'; did you mean api_workers?"),
        ("[cloud]\napi_workers = 'two'\n", "bad.toml:2: cloud.api_workers must be a whole number of 1 or more, not 'two'"),
        ("[cloud]\n", "bad.toml:1: cloud.backends must be one or more [[tables]]"),
        ("[cloud]\ndefault_type='x'\n[[cloud.backends]]\nname='a'\ntotal=3\n", "bad.toml:5: cloud.backends[0] has no key 'total'; did you mean "),
        (
            "[cloud]\ndefault_type='x'\n[[cloud.backends]]\ntotal_gb=3\n[[cloud.types]]\nname='x'\n",
            "bad.toml:3: cloud.backends[0] needs the key 'name'",
        ),
        (
            "[cloud]\ndefault_type='x'\n[[cloud.backends]]\nname='a'\n[[cloud.types]]\nname='x'\n[[cloud.projects]]\nname='p'\nuser='u'\n[[requests]]\nweight=1\nfault='meteor'\n",
            "bad.toml:12: requests[0].fault must be one of size-zero, ",
        ),
        (
            "[cloud]\ndefault_type='y'\n[[cloud.backends]]\nname='a'\n[[cloud.types]]\nname='x'\n[[cloud.projects]]\nname='p'\nuser='u'\n[[requests]]\nweight=1\n",
            "bad.toml:2: cloud.default_type 'y' is none of x",
        ),
    ],
)
def test_refused__bad_scenario__names_the_key(tmp_path, capsys, text, says):
    (tmp_path / "bad.toml").write_text(text)
    assert simulate(tmp_path / "out", "--scenario", str(tmp_path / "bad.toml")) == 2
    shown = capsys.readouterr().err
    assert says in shown and shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_folder__not_empty__refused_unless_forced(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert simulate(tmp_path) == 2
    assert "is not empty" in capsys.readouterr().err
    assert simulate(tmp_path, "--force") == 0
    assert {f.name for f in tmp_path.iterdir()} == FILES | {"notes.txt"}
    first = (tmp_path / "merged.log").read_bytes()
    assert simulate(tmp_path, "--force", "--seed", "4") == 0
    assert (tmp_path / "merged.log").read_bytes() != first


def test_folder__is_a_file__refused(tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert simulate(tmp_path / "out") == 2
    assert (tmp_path / "out").read_text() == "mine"
    assert "is no folder" in capsys.readouterr().err


def test_files__stamps_without_year__dated_by_their_last_line(tmp_path):
    simulate(tmp_path / "out", "--start", "2019-12-31T23:55:00+00:00")
    for name in ("c-api.log", "c-sch.log", "c-vol.log", "merged.log"):
        path = tmp_path / "out" / name
        last = datetime.strptime("2020 " + path.read_text().splitlines()[-1][:22], "%Y %b %d %H:%M:%S.%f").replace(tzinfo=UTC)
        assert abs(path.stat().st_mtime - last.timestamp()) < 1e-3


def test_start__with_zone__is_taken_to_utc(tmp_path):
    simulate(tmp_path / "out", "--start", "2026-03-01T08:00:00+08:00", "--format", "short-iso")
    assert (tmp_path / "out" / "merged.log").read_text().startswith("2026-03-01T00:00:00+0000 ")  # the services' start


def test_stdout__dash__merged_lines_and_truth_apart(tmp_path):
    code = "import sys; from voltrace.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "simulate", "-o", "-", "--truth", str(tmp_path / "t.jsonl"), "--requests", "12", "--scenario", "mixed"]
    done = subprocess.run(command, capture_output=True, check=True)
    simulate(tmp_path / "out", "--scenario", "mixed")
    assert done.stdout == (tmp_path / "out" / "merged.log").read_bytes() and not done.stderr
    assert (tmp_path / "t.jsonl").read_bytes() == (tmp_path / "out" / "truth.jsonl").read_bytes()


def test_stdout__reader_gone__ends_quietly(tmp_path):
    code = "import sys; from voltrace.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = f"{sys.executable} -c '{code}' simulate -o - --requests 300 | head -n 2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.count("\n") == 2 and not done.stderr
    assert list(tmp_path.iterdir()) == []


def _heed_interrupts():
    """Tests that run in a shell's background are told to ignore SIGINT, and so would their children be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupt__in_the_middle__130_and_nothing_left(tmp_path):
    code = "import sys; from voltrace.cli.main import main; sys.exit(main(sys.argv[1:]))"
    child = subprocess.Popen([sys.executable, "-c", code, "simulate", "-o", str(tmp_path / "out"), "--requests", "1000000"], stderr=subprocess.PIPE, preexec_fn=_heed_interrupts)  # fmt: skip
    deadline = time.time() + 20
    while not any(tmp_path.iterdir()) and time.time() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    error = child.communicate(timeout=20)[1].decode()
    assert child.returncode == 130 and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_list__built_in_scenarios__named_with_a_line_each(capsys):
    assert main(["simulate", "--list"]) == 0
    shown = capsys.readouterr().out
    assert {"busy", "devstack", "mixed"} <= {line.split()[0] for line in shown.splitlines()}


def test_output__missing__says_how(capsys):
    assert main(["simulate"]) == 2
    assert "-o DIR" in capsys.readouterr().err


def test_profile__a_slow_driver__shows_in_the_truth(tmp_path, capsys):
    (tmp_path / "p.toml").write_text("levels = [0, 1]\n[volume]\nlvcreate = { quantiles_us = [5_000_000, 6_000_000], n = 2, source = 'by hand' }\n")
    assert main(["simulate", "-o", str(tmp_path / "slow"), "--requests", "3", "--profile", str(tmp_path / "p.toml")]) == 0
    truths = [json.loads(line) for line in (tmp_path / "slow" / "truth.jsonl").read_text().splitlines()]
    assert all(t["duration_s"] > 5 for t in truths if t["outcome"] == "created")
    assert main(["simulate", "-o", str(tmp_path / "no"), "--profile", str(tmp_path / "nosuch.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_progress__on_a_terminal__a_bar_that_goes_away(tmp_path):
    pid, terminal = pty.fork()
    if not pid:
        os.execv(sys.executable, [sys.executable, "-c", "import sys; from voltrace.cli.main import main; main(sys.argv[1:])", "simulate", "-o", str(tmp_path / "out"), "--requests", "1500"])  # fmt: skip
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.waitpid(pid, 0)
    assert re.search(rb"\r\x1b\[K\[#+\.+\] +\d+%  [\d,]+ of 1,500 requests", shown)
    assert b"\r\x1b[K" in shown[shown.rindex(b"requests") :]


def test_draw__shares_and_times():
    assert draw(0, 10, 0.0) == "[" + "." * 30 + "]   0%  0 of 10 requests"
    assert draw(500, 1000, 10.0) == "[" + "#" * 15 + "." * 15 + "]  50%  500 of 1,000 requests, 10 s left"
    assert draw(1000, 1000, 10.0).startswith("[" + "#" * 30 + "] 100%")


def test_truth__to_a_pipe__is_written_to_it(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    child = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    code = "import sys; from voltrace.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, "simulate", "-o", "-", "--truth", str(pipe), "--requests", "2"], stdout=subprocess.DEVNULL)
    assert done.returncode == 0 and pipe.is_fifo()
    assert child.communicate(timeout=20)[0].count(b"\n") == 2
