"""Sentences that wait for the next page of a session."""

import threading
from collections import OrderedDict

_LIMIT = 1_000


class Notices:
    """Shown once, then gone. Bounded, in memory."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def leave(self, session: str, sentence: str) -> None:
        """Have it shown on the next page of this session."""
        with self._lock:
            self._waiting[session] = sentence
            while len(self._waiting) > _LIMIT:
                self._waiting.popitem(last=False)

    def take(self, session: str) -> str:
        """What waits for it; empty if nothing does."""
        with self._lock:
            return self._waiting.pop(session, "")
