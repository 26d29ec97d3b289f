"""Truth: what complete logs of a run prove about each request, put together from the steps that were simulated."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import BinaryIO

from ..encode import encode_truth
from ..lifecycle import API, SCHEDULER, SCHEDULER_TOPIC, VOLUME, VOLUME_TOPIC
from ..trace import Answer, Failure, FlowSpan, Handoff, TaskSpan, Timeline
from ..verdict import Outcome
from .script import Script

_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(slots=True)
class Run:
    """One run of a flow as it was simulated."""

    service: str
    name: str
    number: int
    ids: dict[str, str]
    steps: list[tuple[str | None, str, int]] = field(default_factory=list)

    def add(self, script: Script, ats: list[int]) -> None:
        """The steps of a script that was played at these instants."""
        self.steps += [(step.task, step.new, ats[line]) for line, step in script.steps]

    def span(self) -> FlowSpan:
        tasks: dict[str | None, tuple[list[str], list[int]]] = {}
        for task, new, at in self.steps:
            seen = tasks.get(task)
            if seen is None:
                tasks[task] = ([new], [at])
            else:
                seen[0].append(new)
                seen[1].append(at)
        states, ats = tasks.pop(None)
        spans = tuple(
            TaskSpan(str(name), self.ids[f"uuid_{name}"], tuple(entered), whens[0], whens[-1], (whens[-1] - whens[0],) * 2)
            for name, (entered, whens) in tasks.items()
        )
        if len(ats) == 1:
            return FlowSpan(self.service, self.name, self.ids["flow_uuid"], self.number, states[-1], ats[0], None, None, tasks=spans)
        lapse = ats[-1] - ats[0]
        return FlowSpan(self.service, self.name, self.ids["flow_uuid"], self.number, states[-1], ats[0], ats[-1], (lapse, lapse), tasks=spans)


@dataclass(slots=True)
class Story:
    """What happens to one request while it is simulated. Instants are µs."""

    request_id: str
    global_request_id: str | None
    project: str
    user: str
    name: str | None
    size_gb: int | None
    volume_type: str | None
    zone: str | None
    path: str
    source: str = "blank"
    start: int = 0
    end: int = 0
    status: int | None = None
    volume_id: str | None = None
    backend: str | None = None
    attempts: int = 0
    runs: list[Run] = field(default_factory=list)
    handoffs: list[Handoff] = field(default_factory=list)
    failures: list[tuple[int, Failure]] = field(default_factory=list)
    outcome: Outcome = Outcome("unknown")
    faults: list[dict] = field(default_factory=list)
    open: int = 0

    def witness(self, script: Script, ats: list[int]) -> None:
        """Lines with the request id were written: the timeline reaches at least to the last of them."""
        first, last = script.own
        if last >= first:
            self.start = min(self.start or ats[first], ats[first])
            self.end = max(self.end, ats[last])

    def hand_over(self, sender: str, receiver: str, attempt: int, sent: int, received: int | None, server: str | None = None) -> None:
        """A cast and its receipt, if there was one."""
        topic = VOLUME_TOPIC if receiver == VOLUME else SCHEDULER_TOPIC
        wait = None if received is None else (received - sent, received - sent)
        self.handoffs.append(Handoff(sender, receiver, topic, attempt, sent, received, wait, server))

    def fail(self, at: int, service: str, flow: str, task: str, attempt: int, backend: str | None, exception: str, message: str) -> None:
        """A failure that the log tells."""
        self.failures.append((at, Failure(service, flow, task, attempt, backend, exception, message)))

    def timeline(self) -> Timeline:
        order = {API: 0, SCHEDULER: 1, VOLUME: 2}
        runs = sorted(self.runs, key=lambda r: (r.number, order[r.service]))
        return Timeline(
            self.request_id,
            "volume-create",
            global_request_id=self.global_request_id,
            project=self.project,
            user=self.user,
            volume_ids=(self.volume_id,) if self.volume_id else (),
            name=self.name,
            size_gb=self.size_gb,
            volume_type=self.volume_type,
            availability_zone=self.zone,
            source=self.source,
            answer=Answer("POST", self.path, self.status),
            start=self.start,
            end=self.end,
            attempts=self.attempts,
            backend=self.backend,
            flows=tuple(run.span() for run in runs),
            handoffs=tuple(self.handoffs),
            failures=tuple(f for _, f in sorted(self.failures, key=lambda pair: pair[0])),
        )


class TruthWriter:
    """Writes stories in the order of their starts (then of their ids), holding back those that end before an earlier one."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.begun: dict[str, Story] = {}
        self.ended: set[str] = set()

    def begin(self, story: Story) -> None:
        """The request's first line has been written. Stories begin in the order of their starts."""
        self.begun[story.request_id] = story

    def end(self, story: Story) -> None:
        self.ended.add(story.request_id)

    def flush(self, now: int | None) -> None:
        """Writes the stories that started before ``now`` (all if None), up to the first that has not ended."""
        ready: list = []
        for request_id, story in self.begun.items():
            if request_id not in self.ended or (now is not None and story.start >= now):
                ready = [other for other in ready if other.start < story.start]
                break
            ready.append(story)
        ready.sort(key=lambda s: (s.start, s.request_id))
        for story in ready:
            del self.begun[story.request_id]
            self.ended.discard(story.request_id)
            self.file.write((_ENCODE(encode_truth(story.timeline(), story.outcome, story.faults)) + "\n").encode())
