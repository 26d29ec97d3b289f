"""An entry of the journal as `json` and `export` pack it: its message, when and by whom it was written, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from ..formats import FORMATS, service_of
from .tables import Sender

STAMPS = ("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")
WHO = ("_HOSTNAME", "_PID", "SYSLOG_PID", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "_COMM")  # by which the sender is told
# The fields that are read; the others are passed over.
FIELDS = frozenset({"MESSAGE", *STAMPS, *WHO})
YEAR_9999 = 253_402_300_800_000_000


class Entry(NamedTuple):
    """An entry. ``message`` may have several lines; ``line`` is where it stands in the file, ``offset`` and ``length`` are the whole entry's.

    ``at`` is None where the entry has no stamp. The sender's stamp goes before the journal's, as journalctl itself shows it.
    """

    at: int | None
    sender: Sender
    message: bytes
    line: int
    offset: int
    length: int


class Fault(NamedTuple):
    """What is wrong with an entry that could not be read, or not whole: a diagnostic's slug and words; ``text`` is what is left of it."""

    slug: str
    message: str
    line: int
    text: bytes = b""


def make_entry(fields: Mapping[str, bytes], line: int, offset: int, length: int) -> Entry:
    """The entry with these fields. Whatever is missing or is no number is None."""
    at = next((n for n in map(_number, map(fields.get, STAMPS)) if n is not None and 0 < n < YEAR_9999), None)
    sender = _sender(*map(fields.get, WHO))
    return Entry(at, sender, fields.get("MESSAGE", b""), line, offset, length)


@lru_cache(maxsize=4096)
def _sender(host: bytes | None, pid: bytes | None, told_pid: bytes | None, *names: bytes | None) -> Sender:
    """Of the names the first that speaks of a service counts, else the first."""
    known = [name.decode("utf-8", "replace") for name in names if name]
    name = next(filter(service_of, known), known[0] if known else None)
    own = _number(pid)
    return Sender((host or b"").decode("utf-8", "replace") or None, name, own if own is not None else _number(told_pid))


def _number(text: bytes | None) -> int | None:
    return int(text) if text and len(text) < 19 and text.isdigit() else None


def show(entry: Entry) -> str:
    """The entry as a line of text for people: the prefix of `short-iso-precise`, as far as the entry has it, and the message."""
    host, unit, pid = entry.sender
    prefix = FORMATS["short-iso-precise"].write(entry.at or 0, host or "-", unit or "-", pid or 0)
    prefix = prefix if entry.at is not None else prefix.partition(" ")[2]
    return (prefix if pid is not None else prefix.replace("[0]: ", ": ")) + entry.message.decode("utf-8", "replace")
