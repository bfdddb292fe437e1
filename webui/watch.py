"""One question to the keeper for all who look at a page that moves, and room for so many lookers."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from appliance.control.messages import Live

PACE_S = 2.0

SEATS = 24
"""Streams at once: each holds one of the 64 threads that answer requests."""

SEATS_A_SESSION = 4

Ask = Callable[[], Live | None]


class Full(Exception):
    """As many look as there is room for."""


class Watch:
    """The newest answer, shared. Whoever finds it old asks anew, others wait for him: it has no thread."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._changed = threading.Condition()
        self._newest: Live | None = None
        self._number = 0
        self._asked_s = float("-inf")
        self._is_asking = False
        self._seats: Counter[str] = Counter()

    @contextmanager
    def seat(self, session: str) -> Iterator[None]:
        """Room for one stream of this session. Raises Full."""
        with self._changed:
            if self._seats.total() >= SEATS or self._seats[session] >= SEATS_A_SESSION:
                raise Full
            self._seats[session] += 1
        try:
            yield
        finally:
            with self._changed:
                self._seats[session] -= 1
                if not self._seats[session]:
                    del self._seats[session]

    def newer(self, than: int, ask: Ask) -> tuple[int, Live | None]:
        """The number and value of an answer later than number `than`; None: the keeper did not answer.

        Waits for it: as long as the pace and the keeper take. `ask` is called by one of all who wait.
        """
        with self._changed:
            while True:
                if self._number > than:
                    return self._number, self._newest
                wait_s = self._asked_s + PACE_S - self._monotonic_s()
                if not self._is_asking and wait_s <= 0:
                    self._is_asking = True
                    break
                self._changed.wait(PACE_S if self._is_asking else wait_s)
        return self._renewed(ask)

    def _renewed(self, ask: Ask) -> tuple[int, Live | None]:
        found: Live | None = None
        try:
            found = ask()
        finally:
            with self._changed:
                self._newest, self._asked_s, self._is_asking = found, self._monotonic_s(), False
                self._number += 1
                self._changed.notify_all()
        return self._number, found
