"""The first boot as this process knows it: the set-up code, whose session it is, what was told. Memory only.

Whoever has the code begins; whoever gives it again begins anew, and what was told before is forgotten.
"""

import hmac
import threading
from collections.abc import Callable

from webui.accounts.throttle import Pace, Throttle, network_of
from webui.pages.setup.draft import Draft, Made
from webui.protection import new_secret, number_of

LEAST_CODE = 8
"""Letters of a set-up code, 40 bits. A thousand guesses a second, more than the page can answer, are at half
of them after 17 years; so strangers' guesses, however many they are, never make the installer wait."""

IDLE_NS = 60 * 60 * 10**9
"""After an hour without a request the set-up is closed and everything that was told is forgotten."""

_OF_ADDRESS = Pace(10, 6)


class WrongCode(Exception):
    """It is not the set-up code."""


class TooManyGuesses(Exception):
    """This address must wait a minute."""


class NoSetUp(Exception):
    """The session is not the one that the set-up belongs to, or it has been idle too long."""


def plain(code: str) -> str:
    """A code as it is compared: without separators, in capitals."""
    return "".join(letter for letter in code.upper() if letter.isascii() and letter.isalnum())


class FirstBoot:
    """One set-up at a time. `when_done` is called once, after the last screen; `clock` gives ns."""

    def __init__(self, code: str, clock: Callable[[], int], when_done: Callable[[], None]) -> None:
        if len(plain(code)) < LEAST_CODE:
            raise ValueError(f"a set-up code has {LEAST_CODE} letters or digits at least")
        self._code = plain(code)
        self._clock = clock
        self._when_done = when_done
        self._lock = threading.Lock()
        self._session = ""
        self._seen_ns = 0
        self._draft = Draft(Made.NOTHING)
        self._guesses = Throttle()
        self.done = False

    def check(self, code: str, origin: str) -> None:
        """Whether it is the code. Raises WrongCode, TooManyGuesses."""
        with self._lock:
            place = network_of(origin)
            if self._guesses.wait_ns(place, _OF_ADDRESS, self._clock()):
                raise TooManyGuesses
            self._guesses.take(place, _OF_ADDRESS, self._clock())
            if not hmac.compare_digest(plain(code).encode(), self._code.encode()):
                raise WrongCode
            self._guesses.clear(place)

    def begin(self, made: Made) -> str:
        """Begin anew, after the code was given: the secret of the session that may go on."""
        secret = new_secret()
        with self._lock:
            self._session, self._seen_ns = number_of(secret), self._clock()
            self._draft = Draft(made)
        return secret

    def admits(self, session: str) -> bool:
        """Whether this session may go on with the set-up; each time it may is a sign of life."""
        with self._lock:
            return self._alive(session)

    def draft(self, session: str) -> Draft:
        """What was told so far. Raises NoSetUp."""
        with self._lock:
            if not self._alive(session):
                raise NoSetUp
            return self._draft

    def change(self, session: str, how: Callable[[Draft], Draft]) -> Draft:
        """Replace what was told, in one step; what `how` raises changes nothing. Raises NoSetUp."""
        with self._lock:
            if not self._alive(session):
                raise NoSetUp
            self._draft = how(self._draft)
            return self._draft

    def close_if_idle(self) -> bool:
        """End it where nobody is at it, because what it is for was done elsewhere; whether it has ended."""
        with self._lock:
            if self.done or (self._session and self._clock() - self._seen_ns <= IDLE_NS):
                return self.done
            self.done = True
            self._forget()
        self._when_done()
        return True

    def finish(self, session: str) -> None:
        """The end: nobody is admitted any more, all is forgotten. Raises NoSetUp."""
        with self._lock:
            if not self._alive(session):
                raise NoSetUp
            self.done = True
            self._forget()
        self._when_done()

    def _alive(self, session: str) -> bool:
        now_ns = self._clock()
        if self._session and now_ns - self._seen_ns > IDLE_NS:
            self._forget()
        if self.done or not session or not hmac.compare_digest(session.encode(), self._session.encode()):
            return False
        self._seen_ns = now_ns
        return True

    def _forget(self) -> None:
        self._session = ""
        self._draft = Draft(Made.NOTHING)
