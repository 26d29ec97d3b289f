"""Ids of requests in few bytes: what they give back is what they were given, whichever way they are kept."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltrace import kernel
from voltrace.parse import ids
from voltrace.parse.ids import Ids

UUIDS = st.uuids().map(lambda uuid: f"req-{uuid}")
ODD = st.one_of(st.text(max_size=50), UUIDS.map(str.upper), UUIDS.map(lambda text: text[:-1]), UUIDS.map(lambda text: text + "\n"))


@pytest.fixture(params=[False, True], ids=["kernel", "pure"])
def pure(request, monkeypatch):
    if request.param:
        monkeypatch.setenv(kernel.PURE, "1")


@pytest.mark.usefixtures("pure")
def test_ids__any_texts__are_numbered_as_they_came_and_come_back():
    @given(st.lists(st.one_of(UUIDS, ODD)), st.lists(st.one_of(UUIDS, ODD)))
    def holds(texts, others):
        own, other = Ids(), Ids()
        numbers = [own.number(text) for text in texts]
        distinct = list(dict.fromkeys(texts))
        assert list(own) == distinct and [distinct[n] for n in numbers] == texts
        assert all(own.find(text) == n for n, text in enumerate(distinct)) and own.find("req-nobody") == -1
        again = pickle.loads(pickle.dumps(own))
        assert list(again) == distinct and again.parts(0, 256) == own.parts(0, 256)
        for text in others:
            other.number(text)
        joined = list(dict.fromkeys(texts + others))
        assert [joined[n] for n in own.number_all(other)] == list(other) and list(own) == joined

    holds()


@pytest.mark.usefixtures("pure")
def test_ids__very_many__are_told_apart():
    texts = [f"req-{n:08x}-0000-4000-8000-{n * 7 % 65536:012x}" for n in range(20_000)]
    own = Ids()
    assert [own.number(text) for text in texts] == [own.number(text) for text in texts] == list(range(20_000))
    assert list(own) == texts


def test_pack__kernel_and_pure__take_the_same():
    compiled = kernel.load("parse._ids")
    if compiled is None:
        pytest.skip("the kernel was not built, or is switched off")

    @given(st.one_of(UUIDS, ODD))
    def holds(text):
        assert compiled.pack(text) == ids.pack(text)

    holds()
