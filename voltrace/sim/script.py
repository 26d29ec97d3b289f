"""Scripts: what one service writes in one stretch of a request, compiled once from catalogue rows and played many times.

A script is a list of lines; each has the pause before it (a figure of the profile) and a %-template of its text. Fields
that differ from request to request stay placeholders (`Field`); everything else is filled in when the script is compiled.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..formats import COLOURS, Format, write_body, write_context, write_traceback
from ..lifecycle import FAILURE, PENDING, REVERTED, REVERTING, RUNNING, SUCCESS, VOLUME_CREATE, Flow, Step, level_of
from ..messages import Catalogue
from ..profile import Profile
from .release import Release

TABLE_SIZE = 1024  # a power of two: a random number's low bits pick a value
_AT_ONCE = [0] * TABLE_SIZE
_CONVERSION = re.compile(r"%\((\w+)\)([-+ #0]*[\d.]*[sdrfi])")
_BARE = re.compile(r"%\((\w+)\)s")


class Field(str):
    """A piece of a template that is filled in when the script is played: text with ``%(name)s`` in it."""

    __slots__ = ()


def bind(wording: str, fields: dict) -> str:
    """A wording with these fields filled in, as a template: a `Field` stays open, a plain value is written out now."""

    def fill(match: re.Match[str]) -> str:
        value, conversion = fields[match[1]], match[2]
        if not isinstance(value, Field):
            return ("%" + conversion) % (value,) if "%" not in str(value) else (("%" + conversion) % (value,)).replace("%", "%%")
        if conversion == "s":
            return value
        bare = _BARE.fullmatch(value)
        if not bare:
            raise ValueError(f"{value!r} cannot be written with %{conversion}")
        return f"%({bare[1]}){conversion}"

    return _CONVERSION.sub(fill, wording)


class Values(dict):
    """What a script is played with: a request's fields. A field that is not there is made of the release's payloads."""

    __slots__ = ("payloads",)

    def __init__(self, payloads: dict[str, str], *fields: dict) -> None:
        for some in fields:
            self.update(some)
        self.payloads = payloads

    def __missing__(self, name: str) -> str:
        payload = self.payloads.get(name)
        text = self[name] = DERIVED[name](self) if payload is None else payload % self
        return text


def utc(at: int) -> str:
    """``2026-11-22T13:14:31`` of an instant."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 1_000_000))


def python_datetime(at: int) -> str:
    """The repr of a naive datetime."""
    parts = time.gmtime(at // 1_000_000)
    micros = f", {at % 1_000_000}" if at % 1_000_000 else ""
    return f"datetime.datetime({parts.tm_year}, {parts.tm_mon}, {parts.tm_mday}, {parts.tm_hour}, {parts.tm_min}, {parts.tm_sec}{micros})"


def python_timestamp(at: int) -> str:
    """The str of a naive datetime: ``2026-11-22 13:14:31.691264``."""
    return f"{utc(at).replace('T', ' ')}.{at % 1_000_000:06d}"


DERIVED: dict[str, Callable[[Values], str]] = {
    "created_z": lambda v: utc(v["created_at"]) + "Z",
    "created_iso": lambda v: utc(v["created_at"]) + ".000000",
    "scheduled_before_iso": lambda v: utc(v["scheduled_before"]) + ".000000",
    "scheduled_z": lambda v: utc(v["scheduled_at"]) + "Z",
    "cleared_at": lambda v: python_datetime(v["reschedule_at"]),
    "consumed": lambda v: python_timestamp(v["scheduled_at"]),
    "elapsed": lambda v: f"{(v['returned_at'] - v['run_at']) / 1e6:.3f}",
    **{f"elapsed_{n}": lambda v, n=n: f"{(v[f'returned_at_{n}'] - v[f'run_at_{n}']) / 1e6:.3f}" for n in range(30)},  # type: ignore[misc]
    "scratch": lambda v: v["volume_id"][:8],
    "device": lambda v: f"stack-volumes-{v['backend']}".replace("-", "--") + "-" + f"volume-{v['volume_id']}".replace("-", "--"),
    "type_asked": lambda v: v["type_object"],
    "until": lambda v: python_timestamp(v["zones_at"] + 3_600_000_000),
    "access_date": lambda v: time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(v["received_at"] // 1_000_000)),
    "milliseconds": lambda v: str((v["answered_at"] - v["received_at"]) // 1000),
}


@dataclass(slots=True)
class Stage:
    """Everything that lines depend on and that is the same for a whole run."""

    release: Release
    rows: Catalogue
    format: Format
    colour: bool
    debug: bool
    profile: Profile
    lines_of_libraries: bool
    access_lines: bool
    tables: dict[str, list[int]] = field(default_factory=dict)
    scripts: dict[tuple, Script] = field(default_factory=dict)

    def table(self, figure: str) -> list[int]:
        """Equally likely values (µs) of a figure, `TABLE_SIZE` of them."""
        table = self.tables.get(figure)
        if table is None:
            table = self.tables[figure] = self.profile[figure].tabulate(self.profile.levels, TABLE_SIZE)
        return table

    def script(self, make: Callable[..., Script], *variant) -> Script:
        """The script that ``make(stage, *variant)`` compiles, made once."""
        key = (make, *variant)
        found = self.scripts.get(key)
        if found is None:
            found = self.scripts[key] = make(self, *variant)
            found.serial = len(self.scripts)
        return found


@dataclass(slots=True, eq=False)
class Script:
    """Lines of one service: the pauses before them (a table of equally likely µs each) and their templates (None: not written).

    ``steps`` are the lifecycle's steps with the line that tells each; ``marks`` name lines whose instants are fields too.
    ``own`` are the first and last line that carry the request id. ``states`` is where the flow's tasks stand at the end.
    """

    service: str
    pauses: list[list[int]]
    texts: list[str | None]
    steps: tuple[tuple[int, Step], ...]
    marks: tuple[tuple[str, int], ...]
    own: tuple[int, int]
    states: dict[str | None, str]
    serial: int = 0


class Composer:
    """Writes a script line by line. Lines that the release does not have are left out."""

    def __init__(self, stage: Stage, service: str, run: int = 1, after: Script | None = None) -> None:
        self.stage, self.service, self.run = stage, service, run
        self.flow: Flow = VOLUME_CREATE.flow_of(service)
        begun: dict[str | None, str] = dict.fromkeys((None, *(t.name for t in self.flow.tasks)), PENDING)
        self.states = dict(after.states) if after else begun
        self.journal = stage.format.layout == "devstack"
        self.pauses: list[list[int]] = []
        self.texts: list[str | None] = []
        self.steps: list[tuple[int, Step]] = []
        self.marks: list[tuple[str, int]] = []
        self.own: list[int] = []

    def build(self) -> Script:
        own = (self.own[0], self.own[-1]) if self.own else (0, -1)
        return Script(self.service, self.pauses, self.texts, tuple(self.steps), tuple(self.marks), own, self.states)

    def has(self, key: str) -> bool:
        """Whether the release writes lines of this row."""
        return self.stage.release.name in self.stage.rows[key].lines

    def say(
        self,
        key: str,
        pause: str | None = "line",
        /,
        *,
        mark: str | None = None,
        summary: str = "",
        more: Iterable[str] = (),
        trace: Iterable[str] = (),
        anonymous: bool = False,
        alone: bool = False,
        **fields,
    ) -> bool:
        """A line of the catalogue's row ``key``, if the release has it. ``more`` are the message's further text lines, ``trace`` a traceback's.

        ``anonymous``: before anybody is known; ``alone``: outside of all requests.
        ``pause`` names the profile's figure of this service that passes before it, None if nothing does.
        """
        if not self.has(key):
            return False
        row = self.stage.rows[key]
        message = bind(row.wording, fields) + summary
        self._record(row, message, tuple(more), tuple(trace), anonymous, alone, pause)
        if mark:
            self.mark(mark)
        return True

    def say_either(self, key: str, other: str, pause: str | None = "line", /, **more) -> bool:
        """A line of the row ``key``, or of ``other`` in releases that do not have that."""
        return self.say(key, pause, **more) or self.say(other, pause, **more)

    def mark(self, name: str) -> None:
        """Names the instant of the last line."""
        self.marks.append((name, len(self.texts) - 1))

    def _record(self, row, message: str, more: tuple[str, ...], trace: tuple[str, ...], anonymous: bool, alone: bool, pause: str | None) -> None:
        stage, layout = self.stage, self.stage.format.layout
        self._pause(pause)
        if not alone:
            self.own.append(len(self.texts))
        if row.level == "DEBUG" and not stage.debug:
            self.texts.append(None)
            return
        colour = COLOURS[row.level] if stage.colour and self.journal else ""
        suffix = ("%(pid)s", row.function, stage.release.source(row.path), row.lines[stage.release.name]) if row.level == "DEBUG" else None
        body = write_body(layout, row.level, row.logger, self._context(colour, anonymous, alone), "\n".join((message, *more)), suffix, colour)
        lines = body.split("\n")
        text = "%(prefix)s" + ("\n%(prefix)s".join(line for line in lines if line) if self.journal else "\n".join(lines))
        for line in trace:
            text += "\n%(prefix)s" + write_traceback(layout, row.logger, line, colour)
        self.texts.append(text)

    def _context(self, colour: str, anonymous: bool, alone: bool) -> str:
        if alone:
            return write_context(self.stage.format.layout, self.stage.release.name, None, None, ("", ""), ("", ""), colour)
        if not colour and not anonymous:
            return "%(context)s"
        nobody = ("None", "-")
        project, user = (nobody, nobody) if anonymous else (("%(project_name)s", "%(project_id)s"), ("%(user_shown)s", "%(user_id)s"))
        return write_context(self.stage.format.layout, self.stage.release.name, "%(request_id)s", "%(global_request_id)s", project, user, colour)

    def _pause(self, figure: str | None) -> None:
        self.pauses.append(_AT_ONCE if figure is None else self.stage.table(figure if "/" in figure else f"{self.service}/{figure}"))

    def raw(self, *lines: str, pause: str | None = None) -> None:
        """Lines past the log (stderr, the web server's own): in journals only."""
        if self.journal:
            self._pause(pause)
            self.texts.append("\n".join("%(prefix)s" + line for line in lines))

    def stderr(self, after: str) -> None:
        """What libraries print behind the line or before the end of the task ``after``."""
        lines = self.stage.release.stderr.get(after) if self.stage.lines_of_libraries else None
        if lines:
            self.raw(*(line.replace("%", "%%") for line in lines), pause="line")

    def enter(
        self,
        task: str | None,
        new: str,
        pause: str | None = "line",
        *,
        result: str | None = None,
        mark: str | None = None,
        more: Iterable[str] = (),
        trace: Iterable[str] = (),
        summary: str = "",
    ) -> None:
        """A step of the flow (``task`` None) or of a task, with the line that tells it. ``result`` is a template."""
        old = self.states[task]
        self.states[task] = new
        level = level_of(task is not None, new)
        if task is None:
            key = "flow-transition" if level == "DEBUG" else "flow-transition-warning"
            fields = {"flow": self.flow.name, "uuid": Field("%(flow_uuid)s")}
        else:
            named = next(t for t in self.flow.tasks if t.name == task)
            fields = {"task": named.logged_as, "uuid": Field(f"%(uuid_{task})s")}
            if new == FAILURE:
                key = "task-failure"
            elif result is None or not self.stage.debug:
                key = "task-transition" if level == "DEBUG" else "task-transition-warning"
            else:
                key = "task-transition-result" if level == "DEBUG" else "task-reverted"
        self.say(f"{key}-{self.service}", pause, mark=mark, summary=summary, more=more, trace=trace, state=new, old=old, result=Field(result or ""), **fields)
        self.steps.append((len(self.texts) - 1, Step(self.flow.name, self.run, task, old, new)))

    def dump(self, error: str) -> tuple[str, ...]:
        """What a failure that nobody expected shows of the tasks before it: the latest first, each indented below the one before."""
        before = [t for t in self.flow.tasks if self.states[t.name] == SUCCESS]
        lines = [f"{len(before) + 1} predecessors (most recent first):"]
        for depth, task in enumerate(reversed(before)):
            lines.append(f"{'   ' * (depth - 1)}{'  |__' if depth else '  '}Atom '{task.logged_as}' %(atom_{task.name})s")
        lines.append(f"{'   ' * (len(before) - 1)}  |__Flow '{self.flow.name}': {error}" if before else f"  Flow '{self.flow.name}': {error}")
        return tuple(lines)

    def succeed(self, task: str, pause: str = "line", result: str = "None", **more) -> None:
        self.enter(task, SUCCESS, pause, result=result, **more)

    def start(self, task: str, pause: str = "line", **more) -> None:
        self.enter(task, RUNNING, pause, **more)

    def revert(self, task: str, result: str = "None", pause: str = "line") -> None:
        """A task's revert in one go."""
        self.enter(task, REVERTING)
        self.enter(task, REVERTED, pause, result=result)
