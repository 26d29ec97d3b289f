"""The profile: figures with their source, tables that follow the quantiles."""

import pytest

from voltrace.errors import UsageError
from voltrace.profile import Times, default_profile, read_profile


def test_default__every_figure__has_source_and_observations():
    profile = default_profile()
    assert len(profile.times) > 20
    assert all(t.n >= 10 and t.source and len(t.quantiles_us) == len(profile.levels) for t in profile.times.values())


def test_table__values__follow_the_quantiles():
    table = Times((0, 100, 1000), 3, "test").tabulate((0.0, 0.5, 1.0), 1000)
    assert list(table) == sorted(table) and table[0] >= 1 and table[-1] <= 1000
    assert abs(table[500] - 100) <= 2 and abs(table[750] - 550) <= 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[api", "profile p"),
        ("[api]\nline = 3\n", "api.line must be a table"),
        ("[api]\nline = { quantiles_us = [1, 2] }\n", "quantiles_us must be 9 numbers"),
        ("levels = [0, 1]\n[api]\nline = { quantiles_us = [2, 1] }\n", "must not fall"),
        ("levels = [0.5, 1]\n", "levels must rise from 0 to 1"),
    ],
)
def test_read__bad_profile__names_the_key(text, says):
    with pytest.raises(UsageError, match=says.replace("[", r"\[")):
        read_profile(text, "p")


def test_figure__unknown__is_named():
    with pytest.raises(UsageError, match="no figure 'api/tea'"):
        default_profile()["api/tea"]
