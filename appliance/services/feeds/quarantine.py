"""What undeclared senders said: kept as it came, in memory alone, until somebody declares them.

Bounded in all and fair: where room runs out, whoever holds most gives up the oldest of it, so that a
sender that floods displaces itself. Where there are too many senders, one that has spoken only once gives
way: a flood of forged addresses displaces itself as well.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from appliance.feeds.told import Messages
from appliance.model.feeds import DeclaredSource, FeedKind

ROOM_BYTES = 64 << 20
"""An access point says some 100 bytes a second by syslog: a week of one, or an hour of a busy gateway."""

SENDER_LIMIT = 4096
FREED_SHARE = 8
"""One part in so many of the room is freed at once: looking at every sender costs a millisecond or two."""

MESSAGE_OVERHEAD_BYTES = 224
"""What Python needs for a message beside its bytes: object, place, instant, and the name of its channel."""


@dataclass(frozen=True)
class Released:
    """Messages of a sender that has been declared, with the instants at which they came."""

    declared: DeclaredSource
    kind: FeedKind
    sender: str
    channel: Hashable
    messages: Messages


@dataclass
class Sender:
    """An undeclared sender of one kind of feed: what came of it, and what of that is still kept."""

    kind: FeedKind
    address: str
    beginning: bytes
    first_ns: int
    last_ns: int
    messages: int = 0
    size_bytes: int = 0
    held_bytes: int = 0
    kept: deque[tuple[int, Hashable, bytes]] = field(default_factory=deque)


class Quarantine:
    """Keeps what may yet be declared. `given_up` counts messages for which there was no room, or no proof."""

    def __init__(self, room_bytes: int = ROOM_BYTES, sender_limit: int = SENDER_LIMIT) -> None:
        self.given_up = 0
        self._room_bytes = room_bytes
        self._sender_limit = sender_limit
        self._held_bytes = 0
        self._senders: dict[tuple[FeedKind, str], Sender] = {}
        self._once: OrderedDict[tuple[FeedKind, str], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._senders)

    @property
    def senders(self) -> Sequence[Sender]:
        """Who is kept here."""
        return tuple(self._senders.values())

    def keep(self, kind: FeedKind, address: str, messages: Messages, channel: Hashable) -> None:
        """Keep messages as far as there is room."""
        if not len(messages):
            return
        key = (kind, address)
        sender = self._senders.get(key)
        if sender is None:
            if len(self._senders) >= self._sender_limit and not self._make_way():
                self.given_up += len(messages)
                return
            came_ns = int(messages.received_ns[0])
            sender = self._senders[key] = Sender(kind, address, messages.payloads[0][:64], came_ns, came_ns)
            self._once[key] = None
        if sender.messages or len(messages) > 1:
            self._once.pop(key, None)
        size_bytes = sum(map(len, messages.payloads))
        sender.messages += len(messages)
        sender.size_bytes += size_bytes
        sender.last_ns = int(messages.received_ns[-1])
        sender.kept.extend(
            (at_ns, channel, payload)
            for at_ns, payload in zip(messages.received_ns.tolist(), messages.payloads, strict=True)
        )
        held_bytes = size_bytes + MESSAGE_OVERHEAD_BYTES * len(messages)
        sender.held_bytes += held_bytes
        self._held_bytes += held_bytes
        if self._held_bytes > self._room_bytes:
            self._make_room()

    def _make_way(self) -> bool:
        """Forget the sender that spoke only once, and longest ago; false if all have spoken more often."""
        if not self._once:
            return False
        key, _ = self._once.popitem(last=False)
        gone = self._senders.pop(key)
        self.given_up += len(gone.kept)
        self._held_bytes -= gone.held_bytes
        return True

    def _make_room(self) -> None:
        """Cut whoever holds most to one level, so much at once that it need not be done for every message."""
        level, spare = 0, self._room_bytes - self._room_bytes // FREED_SHARE
        largest = sorted(self._senders.values(), key=lambda one: one.held_bytes)
        for place, sender in enumerate(largest):
            level = spare // (len(largest) - place)
            if sender.held_bytes > level:
                break
            spare -= sender.held_bytes
        for sender in largest[place:]:
            self._cut(sender, level)

    def _cut(self, sender: Sender, level_bytes: int) -> None:
        """Give up the oldest of what a sender holds, down to a level."""
        kept, held_bytes = sender.kept, sender.held_bytes
        before, count = held_bytes, len(kept)
        while kept and held_bytes > level_bytes:
            held_bytes -= len(kept.popleft()[2]) + MESSAGE_OVERHEAD_BYTES
        sender.held_bytes = held_bytes
        self._held_bytes -= before - held_bytes
        self.given_up += count - len(kept)

    def release(self, declared: Callable[[FeedKind, str], DeclaredSource | None]) -> list[Released]:
        """Everything of senders that are declared now, in the order in which it came; it is gone here.

        Which certificate came with it is not kept: what counts only with one is given up.
        """
        released: list[Released] = []
        for key, sender in list(self._senders.items()):
            source = declared(*key)
            if source is not None:
                del self._senders[key]
                self._once.pop(key, None)
                self._held_bytes -= sender.held_bytes
                if source.must_show_certificate(sender.kind):
                    self.given_up += len(sender.kept)
                else:
                    released += _released(sender, source)
        return released

    def close(self) -> int:
        """Nobody was declared in time: how many messages are still kept, and lost now."""
        left = sum(len(sender.kept) for sender in self._senders.values())
        self._senders.clear()
        self._once.clear()
        self._held_bytes = 0
        return left


def _released(sender: Sender, source: DeclaredSource) -> list[Released]:
    channels: dict[Hashable, tuple[list[int], list[bytes]]] = {}
    for at_ns, channel, payload in sender.kept:
        instants, payloads = channels.setdefault(channel, ([], []))
        instants.append(at_ns)
        payloads.append(payload)
    return [
        Released(
            source, sender.kind, sender.address, channel, Messages(np.array(instants, np.int64), payloads)
        )
        for channel, (instants, payloads) in channels.items()
    ]
