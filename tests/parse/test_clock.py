"""Stamps read back as they were written; years that stamps do not carry; zones; what is no date."""

import calendar
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltrace.errors import UsageError
from voltrace.formats import FORMATS
from voltrace.parse.clock import SECOND, StampReader, assumed_year, read_zone, year_evidence

FROM, TO = calendar.timegm((1980, 1, 1, 0, 0, 0)), calendar.timegm((2100, 1, 1, 0, 0, 0))
INSTANTS = st.integers(FROM * SECOND, TO * SECOND - 1)


def stamp_of(fmt, at):
    """The stamp that this format writes for an instant, cut out by its own pattern."""
    found = fmt.pattern.match(fmt.write(at, "controller", "devstack@c-api.service", 3079).encode())
    assert found and found.end() == found.endpos
    return found["stamp"]


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=80, deadline=None)
@given(at=INSTANTS)
def test_stamp__written_by_a_format__is_read_back_up_to_its_resolution(name, at):
    fmt = FORMATS[name]
    year = None if fmt.has_year else datetime.fromtimestamp(at // SECOND, UTC).year
    assert StampReader(fmt, year).read(stamp_of(fmt, at)) == at // fmt.resolution_us * fmt.resolution_us


@pytest.mark.parametrize("name", FORMATS)
def test_prefix__written_by_a_format__host_unit_and_pid_are_read_back(name):
    fmt = FORMATS[name]
    found = fmt.pattern.match(fmt.write(1_500_000_000 * SECOND, "node-7.example.org", "cinder-volume", 11).encode())
    assert found["pid"] == b"11"
    if name != "oslo":
        assert (found["host"], found["unit"]) == (b"node-7.example.org", b"cinder-volume")


@pytest.mark.parametrize("name", ["short", "short-precise"])
@settings(max_examples=25, deadline=None)
@given(days=st.lists(st.integers(0, 3 * 365), max_size=40), second=st.integers(0, 86399))
def test_year__rising_stamps_over_three_years__december_to_january_moves_it_on(name, days, second):
    """Also where a year has the same day and second as the one before."""
    fmt = FORMATS[name]
    start = calendar.timegm((2021, 1, 1, 0, 0, 0))
    instants = [(start + day * 86400 + second) * SECOND for day in sorted([*days, *range(0, 3 * 365, 31)])]
    reader = StampReader(fmt, 2021)
    assert [reader.read(stamp_of(fmt, at)) for at in instants] == instants


def read_all(name, year, *stamps):
    reader = StampReader(FORMATS[name], year)
    return [None if (at := reader.read(s.encode())) is None else datetime.fromtimestamp(at / SECOND, UTC).strftime("%Y-%m-%d") for s in stamps]


def test_year__late_record_of_december__belongs_to_the_old_year():
    assert read_all("short", 2025, "Dec 31 23:59:59", "Jan  1 00:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01") == [
        "2025-12-31",
        "2026-01-01",
        "2025-12-31",
        "2026-01-01",
    ]
    assert read_all("short", 2026, "Jan  1 00:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01") == ["2026-01-01", "2025-12-31", "2026-01-01"]


def test_year__same_second_a_year_later__is_not_taken_for_the_first():
    stamps = ("Jan  5 00:00:00", "Jun  5 00:00:00", "Dec  5 00:00:00", "Jan  5 00:00:00", "Jun  5 00:00:00")
    assert read_all("short", 2025, *stamps) == ["2025-01-05", "2025-06-05", "2025-12-05", "2026-01-05", "2026-06-05"]


def test_year__nothing_written_around_the_turn__moves_on():
    assert read_all("short", 2025, "Oct  5 00:00:00", "Feb  5 00:00:00", "Feb 28 00:00:00") == ["2025-10-05", "2026-02-05", "2026-02-28"]


def test_year__two_files_over_the_turn_in_one__each_is_read_right():
    stamps = ("Nov  5 00:00:00", "Dec 31 00:00:00", "Jan  2 00:00:00", "Nov  5 00:00:00", "Dec 31 00:00:00", "Jan  2 00:00:00")
    assert read_all("short", 2025, *stamps) == ["2025-11-05", "2025-12-31", "2026-01-02"] * 2


def test_year__step_back_within_the_year__keeps_it():
    assert read_all("short", 2025, "Jun  5 00:00:00", "May 31 00:00:00", "Jun  5 00:00:00") == ["2025-06-05", "2025-05-31", "2025-06-05"]


def test_year__29_february_of_a_year_without__loses_no_line():
    assert read_all("short", 2025, "Feb 28 00:00:00", "Feb 29 00:00:00", "Mar  1 00:00:00") == ["2025-02-28", "2025-03-01", "2025-03-01"]


@pytest.mark.parametrize(
    "line, year",
    [
        (
            b"Nov 22 13:14:31 controller devstack@c-api.service[1]: [pid: 1|app: 0|req: 1/1] 127.0.0.1 () {60 vars in 1109 bytes} [Sun Nov 22 13:14:31 2026] POST /",
            2026,
        ),
        (b"Nov 22 13:14:31 controller x[1]: created_at 2019-11-22T13:14:31Z", 2019),
        (b"Nov 22 13:14:31 controller x[1]: created_at=datetime.datetime(2018, 11, 22, 13, 14)", 2018),
        (b"Nov 22 13:14:31 controller x[1]: created_at 2019-11-23T13:14:31Z", None),
        (b"Nov 22 13:14:31 controller x[1]: datetime.datetime(2018, %s, 22, 13)" % (b"1" * 5000), None),
        (b"Nov 22 13:14:31 controller x[1]: [Sun Nov %s 13:14:31 2026]" % (b"2" * 5000), None),
    ],
)
def test_year_evidence__dates_of_the_lines_own_day__tell_it(line, year):
    assert year_evidence([line]) == year


def at_noon(year, month, day):
    return calendar.timegm((year, month, day, 12, 0, 0))


def test_assumed_year__last_line_before_the_files_time__is_that_year_or_the_one_before():
    first, last = b"Nov 20 10:00:00 x", b"Nov 22 10:00:00 x"
    assert assumed_year(first, last, at_noon(2026, 11, 22)) == 2026
    assert assumed_year(first, last, at_noon(2027, 3, 1)) == 2026
    assert assumed_year(b"Dec 30 10:00:00 x", b"Jan  2 10:00:00 x", at_noon(2027, 1, 2)) == 2026


def test_assumed_year__with_29_february__is_one_that_has_it():
    assert assumed_year(b"Feb 28 10:00:00 x", b"Mar  1 10:00:00 x", at_noon(2026, 11, 22), leap=True) == 2024
    assert assumed_year(b"Dec 30 10:00:00 x", b"Mar  1 10:00:00 x", at_noon(2026, 11, 22), leap=True) == 2023


@pytest.mark.parametrize(
    "name, zone",
    [
        ("UTC", UTC),
        ("Z", UTC),
        ("+08:00", timezone(timedelta(hours=8))),
        ("-0330", timezone(-timedelta(hours=3, minutes=30))),
        ("Europe/Berlin", ZoneInfo("Europe/Berlin")),
    ],
)
def test_zone__name_or_offset__is_known(name, zone):
    assert read_zone(name) == zone


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "+25:00", "08:00", "../../etc/passwd", "Europe", "é"])
def test_zone__nonsense__is_an_error_on_one_line(name):
    with pytest.raises(UsageError) as error:
        read_zone(name)
    assert "--tz" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, stamp, zone, expected",
    [
        ("short", "Jun 11 16:51:13", "+08:00", "2018-06-11T08:51:13"),
        ("short", "Jun 11 16:51:13", "Europe/Berlin", "2018-06-11T14:51:13"),
        ("short", "Jan 11 16:51:13", "Europe/Berlin", "2018-01-11T15:51:13"),
        ("short-precise", "Jun 11 16:51:13.000001", "+08:00", "2018-06-11T08:51:13.000001"),
        ("oslo", "2018-06-11 16:51:13.123", "+08:00", "2018-06-11T08:51:13.123000"),
        ("oslo", "2018-06-11 16:51:13,123", "UTC", "2018-06-11T16:51:13.123000"),
        ("short-iso", "2018-06-11T16:51:13+0800", "UTC", "2018-06-11T08:51:13"),
        ("short-iso", "2018-06-11T16:51:13+08:00", "Europe/Berlin", "2018-06-11T08:51:13"),
        ("short-iso", "2018-06-11T16:51:13Z", "+08:00", "2018-06-11T16:51:13"),
        ("short-iso-precise", "2018-06-11T16:51:13.000001-0330", "UTC", "2018-06-11T20:21:13.000001"),
        ("short-full", "Mon 2018-06-11 16:51:13 UTC", "+08:00", "2018-06-11T16:51:13"),
        ("short-full", "Mon 2018-06-11 16:51:13 +0530", "UTC", "2018-06-11T11:21:13"),
        ("short-full", "Mon 2018-06-11 16:51:13 CST", "+08:00", "2018-06-11T08:51:13"),
        ("short-unix", "1528735873.000001", "+08:00", "2018-06-11T16:51:13.000001"),
        # the second 60 of a leap second, in every way to write it
        ("short", "Dec 31 23:59:60", "UTC", "2018-12-31T23:59:59"),
        ("short-iso", "2016-12-31T23:59:60+0000", "UTC", "2016-12-31T23:59:59"),
        ("short-iso-precise", "2016-12-31T23:59:60.500000+0000", "UTC", "2016-12-31T23:59:59.500000"),
        ("short-full", "Sat 2016-12-31 23:59:60 UTC", "UTC", "2016-12-31T23:59:59"),
        ("oslo", "2016-12-31 23:59:60.123", "UTC", "2016-12-31T23:59:59.123000"),
        ("oslo", "1969-12-31 23:59:59.123", "UTC", "1969-12-31T23:59:59.123000"),
    ],
)  # fmt: skip
def test_stamp__zones_and_odd_seconds__are_the_instant(name, stamp, zone, expected):
    at = StampReader(FORMATS[name], 2018, read_zone(zone)).read(stamp.encode())
    assert at == int(datetime.fromisoformat(expected).replace(tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    "name, stamp",
    [
        ("short", "Feb 30 10:00:00"),
        ("short", "Foo 10 10:00:00"),
        ("short", "Nov 10 25:00:00"),
        ("short-precise", "Nov  0 10:00:00.000000"),
        ("oslo", "2018-13-11 16:51:13.123"),
        ("oslo", "0000-01-11 16:51:13.123"),
        ("short-iso", "2018-06-11T16:51:61+0000"),
        ("short-iso", "9999-12-31T23:59:59-1200"),
        ("short-iso", "0001-01-01T00:00:00+1200"),
        ("short-iso", "2018-01-01T00:00:00+9999"),
        ("short-full", "Mon 2018-06-31 16:51:13 UTC"),
        ("short-full", "Mon 2018-06-30 16:51:13 +99"),
    ],
)
def test_stamp__no_date__is_none(name, stamp):
    assert StampReader(FORMATS[name], 2018).read(stamp.encode()) is None
