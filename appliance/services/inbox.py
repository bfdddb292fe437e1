"""What has arrived and is not decoded yet: bounded, and fair to every source.

Whoever sends more than can be decoded waits longest and loses first; the others lose nothing.
"""

from collections import Counter, deque
from collections.abc import Iterator

from appliance.listeners.arrivals import Arrival

TURN_BYTES, TURN = 1 << 18, 4_096
"""Of one source decoded at a time: 5,000 flows of NetFlow v5 or 3,000 lines, 10 to 30 ms; and messages."""


class Inbox:
    """Arrivals by the source (its label) that sent them. `given_up` counts messages lost for want of room."""

    def __init__(self, limit_bytes: int) -> None:
        self.given_up: Counter[str] = Counter()
        self.size_bytes = 0
        self._limit_bytes = limit_bytes
        self._queues: dict[str, deque[Arrival]] = {}
        self._sizes: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._queues)

    def put(self, label: str, arrival: Arrival) -> None:
        """Keep an arrival; beyond the limit, the newest datagrams of whoever has most here are lost."""
        self._queues.setdefault(label, deque()).append(arrival)
        self._grow(label, arrival.size_bytes)
        while self.size_bytes > self._limit_bytes and self._shrink():
            pass

    def turns(self) -> Iterator[tuple[str, Arrival]]:
        """One arrival of each source in turn, again and again, until there is none or nobody asks."""
        while self._queues:
            for label in list(self._queues):
                queue = self._queues[label]
                arrival = queue.popleft()
                count = arrival.messages_in(TURN_BYTES, TURN)
                if count < len(arrival.messages):
                    arrival, others = arrival.split(count)
                    queue.appendleft(others)
                self._grow(label, -arrival.size_bytes)
                if not queue:
                    self._forget(label)
                yield label, arrival

    def _shrink(self) -> bool:
        """Lose one arrival of whoever has most; false if only streams are left: they can wait elsewhere."""
        for label, _ in self._sizes.most_common():
            queue = self._queues[label]
            for number in range(len(queue) - 1, -1, -1):
                if not queue[number].stream:
                    lost = queue[number]
                    del queue[number]
                    self._grow(label, -lost.size_bytes)
                    self.given_up[label] += len(lost.messages)
                    if not queue:
                        self._forget(label)
                    return True
        return False

    def _grow(self, label: str, size_bytes: int) -> None:
        self._sizes[label] += size_bytes
        self.size_bytes += size_bytes

    def _forget(self, label: str) -> None:
        del self._queues[label]
        del self._sizes[label]
