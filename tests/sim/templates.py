"""Templates of log lines: what is left of a line when all that differs from request to request, or from cloud to cloud, is masked."""

import re
from typing import NamedTuple

_JOURNAL = re.compile(r"^\w{3} +\d+ [\d:.]+ \S+ \S+\[(\d+)\]: (.*)$")
_OSLO = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ (\d+) ((?:DEBUG|INFO|WARNING|ERROR|CRITICAL) .*)$")
_HEAD = re.compile(r"^(DEBUG|INFO|WARNING|ERROR|CRITICAL) ([\w.]+)(?: \[([^\]]*)\])? ?(.*)$")
_TAILS = {"devstack": re.compile(r" \{\{\(pid=\d+\) (\S+) \S+:(\d+)\}\}$"), "oslo": re.compile(r" (\S+) /\S+\.py:(\d+)$")}
_REQUEST = re.compile(r"\breq-[0-9a-f-]{36}\b")
_ESCAPE = re.compile(r"\x1b\[[\d;]*m")
_ACCESS = re.compile(r"^\[pid: ")
_VALUES = "with|at location|specification|factors|retry|with update|Filter results|capacity|metadata|body|with properties"
# From the outside in: what has quotes or brackets around it goes before what is in it.
_MASKS = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"(with result ').*(')$", r"\1RESULT\2"),
        (r"(with result ')(?!RESULT).*", r"\1RESULT'"),  # the rest of it stands on further lines
        (r"^((?:[ |_]*)Atom '[^']*') .*", r"\1 DUMP"),
        (r"\[?['\"]Traceback \(most recent call last\):\\n.*", "TRACEBACK"),
        (r"https?://[^\s',]+", "URL"),
        (r"/opt/stack/cinder(?:22)?/|/(?:opt/stack/data/venv(?:22)?|usr/local)/lib/python[\d.]+/(?:site|dist)-packages/|/(?:opt/stack/py311|usr)/lib/", ""),
        (r"/etc/cinder22/", "/etc/cinder/"),
        (r"\.py:\d+:", ".py:N:"),
        (r"^ *[~^]+$", "^^^"),
        (r"/conversion/[\w.@-]+", "/conversion/FILE"),
        (r"/dev/mapper/[\w-]+", "DEVICE"),
        (r"/tmp/tmp\w+/", "/tmp/FOLDER/"),
        (r"/opt/stack/data/file-\d/", "/opt/stack/data/FOLDER/"),
        (r"[\w.-]+@[\w-]+(?:#[\w-]+)?", "HOST"),
        (rf"\b({_VALUES})(:?) (?:\[|\(|\{{|'\{{|VolumeType).*", r"\1\2 VALUE"),
        (r" \(\(None, .*\)\)", " (LOCATION)"),
        (r"(capabilities for \w+|service update from +\w+): .*", r"\1: VALUE"),
        (r"^(Weighed|Filtered) \[.*", r"\1 VALUE"),
        (r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", "ID"),
        (r"0x[0-9a-f]+", "ADDRESS"),
        (r"free_capacity_gb: .*", "CAPABILITIES"),
        (r'requirement "[^"]*" does not match reported capability "[^"]*"', "requirement NAME does not match reported capability NAME"),
        (r"\b((?:quota_)?(?:volumes|gigabytes))_[\w-]+", r"\1_TYPE"),
        (r"stack-volumes-[\w-]+", "GROUP"),
        (r" \(backend [\w-]+\)", ""),
        (r"\d{4}-\d\d-\d\d[ T][\d:.]+", "TIME"),
        (r"(?<!, line )(?<![\w.])-?\d+(?:\.\d+)?", "N"),
    )
)


class Template(NamedTuple):
    """A kind of line. A line without a level is a continuation or was written past the log; ``function`` and ``number`` stand on DEBUG lines only."""

    service: str
    level: str | None
    logger: str | None
    function: str | None
    number: int | None
    text: str


def mask(text: str) -> str:
    """A message without what differs from request to request."""
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text.rstrip()


def templates(service: str, lines: list[str], requests: set[str]) -> set[Template]:
    """The templates of all lines of these requests in one service's log.

    A traceback's lines and other text belong to the last record of their process; the web server's lines are left out.
    """
    found = set()
    theirs: dict[str, bool] = {}
    pid = ""
    for line in lines:
        line, layout = _ESCAPE.sub("", line).rstrip(), "devstack"
        framed = _JOURNAL.match(line)
        if not framed:
            layout, framed = "oslo", _OSLO.match(line)
        pid, text = (framed[1], framed[2]) if framed else (pid, line)
        if not text:
            continue
        head = _HEAD.match(text)
        if head and head[3] is not None:
            theirs[pid] = bool(requests & set(_REQUEST.findall(head[3])))
        if theirs.get(pid) and not _ACCESS.match(text):
            found.add(_template(service, layout, head, text))
    return found


def _template(service: str, layout: str, head: re.Match | None, text: str) -> Template:
    if not head:
        return Template(service, None, None, None, None, mask(text))
    if head[3] is None:
        return Template(service, head[1], head[2], None, None, mask(head[4]))
    tail = _TAILS[layout].search(head[4]) if head[1] == "DEBUG" else None
    message = head[4][: tail.start()] if tail else head[4]
    return Template(service, head[1], head[2], tail[1] if tail else None, int(tail[2]) if tail else None, mask(message))
