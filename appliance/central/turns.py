"""Turns: the threads of one process write to SQLite one after another, in the order in which they came.

SQLite itself lets whoever finds its lock taken sleep and try again, which starves some: of 32 threads that
write as fast as they can, one in a hundred waited for 3.7 s, the unluckiest for 14 s.
"""

import threading
from collections import deque


class Turns:
    """A lock that is handed on in the order of asking. A thread that has the turn does not ask again."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False
        self._mine = threading.local()

    def take(self, patience_s: float) -> bool:
        """Wait for the turn; false if it did not come in time."""
        with self._guard:
            if not self._taken:
                self._taken = self._mine.has = True
                return True
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        if not called.acquire(timeout=patience_s):
            with self._guard:
                if called in self._waiting:
                    self._waiting.remove(called)
                    return False
        self._mine.has = True  # called, perhaps in the very moment of giving up
        return True

    def has(self) -> bool:
        """Whether it is this thread's turn."""
        return getattr(self._mine, "has", False)

    def give(self) -> None:
        """Hand the turn on, if this thread has it."""
        if not self.has():
            return
        self._mine.has = False
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
