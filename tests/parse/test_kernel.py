"""The compiled kernel and the pure way give the same reading, of whole logs and of logs that were damaged or made to deceive."""

import random

import numpy as np
import pytest
from given import SAMPLES, encoded, read_bytes, record
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from voltrace import kernel
from voltrace.parse import fast, forms, groups
from voltrace.parse.framing import detect

pytestmark = pytest.mark.skipif(kernel.load("parse._scan") is None, reason="the compiled kernel is not built, or is switched off by VOLTRACE_PURE")

CASES = sorted(p.name for p in SAMPLES.iterdir() if p.is_dir())
SMALL = ["created", "created-oslo", "created-iso", "created-short", "created-colour", "tutorial-2018", "driver-failure", "volume-killed"]

SOME = 60_000  # bytes of a log: enough of everything, and quickly read


def files(case, most=1 << 24):
    """The logs of a sample, or as much of each."""
    found = {p.name: p.read_bytes()[:most] for p in sorted((SAMPLES / case).iterdir()) if p.is_file()}
    return {name: data for name, data in found.items() if detect(data) is not None}


def read_both(logs, **options):
    """What the kernel reads and what the pure way reads: all that a reading tells, diagnostics, and where lines lie."""
    told = []
    for pure in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if pure:
                patch.setattr(kernel, "load", lambda name: None)
            reading, verdicts = read_bytes(logs, keep_lines=True, **options)
        places = {t.request_id: list(map(list, (t.lines.source, t.lines.line, t.lines.offset, t.lines.length))) for t in reading.timelines if t.lines}
        told.append((encoded(reading, verdicts), list(map(str, reading.diagnostics)), reading.unrecognised, places))
    return told


def assert_same(logs, **options):
    if logs := {name: data for name, data in logs.items() if detect(data) is not None}:
        compiled, pure = read_both(logs, **options)
        assert compiled == pure


@pytest.mark.parametrize("case", CASES)
def test_sample__read_both_ways__is_the_same(case):
    assert_same(files(case))


@pytest.mark.parametrize("case", SMALL)
@settings(max_examples=3, deadline=None)
@given_(size=st.integers(1, 5000), cut=st.floats(0, 1))
def test_sample__in_blocks_of_any_size_and_cut_anywhere__is_the_same(case, size, cut):
    assert_same({name: data[: max(200, int(len(data) * cut))] for name, data in files(case, SOME).items()}, block=size)


FORGED = record("Flow 'volume_create_api' (fc413340-1579-44f9-9114-5493ce5d0000) transitioned into state 'SUCCESS' from state 'RUNNING'")
# What a line may become, or have next to it. Each takes a line and a source of chance, and gives lines.
CHANGES = {
    "drop": lambda line, chance: [],
    "double": lambda line, chance: [line, line],
    "tear": lambda line, chance: [line[: chance.randrange(len(line) + 1)]],
    "behead": lambda line, chance: [line[chance.randrange(len(line) + 1) :]],
    "break": lambda line, chance: [line[: (at := chance.randrange(len(line) + 1))], line[at:]],
    "continue": lambda line, chance: [line, b"  went on {{here}}" if chance.random() < 0.5 else b"}} "],
    "nul": lambda line, chance: [put(line, b"\0" * chance.randrange(1, 4), chance)],
    "escape": lambda line, chance: [put(line, chance.choice([b"\x1b[00;32m", b"#033[01m", b"\x1b[", b"#033[", b"#"]), chance)],
    "return": lambda line, chance: [line + b"\r" if chance.random() < 0.5 else put(line, b"\r", chance)],
    "mark": lambda line, chance: [b"\xef\xbb\xbf" + line],
    "no text": lambda line, chance: [put(line, chance.choice([b"\xff\xfe", b"\xc3", b"\xc3\xa9"]), chance)],
    "glue": lambda line, chance: [line + line],
    "forge": lambda line, chance: [put(line, FORGED, chance)],
    "forge whole": lambda line, chance: [line[: (at := chance.randrange(len(line) + 1))], FORGED, line[at:]],
    "bracket": lambda line, chance: [put(line, chance.choice([b"[", b"]", b" [", b"] ", b"(", b"' (", b": ", b" {{", b"}}", b"'"]), chance)],
    "byte": lambda line, chance: [line[: (at := chance.randrange(len(line) + 1))] + bytes([chance.randrange(256)]).replace(b"\n", b"") + line[at + 1 :]],
    "long": lambda line, chance: [put(line, b"x" * chance.randrange(500, 5000), chance)],
    "stamp": lambda line, chance: [line[:8] + b"%02d" % chance.randrange(62) + line[10:]],
    "fraction": lambda line, chance: [line[:16] + b"%06d" % chance.randrange(10**6) + line[22:]],
    "sign": lambda line, chance: [line[: (at := chance.randrange(24))] + chance.choice([b"+", b"_", b" ", b"x", b":"]) + line[at + 1 :]],
    "month": lambda line, chance: [chance.choice([b"Dec 31", b"Jan  1", b"Feb 29", b"Nov 22"]) + line[6:]],
    "pid": lambda line, chance: [line.replace(b"(pid=", b"(pid=1" if chance.random() < 0.5 else b"(pid=0", 1)],
    "level": lambda line, chance: [line.replace(b": DEBUG ", chance.choice([b": INFO ", b": WARNING ", b": ERROR ", b": TRACE ", b": "]), 1)],
    "no request": lambda line, chance: [line.replace(b"[None ", b"[- ", 1) if chance.random() < 0.5 else line.replace(b" req-", b" ", 1)],
    "states": lambda line, chance: [line.replace(b"'SUCCESS'", chance.choice([b"'REVERTING'", b"''", b"'" + b"S" * 21 + b"'", b"'FAILURE'"]), 1)],
    "name": lambda line, chance: [line.replace(b"Task '", chance.choice([b"Task '(", b"Task '' ('", b"Task ", b"Flow '"]), 1)],
}


def put(line, what, chance):
    at = chance.randrange(len(line) + 1)
    return line[:at] + what + line[at:]


def damage(data, seed, names, share):
    """The log with some lines changed, and some swapped with the next."""
    chance, out = random.Random(seed), []
    own = data.split(b"\n")
    for i in range(len(own) - 1):
        if chance.random() < share / 4:
            own[i], own[i + 1] = own[i + 1], own[i]
    for line in own:
        out += CHANGES[chance.choice(names)](line, chance) if chance.random() < share else [line]
    return b"\n".join(out)


@pytest.mark.parametrize("change", CHANGES)
@settings(max_examples=2, deadline=None)
@given_(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.02, 0.2, 0.7]))
def test_damage__of_one_kind__is_read_the_same(change, seed, share):
    for case in ("created", "created-oslo", "driver-failure"):
        assert_same({name: damage(data, seed, [change], share) for name, data in files(case, SOME).items()})


@pytest.mark.parametrize("case", SMALL)
@settings(max_examples=3, deadline=None)
@given_(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.02, 0.2, 0.7]), size=st.sampled_from([700, 1 << 18]))
def test_newlines__lost__are_read_the_same(case, seed, share, size):
    chance = random.Random(seed)
    logs = {name: b"".join(line + (b"" if chance.random() < share else b"\n") for line in data.split(b"\n")) for name, data in files(case, SOME).items()}
    assert_same(logs, block=size)


@pytest.mark.parametrize("case", SMALL)
@settings(max_examples=4, deadline=None)
@given_(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.02, 0.1, 0.5]), size=st.sampled_from([700, 5000, 1 << 18]))
def test_damage__of_any_kinds__is_read_the_same(case, seed, share, size):
    assert_same({name: damage(data, seed, list(CHANGES), share) for name, data in files(case, SOME).items()}, block=size)


def test_files__put_together__are_read_the_same():
    for case in ("created", "driver-failure", "volume-killed"):
        own = sorted(line for data in files(case).values() for line in data.splitlines())
        assert_same({"all.log": b"\n".join(own)})


@pytest.mark.parametrize(
    "days", ["Dec 31,Jan  1", "Jan  1,Dec 31", "Feb 28,Feb 29", "Jul  1,Dec 31", "Jan  1,Dec 30,Dec 31", "Nov 30,Dec 30,Dec 31", "Mar  1,Mar  2,Mar 31"]
)
def test_years__that_turn_back_and_forth__are_read_the_same(days):
    for seed in range(6):
        chance = random.Random(seed)
        turned = {}
        for name, data in files("created").items():
            lines = data.splitlines()
            own: list[str] = []
            while len(own) < len(lines):  # line by line, or so many of a day in a row
                own += [chance.choice(days.split(","))] * (chance.randint(1, 60) if seed % 2 else 1)
            turned[name] = b"\n".join(day.encode() + line[6:] for day, line in zip(own, lines))
        assert_same(turned)


@pytest.mark.parametrize("case", SMALL)
@settings(max_examples=3, deadline=None)
@given_(seed=st.integers(0, 1 << 32), share=st.sampled_from([0, 0.02, 0.1]), few=st.integers(1, 3), most=st.integers(1, 40), alike=st.booleans())
def test_pure_way__in_windows_and_stretches_of_any_size__is_the_same(case, seed, share, few, most, alike):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "_FEW", few)
        patch.setattr(fast, "_LEAST", most)
        patch.setattr(fast, "_MOST", most)
        if alike:  # all sums are the same, so that whatever is told apart is told by its bytes
            patch.setattr(groups, "_FACTORS", groups._FACTORS * np.uint64(0))
            patch.setattr(forms, "_FACTORS", tuple(factor * np.uint64(0) for factor in forms._FACTORS))
        assert_same({name: damage(data, seed, list(CHANGES), share) for name, data in files(case, SOME).items()})


@settings(max_examples=10, deadline=None)
@given_(seed=st.integers(0, 1 << 32))
def test_workers__that_write_for_each_other__are_read_the_same(seed):
    chance = random.Random(seed)
    for case in ("created", "sequential"):
        own = files(case, SOME)
        data = next(iter(own.values()))
        pids = [b"pid=3080)", b"pid=3079)", b"pid=7)", b"pid=)"]
        lines = (chance.choice(pids).join(line.split(b"pid=3080)")) if chance.random() < 0.1 else line for line in data.split(b"\n"))
        assert_same(own | {next(iter(own)): b"\n".join(lines)})


@pytest.mark.parametrize("case", ["driver-failure", "created-oslo"])
def test_lines_joined_by_syslog__any_record__tell_the_same(case):
    """What stands behind `#012` goes on with its record, in whatever record of a block."""
    logs = {}
    for name, data in files(case).items():
        own = data.split(b"\n")
        own[3::7] = [line + b"#012  and more#012Traceback (most recent call last):#012cinder.exception.Odd: it's so" for line in own[3::7]]
        logs[name] = b"\n".join(own)
    assert_same(logs)
