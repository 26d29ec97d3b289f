"""Payloads: reprs and JSON are read back as the values that they show, whatever they hold; broken and hostile text is no error."""

import json
import math
from collections import OrderedDict
from datetime import datetime
from time import process_time

import pytest
from given import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

from voltrace.parse.grammar import read_body
from voltrace.parse.payloads import DEEPEST, Object, Opaque, read_payload

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["'", '"', "it's", 'say "no"', "\\", "a', 'size': 9, 'b", "}}", "{{(pid=1) x}}", "\n", "é", "=", "<?>"]
)
PLAIN = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20)


@settings(max_examples=400, deadline=None)
@given(value=VALUES)
def test_read__repr__is_the_value(value):
    text = repr(value)
    assert read_payload(text) == (value, len(text), True)


@settings(max_examples=400, deadline=None)
@given(value=VALUES)
def test_read__json__is_the_value(value):
    text = json.dumps(value)
    found = read_payload(text)
    assert found.whole and found.value == json.loads(text)


@settings(max_examples=300, deadline=None)
@given(value=st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), cut=st.floats(0, 1, exclude_max=True))
def test_read__text_that_breaks_off__is_told_and_what_came_before_stands(value, cut):
    text = repr(value)
    found = read_payload(text[: int(len(text) * cut)])
    assert not found.whole
    done = list(found.value or ())[:-1]
    assert done == list(value)[: len(done)]


@settings(max_examples=500, deadline=None)
@given(text=st.text(alphabet="'\"[](){}<>,:=uN \\\n1a.x", max_size=80))
def test_read__any_text__no_exception_and_an_end_inside(text):
    assert 0 <= read_payload(text).end <= len(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("OrderedDict([('volume_id', '7'), ('a', None)])", {"volume_id": "7", "a": None}),
        (repr(OrderedDict(x=[1, 2])), {"x": [1, 2]}),
        ("set([u'a', u'b'])", ["a", "b"]),
        ("datetime.datetime(2026, 11, 22, 13, 7, 44)", datetime(2026, 11, 22, 13, 7, 44)),
        ("{u'size': 1L, u'name': u'\\xe9'}", {"size": 1, "name": "é"}),
        ("[<?>, <cinder.volume.X object at 0x7f00>, <<a>>]", [Opaque("<?>"), Opaque("<cinder.volume.X object at 0x7f00>"), Opaque("<<a>>")]),
        (
            "Volume(_name_id=None,created_at=2026-11-22T13:04:15Z,extra_specs={a='b'},volume_type=VolumeType(<?>))",
            Object(
                "Volume",
                [],
                {"_name_id": None, "created_at": "2026-11-22T13:04:15Z", "extra_specs": {"a": "b"}, "volume_type": Object("VolumeType", [Opaque("<?>")])},
            ),
        ),
        ("cinder.objects.Volume(a, 2, x=(1, 'z'))", Object("cinder.objects.Volume", ["a", 2], {"x": (1, "z")})),
        ("(None, None)", (None, None)),
        ("nan", None),
    ],
)
def test_read__what_cinder_shows__is_a_value(text, value):
    found = read_payload(text)
    assert found.whole and found.end == len(text)
    assert math.isnan(found.value) if text == "nan" else found.value == value


def test_read__deep_text__is_opaque_below_the_bound():
    text = "[" * 5000 + "]" * 5000
    value, end, whole = read_payload(text)
    for _ in range(DEEPEST):
        (value,) = value
    assert isinstance(value, Opaque) and whole and end == len(text)


@pytest.mark.parametrize(
    "make", ["[" * 200_000, "{'a':" * 100_000, "x(" * 100_000, "'" * 200_000, "<" * 200_000, "\\'" * 100_000, "a=" * 100_000, "[1," * 5 + "'x', " * 60_000]
)
def test_read__hostile_text__takes_time_linear_in_it(make):
    """Twice the text may take twice as long and some more, not four times: a bound with room, for machines are noisy."""

    def took(text: str) -> float:
        begun = process_time()
        read_payload(text)
        return process_time() - begun

    short, long = (min(took(make[: len(make) // n]) for _ in range(3)) for n in (8, 1))
    assert long < 40 * short + 0.5


def test_read__every_result_of_a_real_log__is_whole():
    texts = []
    for case in ("created", "driver-failure", "sources", "over-quota"):
        for path in (SAMPLES / case).glob("c-*.log"):
            for line in path.read_text("utf-8", "replace").split("\n"):
                _, found, rest = line.partition(" with result '")
                if found and "' {{" in rest:
                    texts.append(rest[: rest.rindex("' {{")])
    assert len(texts) > 100
    values = [read_payload(text) for text in texts]
    assert all(value.whole and value.end == len(text) for value, text in zip(values, texts))
    assert {type(value.value) for value in values} >= {dict, type(None), Object}


def test_body__quotes_in_a_text__are_no_keys():
    volume = {"description": "x 'size': 99, 'snapshot_id': 'abc'", "name": 'it\'s "so"', "size": 1}
    assert read_body(repr({"volume": volume})) == {"name": volume["name"], "size": 1}
    assert read_body(json.dumps({"volume": volume})) == {"name": volume["name"], "size": 1}
