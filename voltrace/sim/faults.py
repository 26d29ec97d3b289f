"""What can go wrong in a simulated cloud: one row a kind, each with what complete logs must show for it.

A request of a scenario names its fault. Some are in what the client asks for (``asks``, parts of the request's body),
the others are done to the volume service while it works.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: where it strikes, and what it leads to.

    ``raises`` is what the driver does then (a name of `lines_volume.FAILURES`), on ``attempts`` of the attempts (0: on all).
    ``needs`` are parts of the body that the scenario must give, for the fault depends on its cloud.
    """

    kind: str
    service: str
    text: str
    outcome: str
    cause: str | None
    asks: dict = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    raises: str | None = None
    attempts: int = 0
    disables: bool = False

    def expect(self) -> dict:
        """What a reader of complete logs must find, as truth.jsonl says it."""
        return {"outcome": self.outcome, "cause": self.cause, "deviations": [], "diagnostics": []}


FAULTS = {
    f.kind: f
    for f in (
        Fault("size-zero", "api", "the client asks for 0 GB", "refused", "invalid-input", {"size": 0}),
        Fault("size-text", "api", "the client asks for a size that is no number", "refused", "invalid-input", {"size": "abc"}),
        Fault("zone-unknown", "api", "the client asks for an availability zone that does not exist", "refused", "invalid-input", {"availability_zone": "mars"}),
        Fault("type-unknown", "api", "the client asks for a volume type that does not exist", "refused", "not-found", {"volume_type": "no-such-type"}),
        Fault("quota-exceeded", "api", "the client asks for more than its project's quota leaves", "refused", "over-quota", needs=("size",)),
        Fault(
            "type-without-backend", "scheduler", "the volume type asks for a backend that there is not", "failed", "no-valid-backend", needs=("volume_type",)
        ),
        Fault("capacity-exceeded", "scheduler", "no backend has that much room", "failed", "no-valid-backend", needs=("size",)),
        Fault("driver-fails-once", "volume", "the driver raises on the first attempt", "created", None, raises="driver-error", attempts=1),
        Fault("driver-fails-twice", "volume", "the driver raises on the first two attempts", "created", None, raises="driver-error", attempts=2),
        Fault("driver-fails", "volume", "the driver raises on every attempt", "failed", "driver-error", raises="driver-error"),
        Fault("driver-not-initialized", "volume", "the driver has not started", "failed", "driver-not-initialized", raises="driver-not-initialized"),
        Fault(
            "backend-disabled",
            "volume",
            "the driver raises, and its service is disabled before the next attempt",
            "failed",
            "driver-error",
            raises="driver-error",
            disables=True,
            needs=("volume_type",),
        ),
    )
}
