"""Room: what each pool has, what the scheduler believes of it, and how lines show both."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..lifecycle import VOLUME_TOPIC
from .cloud import Backend, PoolShape, Scenario
from .template import python_datetime, python_timestamp

_FIELD = re.compile(r"%\((\w+)\)s")
_NUMBER = re.compile(r"'(\w+)': %\((reported_\w+)\)s")
_DATETIME = re.compile(r"datetime\.datetime\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Stats:
    """What a backend reports of a pool, and when it looked (µs). Room in GB."""

    at: int
    free: float
    allocated: int
    provisioned: float
    volumes: int


@dataclass(slots=True)
class Home:
    """What the pools of one backend share: its volume service, and whether schedulers may use it."""

    number: int
    service: str
    backend: Backend
    enabled: bool = True


@dataclass(slots=True)
class Stock:
    """What a pool really holds: GB and volumes."""

    used: int = 0
    volumes: int = 0


class Pool:
    """A pool at work as one scheduler sees it: what it holds, the last report that was heard, and the scheduler's belief.

    The scheduler takes a report over until it has placed a volume itself since (its belief is then newer than the report).
    """

    def __init__(self, home: Home, shape: PoolShape, node: str, zone: str, at: int, stock: Stock | None = None) -> None:
        backend, self.node, self.stock = home.backend, node, stock or Stock()
        self.home, self.backend, self.shape, self.zone = home, backend, shape, backend.zone or zone
        self.service, self.pool = home.service, shape.name
        self.host = f"{self.service}#{self.pool}"
        self.topic = f"{VOLUME_TOPIC}.{self.service}"
        self.total, self.thin = shape.total_gb, bool(shape.thin)
        self.ratio, self.reserved = float(shape.max_over_subscription_ratio or 0), shape.reserved_percentage or 0
        self.finite = isinstance(self.total, float)
        self.room: float = self.total if isinstance(self.total, float) else 0.0
        self.reserved_gb = math.floor(self.room * (self.reserved / 100))
        self.names: dict[str, object] = {
            "host": self.host,
            "service": self.service,
            "backend": backend.name or self.pool,
            "pool": self.pool,
            "node": node,
            "total": self.total,
            # The fake driver reserves all of its endless room.
            "reserved": 100 if backend.driver == "fake" else self.reserved,
            "reserved_gb": self.reserved_gb,
            "thin": self.thin,
            "thick": backend.driver == "lvm" and not self.thin,
            "lvm_type": "thin" if self.thin else "default",
            "ratio": self.ratio,
            # What Cinder makes of the ratio where it will not use it.
            "believed_ratio": self.ratio if self.thin and self.finite else 1.0,
        }
        # What is made of the belief, until it changes; and what never changes of the payloads.
        self.shown: dict[str, object] | None = None
        self.described: str | None = None
        self.rooms: dict[bool, float] = {}
        self.templates: dict[tuple[str, bool], str] = {}
        self.as_reported = False
        self.read: dict[str, Any] | None = None
        self.last_report: tuple[int, dict] | None = None
        self.believed: dict[str, object] | None = None
        self.answers: dict[tuple, tuple[tuple[str, ...], dict[str, object]]] = {}  # what filters said, until the belief or the report changes
        self.judgements: dict[str, Any] = {}  # what was found out about the last report, until the next
        self.stats = self.measure(at)
        self.free: float = self.stats.free
        self.allocated, self.provisioned, self.updated = 0, self.stats.provisioned, 0

    def believed_by_another(self) -> Pool:
        """The same pool as another scheduler sees it, which has heard the same report."""
        return Pool(self.home, self.shape, self.node, self.zone, self.stats.at, self.stock)

    @property
    def enabled(self) -> bool:
        """Whether the backend's service may be used."""
        return self.home.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self.home.enabled = enabled

    def measure(self, at: int) -> Stats:
        """The backend looks at itself: the report that goes to the scheduler. A thin pool is as full as what was written to its volumes."""
        taken, used = self.shape.used_gb or 0.0, self.stock.used
        if not self.finite:
            return Stats(at, 0.0, used, used, self.stock.volumes)
        filled = used * (self.shape.written or 0.0) if self.thin else used
        # Two schedulers may promise the same room.
        return Stats(at, max(0.0, round(self.room - taken - filled, 2)), used, float(taken + used), self.stock.volumes)

    def hear(self, stats: Stats) -> None:
        """The scheduler hears a report. It is taken over when backends are looked at next."""
        self.stats = stats
        self.judgements = {}
        self._change(False)

    def _change(self, as_reported: bool) -> None:
        self.shown, self.described, self.believed, self.as_reported = None, None, None, as_reported
        self.rooms, self.answers = {}, {}

    def take_over(self) -> bool:
        """The scheduler believes the last report, unless its own belief is newer. Whether it did."""
        if self.updated > self.stats.at:
            return False
        if not self.as_reported:
            if self.finite:
                self.free, self.provisioned = self.stats.free, self.stats.provisioned
            self.allocated, self.updated = self.stats.allocated, self.stats.at
            self._change(True)
        return True

    def consume(self, size: int, at: int | None) -> None:
        """The scheduler counts a volume in; or out, if negative: that is no newer knowledge (``at`` None).

        The backend's own count follows, so that no report forgets the volume.
        """
        if self.finite:
            self.free -= size
        self.allocated += size
        self.provisioned += size
        self.stock.used += size
        if at is not None:
            self.updated = at
        self._change(False)

    def virtual_free(self, thin: bool, factored: bool) -> float:
        """The room for a further volume that the scheduler believes in, GB; for a thin volume if the pool makes them and ``thin``.

        ``factored``: as releases since Yoga count, to two digits; all that ask of one site say the same.
        """
        thin = thin and self.thin
        room = self.rooms.get(thin)
        if room is None:
            room = self.rooms[thin] = self.count_free(thin, factored, self.free, self.provisioned)
        return room

    def count_free(self, thin: bool, factored: bool, free: float, provisioned: float) -> float:
        """The room for a further volume where so much is free and provisioned."""
        if not factored:
            return (self.room * self.ratio - provisioned if thin else free) - self.reserved_gb
        if thin:
            return round((self.room - self.reserved_gb) * self.ratio - provisioned, 2)
        return round(min(free, self.room - self.reserved_gb - provisioned), 2)

    def factors(self, thin: bool) -> dict[str, object]:
        """The capacity factors that CapacityFilter logs since Yoga, as far as they change with the belief."""
        thin = thin and self.thin
        available = (self.room - self.reserved_gb) * (self.ratio if thin else 1)
        left = available - self.provisioned
        free = left if thin or self.free >= left else self.free
        return {
            "unprovisioned": round(left, 2),
            "virtual_free": round(free, 2),
            "free_percent": round(free / available * 100, 2) if available else 0,
            "provisioned_ratio": round(self.provisioned / available, 2) if available else 0,
        }

    def _lasting_factors(self, thin: bool) -> dict[str, object]:
        """Those capacity factors that never change."""
        thin = thin and self.thin
        unreserved = self.room - self.reserved_gb
        return {
            "unreserved": round(unreserved, 2),
            "ratio_used": self.ratio if thin else None,
            "available_in_all": round(unreserved * (self.ratio if thin else 1), 2),
            "provisioned_type": "thin" if thin else "thick",
        }

    def show_factors(self, payloads: dict[str, str], thin: bool = True) -> str:
        """The capacity factors as their line shows them."""
        return self._template(payloads, "factors", thin) % (self._believed() | self.factors(thin))

    def fields(self, payloads: dict[str, str], n: int) -> dict[str, object]:
        """What lines of a choice show of the pool, in fields that end in its number: they change with a report and with what is counted in."""
        if self.shown is None:
            reported = self.reported(payloads)
            self.shown = {f"host_{n}": self.host, f"service_{n}": self.service, f"stats_{n}": reported["stats"]}
            self.shown[f"capabilities_{n}"] = self.capabilities(payloads)
            if self.finite and "factors" in payloads:
                self.shown[f"factors_{n}"] = self.show_factors(payloads)
        return self.shown

    def capabilities(self, payloads: dict[str, str]) -> str:
        """The pool as the scheduler sees it now, as its lines show a backend's state."""
        if self.described is None:
            self.described = self._template(payloads, "capabilities") % self._believed()
        return self.described

    def _template(self, payloads: dict[str, str], name: str, thin: bool = True) -> str:
        """A payload with all filled in that never changes of the pool (and of a volume that is ``thin``): it is written for each volume that is placed."""
        template = self.templates.get((name, thin))
        if template is None:
            lasting = self.names | self._lasting_factors(thin)
            known = {key: str(value).replace("%", "%%") for key, value in lasting.items()}
            template = self.templates[name, thin] = _FIELD.sub(lambda field: known.get(field[1], field[0]), payloads[name])
        return template

    def _believed(self) -> dict[str, object]:
        if self.believed is None:
            self.believed = {
                "free": self.free if self.finite else self.total,
                "allocated": self.allocated,
                "provisioned": self.provisioned,
                "updated": python_timestamp(self.updated),
            }
        return self.believed

    def reported(self, payloads: dict[str, str]) -> dict[str, object]:
        """The last report's fields; ``stats`` is the whole of it as the scheduler keeps it, ``report_pool`` as the backend sends it."""
        stats = self.stats
        if self.last_report is None or self.last_report[0] != stats.at:
            announced = "".join(f", {key!r}: {value!r}" for key, value in self.shape.capabilities.items())
            reported: dict[str, object] = {
                **self.names,
                "reported_at": python_datetime(stats.at),
                "reported_free": stats.free if self.finite else repr(self.total),
                "reported_total": repr(self.total),
                "reported_allocated": stats.allocated,
                "reported_provisioned": stats.provisioned,
                "reported_volumes": stats.volumes,
                "announced": announced[2:] + ", " if announced else "",
                "announced_behind": announced,
            }
            reported["stats"] = payloads[f"stats_{self.backend.driver}"] % reported
            reported["report_pool"] = payloads[f"report_pool_{self.backend.driver}"] % reported
            self.last_report = (stats.at, reported)
        return self.last_report[1]

    def announced(self, payloads: dict[str, str]) -> dict[str, Any]:
        """The capabilities that CapabilitiesFilter compares: those that the line of the last report shows. Read once; later reports differ in numbers only."""
        reported = self.reported(payloads)
        if self.read is None:
            self.read = ast.literal_eval(_DATETIME.sub("None", str(reported["stats"])))
        numbers = {key: reported[field] for key, field in _NUMBER.findall(payloads[f"stats_{self.backend.driver}"])}
        return self.read | {key: number for key, number in numbers.items() if not isinstance(number, str)}


def open_pools(scenario: Scenario, at: Callable[[], int]) -> list[Pool]:
    """The pools of all backends, in the order in which the scheduler lists them. ``at()`` is when a backend reported last."""
    pools = []
    for number, backend in enumerate(scenario.backends):
        node = backend.host or scenario.node
        home, reported = Home(number, f"{node}@{backend.name}" if backend.name else node, backend), at()
        pools += [Pool(home, shape, node, scenario.zone, reported) for shape in backend.shapes()]
    return pools


def show_report(pools: Sequence[Pool], payloads: dict[str, str], factored: bool) -> dict[str, object]:
    """The fields of a backend's report: ``report`` as it sends it, ``published`` as the scheduler passes the room on."""
    first = pools[0]
    fields = dict(first.reported(payloads))
    fields["report_pools"] = ", ".join(str(pool.reported(payloads)["report_pool"]) for pool in pools)
    fields["report"] = payloads[f"report_{first.backend.driver}"] % fields
    parts, sums = [], [0.0] * 5
    for pool in pools:
        stats = pool.stats
        if not pool.finite:
            continue
        room = [pool.room, stats.free, float(stats.allocated), stats.provisioned, pool.count_free(pool.thin, factored, stats.free, stats.provisioned)]
        sums = [a + b for a, b in zip(sums, room)]
        parts.append(_show_usage(payloads, fields, "pool", pool.host, room))
    parts.append(_show_usage(payloads, fields, "backend", first.service, sums))
    fields["published"] = f"[{', '.join(parts)}]"
    return fields


def _show_usage(payloads: dict[str, str], fields: dict[str, object], kind: str, of: str, room: Sequence[float]) -> str:
    names = ("total", "free", "allocated", "provisioned", "virtual_free")
    usage = {f"usage_{name}": value for name, value in zip(names, room)}
    return payloads["usage"] % (fields | usage | {"usage_kind": kind, "usage_of": of})
