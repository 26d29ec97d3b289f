"""Scenario files: the reference page is true, mistakes are told with their line, and the built-in clouds come back from their logs."""

import json
import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from voltrace.check.judge import judge_all
from voltrace.cli.main import main
from voltrace.encode import encode_timeline
from voltrace.errors import UsageError
from voltrace.parse.engine import read
from voltrace.sim.cloud import Ask, Backend, Host, PoolShape, Project, RunFault, Scenario, VolumeType
from voltrace.sim.scenario_file import load_scenario, read_scenario, scenarios
from voltrace.sim.toml_lines import key_lines, line_of

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
EXAMPLE = PAGE.split("```toml\n")[1].split("```")[0]
BESIDE = {"text", "think_s", "requests", "faults"}
CLOUDS = ["multi-backend", "thin-pool", "two-zones", "small-quota", "full-backends"]


def _tables(heading):
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = section.split("\n|---|---|---|---|\n")[1].split("\n\n")[0]
    return {row[0].strip("`"): row[2] for row in (re.split(r" \| ", line.strip("| ")) for line in table.splitlines())}


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("Beside the cloud", Scenario),
        ("`[cloud]`", Scenario),
        ("`[[cloud.hosts]]`", Host),
        ("`[[cloud.backends]]`", Backend),
        ("`[[cloud.backends.pools]]`", PoolShape),
        ("`[[cloud.types]]`", VolumeType),
        ("`[[cloud.projects]]`", Project),
        ("`[[requests]]`", Ask),
        ("`[[faults]]`", RunFault),
    ],
)
def test_page__every_key__is_there_with_its_default(heading, kind):
    told = _tables(heading)
    known = {f.name: f for f in fields(kind)}
    if kind is Scenario:
        wanted = BESIDE if heading == "Beside the cloud" else {*known} - BESIDE - {"name", "usual_requests"}
        known = {name: known[name] for name in wanted}
    assert set(told) == set(known)
    for name, default in told.items():
        if default.startswith("`") and "…" not in default:
            said = tomllib.loads(f"x = {default.strip('`')}")["x"]
            real = known[name].default if known[name].default is not MISSING else known[name].default_factory()
            assert (tuple(said) if isinstance(said, list) else said) == real, name
        elif default == "needed":
            assert known[name].default in (MISSING, (), ""), name


def test_page__scenarios__are_those_that_are_built_in_with_their_texts():
    told = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", PAGE.split("\n## ")[0], re.M))
    assert told == {name: text for name, text in scenarios().items() if not name[0].isdigit()}


def test_page__example__runs_and_conforms(tmp_path, capsys):
    (tmp_path / "region.toml").write_text(EXAMPLE)
    assert main(["simulate", "-o", str(tmp_path / "s"), "--scenario", str(tmp_path / "region.toml"), "--requests", "60"]) == 0
    _assert_comes_back(tmp_path / "s")
    scenario = load_scenario(str(tmp_path / "region.toml"))
    assert scenario.name == "region" and scenario.zones() == ("az-1", "az-2")
    assert scenario.host("storage-2").clock_offset_s == 0.8 and scenario.host() == Host("controller")
    ssd, disk = scenario.backends[1].shapes()
    assert ssd.capabilities == {"compression": True, "tier": "gold"} and disk.capabilities["tier"] == "bronze"
    assert (ssd.thin, ssd.written, disk.thin, disk.max_over_subscription_ratio) == (True, 0.3, False, 20.0)


def _assert_comes_back(folder):
    """What the truth says is what the logs show, and the checker objects to nothing."""
    truth = {t["request_id"]: t for t in map(json.loads, (folder / "truth.jsonl").read_text().splitlines())}
    reading = read([str(folder / name) for name in ("c-api.log", "c-sch.log", "c-vol.log")])
    verdicts = judge_all(reading)
    traced = {t.request_id: encode_timeline(t, verdicts[t.request_id]) for t in reading.creates()}
    assert set(traced) == set(truth)
    for request_id, told in truth.items():
        assert verdicts[request_id].verdict == "conforms", verdicts[request_id].deviations
        shown = traced[request_id]
        for field in ("outcome", "cause", "gave_up", "final_status", "backend", "attempts", "volume_type", "availability_zone", "failures"):
            blind = [{k: v for k, v in f.items() if k != "where"} for f in shown["failures"]]
            assert (blind if field == "failures" else shown[field]) == told[field], (request_id, field)
        for fault in told["faults"]:
            assert (fault["expect"]["outcome"], fault["expect"]["cause"]) == (told["outcome"], told["cause"])
    assert not any(d.slug == "unrecognised-line" for d in reading.diagnostics)
    return truth


@pytest.mark.parametrize("release", ["queens", "train", "2023.1", "2026.2"])
@pytest.mark.parametrize("name", CLOUDS)
def test_built_in__clouds__come_back_and_conform(tmp_path, name, release):
    assert main(["simulate", "-o", str(tmp_path / "s"), "--scenario", name, "--release", release, "--requests", "60", "--seed", "3"]) == 0
    truth = _assert_comes_back(tmp_path / "s")
    outcomes = {(t["outcome"], t["cause"]) for t in truth.values()}
    assert {
        "multi-backend": {("created", None), ("failed", "no-valid-backend")},
        "thin-pool": {("created", None), ("failed", "no-valid-backend")},
        "two-zones": {("created", None), ("failed", "no-valid-backend"), ("refused", "invalid-input")},
        "small-quota": {("created", None), ("refused", "over-quota")},
        "full-backends": {("created", None), ("failed", "no-valid-backend")},
    }[name] <= outcomes


GOOD = """[cloud]
default_type = "x"
[[cloud.backends]]
name = "a"
[[cloud.types]]
name = "x"
[[cloud.projects]]
name = "p"
user = "u"
[[requests]]
weight = 1
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "a"', 'name = "a"\nslots = 0', ":5: cloud.backends[0].slots must be a whole number of 1 or more, not 0"),
        ('name = "a"', 'name = "a"\ntotal_gb = "big"', ":5: cloud.backends[0].total_gb must be 'infinite', 'unknown' or a number of -1 or more, not 'big'"),
        ('name = "a"', 'name = "a"\nreserved_percentage = 100', ":5: cloud.backends[0].reserved_percentage must be a whole number from 0 to 99, not 100"),
        ('name = "a"', 'name = "a"\ntotalgb = 1', ":5: cloud.backends[0] has no key 'totalgb'; did you mean total_gb?"),
        ('name = "a"', 'name = "a"\nthin = "yes"', ":5: cloud.backends[0].thin must be true or false, not 'yes'"),
        ('name = "a"', 'name = "a"\ndriver = "nfs"', ":5: cloud.backends[0].driver must be one of lvm, fake, not 'nfs'"),
        ('name = "a"', 'name = "a"\ndriver = "fake"\ntotal_gb = 5', ":6: cloud.backends[0].total_gb must be 'infinite' with driver fake"),
        ('name = "a"', 'name = "a"\nused_gb = 2000', ":5: cloud.backends[0].used_gb must be at most the 1024 GB of the pool, not 2000"),
        ('name = "a"', 'name = "a"\ncapabilities = { multiattach = 1 }', ":5: cloud.backends[0].capabilities.multiattach 'multiattach' is what the driver"),
        ('name = "a"', 'name = "a"\ncapabilities = { x = inf }', ":5: cloud.backends[0].capabilities must be a table of texts, numbers, true and false"),
        ('name = "a"', 'name = "a"\nhost = "b"', ":5: cloud.backends[0].host 'b' is none of controller"),
        ('name = "a"', 'name = "a"\n[[cloud.backends.pools]]\ntotal_gb = 3', ":5: cloud.backends[0].pools[0] needs the key 'name'"),
        ('name = "a"', 'name = "a"\n[[cloud.backends]]\nname = "a"', ":6: cloud.backends[1].name 'a' is there already"),
        ('name = "a"', 'name = "a"\nzone = "z"', ":1: cloud.zone 'nova' has no backend; there are zones z"),
        ("[cloud]", "[cloud]\nfilters = ['CapacityFilter', 'Capacity']", ":2: cloud.filters must be a list of texts, each one of AvailabilityZoneFilter, "),
        ("[cloud]", "[cloud]\ncapacity_weight_multiplier = -1\nhosts = 3", ":3: cloud.hosts must be one or more [[tables]], not 3"),
        ("weight = 1", "weight = -1", ":11: requests[0].weight must be a number of 0 or more, not -1"),
        ("weight = 1", "weight = 1\nsizes = [1, 2.5]", ":12: requests[0].sizes must be a list of whole numbers, not [1, 2.5]"),
        ("weight = 1", "weight = 1\ntypes = ['y']", ":12: requests[0].types 'y' is none of x"),
        ("weight = 1", "weight = 1\nfault = 'quota-exceeded'", ":12: requests[0].fault quota-exceeded needs requests.sizes"),
        ('name = "x"', 'name = "x"\nspecs = { a = 1 }', ":7: cloud.types[0].specs must be a table of texts, not a table"),
        ('user = "u"', "user = 7", ":9: cloud.projects[0].user must be text, not 7"),
        ("[cloud]", "requests = 3\n[clouds]\n[cloud]", "must be one or more [[tables]], not 3"),
        ("[cloud]", "think = 3\n[cloud]", ":1: a scenario has no key 'think'; did you mean think_s?"),
    ],
)
def test_mistake__in_a_file__told_with_line_key_and_what_would_be_right(tmp_path, old, new, says):
    text = GOOD.replace(old, new, 1)
    if "requests = 3" in new:
        text = text.split("[[requests]]")[0]
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        load_scenario(str(path))
    assert says in str(error.value) and str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_mistake__without_a_file__told_with_the_scenario_s_name():
    with pytest.raises(UsageError, match=r"scenario s: cloud\.backends must be one or more \[\[tables\]\]"):
        read_scenario({"cloud": {}}, "s")


def test_name__nearly_right__the_nearest_is_suggested():
    with pytest.raises(UsageError, match="did you mean thin-pool?"):
        load_scenario("thinpool")


def test_lines__strings_comments_and_nested_tables__found_at_their_line():
    text = (
        'text = """a\n[x]\nname = 3\n"""   # [[no]]\n[cloud]\nlist = [\n  1, # ]\n  2 ]\n[[cloud.backends]]\r\n"na me".x = 1\n'
        "  [[cloud.backends.pools]]\n  name = '[y]'\n  [[cloud.backends.pools]]\n[[cloud.backends]]\n[cloud.backends.capabilities]\nz = {a = 1, b = [\n2]}\nend = 1\n"
    )
    lines = key_lines(text)
    assert lines["text",] == 1 and ("x",) not in lines and ("no",) not in lines
    assert lines["cloud", "list"] == 6 and lines["cloud", "backends"] == 9
    assert lines["cloud", "backends", 0, "na me", "x"] == 10
    assert lines["cloud", "backends", 0, "pools", 0, "name"] == 12 and lines["cloud", "backends", 0, "pools", 1] == 13
    assert lines["cloud", "backends", 1] == 14 and lines["cloud", "backends", 1, "capabilities", "z"] == 16
    assert lines["cloud", "backends", 1, "capabilities", "end"] == 18
    assert line_of(lines, ("cloud", "backends", 1, "capabilities", "z", "a")) == 16 and line_of(lines, ("nowhere",)) is None
    for name in ("devstack", "mixed", "catalogue"):
        path = Path(__file__).parents[2] / "voltrace" / "sim" / "scenarios" / f"{name}.toml"
        found = key_lines(path.read_text())
        assert all(path.read_text().splitlines()[line - 1].strip() for line in found.values())
