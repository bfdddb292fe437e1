"""The inbox: bounded, in order, and fair to every source."""

import subprocess
import sys

import numpy as np
import pytest

from appliance.feeds.told import Messages
from appliance.listeners.arrivals import Arrival, Ways
from appliance.model.feeds import FeedKind
from appliance.services.feeds.inbox import TURN, Inbox

LIMIT = 600_000
"""Bytes: of what the flood says here a fifth."""


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
    inbox = Inbox(LIMIT)
    for first in range(100):
        inbox.put("quiet", arrival(first, 1))
        inbox.put("flood", arrival(100 * first, 100))
    assert inbox.size_bytes <= LIMIT
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


def test_what_waits_for_answers_is_decoded_together_and_answered_each() -> None:
    """Accounting requests of one client, whatever ports it draws for them."""
    told: list[tuple[int, bytes]] = []

    class Way:
        def __init__(self, number: int) -> None:
            self.number = number

        def settle(self, count: int, answers: object) -> None:
            assert isinstance(answers, tuple)
            told.extend((self.number, answer) for answer in answers)

    inbox = Inbox(1 << 30)
    for first in range(0, TURN + 10, 2):
        messages = Messages(np.arange(first, first + 2), [first.to_bytes(4, "big")] * 2)
        ways = Ways([Way(first), Way(first + 1)])
        inbox.put("client", Arrival(FeedKind.RADIUS, "192.0.2.1", "udp 1813 0", messages, ways))
    taken = [one for _, one in inbox.turns()]
    assert len(taken) <= 3
    for one in taken:
        answers = [b"%d" % number if number % 3 else b"" for number in one.messages.received_ns.tolist()]
        one.way_back.settle(len(answers), answers)
    assert told == [(number, b"%d" % number) for number in range(TURN + 10) if number % 3]


_FILL = """
import sys
import numpy as np
from appliance.feeds.told import Messages
from appliance.listeners.arrivals import Arrival, Ways
from appliance.listeners.datagrams import _Back
from appliance.model.feeds import FeedKind
from appliance.services.feeds.inbox import Inbox

def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) >> 10

kind, own_port, count, limit_mib = FeedKind(sys.argv[1]), sys.argv[2] == "own", 200_000, 96
inbox, before = Inbox(limit_mib << 20), resident()
for number in range(count):
    port = 1024 + number % 60_000 if own_port else 0
    back = _Back(None, ("192.0.2." + str(number % 200), port))
    when = np.frombuffer(number.to_bytes(16, "little"), np.int64).reshape(-1, 2)
    messages = Messages(when[:, 0] * 10**9 + when[:, 1], [number.to_bytes(20, "big")])
    channel = f"udp 1 {port}"
    inbox.put("one", Arrival(kind, "192.0.2." + str(number % 200), channel, messages, Ways([back])))
print(resident() - before, inbox.size_bytes >> 20, limit_mib, inbox.given_up["one"])
"""


@pytest.mark.parametrize(("kind", "port"), [("radius", "none"), ("netflow", "own")])
def test_what_is_counted_is_what_it_costs(kind: str, port: str) -> None:
    """Of the smallest messages, each an arrival of its own: so they come to a listener that has time."""
    run = subprocess.run(
        [sys.executable, "-c", _FILL, kind, port], capture_output=True, text=True, check=True, timeout=60
    )
    grown, counted, limit, lost = map(int, run.stdout.split())
    assert counted <= limit
    assert lost > 0
    assert grown < 1.25 * limit, f"{grown} MiB of {limit}"
