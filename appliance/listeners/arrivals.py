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


@dataclass(frozen=True, slots=True)
class Ways:
    """Back to the sender of each of some messages that are decoded together."""

    each: Sequence[WayBack]

    def settle(self, count: int, answers: Sequence[bytes]) -> None:
        for way, answer in zip(self.each[:count], answers, strict=False):
            if answer:
                way.settle(1, (answer,))


@dataclass(frozen=True, slots=True)
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
        """About what this costs in memory, alone in its queue."""
        return self.content_bytes + ARRIVAL_BYTES

    @property
    def content_bytes(self) -> int:
        """About what its messages cost."""
        return sum(map(len, self.messages.payloads)) + OBJECT_BYTES * len(self.messages)

    def messages_in(self, size_bytes: int, most: int) -> int:
        """How many messages, of the average size, come to so many bytes; one at least."""
        count = len(self.messages) * size_bytes // max(1, self.content_bytes)
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
        back, rest = self.way_back, self.way_back
        if isinstance(self.way_back, Ways):
            back, rest = Ways(self.way_back.each[:count]), Ways(self.way_back.each[count:])
        return replace(self, messages=first, way_back=back, last=False), replace(
            self, messages=others, way_back=rest
        )


OBJECT_BYTES = 120
"""A bytes object beyond its content, its place in a list, its instant, and the way back of a request."""

ARRIVAL_BYTES = 1_900
"""An arrival beyond its messages: names, an array of instants, a list, its place in a queue of its own (as
measured with CPython 3.11 and NumPy 2)."""


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
    back = arrivals[-1].way_back
    if isinstance(back, Ways):
        back = Ways([way for one in arrivals if isinstance(one.way_back, Ways) for way in one.way_back.each])
    return replace(arrivals[-1], messages=Messages(instants, payloads), way_back=back)
