"""Durations from columns: of each variant it is found out once which of its events begin and end what, and then subtracted for all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from ..lifecycle import VOLUME_CREATE
from ..measure import COARSE_US, Key, estimate_us, group, observe
from ..trace import Timeline
from .assemble import Assembler, order_raws
from .durations import Durations, Found, Store
from .folder import Folder
from .order import Raw
from .runs import bounds
from .tables import DECIDING
from .variants import Coder, Variant, find_variants

_MOST_SHAPES = 10_000
_EPOCH, _STEP = 10**15, 10**9

Share = tuple[Found, int]
Spread = Callable[[Callable[[int, int], Share]], list[Share]]
Shape = tuple[str, list[tuple[Key, int, int]]]  # an operation, and what lasts from which event to which


def measure(assembler: Assembler, folder: Folder, spread: Spread | None = None) -> tuple[Durations, int]:
    """All durations that are known of create requests (µs), by kind, service and name: what `measure.group` finds in their
    timelines, where bounds follow from stamps alone. And how many requests these are.

    Those of many parts are put away in the ``folder``. ``spread`` has shares of the work done at the same time: it calls what it is given with the number
    of each share, and how many there are.
    """
    parts = assembler.parts()
    work = partial(_measure, parts, Coder(assembler.scan, DECIDING), folder.path if len(parts) > 1 else None)
    shares = spread(work) if spread and len(parts) > 1 else [work(0, 1)]
    return Durations([found for found, _ in shares]), sum(count for _, count in shares)


def _measure(parts: list[Callable[[], Assembler]], coder: Coder, folder: str | None, share: int, shares: int) -> Share:
    """The durations of every so manieth part, and how many requests they are of."""
    store = Store(folder)
    count = 0
    shapes: dict[bytes, Shape | None] = {}
    for part in (get() for get in parts[share::shares]):
        variants, careful = find_variants(part, coder, few=1)  # what a variant's requests have in common is found once for all parts
        begun, ended = part.lasting
        at = np.frombuffer(part.scan.events.at, np.int64)
        for variant in variants:
            if variant.key not in shapes:
                if len(shapes) == _MOST_SHAPES:
                    shapes.clear()
                shapes[variant.key] = _find_shape(part, variant)
            shape = shapes[variant.key]
            if shape is None:
                careful += variant.requests.tolist()
                continue
            operation, spans = shape
            if operation != VOLUME_CREATE.operation:
                continue
            count += len(variant.requests)
            instants = at[variant.rows]
            store.add(("request", "", operation), ended[variant.requests] - begun[variant.requests])
            steps = _steps(part, variant)
            for key, start, end in spans:
                store.add(key, _estimate(instants[:, end] - instants[:, start], steps))
        careful = part.telling(careful)
        part.expect(careful)
        timelines = [t for t in (part.build(request)[0] for request in sorted(careful)) if t.operation == VOLUME_CREATE.operation]
        count += len(timelines)
        for key, durations in group(timelines).items():
            store.add(key, np.array(durations))
    return store.close(), count


def _steps(assembler: Assembler, variant: Variant) -> np.ndarray | None:
    """The step of the clock that stamped each of a variant's requests; None if all are too fine to matter."""
    scan = assembler.scan
    if 2 * max(scan.resolution) <= COARSE_US:
        return None
    sources = np.array([source for _, source in scan.origins], np.int32)
    return np.array(scan.resolution)[sources[np.frombuffer(scan.events.origin, np.int32)[variant.rows[:, 0]]]]


def _estimate(durations: np.ndarray, steps: np.ndarray | None) -> np.ndarray:
    """What `measure.estimate_us` makes of differences of stamps; coarse ones are few."""
    if steps is None:
        return durations
    pairs, places = np.unique(np.stack((durations, steps)), axis=1, return_inverse=True)
    guesses = [estimate_us(0, us, bounds(0, us, step, step)) for us, step in pairs.T.tolist()]
    return np.array(guesses)[places.reshape(-1)]


def _find_shape(assembler: Assembler, variant: Variant) -> Shape | None:
    """The operation of a variant's requests, and which durations lie between which of their events; None if that depends on more than the variant.

    The first request is put together with instants that are marks: a duration then tells between which of them it lies.
    """
    request = int(variant.requests[0])
    raws = [assembler.raw(row) for row in variant.rows[0].tolist()]
    if not keeps_order(raws):
        return None
    timeline = put_marks(assembler, request, raws)
    if any(h.sent is not None and h.received is not None and h.received <= h.sent for h in timeline.handoffs):
        return None
    spans = []
    for kind, service, name, us in observe([timeline]):
        apart = us // _STEP
        both = us // apart - _STEP
        spans.append(((kind, service, name), (both - apart) // 2, (both + apart) // 2))
    return timeline.operation, spans


def put_marks(assembler: Assembler, request: int, raws: list[Raw]) -> Timeline:
    """The timeline of a request's events with marks for instants. `mark` tells of which event one is."""
    builder = assembler.builder(request)
    for n, raw in enumerate(raws):
        builder.add(replace(raw, at=_EPOCH + _STEP * n + n * n, resolution_us=1))
    return assembler.finish(builder, request, {})


def mark(at: int) -> int:
    """The number of the event that has this mark."""
    return (at - _EPOCH) // _STEP


def keeps_order(raws: list[Raw]) -> bool:
    """Whether these events, ordered by stamps alone, are in causal order, and none of them may be a copy of another."""
    steps = [(raw.kind, raw.uuid) for raw in raws if raw.kind.is_step and raw.uuid is not None]
    return len(set(steps)) == len(steps) and all(a is b for a, b in zip(order_raws(raws), raws))
