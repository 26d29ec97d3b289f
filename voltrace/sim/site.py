"""A site: one run's cloud at work. It holds the processes, the state they share, and where their lines and truths go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from struct import unpack
from typing import TYPE_CHECKING

from ..encode import instant
from ..formats import write_context
from ..lifecycle import API, SCHEDULER, VOLUME, VOLUME_CREATE
from .broker import Broker
from .capacity import Pool, open_pools
from .cloud import Scenario, VolumeType
from .grants import Grants
from .lines_scheduler import Layout
from .load import Wish, uuids
from .quotas import Quotas
from .script import TABLE_SIZE, Script, Stage, Values, utc
from .truth import Run, Story, TruthWriter
from .write import Merger, prefix_writer

if TYPE_CHECKING:
    import simpy

_UUID_FIELDS = {flow.service: ("flow_uuid", *(f"uuid_{task.name}" for task in flow.tasks)) for flow in VOLUME_CREATE.flows}


@dataclass(slots=True, eq=False)
class Process:
    """One process of a service. ``zones_until`` and ``types`` are an API worker's caches.

    ``until`` is the instant of its last line. A volume service's ``active`` are the requests that it has in hand; ``dying``: it will write nothing more.
    """

    service: str
    pid: int
    prefix: Callable[[int], str]
    requests: int = 0
    zones_until: int = 0
    types: frozenset[str] = frozenset()
    until: int = 0
    active: list[Request] = field(default_factory=list)
    dying: bool = False


@dataclass(slots=True, eq=False)
class Request:
    """A request on its way: what was asked for, what happens to it, its fields, and where it stands in the lifecycle."""

    wish: Wish
    story: Story
    fields: dict
    done: simpy.Event | None = None
    where: int = 0
    attempt: int = 0
    tried: tuple[str, ...] = ()
    last_trace: str = ""
    hung: bool = False


class Site:
    """What the services share. Everything random comes from the seed."""

    def __init__(self, env: simpy.Environment, scenario: Scenario, stage: Stage, merger: Merger, truth: TruthWriter, seed: int) -> None:
        import simpy

        self.env, self.scenario, self.stage, self.merger, self.truth = env, scenario, stage, merger, truth
        self.times, self.ids = Random(f"{seed}/times"), Random(f"{seed}/ids")
        self.payloads = {**stage.release.payloads, **{f"atom_{name}": text for name, text in stage.release.atoms.items()}}
        self.grants, self.quotas, self.broker = Grants(), Quotas.of(scenario), Broker(env)
        self.pools = open_pools(scenario, lambda: int(env.now) - self.times.randrange(1_000_000, 50_000_000))
        numbers = range(len(self.pools))
        homes = tuple(tuple(k for k in numbers if self.pools[k].home.number == n) for n in range(len(scenario.backends)))
        self.layout = Layout(homes, tuple(pool.thin for pool in self.pools), scenario.weighers)
        self.factored = stage.release.name in stage.rows["storage-capacity-factors"].lines
        self.pids = iter(range(self.times.randrange(2000, 20000), 1 << 22, 7))
        self.workers = [self._process(API) for _ in range(scenario.api_workers)]
        self.scheduler = self._process(SCHEDULER)
        self.volumes = self.start_volumes()
        self.stopped: simpy.Event | None = None
        self.idle = simpy.Store(env)
        self.idle.items.extend(self.workers)
        self.zones = scenario.zones()
        self.turn = simpy.Resource(env)
        self.drivers = [simpy.Resource(env, backend.slots) for backend in scenario.backends]
        self.types = {t.name: self._type_fields(t) for t in scenario.types}
        self.identities = {p.name: tuple(u.replace("-", "") for u in uuids(self.ids, 2)) for p in scenario.projects}
        self.controller = self.address()
        self.answered = self.running = 0
        if scenario.warm:
            self._warm_up()
        self.last_end = env.now

    def start_volumes(self) -> list[Process]:
        """A process for each backend. While the volume service is ``stopped``, that event tells when it is back."""
        return [self._process(VOLUME) for _ in self.scenario.backends]

    def pools_of(self, n: int) -> list[Pool]:
        """The pools of backend ``n``."""
        return [self.pools[k] for k in self.layout.homes[n]]

    def pool(self, host: str) -> Pool:
        """The pool of that name (``host@backend#pool``)."""
        return next(pool for pool in self.pools if pool.host == host)

    def _process(self, service: str) -> Process:
        pid = next(self.pids)
        return Process(service, pid, prefix_writer(self.stage.format, service, self.scenario.node, pid))

    def _warm_up(self) -> None:
        """The workers have met every type before, and the scheduler has just placed a volume of the default one."""
        default = self.scenario.type(self.scenario.default_type)
        for worker in self.workers:
            worker.zones_until, worker.types = self.env.now + 3_600_000_000, frozenset(t.name for t in self.scenario.types if not t.new)
        if self.scenario.fresh_reports:
            return
        for pool in self.pools:
            if default is None or default.backend in (None, pool.backend.name):
                pool.take_over()
                pool.updated = self.env.now

    def _type_fields(self, kind: VolumeType) -> dict:
        python = self.stage.release.python
        made = self.env.now - self.ids.randrange(3600, 36000) * 1_000_000
        return {
            "type_id": uuids(self.ids, 1)[0],
            "type_name": kind.name,
            "type_specs_object": ",".join(f"{k}='{v}'" for k, v in sorted(kind.specs.items())),
            "type_specs_python": ", ".join(f"{python(k)}: {python(v)}" for k, v in kind.specs.items()),
            "type_created_z": utc(made) + "Z",
            "type_created_iso": utc(made) + ".000000",
        }

    def address(self) -> str:
        """An object's address as reprs show it."""
        return f"0x7f{self.ids.getrandbits(36):09x}0"

    def sample(self, figure: str) -> int:
        """A time drawn from the profile, µs."""
        return self.stage.table(figure)[self.times.getrandbits(16) % TABLE_SIZE]

    def play(self, process: Process, script: Script, values: Values, request: Request | None = None, run: Run | None = None) -> list[int]:
        """Writes a script's lines from now on and returns their instants; marks become fields. Asks the lifecycle for its steps."""
        chances = unpack(f"<{len(script.pauses)}H", self.times.randbytes(2 * len(script.pauses)))
        steps = [pauses[chance % TABLE_SIZE] for pauses, chance in zip(script.pauses, chances)]
        steps[0] += self.env.now
        ats = list(accumulate(steps))
        for name, line in script.marks:
            values[name] = ats[line]
        values["pid"] = process.pid
        prefix, when, lines = process.prefix, [], []
        for at, text in zip(ats, script.texts):
            if text is not None:
                values["prefix"] = prefix(at)
                lines.append(text % values)
                when.append(at)
        process.until = max(process.until, ats[-1])
        self.merger.put(process.service, when, lines)
        if request is not None:
            request.story.witness(script, ats)
            if run is not None:
                run.add(script, ats)
                request.where = self.grants.take(request.where, script)
        return ats

    def begin_run(self, request: Request, service: str, number: int) -> Run:
        """A new run of the service's flow, with uuids of its own."""
        flow = VOLUME_CREATE.flow_of(service)
        assert flow is not None
        names = _UUID_FIELDS[service]
        run = Run(service, flow.name, number, dict(zip(names, uuids(self.ids, len(names)))))
        request.story.runs.append(run)
        return run

    def values(self, request: Request, service: str, *more: dict) -> Values:
        """A request's fields for one stretch of a service. The project's name travels with the request, the user's does not."""
        values = Values(self.payloads, request.fields, *more)
        values["user_shown"] = values["user_name"] if service == API else "None"
        return self._with_context(values)

    def anonymous_values(self, project: str | None = None, *more: dict) -> Values:
        """The fields of lines that belong to no create: a periodic task's (``project`` None) or another request's."""
        who = {"project_name": "None", "project_id": "-", "user_shown": "None", "user_id": "-"}
        if project is not None:
            project_id, user_id = self.identities[project]
            who = {"project_name": project, "project_id": project_id, "user_shown": self.scenario.project(project).user, "user_id": user_id}
        return self._with_context(Values(self.payloads, {"request_id": f"req-{uuids(self.ids, 1)[0]}", "global_request_id": None}, who, *more))

    def _with_context(self, values: Values) -> Values:
        values["context"] = self.context(values)
        return values

    def context(self, v: dict) -> str:
        """The inside of the brackets in lines that have these fields."""
        project, user = (v["project_name"], v["project_id"]), (v["user_shown"], v["user_id"])
        return write_context(self.stage.format.layout, self.stage.release.name, v["request_id"], v["global_request_id"], project, user)

    def count(self, worker: Process, values: Values, body: int, answer: int) -> None:
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
        if fault and not request.story.faults:
            request.story.faults.append({"kind": fault.kind, "service": service, "at": instant(at), "expect": fault.expect(self.scenario.max_attempts)})

    def end(self, request: Request) -> None:
        """Nothing more will happen to the request."""
        if not request.hung:
            self.let_go(request)
        self.truth.end(request.story)

    def let_go(self, request: Request) -> None:
        """Nobody waits for the request any more."""
        fault = request.wish.fault
        if fault and fault.disables and request.tried:
            self.pool(request.tried[-1]).enabled = True
        self.running -= 1
        self.last_end = max(self.last_end, request.story.end, self.env.now)
        if request.done is not None:
            request.done.succeed()
