"""Clients that wait: after a 202 they ask for their volume again and again until its status is final."""

from __future__ import annotations

from collections.abc import Generator

from .background import answer_get
from .site import Request, Site

_PATIENCE_US = 300_000_000  # then the client gives up; Tempest waits as long
_ANSWER_BYTES = 1020


def poll(site: Site, request: Request) -> Generator:
    """Asks an API worker for the request's volume every ``poll_s`` seconds. Each time is a request of its own, which waits for a free worker."""
    env, story = site.env, request.story
    pause = round(site.scenario.poll_s * 1e6)
    give_up, what = env.now + _PATIENCE_US, f"volumes/{story.volume_id}"
    final = False
    while not final and env.now < give_up:
        yield env.timeout(pause)
        worker = site.idle.take() or (yield site.idle.wait())
        final = story.outcome.final_status in ("available", "error") and env.now >= site.over(request)
        yield from answer_get(site, worker, request.wish.project, what, "volume-shown", "show", _ANSWER_BYTES)
