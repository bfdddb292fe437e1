"""The term, as pure rules: from which day a day of records may be destroyed, and which clock is believed.

The term is a calendar year counted from date to date (code de procedure civile, article 641): it ends on
the day of the same number next year, or on the last day of that month if there is none. A day of records
is destroyed whole, so it waits until its last record has had its full term: the day after that date.
"""

import calendar
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.model.instants import DAY_NS, to_iso

# A box that was off for longer than this, or whose clock sprang ahead, is told the time by a person
# before it destroys anything: a month's closure is ordinary, a year's jump would destroy everything.
LONGEST_SILENCE_DAYS = 40


def anniversary(day: dt.date, years: int) -> dt.date:
    """The same date that many years later; 29 February falls on the 28th where there is none."""
    year = day.year + years
    return day.replace(year=year, day=min(day.day, calendar.monthrange(year, day.month)[1]))


def destroyed_on(day: dt.date, term_years: int) -> dt.date:
    """From the start of this day (UTC) every record of `day` has had its full term.

    The last day of the calendar where the term would end beyond it: such a day comes from a broken clock.
    """
    if day.year + term_years >= dt.MAXYEAR:
        return dt.date.max
    return anniversary(day, term_years) + dt.timedelta(days=1)


@dataclass(frozen=True)
class ClockDoubt:
    """Why the present instant is not believed, in words."""

    why: str


def doubt(written_ns: Sequence[int], now_ns: int) -> ClockDoubt | None:
    """Whether `now_ns` can be believed, given when the chain's lines say they were written.

    `written_ns` begins at the last instant a person vouched for (the first line, or a confirmed clock).
    Believed time only grows, by steps of at most LONGEST_SILENCE_DAYS.
    """
    believed = written_ns[0]
    for at_ns in [*written_ns[1:], now_ns]:
        if at_ns - believed > LONGEST_SILENCE_DAYS * DAY_NS:
            days = (at_ns - believed) // DAY_NS
            return ClockDoubt(
                f"the clock stands {days} days after the last believed instant, {to_iso(believed)}"
            )
        believed = max(believed, at_ns)
    if now_ns < believed:
        return ClockDoubt(f"the clock stands before the newest line of the chain, {to_iso(believed)}")
    return None
