"""What is said to somebody who is not let in, or whose password is not taken."""

from webui.accounts.passwords import LEAST_CHARACTERS, MOST_CHARACTERS, Weakness
from webui.routing import Refusal
from webui.wording import said, said_many


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


_WEAK = {
    Weakness.SHORT: _("A password has %(least)s characters at least. Four or five words are easy to keep."),
    Weakness.LONG: _("A password has %(most)s characters at most."),
    Weakness.KNOWN: _("This password is among the first that a burglar tries. Choose another."),
    Weakness.PERSONAL: _("This password is too close to a name that a burglar knows. Choose another."),
    Weakness.PLAIN: _("This password is too easy to guess. Add a word or two that do not belong to it."),
}


def of_weakness(language: str, weakness: Weakness) -> str:
    """Why a password is not taken, and what to do."""
    return said(language, _WEAK[weakness], least=LEAST_CHARACTERS, most=MOST_CHARACTERS)


def wrong_password(language: str) -> Refusal:
    """At the door: nothing tells whether there is such an account."""
    return Refusal(said(language, _("The name or the password is not right.")), field="password", status=403)


def wrong_own_password(language: str) -> Refusal:
    """Of somebody who is signed in."""
    return Refusal(said(language, _("This is not your present password.")), field="current", status=403)


def wrong_code(language: str) -> Refusal:
    """A code that is wrong, late, or used before."""
    sentence = _("This code is not right, or was used already. Wait for the next one and type that.")
    return Refusal(said(language, sentence), field="code", status=403)


def too_often(language: str, wait_ns: int) -> Refusal:
    """It was not even looked at."""
    seconds = -(-wait_ns // 1_000_000_000)
    if seconds <= 90:
        sentence = said_many(
            language,
            "Too many attempts. Try again in a second.",
            "Too many attempts. Try again in %(num)s seconds.",
            seconds,
        )
    else:
        sentence = said_many(
            language,
            "Too many attempts. Try again in a minute.",
            "Too many attempts. Try again in %(num)s minutes.",
            -(-seconds // 60),
        )
    return Refusal(sentence, status=429)


def busy(language: str) -> Refusal:
    """Too many sign in at once."""
    return Refusal(said(language, _("The box is busy just now. Try again in a moment.")), status=503)
