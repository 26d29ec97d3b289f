"""The careful way: damaged transitions (pyparsing), request bodies, exceptions; only for the few lines that need it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import chain, product

from .payloads import read_payload

_MOST = 1 << 16
_MOST_BREAKS = 5
_TRANSITION = re.compile(rb"(?:Task|Flow) '[^']{1,200}' \([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\) transitioned into state '[A-Z_]+' from state '[A-Z_]+'")
# The last word of a summary or a traceback: a class name, dotted or not, then its text.
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Z]\w*)(?:: (.*)|:?$)")
_FAILURE = re.compile(r"Failure: ")
_FLOW_SUMMARY = re.compile(r"\s*(?:\|__)?Flow '[^']*': ")


@dataclass(frozen=True, slots=True)
class Damaged:
    """A transition of which pieces are lost: what is left. ``what`` is flow, task or None; None is lost text."""

    what: str | None
    name: str | None
    uuid: str | None
    new: str | None
    old: str | None
    has_result: bool
    result: str | None


@cache
def _transition():
    """The grammar of a transition whose pieces may each be lost, written as `...`, or left empty."""
    import pyparsing as pp

    elision = pp.Suppress(pp.Literal("..."))
    quoted = pp.Suppress("'") + pp.Regex(r"[^']{0,200}") + pp.Suppress("'")
    uuid = pp.Suppress("(") + pp.Regex(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}") + pp.Suppress(")")
    what = pp.Opt(pp.one_of("Task Flow").set_results_name("what"))
    state = pp.Opt(quoted.copy().add_parse_action(lambda t: t[0])).set_results_name("new")
    old = pp.Opt(quoted.copy().add_parse_action(lambda t: t[0])).set_results_name("old")
    result = pp.Opt(pp.Literal("with result").set_results_name("with_result") + pp.Opt(pp.Regex(r"(?s).*").set_results_name("result")))
    return (
        what
        + pp.Opt(quoted.set_results_name("name"))
        + pp.Opt(elision)
        + pp.Opt(uuid.set_results_name("uuid"))
        + pp.Opt(elision)
        + pp.Suppress("transitioned into state")
        + state
        + pp.Opt(elision)
        + pp.Suppress("from state")
        + old
        + pp.Opt(elision)
        + result
    )


def read_transition(text: str) -> Damaged | None:
    """A damaged transition, or None if the text is none. ``text`` is a message with its continuation lines, blanks folded."""
    if "transitioned into state" not in text:
        return None
    import pyparsing as pp

    try:
        found = _transition().parse_string(text[:_MOST].lstrip())
    except pp.ParseException:
        return None

    def get(name: str) -> str | None:
        value = found.get(name)
        if isinstance(value, pp.ParseResults):
            value = value[0] if value else None
        return value or None

    return Damaged(
        {"Task": "task", "Flow": "flow"}.get(get("what") or ""),
        get("name"),
        get("uuid"),
        get("new"),
        get("old"),
        "with_result" in found,
        get("result"),
    )


def join_broken(parts: list[bytes]) -> bytes:
    """The text of a record that was broken into these lines: at blanks, or in words where only that makes it a transition."""
    text = b" ".join(parts)
    if len(parts) > _MOST_BREAKS or not text.startswith((b"Task '", b"Flow '")):
        return text
    lines = [parts[0], *(part.lstrip() for part in parts[1:])]
    for seams in product((b"", b" "), repeat=len(lines) - 1):
        joined = b"".join(chain((lines[0],), *zip(seams, lines[1:])))
        if _TRANSITION.match(joined):
            return joined
    return text


def read_exception(lines: list[bytes]) -> dict:
    """The exception that a failure's lines tell: ``{"exception": class name, "error": text}``, or nothing.

    A refusal says `Failure: type: text`; otherwise the flow's line of the predecessors ends in the summary; otherwise the
    last line of the traceback has it. ``lines`` have no prefix; the first is the rest of the record's own.
    """
    texts = [line.decode("utf-8", "replace") for line in lines]
    for text in texts[1:]:
        for mark in (_FAILURE, _FLOW_SUMMARY):
            found = mark.match(text)
            if found:
                read = _split_exception(text[found.end() :])
                if read:
                    return read
    for text in reversed(texts[1:]):
        if text[:1] not in ("", " ", "\t", "|"):
            read = _split_exception(text)
            if read:
                return read
    return {}


def _split_exception(text: str) -> dict | None:
    found = _EXCEPTION.match(text.strip())
    if not found or not re.search(r"[a-z]", found[1]):
        return None
    return {"exception": found[1], "error": (found[2] or "").strip() or None}


def read_summary(text: str) -> dict:
    """The error summary that oslo.log appended to a message: `…: some.module.Type: text`. Empty if there is none."""
    for found in re.finditer(r"(?:^|: )((?:[A-Za-z_]\w*\.)*[A-Z]\w*[a-z]\w*): ", text[:4000]):
        read = _split_exception(text[found.start(1) :])
        if read and (("." in found[1]) or read["exception"].endswith(("Error", "Exception", "Failure", "NotFound", "Exceeded", "Backend", "Quota", "Timeout"))):
            return read
    return {}


_KEYS = ("name", "size", "snapshot_id", "source_volid", "imageRef", "backup_id", "volume_type", "availability_zone", "image_id")
_KEY_VALUE = re.compile(r"""u?(['"])(NAME)\1: (?:u?'((?:[^'\\]|\\.)*)'|u?"((?:[^"\\]|\\.)*)"|(-?[0-9]{1,18})\b|(None|null))""".replace("NAME", "|".join(_KEYS)))


def read_body(text: str) -> dict:
    """The wishes in a volume-create body: JSON as sent, or Python's repr of it, whole or damaged. Keys as the API calls them."""
    text = text[:_MOST]
    try:
        body = json.loads(text)
        volume = body.get("volume") if isinstance(body, dict) else None
        if isinstance(volume, dict):
            return {key: volume[key] for key in _KEYS if key in volume}
        return {}
    except (ValueError, RecursionError):
        pass
    if '"' in text or "\\" in text:  # a text with a quote in it, or a key's name
        held = read_payload(text)
        volume = held.value.get("volume") if held.whole and isinstance(held.value, dict) else None
        if isinstance(volume, dict):
            return {key: volume[key] for key in _KEYS if key in volume}
    wishes: dict = {}
    for found in _KEY_VALUE.finditer(text):
        key = found[2]
        if key in wishes:
            continue
        if found[5]:
            wishes[key] = int(found[5])
        elif found[6]:
            wishes[key] = None
        else:
            wishes[key] = _unquote(found[3] if found[3] is not None else found[4])
    return wishes


def _unquote(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return json.loads('"' + text.replace('\\"', '"').replace('"', '\\"').replace("\\'", "'") + '"')
    except ValueError:
        return text
