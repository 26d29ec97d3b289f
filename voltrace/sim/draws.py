"""Draws: the lapses of many plays of a script together, which numpy draws as fast as Python draws those of one."""

from __future__ import annotations

from array import array

import numpy as np


def draw(pauses: list[array[int]], chances: bytes, plays: int) -> list[array[int]]:
    """The lapse (µs) from the beginning to each record, of so many plays. ``pauses`` are tables of equally likely values, a power of two each.

    ``chances`` are random bytes, two a value: of the first pause for all plays, then of the second.
    """
    picked = np.frombuffer(chances, "<u2").reshape(len(pauses), plays)
    drawn = [np.frombuffer(table, np.int64)[chosen % len(table)] for table, chosen in zip(pauses, picked)]
    return [array("q", lapses.tobytes()) for lapses in np.column_stack(drawn).cumsum(axis=1)]
