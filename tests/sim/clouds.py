"""Small clouds for the tests of the simulator, and how to run them."""

import json
from dataclasses import replace
from io import BytesIO

from voltrace.sim.run import make_plan, simulate, simulate_into
from voltrace.sim.scenario_file import read_scenario

FAKE = {"name": "fake", "driver": "fake", "total_gb": -1}
LVM = [{"name": "lvmdriver-1", "total_gb": 2048}, {"name": "lvmdriver-2", "total_gb": 1024}]


def cloud(*asks, backends=(FAKE,), **more):
    """A scenario: a warm cloud without background, of one default type that any backend serves unless ``types`` says otherwise."""
    types = more.pop("types", [{"name": "plain"}])
    projects = more.pop("projects", [{"name": "admin", "user": "admin"}])
    settings = {"background_s": 0, "warm": True, "lines_of_libraries": False, "default_type": types[0]["name"], **more}
    return read_scenario(
        {"cloud": {**settings, "backends": list(backends), "types": types, "projects": projects}, "requests": [{"weight": 1, **ask} for ask in asks or ({},)]},
        "test",
    )


def run(scenario, release="2026.2", requests=1, **options):
    """The lines of each service and merged, and the truths, of a run of a scenario (a name or a value)."""
    plan = make_plan(scenario if isinstance(scenario, str) else "devstack", release, requests=requests, **options)
    if not isinstance(scenario, str):
        plan = replace(plan, scenario=scenario)
    merged, truth, files = BytesIO(), BytesIO(), {service: BytesIO() for service in ("api", "scheduler", "volume")}
    simulate(plan, merged, truth, files)
    lines = {service: file.getvalue().decode().splitlines() for service, file in (*files.items(), ("merged", merged))}
    return lines, [json.loads(line) for line in truth.getvalue().splitlines()]


def simulated(folder, scenario, release="2026.2", requests=20, **options):
    """The folder, with what a run of a scenario (a name or a value) writes into it."""
    named = isinstance(scenario, str)
    plan = make_plan(scenario if named else "devstack", release, requests=requests, **options)
    simulate_into(plan if named else replace(plan, scenario=scenario), folder)
    return folder
