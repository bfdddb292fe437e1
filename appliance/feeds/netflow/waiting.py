"""Data that came before their template: kept for a while, then counted."""

from collections import deque
from dataclasses import dataclass

from appliance.model.instants import NS

WAIT_NS = 30 * NS
"""Devices send their templates anew every 20 messages or every minute or half hour; most soon after they
start."""

OCTETS_LIMIT = 256 * 1024
"""About four seconds of a thousand flows a second. A hundred senders may so hold 25 MiB in all."""


OVERHEAD_OCTETS = 256
"""What remembering a set takes besides its octets: an empty one too."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The octets of a set, the head of its message, and whose template it wants."""

    key: tuple[int, int, int]  # version, domain, template
    octets: bytes
    head: tuple[int, int, int]
    arrived: int


class Lobby:
    """Sets of data whose template is not known, the oldest leaving first; `given_up` counts those in vain."""

    def __init__(self) -> None:
        self.given_up = 0
        self._sets: deque[Waiting] = deque()
        self._octets = 0

    def __len__(self) -> int:
        return len(self._sets)

    def keep(self, waiting: Waiting) -> None:
        """Take a set; what then exceeds the room is given up."""
        self._sets.append(waiting)
        self._octets += _room(waiting)
        while self._octets > OCTETS_LIMIT:
            self._give_up()

    def claim(self, key: tuple[int, int, int]) -> list[Waiting]:
        """The sets that wait for this template, which are then no longer here."""
        found = [each for each in self._sets if each.key == key]
        if found:
            self._sets = deque(each for each in self._sets if each.key != key)
            self._octets -= sum(_room(each) for each in found)
        return found

    def expire(self, now_ns: int) -> None:
        """Give up what has waited too long."""
        while self._sets and now_ns - self._sets[0].arrived > WAIT_NS:
            self._give_up()

    def _give_up(self) -> None:
        self._octets -= _room(self._sets.popleft())
        self.given_up += 1


def _room(waiting: Waiting) -> int:
    return len(waiting.octets) + OVERHEAD_OCTETS
