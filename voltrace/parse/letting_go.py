"""Letting go of requests that ask for something else than a volume, while a log is read."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from .join import decode_answer
from .others import pack
from .tables import ANSWERS, NO_REQUEST, SERVICE_STARTED, VOLUME_CLEANED, Access, Scan, fill, take_rows

if TYPE_CHECKING:
    from .limits import Relief

_ASKED = "request-received"
_MANY = 100_000  # events in memory before anybody looks whether some can be let go


class LettingGo:
    """Lets go of others' events, and asks who else can relieve a scan."""

    def __init__(self, relief: Relief, many: int = _MANY) -> None:
        self._relief = relief
        self._many = self._next = many

    def relieve(self, scan: Scan, keep: list[int]) -> list[int] | None:
        places = None
        if len(scan.events) >= self._next:
            places = let_go(scan, keep)
            self._next = len(scan.events) + self._many
        more = self._relief.relieve(scan, places if places is not None else keep)
        return more if more is not None else places


def let_go(scan: Scan, keep: list[int]) -> list[int] | None:
    """Let go of the events of requests of which the first thing known is that they ask for something else than POST, and of what was seen of them.

    Events stay that may be of a flow, or tell of services, and the rows ``keep``; where those stand then. None if there is nothing to let go.
    """
    events, others = scan.events, scan.others
    if not len(events):
        return None
    plain = np.array([not kind.is_step and kind.row not in ("unmatched", SERVICE_STARTED, VOLUME_CLEANED) for kind in scan.kinds], bool)
    request, kind, fact = (np.array(getattr(events, name), np.int32) for name in ("request", "kind", "fact"))
    others.flags.extend(bytes(len(scan.requests) - len(others.flags)))
    flags = np.array(others.flags, np.uint8)
    may_go = plain[kind] & (request != NO_REQUEST)
    may_go[keep] = False
    spoilt = np.zeros(len(flags) + 1, bool)  # the last is no request
    spoilt[request[~may_go]] = True
    asked = np.flatnonzero(np.frombuffer(scan.of_rows(_ASKED), bool)[kind] & may_go & ~spoilt[request])
    methods: dict[int, bool] = {}  # of each request: whether the first thing that it asked is no POST
    for number, of in zip(request[asked].tolist(), fact[asked].tolist()):
        values = events.facts[of] if of >= 0 else None
        methods.setdefault(number, type(values) is tuple and _is_other(values[0]))
    flags[[number for number, goes in methods.items() if goes]] = 1
    gone = may_go & np.append(flags, 0).astype(bool)[request]
    if not gone.any():
        return None
    tells = np.frombuffer(scan.telling(ANSWERS), bool)[kind]
    for row in np.flatnonzero(gone & tells).tolist():
        values = events.facts[fact[row]] if fact[row] >= 0 else None
        packed = pack(values) if values is not None else b""
        if packed is None:
            gone[row] = False
        elif values is not None:
            others.add(int(request[row]), int(kind[row]), packed)
    others.flags[:] = flags.tobytes()
    kept = np.flatnonzero(~gone)
    used, facts = np.unique(fact[kept][fact[kept] >= 0], return_inverse=True)
    events.facts[:] = [events.facts[number] for number in used.tolist()]
    scan.let_go += 1
    take_rows(events, kept)
    renumbered = fact[kept]
    renumbered[renumbered >= 0] = facts
    fill(events, "fact", renumbered.tobytes())
    take_rows(scan.seen, np.flatnonzero(~others.of(np.array(scan.seen.request, np.int32))))
    return kept.searchsorted(keep).tolist()


def access_of(scan: Scan, request: int) -> Access | None:
    """What a request that was let go asked and what was answered, as the web server's line would tell it."""
    if request >= len(scan.others.flags) or not scan.others.flags[request]:
        return None
    among = np.zeros(len(scan.requests) + 1, bool)
    among[request] = True
    facts: dict = {}
    for _, kind, values in scan.others.answers(among):
        facts = {**decode_answer(scan, kind, values), **facts}
    return Access(facts.get("method", ""), facts.get("url", ""), facts.get("status", 0), 0, array("i"))


def _is_other(method: object) -> bool:
    """Whether this is what HTTP calls a method, and another than POST."""
    return isinstance(method, bytes) and method.isalpha() and method.isupper() and method != b"POST"
