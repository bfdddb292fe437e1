"""What devices write for an instant, to UTC nanoseconds: without a year or a zone, at a change of clocks.

RFC 3164 section 4.1.2 names neither year nor zone. The year is the latest in which the instant is not after
the reference (the receipt, or when a file was last written), so that both sides of a New Year come right.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from appliance.model.instants import DAY_NS, NS

NOT_STATED = 0
"""No instant, or none that can be read."""

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
ZONES = {
    "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
"""Hours east of UTC of the names that devices write, unless the device's own zone has that name."""

_LEAP_YEARS_APART = 8  # years between two 29ths of February, at most (1896 to 1904)
_YEARS = range(1970, 2262)  # what nanoseconds in 64 bits can hold
_REMEMBERED = 4096
_NEAR_NS = 300 * NS
"""Lines come soon after they were written and about in order: what an instant may differ from either."""


class Timestamps:
    """Reads instants; `time_zone` (IANA name) is that of the device. Remembers at most _REMEMBERED texts."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)
        self._known: dict[tuple[str, str], int] = {}
        self._known_before_ns = 0
        self._last_ns = 0

    def without_year(self, day: str, clock: str, zone: str, reference_ns: int) -> int:
        """`Nov 22`, `03:00:00` and CET or nothing; NOT_STATED if no reference tells the year."""
        if not reference_ns:
            return NOT_STATED
        before_ns = (reference_ns // DAY_NS + 2) * DAY_NS
        if before_ns != self._known_before_ns:
            self._known.clear()
            self._known_before_ns = before_ns
        known = self._known.get((day, clock + zone))
        return self._latest(day, clock, zone, before_ns, reference_ns) if known is None else known

    def with_year(self, year: str, day: str, clock: str, zone: str, reference_ns: int) -> int:
        """`2026`, `Nov 22`, `03:00:00` and CET or nothing."""
        return self._remembered(int(year), day, clock, zone, reference_ns, day + year)

    def dated(self, date: str, clock: str, zone: str, reference_ns: int) -> int:
        """`2026-11-22`, `03:00:00` and Z, +01:00, +0100 or nothing (RFC 3339, RFC 5424 section 6.2.3)."""
        known = self._known.get((date, clock + zone))
        if known is not None:
            return known
        day = f"{date[5:7]} {date[8:10]}"
        return self._remembered(int(date[:4]), day, clock, zone, reference_ns, date)

    def _latest(self, day: str, clock: str, zone: str, before_ns: int, reference_ns: int) -> int:
        """The instant in the latest year in which it exists and is not after `before_ns`."""
        year = (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=before_ns // NS)).year
        for earlier in range(_LEAP_YEARS_APART + 2):
            instant = self._remembered(year - earlier, day, clock, zone, reference_ns, day)
            if instant != NOT_STATED and instant <= before_ns:
                return instant
            self._known.pop((day, clock + zone), None)
        return NOT_STATED

    def _remembered(self, year: int, day: str, clock: str, zone: str, reference_ns: int, key: str) -> int:
        known = self._known.get((key, clock + zone))
        if known is not None:
            return known
        try:
            local = _local(year, day, clock)
            instants = self._instants(local, zone)
        except (ValueError, OverflowError, KeyError):
            return NOT_STATED
        if len(instants) > 1:
            return self._chosen(
                instants[0], instants[1], reference_ns
            )  # depends on what came before: not remembered
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key, clock + zone] = self._last_ns = instants[0]
        return instants[0]

    def _instants(self, local: dt.datetime, zone: str) -> list[int]:
        """The instants a local time may mean: two in the hour that clocks repeat, if `zone` does not tell."""
        if zone and zone[0] in "Z+-":
            return [_ns(local.replace(tzinfo=_offset(zone)))]
        folds = [local.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1)]
        named = [each for each in folds if each.tzname() == zone]
        if zone in ZONES and not named:
            return [_ns(local.replace(tzinfo=dt.timezone(dt.timedelta(hours=ZONES[zone]))))]
        return sorted({_ns(each) for each in named or folds})

    def _chosen(self, earlier: int, later: int, reference_ns: int) -> int:
        """Of two that a repeated hour may mean, the one that fits the lines before it, or the receipt."""
        if abs(reference_ns - earlier) <= _NEAR_NS:
            is_later = False
        else:
            is_later = abs(reference_ns - later) <= _NEAR_NS or earlier < self._last_ns - _NEAR_NS <= later
        self._last_ns = later if is_later else earlier
        return self._last_ns


def fraction_ns(digits: str) -> int:
    """`123` after the point to nanoseconds."""
    return int(digits[:9].ljust(9, "0"))


def _local(year: int, day: str, clock: str) -> dt.datetime:
    """`Nov 22` or `11 22`, and `03:00:00`."""
    if year not in _YEARS:
        raise ValueError(f"{year} is out of range")
    month = _MONTHS[day[:3].title()] if day[0].isalpha() else int(day[:2])
    hours, minutes, seconds = clock.split(":")
    return dt.datetime(year, month, int(day[3:]), int(hours), int(minutes), int(seconds))


def _offset(zone: str) -> dt.timezone:
    """`Z`, `+01:00`, `+0100`."""
    if zone == "Z":
        return dt.UTC
    digits = zone[1:].replace(":", "")
    span = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return dt.timezone(-span if zone[0] == "-" else span)


def _ns(moment: dt.datetime) -> int:
    return int(moment.timestamp()) * NS
