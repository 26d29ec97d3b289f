"""Rows found, ordered and taken out by the kernel are those that numpy finds."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltrace import kernel
from voltrace.parse import rows

compiled = kernel.load("parse._rows")
pytestmark = pytest.mark.skipif(compiled is None, reason="the kernel is not built")
REQUESTS = st.lists(st.integers(-1, 9), max_size=60)


@given(REQUESTS, st.data())
def test_by_part__of_any_requests__is_numpys(requests, data):
    request = array("i", requests)
    parts = array("H", data.draw(st.lists(st.integers(0, 4), min_size=11, max_size=11)))
    away = bytearray(data.draw(st.lists(st.integers(0, 1), min_size=len(requests), max_size=len(requests))))
    found = compiled.by_part(request, parts, 5, away)
    assert found == rows.by_part(request, parts, 5, away)
    order, bounds = found
    assert sorted(order) == [n for n, own in enumerate(away) if own]
    for part in range(5):
        own = order[bounds[part] : bounds[part + 1]].tolist()
        assert own == [n for n, request in enumerate(requests) if away[n] and parts[request] == part]


@given(REQUESTS)
def test_most__of_any_requests__is_numpys(requests):
    assert compiled.most(array("i", requests)) == rows.most(array("i", requests)) == max([requests.count(n) for n in range(10)])


@given(st.lists(st.integers(0, 3), max_size=60), st.binary(min_size=4, max_size=4))
def test_select__of_any_column__is_numpys(column, flags):
    assert compiled.select(array("i", column), flags).tolist() == rows.select(array("i", column), flags).tolist()


@given(st.integers(1, 30), st.sampled_from([4, 8, 36]), st.data())
def test_take__of_any_column__is_numpys(count, width, data):
    column = memoryview(data.draw(st.binary(min_size=count * width, max_size=count * width)))
    own = array("q", data.draw(st.lists(st.integers(0, count - 1), max_size=40)))
    assert compiled.take(column, width, own) == rows.take(column, width, own)
