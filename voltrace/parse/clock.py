"""Stamps -> instants: years that stamps do not carry, zones, and steps of the clock."""

from __future__ import annotations

import calendar
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import chain

from ..errors import UsageError
from ..formats import Format

SECOND = 1_000_000
# A stamp that goes back by more than this within one process is a step of the clock, not an unsharp order of writing.
STEP_US = SECOND
# Living services write at least once a minute or two (periodic tasks, reports): a longer silence may be an outage.
GAP_US = 300 * SECOND

_PLENTY = 100  # so many votes for one year, and none for another, settle it
_MONTHS = {name: i + 1 for i, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())}
_ACCESS_DATE = re.compile(rb"\[[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) \d\d:\d\d:\d\d (20\d\d)\]")
# Each by itself: a pattern that begins with a literal is searched for several times as fast.
_FULL_DATES = re.compile(rb"(20\d\d)-(\d\d)-(\d\d)[ T]\d\d:\d\d:\d\d"), re.compile(rb"datetime\.datetime\((20\d\d), (\d{1,2}), (\d{1,2}),")


def read_zone(name: str) -> tzinfo:
    """The zone of that name (`UTC`, `Europe/Berlin`) or offset (`+08:00`). Raises UsageError."""
    if name.upper() in ("UTC", "Z"):
        return UTC
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", name)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # slow to load, and seldom needed

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"--tz: no zone '{name}'; give a name such as UTC or Europe/Berlin, or an offset such as +08:00") from None


def year_evidence(lines: Iterable[bytes]) -> int | None:
    """The year in which year-less lines begin, told by full dates in them: those of the same day as the line's own stamp.

    A step from December to January puts a line into the next year. None if no line tells.
    """
    votes: Counter[int] = Counter()
    turns = before = day = 0
    date: bytes | None = None  # of the line before
    named = written = b""
    for line in lines:
        if line[:6] != date:
            month = _MONTHS.get(line[:3])
            if month is None or not line[4:6].strip().isdigit():
                continue
            turns, before = turns + (before == 12 and month == 1), month
            date, day = line[:6], int(line[4:6])
            named, written = b" " + line[:3] + b" ", b"-%02d-%02d" % (month, day)
        # Few lines have any of these, and patterns are slow.
        if named in line:
            for m in _ACCESS_DATE.finditer(line):
                if (_MONTHS.get(m[1]), int(m[2])) == (before, day):
                    votes[int(m[3]) - turns] += 3
        if written in line or b"datetime(" in line:
            for m in chain.from_iterable(pattern.finditer(line, 0, 4000) for pattern in _FULL_DATES):
                year, mon, mday = map(int, m.groups())
                if (mon, mday) == (before, day):
                    votes[year - turns] += 1
        if len(votes) == 1 and votes.total() >= _PLENTY:
            break
    if not votes:
        return None
    most = max(votes.values())
    return max(year for year, count in votes.items() if count * 2 >= most)


def assumed_year(first: bytes, last: bytes, modified: float | None, leap: bool = False) -> int:
    """The year in which a year-less log begins if its last line was written when the file was last modified (else: now).

    ``leap``: the log has a 29 February, so that an older year is meant if this one has none.
    """
    end = datetime.fromtimestamp(modified, UTC) if modified is not None else datetime.now(UTC)
    tail, head = _month_day(last), _month_day(first)
    year = end.year
    if tail and tail > ((end + timedelta(days=1)).month, (end + timedelta(days=1)).day) and tail != (2, 29):
        year -= 1
    year = year - 1 if head and tail and head > tail else year
    behind = 1 if head and head > (2, 29) else 0  # the log begins in the year before its 29 February
    while leap and not calendar.isleap(year + behind):
        year -= 1
    return year


def _month_day(line: bytes) -> tuple[int, int] | None:
    month = _MONTHS.get(line[:3])
    return (month, int(line[4:6])) if month and line[4:6].strip().isdigit() else None


class StampReader:
    """Reads the stamps of one source, in order. A step from December to January moves a year-less clock on, and so does one
    back by more than half a year (nothing was written around the turn); a record of the old year may still be written late.

    ``read(stamp)`` gives microseconds since the epoch, UTC, or None for a stamp that is no date.
    """

    def __init__(self, fmt: Format, year: int | None = None, zone: tzinfo = UTC) -> None:
        self.format, self._zone = fmt, zone
        self._year = year or 1970
        self._month = 0
        self._turned = False
        self._cache: dict[bytes, int | None] = {}
        self.read = {"short": self._month_whole, "short-precise": self._month_fraction, "short-unix": self._unix}.get(fmt.name, self._iso)
        if fmt.name in ("short-full", "with-unit"):
            self.read = self._full
        if fmt.name == "oslo":
            self.read = self._oslo

    @property
    def state(self) -> tuple[int, int, bool]:
        """Year, month and whether the year has turned: all that reading on from a place needs to know of what stands before it."""
        return self._year, self._month, self._turned

    def resume(self, state: tuple[int, int, bool]) -> None:
        """Read on from there."""
        self._year, self._month, self._turned = state
        self._cache.clear()

    def _month_second(self, text: bytes) -> int | None:
        month = _MONTHS.get(text[:3])
        if month is None:
            return None
        if month != self._month:
            late = self._month and month - self._month > 6 and (self._turned or text[:6] == b"Dec 31")
            if late:
                return self._local(self._year - 1, month, text)
            if self._month - month > 6:
                self._year += 1
                self._turned = True
            self._month = month
            self._cache.clear()  # it may hold the same day of the year before
        return self._local(self._year, month, text)

    def _local(self, year: int, month: int, text: bytes) -> int | None:
        if month == 2 and text[4:6] == b"29" and not calendar.isleap(year):  # of a year that was told wrong: no line is lost for that
            before = self._local(year, month, b"Feb 28" + text[6:])
            return None if before is None else before + 24 * 3600 * SECOND
        try:
            return self._instant(datetime(year, month, int(text[4:6]), int(text[7:9]), int(text[10:12]), min(59, int(text[13:15]))))
        except (ValueError, OverflowError):
            return None

    def _instant(self, moment: datetime) -> int:
        if self._zone is UTC:
            return calendar.timegm(moment.timetuple()) * SECOND
        return int(moment.replace(tzinfo=self._zone).timestamp()) * SECOND

    def _cached(self, text: bytes, make) -> int | None:
        try:
            return self._cache[text]
        except KeyError:
            if len(self._cache) > 100_000:
                self._cache.clear()
            at = self._cache[text] = make(text)
            return at

    def _month_whole(self, stamp: bytes) -> int | None:
        return self._cached(stamp[:15], self._month_second)

    def _month_fraction(self, stamp: bytes) -> int | None:
        at = self._cached(stamp[:15], self._month_second)
        micros = stamp[16:22]
        return at + int(micros) if at is not None and micros.isdigit() else at

    def _iso(self, stamp: bytes) -> int | None:
        return self._cached(stamp, _read_iso)

    def _oslo(self, stamp: bytes) -> int | None:
        at = self._cached(stamp[:19], self._oslo_second)
        millis = stamp[20:23]
        return at + int(millis) * 1000 if at is not None and millis.isdigit() else at

    def _oslo_second(self, text: bytes) -> int | None:
        try:
            return self._instant(datetime.fromisoformat(_no_leap_second(text).decode()))
        except (ValueError, OverflowError):
            return None

    def _full(self, stamp: bytes) -> int | None:
        return self._cached(stamp, self._full_second)

    def _full_second(self, text: bytes) -> int | None:
        zone = text[24:].decode()
        moment_text = _no_leap_second(text[4:23]).decode()
        try:
            moment = datetime.fromisoformat(moment_text)
            if zone in ("UTC", "GMT"):
                return calendar.timegm(moment.timetuple()) * SECOND
            if zone[:1] in "+-":
                return _read_iso(f"{moment_text}{zone if len(zone) > 3 else zone + '00'}".encode())
            return self._instant(moment)  # other zone names are ambiguous: the zone that the user gave holds
        except (ValueError, OverflowError):
            return None

    def _unix(self, stamp: bytes) -> int | None:
        whole, _, micros = stamp.partition(b".")
        return int(whole) * SECOND + int(micros or 0) if whole.isdigit() and micros.isdigit() else None


def _read_iso(text: bytes) -> int | None:
    try:
        moment = datetime.fromisoformat(_no_leap_second(text).decode())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return calendar.timegm(moment.utctimetuple()) * SECOND + moment.microsecond
    except (ValueError, OverflowError):  # no date, or one that its zone puts before the year 1 or after 9999
        return None


def _no_leap_second(text: bytes) -> bytes:
    """The stamp with second 59 for the 60 of a leap second, which Python's dates do not have."""
    return text[:17] + b"59" + text[19:] if text[17:19] == b"60" else text
