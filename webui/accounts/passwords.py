"""Passwords: which are taken, and how they are kept.

CNIL 2022-100 (21 July 2022) asks for 50 bits where guesses are throttled, as they are here, and for no change
by the calendar but for privileged accounts. Its bits say how a password could have been drawn; how people do
choose them, zxcvbn says, with 30,000 passwords out of breaches and the words of languages. Both must agree.
"""

import math
import secrets
import threading
import unicodedata
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 128
LEAST_BITS = 50.0
LEAST_GUESSES = 10**10
"""zxcvbn's best score, 4: "very unguessable"."""

_LOOKED_AT = 72
"""Characters that zxcvbn looks at: its time grows with their square."""

_LETTERS_GIVEN = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are mistaken for one another when read aloud."""

_AT_ONCE = 2
"""Hashes at a time: each takes 64 MiB (RFC 9106, section 4, second choice) and a core."""

_PATIENCE_S = 8.0


class Weakness(StrEnum):
    """Why a password is not taken."""

    SHORT = "short"
    LONG = "long"
    KNOWN = "known"
    """It, or most of it, is on a list of passwords that people use."""
    PERSONAL = "personal"
    """It is made of the account's or the site's name."""
    PLAIN = "plain"
    """Too few guesses lead to it."""


class Busy(Exception):
    """More people sign in at once than this machine can hash for; try again in a moment."""


def weakness(password: str, words: tuple[str, ...] = ()) -> Weakness | None:
    """What is wrong with it; `words` are names that whoever guesses would try first."""
    password = normal(password)
    if len(password) < LEAST_CHARACTERS:
        return Weakness.SHORT
    if len(password) > MOST_CHARACTERS:
        return Weakness.LONG
    own = [word for word in words if word]
    guessed = zxcvbn(password[:_LOOKED_AT], user_inputs=own, max_length=_LOOKED_AT)
    if guessed["guesses"] >= LEAST_GUESSES and bits(password) >= LEAST_BITS:
        return None
    lists = {match.get("dictionary_name") for match in guessed["sequence"]}
    if "user_inputs" in lists:
        return Weakness.PERSONAL
    return Weakness.KNOWN if "passwords" in lists else Weakness.PLAIN


def new_password() -> str:
    """To be read aloud or copied, and renewed within a week: 78 bits."""
    letters = "".join(secrets.choice(_LETTERS_GIVEN) for _ in range(16))
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def bits(password: str) -> float:
    """CNIL's measure: the length times the bits of one character out of the kinds that it uses."""
    kinds = {_kind(letter) for letter in password}
    return len(password) * math.log2(sum(_LETTERS[kind] for kind in kinds)) if kinds else 0.0


_LETTERS = {"lower": 26, "upper": 26, "digit": 10, "other": 37}
"""How many there are of a kind, in the examples of CNIL's tool."""


def _kind(letter: str) -> str:
    if letter.islower():
        return "lower"
    if letter.isupper():
        return "upper"
    return "digit" if letter.isdigit() else "other"


def normal(password: str) -> str:
    """The same letters however a keyboard composes them (RFC 8265, section 4.2.2)."""
    return unicodedata.normalize("NFC", password)


class Passwords:
    """argon2id (RFC 9106). Safe in threads; raises Busy where too many wait."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = PasswordHasher() if hasher is None else hasher
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._nobodys = ""

    def hashed(self, password: str) -> str:
        """What is kept of it."""
        with _Turn(self._turns):
            return self._hasher.hash(normal(password))

    def is_right(self, kept: str | None, password: str) -> bool:
        """Whether it is that password; takes as long where there is none to compare with."""
        with _Turn(self._turns):
            if kept is None and not self._nobodys:
                self._nobodys = self._hasher.hash("nobody's")
            try:
                self._hasher.verify(kept or self._nobodys, normal(password))
            except (VerificationError, InvalidHashError):
                return False
            return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether it was hashed with less than is usual now."""
        return self._hasher.check_needs_rehash(kept)


class _Turn:
    def __init__(self, turns: threading.BoundedSemaphore) -> None:
        self._turns = turns

    def __enter__(self) -> None:
        if not self._turns.acquire(timeout=_PATIENCE_S):
            raise Busy

    def __exit__(self, *_: object) -> None:
        self._turns.release()
