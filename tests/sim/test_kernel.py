"""The simulator's compiled kernels: they write what the pure modules write, byte for byte, and do without numpy."""

import os
import random
import subprocess
import sys
from array import array
from dataclasses import replace

import pytest

from voltrace.formats import FORMATS, PACKINGS
from voltrace.kernel import PURE, load
from voltrace.sim.cloud import Host, RunFault
from voltrace.sim.draws import draw
from voltrace.sim.ids import write_ids
from voltrace.sim.scenario_file import load_scenario
from voltrace.sim.script import TABLE_SIZE

from .clouds import cloud, simulated

KERNELS = ("sim._draws", "sim._fill", "sim._form")
pytestmark = pytest.mark.skipif(not all(map(load, KERNELS)), reason="the kernels were not built, or are switched off")

BACKENDS = [{"name": "lvm-1", "host": "storage-1", "total_gb": 100}, {"name": "lvm-2", "host": "storage-2", "total_gb": 100}]
NAMES = ["a'b\"c", "%s %(x)s {y} %", "Zürich ☃ 𝄞", "back\\slash", "\x7f"]


def _named():
    return cloud(
        {"names": NAMES}, {"names": NAMES, "fault": "driver-fails"}, backends=[{"name": "lvm", "total_gb": 100}], lines_of_libraries=True, background_s=60
    )


def _clocks():
    hosts = [
        {"name": "front", "clock_offset_s": -7200.0},
        {"name": "controller"},
        {"name": "storage-2"},
        {"name": "storage-1", "clock_offset_s": 0.3, "clock_drift_ppm": 500.0},
    ]
    return cloud({"weight": 6}, {"fault": "driver-fails-once"}, backends=BACKENDS, hosts=hosts, api_host="front", background_s=60)


def _limited():
    return replace(load_scenario("mixed"), hosts=(Host("controller", journal_burst=40, journal_interval_s=10.0),))


def _both(tmp_path, monkeypatch, scenario, **options):
    """Runs a scenario with the kernel and without, and compares all files."""
    made = {}
    for way in ("compiled", "pure"):
        monkeypatch.setenv(PURE, "1") if way == "pure" else monkeypatch.delenv(PURE, raising=False)
        folder = simulated(tmp_path / way, scenario, **options)
        made[way] = {path.name: (path.read_bytes(), path.stat().st_mtime_ns if path.stat().st_size else 0) for path in sorted(folder.iterdir())}
    assert made["compiled"].keys() == made["pure"].keys()
    for name, (data, at) in made["compiled"].items():
        assert data == made["pure"][name][0], name
        # Files of stamps with years are dated by the machine's clock.
        assert at == made["pure"][name][1] or FORMATS.get(options.get("format", "short-precise"), FORMATS["short-unix"]).has_year, name
    return {name: data for name, (data, _) in made["compiled"].items()}


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("name", [*FORMATS, *PACKINGS])
def test_kernel__every_format__the_pure_bytes(tmp_path, monkeypatch, name, colour):
    files = _both(tmp_path, monkeypatch, "mixed", requests=40, seed=3, arrivals="poisson:5", format=name, colour=colour)
    assert files["merged.log"].count(b"\n") > 2000


@pytest.mark.parametrize("release", ["queens", "yoga", "2026.2"])
@pytest.mark.parametrize("scenario", ["faulty", "mishaps", "outages", "multi-backend", "busy", "gate"])
def test_kernel__scenarios_and_releases__the_pure_bytes(tmp_path, monkeypatch, scenario, release):
    _both(tmp_path, monkeypatch, scenario, release=release, requests=40, seed=4, arrivals="poisson:2")


def test_kernel__rotated_files__the_pure_bytes(tmp_path, monkeypatch):
    files = _both(tmp_path, monkeypatch, "mishaps", requests=60, seed=5)
    older = [name for name in files if name.endswith(".1")]
    assert older and all(files[name] and files[name.removesuffix(".1")] for name in older)


def test_kernel__several_schedulers_and_overlapping_exports__the_pure_bytes(tmp_path, monkeypatch):
    overlap = RunFault(kind="file-exported-twice", service="volume", at_s=10, for_s=6)
    scenario = replace(load_scenario("multi-backend"), schedulers=3, faults=(overlap, RunFault(kind="file-cut", service="api", at_s=12)))
    files = _both(tmp_path, monkeypatch, scenario, requests=40, seed=8, arrivals="poisson:2")
    older, own = files["c-vol.log.1"].splitlines(), files["c-vol.log"].splitlines()
    both = next(n for n in range(len(older), 0, -1) if older[-n:] == own[:n])
    assert 0 < both < min(len(older), len(own))


@pytest.mark.parametrize(("make", "format"), [(_named, "short-precise"), (_named, "oslo"), (_clocks, "short-precise"), (_limited, "with-unit")])
@pytest.mark.parametrize("debug", [True, False])
def test_kernel__names_clocks_and_journals__the_pure_bytes(tmp_path, monkeypatch, make, format, debug):
    _both(tmp_path, monkeypatch, make(), requests=40, seed=6, arrivals="poisson:5", format=format, debug=debug)


def test_kernel__many_requests__blocks_are_given_in_their_order(tmp_path, monkeypatch):
    files = _both(tmp_path, monkeypatch, "devstack", requests=400, seed=7, arrivals="poisson:20")
    assert len(files["merged.log"]) == sum(len(files[name]) for name in ("c-api.log", "c-sch.log", "c-vol.log")) > 10_000_000


def test_draw__any_tables__as_numpy_draws():
    numbers = random.Random(1)
    pauses = [array("q", [numbers.randrange(1, 10**9) for _ in range(TABLE_SIZE)]) for _ in range(7)]
    chances = numbers.randbytes(2 * 7 * 50)
    assert load("sim._draws").draw(pauses, chances, 50) == draw(pauses, chances, 50)


def test_write_ids__any_numbers__as_in_pure_python():
    numbers = random.Random(2).randbytes(16 * 500)
    assert load("sim._draws").write_ids(numbers) == write_ids(numbers)


def test_start_up__with_the_kernel__numpy_is_not_needed(tmp_path):
    code = f"import sys\nfrom voltrace.cli.main import main\nmain(['simulate', '-o', {str(tmp_path / 'out')!r}])\nprint(*sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != PURE}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert not {"numpy", "pandas"} & set(done.stdout.split())
