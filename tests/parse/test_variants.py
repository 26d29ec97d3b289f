"""What holds for requests that went the same way is found once: it must be what each of them, put together and judged alone, tells."""

import re
from dataclasses import replace

import numpy as np
import pytest
from given import SAMPLES, replaced
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voltrace.check.judge import judge_all, judge_together
from voltrace.encode import encode_check, encode_verdict
from voltrace.measure import group
from voltrace.parse import sources
from voltrace.parse.alike import ALONE, relate
from voltrace.parse.engine import read, read_durations, read_together
from voltrace.parse.letting_go import LettingGo
from voltrace.parse.pieces import ReadOptions
from voltrace.parse.tables import DECIDING
from voltrace.parse.variants import Sorted, _group_alike

CASES = sorted(p.name for p in SAMPLES.iterdir() if p.is_dir())
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def alone(paths, options):
    """Verdicts and durations of create requests, each put together and judged by itself."""
    reading = read(paths, options)
    by_id = judge_all(reading)
    durations = group(read(paths, replace(options, facts=DECIDING)).creates())  # by stamps alone, as `stats` has them
    return [encode_verdict(by_id[t.request_id]) for t in reading.creates()], {key: sorted(us) for key, us in durations.items()}, diagnostics(reading)


def together(paths, options):
    reading = read_together(paths, options)
    verdicts = judge_together(reading)
    durations, count, _ = read_durations(paths, options)
    assert count == len(verdicts)
    return [encode_verdict(v) for v in verdicts], {key: sorted(us.tolist()) for key, us in durations.items()}, diagnostics(reading)


def diagnostics(reading):
    return encode_check(reading, [])["diagnostics"]


@pytest.mark.parametrize("case", CASES)
def test_together__every_sample__tells_what_each_request_tells_alone(case):
    paths, options = [str(SAMPLES / case)], ReadOptions(2026)
    assert together(paths, options) == alone(paths, options)


def test_group_alike__with_kernel_and_without__finds_the_same_groups(monkeypatch):
    drawn = np.random.default_rng(1)
    lengths = drawn.integers(1, 4, 400)
    ends = lengths.cumsum()
    signature = drawn.integers(0, 2, (int(ends[-1]), 4)).astype(np.int32)
    found = Sorted(np.arange(len(signature)), np.arange(400), ends - lengths, ends, drawn.random(400) < 0.9)
    groups = [own.tolist() for own in _group_alike(signature, found, 7)]
    monkeypatch.setenv("VOLTRACE_PURE", "1")
    assert groups == [own.tolist() for own in _group_alike(signature, found, 7)]
    assert [own[0] for own in groups] == sorted(own[0] for own in groups) and sorted(sum(groups, [])) == np.flatnonzero(found.plain).tolist()
    for own in groups:
        assert len({signature[found.starts[n] : found.ends[n]].tobytes() for n in own}) == 1


_VALUES = [None, b"1", b"12", b"['a', u'b']", b'["a","b"]', b"['a'...", b"a@b#c", b"[host 'a@b#c': free, host 'x': 1]", b"host a@b#c:", b"", b"'"]


@settings(max_examples=300, deadline=None)
@given(
    facts=st.lists(
        st.lists(st.tuples(*[st.sampled_from(_VALUES)] * 2) | st.just(()) | st.just({"size_gb": 1}), min_size=4, max_size=4), min_size=1, max_size=8
    ),
    wanted=st.lists(st.tuples(st.sampled_from([0, 2, 4, 6, 7]), st.integers(0, 3), st.integers(0, 1)), max_size=8),
    roles=st.lists(st.sampled_from([0, 2, 4, 6, 7]), min_size=4, max_size=4),
)
def test_relate__with_kernel_and_without__says_the_same(facts, wanted, roles):
    compiled = pytest.importorskip("voltrace.parse._alike", reason="the kernel is not built")
    wanted = sorted([*wanted, *((role, event, 0) for event, role in enumerate(roles))], key=lambda value: value[0] // 2)
    kept = [own for request in facts for own in request]
    found = np.empty(len(facts), np.int64)
    compiled.relate(kept, np.arange(len(kept), dtype=np.int32).reshape(-1, 4), np.array(wanted, np.int32).reshape(-1, 3), found)
    for request, bits in zip(facts, found.tolist()):
        if bits != -2:
            assert relate(request, wanted) == (None if bits == ALONE else bits)
        else:
            assert any(isinstance(own, dict) for own in request)


def copies(data: bytes, count: int) -> list[bytes]:
    """A log so many times over, each time with other ids and a day later."""
    return [re.sub(rb"(?m)^Nov 22", b"Nov %2d" % (1 + n), _ID.sub(lambda m, n=n: m[0][:-2] + b"%02x" % n, data)) for n in range(count)]


_CHANGES = [
    (rb"'size': 1\b", b"'size': 7"),
    (rb"size=1,", b"size=3,"),
    (rb"returned with HTTP 202", b"returned with HTTP 500"),
    (rb"(volume_id=)[0-9a-f]{8}", rb"\g<1>00000000"),
    (rb"(reservations=\['?)[0-9a-f]{8}", rb"\g<1>00000000"),
    (rb"Choosing \S+", b"Choosing another@host#pool"),
    (rb"'num_attempts': 1", b"'num_attempts': 2"),
    (rb"POST http", b"GET http"),
    (rb"/volumes", b"/groups/action"),
    (rb"state 'SUCCESS' from", b"state 'RUNNING' from"),
    (rb"\.\d{6} controller", b".000000 controller"),
    (rb"INFO cinder\.volume\.manager", b"DEBUG cinder.volume.manager"),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), case=st.sampled_from(["created", "sequential", "driver-failure"]), merged=st.booleans(), coarse=st.booleans())
def test_together__many_alike_and_some_changed__tells_what_each_request_tells_alone(tmp_path, data, case, merged, coarse):
    count = 6 if case == "created" else 2
    files = {p.name: copies(p.read_bytes(), count) for p in sorted((SAMPLES / case).glob("*.log"))}
    for _ in range(data.draw(st.integers(0, 6))):
        name = data.draw(st.sampled_from(sorted(files)))
        copy = data.draw(st.integers(0, count - 1))
        pattern, instead = data.draw(st.sampled_from(_CHANGES))
        files[name][copy] = re.sub(pattern, instead, files[name][copy])
    for _ in range(data.draw(st.integers(0, 4))):
        name = data.draw(st.sampled_from(sorted(files)))
        copy = data.draw(st.integers(0, count - 1))
        lines = {name: files[name][copy].splitlines()}
        place = data.draw(st.integers(0, len(lines[name]) - 1))
        line = lines[name][place]
        lines = replaced(lines, name, place, *data.draw(st.sampled_from([(), (line, line), (line[: len(line) // 2],)])))
        if data.draw(st.booleans()):  # and in another order
            at = data.draw(st.integers(0, len(lines[name]) - 2))
            lines[name][at : at + 2] = lines[name][at : at + 2][::-1]
        files[name][copy] = b"\n".join(lines[name]) + b"\n"
    texts = {name: b"".join(parts) for name, parts in files.items()}
    if merged:
        texts = {"merged.log": b"\n".join(sorted((line for text in texts.values() for line in text.splitlines()), key=lambda line: line[:22])) + b"\n"}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(re.sub(rb"(?m)^(.{15})\.\d{6}", rb"\1", text) if coarse else text)
    paths = [str(tmp_path / name) for name in texts]
    assert together(paths, ReadOptions(2026)) == alone(paths, ReadOptions(2026))


@pytest.mark.parametrize(("case", "pure"), [*((case, False) for case in CASES), ("created", True), ("driver-failure", True)])
def test_others__let_go_at_every_block__leave_what_is_told_of_creates(case, pure, monkeypatch):
    if pure:
        monkeypatch.setenv("VOLTRACE_PURE", "1")
    monkeypatch.setattr(LettingGo.__init__, "__defaults__", (1,))
    monkeypatch.setattr(sources, "BLOCK", 4000)
    paths, options = [str(SAMPLES / case)], ReadOptions(2026)
    assert together(paths, options) == alone(paths, options)
    assert read(paths, ReadOptions(2026, others=False)).timelines == list(read(paths, options).creates())
