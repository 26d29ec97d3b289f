"""Against real logs: every kind of line that a real create writes, a simulated one of the same scenario and release writes too, and the other way round."""

import json
import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from .clouds import cloud, run
from .templates import Template, templates

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("VOLTRACE_REAL_LOGS", ROOT.parent / "shared" / "logs"))
FILES = {"api": "c-api.log", "scheduler": "c-sch.log", "volume": "c-vol.log"}

# The cloud that wrote the real logs. Its file backends had a driver of their own; `fake` stands for it.
BACKENDS = [
    {"name": "lvmdriver-1", "total_gb": 2048},
    {"name": "lvmdriver-2", "total_gb": 1024},
    {"name": "file-1", "pool": "pool0", "driver": "fake"},
    {"name": "file-2", "pool": "pool0", "driver": "fake"},
]
TYPES = {"lvmdriver-1": "lvmdriver-1", "lvmdriver-2": "lvmdriver-2", "file": "file-1", "nobackend": "ceph-gold", "lvm-any": "lvmdriver-2"}


def lab(*asks, new=(), **more):
    """The cloud of the real logs, and what these clients ask of it. Its API has met no volume type of ``new`` before."""
    types = [{"name": name, "specs": {"volume_backend_name": to}, "new": name in new} for name, to in TYPES.items()]
    return cloud(*asks, backends=BACKENDS, types=types, **{"lines_of_libraries": True, "background_s": 60, **more})


FIRST, WARM = lab(warm=False), lab()
REFUSALS = [
    *({"sizes": [size], "fault": "quota-exceeded"} for size in (40, 70)),
    *({"fault": fault} for fault in ("size-zero", "size-text", "zone-unknown", "type-unknown", "image-unknown")),
]
REFUSED = lab({"weight": 8}, *REFUSALS, projects=[{"name": "admin", "user": "admin", "volumes": 6, "gigabytes": 50, "per_volume_gigabytes": 60}])
NO_BACKEND = [
    {},
    {"types": ["nobackend"], "fault": "type-without-backend"},
    {"types": ["lvm-any", "lvmdriver-2"], "sizes": [900000], "fault": "capacity-exceeded"},
]
FAILING = [{}, {"types": ["lvm-any"], "fault": "driver-fails"}]
SOURCES = [{}, *({"types": ["file"], "source": source} for source in ("snapshot", "volume", "image", "image")), {"fault": "device-missing"}]
KILLED = [{}, {"fault": "volume-killed"}, {"fault": "volume-killed", "types": ["file"]}]


class Case(NamedTuple):
    """A folder of real logs, the same logs among the samples (if they are), and how to simulate what they show."""

    folder: str
    sample: str
    scenario: object
    requests: int
    options: dict = {}


CASES = [
    Case("29.0.0/01-single", "created", FIRST, 1),
    Case("29.0.0/02-sequential-20", "sequential", WARM, 20),
    Case("29.0.0/03a-concurrent-50", "", lab({}, {"types": ["lvm-any"]}, new=["lvm-any"]), 50, {"arrivals": "burst"}),
    Case("29.0.0/04-over-quota", "over-quota", REFUSED, 60),
    Case("29.0.0/05-no-valid-host", "no-valid-backend", lab(*NO_BACKEND), 20),
    Case("29.0.0/06a-driver-failure-reschedule", "driver-failure", lab(*FAILING), 20),
    Case("29.0.0/07-sources", "sources", lab(*SOURCES), 30),
    Case("29.0.0/09a-volume-killed", "volume-killed", lab(*KILLED), 9),
    Case("29.0.0/09c-scheduler-down", "", lab({}, {"types": ["file"]}), 6),
    Case("29.0.0-color/05-no-valid-host", "", lab(*NO_BACKEND, new=["nobackend", "lvmdriver-2"]), 20, {"colour": True}),
    Case("29.0.0-file/01-single", "created-oslo", FIRST, 1, {"format": "oslo"}),
    Case("29.0.0-file/06a-driver-failure-reschedule", "", lab(*FAILING, new=["lvm-any"]), 20, {"format": "oslo"}),
    Case("29.0.0-threads/01-single", "created-threads", FIRST, 1),
    Case("22.3.0/01-single", "created-2023-1", FIRST, 1, {"release": "2023.1"}),
    Case("22.3.0/02-sequential-20", "", WARM, 20, {"release": "2023.1"}),
    Case("22.3.0/06b-lvcreate-failure", "", lab(*FAILING), 20, {"release": "2023.1"}),
]


class Left(NamedTuple):
    """Kinds of lines that only one side has: in which folders, which side, a pattern of ``service level logger text``, and why that is meant."""

    folder: str
    side: str
    pattern: str
    why: str


_LAB = "the lab's drivers were its own, which raise on request: their module shows in tracebacks; ours is Cinder's own fake driver"
_FILES = "the lab's file driver made its volumes with truncate and cp; the fake driver runs no commands"
_TEXT = "names and descriptions of several lines: a simulated client sends one line"
_GROUP = "two of the volumes were made in a group: simulated clients make none"
_ONCE = "a volume process starts its privsep daemon when it first needs it; ours have long done so"
_GLANCE = "the lab's image service dropped a connection three times"
_PYTHON = "the lab ran this release on Python 3.11, which warns of a module when it is imported, instead of what follows from then on"
_BODIES = "a size of null, a body that is not there, a token that is refused: simulated clients send none of these"
_CAPS = "a volume process settles on an object version when it first casts back; ours have long done so"
_LVCREATE = "lvcreate itself fails: not simulated, for its traceback is captured of this one release only, on another Python than that release's own"
LEFT = [
    Left(".*/06a", "real", r"devlab/drivers\.py|_directives\(self, volume\)|raise exception.VolumeBackendAPIException\($", _LAB),
    Left(".*/06a", "ours", r"drivers/fake\.py|raise exception.VolumeBackendAPIException\(data", _LAB),
    Left(".*/0[79]", "real", r"(cmd \(subprocess\): |CMD \")(truncate|cp) ", _FILES),
    Left(".*/07", "real", r"^\w+ (second )?line[ ']|create_volume\.\w+;volume:create' \(ID\) .* with result 'RESULT'$", _TEXT),
    Left("29.0.0-file/06a", "real", "Automatically selected cinder-volume objects version", _CAPS),
    Left(".*/04", "real", "of None GB|^api ERROR cinder.api.openstack.wsgi|'NoneType'", _BODIES),
    Left(".*/04", "real", "Empty body|Calling method 'create'|^api ERROR cinder.api.middleware.fault", _BODIES),
    Left(".*/04", "real", "keystonemiddleware.auth_token Authorization failed", _BODIES),
    Left(".*/07", "real", "^api .*(key_manager|keymgr|server mode set|volume_type.py|base.obj_make_list)", _GROUP),
    Left(".*/07", "real", "oslo.privsep.daemon", _ONCE),
    Left(".*/07", "real", "^volume ERROR cinder.image.glance", _GLANCE),
    Left("22.3.0/01", "real", "asyncore", _PYTHON),
    Left("22.3.0/01", "ours", "DeprecationWarning: Policy|warnings.warn", _PYTHON),
    Left("22.3.0/06b", "real", "^volume|scheduler WARNING", _LVCREATE),
    Left("22.3.0/06b", "ours", "^volume", _LVCREATE),
]


def _real(case: Case) -> set[Template]:
    """The templates of the real logs, of the requests that their client sent. Skips if the logs are not here."""
    folder, sample = REAL / case.folder, ROOT / "sample_logs" / case.sample
    if folder.is_dir():
        requests = {r["request_id"] for r in json.loads((folder / "truth.json").read_text())["requests"] if r["kind"] == "create"}
    elif case.sample:
        folder, requests = sample, {r["id"] for r in tomllib.loads((sample / "expected.toml").read_text())["request"]}
    else:
        pytest.skip("these real logs (../shared/logs) are not here")
    return set().union(*(templates(service, (folder / name).read_text().split("\n"), requests) for service, name in FILES.items()))


def _simulated(case: Case) -> set[Template]:
    lines, truths = run(case.scenario, **{"requests": case.requests, **case.options})
    requests = {t["request_id"] for t in truths}
    return set().union(*(templates(service, lines[service], requests) for service in FILES))


def _shown(template: Template) -> str:
    return " ".join(str(part) for part in template if part is not None)


@cache
def _differences(case_number: int) -> dict[str, list[str]]:
    case = CASES[case_number]
    real, ours = _real(case), _simulated(case)
    return {"real": sorted(_shown(t) for t in real - ours), "ours": sorted(_shown(t) for t in ours - real)}


def _expected(left: Left, case: Case, side: str, text: str) -> bool:
    return side == left.side and re.match(left.folder, case.folder) is not None and re.search(left.pattern, text) is not None


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.folder for case in CASES])
@pytest.mark.parametrize("side", ["real", "ours"])
def test_templates__of_one_side_only__are_those_that_are_meant(number, side):
    case = CASES[number]
    rest = [text for text in _differences(number)[side] if not any(_expected(left, case, side, text) for left in LEFT)]
    assert not rest, f"{len(rest)} kinds of lines only on the side '{side}':\n" + "\n".join(text[:250] for text in rest)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real logs (../shared/logs) are not here")
@pytest.mark.parametrize("left", LEFT, ids=lambda left: left.pattern)
def test_templates__difference_that_is_meant__is_one(left):
    texts = [text for number, case in enumerate(CASES) if re.match(left.folder, case.folder) for text in _differences(number)[left.side]]
    assert any(re.search(left.pattern, text) for text in texts), "nothing is left of it: take it off the list"
