"""Which screen comes next, and when a custodian's key is forgotten."""

from dataclasses import replace

import pytest

from webui.pages.setup import draft as drafts
from webui.pages.setup.draft import (
    Administrator,
    Central,
    Custodian,
    Draft,
    Factor,
    Made,
    Place,
    Screen,
    current,
    may_see,
    screens,
)

KEY = b"# public key: age1alice\nAGE-SECRET-KEY-1ALICE\n"
PLACE = Place("Hôtel du Port", ("192.168.0.0/16",), ())
ALICE = replace(Administrator("Alice", "velours-tasse-quai-42"))


def told(made: Made = Made.NOTHING) -> Draft:
    return Draft(made)


def test_the_screens_follow_one_another_and_none_is_skipped() -> None:
    draft, seen = told(), []
    answers = (
        {"administrator": ALICE},
        {"factor": Factor("SECRET", ("AAAA",), step=7)},
        {"place": PLACE},
        {"made": Made.ACCOUNT | Made.HOME},
        {"centrals_done": True},
    )
    for answer in answers:
        seen.append(current(draft))
        draft = replace(draft, **answer)
    assert [*seen, current(draft)] == list(Screen)


def test_a_factor_that_was_not_proven_is_none_yet() -> None:
    assert current(Draft(Made.NOTHING, ALICE, Factor("SECRET", ("AAAA",)))) is Screen.FACTOR


@pytest.mark.parametrize(
    ("made", "needed"),
    [
        (Made.NOTHING, list(Screen)),
        (Made.ACCOUNT, [Screen.SITE, Screen.CUSTODIANS, Screen.CENTRALS, Screen.TESTS]),
        (Made.HOME, [Screen.BEGIN, Screen.FACTOR, Screen.CENTRALS, Screen.TESTS]),
        (Made.ACCOUNT | Made.HOME, [Screen.CENTRALS, Screen.TESTS]),
    ],
)
def test_what_is_there_already_is_not_asked_for(made: Made, needed: list[Screen]) -> None:
    assert list(screens(told(made))) == needed


def test_an_account_that_could_not_be_made_is_not_forgotten() -> None:
    draft = Draft(Made.HOME, ALICE, Factor("SECRET", ("AAAA",), step=7), PLACE)
    assert current(draft) is Screen.FACTOR


def test_one_can_go_back_and_not_ahead_and_never_behind_what_is_made() -> None:
    draft = Draft(Made.ACCOUNT, place=PLACE)
    assert [screen for screen in Screen if may_see(draft, screen)] == [Screen.SITE, Screen.CUSTODIANS]
    done = replace(draft, made=Made.ACCOUNT | Made.HOME)
    assert [screen for screen in Screen if may_see(done, screen)] == [Screen.CENTRALS]


def test_two_custodians_are_needed_and_every_key_made_here_saved() -> None:
    draft = drafts.with_key(told(), "Alice", "age1alice", KEY, locked=False)
    assert not drafts.custodians_ready(draft)
    draft = drafts.with_recipient(draft, "Bob", "age1bob")
    assert not drafts.custodians_ready(draft)
    draft = drafts.with_key_proven(draft, "age1alice", KEY)
    assert not drafts.custodians_ready(draft)
    draft = drafts.with_sheet_saved(draft, "age1alice")
    assert drafts.custodians_ready(draft)
    assert not drafts.custodians_ready(drafts.without(draft, "age1bob"))


@pytest.mark.parametrize("order", ["sheet first", "key first"])
def test_a_key_is_forgotten_as_soon_as_both_are_saved(order: str) -> None:
    draft = drafts.with_key(told(), "Alice", "age1alice", KEY, locked=False)
    steps = [
        lambda now: drafts.with_sheet_saved(now, "age1alice"),
        lambda now: drafts.with_key_proven(now, "age1alice", KEY),
    ]
    for step in steps if order == "sheet first" else reversed(steps):
        assert draft.custodians[0].key == KEY
        draft = step(draft)
    assert draft.custodians[0].key is None
    assert draft.custodians[0].is_ready


def test_another_file_proves_nothing() -> None:
    draft = drafts.with_key(told(), "Alice", "age1alice", KEY, locked=False)
    for wrong in (b"", KEY[:-1], KEY + b"\n", KEY.replace(b"ALICE", b"MALIC")):
        with pytest.raises(ValueError, match="Alice"):
            drafts.with_key_proven(draft, "age1alice", wrong)


def test_the_same_public_key_is_no_second_custodian() -> None:
    draft = drafts.with_recipient(told(), "Alice", "age1alice")
    with pytest.raises(ValueError, match="age1alice"):
        drafts.with_recipient(draft, "Bob", "age1alice")


def test_the_quorum_never_exceeds_those_who_are_left() -> None:
    draft = replace(told(), custodians=tuple(Custodian(f"C{n}", f"age1{n}") for n in range(3)), quorum=3)
    assert drafts.without(draft, "age10").quorum == 2


def test_no_secret_is_shown_by_what_is_logged() -> None:
    draft = replace(
        drafts.with_key(told(), "Alice", "age1alice", KEY, locked=False),
        administrator=ALICE,
        factor=Factor("JBSWY3DPEHPK3PXP", ("AAAA-BBBB",)),
        looked_at=Central("https://central.example.net", "Lyon", "6397", "O6QX-IAGE"),
    )
    shown = repr(draft)
    assert "Alice" in shown
    for secret in ("AGE-SECRET", "velours", "JBSWY3", "AAAA-BBBB", "O6QX"):
        assert secret not in shown
