"""What can go wrong in a simulated cloud: one row a kind, each with what complete logs must show for it.

A request of a scenario names its fault. Some are in what the client asks for, the others are done to a service while it works, and those of
`falsehoods` are unlawful: no lifecycle allows what the log then shows. They are for testing checkers.
"""

from __future__ import annotations

from .falsehoods import FALSEHOODS
from .fault import Fault


def _refused(kind: str, text: str, cause: str, refused: str, unanswered: bool = True) -> Fault:
    """A request that the API refuses for something else than what its body says."""
    return Fault(kind, "api", text, "refused", cause, refused=refused, unanswered=unanswered)


LAWFUL = {
    f.kind: f
    for f in (
        Fault("size-zero", "api", "the client asks for 0 GB", "refused", "invalid-input", {"size": 0}),
        Fault("size-text", "api", "the client asks for a size that is no number", "refused", "invalid-input", {"size": "abc"}),
        Fault("zone-unknown", "api", "the client asks for an availability zone that does not exist", "refused", "invalid-input", {"availability_zone": "mars"}),
        Fault("type-unknown", "api", "the client asks for a volume type that does not exist", "refused", "not-found", {"volume_type": "no-such-type"}),
        Fault("image-unknown", "api", "the client asks for an image that does not exist", "refused", "invalid-input", source="image"),
        Fault("source-larger", "api", "the client asks for less than the source volume holds", "refused", "invalid-input", source="volume"),
        _refused("token-missing", "the client sends no token", "unauthorized", "token-missing"),
        _refused("token-wrong", "the client sends a token that nobody has issued", "unauthorized", "token-wrong"),
        _refused("version-unknown", "the client asks for a version of the API that there is not", "not-acceptable", "version"),
        _refused("body-malformed", "the client's JSON breaks off", "invalid-input", "body"),
        _refused("project-foreign", "the client asks in the path of a project that its token is not for", "invalid-input", "project"),
        _refused("policy-forbids", "the client's user may not create volumes", "forbidden", "policy", unanswered=False),
        Fault("database-fails", "api", "the database refuses the volume's row", "failed", "database-error", breaks="database"),
        Fault("commit-fails", "api", "the quota's reservations cannot be committed", "failed", "internal-error", breaks="commit"),
        Fault("cast-fails", "api", "the broker does not take the cast to the scheduler", "failed", "message-not-sent", breaks="cast"),
        Fault("quota-exceeded", "api", "the client asks for more than its project's quota leaves", "refused", "over-quota", needs=("size",)),
        Fault(
            "type-without-backend", "scheduler", "the volume type asks for a backend that there is not", "failed", "no-valid-backend", needs=("volume_type",)
        ),
        Fault("capacity-exceeded", "scheduler", "no backend has that much room", "failed", "no-valid-backend", needs=("size",)),
        Fault(
            "message-lost",
            "scheduler",
            "the broker loses the cast to the scheduler",
            "lost",
            "message-not-received",
            loses=True,
            deviations=("handoff-lost",),
        ),
        Fault("service-down", "scheduler", "the volume service has not been heard of for too long", "failed", "no-valid-backend"),
        Fault("driver-fails-once", "volume", "the driver raises on the first attempt", "created", None, raises="driver-error", attempts=1),
        Fault("driver-fails-twice", "volume", "the driver raises on the first two attempts", "created", None, raises="driver-error", attempts=2),
        Fault("driver-fails", "volume", "the driver raises on every attempt", "failed", "driver-error", raises="driver-error"),
        Fault("driver-crashes", "volume", "the driver has a bug and raises an error of Python's own", "failed", "driver-error", raises="driver-crash"),
        Fault("volume-not-found", "volume", "the driver does not find the volume it is to make", "failed", "driver-error", raises="volume-not-found"),
        Fault("driver-hangs", "volume", "the driver never returns", "stuck", None, hangs=True, deviations=("flow-without-end",)),
        Fault(
            "volume-killed",
            "volume",
            "the volume service is killed while the driver works, and started again",
            "stuck",
            "service-stopped",
            kills=True,
            deviations=("flow-without-end",),
            diagnostics=("service-restarted",),
        ),
        Fault(
            "volume-killed-for-good",
            "volume",
            "the volume service is killed while the driver works, and nobody starts it again",
            "unknown",
            "log-ends",
            kills=True,
            for_good=True,
        ),
        Fault("driver-slow", "volume", "the driver takes a minute and a half longer", "created", None, slow_s=90.0),
        Fault("message-late", "scheduler", "the broker delivers the cast to the scheduler 20 s late", "created", None, late_s=20.0),
        Fault("api-worker-killed", "api", "the API's worker is killed before it casts", "unknown", "response-not-logged", edit="die-before-cast"),
        Fault("api-worker-killed-late", "api", "the API's worker is killed after it has cast, before it answers", "created", None, edit="die-after-cast"),
        Fault("clone-fails", "volume", "the driver cannot copy the source volume", "failed", "driver-error", source="volume", raises="clone-error"),
        Fault("image-fetch-fails", "volume", "the image cannot be fetched", "failed", "image-error", source="image", raises="image-fetch"),
        Fault("image-conversion-fails", "volume", "the image cannot be converted", "failed", "image-error", source="image", raises="image-conversion"),
        Fault(
            "device-missing",
            "volume",
            "the block device that an image is to be written to is not there",
            "failed",
            "image-error",
            source="image",
            raises="device-missing",
        ),
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
FAULTS = LAWFUL | FALSEHOODS
