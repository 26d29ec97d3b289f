"""Truth: what complete logs of a run prove about each request, put together from the steps that were simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from ..lifecycle import API, FINAL_FLOW_STATES, RUNNING, SCHEDULER, SCHEDULER_TOPIC, VOLUME, VOLUME_TOPIC
from ..trace import Answer, Failure, FlowSpan, Handoff, TaskSpan, Timeline
from ..verdict import Outcome
from .play import Play
from .stepped import as_shown
from .truth_form import Form, compile_form, encode

_ORDER = {API: 0, SCHEDULER: 1, VOLUME: 2}
_BLOCK = 50  # lines written at a time


@dataclass(slots=True, eq=False)
class Run:
    """One run of a flow as it was simulated: its plays in order."""

    service: str
    name: str
    number: int
    ids: dict[str, str]
    plays: list[Play] = field(default_factory=list)

    def span(self) -> FlowSpan:
        tasks: dict[str | None, tuple[list[str], list[int]]] = {}
        for play in self.plays:
            for record, step in play.script.steps:
                entered, whens = tasks.setdefault(step.task, ([], []))
                entered.append(step.new)
                whens.append(play.at(record))
        states, ats = tasks.pop(None)
        spans = tuple(_task(str(name), self.ids[f"uuid_{name}"], entered, whens) for name, (entered, whens) in tasks.items())
        start = ats[0] if states[0] == RUNNING else None
        end = ats[-1] if states[-1] in FINAL_FLOW_STATES else None
        return FlowSpan(self.service, self.name, self.ids["flow_uuid"], self.number, states[-1], start, end, _lapse(start, end), tasks=spans)


def _task(name: str, uuid: str, entered: list[str], whens: list[int]) -> TaskSpan:
    start = whens[0] if entered[0] == RUNNING else None
    return TaskSpan(name, uuid, tuple(entered), start, whens[-1], _lapse(start, whens[-1]))


def _lapse(start: int | None, end: int | None) -> tuple[int, int] | None:
    return None if start is None or end is None else (end - start, end - start)


@dataclass(slots=True, eq=False)
class Story:
    """What happens to one request while it is simulated. Instants are µs. ``reversed``: clocks show a receipt before its cast; ``shows``: what a clock that is set back shows when."""

    request_id: str
    global_request_id: str | None
    project: str | None
    user: str | None
    name: str | None
    size_gb: int | None
    volume_type: str | None
    zone: str | None
    path: str
    source: str | None = "blank"
    start: int = 0
    end: int = 0
    status: int | None = None
    volume_id: str | None = None
    backend: str | None = None
    attempts: int = 0
    runs: list[Run] = field(default_factory=list)
    handoffs: list[tuple[str, str, int, int | None, int | None, str | None]] = field(default_factory=list)
    failures: list[tuple[int, Failure]] = field(default_factory=list)
    outcome: Outcome = Outcome("unknown")
    faults: list[dict] = field(default_factory=list)
    reversed: bool = False
    shows: Callable[[int], int] | None = None

    def witness(self, play: Play) -> None:
        """Records with the request id are written: the timeline reaches at least to the last of them."""
        first, last = play.script.own
        if last >= first:
            lapses = play.shown or play.lapses
            start, end = play.begin + lapses[first], play.begin + lapses[last]
            if not self.start or start < self.start:
                self.start = start
            if end > self.end:
                self.end = end

    def hand_over(self, sender: str, receiver: str, attempt: int, sent: int | None, received: int | None, server: str | None = None) -> None:
        """A cast and its receipt, if there was one."""
        self.handoffs.append((sender, receiver, attempt, sent, received, server))
        if sent is not None and received is not None and received < sent:
            self.reversed = True

    def fail(self, at: int, service: str, flow: str, task: str, attempt: int, backend: str | None, exception: str, message: str) -> None:
        """A failure that the log tells, at a true instant."""
        self.failures.append((at, Failure(service, flow, task, attempt, backend, exception, message)))

    @property
    def shape(self) -> tuple | None:
        """What stories have in common whose truth differs in names, ids, instants, failures and faults only.

        None without a flow, or with a receipt that seems to come before its cast.
        """
        if not self.runs or self.reversed or self.shows:
            return None
        scripts = tuple([play.script.layout for run in self.runs for play in run.plays])
        return scripts, len(self.handoffs), self.outcome, self.status, self.source, self.attempts, self.volume_id is None

    @property
    def told_failures(self) -> list[Failure]:
        """The failures in their order."""
        return [failure for _, failure in sorted(self.failures, key=lambda pair: pair[0])]

    @property
    def begun_at(self) -> int:
        """The stamp of its first line."""
        return self.start if self.shows is None else self.shows(self.start)

    @property
    def timeline(self) -> Timeline:
        return self._true_timeline if self.shows is None else as_shown(self._true_timeline, self.shows)

    @property
    def _true_timeline(self) -> Timeline:
        runs = sorted(self.runs, key=lambda r: (r.number, _ORDER[r.service]))
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
            handoffs=tuple(_handoff(*handoff) for handoff in self.handoffs),
            failures=tuple(self.told_failures),
        )


def _handoff(sender: str, receiver: str, attempt: int, sent: int | None, received: int | None, server: str | None) -> Handoff:
    topic = VOLUME_TOPIC if receiver == VOLUME else SCHEDULER_TOPIC
    # Clocks of two hosts that differ may show that it was received before it was sent: nobody can say how long it took.
    wait = _lapse(sent, received)
    return Handoff(sender, receiver, topic, attempt, sent, received, wait if wait and wait[0] >= 0 else None, server)


class TruthWriter:
    """Writes stories in the order of their starts (then of their ids), holding back those that end before an earlier one."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.begun: dict[str, Story] = {}
        self.ended: set[str] = set()
        self.forms: dict[tuple, Form] = {}

    def begin(self, story: Story) -> None:
        """The request's first line has been written. Stories begin in the order of their starts."""
        self.begun[story.request_id] = story

    def end(self, story: Story) -> None:
        self.ended.add(story.request_id)

    def flush(self, now: int | None, slack: int = 0) -> None:
        """Writes the stories that started before ``now`` (all if None), up to the first that has not ended.

        That one may come to start ``slack`` (µs) earlier yet: another host's clock may be behind.
        """
        ready: list[Story] = []
        for request_id, story in self.begun.items():
            if request_id not in self.ended or (now is not None and story.start >= now):
                ready = [other for other in ready if other.start < story.start - slack]
                break
            ready.append(story)
        ready.sort(key=lambda s: (s.begun_at, s.request_id))
        for story in ready:
            del self.begun[story.request_id]
            self.ended.discard(story.request_id)
        for start in range(0, len(ready), _BLOCK):
            self.file.write(b"\n".join([*map(self.line, ready[start : start + _BLOCK]), b""]))

    def line(self, story: Story) -> bytes:
        """A story as a line of truth.jsonl."""
        shape = story.shape
        if shape is None:
            return encode(story)
        form = self.forms.get(shape)
        if form is None:
            form = compile_form(story)
            if form is None:
                return encode(story)
            self.forms[shape] = form
        return form.fill(story)
