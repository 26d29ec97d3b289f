"""The scheduler's filters and weighers: what each says of a pool, as Cinder's own code decides, and with which numbers its lines tell it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .capacity import Pool
from .cloud import Scenario, VolumeType
from .extra_specs import Mismatch, first_mismatch

# What a filter says of a pool. Those in PASSES let it pass.
PASS, ENDLESS, ROOMY, ROOMY_THIN, UNTRIED, RETRIES_OFF = "pass", "endless", "roomy", "roomy-thin", "untried", "retries-off"
OTHER_ZONE, NO_ROOM_AT_ALL, FULL, FULL_THIN, OVERSUBSCRIBED, BAD_RATIO = "other-zone", "no-room-at-all", "full", "full-thin", "oversubscribed", "bad-ratio"
MISMATCH, LACKING, TRIED = "mismatch", "lacking", "tried"
PASSES = frozenset((PASS, ENDLESS, ROOMY, ROOMY_THIN, UNTRIED, RETRIES_OFF))


@dataclass(slots=True)
class Question:
    """What is asked of the pools: a volume of a size (GB) and type in a zone, tried on some before.

    ``factored``: the release counts in capacity factors (since Yoga). ``payloads`` are the release's. ``thin`` unless its type says thick.
    """

    size: int
    kind: VolumeType | None
    zone: str
    tried: tuple[str, ...]
    retries: bool
    factored: bool
    payloads: dict[str, str]
    thin: bool


# A verdict, and the fields of its line.
Said = tuple[str, dict[str, object]]


_NOTHING: dict[str, object] = {}


def ask_zone(pool: Pool, question: Question) -> Said:
    """AvailabilityZoneFilter."""
    return (PASS if pool.zone == question.zone else OTHER_ZONE), _NOTHING


def ask_capacity(pool: Pool, question: Question) -> Said:
    """CapacityFilter. Endless and unknown room is taken for enough."""
    if not pool.finite:
        return ENDLESS, _NOTHING
    if pool.room <= 0:
        return NO_ROOM_AT_ALL, {"total_gb": pool.room}
    size, thin = question.size, question.thin and pool.thin
    if question.factored:
        room = free = pool.virtual_free(thin, True)
        provisioned_of = (pool.room - pool.reserved_gb) * pool.ratio
    else:
        # Before Yoga the line of a thin pool that passes shows the room that is really free.
        free = pool.free - pool.reserved_gb
        room = free * pool.ratio if thin else free
        provisioned_of = pool.room
    if not thin:
        return (FULL if room < size else ROOMY), {"available": room}
    if pool.ratio < 1:
        return BAD_RATIO, {"allowed_ratio": pool.ratio}
    ratio = (pool.provisioned + size) / round(provisioned_of, 2)
    if ratio > pool.ratio:
        return OVERSUBSCRIBED, {"oversubscription": ratio, "allowed_ratio": pool.ratio}
    return (FULL_THIN, {"available": room}) if room < size else (ROOMY_THIN, {"available": free})


def ask_capabilities(pool: Pool, question: Question) -> Said:
    """CapabilitiesFilter. What it says of a type holds until the pool reports again."""
    kind = question.kind
    if kind is None or not kind.specs:
        return PASS, _NOTHING
    known = pool.judgements
    if kind.name not in known:
        known[kind.name] = first_mismatch(kind.specs, pool.announced(question.payloads))
    mismatch: Mismatch | None = known[kind.name]
    if mismatch is None:
        return PASS, _NOTHING
    if mismatch.lacks:
        return LACKING, {"lacking": mismatch.lacks}
    return MISMATCH, {"spec_key": mismatch.key, "spec_value": mismatch.required, "capability": mismatch.capability}


def ask_attempts(pool: Pool, question: Question) -> Said:
    """IgnoreAttemptedHostsFilter."""
    if not question.retries:
        return RETRIES_OFF, _NOTHING
    return (TRIED if pool.host in question.tried else UNTRIED), _NOTHING


ASK: dict[str, Callable[[Pool, Question], Said]] = {
    "AvailabilityZoneFilter": ask_zone,
    "CapacityFilter": ask_capacity,
    "CapabilitiesFilter": ask_capabilities,
    "IgnoreAttemptedHostsFilter": ask_attempts,
}


def ask_all(pool: Pool, n: int, filters: tuple[str, ...], question: Question) -> tuple[tuple[str, ...], dict[str, object]]:
    """What the filters say of pool ``n``, one after the other up to the first that does not let it pass, and the pool's fields for the lines of a choice.

    A pool remembers it as long as the scheduler believes and has heard the same of it.
    """
    kind = question.kind
    key = (question.size, kind and kind.name, question.zone, pool.host in question.tried)
    known = pool.answers.get(key)
    if known is None:
        verdicts, fields = [], dict(pool.fields(question.payloads, n))
        for name in filters:
            verdict, said = ASK[name](pool, question)
            verdicts.append(verdict)
            for field, value in said.items():
                fields[f"{field}_{n}"] = value
            if verdict not in PASSES:
                break
        known = pool.answers[key] = tuple(verdicts), fields
    return known


def weigh(scenario: Scenario, fit: Sequence[Pool], question: Question) -> tuple[list[Pool], dict[str, object]]:
    """The pools, the best first, and fields: each weigher's extremes, and all weights as their line shows them. Ties keep their order."""
    weights = [0.0] * len(fit)
    fields: dict[str, object] = {}
    for k, weigher in enumerate(scenario.weighers):
        raw: list[float]
        if weigher == "CapacityWeigher":
            multiplier, thin, factored = scenario.capacity_weight_multiplier, question.thin, question.factored
            raw = [pool.virtual_free(thin, factored) if pool.finite else -1 for pool in fit]
        else:
            multiplier = scenario.allocated_capacity_weight_multiplier
            raw = [pool.allocated for pool in fit]
        low, high = min(raw), max(raw)
        fields[f"weight_max_{k}"], fields[f"weight_min_{k}"] = high, low
        if high > low:
            weights = [weight + multiplier * ((value - low) / (high - low)) for weight, value in zip(weights, raw)]
    if len(fit) == 1:
        fields["weighed"] = f"[WeighedHost [host: {fit[0].host}, weight: {weights[0]}]]"
        return [*fit], fields
    order = sorted(range(len(fit)), key=lambda n: weights[n], reverse=True)
    fields["weighed"] = f"[{', '.join(f'WeighedHost [host: {fit[n].host}, weight: {weights[n]}]' for n in order)}]"
    return [fit[n] for n in order], fields
