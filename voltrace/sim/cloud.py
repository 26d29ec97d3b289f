"""A cloud as a value: hosts, backends with pools, volume types, projects, and what clients ask for. `scenario_file` reads it from TOML.

Each field is a key of the file; its limits stand beside it. docs/scenarios.md explains them all, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .fault import SOURCES, Fault
from .faults import FAULTS
from .outage import OUTAGES, SERVICE_CHOICES

# Room that a driver cannot tell, in its own words. Cinder lets both pass its CapacityFilter and weighs them lowest.
INFINITE, UNKNOWN = "infinite", "unknown"
FILTERS = ("AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter")
MORE_FILTERS = ("IgnoreAttemptedHostsFilter",)
WEIGHERS = ("CapacityWeigher", "AllocatedCapacityWeigher")
DRIVERS = ("lvm", "fake")

Room = float | str


def _key(default: Any, least: float | None = None, most: float | None = None, choices: tuple[str, ...] = ()) -> Any:
    """A key with its default and what its value may be; ``choices`` also limit the items of a list."""
    return field(default=default, metadata={"least": least, "most": most, "choices": choices})


@dataclass(frozen=True, slots=True)
class Host:
    """A machine: its clock (seconds ahead at the start, and parts per million that it runs fast), and its journal's rate limit.

    Services on it share ``cpus`` processors (0: as many as the cloud's ``cpus``).
    The journal keeps ``journal_burst`` lines of a unit in any ``journal_interval_s``; 0 keeps them all.
    """

    name: str
    clock_offset_s: float = _key(0.0, -86_400, 86_400)
    clock_drift_ppm: float = _key(0.0, -100_000, 100_000)
    cpus: int = _key(0, 0)
    journal_burst: int = _key(0, 0)
    # After its load a run goes on for longer than this, so that every journal comes to say what it dropped.
    journal_interval_s: float = _key(30.0, 0.001, 300)


@dataclass(frozen=True, slots=True)
class PoolShape:
    """A pool of a backend as the scenario describes it. What is None is as its backend has it.

    ``total_gb`` may be infinite or unknown (-1 is infinite). ``used_gb`` is taken from the start, by others than Cinder.
    ``written`` is the share of a thin pool's provisioned room that is really filled.
    """

    name: str
    total_gb: Room | None = _key(None, -1)
    used_gb: float | None = _key(None, 0)
    thin: bool | None = None
    max_over_subscription_ratio: float | None = _key(None, 0)
    # With all of it reserved Cinder's CapacityFilter divides by zero.
    reserved_percentage: int | None = _key(None, 0, 99)
    written: float | None = _key(None, 0, 1)
    capabilities: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend: a volume service of its own, with one pool or with ``pools``. ``slots`` volumes are worked at at a time.

    Without a name it is the only one of its service, which then has the host's name alone (Cinder without ``enabled_backends``).
    Without ``total_gb`` driver lvm has 1024 GB and driver fake reports infinite room. ``report_s`` None is the cloud's ``background_s``.
    """

    name: str
    pool: str = ""
    driver: str = _key("lvm", choices=DRIVERS)
    host: str = ""
    zone: str = ""
    total_gb: Room | None = _key(None, -1)
    used_gb: float = _key(0.0, 0)
    thin: bool = False
    max_over_subscription_ratio: float = _key(20.0, 0)
    reserved_percentage: int = _key(0, 0, 99)
    written: float = _key(0.0, 0, 1)
    capabilities: dict[str, Any] = field(default_factory=dict)
    slots: int = _key(1, 1)
    report_s: float | None = _key(None, 1)
    pools: tuple[PoolShape, ...] = ()

    def shapes(self) -> tuple[PoolShape, ...]:
        """The pools, with nothing left open: the backend's own if it names none."""
        return tuple(self._whole(shape) for shape in self.pools or (PoolShape(self.pool or self.name),))

    def _whole(self, shape: PoolShape) -> PoolShape:
        total: Room | None = self.total_gb if shape.total_gb is None else shape.total_gb
        if total is None:
            total = 1024.0 if self.driver == "lvm" else INFINITE
        elif not isinstance(total, str) and total < 0:
            total = INFINITE
        inherited = {
            name: getattr(self if getattr(shape, name) is None else shape, name)
            for name in ("used_gb", "thin", "max_over_subscription_ratio", "reserved_percentage", "written")
        }
        return PoolShape(shape.name, total, capabilities=self.capabilities | shape.capabilities, **inherited)


@dataclass(frozen=True, slots=True)
class VolumeType:
    """A volume type. ``specs`` are its extra specs, which the scheduler compares with what pools report.

    ``new``: no API worker has met it before, not even warm ones.
    """

    name: str
    specs: dict[str, str] = field(default_factory=dict)
    new: bool = False

    @property
    def backend(self) -> str | None:
        return self.specs.get("volume_backend_name")

    @property
    def thick(self) -> bool:
        """Whether volumes of it are thick wherever they are made."""
        return self.specs.get("provisioning:type") == "thick"


@dataclass(frozen=True, slots=True)
class Project:
    """A project with its user and quotas; -1 is no limit."""

    name: str
    user: str
    volumes: int = _key(-1, -1)
    gigabytes: int = _key(-1, -1)
    per_volume_gigabytes: int = _key(-1, -1)


@dataclass(frozen=True, slots=True)
class Ask:
    """A kind of request: of 100 requests, ``weight`` are of this kind. Sizes, types, projects and names are taken in turn at random."""

    weight: float = _key(1.0, 0)
    sizes: tuple[int, ...] = (1,)
    types: tuple[str, ...] = ("",)
    projects: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    zone: str = ""
    global_id: float = _key(0.0, 0, 1)
    fault: str = _key("", choices=("", *FAULTS))
    source: str = _key("", choices=("", *SOURCES))

    @property
    def trouble(self) -> Fault | None:
        return FAULTS.get(self.fault)


@dataclass(frozen=True, slots=True)
class RunFault:
    """A fault of the whole run, ``at_s`` after its start, for ``for_s``. ``by_s`` is how far a clock is set back, ``service`` whose file is meant."""

    kind: str = _key("", choices=tuple(OUTAGES))
    at_s: float = _key(0.0, 0)
    for_s: float = _key(0.0, 0, 86_400)
    by_s: float = _key(0.0, 0, 86_400)
    service: str = _key("", choices=SERVICE_CHOICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A cloud and its load. ``background_s`` is the period of the services' own lines, 0 for none; ``lines_of_libraries`` whether libraries' lines
    show, ``access_lines`` whether the web server's do.

    ``warm`` services have served requests before: nothing is met for the first time. With ``fresh_reports`` the backends have reported since.
    ``size_first``: clients name the size before the rest. ``start_up``: the log begins with the services' start.
    ``poll_s``: how long clients wait before they ask (again) what became of their volume; 0: they do not ask.
    ``usual_requests`` is how many requests are sent unless somebody says.
    All ``schedulers`` take from one queue; ``scheduler_hosts`` names a host for each, else all are on ``scheduler_host``.
    A worker process of the API serves ``api_threads`` requests at a time; ``cpus`` are the processors that services of a host share,
    ``database_connections`` what all services share (0: as many as are wanted). A closed client thinks for ``think_s`` on average before its next request.
    """

    name: str = ""
    text: str = ""
    node: str = "controller"
    hosts: tuple[Host, ...] = ()
    api_host: str = ""
    scheduler_host: str = ""
    schedulers: int = _key(1, 1, 64)
    scheduler_hosts: tuple[str, ...] = ()
    endpoint: str = "http://127.0.0.1/volume"
    zone: str = "nova"
    api_workers: int = _key(2, 1)
    api_threads: int = _key(1, 1)
    cpus: int = _key(0, 0)
    database_connections: int = _key(0, 0)
    max_attempts: int = _key(3, 1)
    default_type: str = ""
    filters: tuple[str, ...] = _key(FILTERS, choices=(*FILTERS, *MORE_FILTERS))
    weighers: tuple[str, ...] = _key(WEIGHERS[:1], choices=WEIGHERS)
    capacity_weight_multiplier: float = 1.0
    allocated_capacity_weight_multiplier: float = -1.0
    background_s: int = _key(60, 0)
    lines_of_libraries: bool = True
    warm: bool = False
    access_lines: bool = True
    fresh_reports: bool = False
    size_first: bool = False
    start_up: bool = False
    poll_s: float = _key(0.0, 0, 3600)
    backends: tuple[Backend, ...] = ()
    types: tuple[VolumeType, ...] = ()
    projects: tuple[Project, ...] = ()
    requests: tuple[Ask, ...] = ()
    faults: tuple[RunFault, ...] = ()
    think_s: float = _key(0.0, 0)
    usual_requests: int = 20

    def type(self, name: str) -> VolumeType | None:
        """The volume type of that name, or None."""
        return next((t for t in self.types if t.name == name), None)

    def project(self, name: str) -> Project:
        """The project of that name."""
        return next(p for p in self.projects if p.name == name)

    def host(self, name: str = "") -> Host:
        """The host of that name; ``node`` for none. A node that the scenario does not describe has a true clock and keeps all lines."""
        name = name or self.node
        return next((h for h in self.hosts if h.name == name), Host(name))

    def hosts_of_schedulers(self) -> tuple[str, ...]:
        """The host of each scheduler, empty for `node`."""
        return self.scheduler_hosts or (self.scheduler_host,) * self.schedulers

    def zones(self) -> tuple[str, ...]:
        """The availability zones of the cloud: those of its backends."""
        return tuple(dict.fromkeys(b.zone or self.zone for b in self.backends))
