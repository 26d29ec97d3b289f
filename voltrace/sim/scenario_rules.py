"""What must fit together in a scenario beyond the value of each key: names that name something, faults that the cloud can have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .cloud import Ask, Backend, Scenario
from .outage import OUTAGES
from .toml_lines import Path

Broken = tuple[Path, str]

# A journal's line is one line, and Cinder joins host, backend and pool with these marks.
_NOT_IN_NAMES = "\n\r\0"
_LEAST_STEP_S = 600
_DIVIDING = ("file-rotated", "file-exported-twice", "file-lost", "file-cut")
# A hole is told where a service is known to write all the time: so long before it, and so long in it, that it is no usual silence.
_LEAST_BEFORE_S, _LEAST_HOLE_S = 1200, 3600
_MARKS = "@#"
# What drivers report anyway: a capability of that name would stand twice in the report.
_REPORTED = frozenset(
    ("pool_name", "total_capacity_gb", "free_capacity_gb", "allocated_capacity_gb", "provisioned_capacity_gb", "reserved_percentage", "location_info")
    + ("QoS_support", "max_over_subscription_ratio", "thin_provisioning_support", "thick_provisioning_support", "total_volumes", "filter_function")
    + ("goodness_function", "multiattach", "backend_state", "cacheable", "volume_backend_name", "storage_protocol", "vendor_name", "driver_version")
    + ("timestamp", "consistencygroup_support", "replication_enabled", "group_replication_enabled")
)


def broken_rule(scenario: Scenario) -> Broken | None:
    """The first rule that the scenario breaks: the path of the key and what the message says behind it; None if all hold."""
    rules = (_needed, _names, _hosts, _rooms, _zones, _types, _weighers, _polls, _requests, _outages)
    return next((broken for rule in rules for broken in rule(scenario)), None)


def _needed(scenario: Scenario) -> Iterator[Broken]:
    for key in ("backends", "types", "projects"):
        if not getattr(scenario, key):
            yield ("cloud", key), " must be one or more [[tables]]"
    if not scenario.requests:
        yield ("requests",), " must be one or more [[tables]]"


def _names(scenario: Scenario) -> Iterator[Broken]:
    backends = {"backends": [(b.name, f"{b.host or scenario.node}@{b.name}") for b in scenario.backends]}
    named = {key: [(item.name, item.name) for item in getattr(scenario, key)] for key in ("hosts", "types", "projects")}
    for key, names in (backends | named).items():
        seen = set()
        for n, (name, full) in enumerate(names):
            yield from _name(name, ("cloud", key, n, "name"), _MARKS if key in ("hosts", "backends") else "")
            if full in seen:
                yield ("cloud", key, n, "name"), f" '{name}' is there already"
            seen.add(full)
    for n, backend in enumerate(scenario.backends):
        yield from _name(backend.pool, ("cloud", "backends", n, "pool"), _MARKS)
        if backend.pool and backend.pools:
            yield ("cloud", "backends", n, "pool"), " names the one pool of a backend without [[cloud.backends.pools]]"
        for k, pool in enumerate(backend.pools):
            yield from _name(pool.name, ("cloud", "backends", n, "pools", k, "name"), _MARKS)
            if not pool.name or pool.name in [p.name for p in backend.pools[:k]]:
                yield ("cloud", "backends", n, "pools", k, "name"), f" '{pool.name}' must be a name of its own"
    if not all(b.name for b in scenario.backends) and len(scenario.backends) > 1:
        yield ("cloud", "backends"), " may lack a name only where there is a single one"


def _name(name: str, path: Path, marks: str) -> Iterator[Broken]:
    if any(c in name for c in _NOT_IN_NAMES + marks):
        yield path, f" must be a single line{f' without {marks[0]} and {marks[1]}' if marks else ''}"


def _hosts(scenario: Scenario) -> Iterator[Broken]:
    for n, host in enumerate(scenario.hosts):
        if host.journal_burst and not scenario.background_s:
            yield ("cloud", "hosts", n, "journal_burst"), " needs cloud.background_s: a journal says what it dropped when its unit writes again"
    known = [h.name for h in scenario.hosts] or [scenario.node]
    said: list[Broken] = [(("cloud", key), getattr(scenario, key)) for key in ("api_host", "scheduler_host")]
    said += [(("cloud", "scheduler_hosts", n), host) for n, host in enumerate(scenario.scheduler_hosts)]
    if scenario.scheduler_hosts and len(scenario.scheduler_hosts) != scenario.schedulers:
        yield ("cloud", "scheduler_hosts"), f" must name {scenario.schedulers}, one for each of cloud.schedulers"
    said += [(("cloud", "backends", n, "host"), b.host) for n, b in enumerate(scenario.backends)]
    for path, name in said:
        if name and name not in (*known, scenario.node):
            yield path, f" '{name}' is none of {_list((*known, scenario.node))}"


def _rooms(scenario: Scenario) -> Iterator[Broken]:
    for n, backend in enumerate(scenario.backends):
        where: Path = ("cloud", "backends", n)
        for k, shape in enumerate(backend.shapes()):
            path: Path = (*where, "pools", k) if backend.pools else where
            total = shape.total_gb
            if backend.driver == "fake" and not isinstance(total, str):
                yield (*path, "total_gb"), " must be 'infinite' with driver fake, which reports nothing else"
            if backend.driver == "fake" and shape.thin:
                yield (*path, "thin"), " goes with driver lvm only"
            if isinstance(total, float) and shape.used_gb is not None and shape.used_gb > total:
                yield (*path, "used_gb"), f" must be at most the {total:g} GB of the pool, not {shape.used_gb:g}"
            for key in shape.capabilities:
                if key in _REPORTED or not key.isprintable():
                    yield (*path, "capabilities", key), f" '{key}' is what the driver reports itself" if key in _REPORTED else " must be a single line"
            if isinstance(total, str) and shape.used_gb:
                yield (*path, "used_gb"), f" goes with a total_gb in numbers, not '{total}'"


def _zones(scenario: Scenario) -> Iterator[Broken]:
    if scenario.zone not in scenario.zones():
        yield ("cloud", "zone"), f" '{scenario.zone}' has no backend; there are zones {_list(scenario.zones())}"


def _types(scenario: Scenario) -> Iterator[Broken]:
    if scenario.type(scenario.default_type) is None:
        yield ("cloud", "default_type"), f" '{scenario.default_type}' is none of {_list(t.name for t in scenario.types)}"
    for n, kind in enumerate(scenario.types):
        for key, value in kind.specs.items():
            if "\n" in key + value:
                yield ("cloud", "types", n, "specs", key), " must be a single line"


def _weighers(scenario: Scenario) -> Iterator[Broken]:
    for key in ("filters", "weighers"):
        chosen = getattr(scenario, key)
        if not chosen or len(set(chosen)) < len(chosen):
            yield ("cloud", key), " must name at least one, and none twice"
    # CapacityWeigher then raises: it looks for the largest of no finite weights.
    endless = any(isinstance(s.total_gb, str) for b in scenario.backends for s in b.shapes())
    if endless and "CapacityWeigher" in scenario.weighers and scenario.capacity_weight_multiplier <= 0:
        yield ("cloud", "capacity_weight_multiplier"), " must be more than 0 where a backend's room is infinite or unknown"


def _polls(scenario: Scenario) -> Iterator[Broken]:
    if 0 < scenario.poll_s < 0.1:
        yield ("cloud", "poll_s"), " must be 0, or from 0.1 to 3600"


def _requests(scenario: Scenario) -> Iterator[Broken]:
    if sum(ask.weight for ask in scenario.requests) <= 0:
        yield ("requests",), ": the weights must be more than 0 in sum"
    types, projects = {t.name for t in scenario.types}, {p.name for p in scenario.projects}
    for n, ask in enumerate(scenario.requests):
        where: Path = ("requests", n)
        for key in ("sizes", "types"):
            if not getattr(ask, key):
                yield (*where, key), " must not be empty"
        if any("\n" in name for name in ask.names):
            yield (*where, "names"), " must be of one line each"
        for name in ask.types:
            if name and name not in types:
                yield (*where, "types"), f" '{name}' is none of {_list(types)}"
        for name in ask.projects:
            if name not in projects:
                yield (*where, "projects"), f" '{name}' is none of {_list(projects)}"
        yield from _faults(scenario, ask, where)


def _faults(scenario: Scenario, ask: Ask, where: Path) -> Iterator[Broken]:
    fault = ask.trouble
    if fault and fault.deviations and not scenario.background_s:
        yield (*where, "fault"), f" {ask.fault} needs cloud.background_s: only logs that go on prove that nothing more came"
    if fault and fault.unanswered:
        if not scenario.background_s:
            yield (*where, "fault"), f" {ask.fault} needs cloud.background_s: where no access line tells the answer, only logs that go on prove that none does"
        if scenario.api_threads > 1:
            yield (*where, "fault"), f" {ask.fault} needs cloud.api_threads = 1: else nobody can tell whose the access line is"
    if ask.fault.startswith("api-worker-killed") and scenario.api_threads > 1:
        yield (*where, "fault"), f" {ask.fault} needs cloud.api_threads = 1: a worker that is killed would take other requests along"
    made_from = ask.source or (fault.source if fault else "")
    if made_from in ("volume", "snapshot") and not ask.fault and any(b.driver == "lvm" for b in _reached(scenario, ask)):
        yield (*where, "source"), f" '{made_from}' is simulated for backends of driver fake only"
    if ask.fault == "device-missing" and any(b.driver != "lvm" for b in _reached(scenario, ask)):
        yield (*where, "fault"), f" {ask.fault} is simulated for backends of driver lvm only"
    for need in fault.needs if fault else ():
        if (need == "volume_type" and ask.types == ("",)) or (need == "size" and ask.sizes == (1,)):
            yield (*where, "fault"), f" {ask.fault} needs requests.{'types' if need == 'volume_type' else 'sizes'}"


def _reached(scenario: Scenario, ask: Ask) -> list[Backend]:
    """The backends that volumes of this kind may come to lie on."""
    kinds = [scenario.type(name or scenario.default_type) for name in ask.types]
    return [b for b in scenario.backends if any(kind is None or kind.backend in (None, b.name) for kind in kinds)]


def _outages(scenario: Scenario) -> Iterator[Broken]:
    for n, fault in enumerate(scenario.faults):
        for key in OUTAGES[fault.kind].keys if fault.kind else ("kind",):
            if not getattr(fault, key):
                yield ("faults", n), f": {fault.kind or 'a fault'} needs the key '{key}'"
        if fault.kind in _DIVIDING and fault.service in [f.service for f in scenario.faults[:n] if f.kind in _DIVIDING]:
            yield ("faults", n, "service"), f" '{fault.service}': something happens to its file already"
        if fault.kind == "file-cut" and fault.at_s and any(ask.trouble and ask.trouble.deviations for ask in scenario.requests):
            yield ("faults", n, "at_s"), " goes only with requests that lead to no deviation: what a cut file lacks proves nothing"
        if fault.kind == "file-lost":
            for key, least in (("at_s", _LEAST_BEFORE_S), ("for_s", _LEAST_HOLE_S)):
                if getattr(fault, key) < least:
                    yield ("faults", n, key), f" must be {least} or more, not {getattr(fault, key):g}: what is lost of less is not told from a usual silence"
            if any(ask.trouble and ask.trouble.deviations for ask in scenario.requests):
                yield ("faults", n), " goes only with requests that lead to no deviation: what a lost file lacks proves nothing"
        if fault.kind == "clock-stepped" and fault.by_s < _LEAST_STEP_S:
            yield ("faults", n, "by_s"), f" must be {_LEAST_STEP_S} or more, not {fault.by_s:g}: a process that is silent for longer does not show the step"


def _list(names: Iterable[str]) -> str:
    return ", ".join(repr(n)[1:-1] for n in sorted(set(names)))
