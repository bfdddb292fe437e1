"""What made boxes counted, and who is connected to them."""

import math
from datetime import date, timedelta
from typing import Any

from appliance.control import messages as m
from appliance.control.words import Period
from tests.webui.made_time import Times

USES = ("video", "tls_web", "social", "messaging", "update_store", "music", "mail", "games", "vpn", "other")
SYSTEMS = ("android", "apple_mobile", "windows", "macos", "chrome_os", "linux", "console", "other")
PLACES = ("00:1b:2f:aa:00:01", "00:1b:2f:aa:00:02", "vlan 20", "none")


def activity(times: Times, box: str, ask: m.AskActivity) -> m.Activity:
    """-> Activity: more by day than by night, more at the week's end."""
    if box == "empty":
        return m.Activity(ask.by, (), (), (), (), None)
    starts = _starts(ask)
    periods = tuple(_totals(ask.by, start, place) for place, start in enumerate(starts))
    whole = sum(period.octets for period in periods)
    return m.Activity(
        ask.by,
        periods,
        uses=tuple(_share(name, whole, place) for place, name in enumerate(USES)),
        systems=tuple(
            m.SystemShare(name, 60 // (place + 1), 75 // (place + 1)) for place, name in enumerate(SYSTEMS)
        ),
        places=tuple(_share(name, whole, place) for place, name in enumerate(PLACES)),
        known=(times.day(365), times.day(0)),
    )


def present(times: Times, box: str, ask: Any) -> m.Present:
    """-> Present."""
    if box == "failing":
        return m.Present(False, (), 0)
    if box == "empty":
        return m.Present(True, (), 0)
    makers = ("Apple, Inc.", None, "Samsung Electronics Co.,Ltd", None, "HP Inc.")
    return m.Present(
        True,
        tuple(
            m.Device(
                mac=f"{'02' if makers[number % 5] is None else 'a4'}:83:e7:00:10:{number:02x}",
                randomised=makers[number % 5] is None,
                vendor=makers[number % 5],
                access_point=PLACES[number % 2],
                since=times.ago(minutes=7 * number + 3),
                last=times.ago(seconds=4 * number),
            )
            for number in range(37)
        ),
        0,
    )


def _starts(ask: m.AskActivity) -> list[str]:
    first, last = date.fromisoformat(ask.first_day), date.fromisoformat(ask.last_day)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    match ask.by:
        case Period.HOUR:
            return [f"{day.isoformat()}T{hour:02d}:00:00Z" for day in days for hour in range(24)]
        case Period.DAY:
            return [day.isoformat() for day in days]
        case Period.WEEK:
            return [day.isoformat() for day in days if day.weekday() == 0 or day == first]
        case Period.MONTH:
            return [day.isoformat() for day in days if day.day == 1 or day == first]


def _totals(by: Period, start: str, place: int) -> m.PeriodTotals:
    length_h = {Period.HOUR: 1, Period.DAY: 24, Period.WEEK: 168, Period.MONTH: 720}[by]
    wave = (
        1 + 0.8 * math.sin(place / 24 * 2 * math.pi - 1.9)
        if by is Period.HOUR
        else 1 + 0.3 * math.sin(place * 0.9)
    )
    octets = int(9e8 * wave * length_h)
    if by is Period.HOUR and place % 24 == 4:
        return m.PeriodTotals(start, None, None, 0, 0, True)
    users = int(40 * wave * length_h**0.4) + 3
    return m.PeriodTotals(start, users, users + users // 8, octets, octets // 40_000, False)


def _share(name: str, whole: int, place: int) -> m.Share:
    octets = int(whole * 0.45 * 0.55**place)
    return m.Share(name, octets, octets // 40_000, max(3, 60 // (place + 1)))
