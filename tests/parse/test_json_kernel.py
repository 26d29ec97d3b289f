"""The journal's json through the kernel and the careful way: the same reading, whatever the lines are."""

import json

import pytest
from given import read_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from voltrace import kernel
from voltrace.parse.packed import EntryScanner

from .test_packed import AT, BROKEN_LINES, RUNNING, SHAPES, SUCCESS, UUID, as_json, entry, message, step

pytestmark = pytest.mark.skipif(kernel.load("parse._json") is None, reason="the kernel was not built")

ACCESS = '[pid: 7|app: 0|req: 1/1] 10.0.0.1 () {66 vars in 1392 bytes} [Sun Nov 22 13:14:31 2026] POST /volume/v3/p/volumes => generated 800 bytes in 90 msecs (HTTP/1.1 202) 7 headers in 295 bytes (1 switches on core 0)'  # fmt: skip
FLOW = message(f"Flow 'volume_create_api' ({UUID}) transitioned into state 'RUNNING' from state 'PENDING'")
# Lines by which the kernel gets to know the senders and headers of the others.
KNOWN = as_json(*[entry(text, at=AT + i) for i, text in enumerate([FLOW, RUNNING, SUCCESS, "free text", ACCESS] * 2)])


def both(data, monkeypatch, **options):
    """The readings of these bytes with the kernel and without it, and how many lines the kernel declined."""
    declined = []
    line = EntryScanner._line
    with monkeypatch.context() as patch:
        patch.setattr(EntryScanner, "_line", lambda self, *args: (declined.append(args[0]), line(self, *args))[1])
        compiled, _ = read_bytes({"x": data}, keep_lines=True, **options)
        patch.setenv(kernel.PURE, "1")
        pure, _ = read_bytes({"x": data}, keep_lines=True, **options)
    return compiled, pure, declined


def same(data, **options):
    """How many lines the kernel declined of these, of which both ways tell the same."""
    with pytest.MonkeyPatch.context() as patch:
        compiled, pure, declined = both(data, patch, **options)
    assert compiled.timelines == pure.timelines
    assert compiled == pure
    return declined


# -- lines as the journal writes them --------------------------------------------------------------------------------------------

OTHERS = {
    "__CURSOR": "s=026e;i=3923;b=8333;m=619ca0b9;t=660dd41fbab8a;x=94920d",
    "__MONOTONIC_TIMESTAMP": "1637654713",
    "_CMDLINE": '"cinder-apiuWSGI worker 1"',
    "PRIORITY": "6",
    "_SELINUX_CONTEXT": [117, 110, 10],
    "COREDUMP": None,
    "CODE_LINE": [["1", "2"], [3]],
    "NESTED": {"a": [1.5e3, -0, True, False, {}], "b": []},
}


@pytest.mark.parametrize("where", ["before", "behind"])
@pytest.mark.parametrize("shape", ["text", "bytes"])
def test_kernel__usual_entries__are_not_declined(shape, where):
    def whole(text, at):
        own = entry(list(text.encode()) if shape == "bytes" else text, at=at)
        return OTHERS | own if where == "before" else own | OTHERS

    more = as_json(*[whole(text, AT + 20 + i) for i, text in enumerate([RUNNING, SUCCESS, "free text", ACCESS] * 5)])
    assert [line for line in same(KNOWN + more) if line in more] == []


@pytest.mark.parametrize("text", ['say "no" \\ / \b \f \t', "é € 😀", "\x1b[01;35mred\x1b[00m", "a\x00b", "#033[01mx", "x\r", "#"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_kernel__escapes_and_colours__are_read(text, ascii_only):
    body = message(f"Create volume request body: {{'volume': {{'name': '{text}'}}}}", logger="cinder.api.v3.volumes")
    lines = json.dumps(entry(body, at=AT + 50), ensure_ascii=ascii_only).encode() + b"\n"
    declined = same(KNOWN + lines * 3 + as_json(entry(SUCCESS, at=AT + 99)))
    assert declined.count(lines[:-1]) <= 1  # its header was new


DECLINED = {
    "several lines": {"MESSAGE": RUNNING + "\nmore"},
    "null": {"MESSAGE": None},
    "nothing": {"MESSAGE": ""},
    "repeated": {"MESSAGE": SHAPES["several texts"]},
    "bytes that are no text": {"MESSAGE": list(RUNNING.encode()) + [255]},
    "byte-order mark": {"MESSAGE": "\ufeff" + RUNNING},
    "no instant": {"__REALTIME_TIMESTAMP": "soon"},
    "instant too late": {"__REALTIME_TIMESTAMP": "9" * 18},
    "instant too long": {"__REALTIME_TIMESTAMP": "0" * 10 + str(AT)},
    "number for text": {"_PID": 7},
    "half a pair": {"SYSLOG_IDENTIFIER": "\ud800"},
    "long name": {"_HOSTNAME": "h" * 700},
    "too deep": {"X": [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]},
    "long number": {"X": int("9" * 400)},
    "no number": {"X": float("nan")},
}


@pytest.mark.parametrize("case", DECLINED)
def test_kernel__unusual_entry__is_left_to_the_careful_way(case):
    own = as_json({**entry(RUNNING, at=AT + 50), **DECLINED[case]})
    assert own[:-1] in same(KNOWN + own + as_json(entry(SUCCESS, at=AT + 99)))


ODD = {
    "a key twice": b'{"MESSAGE":"%s","MESSAGE":"%s"' % (RUNNING.encode(), SUCCESS.encode()),
    "a key in escapes": b'{"MESSAG\\u0045":"%s"' % RUNNING.encode(),
    "leading zero": b'{"X":01,"MESSAGE":"%s"' % RUNNING.encode(),
    "byte too large": b'{"MESSAGE":[300]',
    "byte with a leading zero": b'{"MESSAGE":[065,66]',
    "byte that is none": b'{"MESSAGE":[65.0,66]',
    "control character": b'{"MESSAGE":"a\tb"',
    "wrong escape": b'{"X":"\\x41","MESSAGE":"a"',
    "torn escape": b'{"X":"\\u00g1","MESSAGE":"a"',
    "no UTF-8": b'{"X":"\xff","MESSAGE":"a"',
    "no value": b'{"MESSAGE":"a","X":',
    "no comma": b'{"MESSAGE":"a" "X":1',
    "comma too many": b'{"MESSAGE":"a",,"X":1',
    "no colon": b'{"MESSAGE":"a","X" 1',
    "brackets crossed": b'{"MESSAGE":"a","X":[{]}',
}


@pytest.mark.parametrize("end", [b"}", b",}", b"", b"}}", b"} x"])
@pytest.mark.parametrize("case", ODD)
def test_kernel__odd_object__is_left_to_the_careful_way(case, end):
    rest = as_json(entry("", at=AT + 50, MESSAGE=None)).strip()[1:-1]
    own = ODD[case] + b"," + rest + end
    assert own in same(KNOWN + own + b"\n" + as_json(entry(SUCCESS, at=AT + 99)))


@pytest.mark.parametrize("kind", BROKEN_LINES)
def test_kernel__broken_line__is_told_at_its_place(kind):
    same(KNOWN + BROKEN_LINES[kind] + as_json(entry(SUCCESS, at=AT + 99)))


@pytest.mark.parametrize("before", [b"\x1e", b"\x00\x00", b" \t", b"\xef\xbb\xbf", b"-- Boot x --\n", b"\n\n"])
def test_kernel__around_an_entry__nothing_is_lost(before):
    same(KNOWN + b"".join(before + as_json(entry(text, at=AT + 50)).strip() + b" \r\n" for text in (RUNNING, SUCCESS)))


# -- lines of any kind -----------------------------------------------------------------------------------------------------------

PIECES = ["] ", " [", "[", "{{", " {{(pid=9) f x.py:1}}", "}}", "\n", "\r", "\x00", "\x1b[01m", "#033[0m", "\\", '"', "/", "é", "\U0001f600", "\ud800", "\udc00", "\ufeff", "x", " ", "'", "\t"]  # fmt: skip
TEXTS = st.lists(st.sampled_from([*PIECES, RUNNING, SUCCESS, FLOW, ACCESS, "DEBUG cinder.x [", "INFO cinder.volume.api [None req-"]), max_size=6).map("".join)
FAILED = step("EntryCreateTask", "FAILURE", "RUNNING", level="WARNING")
MESSAGES = st.one_of(
    st.sampled_from([RUNNING, SUCCESS, FLOW, ACCESS, FAILED, "free text", "ERROR cinder.volume.api Traceback"]),
    st.tuples(st.sampled_from([RUNNING, SUCCESS, FLOW, ACCESS]), TEXTS, st.integers(0, 400)).map(lambda t: t[0][: t[2]] + t[1] + t[0][t[2] :]),
    TEXTS,
)
VALUES = st.one_of(
    MESSAGES,
    MESSAGES.map(lambda text: list(text.encode("utf-8", "replace"))),
    st.none(),
    st.integers(-10, 10**30),
    st.floats(),
    st.booleans(),
    st.lists(st.one_of(st.integers(-1, 300), st.lists(st.integers(0, 255), max_size=3), st.text(max_size=3)), max_size=4),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
NAMES = st.sampled_from(["_HOSTNAME", "_PID", "SYSLOG_PID", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "_COMM"])
STAMPS = st.one_of(st.integers(AT, AT + 10**6).map(str), st.sampled_from(["", "0", "x", "9" * 19, "-5", str(AT - 10**9)]))
BLANKS = st.sampled_from(["", "", "", " ", "\t", "\r ", "  "])


@st.composite
def written(draw):
    """An object as a line: fields in any order, some of them twice or missing, blanks and escapes where they may be."""
    own = entry(draw(MESSAGES), at=draw(st.integers(AT, AT + 10**6)))
    fields = list((own | draw(st.sampled_from([{}, OTHERS]))).items())
    if draw(st.booleans()):
        fields += draw(st.lists(st.tuples(NAMES, st.one_of(st.sampled_from(["7", "8", "cinder-volume", ""]), VALUES)), max_size=2))
    if draw(st.integers(0, 3)) == 0:
        fields += draw(
            st.lists(st.one_of(st.tuples(st.just("_SOURCE_REALTIME_TIMESTAMP"), STAMPS), st.tuples(st.sampled_from(["MESSAGE", "X"]), VALUES)), max_size=2)
        )
    if draw(st.booleans()):
        fields = draw(st.permutations(fields))
    if draw(st.integers(0, 5)) == 0:
        del fields[draw(st.integers(0, len(fields) - 1))]
    ascii_only = draw(st.booleans())
    pairs = []
    for name, value in fields:
        text = json.dumps(value, ensure_ascii=ascii_only, separators=(draw(BLANKS) + "," + draw(BLANKS), ":" + draw(BLANKS)))
        if isinstance(value, str) and draw(st.integers(0, 4)) == 0:
            text = text.replace("e", draw(st.sampled_from(["\\u0065", "\\u0065", "\\U0065"]))).replace("/", "\\/")
        pairs.append(f'{draw(BLANKS)}"{name}"{draw(BLANKS)}:{draw(BLANKS)}{text}{draw(BLANKS)}')
    return f"{draw(BLANKS)}{{{','.join(pairs)}}}{draw(BLANKS)}".encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw):
    """Such a line with a piece of it gone or replaced."""
    line = draw(written())
    start = draw(st.integers(0, len(line)))
    stop = draw(st.integers(start, min(len(line), start + draw(st.sampled_from([1, 3, 2000])))))
    return line[:start] + draw(st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"\\", b"[", b"]", b"{", b"}", b",", b"null", b"-", b"1e5", b"\\u"]))).replace(b"\n", b"") + line[stop:]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(lines=st.lists(st.one_of(written(), written(), damaged()), min_size=1, max_size=12), size=st.sampled_from([1 << 18, 700]), whole=st.booleans())
def test_kernel__any_lines__tell_the_same(lines, size, whole):
    same(KNOWN + b"\n".join(lines) + (b"\n" if whole else b""), block=size)
