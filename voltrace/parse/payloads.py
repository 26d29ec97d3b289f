"""Payloads: the values that messages quote (results of tasks, request bodies, specs, predecessors' requires and provides), read when somebody asks.

They are Python's reprs, or JSON, of anything: nested, with objects of Cinder's own, with pieces that nobody can read, and often cut off.
Reading takes time linear in the text. Nothing is evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

DEEPEST = 60
LONGEST = 1 << 20

_SPACE = re.compile(r"[\s]*")
_STRING = re.compile(r"""(?:[uUbBrR]{1,2}(?=['"]))?(?:'((?:[^'\\]|\\.)*)('?)|"((?:[^"\\]|\\.)*)("?))""", re.DOTALL)
_WORD = re.compile(r"""[^\s,:=()\[\]{}'"<>]+(?::[^\s,:=()\[\]{}'"<>]+)*""")  # with the colons of a stamp or of an address
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,4})?")
_ESCAPE = re.compile(r"""\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\\'"nrtabfv0/])|\n)""")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_CONSTANTS = {
    "None": None,
    "null": None,
    "True": True,
    "true": True,
    "False": False,
    "false": False,
    **{sign + name: float(sign + name) for name in ("nan", "NaN", "inf", "Infinity") for sign in ("", "-")},
}
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_BRACKETS = re.compile(r"""[\[\](){}<>]|(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Opaque:
    """A piece that has no value: ``<?>``, ``<… object at 0x…>``, or what is nested too deep."""

    text: str


@dataclass(slots=True)
class Object:
    """An object as it shows itself: its class's name, the values in its parentheses, and those with a name."""

    name: str
    items: list = field(default_factory=list)
    fields: dict[str, object] = field(default_factory=dict)


class Payload(NamedTuple):
    """A value, where its text ends, and whether that is all of it: False if the text breaks off, or is too long."""

    value: object
    end: int
    whole: bool


def read_payload(text: str, start: int = 0) -> Payload:
    """The value that begins there. What cannot be read is `Opaque` or plain text; nothing is an error."""
    reader = _Reader(text, min(len(text), start + LONGEST))
    value = reader.value(start, 0)
    return Payload(value, reader.at, not reader.cut)


class _Reader:
    """Stands at a place of the text; ``cut`` once it has met the end inside a value."""

    def __init__(self, text: str, end: int) -> None:
        self.text, self.end, self.at, self.cut = text, end, 0, False

    def value(self, at: int, depth: int) -> object:
        self.at = at
        sign = self._next()
        if not sign:
            self.cut = True
            return None
        if sign in "[({":
            return self._opaque() if depth >= DEEPEST else self._container(sign, depth)
        if sign == "<":
            return self._opaque()
        text = _STRING.match(self.text, self.at, self.end)
        if text:
            self.at = text.end()
            self.cut = self.cut or not (text[2] or text[4])
            return _unescape(text[1] if text[1] is not None else text[3])
        word = _WORD.match(self.text, self.at, self.end)
        if word is None:  # a sign where none belongs
            self.at += 1
            return sign
        self.at = word.end()
        if self.text.startswith("(", self.at) and self.at < self.end:
            return self._object(word[0], depth)
        return _plain(word[0])

    def _next(self) -> str:
        """The next sign that is no blank; empty at the end."""
        space = _SPACE.match(self.text, self.at, self.end)
        self.at = space.end() if space else self.at
        return self.text[self.at] if self.at < self.end else ""

    def _container(self, opening: str, depth: int) -> object:
        items: list = []
        pairs: dict = {}
        for key, value in self._items(_CLOSING[opening], depth, ":=" if opening == "{" else ""):
            if key is _NOTHING:
                items.append(value)
            else:
                pairs[_hashable(key)] = value
        if opening == "{":
            return pairs if pairs or not items else items
        return tuple(items) if opening == "(" else items

    def _object(self, name: str, depth: int) -> object:
        if depth >= DEEPEST:
            return self._opaque()
        found = Object(name)
        for key, value in self._items(")", depth, "="):
            if key is _NOTHING:
                found.items.append(value)
            else:
                found.fields[str(key)] = value
        return _build(found)

    def _items(self, closing: str, depth: int, link: str):
        """Key and value of each item up to the closing bracket; the key is `_NOTHING` where there is none. The reader stands at the opening one."""
        self.at += 1
        while not self.cut:
            sign = self._next()
            if not sign:
                self.cut = True
            elif sign == closing:
                self.at += 1
                return
            elif sign in ",)]}":  # a stray one
                self.at += 1
            else:
                begun = self.at
                value = self.value(self.at, depth + 1)
                if not self.cut and (self._next() or " ") in link:
                    key = value
                    value = self.value(self.at + 1, depth + 1)
                    yield key, value
                else:
                    yield _NOTHING, value
                if self.at == begun:
                    self.at += 1

    def _opaque(self) -> Opaque:
        """What stands between this bracket and the one that closes it, unread."""
        begun, deep = self.at, 0
        for found in _BRACKETS.finditer(self.text, self.at, self.end):
            sign = found[0]
            if sign in "[({<":
                deep += 1
            elif sign in "])}>":
                deep -= 1
                if deep <= 0:
                    self.at = found.end()
                    return Opaque(self.text[begun : self.at])
        self.at, self.cut = self.end, True
        return Opaque(self.text[begun : self.end])


_NOTHING = object()


def _hashable(key: object) -> object:
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key


def _plain(word: str) -> object:
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    digits = word.removesuffix("L")
    if _NUMBER.fullmatch(digits):
        if digits.lstrip("-").isdigit():
            return int(digits) if len(digits) < 4000 else digits
        return float(digits)
    return word


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    text = _ESCAPE.sub(_unescape_one, text)
    # JSON writes what lies beyond the first 65,536 characters as two halves.
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescape_one(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        number = int(code, 16)
        return chr(number) if number < 0x110000 else found[0]
    return _PLAIN.get(found[4], found[4]) if found[4] else ""


def _build(found: Object) -> object:
    """The value that an object of Python's own shows itself as; others stay objects."""
    name = found.name.rpartition(".")[2]
    first = found.items[0] if found.items else None
    if name in ("OrderedDict", "defaultdict", "dict") and not found.fields:
        held = found.items[-1] if found.items else {}
        if isinstance(held, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in held):
            return {_hashable(key): value for key, value in held}
        if isinstance(held, dict):
            return held
    elif name in ("set", "frozenset", "list", "tuple") and len(found.items) <= 1 and not found.fields:
        return list(first) if isinstance(first, (list, tuple)) else [] if first is None else found
    elif name == "datetime" and not found.fields and all(isinstance(item, int) for item in found.items):
        try:
            return datetime(*found.items)
        except (TypeError, ValueError):
            return found
    return found
