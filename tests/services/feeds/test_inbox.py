"""The inbox: bounded, in order, and fair to every source."""

import numpy as np

from appliance.feeds.told import Messages
from appliance.listeners.arrivals import OBJECT_BYTES, Arrival
from appliance.model.feeds import FeedKind
from appliance.services.feeds.inbox import TURN, Inbox


class Nobody:
    def settle(self, count: int, answers: object) -> None:
        pass


def arrival(first: int, count: int, size_bytes: int = 100, stream: bool = False) -> Arrival:
    """Messages numbered from `first`, whose instants are their numbers."""
    instants = np.arange(first, first + count)
    payloads = [number.to_bytes(4, "big").ljust(size_bytes) for number in instants.tolist()]
    messages = Messages(instants, payloads)
    return Arrival(FeedKind.SYSLOG, "127.0.0.1", "udp", messages, Nobody(), stream=stream)


def numbers(taken: list[tuple[str, Arrival]], label: str) -> list[int]:
    return [
        int.from_bytes(payload[:4], "big")
        for whose, one in taken
        if whose == label
        for payload in one.messages.payloads
    ]


def test_what_goes_in_comes_out_in_order_and_in_turn() -> None:
    inbox = Inbox(1 << 30)
    for first in range(0, 3 * TURN, TURN // 2):
        inbox.put("busy", arrival(first, TURN // 2))
    inbox.put("busy", arrival(3 * TURN, 2 * TURN + 7))
    inbox.put("quiet", arrival(0, 3))
    taken = list(inbox.turns())
    assert [label for label, _ in taken[:3]].count("quiet") == 1
    assert numbers(taken, "busy") == list(range(5 * TURN + 7))
    assert numbers(taken, "quiet") == [0, 1, 2]
    assert all(len(one.messages) <= TURN for _, one in taken)
    assert not inbox
    assert inbox.size_bytes == 0


def test_instants_stay_with_their_messages() -> None:
    inbox = Inbox(1 << 30)
    inbox.put("one", arrival(7, 3 * TURN))
    for _, one in inbox.turns():
        told = [int.from_bytes(payload[:4], "big") for payload in one.messages.payloads]
        assert one.messages.received_ns.tolist() == told


def test_who_has_most_loses_and_is_counted() -> None:
    inbox = Inbox(1_000 * (100 + OBJECT_BYTES))
    for first in range(100):
        inbox.put("quiet", arrival(first, 1))
        inbox.put("flood", arrival(100 * first, 100))
    assert inbox.size_bytes <= 1_000 * (100 + OBJECT_BYTES)
    taken = list(inbox.turns())
    assert numbers(taken, "quiet") == list(range(100))
    flood = numbers(taken, "flood")
    assert flood == list(range(len(flood))), "what came first is kept: the rest is one gap"
    assert inbox.given_up == {"flood": 10_000 - len(flood)}


def test_streams_are_never_lost() -> None:
    inbox = Inbox(10_000)
    inbox.put("stream", arrival(0, 500, stream=True))
    inbox.put("datagrams", arrival(0, 10))
    taken = list(inbox.turns())
    assert numbers(taken, "stream") == list(range(500))
    assert inbox.given_up == {"datagrams": 10}


def test_what_is_left_at_the_end_is_counted_by_source() -> None:
    inbox = Inbox(1 << 20)
    inbox.put("one", arrival(0, 5))
    inbox.put("stream", arrival(0, 3, stream=True))
    inbox.give_up()
    assert inbox.given_up == {"one": 5, "stream": 3}
    assert (bool(inbox), inbox.size_bytes) == (False, 0)
