"""The profile: figures with their source, tables that follow the quantiles."""

import pytest

from voltrace.errors import UsageError
from voltrace.profile import Times, default_profile, load_profile, read_profile


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


def test_load__a_figure_of_its_own__the_rest_is_the_default(tmp_path):
    (tmp_path / "p.toml").write_text("levels = [0, 1]\n[volume]\nlvcreate = { quantiles_us = [5_000_000, 6_000_000], n = 2, source = 'by hand' }\n")
    profile = load_profile(str(tmp_path / "p.toml"))
    times = profile.tabulate("volume/lvcreate", 64)
    assert 5_000_000 <= min(times) <= max(times) <= 6_000_000
    assert list(profile.tabulate("api/line", 64)) == list(default_profile().tabulate("api/line", 64))


def test_load__figure_that_is_not_simulated__the_nearest_is_named(tmp_path):
    (tmp_path / "p.toml").write_text("levels = [0, 1]\n[volume]\nlvcreat = { quantiles_us = [5, 6] }\n")
    with pytest.raises(UsageError, match="no figure 'volume/lvcreat' is simulated; did you mean 'volume/lvcreate'"):
        load_profile(str(tmp_path / "p.toml"))
