"""Floods of lines that go on with a record: what is behind the part that is kept changes nothing, and is not looked at one line at a time."""

import random
import time

import pytest
from given import SAMPLES, encoded, read_bytes
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from voltrace import kernel
from voltrace.formats import FORMATS
from voltrace.parse import continued, fast, scan
from voltrace.parse.marks import Marks

RECORD = (
    b"Nov 22 13:14:31.315338 controller devstack@c-api.service[3079]: ERROR cinder.api.middleware.fault "
    b"[None req-00000000-0000-4000-8000-000000000001 admin admin] Caught error: <class 'KeyError'> it is not there\n"
)
FLOOD = [
    b"x" * 15,
    b"    indented",
    b"\tby a tab",
    b"Xxx yyy like a month or a weekday",
    b"Upper case",
    b"2026-01-05 like a date",
    b"20 lines",
    b"",
    b"-- Reboot --",
    b"- a list",
    b"\x1b[00;32mgreen",
    b"#033[01mbold",
    b"\xef\xbb\xbfmarked",
    b"return\r",
    b"two#012lines",
    b"Nov 22 13:14:31",
    b" {{(pid=3079) wrapped /x.py:1}}",
    b"and " + RECORD[:-1],
    RECORD[:-1],
    b"Nov 22 13:14:31.315338 controller devstack@c-api.service[3079]: a line without level",
    b"\0\0\0",
]
WAYS = {"kernel": (), "pure": ("load",), "careful": ("load", "fast")}


def told(logs, way):
    with pytest.MonkeyPatch.context() as patch:
        for module in (continued, scan):
            patch.setattr(module, "MOST_CONTINUED", 60)
        if "load" in WAYS[way]:
            patch.setattr(kernel, "load", lambda name: None)
        if "fast" in WAYS[way]:
            patch.setattr(scan, "_make_fast", lambda scanner: None)
        reading, verdicts = read_bytes(logs, block=3000)
    return encoded(reading, verdicts), list(map(str, reading.diagnostics)), reading.lines, reading.unrecognised


@pytest.mark.parametrize("case", ["created", "created-oslo", "created-short", "driver-failure", "tutorial-2018"])
@settings(max_examples=8, deadline=None)
@given_(seed=st.integers(0, 1 << 30))
def test_flood__behind_any_lines__is_read_the_same_in_all_ways(case, seed):
    chance = random.Random(seed)
    logs = {}
    for path in sorted((SAMPLES / case).glob("*.log")) or sorted((SAMPLES / case).glob("*.txt")):
        lines = path.read_bytes()[:20_000].split(b"\n")
        for at in sorted(chance.sample(range(len(lines)), min(len(lines), 6)), reverse=True):
            kinds = chance.sample(FLOOD, chance.randrange(1, 5))
            few = chance.random() < 0.7
            lines[at + 1 : at + 1] = [chance.choice(kinds[:1] * 20 + kinds if few else kinds) for _ in range(chance.randrange(1, 200))]
        logs[path.name] = b"\n".join(lines)
    whole = told(logs, "careful")
    assert told(logs, "pure") == whole and told(logs, "kernel") == whole


@pytest.mark.parametrize("form", FORMATS)
def test_prefix__of_every_format__is_none_that_passes(form):
    line = FORMATS[form].write(1_767_603_600_000_000, "h", "u", 1).encode()
    assert len(line) - len(b"[1]") >= continued.LEAST_PREFIX
    own = (line, b"-- Reboot --", b"x" * 30, b" x", b"Upper", b"")
    marks = Marks(b"\n".join((*own, b"-")))
    assert fast.has_no_prefix(marks, 0, len(own)).tolist() == [False, False, True, True, True, True]
    assert [not fast._hears(text, True) for text in own] == [False, False, True, True, True, True]


@pytest.mark.parametrize("line", [b"x" * 15, b"    in it", b"Upper case"])
@pytest.mark.parametrize("way", ["kernel", "pure"])
def test_flood__of_a_million_lines__costs_little_each(line, way):
    log = RECORD + (line + b"\n") * (1 << 20) + RECORD
    begun = time.process_time()
    with pytest.MonkeyPatch.context() as patch:
        if way == "pure":
            patch.setattr(kernel, "load", lambda name: None)
        reading, _ = read_bytes({"c-api.log": log})
    assert reading.lines >= (1 << 20) + 2 and time.process_time() - begun < 3
