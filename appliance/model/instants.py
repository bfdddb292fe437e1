"""Instants and days: UTC nanoseconds since 1970 inside, ISO 8601 at the edges. Pure: never reads a clock."""

import datetime as dt
import re

NS = 1_000_000_000
MS = 1_000_000
MINUTE_NS = 60 * NS
HOUR_NS = 3600 * NS
DAY_NS = 86400 * NS

_ISO = re.compile(
    r"^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?$"
)


def day_of(instant_ns: int) -> dt.date:
    """The UTC day that holds an instant."""
    return dt.date(1970, 1, 1) + dt.timedelta(days=instant_ns // DAY_NS)


def start_of(day: dt.date) -> int:
    """The first nanosecond of a UTC day."""
    return (day - dt.date(1970, 1, 1)).days * DAY_NS


def to_iso(instant_ns: int) -> str:
    """`2026-11-21T20:24:26.000000000Z`: UTC, always nine decimals."""
    seconds, fraction = divmod(instant_ns, NS)
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)
    return f"{moment.isoformat()}.{fraction:09d}Z"


def from_iso(text: str) -> int:
    """UTC nanoseconds of an ISO 8601 instant; without a zone it is UTC, without a time it is midnight.

    Raises ValueError with a sentence that shows the form expected.
    """
    found = _ISO.match(text.strip())
    if not found:
        raise ValueError(f"'{text}' is not an instant; write it like 2026-11-21T20:24:26Z or 2026-11-21")
    date, hours, seconds, fraction, zone = found.groups()
    try:
        moment = dt.datetime.fromisoformat(f"{date}T{hours or '00:00'}:{seconds or '00'}")
    except ValueError as error:
        raise ValueError(f"'{text}' is not an instant: {error}") from None
    offset_s = 0
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "")
        offset_s = (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1 if zone[0] == "-" else 1)
    since = moment - dt.datetime(1970, 1, 1)
    whole_s = since.days * 86400 + since.seconds - offset_s
    return whole_s * NS + int((fraction or "0").ljust(9, "0"))
