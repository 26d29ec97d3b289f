"""What the simulator writes against what real services wrote: the same rows in the same order, and the same text but for ids and numbers."""

import re
from pathlib import Path

import pytest

from .clouds import LVM, cloud, run

CAPTURED = Path(__file__).parents[2] / "sample_logs" / "captured"
HEAD = re.compile(r"^(?:.*?\S+\[\d+\]: )?(DEBUG|INFO|WARNING|ERROR) (\S+) \[[^\]]*\] (.*)$")
TAIL = re.compile(r" \{\{\(pid=\d+\) (\S+) \S+:(\d+)\}\}$")
MASKS = (
    (re.compile(r"https?://[^/\s]+(?:/volume)?"), "URL"),
    (re.compile(r"[\w.-]+(?:@[\w.-]+)?#[\w-]+"), "HOST"),
    (re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"), "ID"),
    (re.compile(r"0x[0-9a-f]+"), "ADDRESS"),
    (re.compile(r"stack-volumes-lvmdriver-\d|lvmdriver-\d"), "BACKEND"),
    (re.compile(r"\d+(?:\.\d+)?"), "N"),
)
QUEENS_TYPE = [{"name": "functional_test_type"}, {"name": "badtype", "specs": {"volume_backend_name": "nosuch"}}]
QUEENS = {
    "01_blank": {"names": ["vol1"]},
    "05_invalid_az": {"names": [""], "fault": "zone-unknown"},
    "06_size0": {"names": [""], "fault": "size-zero"},
    "06b_sizeabc": {"names": [""], "fault": "size-text"},
    "07_novalid": {"names": [""], "types": ["badtype"], "fault": "type-without-backend"},
    "08_once": {"names": ["once"], "fault": "driver-fails-once"},
    "12_gb_quota": {"names": [""], "sizes": [100], "fault": "quota-exceeded"},
}


def mask(text):
    for pattern, word in MASKS:
        text = pattern.sub(word, text)
    return text


def rows(lines, length=48):
    """(level, logger, function, source line, beginning of the masked message) of every line with a head."""
    out = []
    for line in lines:
        head = HEAD.match(line)
        if head:
            message, tail = head[3], TAIL.search(head[3])
            function, number = (tail[1], int(tail[2])) if tail else (None, None)
            out.append((head[1], head[2], function, number, mask(message[: tail.start()] if tail else message)[:length]))
    return out


def captured(release, name):
    return (CAPTURED / release / f"{name}.log").read_text().splitlines()


def by_service(captured_rows):
    """The rows of each service: a merged capture in the order of time, its services told by their loggers."""
    out = {"api": [], "scheduler": [], "volume": []}
    now = "api"
    for row in captured_rows:
        logger = row[1]
        if logger.startswith(("cinder.scheduler", "object", "cinder.utils")):
            now = "scheduler"
        elif logger.startswith(("cinder.volume.manager", "cinder.volume.flows.manager", "oslo_messaging")):
            now = "volume"
        out[now].append(row)
    return out


@pytest.mark.parametrize("name", QUEENS)
def test_queens__captured_scenario__same_rows_in_the_same_order(name):
    project = [{"name": "admin", "user": "admin", "gigabytes": 25}]
    lines, _ = run(cloud(QUEENS[name], types=QUEENS_TYPE, projects=project), "queens")
    want, have = by_service(rows(captured("queens", name))), {s: rows(lines[s]) for s in ("api", "scheduler", "volume")}
    deprecated = [r for r in want["api"] if r[4].startswith("Deprecated")]  # this type was new to that API, ours is warm
    want["api"] = [r for r in want["api"] if r not in deprecated]
    assert have == want


def test_queens__blank_create__same_text():
    lines, _ = run(cloud(QUEENS["01_blank"], types=QUEENS_TYPE), "queens")
    ours = {mask(HEAD.match(line)[3]) for service in ("api", "scheduler", "volume") for line in lines[service] if HEAD.match(line)}
    theirs = {mask(HEAD.match(line)[3]) for line in captured("queens", "01_blank") if HEAD.match(line)}
    assert ours == theirs


NEW = [{"name": "lvmdriver-1", "specs": {"volume_backend_name": "lvmdriver-1"}}, {"name": "nobackend", "specs": {"volume_backend_name": "ceph-gold"}}]


def without_file_driver(lines):
    """The capture's cloud had two backends more, of a driver that is not simulated: their lines are left out."""
    out, theirs = [], False
    for line in lines:
        follows = "Trying to retrieve max_over" in line or "Storage Capacity factors" in line
        theirs = theirs if follows else ("@file-" in line and "Filter results" not in line) or 'capability "file-' in line
        if not theirs:
            out.append(line)
    return out


def test_newest__blank_create__same_rows_in_the_same_order():
    lines, _ = run(cloud(backends=LVM, types=NEW, lines_of_libraries=True), "2026.2")
    assert [r for s in ("api", "scheduler", "volume") for r in rows(lines[s])] == rows(without_file_driver(captured("2026.2", "01_blank")))


def test_newest__no_valid_backend__same_rows_in_the_same_order():
    lines, _ = run(cloud({"types": ["nobackend"], "fault": "type-without-backend"}, backends=LVM, types=NEW, lines_of_libraries=True), "2026.2")
    fresh = "Trying to retrieve"  # a line for each report that the scheduler takes over: there had just been new ones
    want = [r for r in rows(without_file_driver(captured("2026.2", "07_novalid"))) if not r[4].startswith(fresh)]
    assert [r for s in ("api", "scheduler", "volume") for r in rows(lines[s]) if not r[4].startswith(fresh)] == want


@pytest.mark.parametrize(("name", "ask"), [("12_vol_quota", {"fault": "quota-exceeded", "sizes": [2]}), ("06_size0", {"fault": "size-zero"})])
def test_newest__refusal__same_rows_in_the_same_order(name, ask):
    project = [{"name": "admin", "user": "admin", "volumes": 0}]
    lines, _ = run(cloud(ask, backends=LVM, types=NEW, projects=project), "2026.2")
    assert rows(lines["api"]) == rows(captured("2026.2", name))


def test_newest__blank_create__same_text():
    lines, _ = run(cloud({"names": ["vol-seq-6"]}, backends=LVM, types=NEW, lines_of_libraries=True), "2026.2")
    ours = [mask(HEAD.match(line)[3]) for s in ("api", "scheduler", "volume") for line in lines[s] if HEAD.match(line)]
    theirs = [mask(HEAD.match(line)[3]) for line in without_file_driver(captured("2026.2", "01_blank")) if HEAD.match(line)]
    name = re.compile(r"vol-seq-N|vol-[a-z]+-N|'seq-N'")
    assert [name.sub("NAME", text) for text in ours] == [name.sub("NAME", text) for text in theirs]


def test_2023__first_create_of_a_real_cloud__same_text():
    """It ran from a second tree of sources behind its own path, and with two backends more that are not simulated."""
    local = (("/volume22/", "/volume/"), ("/opt/stack/cinder22/", "/opt/stack/cinder/"), ("/etc/cinder22/", "/etc/cinder/"))
    lines, _ = run(cloud({"names": ["vol-single-1"]}, backends=LVM, types=NEW, lines_of_libraries=True, warm=False), "2023.1")
    for service, name in (("api", "c-api"), ("scheduler", "c-sch"), ("volume", "c-vol")):
        real = (CAPTURED.parent / "created-2023-1" / f"{name}.log").read_text()
        for theirs, usual in local:
            real = real.replace(theirs, usual)
        assert rows(lines[service], None) == rows(without_file_driver(real.splitlines()), None), service
