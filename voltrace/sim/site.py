"""A site: one run's cloud at work. It holds the processes, the state they share, and where their lines and truths go."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from ..encode import instant
from ..formats import write_context
from ..lifecycle import API, SCHEDULER, VOLUME, VOLUME_CREATE
from .broker import Broker
from .capacity import Pool, open_pools
from .clocks import Clock, Clocks, clock_of
from .cloud import Scenario, VolumeType
from .edits import EDITS
from .falsify import falsify
from .grants import Grants
from .ids import Ids
from .lines_scheduler import Layout
from .load import Wish
from .machines import open_machines
from .outage import OUTAGES
from .play import Play, Plays
from .prefix import Prefix
from .quotas import Quotas
from .schedulers import open_schedulers
from .script import TABLE_SIZE, Script, Stage
from .station import Station
from .template import expand, utc
from .truth import Run, Story, TruthWriter

if TYPE_CHECKING:
    import simpy

_SERVICE_DOWN_US = 60_000_000  # Cinder's service_down_time
_WAITING = 10_000  # so many records may wait for their turn before those whose time has come are written
# The name of each service's flow, and the fields of its uuids.
_UUID_FIELDS = {flow.service: (flow.name, ("flow_uuid", *(f"uuid_{task.name}" for task in flow.tasks))) for flow in VOLUME_CREATE.flows}


@dataclass(slots=True, eq=False)
class Process:
    """One process of a service on its host. ``tail`` is the end of its lines' prefix. ``zones_until`` and ``types`` are an API worker's caches.

    ``clock`` is its host's, None for a true one. ``until`` is the instant of its last line; ``playing`` counts the scripts of which it is not known yet when they end. A volume service's ``active`` are the requests that it has in hand; ``dying``: it will write nothing more.
    """

    service: str
    pid: str
    tail: str
    host: str
    clock: Clock | None = None
    requests: int = 0
    zones_until: int = 0
    types: frozenset[str] = frozenset()
    until: int = 0
    playing: int = 0
    active: list[Request] = field(default_factory=list)
    dying: bool = False

    def true(self, shown: int) -> int:
        """The true instant at which its host's clock shows this (µs)."""
        return shown if self.clock is None else self.clock.true(shown)


@dataclass(slots=True, eq=False)
class Request:
    """A request on its way: what was asked for, what happens to it, its fields, and where it stands in the lifecycle.

    ``over`` is the true instant of its last line so far, where clocks differ: its story's are what they show.
    ``falsified``: its unlawful fault has struck. ``again``: where it stood before the volume service took it up, if that gets it once more (else -1).
    ``told``: some line of it shows what it is.
    """

    wish: Wish
    story: Story
    fields: dict
    done: simpy.Event | None = None
    where: int = 0
    attempt: int = 0
    tried: tuple[str, ...] = ()
    last_trace: str = ""
    hung: bool = False
    over: int = 0
    falsified: bool = False
    again: int = -1
    told: bool = True


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happens to the logs of a service (empty: of all) at a true instant (µs); ``meets`` says which requests it touches."""

    kind: str
    service: str
    at: int
    meets: Callable[[Story], bool]


class Site:
    """What the services share. Everything random comes from the seed."""

    def __init__(
        self, env: simpy.Environment, scenario: Scenario, stage: Stage, prefix: Prefix, plays: Plays, truth: TruthWriter, seed: int, tick: Callable[[], None]
    ) -> None:
        self.env, self.scenario, self.stage, self.prefix, self.plays, self.truth, self.tick = env, scenario, stage, prefix, plays, truth, tick
        self.clocks = Clocks(scenario, int(env.now))
        self.times, self.ids = Random(f"{seed}/times"), Ids(f"{seed}/ids")
        self.payloads = stage.payloads
        self.samples: dict[str, list[int]] = {}
        self.kinds = {kind.name: kind for kind in scenario.types}
        self.known: dict[tuple, dict] = {}
        self.grants, self.quotas, self.broker = Grants(), Quotas.of(scenario), Broker(env)
        self.pools = open_pools(scenario, lambda: int(env.now) - self.times.randrange(1_000_000, 50_000_000))
        self.pool_of = {pool.host: pool for pool in self.pools}
        numbers = range(len(self.pools))
        homes = tuple(tuple(k for k in numbers if self.pools[k].home.number == n) for n in range(len(scenario.backends)))
        self.layout = Layout(homes, tuple(pool.thin for pool in self.pools), scenario.filters, scenario.weighers)
        self.factored = stage.release.name in stage.rows["storage-capacity-factors"].lines
        self.pids = iter(range(self.times.randrange(2000, 20000), 1 << 22, 7))
        self.workers = [self._process(API, scenario.api_host) for _ in range(scenario.api_workers)]
        self.schedulers = [*open_schedulers(env, scenario, self._start_scheduler, self.pools)]
        self.volumes = self.start_volumes()
        self.topics = [self.pools_of(n)[0].topic for n in range(len(self.volumes))]
        self.stopped = False
        self.gone: tuple[str, int] | None = None
        self.moments: list[Moment] = []
        self.clock_shows: Callable[[Any], Any] | None = None  # a clock that is set back
        self.idle = Station(env, self.workers * scenario.api_threads)
        self.machines = open_machines(env, scenario)
        self.zones = scenario.zones()
        self.drivers = [Station(env, [True] * backend.slots) for backend in scenario.backends]
        self.types = {t.name: self._type_fields(t) for t in scenario.types}
        self.identities = {p.name: tuple(u.replace("-", "") for u in self.ids.take(2)) for p in scenario.projects}
        self.controller = self.address()
        self.answered = self.running = self.sent = 0
        if scenario.warm:
            self._warm_up()
        self.last_end = env.now

    def start_volumes(self) -> list[Process]:
        """A process for each backend."""
        return [self._process(VOLUME, backend.host) for backend in self.scenario.backends]

    def respawn(self, worker: Process) -> Process:
        """A new API worker in the place of one that was killed."""
        made = self._process(API, self.scenario.api_host)
        self.workers[self.workers.index(worker)] = made
        return made

    def renew_schedulers(self) -> None:
        """New processes of the schedulers. What they believe stays."""
        for scheduler, host in zip(self.schedulers, self.scenario.hosts_of_schedulers()):
            scheduler.process = self._start_scheduler(host)

    def _start_scheduler(self, host: str) -> Process:
        return self._process(SCHEDULER, host)

    def pools_of(self, n: int) -> list[Pool]:
        """The pools of backend ``n``, with the first scheduler's beliefs."""
        return [self.pools[k] for k in self.layout.homes[n]]

    def pool(self, host: str) -> Pool:
        """The pool of that name (``host@backend#pool``)."""
        return self.pool_of[host]

    def source_pool(self, kind: VolumeType | None) -> Pool:
        """Where the volumes and snapshots lie that volumes of this type are made from: the first pool that the type allows."""
        wanted = kind.backend if kind else None
        return next((pool for pool in self.pools if wanted in (None, pool.backend.name)), self.pools[0])

    def _process(self, service: str, host: str) -> Process:
        pid, host = next(self.pids), host or self.scenario.node
        return Process(service, str(pid), self.prefix.tail(service, host, pid), host, clock_of(self.scenario.host(host), self.clocks.start))

    def _warm_up(self) -> None:
        """The workers have met every type before, and the scheduler has just placed a volume of the default one."""
        default = self.scenario.type(self.scenario.default_type)
        for worker in self.workers:
            worker.zones_until, worker.types = self.env.now + 3_600_000_000, frozenset(t.name for t in self.scenario.types if not t.new)
        if self.scenario.fresh_reports:
            return
        for pool in (pool for scheduler in self.schedulers for pool in scheduler.pools):
            if default is None or default.backend in (None, pool.backend.name):
                pool.take_over()
                pool.updated = self.env.now

    def _type_fields(self, kind: VolumeType) -> dict:
        python = self.stage.release.python
        made = self.env.now - self.ids.random.randrange(3600, 36000) * 1_000_000
        fields = {
            "type_id": self.ids.one(),
            "type_name": kind.name,
            "type_specs_object": ",".join(f"{k}='{v}'" for k, v in sorted(kind.specs.items())),
            "type_specs_python": ", ".join(f"{python(k)}: {python(v)}" for k, v in kind.specs.items()),
            "type_created_z": utc(made) + "Z",
            "type_created_iso": utc(made) + ".000000",
        }
        return fields | {"type_asked": expand("%(type_object)s", self.payloads) % fields}

    def address(self) -> str:
        """An object's address as reprs show it."""
        return f"0x7f{self.ids.random.getrandbits(36):09x}0"

    def sample(self, figure: str) -> int:
        """A time drawn from the profile, µs."""
        values = self.samples.get(figure)
        if values is None:
            values = self.samples[figure] = self.stage.table(figure).tolist()
        return values[self.times.getrandbits(16) % TABLE_SIZE]

    def play(
        self,
        process: Process,
        script: Script,
        values: dict,
        request: Request | None = None,
        run: Run | None = None,
        timed: tuple[int, array[int]] | None = None,
    ) -> Play:
        """Plays a script from now on, or as it was ``timed`` (begin, lapses) by `Machines`; marks become fields. Asks the lifecycle for its steps."""
        granted, falsified = script, None
        if request is not None and request.wish.fault is not None and request.wish.fault.edit and not request.falsified:
            falsified = falsify(self.stage, script, EDITS[request.wish.fault.edit], request.story.request_id)
            if falsified is not None:
                script, timed = falsified.script, timed and (timed[0], falsified.place(timed[1]))
        begin, lapses = timed or (self.env.now, script.draw(self.times))
        shown = None if process.clock is None else process.clock.lapses(begin, lapses)
        told = shown or lapses
        for name, record in script.marks:
            values[name] = begin + told[record]
        values["pid"], values["tail"] = process.pid, process.tail
        play = Play(script, begin, lapses, script.records.take(values), shown=shown)
        last = begin + lapses[-1]
        if last > process.until:
            process.until = last
        if request is not None:
            request.story.witness(play)
            if self.clocks.differ and script.own[1] >= 0:
                request.over = max(request.over, begin + lapses[script.own[1]])
            if falsified is not None:
                request.falsified = True
                self.blame(request, script.service, play.at(falsified.first))
            if run is not None:
                run.plays.append(play)
                request.where = self.grants.take(request.where, granted)
        plays = self.plays
        plays.add(play)
        if plays.size > _WAITING:
            self.tick()
        return play

    def begin_run(self, request: Request, service: str, number: int) -> Run:
        """A new run of the service's flow, with uuids of its own."""
        flow, names = _UUID_FIELDS[service]
        run = Run(service, flow, number, dict(zip(names, self.ids.take(len(names)))))
        request.story.runs.append(run)
        return run

    def values(self, request: Request, service: str, *more: dict) -> dict:
        """A request's fields for one stretch of a service."""
        values = dict(request.fields)
        for some in more:
            values.update(some)
        values["context"] = values["api_context"] if service == API else values["later_context"]
        if service != API:
            values["user_shown"] = "None"
        return values

    def anonymous_values(self, project: str | None = None, *more: dict) -> dict:
        """The fields of lines that belong to no create: a periodic task's (``project`` None) or another request's."""
        values: dict = {"project_name": "None", "project_id": "-", "user_shown": "None", "user_id": "-"}
        if project is not None:
            project_id, user_id = self.identities[project]
            values = {"project_name": project, "project_id": project_id, "user_shown": self.scenario.project(project).user, "user_id": user_id}
        values |= {"request_id": f"req-{self.ids.one()}", "global_request_id": None}
        for some in more:
            values.update(some)
        values["context"] = self.context(values)
        return values

    def context(self, v: dict) -> str:
        """The inside of the brackets in lines that have these fields."""
        project, user = (v["project_name"], v["project_id"]), (v["user_shown"], v["user_id"])
        return write_context(self.stage.format.layout, self.stage.release.name, v["request_id"], v["global_request_id"], project, user)

    def serves_first(self, worker: Process) -> bool:
        """Whether the next request is the first that an API worker serves after its start."""
        return not (worker.requests or self.scenario.warm)

    def is_silent(self) -> bool:
        """Whether the volume services have not been heard of for so long that the scheduler takes them for down."""
        return self.gone is not None and self.env.now > self.gone[1] + _SERVICE_DOWN_US

    def count(self, worker: Process, values: dict, body: int, answer: int) -> None:
        """The web server counts a request; its access line shows the counts and sizes (bytes)."""
        worker.requests += 1
        self.answered += 1
        values.update(worker_requests=worker.requests, all_requests=self.answered, request_bytes=1060 + body, answer_bytes=answer)

    def url(self, path: str) -> str:
        """The public address of a path that begins with the endpoint's own."""
        return self.scenario.endpoint.removesuffix("/volume") + path

    def blame(self, request: Request, service: str, at: int) -> None:
        """Notes the request's fault where it strikes first."""
        fault = request.wish.fault
        if fault and all(told["kind"] != fault.kind for told in request.story.faults):
            request.story.faults.append({"kind": fault.kind, "service": service, "at": instant(at), "expect": fault.expect(self.scenario.max_attempts)})

    def touch(self, request: Request, kind: str, service: str, at: int | None = None) -> None:
        """Notes a fault of the run that the request has met. What is expected of it then is told when it has ended."""
        if all(told["kind"] != kind for told in request.story.faults):
            request.story.faults.append({"kind": kind, "service": service, "at": instant(self.env.now if at is None else at), "expect": None})

    def _settle(self, story: Story) -> None:
        for told in story.faults:
            if told["expect"] is None:
                outage = OUTAGES.get(told["kind"])
                diagnostics = [*outage.diagnostics] if outage else []
                outcome, cause = (story.outcome.outcome, story.outcome.cause) if outage is None or outage.foretold else (None, None)
                told["expect"] = {"outcome": outcome, "cause": cause, "deviations": [], "diagnostics": diagnostics}

    def end(self, request: Request) -> None:
        """Nothing more will happen to the request."""
        if not request.hung:
            self.let_go(request)
        for moment in self.moments:
            if moment.meets(request.story):
                self.touch(request, moment.kind, moment.service or "any", moment.at)
        request.story.shows = self.clock_shows
        if request.story.faults:
            self._settle(request.story)
        if request.told:
            self.truth.end(request.story)

    def over(self, request: Request) -> int:
        """The true instant of the request's last line so far (µs)."""
        return request.over if self.clocks.differ else request.story.end

    def let_go(self, request: Request) -> None:
        """Nobody waits for the request any more."""
        fault = request.wish.fault
        if fault and fault.disables and request.tried:
            self.pool(request.tried[-1]).enabled = True
        self.running -= 1
        end = self.over(request)
        self.last_end = max(self.last_end, end, self.env.now)
        done = request.done
        if done is not None:
            last = self.env.timeout(max(0, end - self.env.now))
            last.callbacks.append(lambda _: done.succeed())
