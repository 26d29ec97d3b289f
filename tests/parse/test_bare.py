"""The journal's cat: messages alone. Order decides what it can, and no instant is made up."""

import pytest
from compared import TIMES, without
from given import SAMPLES, lines, of_one_request, read_bytes, record

from voltrace.check.judge import judge_all
from voltrace.cli.main import main
from voltrace.encode import encode_timeline
from voltrace.formats import PACKINGS
from voltrace.parse.engine import read
from voltrace.parse.framing import detect

from .test_packed import AT, RUNNING, SUCCESS, as_json, entry, message, states, step

THREE = ("c-api.log", "c-sch.log", "c-vol.log")


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    """One run, written with stamps and without."""
    folder = tmp_path_factory.mktemp("clouds")
    for form in ("short-precise", "cat"):
        assert main(["simulate", "-o", str(folder / form), "--scenario", "mixed", "--requests", "120", "--seed", "7", "--format", form]) == 0
    return folder


def told(*paths):
    reading = read([str(p) for p in paths])
    verdicts = judge_all(reading)
    return reading, {t.request_id: encode_timeline(t, verdicts[t.request_id], events=True) for t in reading.creates()}


_TIMES = TIMES | {"at", "at_bounds"}


def without_times(value):
    return without(value, _TIMES | {"where", "events", "diagnostics"})


def instants(value):
    if isinstance(value, dict):
        return [v for k, v in value.items() if k in _TIMES] + [i for v in value.values() for i in instants(v)]
    return [i for v in value for i in instants(v)] if isinstance(value, list) else []


@pytest.mark.parametrize("files", [THREE, ("merged.log",), ("",)])
def test_cat__everything_but_times__is_as_in_the_stamped_logs(clouds, files):
    _, stamped = told(*(clouds / "short-precise" / name for name in THREE))
    reading, bare = told(*(clouds / "cat" / name for name in files))
    assert bare.keys() == stamped.keys()
    assert not set(instants(list(bare.values()))) - {None}
    # what time alone proves
    by_silence = {
        i for i, t in stamped.items() if t["outcome"] == "lost" or t["cause"] == "response-not-logged" or t["outcome"] == "stuck" and t["cause"] is None
    }
    for request_id in stamped.keys() - by_silence:
        assert without_times(bare[request_id]) == without_times(stamped[request_id])
    assert {bare[i]["outcome"] for i in by_silence} <= {"unknown"}
    assert reading.unrecognised == 0
    assert {t["outcome"] for t in bare.values()} >= {"created", "refused", "failed"}


@pytest.mark.parametrize("command", [["trace"], ["trace", "--format", "jsonl", "--events"], ["check"], ["check", "--format", "json"], ["stats"]])
def test_cat__every_reading_command__runs(clouds, command, capsys):
    assert main([*command, str(clouds / "cat" / "merged.log")]) in (0, 1)
    assert capsys.readouterr().out


def test_cat__report__is_written(clouds, tmp_path):
    assert main(["report", str(clouds / "cat" / "merged.log"), "-o", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text()
    assert all(request_id in page for request_id in told(clouds / "cat" / "merged.log")[1])


def test_cat__beside_stamped_logs_of_the_same__adds_nothing(clouds):
    _, stamped = told(*(clouds / "short-precise" / name for name in THREE))
    reading, both = told(*(clouds / "short-precise" / name for name in THREE), clouds / "cat" / "merged.log")
    assert "overlapping-sources" in {d.slug for d in reading.diagnostics}
    assert without_times(both) == without_times(stamped)
    assert [(t["start"], t["end"]) for t in both.values()] == [(t["start"], t["end"]) for t in stamped.values()]


def test_cat__one_service_without_stamps__the_others_keep_theirs(clouds):
    _, stamped = told(*(clouds / "short-precise" / name for name in THREE))
    _, mixed = told(clouds / "short-precise" / "c-api.log", clouds / "cat" / "c-sch.log", clouds / "short-precise" / "c-vol.log")
    for request_id, t in mixed.items():
        if stamped[request_id]["outcome"] != "lost":
            assert without_times(t) == without_times(stamped[request_id])
        assert all((f["start"] is None) == (f["service"] == "scheduler") for f in t["flows"] if f["tasks"])


@pytest.mark.parametrize("case", ["created", "driver-failure", "no-valid-backend", "over-quota", "volume-killed", "created-threads", "sources"])
def test_cat__of_real_logs__ends_as_they_do(case):
    logs = {p.name: p.read_bytes() for p in sorted((SAMPLES / case).glob("*.log"))}
    bare = {name: b"\n".join(line.partition(b"]: ")[2] or line for line in data.splitlines()) + b"\n" for name, data in logs.items()}
    stamped, verdicts = read_bytes(logs)
    found, judged = read_bytes(bare)
    for timeline in stamped.creates():
        own, other = verdicts[timeline.request_id].outcome, judged[timeline.request_id].outcome
        assert (own.outcome, own.cause) == (other.outcome, other.cause)
    assert [t.volume_id for t in stamped.creates()] == [t.volume_id for t in sorted(found.creates(), key=lambda t: _start(stamped, t.request_id))]


def _start(reading, request_id):
    return next(t.start for t in reading.timelines if t.request_id == request_id)


# -- recognising ---------------------------------------------------------------------------------------------------------


def cat(*messages):
    return "".join(f"{m}\n" for m in messages).encode()


def test_detect__bare_messages__are_cat():
    found = detect(cat(RUNNING, "Traceback (most recent call last):", SUCCESS))
    assert found is not None and found.packing is PACKINGS["cat"]


def test_detect__bare_messages_that_quote_a_record__stay_cat():
    quoted = record("x").decode()
    found = detect(cat(RUNNING, SUCCESS, quoted, RUNNING))
    assert found is not None and found.packing is PACKINGS["cat"]


@pytest.mark.parametrize("case", ["tutorial-2018", "created", "created-oslo", "created-copies", "created-colour", "created-short", "captured"])
def test_detect__text_with_prefixes__is_no_cat(case):
    for path in (SAMPLES / case).rglob("*"):
        if path.is_file() and path.suffix not in (".toml", ".md", ".json"):
            found = detect(path.read_bytes()[: 1 << 16])
            if case != "captured" or found is not None and b"]: " in path.read_bytes()[:200]:
                assert found is not None and found.packing is None, path


@pytest.mark.parametrize("wrapped", [b"Nov 22 13:14:31.000000 controller devstack@c-api.service[7]:\n", b"<pre>"])
def test_detect__page_with_whole_records__is_a_page(wrapped):
    whole = b"see " + record("x") + b"\n"
    found = detect(wrapped + message("x").encode() + b"\n" + whole * 2)
    assert found is not None and found.packing is None and found.page


# -- lines ---------------------------------------------------------------------------------------------------------------


def test_cat__loggers_of_several_services__are_of_the_one_at_work():
    scheduler = message(
        "Flow 'volume_create_scheduler' (00000000-0000-4000-8000-00000000000a) transitioned into state 'RUNNING' from state 'PENDING'",
        logger="cinder.scheduler.manager",
    )
    common = message("Volume 00000000-0000-4000-8000-00000000000b: error", level="ERROR", logger="cinder.volume.flows.common")
    reading, _ = read_bytes({"x": cat(RUNNING, SUCCESS, scheduler, common)})
    (timeline,) = reading.timelines
    assert [f.service for f in timeline.flows] == ["api", "scheduler"]


def test_cat__traceback_behind_another_services_record__is_of_its_own_logger():
    failed = step("QuotaReserveTask", "FAILURE", "RUNNING", level="WARNING")
    other = message("Running periodic task X", logger="cinder.volume.manager", request=None)
    traceback = "ERROR cinder.api.middleware.fault cinder.exception.OverQuota: Quota exceeded"
    reading, _ = read_bytes({"x": cat(RUNNING, failed, other, traceback)})
    assert [t.failures[0].task for t in reading.timelines] == ["QuotaReserveTask"]


def test_cat__records_that_the_journal_dropped__make_nothing_missing():
    reading, _ = read_bytes({"x": cat(RUNNING, "Suppressed 20 messages from devstack@c-api.service", step("EntryCreateTask", "RUNNING", "PENDING"))})
    assert reading.records_lost


def test_entry_without_stamp__beside_others__is_no_step_of_the_clock():
    data = as_json(entry(RUNNING), entry(SUCCESS, __REALTIME_TIMESTAMP=None), entry("x", at=AT + 400_000_000))
    reading, _ = read_bytes({"x": data})
    (timeline,) = reading.timelines
    assert states(timeline) == ["RUNNING", "SUCCESS"]
    assert not timeline.stepped and timeline.start == timeline.end == AT


def test_cat__torn_and_hostile_lines__cost_nothing_else():
    logs = of_one_request(lines("driver-failure"))
    bare = b"\n".join(line.partition(b"]: ")[2] or line for own in logs.values() for line in own)
    for noise in (
        b"",
        b"\xff\xfe\n",
        b"\0" * 100 + b"\n",
        b"DEBUG\n",
        b"DEBUG x [\n",
        b"ERROR " + b"a." * 50_000 + b"\n",
        b"[pid: 1|app: 0|req: 1/1] x\n",
        b"{}\n",
    ):
        _, verdicts = read_bytes({"x": noise + bare + b"\n" + noise})
        assert [v.outcome.outcome for v in verdicts.values() if v.outcome.outcome != "unknown"] == ["failed"]
