"""The contexts in lines' brackets, each with a number, and the requests that they name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

UNREAD = -2  # the request of a context that was met but not read yet
_ROOM = 1 << 10


class Brackets:
    """A number for each context. What names its user as the API does (``from_api``) is kept apart from what does not."""

    def __init__(self, read: Callable[[bytes, bool], int]) -> None:
        """``read`` gives the request that a context names, and keeps what else it says."""
        self._read = read
        self._numbers: tuple[dict[bytes, int], dict[bytes, int]] = ({}, {})
        self._requests = np.full(_ROOM, UNREAD, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def number(self, text: bytes, from_api: bool) -> int:
        """The number of a context; it is given one if it has none."""
        numbers = self._numbers[from_api]
        number = numbers.get(text)
        if number is None:
            number = numbers[text] = self._count
            self._count += 1
            if number == len(self._requests):
                self._requests = np.append(self._requests, np.full_like(self._requests, UNREAD))
        return number

    def learn(self, number: int, request: int) -> None:
        """The request of the context of this number."""
        self._requests[number] = request

    def requests(self, numbers: np.ndarray) -> np.ndarray:
        """The requests of contexts, `UNREAD` for those that nobody has told yet."""
        return self._requests[numbers]

    def read(self, number: int, text: bytes, from_api: bool) -> int:
        """The request of a context of this number; `UNREAD` if only the careful way can tell."""
        request = int(self._requests[number])
        if request == UNREAD and b"]" not in text:
            request = self._requests[number] = self._read(text, from_api)
        return request

    def clear(self) -> None:
        for numbers in self._numbers:
            numbers.clear()
        self._requests[:] = UNREAD
        self._count = 0
