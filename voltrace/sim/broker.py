"""The broker: topics, and casts that arrive after a delay."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import simpy


class Broker:
    """Delivers casts. A topic is a queue's name; whoever subscribes is started for each message of it."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.subscribers: dict[str, Callable[..., Generator]] = {}

    def subscribe(self, topic: str, receive: Callable[..., Generator]) -> None:
        """``receive(*message)`` becomes a process of its own for each message that comes to the topic."""
        self.subscribers[topic] = receive

    def cast(self, topic: str, at: int, *message: object) -> None:
        """Sends a message that arrives at the instant ``at`` (µs)."""
        self.env.process(self._deliver(topic, at, message))

    def _deliver(self, topic: str, at: int, message: tuple) -> Generator:
        yield self.env.timeout(max(0, at - self.env.now))
        yield from self.subscribers[topic](*message)
