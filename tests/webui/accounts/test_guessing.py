"""Strangers who guess, as many as 100,000 times: they get nowhere, cost nothing, and lock nobody out."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import argon2
import pyotp
import pytest

from tests.webui.visiting import ADDRESS, AGENT, PASSWORD, QUICK, Clock
from webui.accounts import opened
from webui.accounts.entrance import TooOften, Wrong
from webui.accounts.seats import Seat, Stage
from webui.rights import Role

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class Counting(argon2.PasswordHasher):
    """Counts how often somebody makes it work."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.worked = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002 - argon2's own
        self.worked += 1
        return super().verify(hash, password)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Any]:
    clock, hasher = Clock(), Counting()
    made = opened.open(tmp_path, clock, hasher)
    made.users.add("Éva", Role.OPERATOR, QUICK.hash(PASSWORD), None, must_renew=False)
    made.users.set_factor(1, SECRET, 0, ())
    made.hasher = hasher  # type: ignore[attr-defined]
    yield made
    made.close()


def guess(place: Any, name: str, password: str, address: str, device: str = "") -> str:
    try:
        place.entrance.password(name, password, address, AGENT, device)
    except Wrong:
        return "wrong"
    except TooOften:
        return "too often"
    return "in"


def code_of(place: Any) -> str:
    return pyotp.TOTP(SECRET).at(place.clock() // 10**9)


def signed_in_once(place: Any) -> str:
    """The secret that Éva's browser is known by after she has signed in with it."""
    entered = place.entrance.password("Éva", PASSWORD, ADDRESS, AGENT, "")
    seat = place.seated(entered.secret, ADDRESS, AGENT)
    entered = place.entrance.code(seat, code_of(place), ADDRESS, AGENT, "")
    assert entered.stage is Stage.IN
    place.clock.go(60)
    return str(entered.device)


def test_a_hundred_thousand_guesses_in_a_day_from_everywhere(place: Any) -> None:
    device = signed_in_once(place)
    worked, begun = place.hasher.worked, time.process_time()
    outcomes = {"wrong": 0, "too often": 0, "in": 0}
    for number in range(100_000):
        place.clock.go(86_400 / 100_000)
        outcomes[guess(place, "Éva", f"guess {number}", f"198.51.{number % 199}.{number % 251}")] += 1
        if number % 10_000 == 5_000:
            assert guess(place, "éva", PASSWORD, ADDRESS, device) == "in", "a stranger locks nobody out"
    took_s = time.process_time() - begun
    assert outcomes["in"] == 0
    assert outcomes["wrong"] <= 10 + 86_400 // 60 + 1_000 + 86_400 // 60, "of 10**10"
    assert place.hasher.worked - worked == outcomes["wrong"] + 10, "what is refused is not hashed"
    assert took_s < 40, "less than 0.4 ms of a processor a guess, whatever else the machine does"


def test_whoever_sits_elsewhere_gets_in_while_a_network_guesses(place: Any) -> None:
    """All of a /24 guesses for an hour; a browser that nobody knows comes from another address."""
    for number in range(20_000):
        place.clock.go(3_600 / 20_000)
        guess(place, "Éva", f"guess {number}", f"198.51.100.{number % 254 + 1}")
    assert guess(place, "Éva", "x", "198.51.100.7") == "too often"
    assert guess(place, "Éva", PASSWORD, "203.0.113.7") == "in"


def test_whoever_guesses_from_everywhere_stops_strangers_only_while_he_does(
    place: Any,
) -> None:
    device = signed_in_once(place)
    for number in range(3_000):
        guess(place, "Éva", f"guess {number}", f"2001:db8:{number:x}::1")
    assert guess(place, "Éva", PASSWORD, "203.0.113.7") == "too often"
    assert guess(place, "Éva", PASSWORD, ADDRESS, device) == "in"
    place.clock.go(61)
    assert guess(place, "Éva", PASSWORD, "203.0.113.7") == "in"


def test_one_address_that_tries_many_names(place: Any) -> None:
    outcomes = [guess(place, f"name {number}", "x", "198.51.100.9") for number in range(1_000)]
    assert outcomes.count("wrong") == 20
    assert guess(place, "Éva", PASSWORD, "203.0.113.7") == "in", "others are not slowed"
    within = [guess(place, f"name {number}", "x", f"2001:db8::{number:x}") for number in range(1, 100)]
    assert within.count("wrong") == 20, "a network of IPv6 is one guesser"


def test_a_name_that_nobody_has_is_treated_as_one_that_somebody_has(place: Any) -> None:
    worked = place.hasher.worked
    known = [guess(place, "Éva", "x", f"198.51.100.{number % 2}") for number in range(60)]
    unknown = [guess(place, "Nobody", "x", f"198.51.101.{number % 2}") for number in range(60)]
    assert known == unknown
    assert known.count("wrong") == 10 + 2 * 3
    assert place.hasher.worked - worked == 2 * 16, "an unknown name is hashed, too"


def test_a_stolen_device_has_a_pace_of_its_own(place: Any) -> None:
    device = signed_in_once(place)
    outcomes = [guess(place, "Éva", f"guess {number}", ADDRESS, device) for number in range(50)]
    assert outcomes.count("wrong") == 10
    assert guess(place, "Éva", PASSWORD, "203.0.113.7") == "in"


def test_a_device_is_known_to_the_account_it_signed_in_to_alone(place: Any) -> None:
    device = signed_in_once(place)
    place.users.add("Paul", Role.AUDITOR, QUICK.hash(PASSWORD), (), must_renew=False)
    outcomes = [guess(place, "Paul", "x", "198.51.100.7", device) for _ in range(50)]
    assert outcomes.count("wrong") == 10 + 3, "as a stranger's"
    outcomes = [guess(place, "Paul", "x", "198.51.100.7") for _ in range(50)]
    assert outcomes.count("wrong") == 0, "it was one bucket"


def test_codes_are_guessed_five_at_once_and_then_hardly(place: Any) -> None:
    """149 a day at most: who has the password needs years for a code."""
    wrong = 0
    for number in range(100):
        place.clock.go(86_400 / 100)
        try:
            entered = place.entrance.password("Éva", PASSWORD, f"198.51.100.{number % 250}", AGENT, "")
        except TooOften:
            continue
        seat = place.seated(entered.secret, f"198.51.100.{number % 250}", AGENT)
        for code in ("000000", "000001", "000002"):
            try:
                place.entrance.code(seat, code, seat_address(number), AGENT, "")
            except Wrong:
                wrong += 1
            except TooOften:
                break
    assert wrong <= 5 + 86_400 // 600


def seat_address(number: int) -> str:
    return f"198.51.100.{number % 250}"


def test_five_wrong_codes_end_the_way_in(place: Any) -> None:
    entered = place.entrance.password("Éva", PASSWORD, ADDRESS, AGENT, "")
    seat = place.seated(entered.secret, ADDRESS, AGENT)
    for _ in range(5):
        with pytest.raises(Wrong):
            place.entrance.code(seat, "000000", ADDRESS, AGENT, "")
    assert place.seated(entered.secret, ADDRESS, AGENT) is None


def test_a_code_that_two_bring_at_once_is_taken_of_one(place: Any) -> None:
    seats: list[Seat] = []
    for _ in range(2):
        entered = place.entrance.password("Éva", PASSWORD, ADDRESS, AGENT, "")
        seats.append(place.seated(entered.secret, ADDRESS, AGENT))
    place.entrance.code(seats[0], code_of(place), ADDRESS, AGENT, "")
    with pytest.raises(Wrong):
        place.entrance.code(seats[1], code_of(place), ADDRESS, AGENT, "")
    assert not place.users.use_step(1, place.users.get(1).factor_step)


def test_a_browser_that_several_share_is_known_to_each(place: Any) -> None:
    """At a reception: whoever signs in after another does not make it a stranger to him."""
    device = signed_in_once(place)
    place.users.add("Paul", Role.AUDITOR, QUICK.hash(PASSWORD), (), must_renew=False)
    place.users.set_factor(2, SECRET, 0, ())
    entered = place.entrance.password("Paul", PASSWORD, ADDRESS, AGENT, device)
    seat = place.seated(entered.secret, ADDRESS, AGENT)
    entered = place.entrance.code(seat, code_of(place), ADDRESS, AGENT, device)
    assert entered.device == device
    for user in (1, 2):
        assert place.devices.is_known(device, user)
    place.devices.forget_others(1, but="")
    assert not place.devices.is_known(device, 1)
    assert place.devices.is_known(device, 2)


def test_a_device_that_somebody_made_up_is_replaced(place: Any) -> None:
    entered = place.entrance.password("Éva", PASSWORD, ADDRESS, AGENT, "x" * 43)
    seat = place.seated(entered.secret, ADDRESS, AGENT)
    entered = place.entrance.code(seat, code_of(place), ADDRESS, AGENT, "x" * 43)
    assert entered.device != "x" * 43


def test_that_somebody_waits_is_told_once_an_hour(place: Any) -> None:
    told = 0
    for number in range(7_200):
        place.clock.go(1)
        try:
            place.entrance.password("Éva", "x", "198.51.100.7", AGENT, "")
        except TooOften as error:
            told += error.begins
        except Wrong:
            continue
        assert number
    assert told == 2
