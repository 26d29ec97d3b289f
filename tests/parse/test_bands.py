"""Lines that keep to all bounds: the true one is among them, whatever the points, and there is none where points contradict each other."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltrace.parse.bands import MOST_DRIFT, find_band, lowest_points

BASE = 1_767_603_600_000_000
waits = st.lists(st.tuples(st.integers(0, 3_600_000_000), st.integers(0, 5_000_000)), min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(waits, st.one_of(st.just([]), waits), st.integers(-4_000_000_000, 4_000_000_000), st.floats(-MOST_DRIFT, MOST_DRIFT), st.integers(0, 3_600_000_000))
def test_band__any_waits_around_a_line__holds_that_line(above, below, offset, drift, moment):
    def true(x):
        return offset + drift * x

    tops = [(BASE + x, math.ceil(true(x)) + wait) for x, wait in above]
    bottoms = [(BASE + x, math.floor(true(x)) - wait) for x, wait in below]
    band = find_band(tops, bottoms)
    assert band is not None and band.slopes[0] - 1e-9 <= drift <= band.slopes[1] + 1e-9
    low, high = band.at(BASE + moment)
    assert low - 1 <= true(moment) <= high + 1
    shown = BASE + moment + true(moment)
    low, high = band.at_second(shown)
    assert low - 1 <= true(moment) <= high + 1
    assert all(band.guess_at(x) <= y + 1 for x, y in tops) and all(band.guess_at(x) >= y - 1 for x, y in bottoms)
    assert bottoms or low == -math.inf


def test_band__no_line_fits__is_none():
    assert find_band([(BASE, 0), (BASE + 10, 0)], [(BASE + 5, 1)]) is None
    assert find_band([(BASE, -1_000_000)], [(BASE + 1_000_000, 1_000_000)]) is None  # two seconds in one: no clock gains so much


def test_band__rising_bounds__prove_a_drift():
    hour = 3_600_000_000
    band = find_band([(BASE, 10_000), (BASE + hour, 370_000)], [(BASE, -10_000), (BASE + hour, 350_000)])
    assert not band.constant and band.slopes == pytest.approx((340_000 / hour, 380_000 / hour))
    assert find_band([(BASE, 10_000)], [(BASE + hour, 9_000)]).constant


def test_lowest_points__of_very_many__have_the_same_band():
    draw = random.Random(1)
    points = sorted((BASE + draw.randrange(10**10), draw.randrange(10**6)) for _ in range(20_000))
    x, y = np.array(points, np.int64).T
    few = lowest_points(x, y)
    assert len(few) < 1000 and find_band(few, []) == find_band(points, [])
