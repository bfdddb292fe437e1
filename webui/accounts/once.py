"""What is shown once and then forgotten: recovery codes, a password for another, an unproven secret.

In memory only, bounded, by session.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")

LASTS_NS = 15 * 60 * 1_000_000_000
_MOST = 500


class Once(Generic[Thing]):
    """One thing a session; of too many the oldest is forgotten."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[int, Thing]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, session: str, thing: Thing) -> Thing:
        """Keep it for this session, in place of what was kept."""
        with self._lock:
            self._kept.pop(session, None)
            self._kept[session] = (self._clock() + LASTS_NS, thing)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return thing

    def look(self, session: str) -> Thing | None:
        """What is kept for it, still kept afterwards."""
        with self._lock:
            until_ns, thing = self._kept.get(session, (0, None))
            if until_ns <= self._clock():
                self._kept.pop(session, None)
                return None
            return thing

    def take(self, session: str) -> Thing | None:
        """What is kept for it, and no longer."""
        found = self.look(session)
        with self._lock:
            self._kept.pop(session, None)
        return found
