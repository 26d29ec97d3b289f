"""Refusals that no line of the API tells: what is written of them, and what is then known."""

import re

import pytest

from voltrace.errors import UsageError
from voltrace.sim.release import releases
from voltrace.sim.scenario_file import read_scenario

from .clouds import LVM, cloud, run

KINDS = ["token-missing", "token-wrong", "version-unknown", "body-malformed", "project-foreign"]
STATUS = {"token-missing": 401, "token-wrong": 401, "version-unknown": 406, "body-malformed": 400, "project-foreign": 400}


def refused(kind, release="2026.2", **options):
    """The API's lines without their prefix in a run with one such request, and its truth if it has any."""
    lines, truths = run(cloud({"fault": kind}, background_s=60), release, **options)
    return [line.partition("]: ")[2] for line in lines["api"]], truths


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("release", releases())
def test_refused_unanswered__every_release__only_the_access_line_answers(release, kind):
    lines, truths = refused(kind, release)
    assert sum(f"(HTTP/1.1 {STATUS[kind]})" in line for line in lines) == 1
    assert not any("returned with HTTP" in line and "POST" in line for line in lines)
    if kind.startswith("token") and release in ("queens", "train"):
        assert truths == []
        return
    (truth,) = truths
    assert (truth["outcome"], truth["http"]["status"], truth["flows"]) == ("refused", STATUS[kind], [])
    assert [fault["kind"] for fault in truth["faults"]] == [kind]
    if kind.startswith("token"):
        assert {truth[name] for name in ("user", "project", "name", "size_gb", "source", "volume_type")} == {None}
    if kind == "project-foreign":
        assert truth["http"]["path"] in next(line for line in lines if "HTTP/1.1" in line)


@pytest.mark.parametrize("kind", KINDS)
def test_refused_unanswered__files_without_access_lines__leave_it_unknown(kind):
    _, truths = refused(kind, format="oslo")
    known = [] if kind.startswith("token") else [("unknown", "response-not-logged")]
    assert [(t["outcome"], t["cause"]) for t in truths] == known
    assert [(f["expect"]["outcome"], f["expect"]["cause"]) for t in truths for f in t["faults"]] == known


def test_wrong_token__as_captured():
    lines, _ = refused("token-wrong")
    warning = next(line for line in lines if "Authorization failed" in line)
    ends = "None None] Authorization failed for token: keystonemiddleware.auth_token._exceptions.InvalidToken: Token authorization failed"
    assert re.fullmatch(r"WARNING keystonemiddleware\.auth_token \[None req-\S+ " + re.escape(ends), warning)


@pytest.mark.parametrize(("release", "level"), [("train", "ERROR"), ("yoga", "DEBUG"), ("2026.2", "DEBUG")])
def test_policy__since_train__tells_who_may_not(release, level):
    lines, (truth,) = refused("policy-forbids", release)
    said = [line for line in lines if "Policy check for volume:create failed" in line]
    assert len(said) == 1 and said[0].startswith(f"{level} cinder.policy [") and "'roles': ['reader']" in said[0]
    assert (truth["outcome"], truth["cause"], truth["http"]["status"]) == ("refused", "forbidden", 403)


def test_policy__queens__lets_it_pass():
    assert [(t["outcome"], t["faults"]) for t in refused("policy-forbids", "queens")[1]] == [("created", [])]


@pytest.mark.parametrize("more", [{"background_s": 0}, {"api_threads": 2}])
def test_refused_unanswered__where_it_could_not_be_told__is_a_mistake(more):
    table = {"default_type": "a", "backends": LVM, "types": [{"name": "a"}], "projects": [{"name": "p", "user": "p"}], **more}
    with pytest.raises(UsageError) as told:
        read_scenario({"cloud": table, "requests": [{"fault": "body-malformed"}]}, "s")
    assert f"body-malformed needs cloud.{next(iter(more))}" in str(told.value)
