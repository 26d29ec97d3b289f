"""Stations: servers that take one visitor each, first come, first served."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import simpy

Server = TypeVar("Server")


class Station(Generic[Server]):
    """Servers and one queue before them, on SimPy's events.

    A visit costs an event only if it has to wait, where SimPy's own Resource and Store make two for every visit. Usage::

        server = station.take() or (yield station.wait())
        ...
        station.give(server)
    """

    __slots__ = ("env", "free", "queue")

    def __init__(self, env: simpy.Environment, servers: Iterable[Server]) -> None:
        self.env = env
        self.free: deque[Server] = deque(servers)
        self.queue: deque[simpy.Event] = deque()

    def take(self) -> Server | None:
        """The server that has been idle for longest, or None if all are busy."""
        return self.free.popleft() if self.free else None

    def wait(self) -> simpy.Event:
        """The event that the next server in turn is free for this visitor; its value is the server."""
        event = self.env.event()
        self.queue.append(event)
        return event

    def give(self, server: Server) -> None:
        """The server's visit is over: whoever waits longest has it now."""
        if self.queue:
            self.queue.popleft().succeed(server)
        else:
            self.free.append(server)

    def remove(self, server: Server) -> bool:
        """Takes that very server if it is free. Whether it was."""
        if server not in self.free:
            return False
        self.free.remove(server)
        return True


class Endless(Station[bool]):
    """A station where nobody ever waits."""

    __slots__ = ()

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env, ())

    def take(self) -> bool:
        return True

    def give(self, server: bool) -> None:
        """Nothing is to be done: there are always enough."""
