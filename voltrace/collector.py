"""Memory in bulk work: without the search for reference cycles, and without giving back what is needed again at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def without_collector() -> Iterator[None]:
    """Without the search for reference cycles: bulk work makes many values and no cycles, and the search would look at all of them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@cache
def keep_memory() -> None:
    """Let what is freed from now on be kept for what comes next: by default every other large array would be given back, and come page by page anew.

    glibc learns from a large piece that is freed; elsewhere nothing happens. The piece itself takes no memory, for it is not written to.
    """
    import numpy as np

    np.empty(_LARGE, np.uint8)


_LARGE = 31 << 20  # bytes; glibc learns nothing from more than 32 MB
