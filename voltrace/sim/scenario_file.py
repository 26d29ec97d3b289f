"""Scenarios from TOML: keys become the values of `cloud`, and whoever wrote something else is told which line, which key, and what would be right."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path as File
from typing import Any

from ..errors import UsageError
from .cloud import INFINITE, UNKNOWN, Ask, Backend, Host, PoolShape, Project, RunFault, Scenario, VolumeType
from .scenario_rules import broken_rule
from .toml_lines import Path, key_lines, line_of

_CATALOGUE = "catalogue"
_LISTED: dict[str, type] = {
    "Host": Host,
    "PoolShape": PoolShape,
    "Backend": Backend,
    "VolumeType": VolumeType,
    "Project": Project,
    "Ask": Ask,
    "RunFault": RunFault,
}
# What stands beside [cloud] in a file; `name` and `usual_requests` are not the file's to say.
_BESIDE = ("text", "think_s", "requests", "faults")
_NOT_KEYS = ("name", "usual_requests")


@dataclass(slots=True)
class Places:
    """Where keys stand, for messages: ``FILE:LINE: cloud.backends[1].total_gb``, or the scenario's name where there is no file."""

    name: str
    lines: dict[Path, int] = field(default_factory=dict)

    def error(self, path: Path, says: str, named: bool = True) -> UsageError:
        """An error about the key at this path, which stands in front of what it says if it is ``named``."""
        line = line_of(self.lines, path)
        where = f"{self.name}:{line}" if line else self.name if self.lines else f"scenario {self.name}"
        return UsageError(f"{where}: {show_path(path) if named else ''}{says}")


def show_path(path: Path) -> str:
    """A path as a reader knows it: ``cloud.backends[1].total_gb``, items counted from 0."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def scenarios() -> dict[str, str]:
    """The built-in scenarios: name and one line of text each, those of the message catalogue behind the others."""
    captured = _read_built_in(_CATALOGUE)["scenarios"]
    plain = {name: table["text"] for name, table in captured.items()}
    variants = {f"{name}@{v}": table["text"] for name, table in captured.items() for v in table.get("variants", ())}
    return {name: _read_built_in(name)["text"] for name in _built_in()} | plain | variants


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
    return replace(read_scenario({"text": table["text"], "cloud": cloud, "requests": table["requests"]}, name), usual_requests=1)


@cache
def load_scenario(name: str) -> Scenario:
    """A built-in scenario by name, or one from a TOML file. Raises UsageError that names the file, the line and the key at fault."""
    if name in _built_in():
        return read_scenario(_read_built_in(name), name)
    captured = _captured(name)
    if captured:
        return captured
    if not name.endswith(".toml"):
        near = get_close_matches(name, scenarios(), 1)
        known = f"{', '.join(_built_in())}, the catalogue's keys (simulate --list), or give a FILE.toml"
        raise UsageError(f"no scenario '{name}'; {f'did you mean {near[0]}? ' if near else ''}there are {known}")
    try:
        text = File(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"scenario {name} cannot be read: {error}") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"scenario {name}: {error}") from None
    return read_scenario(data, name, key_lines(text))


def read_scenario(data: dict, name: str, lines: dict[Path, int] | None = None) -> Scenario:
    """A scenario from parsed TOML; ``lines`` are those of its keys, if it came from a file. Raises UsageError that names the key at fault."""
    places = Places(name, lines or {})
    keys = {f.name: f for f in fields(Scenario) if f.name not in _NOT_KEYS}
    beside = {key: f for key, f in keys.items() if key in _BESIDE}
    cloud = data.get("cloud", {})
    if not isinstance(cloud, dict):
        raise places.error(("cloud",), " must be a table [cloud]")
    values = _read_keys({k: v for k, v in data.items() if k != "cloud"}, beside, (), places, ("cloud",))
    values |= _read_keys(cloud, {key: f for key, f in keys.items() if key not in beside}, ("cloud",), places)
    scenario = Scenario(name=File(name).stem if name.endswith(".toml") else name, **values)
    broken = broken_rule(scenario)
    if broken:
        raise places.error(*broken)
    return scenario


def _read_keys(data: dict, known: dict[str, Field], path: Path, places: Places, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """The values of a table's keys, by name. Raises UsageError for a key that nobody knows or a value that does not fit."""
    values = {}
    for key, value in data.items():
        if key not in known:
            near = get_close_matches(key, (*known, *more), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted((*known, *more)))}"
            raise places.error((*path, key), f"{show_path(path) or 'a scenario'} has no key '{key}'; {hint}", named=False)
        values[key] = _read_value(value, known[key], (*path, key), places)
    return values


def _read_value(value: Any, key: Field, path: Path, places: Places) -> Any:
    kind = str(key.type).removesuffix(" | None")
    listed = _LISTED.get(kind.removeprefix("tuple[").removesuffix(", ...]"))
    if listed:
        return _read_tables(value, listed, path, places)
    wanted, accept = _KINDS[kind]
    read = accept(value)
    if read is None or not _within(read, key.metadata):
        raise places.error(path, f" must be {_wanted(wanted, key.metadata)}, not {_show(value)}")
    return read


def _read_tables(value: Any, kind: type, path: Path, places: Places) -> tuple:
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise places.error(path, f" must be one or more [[tables]], not {_show(value)}")
    known = {f.name: f for f in fields(kind)}
    needed = [f.name for f in known.values() if f.default is MISSING and f.default_factory is MISSING]
    items = []
    for n, item in enumerate(value):
        where = (*path, n)
        missing = [name for name in needed if name not in item]
        if missing:
            raise places.error(where, f" needs the key '{missing[0]}'")
        items.append(kind(**_read_keys(item, known, where, places)))
    return tuple(items)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15
    return float(value) if whole else None


def _room(value: Any) -> float | str | None:
    return value if value in (INFINITE, UNKNOWN) and isinstance(value, str) else _number(value)


def _list_of(accept: Callable[[Any], Any]) -> Callable[[Any], tuple | None]:
    def read(value: Any) -> tuple | None:
        items = tuple(map(accept, value)) if isinstance(value, list) else (None,)
        return None if None in items else items

    return read


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> dict[str, str] | None:
    return value if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()) else None


def _plain(value: Any) -> dict[str, Any] | None:
    plain = isinstance(value, dict) and all(isinstance(v, (str, bool)) or _number(v) is not None for v in value.values())
    return value if plain else None


_KINDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "str": ("text", _text),
    "bool": ("true or false", lambda value: value if isinstance(value, bool) else None),
    "int": ("a whole number", _whole),
    "float": ("a number", _number),
    "Room": (f"'{INFINITE}', '{UNKNOWN}' or a number", _room),
    "tuple[str, ...]": ("a list of texts", _list_of(_text)),
    "tuple[int, ...]": ("a list of whole numbers", _list_of(_whole)),
    "dict[str, str]": ("a table of texts", _texts),
    "dict[str, Any]": ("a table of texts, numbers, true and false", _plain),
}


def _within(value: Any, limits: Any) -> bool:
    least, most, choices = limits.get("least"), limits.get("most"), limits.get("choices")
    if choices:
        return all(item in choices for item in (value if isinstance(value, tuple) else (value,)))
    if isinstance(value, (str, bool)):
        return True
    return (least is None or value >= least) and (most is None or value <= most)


def _wanted(kind: str, limits: Any) -> str:
    """What a value must be, in words."""
    least, most, choices = limits.get("least"), limits.get("most"), limits.get("choices")
    if choices:
        return f"{'' if kind == 'text' else kind + ', each '}one of {', '.join(c for c in choices if c)}"
    if least is not None:
        return f"{kind} of {least:g} or more" if most is None else f"{kind} from {least:g} to {most:g}"
    return kind


def _show(value: Any) -> str:
    """A value as the file has it, cut where it is long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return f"[{', '.join(map(_show, value[:4]))}{', …' if len(value) > 4 else ''}]"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
