"""What arrives at a listener: messages of one sender, and the way back to it."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from appliance.feeds.told import Messages
from appliance.model.feeds import FeedKind


class WayBack(Protocol):
    """Back to who sent some messages."""

    def settle(self, count: int, answers: Sequence[bytes]) -> None:
        """So many messages, the oldest ones, need not be waited for any more: they are durable, or refused.

        `answers` are one for each, b"" for none; or there are none at all.
        """
        ...


@dataclass(frozen=True)
class Arrival:
    """Messages of one sender, in the order they came.

    `sender` is its address in canonical text, IPv4 as IPv4, without zone. `channel` tells apart what must
    not be decoded together: the sender's port, or the connection. `certificate` is the SHA-256 of the
    certificate that it proved to be its own: "" for none, None where it was not asked. What comes by a
    `stream` may be left unread for a while; `last`: nothing more will come by it.
    """

    kind: FeedKind
    sender: str
    channel: str
    messages: Messages
    way_back: WayBack
    certificate: str | None = None
    stream: bool = False
    last: bool = False

    @property
    def size_bytes(self) -> int:
        """About what this costs in memory."""
        return sum(map(len, self.messages.payloads)) + OBJECT_BYTES * len(self.messages)

    def messages_in(self, size_bytes: int, most: int) -> int:
        """How many messages, of the average size, come to so many bytes; one at least."""
        count = len(self.messages) * size_bytes // max(1, self.size_bytes)
        return max(1, min(count, most))

    @property
    def wants_answer(self) -> bool:
        """Whether its sender waits for one even where nothing is recorded."""
        return self.kind is FeedKind.CLOUDTRAX

    def split(self, count: int) -> tuple["Arrival", "Arrival"]:
        """The first messages, and the others."""
        instants, payloads = self.messages.received_ns, self.messages.payloads
        first = Messages(instants[:count], payloads[:count])
        others = Messages(instants[count:], payloads[count:])
        return replace(self, messages=first, last=False), replace(self, messages=others)


OBJECT_BYTES = 64
"""A bytes object beyond its content, its place in a list, its instant."""


def address_text(text: str) -> str:
    """An address as a socket says it, in canonical text: without zone, IPv4-mapped as IPv4."""
    if text.startswith("::ffff:") and "." in text:
        return text[7:]
    if ":" in text:
        return str(ipaddress.IPv6Address(text.partition("%")[0]))
    return text


def joined(arrivals: Sequence[Arrival]) -> Arrival:
    """Arrivals of one sender, by one way, as one."""
    if len(arrivals) == 1:
        return arrivals[0]
    instants = np.concatenate([one.messages.received_ns for one in arrivals])
    payloads = [payload for one in arrivals for payload in one.messages.payloads]
    return replace(arrivals[-1], messages=Messages(instants, payloads))
