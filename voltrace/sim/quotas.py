"""Quotas: what projects may still use."""

from __future__ import annotations

from dataclasses import dataclass, field

from .cloud import Project, Scenario


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
