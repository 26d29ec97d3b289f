"""What clients ask for, and when: requests drawn from a scenario's mix, and arrival processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from ..errors import UsageError
from .cloud import Ask, Scenario
from .fault import SOURCES, Fault
from .ids import Ids

_BLOCK = 100
_write_text = json.encoder.encode_basestring_ascii


@dataclass(frozen=True, slots=True)
class Wish:
    """One request as the client sends it. ``volume`` is the inside of the JSON body."""

    number: int
    project: str
    user: str
    volume: dict
    fault: Fault | None
    global_request_id: str | None
    source: str = "blank"
    source_id: str = ""

    @property
    def body(self) -> str:
        return f'{{"volume": {{{", ".join([f"{_write_text(key)}: {_write(value)}" for key, value in self.volume.items()])}}}}}'


def _write(value: object) -> str:
    """A value as `json.dumps` writes it, which makes an encoder each time."""
    return _write_text(value) if type(value) is str else repr(value) if type(value) is int else json.dumps(value)


def apportion(asks: tuple[Ask, ...], size: int) -> list[int]:
    """How many of ``size`` requests are of each kind: by weight, largest remainder first."""
    total = sum(ask.weight for ask in asks)
    exact = [ask.weight * size / total for ask in asks]
    counts = [int(x) for x in exact]
    for i in sorted(range(len(asks)), key=lambda i: (counts[i] - exact[i], i))[: size - sum(counts)]:
        counts[i] += 1
    return counts


def wishes(scenario: Scenario, requests: int, rng: Random, ids: Ids) -> Iterator[Wish]:
    """The requests of a run, in the order in which they are sent: shuffled blocks that hold every kind in its share."""
    kinds: list[int] = []
    for number in range(1, requests + 1):
        if not kinds:
            size = min(_BLOCK, requests - number + 1)
            kinds = [kind for kind, count in enumerate(apportion(scenario.requests, size)) for _ in range(count)]
            rng.shuffle(kinds)
        yield _wish(scenario, scenario.requests[kinds.pop()], number, rng, ids)


def _wish(scenario: Scenario, ask: Ask, number: int, rng: Random, ids: Ids) -> Wish:
    project = scenario.project(rng.choice(ask.projects or tuple(p.name for p in scenario.projects[:1])))
    fault = ask.trouble
    name = rng.choice(ask.names) if ask.names else f"vol-{number:04d}"
    volume: dict[str, object] = {"name": name} if name else {}
    size = rng.choice(ask.sizes)
    volume = {"size": size} | volume if scenario.size_first else volume | {"size": size}
    kind = rng.choice(ask.types)
    if kind:
        volume["volume_type"] = kind
    if ask.zone:
        volume["availability_zone"] = ask.zone
    source = ask.source or (fault.source if fault else "")
    source_id = ids.one() if source else ""
    if source:
        volume[SOURCES[source]] = source_id
    if fault:
        volume |= fault.asks
    global_id = f"req-{ids.one()}" if ask.global_id and rng.random() < ask.global_id else None
    return Wish(number, project.name, project.user, volume, fault, global_id, source or "blank", source_id)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When requests come: ``burst`` all at once, ``every`` so many µs, ``poisson`` with that rate, ``closed`` by clients who wait."""

    kind: str
    value: float = 0.0

    def pause(self, rng: Random) -> int:
        """The time to the next request of an open process, µs."""
        return round(self.value * 1e6) if self.kind == "every" else round(rng.expovariate(self.value) * 1e6)


_FORMS = "burst, every:SECONDS, poisson:RATE or closed:CLIENTS"


def read_arrivals(text: str) -> Arrivals:
    """An arrival process as the command line names it. Raises UsageError that says what would be right."""
    kind, _, number = text.partition(":")
    if text == "burst":
        return Arrivals("burst")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    whole = kind != "closed" or value == int(value) if value == value and abs(value) < 1e9 else False
    if kind not in ("every", "poisson", "closed") or not whole or value < 0 or (value == 0 and kind != "every"):
        raise UsageError(f"arrivals '{text}' must be {_FORMS}, such as poisson:1")
    return Arrivals(kind, value)
