"""What has arrived and is not decoded yet: bounded, and fair to every source.

Whoever sends more than can be decoded waits longest and loses first; the others lose nothing. What has come
from one sender meanwhile is decoded together, so that the more there is, the less each message costs.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator

from appliance.listeners.arrivals import Arrival, joined
from appliance.model.feeds import FeedKind

TURN_BYTES, TURN = 1 << 18, 4_096
"""Of one source decoded at a time: 5,000 flows of NetFlow v5 or 3,000 lines, 10 to 30 ms; and messages."""

_Key = tuple[FeedKind, str, str]
_Queue = OrderedDict[_Key, deque[Arrival]]


class Inbox:
    """Arrivals by the source (its label) that sent them. `given_up` counts messages lost for want of room."""

    def __init__(self, limit_bytes: int) -> None:
        self.given_up: Counter[str] = Counter()
        self.size_bytes = 0
        self._limit_bytes = limit_bytes
        self._queues: dict[str, _Queue] = {}
        self._sizes: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._queues)

    def put(self, label: str, arrival: Arrival) -> None:
        """Keep an arrival; beyond the limit, the newest datagrams of whoever has most here are lost."""
        key = (arrival.kind, arrival.sender, arrival.channel)
        self._queues.setdefault(label, OrderedDict()).setdefault(key, deque()).append(arrival)
        self._grow(label, arrival.size_bytes)
        while self.size_bytes > self._limit_bytes and self._shrink():
            pass

    def turns(self) -> Iterator[tuple[str, Arrival]]:
        """What one sender of each source has here, in turn, until there is none or nobody asks."""
        while self._queues:
            for label in list(self._queues):
                queue = self._queues[label]
                key, lots = queue.popitem(last=False)
                arrival, size_bytes = _taken(lots)
                if lots:
                    queue[key] = lots
                self._grow(label, -size_bytes)
                if not queue:
                    self._forget(label)
                yield label, arrival

    def give_up(self) -> None:
        """Lose what is left: nobody will ask for it any more."""
        for label, queue in self._queues.items():
            self.given_up[label] += sum(len(lot.messages) for lots in queue.values() for lot in lots)
        self._queues.clear()
        self._sizes.clear()
        self.size_bytes = 0

    def _shrink(self) -> bool:
        """Lose one arrival of whoever has most; false if only streams are left: they can wait elsewhere."""
        for label, _ in self._sizes.most_common():
            queue = self._queues[label]
            for key in reversed(queue):
                lots = queue[key]
                if not lots[-1].stream:
                    lost = lots.pop()
                    self._grow(label, -lost.size_bytes)
                    self.given_up[label] += len(lost.messages)
                    if not lots:
                        del queue[key]
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


def _taken(lots: deque[Arrival]) -> tuple[Arrival, int]:
    """The first of a sender's messages, as many as are decoded at a time, and what they cost; others stay."""
    taken, content_bytes, count = [lots.popleft()], 0, 0
    while lots:
        content_bytes, count = content_bytes + taken[-1].content_bytes, count + len(taken[-1].messages)
        if content_bytes >= TURN_BYTES or count >= TURN:
            break
        taken.append(lots.popleft())
    size_bytes = sum(one.size_bytes for one in taken)
    arrival = joined(taken)
    fits = arrival.messages_in(TURN_BYTES, TURN)
    if fits < len(arrival.messages):
        arrival, others = arrival.split(fits)
        lots.appendleft(others)
        size_bytes -= others.size_bytes
    return arrival, size_bytes
