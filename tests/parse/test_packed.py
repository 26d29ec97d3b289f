"""The journal's json and export: any entry is one record, at its place in the file, and damage costs no other entry."""

import bz2
import gzip
import json
import lzma

import pytest
from given import SAMPLES, read_bytes, record
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from voltrace.check.judge import judge_all
from voltrace.cli.main import main
from voltrace.encode import encode_timeline
from voltrace.formats import PACKINGS
from voltrace.parse import sources
from voltrace.parse.engine import ReadOptions, fetch_lines, read
from voltrace.parse.framing import detect

REQUEST = "req-00000000-0000-4000-8000-000000000001"
UUID = "314ea763-d21f-4a3c-96ba-7d232c07eb90"
AT = 1_795_353_271_315_338


def message(text, **options):
    """A record's body, as a DevStack service logs it."""
    return record(text, **options).partition(b"]: ")[2].decode("utf-8", "surrogateescape")


def step(task, new, old, **options):
    return message(f"Task 'cinder.volume.flows.api.create_volume.{task};volume:create' ({UUID}) transitioned into state '{new}' from state '{old}'", **options)


def entry(text, at=AT, **fields):
    """The fields of an entry of c-api; None takes one out."""
    own = {
        "__CURSOR": f"s=0;i={at:x}",
        "__REALTIME_TIMESTAMP": str(at),
        "_HOSTNAME": "controller",
        "SYSLOG_IDENTIFIER": "devstack@c-api.service",
        "_PID": "7",
        "_SYSTEMD_UNIT": "devstack@c-api.service",
        "MESSAGE": text,
    } | fields
    return {name: value for name, value in own.items() if value is not None}


def as_json(*entries):
    return b"".join(json.dumps(e).encode() + b"\n" for e in entries)


def binary(name, data, size=None):
    return name.encode() + b"\n" + (len(data) if size is None else size).to_bytes(8, "little") + data + b"\n"


def as_export(*entries):
    """Every message that is no plain text as a binary field."""
    out = b""
    for e in entries:
        for name, value in e.items():
            data = value.encode() if isinstance(value, str) else bytes(value)
            out += binary(name, data) if any(b < 32 for b in data) else name.encode() + b"=" + data + b"\n"
        out += b"\n"
    return out


PACK = {"json": as_json, "export": as_export}
RUNNING, SUCCESS = step("QuotaReserveTask", "RUNNING", "PENDING"), step("QuotaReserveTask", "SUCCESS", "RUNNING")


def read_one(data, **options):
    """The only timeline in these bytes, and the reading."""
    reading, _ = read_bytes({"x": data}, **options)
    (timeline,) = reading.timelines
    return timeline, reading


def slugs(reading):
    return [d.slug for d in reading.diagnostics if d.slug not in ("service-log-missing", "level-too-high")]


def states(timeline):
    return [s for f in timeline.flows for t in f.tasks for s in t.states]


# -- real captures -------------------------------------------------------------------------------------------------------


def told(case, without=("where",)):
    """What the logs of a sample tell, without the places."""
    reading = read([str(SAMPLES / case)])
    verdicts = judge_all(reading)

    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in without}
        return [strip(v) for v in value] if isinstance(value, list) else value

    return [strip(encode_timeline(t, verdicts[t.request_id], events=True)) for t in reading.creates()]


def test_capture__json_and_export_of_one_journal__tell_the_same_to_the_microsecond():
    assert told("created-json") == told("created-export")
    (timeline,) = told("created-json")
    assert timeline["start"] == "2026-11-22T13:14:31.315338Z"


def test_capture__as_short_iso_has_it__but_for_its_resolution():
    coarse = ("where", "start", "end", "at", "at_bounds", "sent", "received", "duration_s", "duration_bounds_s", "wait_s", "wait_bounds_s")
    (fine,), (whole,) = told("created-json"), told("created-iso")
    assert fine["start"][:19] == whole["start"][:19]
    (fine,), (whole,) = told("created-json", coarse), told("created-iso", coarse)
    fine["events"], whole["events"] = (sorted(map(json.dumps, t["events"])) for t in (fine, whole))
    assert fine == whole


@pytest.mark.parametrize("case", ["created-json", "created-export"])
def test_capture__any_block_size__tells_the_same(case):
    (path,) = [p for p in (SAMPLES / case).iterdir() if "merged" in p.name]
    data = (gzip if path.suffix == ".gz" else lzma).decompress(path.read_bytes())
    whole, _ = read_bytes({"x": data})
    for size in (997, 8192):
        reading, _ = read_bytes({"x": data}, block=size)
        assert reading.timelines == whole.timelines
        assert reading.lines == whole.lines


# -- places --------------------------------------------------------------------------------------------------------------


def test_place__json__is_the_line_of_the_entry():
    timeline, _ = read_one(as_json(entry("a\nb\nc"), entry(RUNNING), entry(SUCCESS)))
    assert [str(e.where) for e in timeline.events] == ["x:2", "x:3"]


def test_place__export__is_the_line_of_the_message_and_newlines_in_binary_fields_count():
    data = as_export(entry("a\nb\nc"), entry(RUNNING), entry(SUCCESS + "\n"))
    timeline, _ = read_one(data)
    lines = data.split(b"\n")
    for event, text in zip(timeline.events, ("MESSAGE=DEBUG", "MESSAGE"), strict=True):
        assert lines[event.where.line - 1].startswith(text.encode())
    assert timeline.events[1].where.line > timeline.events[0].where.line


@pytest.mark.parametrize("form", PACK)
def test_place__lines_of_a_request__are_fetched_as_text(tmp_path, form):
    path = tmp_path / "x.log"
    path.write_bytes(PACK[form](entry("a\nb"), entry("\x1b[01m" + RUNNING), entry(SUCCESS, _PID=None)))
    reading = read([str(path)], ReadOptions(keep_lines=True))
    (timeline,) = reading.timelines
    first, second = fetch_lines(timeline, reading.sources)
    assert first[1] == "2026-11-22T13:14:31.315338+0000 controller devstack@c-api.service[7]: \x1b[01m" + RUNNING
    assert second[1] == "2026-11-22T13:14:31.315338+0000 controller devstack@c-api.service: " + SUCCESS


# -- fields --------------------------------------------------------------------------------------------------------------

SHAPES = {
    "text": RUNNING,
    "bytes": list(RUNNING.encode()),
    "several texts": ["first", RUNNING],
    "several arrays": [list(b"first"), list(RUNNING.encode())],
    "mixed": ["first", list(RUNNING.encode())],
}


@pytest.mark.parametrize("shape", ["text", "bytes"])
def test_message__text_or_bytes__is_the_same(shape):
    assert states(read_one(as_json(entry(SHAPES[shape])))[0]) == ["RUNNING"]


@pytest.mark.parametrize("shape", ["several texts", "several arrays", "mixed"])
def test_message__field_that_repeats__is_one_message_and_loses_nothing_else(shape):
    timeline, reading = read_one(as_json(entry(SHAPES[shape]), entry(SUCCESS)))
    assert [e.kind.new for e in timeline.events] == ["SUCCESS"]
    assert not slugs(reading)


@pytest.mark.parametrize("gone", ["__CURSOR", "__REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_PID", "_SYSTEMD_UNIT"])
@pytest.mark.parametrize("form", PACK)
def test_fields__one_is_missing__the_entry_stays(form, gone):
    timeline, reading = read_one(PACK[form](entry(RUNNING), entry(SUCCESS, at=AT + 5, **{gone: None}), entry("x", at=AT + 9)))
    assert [(e.kind.new, e.service) for e in timeline.events] == [("RUNNING", "api"), ("SUCCESS", "api")]
    assert timeline.events[1].at == (None if gone == "__REALTIME_TIMESTAMP" else AT + 5)
    assert (timeline.start, timeline.end) == (AT, AT if gone == "__REALTIME_TIMESTAMP" else AT + 5)
    assert not slugs(reading)


def test_fields__other_names_for_the_same__are_read():
    fields = {"_PID": None, "SYSLOG_PID": "9", "SYSLOG_IDENTIFIER": "python3", "_SOURCE_REALTIME_TIMESTAMP": str(AT - 100)}
    timeline, _ = read_one(as_json(entry(RUNNING, **fields)))
    (event,) = timeline.events
    assert (event.at, event.service, event.process) == (AT - 100, "api", "controller/9")


def test_fields__any_order__tells_the_same():
    own = entry(RUNNING)
    assert read_one(as_json(dict(reversed(own.items()))))[0] == read_one(as_json(own))[0]


@pytest.mark.parametrize("value", ["", "x", "-1", "9" * 40, "0", "²", None, [], {}, 1.5, True, [300], [[[]]], ["\ud800"]])
@pytest.mark.parametrize("name", ["__REALTIME_TIMESTAMP", "_PID", "_HOSTNAME", "SYSLOG_IDENTIFIER", "MESSAGE"])
def test_fields__value_of_any_kind__costs_no_other_entry(name, value):
    timeline, _ = read_one(as_json(entry(RUNNING), {**entry("x"), name: value}, entry(SUCCESS)))
    assert states(timeline) == ["RUNNING", "SUCCESS"]


def test_message__too_large_for_the_journal__is_said():
    timeline, reading = read_one(as_json(entry(RUNNING), {**entry(""), "MESSAGE": None}, entry(SUCCESS)))
    assert states(timeline) == ["RUNNING", "SUCCESS"]
    assert [(d.slug, d.where.line) for d in reading.diagnostics if d.slug == "elided-text"] == [("elided-text", 2)]


# -- messages with several lines -----------------------------------------------------------------------------------------

FORGED = "Nov 22 13:14:31.315338 controller devstack@c-api.service[7]: " + SUCCESS
INSIDE = [FORGED, SUCCESS, f"{AT / 1e6:.6f} controller devstack@c-api.service[7]: {SUCCESS}", "\n__CURSOR=s=0\n__REALTIME_TIMESTAMP=5\nMESSAGE=" + SUCCESS]
INSIDE += ["\n" + as_json(entry(SUCCESS)).decode()]


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("form", PACK)
def test_lines__that_look_like_records_inside_a_message__are_none(form, inside):
    body = message("Action: 'create', body: {'name': 'x\n" + inside + "\n'}")
    timeline, reading = read_one(PACK[form](entry(RUNNING), entry(body), entry("free text\n" + inside), entry("x\n" * 3)))
    assert states(timeline) == ["RUNNING"]
    assert set(slugs(reading)) <= {"unrecognised-line"}  # the message itself is of no known kind


@pytest.mark.parametrize("form", PACK)
def test_lines__of_a_traceback__belong_to_their_record(form):
    dump = "\n  |__Flow 'volume_create_api': cinder.exception.OverQuota: Quota exceeded\nTraceback (most recent call last):\ncinder.exception.OverQuota: Quota exceeded"
    failed = step("QuotaReserveTask", "FAILURE", "RUNNING", level="WARNING") + dump
    (failure,) = read_one(PACK[form](entry(RUNNING), entry(failed)))[0].failures
    assert (failure.task, failure.exception) == ("QuotaReserveTask", "OverQuota")


# -- damage --------------------------------------------------------------------------------------------------------------

BROKEN_LINES = {
    "cut": as_json(entry("x"))[:90] + b"\n",
    "not closed": b'{"MESSAGE":"x",\n',
    "deep": b'{"MESSAGE":' + b"[" * 100_000 + b"\n",
    "digits": b'{"MESSAGE":' + b"9" * 100_000 + b"}\n",
    "text": b"Rotated.\n",
    "array": b"[1,2]\n",
    "other object": b'{"level": 3}\n',
    "control": b'{"MESSAGE":"a\x01b"}\n',
}


@pytest.mark.parametrize("kind", BROKEN_LINES)
def test_damage__json_line__is_one_diagnostic_at_its_line(kind):
    timeline, reading = read_one(as_json(entry(RUNNING)) + BROKEN_LINES[kind] + as_json(entry(SUCCESS)))
    assert states(timeline) == ["RUNNING", "SUCCESS"]
    (found,) = [d for d in reading.diagnostics if d.where.line == 2]
    assert found.slug == ("unrecognised-line" if kind in ("text", "array", "other object") else "torn-record")
    assert reading.unrecognised == (found.slug == "unrecognised-line")


def test_damage__torn_entry_of_a_request__proves_nothing_missing():
    lines = as_json(entry(RUNNING), entry(SUCCESS), entry(step("EntryCreateTask", "RUNNING", "PENDING"))).splitlines(keepends=True)
    lines[1] = lines[1][:-9] + b"\n"
    reading, _ = read_bytes({"x": b"".join(lines)})
    assert [d.request_id for d in reading.diagnostics if d.slug == "torn-record"][:1] == [REQUEST]


BROKEN_ENTRIES = {
    "length 2^63": b"MESSAGE\n" + (1 << 63).to_bytes(8, "little") + b"abc\n\n",
    "length too long": binary("MESSAGE", b"abc", 30) + b"\n",
    "length far too long": binary("MESSAGE", b"abc", 5_000_000) + b"\n",
    "length too short": binary("MESSAGE", b"abcdef", 2) + b"\n",
    "no field": b"__REALTIME_TIMESTAMP=5\nno field\n\n",
    "lower case": b"message=5\n\n",
    "no empty line": b"__CURSOR=s=0\n__REALTIME_TIMESTAMP=5\nMESSAGE=x\n",
    "NULs": b"\0" * 5000 + b"\n\n",
}


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
@pytest.mark.parametrize("kind", BROKEN_ENTRIES)
def test_damage__export_entry__is_one_diagnostic_and_costs_no_other(kind, size):
    timeline, reading = read_one(as_export(entry(RUNNING)) + BROKEN_ENTRIES[kind] + as_export(entry(SUCCESS)), block=size)
    assert states(timeline) == ["RUNNING", "SUCCESS"]
    assert slugs(reading) == ["torn-record"]
    assert [e.where.line for e in timeline.events] == [7, 8 + 7 + BROKEN_ENTRIES[kind].count(b"\n")]


@pytest.mark.parametrize("form", PACK)
def test_damage__file_that_ends_in_an_entry__says_so_and_keeps_the_rest(form):
    data = PACK[form](entry(RUNNING), entry(SUCCESS + "\n"))
    for cut in range(len(data) - 60, len(data) - 3):
        reading, _ = read_bytes({"x": data[:cut]})
        assert states(reading.timelines[0])[:1] == ["RUNNING"]
        assert slugs(reading).count("truncated-file") == 1, cut


@pytest.mark.parametrize("form", PACK)
def test_damage__bytes_that_are_no_text__are_said_once(form):
    bad = b"\xff\xfe".decode("latin-1")
    data = (
        PACK[form](entry(RUNNING), entry(f"a{bad}"), entry(f"b{bad}"), entry(SUCCESS))
        .replace("ÿþ".encode(), b"\xff\xfe")
        .replace(b"\\u00ff\\u00fe", b"\xff\xfe")
    )
    timeline, reading = read_one(data)
    assert states(timeline) == ["RUNNING", "SUCCESS"]
    assert slugs(reading) == ["invalid-bytes"]


@pytest.mark.parametrize("size", [1, 64, 1000])
@pytest.mark.parametrize("form", PACK)
def test_damage__entry_too_long__is_one_diagnostic(monkeypatch, form, size):
    monkeypatch.setattr(sources, "LONGEST_LINE", 2000)
    long = "x" * 5000
    for text in (long, long + "\n", "a\n" + long, ("y" * 90 + "\n") * 50):
        timeline, reading = read_one(PACK[form](entry(RUNNING), entry(text), entry(SUCCESS)), block=size)
        assert states(timeline) == ["RUNNING", "SUCCESS"]
        assert slugs(reading) == ["overlong-line"]


@pytest.mark.parametrize("form", PACK)
def test_damage__line_of_100_megabytes__is_read_in_little_memory(tmp_path, form):
    import resource

    path = tmp_path / "x.log"
    parts = PACK[form](entry(RUNNING)), PACK[form](entry("@")), PACK[form](entry(SUCCESS))
    with path.open("wb") as file:
        head, _, tail = parts[1].partition(b"@")
        file.write(parts[0] + head)
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(tail + parts[2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (timeline,) = read([str(path)]).timelines
    assert states(timeline) == ["RUNNING", "SUCCESS"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


ENDLESS = {
    "lines": as_json(entry("\n" * 3_000_000)),
    "fields": b"A=\n" * 2_000_000,
    "messages": b"MESSAGE=x\n" * 800_000,
    "keys": b'{"MESSAGE"' * 700_000 + b"\n",
    "entries": b"__CURSOR=\n" * 200_000,
    "empty": b"\n" * 1_000_000,
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_damage__hostile_entry__takes_little_time_and_memory(kind):
    import time
    import tracemalloc

    form = as_json if ENDLESS[kind][:1] == b"{" else as_export
    begun = time.process_time()
    reading, _ = read_bytes({"x": form(entry(RUNNING)) + ENDLESS[kind] + b"\n\n" + form(entry(SUCCESS))})
    assert states(reading.timelines[0]) == ["RUNNING", "SUCCESS"]
    assert time.process_time() - begun < 20
    tracemalloc.start()
    read_bytes({"x": form(entry(RUNNING)) + ENDLESS[kind][: 1 << 20] + b"\n\n"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80 << 20


@settings(max_examples=150, deadline=None)
@given_(data=st.data())
def test_damage__any_change_of_bytes__raises_nothing_and_costs_little(data):
    form = data.draw(st.sampled_from(sorted(PACK)))
    whole = PACK[form](*(entry(RUNNING if i == 0 else f"message {i}\nmore", at=AT + i) for i in range(4)), entry(SUCCESS, at=AT + 9))
    first = len(PACK[form](entry(RUNNING)))
    last = len(whole) - len(PACK[form](entry(SUCCESS, at=AT + 9)))
    start = data.draw(st.integers(first, last - 40))
    stop = data.draw(st.integers(start, last - 40))
    broken = whole[:start] + data.draw(st.binary(max_size=30)).replace(b"\n", b"") + whole[stop:]
    timeline, _ = read_one(broken, block=data.draw(st.integers(1, 500)))
    assert states(timeline) == ["RUNNING", "SUCCESS"]


# -- recognising ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", PACK)
def test_detect__packed_entries__whatever_their_messages_look_like(form):
    quoting = [entry("\n".join([FORGED] * 20)) for _ in range(3)]
    found = detect(PACK[form](*quoting))
    assert found is not None and found.packing is PACKINGS[form]


@pytest.mark.parametrize("form", PACK)
def test_detect__beginning_cut_off__is_still_known(form):
    data = PACK[form](*[entry(RUNNING)] * 5)
    found = detect(data[30:])
    assert found is not None and found.packing is PACKINGS[form]


@pytest.mark.parametrize("text", ['{"request_id": "req-1", "name": "\\"MESSAGE\\":"}', '{"summary": {"requests": 20}}', "KEY=value", "message=5"])
def test_detect__other_objects_and_settings__are_no_journal(text):
    assert detect(text.encode() + b"\n") is None


def test_folder__files_that_quote_a_log__are_not_read_for_one(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(as_json(entry(RUNNING)))
    (tmp_path / "verdicts.json").write_bytes(b'{"requests": [\n {"line": "' + record("x") + b'"}\n]}\n')
    (tmp_path / "truth.jsonl").write_bytes(as_json(entry(RUNNING)))
    assert [s.name for s in sources.find_sources([str(tmp_path)])[0]] == [str(tmp_path / "x.jsonl")]


def test_folder__formats_mixed_and_packed_files__read_as_one(tmp_path):
    assert main(["simulate", "-o", str(tmp_path / "plain"), "--requests", "12", "--scenario", "mixed", "--seed", "5"]) == 0
    for form in ("json", "export"):
        assert main(["simulate", "-o", str(tmp_path / form), "--requests", "12", "--scenario", "mixed", "--seed", "5", "--format", form]) == 0
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "c-api.json.bz2").write_bytes(bz2.compress((tmp_path / "json" / "c-api.log").read_bytes()))
    (mixed / "c-sch.export.gz").write_bytes(gzip.compress((tmp_path / "export" / "c-sch.log").read_bytes()))
    (mixed / "c-vol.log").write_bytes((tmp_path / "plain" / "c-vol.log").read_bytes())
    (mixed / "truth.jsonl").write_bytes((tmp_path / "plain" / "truth.jsonl").read_bytes())
    assert len(read([str(mixed)]).sources) == 3
    assert told(mixed) == told_of_three(tmp_path / "plain")
    copies = read([str(tmp_path / "json" / "c-vol.log"), str(tmp_path / "plain")])
    assert [d.slug for d in copies.diagnostics].count("overlapping-sources") == 1


def told_of_three(folder):
    (folder / "merged.log").unlink()
    return told(folder)
