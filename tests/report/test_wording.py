"""Numbers as they are said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltrace.report.clean import clean, clean_line
from voltrace.report.wording import bounded, lapse, meaning, plural, share, utc
from voltrace.verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, OUTCOMES

from .examples import HOSTILE


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "0 µs"), (7, "7 µs"), (999, "999 µs"), (1000, "1 ms"), (1234, "1.23 ms"), (99_960, "100 ms"), (999_600, "1.00 s"), (126_400, "126 ms"), (1_280_367, "1.28 s"),
        (2_000_000, "2 s"), (59_949_000, "59.9 s"), (59_960_000, "1 min 00 s"), (125_000_000, "2 min 05 s"), (3_720_000_000, "1 h 02 min"), (100_800_000_000, "1 d 04 h"), (-21_000, "-21 ms"),
    ],
)  # fmt: skip
def test_lapse__each_scale__unit_and_three_digits(us, text):
    assert lapse(us) == text


@pytest.mark.parametrize(
    ("us", "bounds", "text"),
    [
        (0, (0, 1_000_000), "≤ 1 s"),
        (0, (0, 999_999), "≤ 1 s"),
        (1_000_000, (1, 1_999_999), "≤ 2 s"), (2_000_000, (1_000_000, 3_000_000), "1 s – 3 s"), (126_000, (125_000, 127_000), "126 ms"),
        (900_000, (900_000, 900_000), "900 ms"), (0, (0, 1), "0 µs"), (None, None, "not known"), (5, None, "5 µs"),
    ],
)  # fmt: skip
def test_bounded__wide_and_narrow_bounds__says_what_is_known(us, bounds, text):
    assert bounded(us, bounds) == text


def test_utc__resolutions__digits_that_the_clock_carries():
    assert utc(1_795_000_000_123_456) == "2026-11-18 11:06:40.123456"
    assert utc(1_795_000_000_123_456, 1000) == "2026-11-18 11:06:40.123"
    assert utc(1_795_000_000_000_000, 1_000_000) == "2026-11-18 11:06:40"


def test_counts__said__with_units():
    assert [plural(1, "request"), plural(2000, "request"), plural(0, "request")] == ["1 request", "2,000 requests", "0 requests"]
    assert [share(1, 3), share(1, 20), share(0, 3), share(1, 0), share(1, 9999)] == ["33 %", "5.0 %", "0 %", "–", "< 0.1 %"]


def test_meaning__every_slug__has_one():
    assert all(meaning(slug) for slug in [*OUTCOMES, *CAUSES, *DEVIATIONS, *DIAGNOSTICS])


def test_clean__hostile_name__escaped_and_on_one_line():
    fit = clean(HOSTILE + "\n\t\u2028\ud800\u200b")
    assert "\\x1b[31m" in fit and "\\x07" in fit and "\\u202e" in fit and "\\n\\t\\u2028\\ud800\\u200b" in fit


def test_clean__100_kB_name__cut_with_its_length():
    assert clean("x" * 100_000, 50) == "x" * 50 + "… (100,000 characters)"


@given(st.text(alphabet=st.characters(), max_size=60))
def test_clean__any_text__encodes_and_has_no_control_characters(text):
    fit = clean(text, 1000)
    fit.encode("utf-8")
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or 0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 for c in fit)


def test_clean_line__coloured_record__colours_dropped_line_breaks_kept():
    assert clean_line("\x1b[00;32mDEBUG\x1b[00m a\n\tb\x07\n") == "DEBUG a\n\tb\\x07"
