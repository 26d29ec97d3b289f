"""How far a simulation is, on a terminal."""

from __future__ import annotations

import os
import sys
from time import monotonic

_WIDTH = 30
_PAUSE_S = 0.1  # between two looks of the bar: a terminal is slow


class Progress:
    """A bar of the requests sent, on stderr if that is a terminal; nothing else is ever written there."""

    def __init__(self, requests: int) -> None:
        self.requests, self.begun, self.shown = requests, monotonic(), 0.0
        self.terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, sent: int) -> None:
        """``sent`` requests are on their way."""
        now = monotonic()
        if self.terminal and now >= self.shown + _PAUSE_S:
            self.shown = now
            sys.stderr.write(f"\r\x1b[K{draw(sent, self.requests, now - self.begun)}")
            sys.stderr.flush()

    def clear(self) -> None:
        """The simulation has ended."""
        if self.terminal and self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def draw(sent: int, requests: int, passed_s: float) -> str:
    """The bar after so many requests and seconds, with the time that is left if it goes on so."""
    share = min(1.0, sent / requests) if requests else 1.0
    full = int(_WIDTH * share)
    left = f", {passed_s / share - passed_s:.0f} s left" if 0 < share < 1 and passed_s > 2 else ""
    return f"[{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%}  {sent:,} of {requests:,} requests{left}"
