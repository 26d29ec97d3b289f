"""The message catalogue's scenarios, simulated: the lines of the captures in their order, and a truth that the parser finds again."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
from compared import without

from voltrace.check.judge import judge_all
from voltrace.cli.main import main
from voltrace.encode import encode_timeline
from voltrace.formats import SERVICE_FILES
from voltrace.parse.engine import read
from voltrace.sim.release import releases
from voltrace.sim.scenario_file import load_scenario, scenarios

from .clouds import run

KEYS = [name for name in scenarios() if name[0].isdigit()]
CATALOGUE = Path(__file__).parents[3] / "shared" / "catalogue" / "catalogue.json"
TAIL = re.compile(r" \{\{(?:\(pid=\d+\) )?(\S+) \S+:(\d+)\}\}$")
HEAD = re.compile(r"^.*?\S+\[\d+\]: (DEBUG|INFO|WARNING|ERROR) (\S+) \[[^\]]*\] (.*)$")
STEP = re.compile(r"(?:Flow|Task) '([^']+)' \([0-9a-f-]{36}\) transitioned into state '(\w+)' from state '(\w+)'")
MASKS = (
    (re.compile(r"https?://\S+"), "URL"),
    (re.compile(r"[\w.<>-]+(?:@[\w.<>-]+)?#[\w<>-]+"), "HOST"),
    (re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|<[a-z][a-z0-9_-]*>"), "ID"),
    (re.compile(r"0x[0-9a-f]+"), "ADDRESS"),
    (re.compile(r"\d+"), "N"),
)
# A periodic task of another thread fell into these captures: it is no line of the request.
PERIODIC = "Manager for service cinder-volume"


def mask(message):
    for pattern, word in MASKS:
        message = pattern.sub(word, message)
    return message[:48]


def captured(key, release, service):
    out = []
    for entry in catalogue_json()["scenarios"][key][release]:
        if entry["service"] == service and not entry.get("message", "").startswith(PERIODIC):
            if entry["kind"] == "message":
                out.append((entry["level"], entry["logger"], entry.get("func"), entry.get("line"), mask(entry["message"])))
            else:
                out.append((entry["level"], entry["logger"], entry["name"].split(".")[-1], entry["state"], entry["old"]))
    return out


@cache
def catalogue_json():
    return json.loads(CATALOGUE.read_text())


def simulated(lines):
    out = []
    for line in lines:
        head = HEAD.match(line)
        if not head:
            continue
        level, logger, message = head.groups()
        step, tail = STEP.match(message), TAIL.search(message)
        if step:
            out.append((level, logger, step[1].split(".")[-1], step[2], step[3]))
        else:
            function, number = (tail[1], int(tail[2])) if tail else (None, None)
            out.append((level, logger, function, number, mask(message[: tail.start()] if tail else message)))
    return out


def test_keys__those_of_the_catalogue__all():
    if not CATALOGUE.is_file():
        pytest.skip("the captured sequences (../shared/catalogue) are not here")
    assert sorted(KEYS) == sorted(catalogue_json()["scenarios"])


@pytest.mark.parametrize("release", [r for r in releases() if r != "2026.2"])
def test_lines__every_key__those_of_the_capture_in_their_order(release):
    if not CATALOGUE.is_file():
        pytest.skip("the captured sequences (../shared/catalogue) are not here")
    for key in KEYS:
        lines, _ = run(key, release, seed=1)
        for service, file in SERVICE_FILES.items():
            assert simulated(lines[service]) == captured(key, release, file.removesuffix(".log")), (key, service)


@pytest.mark.parametrize("release", releases())
def test_truth__every_key__comes_back_and_conforms(tmp_path, release):
    for key in KEYS:
        folder = tmp_path / key
        assert main(["simulate", "-o", str(folder), "--scenario", key, "--release", release, "--requests", "3", "--seed", "2"]) == 0
        truths = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
        reading = read([str(folder / name) for name in SERVICE_FILES.values()])
        verdicts = judge_all(reading)
        traced = [encode_timeline(t, verdicts[t.request_id]) for t in reading.creates()]
        assert reading.unrecognised == 0, key
        assert [verdicts[t["request_id"]].verdict for t in traced] == ["conforms"] * 3, key
        for truth, found in zip(truths, traced, strict=True):
            assert without(found, {"where", "deviations", "diagnostics"}) == without(truth, {"faults"}), key
            for fault in truth["faults"]:
                assert (truth["outcome"], truth["cause"]) == (fault["expect"]["outcome"], fault["expect"]["cause"]), key


ENDS = {
    "00_first": ("created", None, None, "available"),
    "02_srcvol": ("created", None, None, "available"),
    "04_image": ("created", None, None, "available"),
    "06c_smaller": ("refused", "invalid-input", None, None),
    "08_clone_fail": ("failed", "driver-error", "retries-exhausted", "error"),
    "08_driver_py": ("failed", "driver-error", "retries-exhausted", "error"),
    "08_not_found": ("failed", "driver-error", "not-retryable", "error"),
    "08_not_found@max_attempts=1": ("failed", "driver-error", "retries-off", "error"),
    "08_once": ("created", None, None, "available"),
    "08_once@max_attempts=1": ("failed", "driver-error", "retries-off", "error"),
    "09_dberr": ("failed", "database-error", None, None),
    "10_rpcfail": ("failed", "message-not-sent", None, "creating"),
    "11_commitfail": ("failed", "internal-error", None, "deleted-row"),
    "13_noinit": ("failed", "driver-not-initialized", "retries-exhausted", "error"),
    "13_noinit@max_attempts=1": ("failed", "driver-not-initialized", "retries-off", "error"),
    "14_image_copy": ("failed", "image-error", "not-retryable", "error"),
    "14_image_exec@max_attempts=1": ("failed", "image-error", "retries-off", "error"),
    "15_svcdown": ("failed", "no-valid-backend", None, "error"),
}


@pytest.mark.parametrize("key", ENDS)
def test_truth__key__ends_as_it_must(key):
    truth = run(key, "2026.1", seed=1)[1][0]
    assert (truth["outcome"], truth["cause"], truth["gave_up"], truth["final_status"]) == ENDS[key]


def test_sources__named_as_the_reader_names_them():
    assert [run(key, "2026.2")[1][0]["source"] for key in ("01_blank", "02_srcvol", "03_snap", "04_image")] == ["blank", "volume", "snapshot", "image"]


def test_key__without_requests__one_request():
    for key in KEYS:
        assert load_scenario(key).usual_requests == 1
    assert load_scenario("mixed").usual_requests == 20


def test_key__no_noise__only_lines_of_the_request():
    lines, truths = run("01_blank", "2026.1", seed=1)
    assert all(truths[0]["request_id"] in line for line in lines["merged"])
