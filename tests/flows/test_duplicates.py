"""Packets that a mirror shows more than once: against a model of one dictionary, tshark and scapy."""

import ipaddress
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.flows import duplicates as duplicates_module
from appliance.flows.contents import WORDS
from appliance.flows.duplicates import Duplicates
from appliance.flows.twins import WINDOW_NS
from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.model.networks import Networks
from appliance.wire.decode import Decoder
from appliance.wire.packets import Packets
from tests.flows.model import ACK, FIN, RST, SYN, Packet, S, Side, columns
from tests.flows.sightings import counted

NETWORKS = ["10.0.0.0/8", "2001:db8::/32"]
START = 1_700_000_000 * S
MS = S // 1000
CLIENT, ROUTER, SERVER = 0x021122334455, 0x020000000001, 0x020000000002
ENDS = [
    (Side("10.0.0.1", 40000, CLIENT), Side("198.51.100.7", 443, ROUTER)),
    (Side("10.0.0.1", 40000, CLIENT), Side("10.0.9.9", 443, ROUTER)),
    (Side("2001:db8::1", 40000, CLIENT), Side("2001:db9::9", 443, ROUTER)),
]


def made() -> Duplicates:
    multipliers = np.random.default_rng(3).integers(0, 2**63, WORDS, np.uint64) * 2 + 1
    return Duplicates(Networks.of(NETWORKS), multipliers)


def families(packets: list[Packet]) -> list[Packets]:
    """As the decoder gives them: IPv4 and IPv6 apart, and what is tagged apart from what is not."""
    parts = [
        [packet for packet in packets if (":" in packet.source.ip, packet.vlan >= 0) == kind]
        for kind in ((False, False), (False, True), (True, False), (True, True))
    ]
    return [columns(part, 6 if ":" in part[0].source.ip else 4) for part in parts if part]


def instants(batches: list[Packets]) -> list[int]:
    return [int(time) for packets in batches for time in packets.time]


def base(packet: Packet) -> int:
    return 60 if ":" in packet.source.ip else 40


@st.composite
def mirrored(draw: st.DrawFn) -> list[Packet]:
    """Packets as up to four mirrors show them, no two at the same nanosecond."""
    mirrors = draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 100, 90_000, 900_000, MS + 1, 5 * MS, 19 * MS, 20 * MS, 21 * MS]),
                st.sampled_from([0, 0, 1, 2]),  # routers in between
                st.sampled_from([-1, -1, 10, 20]),
                st.sampled_from([0, 0, 0x02B000000001]),
            ),
            min_size=1,
            max_size=4,
        )
    )
    seen: list[Packet] = []
    now = START
    for number in range(draw(st.integers(1, 25))):
        now += draw(st.sampled_from([1_000, 50_000, MS, 7 * MS, 30 * MS, S]))
        client, peer = draw(st.sampled_from(ENDS))
        protocol = draw(st.sampled_from([6, 17]))
        one = Packet(now, client, peer, protocol)
        flags = draw(st.sampled_from([ACK, ACK, SYN, FIN | ACK, RST])) if protocol == 6 else 0
        data = draw(st.sampled_from([0, 200]))
        one = replace(
            one.back if draw(st.booleans()) else one,
            octets=base(one) + data,
            flags=flags,
            # A few numbers only: the same packet is really sent again now and then.
            number=draw(st.sampled_from([number, number, 1000])),
            identified=draw(st.booleans()),
        )
        for delay, hops, vlan, ap_mac in mirrors:
            if draw(st.integers(0, 9)):  # a mirror may lose one
                macs = {"source": one.source, "destination": one.destination}
                if hops:
                    macs = {name: side._replace(mac=SERVER + hops) for name, side in macs.items()}
                seen.append(replace(one, time=now + delay, hops=64 - hops, vlan=vlan, ap_mac=ap_mac, **macs))
    seen.sort(key=lambda packet: packet.time)
    return [replace(packet, time=packet.time + place) for place, packet in enumerate(seen)]


@settings(max_examples=300)
@given(packets=mirrored(), data=st.data())
def test_whatever_the_batches_what_counts_is_what_the_model_counts(
    packets: list[Packet], data: st.DataObject
) -> None:
    sifting = made()
    passed: list[Packets] = []
    rest = packets
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        batch, rest = rest[:size], rest[size:]
        passed += sifting.sift(families(batch), batch[-1].time)
        if data.draw(st.booleans()):
            passed += sifting.release(batch[-1].time + data.draw(st.integers(0, 1)))
    passed += sifting.drain()
    kept = counted(packets, NETWORKS)
    assert sorted(instants(passed)) == [packet.time for packet in kept]
    assert sifting.count == len(packets) - len(kept)


def test_what_is_held_is_let_go_when_time_has_passed() -> None:
    sifting = made()
    one = Packet(START, *ENDS[0])
    assert not sifting.sift(families([one]), START)
    assert not sifting.release(START + WINDOW_NS)
    assert instants(sifting.release(START + WINDOW_NS + 1)) == [START]
    assert not sifting.drain()
    late = replace(one, time=START - 3600 * S, number=one.number + 1)
    assert not sifting.sift(families([one]), START)
    assert instants(sifting.sift(families([late]), late.time)) == [START], "the clock was set back"


def test_time_that_stands_still_holds_a_few_batches_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates_module, "MOST_PACKETS", 50)
    sifting = made()
    held = passed = 0
    for _ in range(40):
        batch = [Packet(START, *ENDS[0]) for _ in range(25)]
        passed += sum(map(len, sifting.sift(families(batch), START)))
        held = max(held, sum(map(len, sifting._held)))
    assert held <= 2 * 50 + 25
    assert passed + sum(map(len, sifting.drain())) == 40 * 25


def many(count: int, first: int, start_ns: int) -> Packets:
    """Packets 2 us apart, each with a number of its own."""
    one = columns([Packet(0, *ENDS[0])], 4)
    size = int(one.frames.captured[0])
    rows = np.tile(one.frames.data[:size], (count, 1))
    rows[:, 24:28] = np.arange(first, first + count, dtype="<u4").view(np.uint8).reshape(count, 4)
    data = np.concatenate([rows.reshape(-1), np.zeros(128, np.uint8)])
    at = np.zeros(count, np.int64)
    place = np.arange(count)
    sizes = np.full(count, size)
    time = start_ns + place * 2_000
    frames = replace(one.frames, data=data, offsets=place * size, captured=sizes, length=sizes, time=time)
    return replace(
        one.take(at), time=time, frames=frames, at=place, network=place * size, transport=place * size + 20
    )


def test_a_mirror_that_begins_to_double_is_noticed_in_a_sample() -> None:
    sifting = made()
    size = 40_000
    for turn in range(4):
        single = many(size, turn * size, START + turn * S)
        sifting.sift([single], int(single.time[-1]))
    assert sifting.count == 0
    assert not sifting._held, "in a large batch nothing waits where nothing is doubled"
    packets = many(size, 10 * size, START + 10 * S)
    order = np.repeat(np.arange(size), 2)
    doubled = packets.take(order)
    sifting.sift([doubled], int(doubled.time[-1]))
    sifting.drain()
    assert sifting.count == size


def test_something_sent_without_end_is_counted_in_each_window() -> None:
    """100,000 packets alike, 2 us apart: 200 ms, so that ten windows of 20 ms count one each."""
    packets = many(100_000, 0, START).take(np.zeros(100_000, np.int64))
    packets = replace(packets, time=START + np.arange(100_000) * 2_000)
    sifting = made()
    passed = [*sifting.sift([packets], int(packets.time[-1])), *sifting.drain()]
    first = [time - START for time in instants(passed)]
    assert first == [n * (WINDOW_NS + 2_000) for n in range(10)]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_comes_after_the_clock_was_set_back_is_no_copy(size: int) -> None:
    once_more = [Packet(START + number * MS, *ENDS[0], number=number) for number in range(5)]
    ahead = [Packet(START + 20 * S + number, *ENDS[0], number=100 + number) for number in range(5)]
    packets = [*once_more, *ahead, *once_more, *ahead]
    sifting, passed = made(), []
    for begin in range(0, len(packets), size):
        batch = packets[begin : begin + size]
        passed += sifting.sift(families(batch), batch[-1].time)
    assert sum(map(len, [*passed, *sifting.drain()])) == 20
    assert sifting.count == 0


def datagrams(checksum: int) -> Frames:
    """A hundred that are alike up to their 16th byte, 0.1 ms apart, with one constant identification."""
    contents = []
    for number in range(100):
        payload = b"A" * 16 + number.to_bytes(8, "big") * 50
        udp = struct.pack("!HHHH", 5000, 9999, 8 + len(payload), checksum) + payload
        ends = ipaddress.ip_address("10.0.0.1").packed + ipaddress.ip_address("198.51.100.7").packed
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0) + ends
        contents.append(CLIENT.to_bytes(6, "big") + ROUTER.to_bytes(6, "big") + b"\x08\0" + header + udp)
    size = np.full(100, len(contents[0]))
    data = np.frombuffer(b"".join(contents) + bytes(PADDING_BYTES), np.uint8)
    return Frames(data, np.arange(100) * size[0], size, size, START + np.arange(100) * MS // 10, ETHERNET)


def test_datagrams_without_a_checksum_are_not_known_by_their_number() -> None:
    """RFC 768: a checksum of 0 was not made, so that nothing looked at says what lies behind."""
    for checksum, expected in ((0, 100), (0x1234, 1)):
        sifted = made()
        passed = sifted.sift(Decoder().decode(datagrams(checksum)).packets, START + 10 * MS)
        assert sum(map(len, [*passed, *sifted.drain()])) == expected
