"""What the lifecycle grants: the simulator asks `advance` for every step, once a position, and remembers the answer."""

from __future__ import annotations

from ..lifecycle import VOLUME_CREATE, Position, Refusal, advance
from .script import Script


class Grants:
    """Positions by number. A request knows its number; a script's steps lead from one to the next."""

    def __init__(self) -> None:
        self.positions = [Position()]
        self.numbers = {Position(): 0}
        self.known: dict[tuple[int, int], int] = {}

    def take(self, where: int, script: Script) -> int:
        """The position after the script's steps. Raises RuntimeError if the lifecycle refuses one: that is a fault of the simulator."""
        key = (where, script.serial)
        found = self.known.get(key)
        if found is None:
            position = self.positions[where]
            for _, step in script.steps:
                after = advance(VOLUME_CREATE, position, step)
                if isinstance(after, Refusal):
                    raise RuntimeError(f"the simulator took a step that the lifecycle refuses: {after.message} ({after.slug}); expected {after.expected}")
                position = after
            found = self.known[key] = self.numbers.setdefault(position, len(self.positions))
            if found == len(self.positions):
                self.positions.append(position)
        return found
