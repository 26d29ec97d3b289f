"""Several schedulers: they share one queue, each believes its own, and all is by the book."""

import re
from dataclasses import replace

import pytest

from voltrace.errors import UsageError
from voltrace.sim.scenario_file import load_scenario, read_scenario

from .clouds import LVM, cloud, run, simulated
from .test_faults import assert_found_as_announced


def schedulers_of(lines):
    """The pids that take requests up, in the order of their lines."""
    return [re.search(r"\[(\d+)\]: ", line)[1] for line in lines["scheduler"] if "ExtractSchedulerSpecTask" in line and "state 'RUNNING' from" in line]


def test_schedulers__one_queue__take_turns():
    lines, truths = run(cloud(*[{}] * 2, schedulers=3), requests=12)
    pids = schedulers_of(lines)
    assert {t["outcome"] for t in truths} == {"created"} and len(set(pids)) == 3
    assert all(pids.count(pid) == 4 for pid in set(pids))


def test_schedulers__between_reports__each_counts_only_what_it_has_placed():
    lines, _ = run(cloud(backends=LVM[:1], schedulers=2), requests=4)
    filtered = [line for line in lines["scheduler"] if "Filtered [" in line]
    allocated = [int(re.search(r"allocated_capacity_gb: (\d+)", line)[1]) for line in filtered]
    assert allocated == [0, 0, 1, 1]


def test_schedulers__after_a_report__both_believe_it():
    lines, _ = run(cloud(backends=LVM[:1], schedulers=2, background_s=20), requests=6, arrivals="every:60")
    allocated = [int(re.search(r"allocated_capacity_gb: (\d+)", line)[1]) for line in lines["scheduler"] if "Filtered [" in line]
    assert allocated == [0, 1, 2, 3, 4, 5]
    heard = [re.search(r"\[(\d+)\]: ", line)[1] for line in lines["scheduler"] if "Received volume service update" in line]
    assert len(set(heard)) == 2 and heard.count(heard[0]) * 2 == len(heard)


@pytest.mark.parametrize(
    ("scenario", "release", "form", "arrivals"),
    [
        ("mixed", "2026.2", "short-precise", "poisson:4"),
        ("mixed", "queens", "oslo", "burst"),
        ("outages", "2023.1", "short-precise", "poisson:2"),
        ("multi-backend", "train", "short-precise", "closed:6"),
        ("busy", "2026.2", "short-precise", "poisson:5"),
    ],
)
def test_schedulers__every_scenario__is_by_the_book(tmp_path, scenario, release, form, arrivals):
    several = replace(load_scenario(scenario), schedulers=3)
    assert_found_as_announced(simulated(tmp_path / "s", several, release, 100, format=form, seed=3, arrivals=arrivals), form)


def test_schedulers__with_hosts__sign_with_them():
    scenario = cloud(schedulers=2, scheduler_hosts=["one", "two"], hosts=[{"name": "one"}, {"name": "two", "clock_offset_s": 2.0}, {"name": "controller"}])
    lines, truths = run(scenario, requests=4)
    assert {line.split()[3] for line in lines["scheduler"]} == {"one", "two"}
    assert {t["outcome"] for t in truths} == {"created"}


def test_schedulers__start_up__each_starts():
    lines, _ = run(cloud(schedulers=2, start_up=True, background_s=60), requests=2)
    assert sum("Starting cinder-scheduler node" in line for line in lines["scheduler"]) == 2


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"schedulers": 0}, "cloud.schedulers must be a whole number from 1 to 64, not 0"),
        ({"schedulers": 2, "scheduler_hosts": ["controller"]}, "cloud.scheduler_hosts must name 2, one for each of cloud.schedulers"),
        ({"schedulers": 2, "scheduler_hosts": ["controller", "elsewhere"]}, "cloud.scheduler_hosts[1] 'elsewhere' is none of controller"),
    ],
)
def test_schedulers__mistakes__are_told(keys, says):
    table = {"default_type": "a", "backends": LVM, "types": [{"name": "a"}], "projects": [{"name": "p", "user": "p"}], **keys}
    with pytest.raises(UsageError) as told:
        read_scenario({"cloud": table, "requests": [{"weight": 1}]}, "s")
    assert says in str(told.value)
