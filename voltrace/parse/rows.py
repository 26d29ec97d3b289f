"""Rows of columns, found, put in order and taken out: what `_rows` does where it is built, with numpy."""

from __future__ import annotations

from array import array

import numpy as np


def most(request: array) -> int:
    """How many rows there are of the request that has most."""
    found = np.bincount(np.frombuffer(request, np.int32) + 1)
    return int(found[1:].max(initial=0))


def select(column: array, flags: bytes) -> array:
    """The rows of which the number in this column is flagged."""
    return _longs(np.flatnonzero(np.frombuffer(flags, np.uint8)[np.frombuffer(column, np.int32)]))


def by_part(request: array, parts: array, count: int, away: bytearray) -> tuple[array, array]:
    """The rows that are ``away`` by the part of their request, in each as they stand; and where the ``count`` parts begin. The last of ``parts`` is that of no request."""
    rows = np.flatnonzero(np.frombuffer(away, np.uint8))
    own = np.frombuffer(parts, np.uint16)[np.frombuffer(request, np.int32)[rows]]
    return _longs(rows[own.argsort(kind="stable")]), _longs(np.append(0, np.bincount(own, minlength=count).cumsum()))


def take(column: memoryview, width: int, rows: array) -> bytes:
    """Of a column of so many bytes a row these rows, in this order."""
    return np.frombuffer(column, np.dtype((np.void, width)))[np.frombuffer(rows, np.int64)].tobytes()


def _longs(values: np.ndarray) -> array:
    found = array("q")
    found.frombytes(values.astype(np.int64).tobytes())
    return found
