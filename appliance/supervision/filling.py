"""When a disk is full, given what each day took and when each goes. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

PACE_DAYS = 7
"""So many whole days tell how fast it fills: a week has its week-end."""

NEVER_DAYS = 3650
"""As far as anybody looks ahead."""


@dataclass(frozen=True)
class Filling:
    """`days_left` before it is full, at most NEVER_DAYS; None where no whole day tells yet.

    `is_enough`: what goes at its term makes room for what comes, for as long as anybody looks ahead.
    """

    days_left: int | None
    is_enough: bool


def filling(
    free_bytes: int, taken: Mapping[dt.date, int], goes_on: Mapping[dt.date, dt.date], today: dt.date
) -> Filling:
    """`taken` bytes by the day they are of; `goes_on` the day on which each of those is destroyed."""
    recent = [today - dt.timedelta(days=back) for back in range(1, PACE_DAYS + 1)]
    known = [taken[day] for day in recent if taken.get(day)]
    if not known:
        return Filling(None, True)
    pace = sum(known) / len(known)
    freed: dict[dt.date, int] = {}
    for day, going in goes_on.items():
        freed[going] = freed.get(going, 0) + taken.get(day, 0)
    room = float(free_bytes)
    last_going = max(freed, default=today)
    for ahead in range(1, NEVER_DAYS):
        day = today + dt.timedelta(days=ahead)
        room += freed.get(day, 0) - pace
        if room < 0:
            return Filling(ahead, False)
        if day > last_going:  # from here on a day goes for each that comes
            break
    return Filling(NEVER_DAYS, True)
