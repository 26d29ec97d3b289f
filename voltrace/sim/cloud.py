"""Scenarios: a cloud (workers, backends, volume types, projects with quotas) and what its clients ask for, from TOML."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .faults import FAULTS, SOURCES, Fault


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend with one pool. ``total_gb`` None is a driver that reports infinite capacity; ``slots`` work at a time in the driver.

    Without a name it is the only one of its service, which then has the node's name alone (Cinder without ``enabled_backends``).
    """

    name: str
    pool: str = ""
    driver: str = "lvm"
    total_gb: float | None = 1024.0
    slots: int = 1


@dataclass(frozen=True, slots=True)
class VolumeType:
    """A volume type. Its only extra spec here may be ``volume_backend_name``: the backend that it asks for.

    ``new``: no API worker has met it before, not even warm ones.
    """

    name: str
    specs: dict[str, str] = field(default_factory=dict)
    new: bool = False

    @property
    def backend(self) -> str | None:
        return self.specs.get("volume_backend_name")


@dataclass(frozen=True, slots=True)
class Project:
    """A project with its user and quotas; -1 is no limit."""

    name: str
    user: str
    volumes: int = -1
    gigabytes: int = -1
    per_volume_gigabytes: int = -1


@dataclass(frozen=True, slots=True)
class Ask:
    """A kind of request: of 100 requests, ``weight`` are of this kind. Sizes, types, projects and names are taken in turn at random."""

    weight: float
    sizes: tuple[int, ...] = (1,)
    types: tuple[str, ...] = ("",)
    projects: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    zone: str = ""
    global_id: float = 0.0
    fault: str = ""
    source: str = ""

    @property
    def trouble(self) -> Fault | None:
        return FAULTS.get(self.fault)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cloud and its load. ``background_s`` is the period of the services' own lines, 0 for none; ``lines_of_libraries`` whether libraries' lines
    show, ``access_lines`` whether the web server's do.

    ``warm`` services have served requests before: nothing is met for the first time. With ``fresh_reports`` the backends have reported since.
    ``size_first``: clients name the size before the rest. ``start_up``: the log begins with the services' start.
    ``poll_s``: how long clients wait before they ask (again) what became of their volume; 0: they do not ask.
    ``usual_requests`` is how many requests are sent unless somebody says.
    """

    name: str
    text: str
    node: str
    endpoint: str
    zone: str
    api_workers: int
    max_attempts: int
    default_type: str
    background_s: int
    lines_of_libraries: bool
    warm: bool
    access_lines: bool
    fresh_reports: bool
    size_first: bool
    start_up: bool
    poll_s: float
    backends: tuple[Backend, ...]
    types: tuple[VolumeType, ...]
    projects: tuple[Project, ...]
    requests: tuple[Ask, ...]
    usual_requests: int = 20

    def type(self, name: str) -> VolumeType | None:
        """The volume type of that name, or None."""
        return next((t for t in self.types if t.name == name), None)

    def project(self, name: str) -> Project:
        """The project of that name."""
        return next(p for p in self.projects if p.name == name)


_CLOUD = {
    "node": "controller",
    "endpoint": "http://127.0.0.1/volume",
    "zone": "nova",
    "api_workers": 2,
    "max_attempts": 3,
    "default_type": "",
    "background_s": 60,
    "lines_of_libraries": True,
    "warm": False,
    "access_lines": True,
    "fresh_reports": False,
    "size_first": False,
    "start_up": False,
    "poll_s": 0.0,
}


_CATALOGUE = "catalogue"


def scenarios() -> dict[str, str]:
    """The built-in scenarios: name and one line of text each, those of the message catalogue behind the others."""
    captured = _read_built_in(_CATALOGUE)["scenarios"]
    plain = {name: table["text"] for name, table in captured.items()}
    variants = {f"{name}@{v}": table["text"] for name, table in captured.items() for v in table.get("variants", ())}
    return {name: load_scenario(name).text for name in _built_in()} | plain | variants


@cache
def _built_in() -> tuple[str, ...]:
    names = (f.name.removesuffix(".toml") for f in resources.files(__package__).joinpath("scenarios").iterdir() if f.name.endswith(".toml"))
    return tuple(sorted(name for name in names if name != _CATALOGUE))


@cache
def _read_built_in(name: str) -> dict:
    return tomllib.loads(resources.files(__package__).joinpath("scenarios", f"{name}.toml").read_text("utf-8"))


def _captured(name: str) -> Scenario | None:
    """A scenario of the message catalogue, by its key, with ``@max_attempts=1`` behind it if need be; None if there is no such key."""
    key, at, variant = name.partition("@")
    data = _read_built_in(_CATALOGUE)
    table = data["scenarios"].get(key)
    if table is None or (at and variant != "max_attempts=1"):
        return None
    cloud = data["cloud"] | table.get("cloud", {}) | ({"max_attempts": 1} if at else {})
    requests = [{"weight": 1, **ask} for ask in table["requests"]]
    return replace(read_scenario({"text": table["text"], "cloud": cloud, "requests": requests}, name), usual_requests=1)


@cache
def load_scenario(name: str) -> Scenario:
    """A built-in scenario by name, or one from a TOML file. Raises UsageError that names the key at fault."""
    if name in _built_in():
        return read_scenario(_read_built_in(name), name)
    captured = _captured(name)
    if captured:
        return captured
    if name.endswith(".toml"):
        try:
            text = Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"scenario {name} cannot be read: {error}") from None
    else:
        raise UsageError(f"no scenario '{name}'; there are {', '.join(_built_in())}, the catalogue's keys (simulate --list), or give a FILE.toml")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"scenario {name}: {error}") from None
    return read_scenario(data, name)


def read_scenario(data: dict, name: str) -> Scenario:
    """A scenario from parsed TOML. Raises UsageError that names the key at fault."""
    cloud = data.get("cloud", {})
    _refuse_unknown(data, {"text", "cloud", "requests"}, f"scenario {name}")
    _refuse_unknown(cloud, {*_CLOUD, "backends", "types", "projects"}, f"scenario {name}: cloud")
    settings = {key: _same_type(cloud.get(key, default), default, f"scenario {name}: cloud.{key}") for key, default in _CLOUD.items()}
    scenario = Scenario(
        name=Path(name).stem if name.endswith(".toml") else name,
        text=str(data.get("text", "")),
        backends=tuple(_read(Backend, b, f"scenario {name}: cloud.backends") for b in _tables(cloud, "backends", name)),
        types=tuple(_read(VolumeType, t, f"scenario {name}: cloud.types") for t in _tables(cloud, "types", name)),
        projects=tuple(_read(Project, p, f"scenario {name}: cloud.projects") for p in _tables(cloud, "projects", name)),
        requests=tuple(_read(Ask, r, f"scenario {name}: requests") for r in _tables(data, "requests", name)),
        **settings,
    )
    _check(scenario, f"scenario {name}")
    return scenario


def _tables(data: dict, key: str, name: str) -> list[dict]:
    found = data.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(item, dict) for item in found):
        raise UsageError(f"scenario {name}: {key} must be one or more [[tables]]")
    return found


def _refuse_unknown(data: dict, known: set[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise UsageError(f"{where}: unknown key '{key}'; there are {', '.join(sorted(known))}")


def _same_type(value: Any, default: Any, where: str) -> Any:
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(default):
        raise UsageError(f"{where} must be of type {type(default).__name__}, not {type(value).__name__}")
    return value


_TYPES = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
    "float | None": (int, float),
    "dict[str, str]": (dict,),
    "tuple[str, ...]": (list, tuple),
    "tuple[int, ...]": (list, tuple),
}


def _read(kind: type, data: dict, where: str) -> Any:
    known = {f.name: f for f in fields(kind)}
    _refuse_unknown(data, set(known), where)
    values = {}
    for key, value in data.items():
        expected = _TYPES[str(known[key].type)]
        if isinstance(value, bool) != (expected == (bool,)) or not isinstance(value, expected):
            raise UsageError(f"{where}.{key} must be {' or '.join(t.__name__ for t in expected)}, not {type(value).__name__}")
        if "int" in str(known[key].type) and isinstance(value, (list, tuple)) and not all(isinstance(v, int) for v in value):
            raise UsageError(f"{where}.{key} must be a list of whole numbers")
        if str(known[key].type) == "float | None":
            number = float(value)
            value = None if number < 0 else number
        values[key] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**values)
    except TypeError as error:
        raise UsageError(f"{where}: {str(error).rpartition('() ')[2]}") from None


def _reached(scenario: Scenario, ask: Ask) -> list[Backend]:
    """The backends that volumes of this kind may come to lie on."""
    kinds = [scenario.type(name or scenario.default_type) for name in ask.types]
    return [b for b in scenario.backends if any(kind is None or kind.backend in (None, b.name) for kind in kinds)]


def _check(scenario: Scenario, where: str) -> None:
    if not scenario.poll_s == 0 and not 0.1 <= scenario.poll_s <= 3600:
        raise UsageError(f"{where}: cloud.poll_s must be 0, or from 0.1 to 3600")
    if scenario.api_workers < 1 or scenario.max_attempts < 1 or scenario.background_s < 0:
        raise UsageError(f"{where}: cloud.api_workers and cloud.max_attempts must be 1 or more, cloud.background_s 0 or more")
    for backend in scenario.backends:
        if backend.driver not in ("lvm", "fake") or backend.slots < 1:
            raise UsageError(f"{where}: backend {backend.name}: driver must be lvm or fake, slots 1 or more")
    for kind in scenario.types:
        if set(kind.specs) - {"volume_backend_name"}:
            raise UsageError(f"{where}: type {kind.name}: specs may hold volume_backend_name only")
    for ask in scenario.requests:
        if any("\n" in name for name in ask.names):
            raise UsageError(f"{where}: requests.names must be of one line each")
    types, projects = {t.name for t in scenario.types}, {p.name for p in scenario.projects}
    if scenario.default_type not in types:
        raise UsageError(f"{where}: cloud.default_type '{scenario.default_type}' is none of {', '.join(sorted(types))}")
    if sum(ask.weight for ask in scenario.requests) <= 0 or any(ask.weight < 0 for ask in scenario.requests):
        raise UsageError(f"{where}: requests.weight must be 0 or more, and more than 0 in sum")
    for ask in scenario.requests:
        if ask.fault and not ask.trouble:
            raise UsageError(f"{where}: requests.fault '{ask.fault}' is none of {', '.join(FAULTS)}")
        if ask.trouble and ask.trouble.deviations and not scenario.background_s:
            raise UsageError(f"{where}: fault {ask.fault} needs cloud.background_s: only logs that go on prove that nothing more came")
        if ask.source and ask.source not in SOURCES:
            raise UsageError(f"{where}: requests.source '{ask.source}' is none of {', '.join(SOURCES)}")
        made_from = ask.source or (ask.trouble.source if ask.trouble else "")
        if made_from in ("volume", "snapshot") and not ask.fault and any(b.driver == "lvm" for b in _reached(scenario, ask)):
            raise UsageError(f"{where}: requests.source '{made_from}' is simulated for backends of driver fake only")
        if ask.fault == "device-missing" and any(b.driver != "lvm" for b in _reached(scenario, ask)):
            raise UsageError(f"{where}: fault device-missing is simulated for backends of driver lvm only")
        for name in ask.types:
            if name and name not in types:
                raise UsageError(f"{where}: requests.types '{name}' is none of {', '.join(sorted(types))}")
        for name in ask.projects:
            if name not in projects:
                raise UsageError(f"{where}: requests.projects '{name}' is none of {', '.join(sorted(projects))}")
        if not ask.sizes or not ask.types:
            raise UsageError(f"{where}: requests.sizes and requests.types must not be empty")
        missing = (
            [key for key in ask.trouble.needs if (key == "volume_type" and ask.types == ("",)) or (key == "size" and ask.sizes == (1,))] if ask.trouble else []
        )
        if missing:
            raise UsageError(f"{where}: fault {ask.fault} needs requests.{'types' if missing[0] == 'volume_type' else 'sizes'}")
