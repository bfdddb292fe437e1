"""How a legal basis stands, day by day, as shipped and as confirmed; the table says only what was found."""

import datetime as dt
import tomllib
from pathlib import Path

import pytest

from appliance.retention.legal import calendar, shipped
from appliance.retention.legal.calendar import Basis, Confirmation, State, gaps, standing, wrong

FRANCE = shipped.france()
INJUNCTION = FRANCE.basis("traffic-injunction")
SOURCE = FRANCE.basis("source-identifiers")
assert INJUNCTION is not None
assert SOURCE is not None
TODAY = dt.date(2026, 11, 22)
RENEWED = Confirmation(
    "traffic-injunction", "décret 2026-1", dt.date(2026, 10, 21), dt.date(2027, 10, 20), "claire", 5
)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def test_the_injunction_as_it_was_found_has_lapsed_and_nothing_pretends_otherwise() -> None:
    """Decree 2025-980 was in force for one year from 21/10/2025; whether it was renewed nobody here knows."""
    found = standing(INJUNCTION, [], TODAY)
    assert (found.state, found.first_day, found.last_day) == (
        State.LAPSED,
        day("2025-10-21"),
        day("2026-10-20"),
    )
    assert (found.days_left, found.must_confirm, found.confirmation) == (-33, True, None)


@pytest.mark.parametrize(
    ("today", "state", "days_left"),
    [
        ("2025-10-21", State.IN_FORCE, 364),
        ("2026-08-21", State.IN_FORCE, 60),
        ("2026-08-22", State.LAPSING, 59),
        ("2026-10-20", State.LAPSING, 0),
        ("2026-10-21", State.LAPSED, -1),
    ],
)
def test_it_is_warned_before_the_end_and_the_last_day_counts(
    today: str, state: State, days_left: int
) -> None:
    found = standing(INJUNCTION, [], day(today))
    assert (found.state, found.days_left) == (state, days_left)
    assert found.must_confirm is (state is not State.IN_FORCE)


def test_a_confirmed_renewal_carries_it_on_and_says_who_answers_for_it() -> None:
    found = standing(INJUNCTION, [RENEWED], TODAY)
    assert (found.state, found.last_day, found.days_left) == (State.IN_FORCE, day("2027-10-20"), 332)
    assert found.first_day == day("2025-10-21")  # the periods touch
    assert found.confirmation == RENEWED
    assert standing(INJUNCTION, [RENEWED], day("2027-10-21")).state is State.LAPSED


def test_a_renewal_confirmed_ahead_counts_once_it_begins() -> None:
    found = standing(INJUNCTION, [RENEWED], day("2026-09-30"))
    assert (found.state, found.last_day) == (State.IN_FORCE, day("2027-10-20"))
    assert found.confirmation == RENEWED
    later = Confirmation("traffic-injunction", "t", day("2026-12-01"), day("2027-10-20"), "claire", 5)
    assert standing(INJUNCTION, [later], TODAY).state is State.LAPSED
    assert standing(INJUNCTION, [later], day("2026-12-01")).state is State.IN_FORCE


def test_another_basis_is_not_carried_on_by_it() -> None:
    other = Basis("other", ("traffic",), 1, (), (), {}, day("2025-01-01"), day("2026-01-01"))
    assert standing(other, [RENEWED], TODAY).state is State.LAPSED


def test_what_has_no_known_end_does_not_lapse() -> None:
    found = standing(SOURCE, [], day("9999-12-31"))
    assert (found.state, found.last_day, found.must_confirm) == (State.UNLIMITED, None, False)


def test_the_gaps_are_what_no_basis_covers_from_the_first_on() -> None:
    bases = FRANCE.bases
    assert gaps(bases, [], "traffic") == [(day("2026-10-21"), dt.date.max)]
    assert gaps(bases, [RENEWED], "traffic") == [(day("2027-10-21"), dt.date.max)]
    late = Confirmation("traffic-injunction", "t", day("2026-11-01"), day("2027-10-20"), "c", 5)
    assert gaps(bases, [late], "traffic") == [
        (day("2026-10-21"), day("2026-10-31")),
        (day("2027-10-21"), dt.date.max),
    ]
    assert gaps(bases, [], "source") == []
    assert gaps(bases, [], "no such vault") == []
    second = Basis("second", ("traffic",), 1, (), (), {}, day("2026-01-01"), None)
    assert gaps([*bases, second], [], "traffic") == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"basis": "nonsense"}, "there is no legal basis"),
        ({"basis": "source-identifiers"}, "has no end"),
        ({"text": "  "}, "name the text"),
        ({"text": "a\nb"}, "name the text"),
        ({"text": "x" * 301}, "name the text"),
        ({"last_day": day("2026-10-20")}, "before the first"),
        ({"last_day": day("2027-10-22")}, "more than 366 days"),
        ({"first_day": day("2026-01-01"), "last_day": day("2026-11-21")}, "ended on 2026-11-21"),
    ],
)
def test_what_cannot_be_meant_is_not_confirmed(changed: dict[str, object], said: str) -> None:
    import dataclasses

    assert wrong(FRANCE, RENEWED, TODAY) is None
    refused = wrong(FRANCE, dataclasses.replace(RENEWED, **changed), TODAY)  # type: ignore[arg-type]
    assert refused is not None
    assert said in refused


def test_every_basis_is_explained_in_both_languages_with_its_sanctions_and_its_date() -> None:
    assert FRANCE.dated == TODAY
    assert {vault for basis in FRANCE.bases for vault in basis.vaults} == {"traffic", "source", "identity"}
    for basis in FRANCE.bases:
        assert basis.articles
        assert basis.sources
        for language, november, lawyer in (
            ("fr", "novembre 2026", "avocat"),
            ("en", "November 2026", "lawyer"),
        ):
            text = basis.texts[language]
            assert all(part.strip() and "\n" not in part for part in text.split("\n\n"))
            general = FRANCE.general[language]
            assert tuple(general) == shipped.GENERAL
            assert not [part for part in general.values() if part in text or "\n" in part]
            for said in ("L.39-3", "75", "375", november, lawyer):
                assert said in " ".join(general.values()), (language, said)


def test_it_cites_no_article_that_was_not_found() -> None:
    """The articles of the CPCE that the facts name; any other would be made up."""
    import re

    found = {"L.34-1", "R.10-13", "L.39-3"}
    decrees = {"2025-980", "2021-1361", "2021-1362"}
    text = (Path(shipped.__file__).with_name("fr.toml")).read_text(encoding="utf-8")
    assert set(re.findall(r"[LR]\.\d+-\d+", text)) == found
    assert set(re.findall(r"\b20\d\d-\d{3,4}\b", text)) == decrees
    table = tomllib.loads(text)
    assert [(one["key"], one["term_years"]) for one in table["basis"]] == [
        ("traffic-injunction", 1), ("source-identifiers", 1), ("identity-civil", 5), ("identity-account", 1),
    ]  # fmt: skip
    assert calendar.TEXT_LETTERS == 300
