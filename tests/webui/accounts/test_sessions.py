"""Sessions: how long they last, whose they are, and what ends them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.webui.visiting import ADDRESS, AGENT, PASSWORD, QUICK, Clock
from webui.accounts import opened
from webui.accounts.seats import Stage, stage_after_factor, stage_after_password
from webui.accounts.sessions import IDLE_NS, LONGEST_NS, MOST, ON_THE_WAY_NS
from webui.accounts.users import LastOperator, NameTaken
from webui.protection import number_of
from webui.rights import Right, Role

S = 1_000_000_000


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Any]:
    made = opened.open(tmp_path, Clock(), QUICK)
    made.users.add("Éva", Role.OPERATOR, QUICK.hash(PASSWORD), None, must_renew=False)
    yield made
    made.close()


def begin(place: Any, stage: Stage = Stage.IN) -> str:
    return str(place.sessions.begin(1, stage, ADDRESS, AGENT))


def is_in(place: Any, secret: str, address: str = ADDRESS, agent: str = AGENT) -> bool:
    return place.seated(secret, address, agent) is not None


def test_it_ends_after_half_an_hour_without_a_request(place: Any) -> None:
    secret = begin(place)
    for _ in range(3):
        place.clock.now_ns += IDLE_NS - S
        assert is_in(place, secret)
        place.touch(number_of(secret))
    place.clock.now_ns += IDLE_NS
    assert not is_in(place, secret)


def test_it_ends_after_twelve_hours_however_busy(place: Any) -> None:
    secret, begun = begin(place), place.clock()
    while place.clock() - begun < LONGEST_NS - IDLE_NS // 2:
        place.clock.now_ns += IDLE_NS // 2
        assert is_in(place, secret)
        place.touch(number_of(secret))
    place.clock.now_ns = begun + LONGEST_NS - 1
    assert is_in(place, secret)
    place.clock.now_ns = begun + LONGEST_NS
    assert not is_in(place, secret)
    assert not place.is_alive(number_of(secret)), "nor does a stream go on"


def test_the_way_in_is_short(place: Any) -> None:
    secret = begin(place, Stage.FACTOR)
    place.clock.now_ns += ON_THE_WAY_NS - S
    assert is_in(place, secret)
    assert not place.is_alive(number_of(secret)), "not signed in yet"
    place.clock.now_ns += S
    assert not is_in(place, secret)


@pytest.mark.parametrize(
    ("begun_at", "used_at", "expected"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("2001:db8::1", "192.0.2.1", False),
    ],
)
def test_it_is_bound_to_its_address_or_network(
    place: Any, begun_at: str, used_at: str, expected: bool
) -> None:
    """RFC 8981: of IPv6 a device takes another address every day, in the same network."""
    secret = place.sessions.begin(1, Stage.IN, begun_at, AGENT)
    assert is_in(place, secret, used_at) is expected
    assert not is_in(place, secret, begun_at, "another browser")


def test_one_account_has_so_many_and_no_more(place: Any) -> None:
    secrets = []
    for _ in range(MOST + 3):
        place.clock.go(1)
        secrets.append(begin(place))
    assert [is_in(place, secret) for secret in secrets] == [False] * 3 + [True] * MOST
    assert len(place.sessions.open_of(1)) == MOST


def test_they_outlast_the_process(place: Any, tmp_path: Path) -> None:
    secret = begin(place)
    place.close()
    again = opened.open(tmp_path, place.clock, QUICK)
    assert again.seated(secret, ADDRESS, AGENT) is not None
    again.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.change(2, Role.AUDITOR, (), ()),
        lambda users: users.set_password(2, "another", given=True),
        lambda users: users.remove(2),
    ],
)
def test_what_an_operator_changes_ends_them(place: Any, change: Any) -> None:
    place.users.add("Paul", Role.SITE_MANAGER, "hash", ())
    secret = place.sessions.begin(2, Stage.IN, ADDRESS, AGENT)
    change(place.users)
    assert not is_in(place, secret)


def test_nobody_ends_anothers(place: Any) -> None:
    place.users.add("Paul", Role.SITE_MANAGER, "hash", ())
    secret = begin(place)
    place.sessions.end_of(2, number_of(secret))
    place.sessions.end_others(2)
    assert is_in(place, secret)
    place.sessions.end_of(1, number_of(secret))
    assert not is_in(place, secret)


@pytest.mark.parametrize(
    ("has_factor", "must_renew", "stages"),
    [
        (True, False, [Stage.FACTOR, Stage.IN]),
        (True, True, [Stage.FACTOR, Stage.RENEWAL]),
        (False, False, [Stage.ENROLMENT, Stage.ENROLMENT]),
        (False, True, [Stage.RENEWAL, Stage.RENEWAL]),
    ],
)
def test_nobody_is_in_without_a_factor_and_a_password_of_his_own(
    has_factor: bool, must_renew: bool, stages: list[Stage]
) -> None:
    found = [stage_after_password(has_factor, must_renew), stage_after_factor(has_factor, must_renew)]
    assert found == stages


def test_rotation_is_for_those_who_administer_and_only_where_it_is_set(place: Any) -> None:
    place.users.add("Paul", Role.AUDITOR, "hash", (), must_renew=False)
    now_ns = place.clock() + 91 * 86_400 * S
    operator, auditor = place.users.get(1), place.users.get(2)
    assert not operator.must_change(now_ns, 0)
    assert operator.must_change(now_ns, 90)
    assert not operator.must_change(now_ns, 180)
    assert not auditor.must_change(now_ns, 90)


def test_a_given_password_is_of_use_for_a_week(place: Any) -> None:
    place.users.add("Paul", Role.AUDITOR, "hash", ())
    paul = place.users.get(2)
    assert not paul.is_given_too_long_ago(place.clock() + 7 * 86_400 * S)
    assert paul.is_given_too_long_ago(place.clock() + 7 * 86_400 * S + 1)


def test_there_is_always_an_operator(place: Any) -> None:
    for change in (lambda: place.users.remove(1), lambda: place.users.change(1, Role.AUDITOR, (), ())):
        with pytest.raises(LastOperator):
            change()
    place.users.add("Paul", Role.OPERATOR, "hash", None)
    place.users.remove(1)
    assert [account.name for account in place.users.all()] == ["Paul"]


def test_names_that_look_alike_are_one(place: Any) -> None:
    for name in ("éva", "E\u0301VA", " Éva ", "Ｅ́va"):
        with pytest.raises(NameTaken):
            place.users.add(name, Role.AUDITOR, "hash", ())


def test_accounts_follow_a_client_that_is_renamed(place: Any) -> None:
    place.users.add("Paul", Role.AUDITOR, "hash", place.clients_of(Role.AUDITOR), {Right.SEE_CONNECTED})
    place.set_client("Hôtel du Port")
    assert place.users.get(2).clients == ("Hôtel du Port",)
    assert place.users.get(1).clients is None
    assert place.client() == "Hôtel du Port"
