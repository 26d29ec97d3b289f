"""Volumes from images: what is fetched, looked at and converted, as real services wrote it; and a device that is not there."""

import re

import pytest

from voltrace.check.judge import judge_all
from voltrace.cli.main import main
from voltrace.errors import UsageError
from voltrace.parse.engine import read

from .clouds import FAKE, LVM, cloud, run

TOML = """
[cloud]
default_type = "plain"
[[cloud.backends]]
name = "lvmdriver-1"
[[cloud.types]]
name = "plain"
[[cloud.projects]]
name = "admin"
user = "admin"
[[requests]]
weight = 1
source = "image"
[[requests]]
weight = 1
fault = "device-missing"
"""


def test_image__on_lvm__is_read_back_by_trace_and_check(tmp_path):
    (tmp_path / "images.toml").write_text(TOML)
    assert main(["simulate", "-o", str(tmp_path / "s"), "--scenario", str(tmp_path / "images.toml")]) == 0
    reading = read([str(tmp_path / "s" / name) for name in ("c-api.log", "c-sch.log", "c-vol.log")])
    verdicts = judge_all(reading)
    told = [verdicts[t.request_id] for t in reading.creates()]
    assert reading.unrecognised == 0 and {v.verdict for v in told} == {"conforms"}
    assert sorted({(v.outcome.outcome, v.outcome.cause) for v in told}, key=str) == [("created", None), ("failed", "image-error")]


def test_image__of_either_format__is_looked_at_as_often_as_a_real_service_does():
    lines, _ = run(cloud({"source": "image"}, backends=LVM, lines_of_libraries=True), requests=12)
    text = "\n".join(lines["volume"])
    made = {form: len(re.findall(f"was {form}, converting to raw", text)) for form in ("qcow2", "raw")}
    assert all(made.values()) and sum(made.values()) == 12
    inspections = text.count("Running cmd (subprocess): /opt/stack/data/venv/bin/python3 -m oslo_concurrency.prlimit")
    # Twice before the driver makes the volume, then its first bytes (always as raw), then once more; what claims to be raw is also tried as encrypted.
    assert inspections == made["qcow2"] * (2 + 2 + 1) + made["raw"] * (4 + 2 + 2)


def test_image__where_no_capture_tells__writes_what_the_flow_does():
    lines, _ = run(cloud({"source": "image"}, backends=LVM, lines_of_libraries=True), "queens")
    assert "Downloaded image" in "\n".join(lines["volume"]) and "qemu-img" not in "\n".join(lines["volume"])


def test_device_missing__other_release_or_driver__is_refused():
    with pytest.raises(UsageError, match="no traceback of device-missing is known of release 2025.1"):
        run(cloud({"fault": "device-missing"}, backends=LVM), "2025.1")
    with pytest.raises(UsageError, match="driver lvm only"):
        cloud({"fault": "device-missing"}, backends=(FAKE,))
