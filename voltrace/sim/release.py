"""A release as its lines show it: paths, reprs, tracebacks and manners, from one TOML a release. Wordings are the catalogue's."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ..errors import UsageError
from ..formats import RELEASES


@dataclass(frozen=True, slots=True)
class Release:
    """What differs between releases beyond wording and line numbers.

    ``payloads`` are %-templates of reprs, which may name one another; ``atoms`` those of the dumps under a failed task;
    ``tracebacks`` those of frames, by what raised; ``stderr`` what libraries print past the log, by what it comes with.
    """

    name: str
    version: str
    code: str
    libraries: str
    unicode: str
    qualified: bool
    size_zero: str
    size_text: str
    body_order: tuple[str, ...]
    flags: frozenset[str]
    stderr: dict[str, list[str]]
    payloads: dict[str, str]
    atoms: dict[str, str]
    tracebacks: dict[str, list[str]]

    def source(self, path: str) -> str:
        """The full path that a debug suffix shows for a catalogue's path."""
        return (self.code if path.startswith("cinder/") else self.libraries) + path

    def summary(self, exception: str) -> str:
        """An exception's name in error summaries and tracebacks; ``exception`` is its full name."""
        return exception if self.qualified else exception.rpartition(".")[2]

    def python(self, value: object) -> str:
        """The repr of a value as this release's Python writes it."""
        if isinstance(value, str):
            return self.unicode + (ascii(value) if self.unicode else repr(value))
        return repr(value)

    def texts(self, values: tuple[str, ...]) -> str:
        """The repr of a list of texts."""
        return f"[{', '.join(map(self.python, values))}]"

    def body(self, volume: dict) -> str:
        """The repr of a parsed request body ``{"volume": volume}``."""
        items = {self.python(k): self.python(v) for k, v in volume.items()}
        if self.body_order:
            known = {"'scheduler_hints'" if k == "scheduler_hints" else self.python(k): k for k in self.body_order}
            items["'scheduler_hints'"] = "{}"
            items = {k: items[k] for k in (*known, *(i for i in items if i not in known)) if k in items}
        return f"{{{self.python('volume')}: {{{', '.join(f'{k}: {v}' for k, v in items.items())}}}}}"


def releases() -> list[str]:
    """The names of the releases that can be simulated, oldest first."""
    there = {f.name.removesuffix(".toml") for f in resources.files(__package__).joinpath("releases").iterdir() if f.name.endswith(".toml")}
    return [name for name in RELEASES if name in there]


@cache
def load_release(name: str) -> Release:
    """The release of that name. Raises UsageError that names those that exist."""
    known = releases()
    if name not in known:
        raise UsageError(f"no release '{name}' to simulate; there are {', '.join(known)}")
    data = _read(name)
    return Release(
        name=data["name"],
        version=data["version"],
        code=data["code"],
        libraries=data["libraries"],
        unicode=data["unicode"],
        qualified=data["qualified"],
        size_zero=data["size_zero"],
        size_text=data["size_text"],
        body_order=tuple(data["body_order"]),
        flags=frozenset(data["flags"]),
        stderr=data.get("stderr", {}),
        payloads=data["payloads"],
        atoms=data["atoms"],
        tracebacks=data["tracebacks"],
    )


def _read(name: str) -> dict:
    """A release's data. What it does not hold itself is that of the release that it is ``like``; an empty table empties the other's."""
    own = tomllib.loads(resources.files(__package__).joinpath("releases", f"{name}.toml").read_text("utf-8"))
    if "like" not in own:
        return own
    data = _read(own["like"])
    return data | {key: data[key] | value if value and isinstance(value, dict) and key in data else value for key, value in own.items()}
