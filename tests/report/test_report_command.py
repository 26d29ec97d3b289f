"""``voltrace report`` and ``voltrace stats`` around readings made by hand: files, options, refusals."""

import argparse
import json
import os

import pytest

from voltrace.cli import report, stats
from voltrace.errors import UsageError
from voltrace.measure import group

from .examples import fetch, mixed


@pytest.fixture(autouse=True)
def made_readings(monkeypatch):
    monkeypatch.setattr(report, "read", lambda args, paths=None, **_: mixed(25))
    monkeypatch.setattr(stats, "read_durations", lambda args: group(mixed(25)[0].timelines))
    monkeypatch.setattr(report, "fetch_lines", lambda reading: lambda timeline: [line[:2] for line in fetch(timeline)])


def run(module, *words):
    parser = argparse.ArgumentParser()
    module.configure(parser)
    return module.run(parser.parse_args(words))


def test_report__a_file__written_whole_and_named(tmp_path, capsys):
    assert run(report, "logs/c-api.log", "-o", str(tmp_path / "r.html")) == 0
    page = (tmp_path / "r.html").read_text()
    assert "<title>c-api.log</title>" in page and page.endswith("</html>\n")
    assert capsys.readouterr().out.strip() == str(tmp_path / "r.html")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_report__options__reach_the_page(tmp_path):
    run(report, "a", "-o", str(tmp_path / "r.html"), "--title", "T & U", "--against", "demo/sim", "--lines", "0")
    page = (tmp_path / "r.html").read_text()
    assert "<title>T &amp; U</title>" in page and "Against sim" in page and "`--lines 0`" in page


def test_report__redact__names_and_source_lines_gone(tmp_path):
    run(report, "/home/alice/c-api.log", "-o", str(tmp_path / "r.html"), "--redact")
    page = (tmp_path / "r.html").read_text()
    assert "alice" not in page and "DEBUG cinder" not in page and "controller@" not in page and "host-1@" in page


def test_report__a_folder__refused_and_nothing_written(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        run(report, "a", "-o", str(tmp_path))
    with pytest.raises(UsageError, match="no folder"):
        run(report, "a", "-o", str(tmp_path / "no" / "r.html"))
    assert list(tmp_path.iterdir()) == []


def test_report__interrupted__old_page_stands_and_no_half_one(tmp_path, monkeypatch):
    (tmp_path / "r.html").write_text("old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(report, "a", "-o", str(tmp_path / "r.html"))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("r.html", "old")]


@pytest.mark.parametrize("lines", ["some", "-1", "1.5"])
def test_report__bad_lines__refused(lines, tmp_path):
    with pytest.raises(SystemExit):
        run(report, "a", "-o", str(tmp_path / "r.html"), "--lines", lines)


def test_stats__formats__each_written(capsys):
    run(stats, "a")
    assert "CreateVolumeFromSpecTask" in capsys.readouterr().out
    run(stats, "a", "--format", "json")
    assert json.loads(capsys.readouterr().out)[0]["n"] == 25
    run(stats, "a", "--format", "csv")
    assert capsys.readouterr().out.startswith("kind,service,name,n,min_s,")
