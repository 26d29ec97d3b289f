"""The schedulers: competing consumers of one queue, each with a process, a turn, and beliefs of its own about the backends' room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .capacity import Pool
from .cloud import Scenario
from .station import Station

if TYPE_CHECKING:
    import simpy

    from .site import Process


@dataclass(slots=True, eq=False)
class Scheduler:
    """One scheduler. ``pools`` are as it believes them, ``known`` says of each backend whether it listed it last; one choice at a time has the ``turn``."""

    process: Process
    pools: list[Pool]
    known: list[bool]
    turn: Station[bool]

    def pool(self, host: str) -> Pool:
        """The pool of that name (``host@backend#pool``)."""
        return next(pool for pool in self.pools if pool.host == host)


def open_schedulers(env: simpy.Environment, scenario: Scenario, start: Callable[[str], Process], pools: list[Pool]) -> Iterator[Scheduler]:
    """All of them have heard the same reports of the pools. ``start`` makes a process on a host."""
    for host in scenario.hosts_of_schedulers():
        yield Scheduler(start(host), pools, [True] * len(scenario.backends), Station(env, [True]))
        pools = [pool.believed_by_another() for pool in pools]
