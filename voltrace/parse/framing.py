"""Which format a source is in, and what a line is made of: prefix (stamp, host, identifier, pid) and body."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..formats import ESCAPE, FORMATS, HEAD, PACKINGS, Format, Packing

# A traceback's line: level and logger, no bracket. The level is ERROR whatever the record's own.
TRACEBACK = re.compile(rb"ERROR ([\w.]+)(?: |$)")
# uWSGI's access line: no level, no request id. Groups: pid, date, method, path, msecs, status.
ACCESS = re.compile(
    rb"\[pid: (\d{1,10})\|app: [^|]{0,100}\|req: [^\]]{0,100}\] [^({]{0,300}\([^)]{0,300}\) \{[^}]{0,100}\} \[([^\]]{1,100})\] "
    rb"(\S+) (\S+) => generated \d+ bytes in (\d{1,18}) msecs \(HTTP/[\d.]+ (\d{3})\)"
)
ACCESS_MARK = b"[pid: "  # what such lines begin with
# Lines that journalctl itself writes between records.
JOURNAL_NOTE = re.compile(rb"-- (?:Logs begin|Journal begins|Boot |Reboot|No entries|cursor:)|^$")
BOOT = re.compile(rb"-- (?:Boot [0-9a-f]{32}|Reboot) --$")
SUPPRESSED = re.compile(rb"Suppressed (\d{1,18}) messages from")
# DevStack's debug suffix, with and without the pid, and oslo.log's.
_DEVSTACK_SUFFIX = re.compile(rb" ?\{\{(?:\(pid=(\d{1,10})\) ?)?(\S+) (\S+?):(\d{1,10})(?:\}\}|$)")
_OSLO_SUFFIX = re.compile(rb" (\S+) (\S+\.pyc?):(\d{1,10})$")
_BAR = re.compile(rb"\s\|(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Framing:
    """How a source's lines are framed: its format, and ``page`` if the records stand inside other text (a web page, a ticket).

    ``packing``: its entries are packed, and ``format`` is what is in them.
    """

    format: Format
    page: bool = False
    packing: Packing | None = None


def detect(sample: bytes) -> Framing | None:
    """The framing of a source, from its first bytes; None if nothing in them looks like a log of journalctl or oslo.log."""
    lines = ESCAPE.sub(b"", sample.replace(b"\x00", b"")).removeprefix(b"\xef\xbb\xbf").split(b"\n")[:2000]
    first = next((line for line in lines if line.strip()), b"")
    packed = [p for p in PACKINGS.values() if p.pattern is not HEAD]
    for packing in packed:  # what stands at the beginning cannot have been written by the users that messages quote
        if packing.pattern.match(first):
            return Framing(packing.entries, packing=packing)
    count, fmt = max(((sum(1 for line in lines if f.pattern.match(line)), f) for f in FORMATS.values()), key=lambda found: found[0])
    bare, cat = sum(1 for line in lines if HEAD.match(line)), PACKINGS["cat"]
    if count and count >= bare:
        # Records behind table bars: a page's text, of which some lines may begin with a prefix by chance.
        barred = sum(1 for line in lines if b"|" in line[:8] and fmt.pattern.search(line))
        return Framing(fmt, page=barred > count)
    count, fmt = max(((sum(1 for line in lines if _is_inside(f, line)), f) for f in FORMATS.values()), key=lambda found: found[0])
    for packing in packed:  # a file of which the beginning was cut off
        if sum(1 for line in lines if packing.pattern.match(line)) > max(count, bare):
            return Framing(packing.entries, packing=packing)
    if count and count >= bare:
        return Framing(fmt, page=True)
    return Framing(cat.entries, packing=cat) if bare else None


def _is_inside(fmt: Format, line: bytes) -> bool:
    """Whether a record of this format stands somewhere in this line."""
    found = fmt.pattern.search(line)
    return found is not None and HEAD.match(line, found.end()) is not None


def cut_bars(text: bytes) -> tuple[bytes, bool]:
    """The text up to a table's bar, and whether there was one."""
    bar = _BAR.search(text)
    return (text[: bar.start()], True) if bar else (text, False)


@dataclass(frozen=True, slots=True)
class Suffix:
    """What the debug suffix says: the worker's pid, the function, and the source file and line."""

    pid: int | None
    function: str
    path: str
    line: int


def split_suffix(message: bytes, layout: str) -> tuple[bytes, Suffix | None]:
    """A DEBUG record's message and its debug suffix (None if it has none: torn, or a record that goes on in the next line)."""
    if layout == "oslo":
        found = _OSLO_SUFFIX.search(message, max(0, len(message) - 400))
        if not found:
            return message, None
        return message[: found.start()], Suffix(None, found[1].decode(errors="replace"), found[2].decode(errors="replace"), int(found[3]))
    cut = message.rfind(b"{{")
    if cut < 0:
        return message, None
    found = _DEVSTACK_SUFFIX.match(message, cut - 1 if message[cut - 1 : cut] == b" " else cut)
    if not found:
        return message, None
    pid = int(found[1]) if found[1] else None
    return message[: found.start()], Suffix(pid, found[2].decode(errors="replace"), found[3].decode(errors="replace"), int(found[4]))
