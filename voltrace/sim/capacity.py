"""Room: what each pool has, what the scheduler believes of it, and what projects may still use."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..lifecycle import VOLUME_TOPIC
from .cloud import Backend, Project, Scenario
from .template import python_datetime, python_timestamp


@dataclass(slots=True)
class Stats:
    """What a backend last reported of its pool, and when."""

    at: int
    free: float
    allocated: int = 0
    provisioned: float = 0
    volumes: int = 0


class Pool:
    """A backend's pool: the room that is used, the last report, and the scheduler's belief.

    The scheduler takes a report over until it has placed a volume itself since (its belief is then newer than the report).
    """

    def __init__(self, backend: Backend, node: str, at: int) -> None:
        self.backend = backend
        self.service = f"{node}@{backend.name}" if backend.name else node
        self.pool = backend.pool or backend.name
        self.host = f"{self.service}#{self.pool}"
        self.topic = f"{VOLUME_TOPIC}.{self.service}"
        self.total = backend.total_gb
        self.used = self.volumes = 0
        self.enabled = self.known = True
        self.free: float = self.total or 0
        self.allocated, self.provisioned, self.updated = 0, (0 if self.total is None else 0.0), 0
        self.names = {
            "host": self.host,
            "service": self.service,
            "backend": backend.name or self.pool,
            "capability": backend.name or self.pool,
            "pool": self.pool,
            "node": node,
            "total": self.total if self.finite else "infinite",
            "reserved": 0 if self.finite else 100,
            "thick": self.finite,
        }
        self.shown: dict[str, tuple[tuple, dict]] = {}
        self.last_report: tuple[int, dict] | None = None
        self.stats = self.measure(at)

    @property
    def finite(self) -> bool:
        return self.total is not None

    def measure(self, at: int) -> Stats:
        """The backend looks at itself: the report that goes to the scheduler."""
        provisioned = self.used if self.total is None else float(self.used)
        self.stats = Stats(at, (self.total or 0) - self.used, self.used, provisioned, self.volumes)
        return self.stats

    def take_over(self) -> bool:
        """The scheduler believes the last report, unless its own belief is newer. Whether it did."""
        if self.updated > self.stats.at:
            return False
        if self.finite:
            self.free, self.provisioned = self.stats.free, self.stats.provisioned
        self.allocated, self.updated = self.stats.allocated, self.stats.at
        return True

    def consume(self, size: int, at: int) -> None:
        """The scheduler counts a volume in (or out, if negative). The backend's own count follows, so that no report forgets it."""
        if self.finite:
            self.free -= size
        self.allocated += size
        self.provisioned += size
        self.used += size
        self.updated = at

    def fields(self, payloads: dict[str, str], suffix: str = "") -> dict[str, object]:
        """The pool's fields for lines, their names with this suffix."""
        state = (self.free, self.allocated, self.updated, self.stats.at)
        known = self.shown.get(suffix)
        if known is None or known[0] != state:
            fields = self._believed() | self._reported(payloads)
            fields["capabilities"] = payloads["capabilities"] % fields
            if self.finite and "factors" in payloads:
                fields["factors"] = payloads["factors"] % fields
            known = self.shown[suffix] = (state, {f"{name}{suffix}": value for name, value in fields.items()} if suffix else fields)
        return known[1]

    def capabilities(self, payloads: dict[str, str]) -> str:
        """The pool as the scheduler sees it now, as its lines show a backend's state."""
        return payloads["capabilities"] % self._believed()

    def _believed(self) -> dict[str, object]:
        believed: dict[str, object] = {
            **self.names,
            "free": self.free if self.finite else "infinite",
            "allocated": self.allocated,
            "provisioned": self.provisioned,
            "updated": python_timestamp(self.updated),
        }
        if self.total:
            believed["unprovisioned"] = self.total - self.provisioned
            believed["free_percent"] = round(self.free / self.total * 100, 2)
            believed["provisioned_ratio"] = round(self.provisioned / self.total, 2)
        return believed

    def _reported(self, payloads: dict[str, str]) -> dict[str, object]:
        stats = self.stats
        if self.last_report is None or self.last_report[0] != stats.at:
            reported: dict[str, object] = {
                **self.names,
                "reported_at": python_datetime(stats.at),
                "reported_free": stats.free if self.finite else "infinite",
                "reported_total": self.names["total"],
                "reported_allocated": stats.allocated,
                "reported_provisioned": stats.provisioned,
                "reported_volumes": stats.volumes,
            }
            reported["stats"] = payloads[f"stats_{self.backend.driver}"] % reported
            self.last_report = (stats.at, reported)
        return self.last_report[1]


@dataclass(slots=True)
class Use:
    """What a project has used of its quotas."""

    project: Project
    volumes: int = 0
    gigabytes: int = 0


@dataclass(slots=True)
class Quotas:
    """The quotas of all projects. Volumes in error count too, as they do in Cinder."""

    uses: dict[str, Use] = field(default_factory=dict)

    @classmethod
    def of(cls, scenario: Scenario) -> Quotas:
        return cls({p.name: Use(p) for p in scenario.projects})

    def reserve(self, project: str, size: int) -> tuple[str | None, str, dict[str, object]]:
        """Reserves a volume of that size. What was exceeded (a name of `lines_api.REFUSALS`, None if nothing), the error's text, and fields."""
        use = self.uses[project]
        limit = use.project
        if 0 <= limit.per_volume_gigabytes < size:
            return "quota-limit", f"Requested volume size {size}G is larger than maximum allowed limit {limit.per_volume_gigabytes}G.", {}
        if 0 <= limit.gigabytes < use.gigabytes + size:
            error = f"Requested volume or snapshot exceeds allowed gigabytes quota. Requested {size}G, quota is {limit.gigabytes}G and {use.gigabytes}G has been consumed."
            return "quota-gigabytes", error, {"consumed_gb": use.gigabytes, "quota_gb": limit.gigabytes}
        if 0 <= limit.volumes < use.volumes + 1:
            return "quota-volumes", f"Maximum number of volumes allowed ({limit.volumes}) exceeded for quota 'volumes'.", {"used_volumes": use.volumes}
        use.volumes += 1
        use.gigabytes += size
        return None, "", {}

    def give_back(self, project: str, size: int) -> None:
        """Undoes a reservation."""
        self.uses[project].volumes -= 1
        self.uses[project].gigabytes -= size
