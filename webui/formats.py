"""Numbers, sizes and instants as a person of one language reads them: the filters of the templates. Pure.

Instants come as ISO 8601 texts in UTC and are shown in the site's time, Europe/Paris; None is a dash. How
long ago something was is told by the `now_ns` that a template was given.
"""

import functools
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from babel import dates, numbers
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from appliance.control.words import Period
from webui.wording import said

ZONE = dates.get_timezone("Europe/Paris")
NOTHING = "–"
_NO_BREAK = "\u00a0"
_LOCALES = {"en": "en_GB"}
"""English dates as they are read in Europe: 22 November, and not November 22."""

_BYTES = {"fr": ("o", "ko", "Mo", "Go", "To", "Po"), "en": ("B", "kB", "MB", "GB", "TB", "PB")}
_remembered = functools.lru_cache(maxsize=4096)
"""A page has hundreds of numbers, which Babel takes 0.1 ms each for, and is looked at again and again."""

_RATES = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s")


def locale_of(language: str) -> str:
    """What Babel calls a language of ours."""
    return _LOCALES.get(language, language)


def filters(language: str) -> dict[str, Callable[..., Any]]:
    """Every filter, by its name in templates."""
    by_language: dict[str, Callable[[Any, str], str]] = {
        "number": number,
        "bytes": size,
        "rate": rate,
        "percent": percent,
        "day": day,
        "short_day": short_day,
        "moment": moment,
        "duration": duration,
        "hour": hour,
    }
    made: dict[str, Callable[..., Any]] = {
        name: _in(language, function) for name, function in by_language.items()
    }
    made["when"] = _when_filter(language)
    made["lasting"] = _lasting_filter(language)
    return made


def spread_function(language: str) -> Callable[[float | None, float | None], str]:
    """`spread` for templates of one language."""
    return lambda first, last: spread(first, last, language)


@_remembered
def number(value: float | None, language: str) -> str:
    """1234567 -> 1 234 567."""
    return NOTHING if value is None else str(numbers.format_decimal(value, locale=locale_of(language)))


def size(octets: float | None, language: str) -> str:
    """Bytes in decimal units: 1234567 -> 1,2 Mo."""
    return NOTHING if octets is None else _scaled(octets, _BYTES[language], language)


def rate(bits_per_s: float | None, language: str) -> str:
    """Bits a second in decimal units: 1234567 -> 1,2 Mbit/s."""
    return NOTHING if bits_per_s is None else _scaled(bits_per_s, _RATES, language)


@_remembered
def percent(share: float | None, language: str) -> str:
    """A share of one: 0.123 -> 12 %."""
    return NOTHING if share is None else str(numbers.format_percent(share, locale=locale_of(language)))


def part(share: float, language: str) -> str:
    """The same of something that is there: never nought, but less than 1 %."""
    return f"<{_NO_BREAK}{percent(0.01, language)}" if 0 < share < 0.005 else percent(share, language)


@_remembered
def day(iso: str | None, language: str) -> str:
    """2026-11-22, or an instant of that day -> 22 novembre 2026."""
    return NOTHING if not iso else _date(_day_of(iso), "long", language)


@_remembered
def short_day(iso: str | None, language: str) -> str:
    """2026-11-22, or an instant of that day -> 22 nov. 2026."""
    return NOTHING if not iso else _date(_day_of(iso), "medium", language)


@_remembered
def moment(iso: str | None, language: str) -> str:
    """An instant to the minute: 22 nov. 2026, 10:05."""
    return NOTHING if not iso else _time(_instant(iso), "d MMM y HH:mm", language)


@_remembered
def hour(iso: str | None, language: str) -> str:
    """The time of day of an instant: 14:00."""
    return NOTHING if not iso else _time(_instant(iso), "HH:mm", language)


def duration(seconds: float | None, language: str) -> str:
    """A length of time in one unit: 200 -> 3 minutes."""
    if seconds is None:
        return NOTHING
    return str(dates.format_timedelta(timedelta(seconds=seconds), threshold=1, locale=locale_of(language)))


def relative(iso: str, now_ns: int, language: str) -> str:
    """How long ago: il y a 3 minutes; a day and more is a date."""
    ago_s = now_ns / 1e9 - _instant(iso).timestamp()
    if abs(ago_s) >= 86_400:
        return moment(iso, language)
    if -5 <= ago_s < 5:
        return said(language, "just now")
    return str(
        dates.format_timedelta(
            -timedelta(seconds=ago_s), add_direction=True, threshold=1, locale=locale_of(language)
        )
    )


def when(iso: str | None, now_ns: int, language: str, never: str | None = None) -> Markup:
    """An instant as a <time> element: how long ago, exactly on hover and for machines."""
    if not iso:
        return escape(NOTHING if never is None else never)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        iso, moment(iso, language), relative(iso, now_ns, language)
    )


def lasting(iso: str, now_ns: int, language: str) -> Markup:
    """How long something has lasted, as a <time> element with its beginning: 41 minutes."""
    length = timedelta(seconds=max(0.0, now_ns / 1e9 - _instant(iso).timestamp()))
    return Markup('<time datetime="{}" title="{}" data-exact>{}</time>').format(
        iso, moment(iso, language), dates.format_timedelta(length, threshold=1, locale=locale_of(language))
    )


@_remembered
def period(by: Period, start: str, language: str, brief: bool = False) -> str:
    """An hour, day, week or month by its start: dim. 22 nov. 14:00, 22 nov. 2026, novembre 2026."""
    match by:
        case Period.HOUR:
            pattern = "HH:mm" if brief else "E d MMM HH:mm"
            return _time(_instant(start), pattern, language)
        case Period.MONTH:
            return _date(_day_of(start), "MMM y" if brief else "LLLL y", language)
        case Period.DAY:
            return _date(_day_of(start), "d MMM" if brief else "E d MMM y", language)
    day_ = _date(_day_of(start), "d MMM" if brief else "d MMM y", language)
    return day_ if brief else said(language, "week of %(day)s", day=day_)


def spread(first: float | None, last: float | None, language: str) -> str:
    """A number of which only bounds are known: 12, 12 to 15, at least 12; a dash where nothing is."""
    if first is None and last is None:
        return NOTHING
    if last is None:
        return said(language, "at least %(first)s", first=number(first, language))
    if first is None or first == last:
        return number(last, language)
    return said(language, "%(first)s to %(last)s", first=number(first, language), last=number(last, language))


def _when_filter(language: str) -> Callable[..., Markup]:
    @pass_context
    def filter_when(context: Context, iso: str | None, never: str | None = None) -> Markup:
        now_ns = context["now_ns"]
        return when(iso, now_ns, language, never)

    return filter_when


def _lasting_filter(language: str) -> Callable[..., Markup]:
    @pass_context
    def filter_lasting(context: Context, iso: str) -> Markup:
        return lasting(iso, context["now_ns"], language)

    return filter_lasting


def _in(language: str, function: Callable[[Any, str], str]) -> Callable[[Any], str]:
    return lambda value: function(value, language)


@_remembered
def _scaled(value: float, units: tuple[str, ...], language: str) -> str:
    unit = 0
    while abs(value) >= 999.5 and unit < len(units) - 1:
        value /= 1000
        unit += 1
    pattern = "#,##0.#" if unit and abs(value) < 99.5 else "#,##0"
    return f"{numbers.format_decimal(value, pattern, locale=locale_of(language))}{_NO_BREAK}{units[unit]}"


def _date(value: date, pattern: str, language: str) -> str:
    return _first_of_month(str(dates.format_date(value, pattern, locale=locale_of(language))), language)


def _time(value: datetime, pattern: str, language: str) -> str:
    said_ = dates.format_datetime(value, pattern, tzinfo=ZONE, locale=locale_of(language))
    return _first_of_month(str(said_), language)


def _first_of_month(text: str, language: str) -> str:
    """French writes 1er février; CLDR's patterns cannot."""
    return re.sub(r"(?<!\d)1 (?=[^\W\d])", "1er ", text) if language == "fr" else text


def _instant(iso: str) -> datetime:
    found = datetime.fromisoformat(iso)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _day_of(iso: str) -> date:
    if len(iso) == 10:
        return date.fromisoformat(iso)
    return _instant(iso).astimezone(ZONE).date()
