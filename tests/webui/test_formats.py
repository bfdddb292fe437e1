"""Numbers and instants as the two languages write them: expectations out of CLDR's and the SI's own rules."""

import pytest

from appliance.control.words import Period
from webui import formats

NARROW, NO_BREAK = "\u202f", "\u00a0"
NOON_NS = 1_795_431_600 * 10**9  # 2026-11-23T11:00:00Z, noon in Paris in winter


@pytest.mark.parametrize(
    ("octets", "french", "english"),
    [
        (None, "–", "–"),
        (0, f"0{NO_BREAK}o", f"0{NO_BREAK}B"),
        (999, f"999{NO_BREAK}o", f"999{NO_BREAK}B"),
        (1_000, f"1{NO_BREAK}ko", f"1{NO_BREAK}kB"),
        (1_234_567, f"1,2{NO_BREAK}Mo", f"1.2{NO_BREAK}MB"),
        (999_950_000, f"1{NO_BREAK}Go", f"1{NO_BREAK}GB"),
        (301 * 10**9, f"301{NO_BREAK}Go", f"301{NO_BREAK}GB"),
    ],
)
def test_size_is_in_decimal_units(octets: int | None, french: str, english: str) -> None:
    assert (formats.size(octets, "fr"), formats.size(octets, "en")) == (french, english)


def test_numbers_are_grouped_as_the_language_does() -> None:
    assert formats.number(1_234_567, "fr") == f"1{NARROW}234{NARROW}567"
    assert formats.number(1_234_567, "en") == "1,234,567"
    assert formats.rate(18_400_000.0, "fr") == f"18,4{NO_BREAK}Mbit/s"


def test_what_is_there_is_never_nought_percent() -> None:
    assert formats.part(0.001, "fr") == f"<{NO_BREAK}1{NO_BREAK}%"
    assert formats.part(0.0, "en") == "0%"
    assert formats.part(0.456, "en") == "46%"


@pytest.mark.parametrize(
    ("iso", "french"),
    [
        ("2026-11-23T10:59:58Z", "à l’instant"),
        ("2026-11-23T10:59:20Z", "il y a 40 secondes"),
        ("2026-11-23T10:57:00Z", "il y a 3 minutes"),
        ("2026-11-23T04:00:00Z", "il y a 7 heures"),
        ("2026-07-01T22:30:00Z", "2 juil. 2026 00:30"),
        ("2026-11-23T11:03:00Z", "dans 3 minutes"),
    ],
)
def test_instants_are_told_from_now_and_in_the_time_of_paris(iso: str, french: str) -> None:
    assert formats.relative(iso, NOON_NS, "fr") == french


def test_an_instant_is_exact_for_machines() -> None:
    made = formats.when("2026-11-23T10:57:00Z", NOON_NS, "en")
    assert made == ('<time datetime="2026-11-23T10:57:00Z" title="23 Nov 2026 11:57">3 minutes ago</time>')
    assert formats.when(None, NOON_NS, "en", "<never>") == "&lt;never&gt;"


def test_a_day_of_an_instant_is_that_of_paris() -> None:
    assert formats.day("2026-11-22T23:30:00Z", "fr") == "23 novembre 2026"
    assert formats.day("2026-11-22", "en") == "22 November 2026"
    assert formats.short_day("2026-11-22", "en") == "22 Nov 2026"


def test_the_first_of_a_month_is_written_as_french_writes_it() -> None:
    assert formats.day("2028-02-01", "fr") == "1er février 2028"
    assert formats.short_day("2028-02-01", "fr") == "1er févr. 2028"
    assert formats.moment("2028-02-01T11:00:00Z", "fr") == "1er févr. 2028 12:00"
    assert formats.period(Period.DAY, "2026-11-01", "fr") == "dim. 1er nov. 2026"
    assert formats.day("2026-11-11", "fr") == "11 novembre 2026"
    assert formats.day("2028-02-01", "en") == "1 February 2028"


@pytest.mark.parametrize(
    ("first", "last", "english"),
    [(None, None, "–"), (12, 12, "12"), (12, 15, "12 to 15"), (12, None, "at least 12")],
)
def test_a_spread_says_what_is_known(first: int | None, last: int | None, english: str) -> None:
    assert formats.spread(first, last, "en") == english
