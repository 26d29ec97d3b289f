"""The casts of requests that went the same way, from columns: of one of them it is found out which events are the cast and the receipt."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .assemble import Assembler
from .casts import CastBounds, Clocks, casts_of
from .observe import mark, put_marks
from .variants import Variant


def add_columns(assembler: Assembler, variants: Iterable[Variant], clocks: Clocks, bounds: CastBounds) -> None:
    """Adds the casts of all requests of these variants."""
    scan = assembler.scan
    at = np.frombuffer(scan.events.at, np.int64)
    careful: set[int] = set()
    for variant in variants:
        raws = [assembler.raw(row) for row in variant.rows[0].tolist()]
        for cast in casts_of(put_marks(assembler, int(variant.requests[0]), raws), clocks):
            if len(cast.sender) > 1 or len(cast.receiver) > 1:  # a clock stepped: it depends on its lines on which side of the step a request is
                careful.update(variant.requests.tolist())
                continue
            sent, received = mark(cast.sent), mark(cast.received)
            steps = raws[sent].resolution_us, raws[received].resolution_us
            instants = at[variant.rows[:, [sent, received]]]
            bounds.add_many(cast.sender, cast.receiver, instants[:, 0], instants[:, 1], *steps)
    for request in sorted(careful):
        for cast in casts_of(assembler.build(request, joined=False)[0], clocks):
            bounds.add(cast)
