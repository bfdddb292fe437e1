"""Passwords: which are taken, and what is kept of them."""

import threading
import time

import argon2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.webui.visiting import QUICK
from webui.accounts.passwords import Passwords, Weakness, bits, new_password, weakness


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("", Weakness.SHORT),
        ("aB3$kf9!Qz2", Weakness.SHORT),
        ("é" * 129, Weakness.LONG),
        ("motdepasse123", Weakness.KNOWN),
        ("azertyuiop123", Weakness.KNOWN),
        ("password1234", Weakness.KNOWN),
        ("qwertyuiop[]", Weakness.PLAIN),
        ("aaaaaaaaaaaaaaaa", Weakness.PLAIN),
        ("abcdefghijklmnop", Weakness.PLAIN),
        ("123456789012", Weakness.KNOWN),
        ("hoteldesvoyageurs", Weakness.PERSONAL),
        ("aB3$kf9!Qz2%", None),
        ("velours tasse quai cerise", None),
        ("jardin-lune-tasse-42", None),
    ],
)
def test_which_are_taken(password: str, expected: Weakness | None) -> None:
    assert weakness(password, ("Éva", "hoteldesvoyageurs")) is expected


@pytest.mark.parametrize(
    ("password", "least"),
    # CNIL 2022-100, its three examples of 80 bits and the one of 50: length x log2(alphabet).
    [("aB3$kf9!Qz2%", 78), ("aB3kf9Qz2Lm8Tx", 80), ("0123456789012345", 53), ("aB3kf9Qz", 47)],
)
def test_bits_are_those_of_the_cnil(password: str, least: int) -> None:
    assert least <= bits(password) < least + 4


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=150))
def test_any_text_is_judged_in_a_moment(password: str) -> None:
    begun = time.perf_counter()
    weakness(password, ("Éva",))
    assert time.perf_counter() - begun < 2


def test_given_passwords_are_strong() -> None:
    given_ = {new_password() for _ in range(50)}
    assert len(given_) == 50
    assert all(weakness(one) is None for one in given_)


def test_what_is_kept_is_argon2id_as_rfc_9106_advises() -> None:
    kept = Passwords().hashed("velours tasse quai")
    found = argon2.extract_parameters(kept)
    assert found.type is argon2.Type.ID
    assert (found.memory_cost, found.time_cost, found.parallelism) == (65536, 3, 4)
    assert "velours" not in kept


def test_only_the_right_one_is_right() -> None:
    passwords = Passwords(QUICK)
    kept = passwords.hashed("caf\u00e9 tasse quai 42")
    assert passwords.is_right(kept, "cafe\u0301 tasse quai 42"), "however the keyboard composes it"
    assert not passwords.is_right(kept, "cafe tasse quai 42")
    assert not passwords.is_right(None, "caf\u00e9 tasse quai 42")
    assert not passwords.is_right("no hash", "caf\u00e9 tasse quai 42")
    assert Passwords().is_outdated(kept)


def test_few_are_hashed_at_once() -> None:
    """Whoever comes in crowds takes two cores and 128 MiB at most, not the machine."""
    at_once, most, lock = 0, 0, threading.Lock()

    class Counting(argon2.PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            time.sleep(0.01)
            with lock:
                at_once -= 1
            return "kept"

    passwords = Passwords(Counting())
    crowd = [threading.Thread(target=passwords.hashed, args=("x",)) for _ in range(12)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert most == 2
