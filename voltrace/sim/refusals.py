"""Requests that the API refuses for something else than what their body says: what the client sends then, and what logs show of it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from ..lifecycle import API
from ..verdict import Outcome
from .lines_api import NAMELESS, UNANSWERED
from .load import Wish
from .site import Process, Request, Site

if TYPE_CHECKING:
    from .machines import Processor

# What the web server sends back, in bytes, as it was seen; other refusals get along with so many.
_ANSWER_BYTES = {"token-missing": 114, "token-wrong": 114, "version": 123, "body": 66, "project": 65}
_USUAL_BYTES = 151


def sent_body(wish: Wish) -> str:
    """The request's body as the client sends it."""
    return wish.body[:-2] if wish.fault and wish.fault.refused == "body" else wish.body


def foreign_path(site: Site, wish: Wish) -> dict:
    """The request's path, where that is not its own project's."""
    if wish.fault is None or wish.fault.refused != "project":
        return {}
    path = f"/volume/v3/{site.ids.one().replace('-', '')}/volumes"
    return {"path": path, "url": site.url(path)}


def refused_early(site: Site, wish: Wish) -> str:
    """The name of `lines_api.REFUSALS` with which the API refuses the request whatever its body says; empty if it looks at that."""
    refused = wish.fault.refused if wish.fault else ""
    # What the policy's line says of who asks is not known for every release.
    return "" if refused == "policy" and "credentials" not in site.payloads else refused


def answer_bytes(ending: str) -> int:
    """The size of a refusal's answer."""
    return _ANSWER_BYTES.get(ending, _USUAL_BYTES)


def hide_unread(site: Site, request: Request, ending: str) -> None:
    """Takes out of the request's story what the API never came to write of it. What shows it as no create is not told at all."""
    story = request.story
    if ending in NAMELESS:
        story.project = story.user = None
        named = "request-id-filter"
        request.told = site.stage.shows_access and site.stage.release.name in site.stage.rows[named].lines
    if ending in NAMELESS or ending == "version":
        story.name = story.size_gb = story.volume_type = story.zone = story.source = None


def leave_unanswered(site: Site, request: Request, ending: str, at: int) -> bool:
    """Whether no line tells the answer, neither the API's nor the web server's. The outcome then stays unknown."""
    if ending not in UNANSWERED or site.stage.shows_access:
        return False
    request.story.outcome = Outcome("unknown", "response-not-logged")
    if request.wish.fault:
        site.touch(request, request.wish.fault.kind, API, at)
    return True


def turn_away(site: Site, worker: Process, processor: Processor | None, request: Request) -> Generator:
    """The worker refuses a request of which no line is written."""
    site.count(worker, {}, 0, 0)
    yield site.env.timeout(site.sample("api/authenticate"))
    if processor is not None:
        processor.leave()
    site.idle.give(worker)
    site.end(request)
