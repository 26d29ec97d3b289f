"""The README's tour: every command is run, and its output must be what the README shows."""

import contextlib
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest

from voltrace.cli.main import main

ROOT = Path(__file__).parents[1]


def _commands(path):
    """(command, expected output) of every ```console block, in order."""
    for _, block in re.findall(r"(?ms)^(`{3,})console\n(.*?)^\1$", path.read_text()):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def run(command, tmp, monkeypatch):
    """(exit status, standard output) of a voltrace command, with /tmp replaced by a folder of the test's own."""
    words = shlex.split(command.replace("/tmp/", f"{tmp}/"))
    assert words[0] == "voltrace"
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = main(words[1:])
    return status, out.getvalue().replace(f"{tmp}/", "/tmp/")


def test_readme__tour__prints_what_it_shows(tmp_path, monkeypatch):
    steps = list(_commands(ROOT / "README.md"))
    assert len(steps) >= 8
    for command, expected in steps:
        status, output = run(command, tmp_path, monkeypatch)
        assert status == (1 if "dropped-line" in command else 0), command
        assert output.rstrip("\n") == expected.rstrip("\n"), command


def test_readme__every_command__is_in_the_help_and_has_an_example():
    from voltrace.cli.main import COMMANDS

    text = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"voltrace {command}" in text or f"**{command}" in text, command


def test_demo__ends_with_the_path_of_a_report(tmp_path, monkeypatch, capfd):
    from voltrace.cli.demo import main as demo

    monkeypatch.chdir(ROOT)
    assert demo(str(tmp_path / "demo")) == 0
    last = capfd.readouterr().out.strip().splitlines()[-1]
    assert last == str(tmp_path / "demo" / "report.html") and Path(last).stat().st_size > 100_000
    assert demo(str(tmp_path / "demo")) == 0, "a second run replaces the first"
    other = tmp_path / "mine"
    other.mkdir()
    assert demo(str(other)) == 2 and other.is_dir()


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
def test_make__alone__lists_the_targets():
    import subprocess

    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"make demo", "make test"} <= {" ".join(line.split()[:2]) for line in listed.splitlines()}
