"""Machines: what processes share. A host's processors and the database's connections are stations; who finds all of them busy waits.

Only scenarios that limit one of them pay for it: where nothing is limited there are no machines, and scripts are played at once.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from .cloud import Scenario
from .station import Endless, Station

if TYPE_CHECKING:
    import simpy

    from .play import Play
    from .script import Script
    from .site import Process, Request, Site
    from .truth import Run


def open_machines(env: simpy.Environment, scenario: Scenario) -> Machines | None:
    """The machines of a scenario that limits processors or connections, else None."""
    limited = scenario.database_connections or scenario.cpus or any(host.cpus for host in scenario.hosts)
    return Machines(env, scenario) if limited else None


def claim(site: Site, process: Process) -> Generator[simpy.Event, bool, Processor | None]:
    """A processor of the process's host, as soon as one is free; None at once where nothing is limited."""
    return None if site.machines is None else (yield from site.machines.claim(process))


def play_on(
    processor: Processor | None, site: Site, process: Process, script: Script, values: dict, request: Request | None = None, run: Run | None = None
) -> Generator[simpy.Event, bool, Play]:
    """Plays a script from now on with the processor that `claim` gave, which is given back when the script ends."""
    if processor is None:
        return site.play(process, script, values, request, run)
    return (yield from processor.play(site, script, values, request, run))


class Machines:
    """The processors of each host, and the connections to the database that all services share."""

    def __init__(self, env: simpy.Environment, scenario: Scenario) -> None:
        self.env = env
        named = (scenario.api_host, *scenario.hosts_of_schedulers(), *(backend.host for backend in scenario.backends))
        hosts = dict.fromkeys(scenario.host(name) for name in named)
        self.processors = {host.name: _open(env, host.cpus or scenario.cpus) for host in hosts}
        self.database = _open(env, scenario.database_connections)

    def claim(self, process: Process) -> Generator[simpy.Event, bool, Processor]:
        """Waits until the process has a processor of its host."""
        station = self.processors[process.host]
        station.take() or (yield station.wait())
        return Processor(self, station, process)

    def work(self, station: Station[bool], lapse: int) -> Generator[simpy.Event, bool, None]:
        """Waits for a server of the station and keeps it for so long (µs)."""
        station.take() or (yield station.wait())
        yield self.env.timeout(lapse)
        station.give(True)


class Processor:
    """A processor that a process has claimed, to play one script with it or to leave it at once."""

    __slots__ = ("machines", "station", "process")

    def __init__(self, machines: Machines, station: Station[bool], process: Process) -> None:
        self.machines, self.station, self.process = machines, station, process

    def leave(self) -> None:
        """The process does not need it after all."""
        self.station.give(True)

    def play(self, site: Site, script: Script, values: dict, request: Request | None = None, run: Run | None = None) -> Generator[simpy.Event, bool, Play]:
        """Plays a script from now on. The processor is given back when it ends.

        For the database's work it goes to others, and must be waited for again. Each wait stands before the record at which it happens.
        The play is returned as soon as its last wait is over; until then no lines behind its beginning may be written.
        """
        env, plays, process, station = site.env, site.plays, self.process, self.station
        begin, lapses, late = env.now, script.draw(site.times), 0
        if request is not None:
            request.story.start = request.story.start or (begin if process.clock is None else process.clock.show(begin))
        hold = plays.hold(begin)
        process.playing += 1
        for n, (in_database, first, end) in enumerate(script.stretches):
            if n:
                yield env.timeout(begin + lapses[first - 1] - env.now)
                station.give(True)
                asked, station = env.now, self.machines.database if in_database else self.station
                station.take() or (yield station.wait())
                late += env.now - asked
            for record in range(first, end):
                lapses[record] += late
        env.timeout(begin + lapses[-1] - env.now).callbacks.append(lambda _: station.give(True))
        process.playing -= 1
        plays.release(hold)
        return site.play(process, script, values, request, run, (begin, lapses))


def _open(env: simpy.Environment, servers: int) -> Station[bool]:
    return Station(env, [True] * servers) if servers else Endless(env)
