"""Who reads in the reading benchmark: voltrace in three ways, a naive loop, lnav and mawk; and what each must answer."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inputs import Input

from voltrace.kernel import PURE

VOLTRACE = (sys.executable, "-m", "voltrace.cli")
NAIVE, LNAV = "naive loop of re.match", "lnav, every field extracted"
_LNAV_FORMAT = Path(__file__).with_name("lnav_format.json")

_NAIVE_LOOP = r"""
import collections, re, sys
P = re.compile(r"^(\w{3} [ \d]\d \d\d:\d\d:\d\d\S*) (\S+) ([^\[]+)\[(\d+)\]: (\w+) (\S+) \[(\S+) (\S+) (\S+) (\S+)\] (Flow|Task) '([^']+)' \(([0-9a-f-]+)\) transitioned into state '(\w+)' from state '(\w+)'")
rows = collections.defaultdict(list)
for line in open(sys.argv[1], errors="replace"):
    m = P.match(line)
    if m:
        rows[m[8]].append(m.groups())
print(len(rows), sum(map(len, rows.values())))
"""

# Every column of the format is asked for in every line, in the way that is cheapest to lnav.
_LNAV_COLUMNS = "log_time log_level host unit pid logger global_request_id request_id project user kind name uuid old_state".split()
_LNAV_QUERY = f"SELECT count(new_state) AS transitions, {', '.join(f'count({column})' for column in _LNAV_COLUMNS)} FROM cinder_log"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader found: create requests and transitions of flows and tasks, None for what it does not tell."""

    requests: int | None = None
    transitions: int | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """A row of the benchmark. ``absent`` says why it cannot run here, or is None. ``answer`` raises ValueError, KeyError, IndexError
    or StopIteration where the output is not what it should be."""

    name: str
    command: Sequence[str]
    answer: Callable[[str], Answer]
    env: Mapping[str, str] = field(default_factory=dict)
    absent: str | None = None


def voltrace_reader(name: str, source: Input, *options: str, pure: bool = False) -> Reader:
    command = (*VOLTRACE, "stats", *map(str, source.paths), "--format", "json", *options)
    return Reader(name, command, _read_stats, {PURE: "1" if pure else ""})


def list_readers(source: Input, folder: Path) -> list[Reader]:
    """All who can read DevStack's short-precise lines. ``folder`` is for what lnav wants to keep."""
    (log,) = map(str, source.paths)
    return [
        voltrace_reader("voltrace stats", source, "--workers", "1"),
        voltrace_reader("voltrace stats, pure Python", source, "--workers", "1", pure=True),
        voltrace_reader("voltrace stats, 2 workers", source, "--workers", "2"),
        Reader(NAIVE, (sys.executable, "-c", _NAIVE_LOOP, log), _read_counts),
        _lnav_reader(log, folder),
        _mawk_reader(log),
    ]


def version_of(program: str) -> str:
    """As the program tells it, or 'not installed'."""
    option = {"lnav": "-V", "mawk": "-Wversion"}[program]
    if shutil.which(program) is None:
        return "not installed"
    said = subprocess.run([program, option], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d[\w.]*", said.stdout + said.stderr)
    return found[0] if found else "of unknown version"


def _lnav_reader(log: str, folder: Path) -> Reader:
    home = folder / "lnav"
    formats = home / "formats" / "cinder"
    formats.mkdir(parents=True, exist_ok=True)
    shutil.copy(_LNAV_FORMAT, formats)
    command = ("lnav", "-I", str(home), "-n", "-q", "-c", f";{_LNAV_QUERY}", "-c", ":write-json-to -", log)
    env = {"HOME": str(home), "XDG_CONFIG_HOME": "", "TERM": "dumb", "LC_ALL": "C.UTF-8", "TMPDIR": str(home)}
    return Reader(LNAV, command, _read_lnav, env, _absent("lnav"))


def _mawk_reader(log: str) -> Reader:
    program = "/\\] (Flow|Task) '.* transitioned into state '/ { n++ } END { print n + 0 }"
    return Reader("mawk, match and count only", ("mawk", program, log), lambda text: Answer(transitions=int(text)), {"LC_ALL": "C"}, _absent("mawk"))


def _absent(program: str) -> str | None:
    return None if shutil.which(program) else "not installed"


def _read_stats(text: str) -> Answer:
    return Answer(requests=next(row["n"] for row in json.loads(text) if row["kind"] == "request"))


def _read_counts(text: str) -> Answer:
    requests, transitions = map(int, text.split())
    return Answer(requests, transitions)


def _read_lnav(text: str) -> Answer:
    return Answer(transitions=json.loads(text)[0]["transitions"])
