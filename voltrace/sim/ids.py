"""Random ids: uuids of version 4 as OpenStack's services make them, by the thousand."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ..kernel import load

_POOL = 1024
_SIZE = 37  # a uuid's 36 characters and a blank
# Where a uuid's characters stand in the 32 hex digits of its number; the dashes lie between, the version's and the variant's digits are set.
_PLACES = [n for n in range(36) if n not in (8, 13, 18, 23)]
_VARIANT = bytes.maketrans(b"0123456789abcdef", b"89ab89ab89ab89ab")


class Ids:
    """Uuids from a seed. ``random`` draws everything else that names things."""

    def __init__(self, seed: str) -> None:
        self.random, self._numbers = Random(seed), Random(f"{seed}/uuids")
        kernel = load("sim._draws")
        self._write: Callable[[bytes], list[str]] = write_ids if kernel is None else kernel.write_ids
        self._pool: list[str] = []
        self._next = 0

    def take(self, count: int) -> list[str]:
        """That many random uuids."""
        start, end = self._next, self._next + count
        if end > len(self._pool):
            self._pool = self._pool[start:] + self._write(self._numbers.randbytes(16 * max(_POOL, count)))
            start, end = 0, count
        self._next = end
        return self._pool[start:end]

    def one(self) -> str:
        """A random uuid."""
        return self.take(1)[0]


def write_ids(numbers: bytes) -> list[str]:
    """The uuids of random numbers of 16 bytes: their texts are laid out together, one character of all of them at a time."""
    count, digits = len(numbers) // 16, numbers.hex().encode()
    text = bytearray((b"-" * 36 + b" ") * count)
    for n, place in enumerate(_PLACES):
        text[place::_SIZE] = digits[n::32]
    text[14::_SIZE] = b"4" * count
    text[19::_SIZE] = text[19::_SIZE].translate(_VARIANT)
    return text.decode().split()
