"""Forms of truth: what they fill in is what encoding each story on its own gives, to the byte."""

from array import array

import pytest

from voltrace.sim import truth
from voltrace.sim.truth_form import compile_form, encode

from .clouds import run


@pytest.mark.parametrize(("scenario", "release"), [("mixed", "2026.2"), ("mixed", "queens"), ("devstack", "yoga"), ("16_global", "2024.1")])
def test_form__every_story__the_line_that_encoding_gives(scenario, release, monkeypatch):
    filled = truth.TruthWriter.line
    shapes = []

    def line(self, story):
        text = filled(self, story)
        assert text == encode(story)
        shapes.append(story.shape)
        return text

    monkeypatch.setattr(truth.TruthWriter, "line", line)
    run(scenario, release, 150 if scenario == "mixed" else 40, seed=3)
    assert len(shapes) > len(set(shapes)), "no shape came twice: no form was used"


def test_form__two_equal_instants__is_not_made(monkeypatch):
    stories = []
    monkeypatch.setattr(truth.TruthWriter, "line", lambda self, story: stories.append(story) or b"{}")
    run("devstack", requests=1)
    story = stories[0]
    assert compile_form(story) is not None
    play = story.runs[0].plays[0]
    play.lapses = array("q", [play.lapses[0], *play.lapses[:-1]])
    assert compile_form(story) is None
