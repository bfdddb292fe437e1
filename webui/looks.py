"""What was already noted, so that a page that is loaded again is not noted again; bounded, in memory."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

_LIMIT = 4096


class Looks:
    """The newest keys that were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def is_new(self, key: Hashable) -> bool:
        """Whether this key is asked for the first time."""
        with self._lock:
            is_new = key not in self._seen
            self._seen[key] = None
            self._seen.move_to_end(key)
            while len(self._seen) > _LIMIT:
                self._seen.popitem(last=False)
            return is_new

    def forget(self, key: Hashable) -> None:
        """It was not noted after all."""
        with self._lock:
            self._seen.pop(key, None)
