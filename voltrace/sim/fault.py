"""What a kind of fault is: where it strikes, what it does, and what complete logs must show for it."""

from __future__ import annotations

from dataclasses import dataclass, field

# What a volume may be made from, and the part of the request's body that names it.
SOURCES = {"volume": "source_volid", "snapshot": "snapshot_id", "image": "imageRef"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: where it strikes, and what it leads to.

    What is asked for: ``asks`` are parts of the request's body, ``source`` is what the volume is made from. ``needs`` are parts of the body that the
    scenario must give, for the fault depends on its cloud.

    ``refused``: the API refuses it for what no body tells (a name of `lines_api.REFUSALS`); ``unanswered``: on the web server's access line alone.

    What fails: ``breaks`` in the API (a name of `lines_api.BREAKDOWNS`), ``raises`` in the volume service (a name of `lines_volume.FAILURES`), on
    ``attempts`` of the attempts (0: on all). ``kills``: the volume service dies while the driver works, and is started again unless it dies ``for_good``.
    ``hangs``: the driver never returns. ``slow_s``: it takes so much longer. ``disables``: the service is disabled before the next attempt.

    What happens to messages: ``loses`` the cast to the scheduler, ``late_s`` later it arrives, ``doubles`` the cast to this service,
    ``strays``: the scheduler is sent what the API did not cast.

    ``edit`` makes the log say something else than what was done (a name of `edits.EDITS`): the fault is unlawful then.
    ``answers`` is the status that the API then says it has answered an accepted request with.
    """

    kind: str
    service: str
    text: str
    outcome: str
    cause: str | None
    asks: dict = field(default_factory=dict)
    source: str = ""
    needs: tuple[str, ...] = ()
    breaks: str | None = None
    loses: bool = False
    kills: bool = False
    hangs: bool = False
    deviations: tuple[str, ...] = ()
    diagnostics: tuple[str, ...] = ()
    raises: str | None = None
    attempts: int = 0
    disables: bool = False
    for_good: bool = False
    slow_s: float = 0.0
    late_s: float = 0.0
    doubles: str = ""
    strays: bool = False
    edit: str = ""
    answers: int = 202
    refused: str = ""
    unanswered: bool = False

    def expect(self, max_attempts: int) -> dict:
        """What a reader of complete logs must find, as truth.jsonl says it, where so many attempts are allowed."""
        outcome, cause = (self.outcome, self.cause) if self.attempts < max_attempts else ("failed", "driver-error")
        return {"outcome": outcome, "cause": cause, "deviations": [*self.deviations], "diagnostics": [*self.diagnostics]}
