"""A reading without names."""

from dataclasses import replace

from voltrace.report.html import render_report
from voltrace.report.redact import redact
from voltrace.report.waterfall import draw_up
from voltrace.trace import Answer, Process

from .examples import created, fetch, reading, rescheduled, skewed


def _secret():
    facts = {"project": "projectx", "user": "alice", "name": "payroll db"}
    message = "alice's volume 'payroll db' of projectx failed on stor-host-7 (10.1.2.3, fe80::1:2:3:4)"
    timeline, verdict = rescheduled(2, backend="stor-host-7@lvm#pool", message=message, **facts)
    timeline = replace(timeline, answer=Answer("POST", "/v3/c0a7b6a1a8b84d3c8d1c0f9b3e5e7a11/volumes", 202))
    read, verdicts = reading((timeline, verdict), created(3, backend="stor-host-8@lvm#pool", **facts))
    read.sources = ["/home/alice/stor-host-7/c-vol.log"]
    read.coverage["volume"].processes["stor-host-7/12"] = Process("volume", "stor-host-7", 12)
    return read, verdicts


def test_redact__names__are_pseudonyms_everywhere():
    read, verdicts = redact(*_secret())
    first, second = read.timelines
    assert (first.project, first.user, first.name, first.backend) == ("project-1", "user-1", "volume-1", "host-1@lvm#pool")
    assert (second.project, second.user, second.name, second.backend) == ("project-1", "user-1", "volume-1", "host-3@lvm#pool")
    assert first.failures[0].message == "user-1's volume 'volume-1' of project-1 failed on host-1 (address-1, address-2)"
    assert first.answer.path == "/v3/project-2/volumes"


def test_redact__page__holds_no_name_and_no_source_line():
    read, verdicts = redact(*_secret())
    page = render_report(read, verdicts, fetch, title="t", version="0", redacted=True)
    for secret in ("projectx", "alice", "payroll", "stor-host", "10.1.2.3", "fe80", "c0a7b6a1", "/home", "DEBUG cinder"):
        assert secret not in page
    assert "volume_create_manager" in page and "Redacted" in page


def test_redact__twice__same_pseudonyms():
    assert redact(*_secret()) == redact(*_secret())


def test_redact__times_and_states__untouched():
    read, _ = _secret()
    shown, _ = redact(*_secret())
    assert [(f.start, f.state, f.bounds_us) for f in shown.timelines[0].flows] == [(f.start, f.state, f.bounds_us) for f in read.timelines[0].flows]


def test_redact__clocks_that_are_off__correct_what_they_corrected():
    read, verdicts = reading(skewed())
    shown, told = redact(read, verdicts)
    fall, right = draw_up(shown.timelines[0], next(iter(told.values()))), draw_up(*skewed())
    assert [b.at for b in fall.bars] == [b.at for b in right.bars]
    assert fall.corrected[0].startswith("host-") and "stor-host" not in str(shown) and "controller'" not in fall.corrected[0]
