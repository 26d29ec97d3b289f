"""The API's workers: a request from the web server's door to its answer, and the cast to the scheduler."""

from __future__ import annotations

from collections.abc import Generator

from ..lifecycle import API, FAILURE, SCHEDULER, SCHEDULER_TOPIC
from ..verdict import Outcome
from .follow import follow
from .lines_api import ACCEPTED, BREAKDOWNS, REFUSALS, compose_create
from .lines_image import format_of, shows_image
from .load import Wish
from .machines import claim, play_on
from .play import Play
from .polling import poll
from .refusals import answer_bytes, foreign_path, hide_unread, leave_unanswered, refused_early, sent_body, turn_away
from .site import Process, Request, Site
from .truth import Story

# What the reverts leave of the volume's row when the API breaks down: with its quota committed it is kept.
_ROW_LEFT = {"database": None, "commit": "deleted-row", "cast": "creating"}
_BROKEN = {"database": "database-error", "commit": "internal-error", "cast": "message-not-sent"}
_CAUSES = {400: "invalid-input", 401: "unauthorized", 403: "forbidden", 404: "not-found", 406: "not-acceptable", 413: "over-quota"}
# Edits that are no falsehoods: the worker is killed before or after it has cast, and another takes its place.
DIES_BEFORE, DIES_AFTER = "die-before-cast", "die-after-cast"
_RESPAWN_US = (200_000, 2_000_000)
_COUNTED = ("quota-gigabytes", "quota-volumes", *BREAKDOWNS, ACCEPTED)


# Where the image service keeps an image, for services that may read it there themselves.
_STORED = "[{'url': 'file:///opt/stack/data/glance/images/%s', 'metadata': {'store': 'fs'}}]"


def arrive(site: Site, wish: Wish) -> Request:
    """A request as it comes to the web server's door."""
    volume, request_id = wish.volume, f"req-{site.ids.one()}"
    size, kind = volume["size"], volume.get("volume_type")
    # What requests of a project for a type and without source have in common.
    common = (wish.project, kind) if wish.source == "blank" else None
    known = site.known.get(common) if common else None
    if known is None:
        known = _shared_fields(site, wish)
        if common:
            site.known[common] = known
    fields = known | {
        "request_id": request_id,
        "global_request_id": wish.global_request_id,
        "size_asked": size,
        "size": size,
        "name_object": f"'{volume['name']}'" if "name" in volume else "None",
        "name_python": site.stage.release.python(volume.get("name")),
        "zone": volume.get("availability_zone", site.scenario.zone),
        "address": site.address(),
    }
    fields |= foreign_path(site, wish)
    project_id, user_id, path = fields["project_id"], fields["user_id"], fields["path"]
    # The journal's lines name project and user, oslo's give their ids; before 2023.1 these do not give the global request id.
    project, user = (project_id, user_id) if site.stage.format.layout == "oslo" else (wish.project, wish.user)
    whole = size if isinstance(size, int) else None
    # The project's name travels with the request, the user's does not.
    fields["user_shown"] = "None"
    fields["later_context"] = site.context(fields)
    fields["user_shown"] = wish.user
    fields["api_context"] = site.context(fields)
    told = wish.global_request_id if (wish.global_request_id or "") in fields["api_context"] else None
    story = Story(request_id, told, project, user, volume.get("name"), whole, kind, volume.get("availability_zone"), path, wish.source)
    site.running += 1
    return Request(wish, story, fields)


def _shared_fields(site: Site, wish: Wish) -> dict:
    """What is the same for all of a project's requests for this type and source."""
    project_id, user_id = site.identities[wish.project]
    path = f"/volume/v3/{project_id}/volumes"
    return {
        "project_name": wish.project,
        "project_id": project_id,
        "user_name": wish.user,
        "user_id": user_id,
        "url": site.url(path),
        "path": path,
        "max_attempts": site.scenario.max_attempts,
        **site.types.get(wish.volume.get("volume_type"), site.types[site.scenario.default_type]),
        **_source_fields(site, wish),
    }


def _source_fields(site: Site, wish: Wish) -> dict:
    """What the volume is made from, as objects and as Python values show it."""
    python = site.stage.release.python
    fields: dict[str, object] = {} if "volume_type" in wish.volume else {"type_asked": "None"}
    for name, source in (("snapshot", "snapshot"), ("source", "volume"), ("image", "image")):
        theirs = wish.source == source
        fields[f"{name}_id"] = wish.source_id if theirs else "None"
        fields[f"{name}_python"] = python(wish.source_id) if theirs else "None"
    beside = None  # where its source is
    if wish.source in ("volume", "snapshot"):
        beside = site.source_pool(site.kinds.get(wish.volume.get("volume_type", site.scenario.default_type))).host
    fields["resource_backend"] = f"'{beside}'" if beside else "<?>"
    fields["resource_backend_item"] = f"'resource_backend': {site.stage.release.python(beside)}, " if beside else ""
    if wish.source == "image":
        fields |= {"image_name": "cirros", "image_checksum": wish.source_id.replace("-", ""), "image_format": format_of(wish.source_id)}
        fields["image_location"] = f"(None, {_STORED % wish.source_id if shows_image(site.stage) else None})"
    return fields


def serve(site: Site, request: Request, worker: Process | None = None) -> Generator:
    """A request until its answer, by ``worker`` or whichever is free first. What follows goes on by itself."""
    if worker is None:
        worker = site.idle.take() or (yield site.idle.wait())
    assert worker is not None
    env, story, wish = site.env, request.story, request.wish
    processor = yield from claim(site, worker)
    body = sent_body(wish)
    ending, error, more = _judge(site, request)
    kind = request.fields["type_name"]
    type_new, first = ending in _COUNTED and kind not in worker.types, site.serves_first(worker)
    script = site.stage.script(compose_create, ending, env.now >= worker.zones_until, type_new, wish.source, first)
    hide_unread(site, request, ending)
    if not script.pauses:
        yield from turn_away(site, worker, processor, request)
        return
    run = site.begin_run(request, API, 1) if script.steps else None
    values = site.values(request, API, run.ids if run else {}, more, {"error": error, "body_json": body, "body_python": site.stage.release.body(wish.volume)})
    values["controller"] = site.controller
    site.count(worker, values, len(body), 997 if ending == ACCEPTED else answer_bytes(ending))
    if ending == ACCEPTED or ending in BREAKDOWNS:
        _make_row(site, request, values, ending)
    if request.told:
        site.truth.begin(story)
    play = yield from play_on(processor, site, worker, script, values, request, run)
    lost, dies = False, wish.fault.edit if wish.fault and wish.fault.edit in (DIES_BEFORE, DIES_AFTER) else ""
    if "zones_at" in values:
        worker.zones_until = worker.true(values["zones_at"]) + 3_600_000_000
    if ending in _COUNTED:
        worker.types |= {kind}
    if ending in _COUNTED or ending == "quota-limit":
        story.volume_type, story.zone = kind, request.fields["zone"]
    if ending == ACCEPTED:
        story.status = wish.fault.answers if wish.fault else 202
        request.fields["created_at"] = values["created_at"]
        if dies:
            story.status = None
        if dies == DIES_BEFORE:
            story.outcome = Outcome("unknown", "response-not-logged")
        elif wish.fault and wish.fault.loses:
            lost = True
            _lose(site, request, values["sent_at"])
        else:
            late = round(wish.fault.late_s * 1e6) if wish.fault else 0
            arrival = worker.true(values["sent_at"]) + site.sample("broker/cinder-scheduler") + late
            if late:
                site.blame(request, SCHEDULER, values["sent_at"])
            site.broker.cast(SCHEDULER_TOPIC, arrival, request, values["sent_at"], API)
    else:
        _fail(site, request, play, ending, error)
    yield env.timeout(max(0, play.last - env.now) + 1)  # a worker that dies may have been killed while it waited for a processor
    if dies and ending == ACCEPTED:
        yield env.timeout(site.times.randrange(*_RESPAWN_US))
        worker = site.respawn(worker)
    site.idle.give(worker)
    if ending == ACCEPTED and site.scenario.poll_s and not dies:
        follow(poll(site, request))
    if wish.fault and wish.fault.strays and ending in BREAKDOWNS:
        _stray(site, request, values["created_at"])
    elif ending != ACCEPTED or lost or dies == DIES_BEFORE:
        site.end(request)


def _stray(site: Site, request: Request, created: int) -> None:
    """The scheduler is sent what the API never cast. To the lifecycle it is as if the API had."""
    request.where = site.grants.take(0, site.stage.script(compose_create, ACCEPTED, False, False, request.wish.source))
    request.fields["created_at"] = created
    site.broker.cast(SCHEDULER_TOPIC, site.env.now + site.sample("broker/cinder-scheduler"), request, None, API)


def _lose(site: Site, request: Request, sent: int) -> None:
    """The cast to the scheduler never arrives: the volume stays as the API made it."""
    request.story.hand_over(API, SCHEDULER, 1, sent, None)
    request.story.outcome = Outcome("lost", "message-not-received", final_status="creating")
    site.blame(request, SCHEDULER, sent)


def _judge(site: Site, request: Request) -> tuple[str, str, dict]:
    """How the API will answer (`ACCEPTED` or a name of `REFUSALS`), the error's text, and fields. Reserves quota."""
    volume, release, zones = request.wish.volume, site.stage.release, site.zones
    size, early = volume["size"], refused_early(site, request.wish)
    if early:
        return early, "", {}
    if not isinstance(size, int):
        return ("schema" if release.size_text == "schema" else "size"), "", {}
    if size < 1 and release.size_zero == "schema":
        return "schema", "", {}
    if "volume_type" in volume and volume["volume_type"] not in site.types:
        return "type", "", {}
    if request.wish.fault and request.wish.fault.kind == "image-unknown":
        return "image", "", {}
    if size < 1:
        return "flow-size", f"Invalid input received: Volume size '{size}' must be an integer and greater than 0", {}
    if volume.get("availability_zone", zones[0]) not in zones:
        return "zone", f"Availability zone '{volume['availability_zone']}' is invalid.", {}
    fault = request.wish.fault
    if fault and fault.kind == "source-larger":
        larger = f"Volume size '{size}'GB cannot be smaller than original volume size  {size + 1}GB. They must be >= original volume size."
        return "source-size", f"Invalid input received: {larger}", {}
    exceeded, error, fields = site.quotas.reserve(request.wish.project, size)
    breaks = fault.breaks if fault else None
    if not exceeded and not breaks and not site.broker.up:
        site.touch(request, "broker-outage", API)
        breaks = "cast"
    if not exceeded and breaks:
        site.quotas.give_back(request.wish.project, size)
        return breaks, BREAKDOWNS[breaks][2], {}
    return exceeded or ACCEPTED, error, fields


def _make_row(site: Site, request: Request, values: dict, ending: str) -> None:
    volume_id, *reservations = site.ids.take(5)
    prefix = site.stage.release.unicode
    if ending in BREAKDOWNS:
        values["reservations_back"] = f"[{', '.join(repr(r) for r in site.ids.take(4))}]"
        values["quota_committed"] = ending == "cast"
    made = {
        "volume_id": volume_id,
        "reservations": "[" + ", ".join(f"'{r}'" for r in reservations) + "]",
        "reservations_object": ",".join(f"'{r}'" for r in reservations),
        "reservations_cast": ", ".join(f"{prefix}'{r}'" for r in reservations),
    }
    request.fields |= made
    if ending != "database":
        request.story.volume_id = volume_id
    values.update(made)


def _fail(site: Site, request: Request, play: Play, ending: str, error: str) -> None:
    story, at = request.story, play.last
    if leave_unanswered(site, request, ending, at):
        return
    if ending in BREAKDOWNS:
        status, exception = 500, BREAKDOWNS[ending][1].rpartition(".")[2]
        story.outcome = Outcome("failed", _BROKEN[ending], final_status=_ROW_LEFT[ending])
    else:
        status, exception = REFUSALS[ending]
        story.outcome = Outcome("refused", _CAUSES[status])
    story.status = status
    for record, step in play.script.steps:
        if step.new == FAILURE:
            at = play.at(record)
            story.fail(at, API, step.flow, step.task or "", 1, None, exception or "", error)
    fault = request.wish.fault
    if fault and not fault.edit and (fault.service == API or fault.breaks):
        site.blame(request, API, at)
