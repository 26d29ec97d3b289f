"""Templates: wordings and reprs with open fields, put together when a script is compiled and filled many times.

A template is %-text with ``%(name)s`` in it. `compile_records` makes one function of a script's records, so that a play is
one call whatever the number of its lines.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import itemgetter
from typing import ClassVar

from ..encode import write_second

PREFIX = "%(prefix)s"
_FIELD = re.compile(r"%%|%\((\w+)\)([-+ #0]*[\d.]*[sdrfi])")
_GAP = re.compile(r"%%|%\((\w+|%\(\w+\)[^)]+)\)s")  # of a compiled record: the name may hold a conversion
_SELDOM = 3  # uses before a function is made of records: many scripts of a small run are used no more often
_BARE = re.compile(r"%\((\w+)\)s")


class Field(str):
    """A piece of a template that is filled in when the script is played: text with ``%(name)s`` in it."""

    __slots__ = ()


def bind(wording: str, fields: dict) -> str:
    """A wording with these fields filled in, as a template: a `Field` stays open, a plain value is written out now."""

    def fill(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0]
        value, conversion = fields[match[1]], match[2]
        if not isinstance(value, Field):
            return ("%" + conversion) % (value,) if "%" not in str(value) else (("%" + conversion) % (value,)).replace("%", "%%")
        if conversion == "s":
            return value
        bare = _BARE.fullmatch(value)
        if not bare:
            raise ValueError(f"{value!r} cannot be written with %{conversion}")
        return f"%({bare[1]}){conversion}"

    return _FIELD.sub(fill, wording)


def expand(template: str, payloads: dict[str, str]) -> str:
    """A template with the texts of payloads in the place of their names, down to plain fields."""

    def put(match: re.Match[str]) -> str:
        payload = payloads.get(match[1]) if match[1] else None
        if payload is None:
            return match[0]
        if match[2] != "s":
            raise ValueError(f"payload {match[1]} cannot be written with %{match[2]}")
        return expand(payload, payloads)

    return _FIELD.sub(put, template)


def utc(at: int) -> str:
    """``2026-11-22T13:14:31`` of an instant."""
    return write_second(at // 1_000_000)


def _access_date(second: int) -> str:
    day, year = _divide_day(second // 86_400)
    return f"{day} {write_second(second)[11:]} {year}"


@lru_cache(maxsize=64)
def _divide_day(day: int) -> tuple[str, str]:
    """``Fri Nov 27`` and ``2026`` of a day since the epoch."""
    written = time.strftime("%a %b %e|%Y", time.gmtime(day * 86_400)).split("|")
    return written[0], written[1]


def python_datetime(at: int) -> str:
    """The repr of a naive datetime."""
    parts = time.gmtime(at // 1_000_000)
    micros = f", {at % 1_000_000}" if at % 1_000_000 else ""
    return f"datetime.datetime({parts.tm_year}, {parts.tm_mon}, {parts.tm_mday}, {parts.tm_hour}, {parts.tm_min}, {parts.tm_sec}{micros})"


def python_timestamp(at: int) -> str:
    """The str of a naive datetime: ``2026-11-22 13:14:31.691264``."""
    return f"{utc(at).replace('T', ' ')}.{at % 1_000_000:06d}"


def _elapsed(begin: str, end: str, values: dict) -> str:
    """How long a command of the script took, s, between the marks of these names."""
    return f"{(values[end] - values[begin]) / 1e6:.3f}"


# Fields that follow from others, most of them from instants of the script itself.
DERIVED: dict[str, Callable[[dict], str]] = {
    "created_z": lambda v: utc(v["created_at"]) + "Z",
    "created_iso": lambda v: utc(v["created_at"]) + ".000000",
    "scheduled_before_iso": lambda v: utc(v["scheduled_before"]) + ".000000",
    "scheduled_z": lambda v: utc(v["scheduled_at"]) + "Z",
    "cleared_at": lambda v: python_datetime(v["reschedule_at"]),
    **{f"elapsed{number}": partial(_elapsed, f"run_at{number}", f"returned_at{number}") for number in ("", *(f"_{n}" for n in range(30)))},
    "scratch": lambda v: v["volume_id"][:8],
    "device": lambda v: f"stack-volumes-{v['backend']}".replace("-", "--") + "-" + f"volume-{v['volume_id']}".replace("-", "--"),
    "until": lambda v: python_timestamp(v["zones_at"] + 3_600_000_000),
    "access_date": lambda v: _access_date(v["received_at"] // 1_000_000),
    "milliseconds": lambda v: str((v["answered_at"] - v["received_at"]) // 1000),
}


def fill(template: str, payloads: dict[str, str], values: dict) -> str:
    """A template's text with these values, for pieces that are needed outside of a script."""
    flat = expand(template, payloads)
    derived = {name: DERIVED[name](values) for name in _BARE.findall(flat) if name in DERIVED and name not in values}
    return flat % (values | derived)


# A piece of a record's program: text, and the gap behind it: the number of a field, or ~n for the stamp of record n; None behind the last text.
Piece = tuple[str, int | None]


@dataclass(slots=True, eq=False)
class Records:
    """A script's records: templates of the values of ``fields``, among them the records' stamps, whose names are the records' numbers.

    ``compiled`` is what a kernel made of their program. ``rewritten``: some are changed when they are texts.
    """

    templates: list[str]
    fields: tuple[str, ...]
    derived: tuple[tuple[str, Callable[[dict], str]], ...]
    pick: Callable[[dict], tuple]
    uses: int = 0
    function: Callable[[Iterable, list[str]], None] | None = None
    compiled: object = None
    rewritten: ClassVar[bool] = False

    def take(self, values: dict) -> tuple:
        """The values of ``fields``. Derived ones are added to ``values``."""
        for name, derive in self.derived:
            values[name] = derive(values)
        return self.pick(values)

    def program(self) -> list[list[Piece]]:
        """The records in pieces, for who fills them in many times."""
        numbers = {field: n for n, field in enumerate(self.fields)}
        return [list(_divide(template, numbers)) for template in self.templates]

    def write(self, plays: Iterable[tuple[list[str], list[str], tuple]]) -> list[str]:
        """The texts of the records of plays: of each the two parts of its records' stamps, and the values of ``fields``."""
        texts: list[str] = []
        if self.function is not None:
            self.function(plays, texts)
            return texts
        for heads, fractions, fields in plays:
            self.uses += 1
            values = dict(zip(self.fields, fields)) | {str(n): head + fraction for n, (head, fraction) in enumerate(zip(heads, fractions))}
            texts += [template % values for template in self.templates]
        if self.uses > _SELDOM:
            self.function = _write_function(self.program(), len(self.fields))
        return texts


def compile_records(records: list[str], payloads: dict[str, str]) -> Records:
    """Records of a script, compiled. Their lines begin with `PREFIX`, which becomes the record's stamp and the field ``tail``."""
    flat = [expand(record, payloads | {"prefix": f"%({n})s%(tail)s"}) for n, record in enumerate(records)]
    templates = [_FIELD.sub(lambda match: f"%({_name(match)})s" if match[1] else match[0], record) for record in flat]
    names = dict.fromkeys(_name(match) for record in flat for match in _FIELD.finditer(record) if match[1])
    fields = tuple(dict.fromkeys(("tail", "pid", *(name for name in names if not name.isdigit()))))
    derived = tuple((field, DERIVED.get(field) or field.__mod__) for field in fields if field in DERIVED or field.startswith("%"))
    return Records(templates, fields, derived, itemgetter(*fields))


def _name(match: re.Match[str]) -> str:
    """The field of a gap. One that is not written as text is a field of its own, made from the other: its name holds the conversion."""
    return match[1] if match[2] == "s" else match[0]


def _divide(template: str, numbers: dict[str, int]) -> Iterator[Piece]:
    """A record's template in pieces."""
    text, end = "", 0
    for match in _GAP.finditer(template):
        text += template[end : match.start()] + ("" if match[1] else "%")
        end = match.end()
        if match[1]:
            yield text, numbers[match[1]] if match[1] in numbers else ~int(match[1])
            text = ""
    yield text + template[end:], None


def _write_function(program: list[list[Piece]], fields: int) -> Callable[[Iterable, list[str]], None]:
    """A function of one f-string a record: that is three times as fast as formatting with ``%``.

    Constant text goes into its source as a literal, and the only names in it are this module's own, so that no text can become code.
    """
    strings = ", ".join(" ".join(f"{text!r} {_fill(gap)}" for text, gap in record) for record in program)
    heads, fractions, values = ("".join(f"{part}{n}, " for n in range(count)) for part, count in (("h", len(program)), ("m", len(program)), ("f", fields)))
    source = f"def write(plays, texts):\n for ({heads}), ({fractions}), ({values}) in plays:\n  texts += ({strings},)\n"
    made: dict[str, Callable[[Iterable, list[str]], None]] = {}
    exec(source, made)
    return made["write"]


def _fill(gap: int | None) -> str:
    """The literal that fills a gap in."""
    return "" if gap is None else f"f'{{f{gap}}}'" if gap >= 0 else f"f'{{h{~gap}}}{{m{~gap}}}'"
