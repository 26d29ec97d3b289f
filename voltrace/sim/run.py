"""A whole simulation: checks the options, runs the cloud, and puts finished files where they belong. Nothing is left half-written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import BinaryIO

from ..collector import without_collector
from ..errors import UsageError
from ..formats import FORMATS, PACKINGS, SERVICE_FILES, Format, Packing
from ..messages import catalogue
from ..profile import Profile, default_profile, load_profile
from .cloud import Scenario
from .ids import Ids
from .journal import open_journal
from .load import Arrivals, read_arrivals, wishes
from .mishaps import cut_files, divide, lost_names, older_name, older_names, stepping_clock, watch
from .play import Plays
from .prefix import Prefix
from .progress import Progress
from .release import Release, load_release
from .scenario_file import load_scenario
from .script import Stage
from .services import open_services, run_load
from .site import Site
from .truth import TruthWriter
from .write import Merger, open_sheet


@dataclass(frozen=True, slots=True)
class Plan:
    """A simulation, its options checked. ``start`` is µs since the epoch; ``packing`` wraps the format's lines, if any does."""

    scenario: Scenario
    release: Release
    format: Format
    requests: int
    arrivals: Arrivals
    seed: int
    start: int
    colour: bool
    debug: bool
    profile: Profile
    packing: Packing | None = None


def make_plan(
    scenario: str = "devstack",
    release: str = "2026.2",
    format: str = "short-precise",
    requests: int | None = None,
    arrivals: str = "poisson:1",
    seed: int = 0,
    start: str = "2026-01-05T09:00:00Z",
    colour: bool = False,
    debug: bool = True,
    profile: str | None = None,
) -> Plan:
    """The options of ``voltrace simulate`` as values. Raises UsageError that says what would be right."""
    if format not in FORMATS and format not in PACKINGS:
        raise UsageError(f"no format '{format}'; there are {', '.join((*FORMATS, *PACKINGS))}")
    packing = PACKINGS.get(format)
    if requests is not None and requests < 1:
        raise UsageError(f"requests must be 1 or more, not {requests}")
    what = load_scenario(scenario)
    return Plan(
        what,
        load_release(release),
        packing.entries if packing else FORMATS[format],
        what.usual_requests if requests is None else requests,
        read_arrivals(arrivals),
        seed,
        read_start(start),
        colour,
        debug,
        load_profile(profile) if profile else default_profile(),
        packing,
    )


def read_start(text: str) -> int:
    """An ISO 8601 instant as µs since the epoch; UTC if it names no zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"start '{text}' must be an ISO 8601 instant such as 2026-01-05T09:00:00Z") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    if not 1 <= since.days < 365 * 200:  # an instant has at least six digits
        raise UsageError(f"start '{text}' must lie between 1970-01-02 and 2169")
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def simulate(plan: Plan, merged: BinaryIO, truth: BinaryIO, services: dict[str, BinaryIO] | None = None, older: dict[str, BinaryIO] | None = None) -> Merger:
    """Runs a plan and writes its lines and truths as they come. The merger knows the last stamp of each service's file.

    ``older`` are the files that take what a service wrote before its file is divided.
    """
    import simpy

    stage = Stage(plan.release, catalogue(), plan.format, plan.colour, plan.debug, plan.profile, plan.scenario.lines_of_libraries, plan.scenario.access_lines)
    journal, prefix, clock = open_journal(plan.scenario, plan.format), Prefix(plan.format), stepping_clock(plan.scenario, plan.start)
    sheet = open_sheet(prefix, clock, plan.packing.pack if plan.packing else None, journal)
    turns = divide(plan.scenario, plan.start, older) if older else None
    merger, truths = Merger(sheet, merged, services, turns), TruthWriter(truth)
    env = simpy.Environment(initial_time=plan.start)
    progress, plays = Progress(plan.requests), Plays(merger)

    def tick() -> None:
        until = plays.horizon(env.now)
        plays.write()
        merger.flush(until)
        if journal is None and clock is None:  # else it is not known yet which requests lose lines, or which come first by that clock
            truths.flush(*site.clocks.told(until))
        progress.show(site.sent)

    site = Site(env, plan.scenario, stage, prefix, plays, truths, plan.seed, tick)
    open_services(site)
    watch(site, plan.start)
    load = wishes(plan.scenario, plan.requests, Random(f"{plan.seed}/load"), Ids(f"{plan.seed}/global-ids"))
    with without_collector():
        run_load(site, load, plan.arrivals, Random(f"{plan.seed}/arrivals"))
        plays.write()
        merger.flush(None)
        if journal is not None:
            journal.announce(truths.begun)
        truths.flush(None)
    progress.clear()
    return merger


def simulate_into(plan: Plan, folder: Path, force: bool = False) -> None:
    """Runs a plan into a folder: a file a service, merged.log and truth.jsonl. They appear when all is done.

    Raises UsageError if the folder holds anything, unless ``force``: then those five files are replaced.
    """
    folder = Path(os.path.realpath(folder))
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} is not empty; name another folder, or say --force to replace what a simulation wrote there")
    with _workplace(folder) as place, ExitStack() as files:
        kept, lost = older_names(plan.scenario), lost_names(plan.scenario)
        names = (*SERVICE_FILES.values(), "merged.log", "truth.jsonl", *kept.values())
        opened = {name: files.enter_context(open(place / name, "wb")) for name in (*names, *lost.values())}
        by_service = {service: opened[name] for service, name in (SERVICE_FILES | lost).items()}
        older = kept | {service: SERVICE_FILES[service] for service in lost}
        merger = simulate(plan, opened["merged.log"], opened["truth.jsonl"], by_service, {service: opened[name] for service, name in older.items()})
        files.close()
        cut_files(plan.scenario, place)
        _date(plan, place, merger, older)
        folder.mkdir(parents=True, exist_ok=True)
        for service in SERVICE_FILES:
            if service not in kept:
                (folder / older_name(service)).unlink(missing_ok=True)
        for name in names:
            os.replace(place / name, folder / name)


def simulate_to(plan: Plan, merged: BinaryIO, truth: Path | None) -> None:
    """Runs a plan to a stream; the truth goes to a file that appears when all is done, or nowhere."""
    if truth is not None and truth.is_dir():
        raise UsageError(f"{truth} is a folder; --truth needs a file")
    if truth is None or (truth.exists() and not truth.is_file()):  # a pipe or device is written to, not replaced
        with open(truth or os.devnull, "wb") as file:
            simulate(plan, merged, file)
        return
    with _workplace(Path(os.path.realpath(truth))) as place:
        with open(place / "truth.jsonl", "wb") as file:
            simulate(plan, merged, file)
        os.replace(place / "truth.jsonl", truth)


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """A folder beside the target (its parent made if need be) or, if that is a folder, in it; gone at the end whatever happens."""
    parent = target if target.is_dir() else target.parent
    made = [p for p in (parent, *parent.parents) if not p.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    except OSError as error:
        raise UsageError(f"cannot write to {parent}: {error.strerror or error}") from None
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _date(plan: Plan, place: Path, merger: Merger, older: dict[str, str]) -> None:
    """Stamps without a year take it from the file's date: that of its last line."""
    if plan.format.has_year:
        return
    for service, at in merger.last.items():
        os.utime(place / SERVICE_FILES[service], ns=(at * 1000, at * 1000))
    for service, (_, at, _) in merger.turns.items():
        os.utime(place / older[service], ns=(at * 1000, at * 1000))
    last = max(merger.last.values(), default=plan.start)
    for name in ("merged.log", "truth.jsonl"):
        os.utime(place / name, ns=(last * 1000, last * 1000))
