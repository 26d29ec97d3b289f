"""The help pages: one a slug, true to the lists, the message catalogue and the lifecycle."""

import re
from importlib import resources

import pytest

from voltrace.cli.main import main
from voltrace.errors import UsageError
from voltrace.explain import GROUPS, page, slugs
from voltrace.lifecycle import VOLUME_CREATE, Position, Refusal, Step, advance
from voltrace.messages import catalogue
from voltrace.query import compile_where
from voltrace.verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, GAVE_UP, OUTCOMES

PAGES = {path.name.removesuffix(".md"): path.read_text("utf-8") for path in resources.files("voltrace.explain").iterdir() if path.name.endswith(".md")}
each_page = pytest.mark.parametrize("slug", sorted(PAGES))


def blocks(text, language):
    """The fenced blocks of this language, each as its lines."""
    return [found.strip("\n").split("\n") for found in re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)]


def test_pages__slugs__exactly_one_each():
    assert set(PAGES) == set(OUTCOMES) | set(CAUSES) | set(GAVE_UP) | set(DEVIATIONS) | set(DIAGNOSTICS)
    assert slugs() == list(dict.fromkeys(slugs()))
    assert set(slugs()) == set(PAGES)
    assert all(page(slug) == text for slug, text in PAGES.items())


@each_page
def test_page__shape__heading_meaning_and_sections(slug):
    lines = PAGES[slug].splitlines()
    assert lines[0] == f"# {slug}"
    assert lines[1] == "" and lines[2]
    assert 10 <= len(lines) <= 30
    assert PAGES[slug].endswith("\n") and not PAGES[slug].endswith("\n\n")
    headings = [line for line in lines if line.startswith("## ")]
    allowed = ["## How voltrace decides", "## What voltrace does about it", "## What usually causes it", "## What to look at next"]
    assert headings == [h for h in allowed if h in headings]
    assert headings[0] == allowed[0] and headings[-1] == allowed[-1]
    assert (allowed[1] in headings) == (slug in DIAGNOSTICS)
    assert PAGES[slug].count("```") % 2 == 0


@each_page
def test_page__first_sentence__in_tune_with_the_one_liner(slug):
    lines = [group[slug] for group in (OUTCOMES, CAUSES, GAVE_UP, DEVIATIONS, DIAGNOSTICS) if slug in group]
    said = set(re.findall(r"[a-z0-9]+", PAGES[slug].split("\n##")[0].lower()))
    meant = set(re.findall(r"[a-z0-9]+", lines[0].lower()))
    assert len(said & meant) >= 0.6 * len(meant), meant - said


@each_page
def test_page__links__lead_to_pages(slug):
    for text, target in re.findall(r"\[([^\]]+)\]\(([^)]+)\)", PAGES[slug]):
        assert target == f"{text}.md"
        assert text in PAGES and text != slug


@each_page
def test_page__quoted_log_lines__are_of_the_catalogue(slug):
    for block in blocks(PAGES[slug], "log"):
        for line in block:
            level, logger, message = line.split(" ", 2)
            assert catalogue().find(level, logger, message), line


@each_page
def test_page__where_expressions__are_valid(slug):
    for expression in re.findall(r'--where "([^"]+)"', PAGES[slug]):
        compile_where(expression)


def walk(text):
    """What advance says to the last of these steps: `name STATE STATE, name STATE`; a state follows the last one of its name."""
    position, flow, at = Position(), "", {}
    steps = []
    for item in text.split(", "):
        name, *states = item.split()
        flow = name if name.startswith("volume_create") else flow
        for new in states:
            steps.append(Step(flow, 1, None if name == flow else name, at.get(name, "PENDING"), new))
            at[name] = new
    for step in steps:
        result = advance(VOLUME_CREATE, position, step)
        if isinstance(result, Refusal):
            assert step == steps[-1], (step, result)
            return result
        position = result
    return position


@each_page
def test_page__example_sequences__lifecycle_agrees(slug):
    for block in blocks(PAGES[slug], "steps"):
        good, bad = block
        assert isinstance(walk(good.removeprefix("good: ")), Position)
        refusal = walk(bad.removeprefix("bad: "))
        assert isinstance(refusal, Refusal)
        assert refusal.slug == slug


@pytest.mark.parametrize("slug", DEVIATIONS)
def test_page__deviation__shows_good_and_bad(slug):
    assert re.search(r"^good:|\bGood\b", PAGES[slug], re.M)
    assert re.search(r"^bad: |\bBad\b", PAGES[slug], re.M)


@pytest.mark.parametrize("slug, near", [("creatd", "created"), ("no-valid-host", "no-valid-backend"), ("Clock-Step", "clock-step"), ("quota", "over-quota")])
def test_page__unknown_slug__names_close_ones(slug, near):
    with pytest.raises(UsageError, match=near):
        page(slug)


@pytest.mark.parametrize("slug", ["", "zzz", "../errors", "__init__", "created.md"])
def test_page__no_slug_at_all__usage_error(slug):
    with pytest.raises(UsageError, match="no page"):
        page(slug)


def test_command__slug__prints_the_page(capsys):
    assert main(["explain", "no-valid-backend"]) == 0
    assert capsys.readouterr().out == PAGES["no-valid-backend"]


def test_command__without_slug__lists_all_with_their_lines(capsys):
    assert main(["explain"]) == 0
    out = capsys.readouterr().out
    for name, group in GROUPS.items():
        assert f"{name}\n" in out
        for slug, line in group.items():
            assert re.search(rf"^  {slug} +{re.escape(line)}$", out, re.M)


def test_command__unknown_slug__one_line_and_status_2(capsys):
    assert main(["explain", "creatd"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "voltrace explain: no page 'creatd'; did you mean created?\n"
