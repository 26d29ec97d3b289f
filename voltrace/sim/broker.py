"""The broker: queues by topic, from which receivers take messages as their threads get free.

As RabbitMQ and oslo.messaging do it: a message stays in its queue while the broker is out or nobody consumes; a receiver
takes as many as it has threads, acknowledges each when it takes it (what a killed receiver had taken is gone), and takes the
next when a thread is free. Nothing is lost, late or delivered twice unless a fault says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING

from .follow import follow

if TYPE_CHECKING:
    import simpy

THREADS = 64  # oslo.messaging's executor_thread_pool_size


class Receiver:
    """One of those who take messages from a queue; ``busy`` counts its threads at work."""

    __slots__ = ("receive", "threads", "busy", "finish")

    def __init__(self, receive: Callable[..., Generator], threads: int, finish: Callable[[Receiver], None]) -> None:
        self.receive, self.threads, self.busy = receive, threads, 0
        self.finish = partial(finish, self)


class Queue:
    """A topic's queue. ``waiting`` are the messages that nobody has taken; its ``receivers`` take them in turn."""

    __slots__ = ("waiting", "receivers", "open")

    def __init__(self) -> None:
        self.waiting: deque[tuple] = deque()
        self.receivers: deque[Receiver] = deque()
        self.open = True

    def next(self) -> Receiver | None:
        """Who takes the next message: the one with a free thread who has not had one for longest; None if all are busy."""
        for receiver in self.receivers:
            if receiver.busy < receiver.threads:
                if len(self.receivers) > 1:
                    self.receivers.remove(receiver)
                    self.receivers.append(receiver)
                return receiver
        return None


class Broker:
    """Delivers casts after a delay."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.queues: dict[str, Queue] = {}
        self.up = True

    def subscribe(self, topic: str, receive: Callable[..., Generator], threads: int = THREADS) -> None:
        """``receive(*message)`` becomes a process of its own for each message that comes to the topic, ``threads`` at a time.

        Several that subscribe to a topic share its messages.
        """
        queue = self.queues.setdefault(topic, Queue())
        queue.receivers.append(Receiver(receive, threads, partial(self._finish, queue)))

    def cast(self, topic: str, at: int, *message: object) -> None:
        """Sends a message that arrives in its queue at the instant ``at`` (µs)."""
        arrival = self.env.timeout(max(0, at - self.env.now), (self.queues[topic], message))
        arrival.callbacks.append(self._arrive)

    def close(self, topic: str) -> None:
        """Nobody takes messages from the topic: its receiver is down."""
        self.queues[topic].open = False

    def reopen(self, topic: str) -> None:
        """The receiver is back, with all of its threads free."""
        queue = self.queues[topic]
        queue.open = True
        self._serve(queue)

    def replace(self, topic: str, receive: Callable[..., Generator]) -> None:
        """Another receiver has the topic's messages from now on."""
        queue = self.queues[topic]
        queue.receivers = deque([Receiver(receive, THREADS, partial(self._finish, queue))])
        self.reopen(topic)

    def waiting(self, topic: str) -> list[tuple]:
        """The messages that nobody has taken yet."""
        return list(self.queues[topic].waiting)

    def is_busy(self, topic: str) -> bool:
        """Whether a receiver of the topic is at work."""
        return any(receiver.busy for receiver in self.queues[topic].receivers)

    def listens(self, topic: str) -> bool:
        """Whether a message would reach its receiver."""
        return self.up and self.queues[topic].open

    def interrupt(self) -> None:
        """The broker is out: what arrives waits."""
        self.up = False

    def restore(self) -> None:
        """The broker is back."""
        self.up = True
        for queue in self.queues.values():
            self._serve(queue)

    def _arrive(self, event: simpy.Event) -> None:
        queue, message = event.value  # type: ignore[misc]
        receiver = queue.next() if queue.open and self.up and not queue.waiting else None
        if receiver is None:
            queue.waiting.append(message)
        else:
            self._start(receiver, message)

    def _start(self, receiver: Receiver, message: tuple) -> None:
        receiver.busy += 1
        follow(receiver.receive(*message), receiver.finish)

    def _finish(self, queue: Queue, receiver: Receiver) -> None:
        receiver.busy -= 1
        if queue.waiting:
            self._serve(queue)

    def _serve(self, queue: Queue) -> None:
        while self.up and queue.open and queue.waiting:
            receiver = queue.next()
            if receiver is None:
                return
            self._start(receiver, queue.waiting.popleft())
