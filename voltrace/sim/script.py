"""Scripts: what one service writes in one stretch of a request, compiled once from catalogue rows and played many times.

A script is a list of records; each has the pause before it (a figure of the profile) and a template of its text. Fields
that differ from request to request stay open (`Field`); everything else is filled in when the script is compiled.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from ..formats import COLOURS, Format, write_body, write_context, write_traceback
from ..kernel import load
from ..lifecycle import FAILURE, PENDING, REVERTED, REVERTING, RUNNING, SUCCESS, VOLUME_CREATE, Flow, Step, level_of
from ..messages import Catalogue
from ..profile import Profile
from .release import Release
from .template import PREFIX, Field, Records, bind, compile_records
from .work import IN_DATABASE, Stretch, stretches

TABLE_SIZE = 1024  # a power of two: a random number's low bits pick a value
_BLOCK = 256  # at most so many plays' times are drawn together
_AT_ONCE = array("q", bytes(8 * TABLE_SIZE))


@dataclass(slots=True)
class Stage:
    """Everything that lines depend on and that is the same for a whole run. ``payloads`` are the release's reprs, atoms' among them."""

    release: Release
    rows: Catalogue
    format: Format
    colour: bool
    debug: bool
    profile: Profile
    lines_of_libraries: bool
    access_lines: bool
    payloads: dict[str, str] = field(default_factory=dict)
    tables: dict[str, array[int]] = field(default_factory=dict)
    scripts: dict[tuple, Script] = field(default_factory=dict)
    layouts: dict[tuple, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.payloads = {**self.release.payloads, **{f"atom_{name}": text for name, text in self.release.atoms.items()}}

    @property
    def shows_access(self) -> bool:
        """Whether the web server's access lines are in the API's log: files that Cinder writes itself have none."""
        return self.access_lines and self.format.layout == "devstack"

    def table(self, figure: str) -> array[int]:
        """Equally likely values (µs) of a figure, `TABLE_SIZE` of them."""
        table = self.tables.get(figure)
        if table is None:
            table = self.tables[figure] = self.profile.tabulate(figure, TABLE_SIZE)
        return table

    def script(self, make: Callable[..., Script], *variant) -> Script:
        """The script that ``make(stage, *variant)`` compiles, made once."""
        key = (make, *variant)
        found = self.scripts.get(key)
        if found is None:
            found = self.scripts[key] = make(self, *variant)
            found.serial = len(self.scripts)
            found.layout = self.layouts.setdefault((len(found.pauses), found.steps, found.marks), found.serial)
        return found


@dataclass(slots=True, eq=False)
class Script:
    """Records of one service: the pauses before them (a table of equally likely µs each), and those that are written, compiled.

    ``steps`` are the lifecycle's steps with the record that tells each; ``marks`` name records whose instants are fields too.
    ``own`` are the first and last record that carry the request id. ``states`` is where the flow's tasks stand at the end.
    Scripts of one ``layout`` have the same steps and marks at the same places. ``written`` are the numbers of the records that the level lets pass (None: all).
    ``stretches`` divide the records by what is done before them: computing, or the database's work.
    """

    service: str
    pauses: list[array[int]]
    records: Records
    written: tuple[int, ...] | None
    steps: tuple[tuple[int, Step], ...]
    marks: tuple[tuple[str, int], ...]
    own: tuple[int, int]
    states: dict[str | None, str]
    payloads: dict[str, str]
    stretches: tuple[Stretch, ...] = ()
    serial: int = 0
    layout: int = 0
    block: int = 1
    drawn: list[array[int]] = field(default_factory=list)

    def draw(self, times: Random) -> array[int]:
        """The lapse (µs) from the beginning to each record of a play."""
        if not self.drawn:
            # A block of plays at a time costs less.
            self.block = min(_BLOCK, 4 * self.block)
            self.drawn = _draw()(self.pauses, times.randbytes(2 * self.block * len(self.pauses)), self.block)
        return self.drawn.pop()


def _draw() -> Callable[[list[array[int]], bytes, int], list[array[int]]]:
    kernel = load("sim._draws")
    if kernel is not None:
        return kernel.draw
    from .draws import draw

    return draw


class Composer:
    """Writes a script line by line. Lines that the release does not have are left out."""

    def __init__(self, stage: Stage, service: str, run: int = 1, after: Script | None = None) -> None:
        self.stage, self.service, self.run = stage, service, run
        self.flow: Flow = VOLUME_CREATE.flow_of(service)
        begun: dict[str | None, str] = dict.fromkeys((None, *(t.name for t in self.flow.tasks)), PENDING)
        self.states = dict(after.states) if after else begun
        self.payloads = dict(after.payloads if after else stage.payloads)
        self.journal = stage.format.layout == "devstack"
        self.pauses: list[array[int]] = []
        self.works: list[bool] = []
        self.texts: list[str | None] = []
        self.steps: list[tuple[int, Step]] = []
        self.marks: list[tuple[str, int]] = []
        self.own: list[int] = []

    def build(self) -> Script:
        own = (self.own[0], self.own[-1]) if self.own else (0, -1)
        written = [n for n, text in enumerate(self.texts) if text is not None]
        records = compile_records([text for text in self.texts if text is not None], self.payloads)
        return Script(
            self.service,
            self.pauses,
            records,
            None if len(written) == len(self.texts) else tuple(written),
            tuple(self.steps),
            tuple(self.marks),
            own,
            self.states,
            self.payloads,
            stretches(self.works),
        )

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
        text = PREFIX + (f"\n{PREFIX}".join(line for line in lines if line) if self.journal else "\n".join(lines))
        for line in trace:
            text += f"\n{PREFIX}" + write_traceback(layout, row.logger, line, colour)
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
        named = figure if figure is None or "/" in figure else f"{self.service}/{figure}"
        self.pauses.append(_AT_ONCE if named is None else self.stage.table(named))
        self.works.append(named in IN_DATABASE)

    def raw(self, *lines: str, pause: str | None = None) -> None:
        """Lines past the log (stderr, the web server's own): in journals only."""
        if self.journal:
            self._pause(pause)
            self.texts.append("\n".join(PREFIX + line for line in lines))

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
