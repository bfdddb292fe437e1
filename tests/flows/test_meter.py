"""The meter against a model of one dictionary; whatever the batches, the connections are the same."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.flows.meter import MULTIPLIERS, Meter
from appliance.flows.table import Limits
from appliance.flows.twins import WINDOW_NS
from appliance.model.frames import PADDING_BYTES, RAW_IP, Frames
from appliance.model.networks import Networks
from appliance.wire.packets import Packets
from tests.flows.model import (
    ACK,
    ACTIVE,
    END_OF_FLOW,
    FIN,
    HOUR,
    IDLE,
    IDLE_TIMEOUT,
    KEY,
    NO_ROOM,
    RST,
    SYN,
    Model,
    Packet,
    S,
    Side,
    columns,
    merged,
    once,
)

START = 1_700_000_000 * S // HOUR * HOUR
NETWORKS = ["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"]
MACS = [0x021122334455, 0x029999999999, 0xFFFFFFFFFFFF, 0x01005E000001]
Rows = np.ndarray[tuple[int], np.dtype[np.void]]


def meter(flows: int = 10_000, collide: bool = False) -> Meter:
    multipliers = np.random.default_rng(7).integers(0, 2**63, MULTIPLIERS, np.uint64)
    made = Meter(Networks.of(NETWORKS), Limits(IDLE, ACTIVE, flows), multipliers)
    if collide:
        made._multipliers = np.zeros(MULTIPLIERS, np.uint64)  # every connection has the same hash
    return made


def together(rows: list[Rows]) -> Rows:
    return np.concatenate(rows)


def feed(made: Meter, packets: list[Packet], source: int = 0) -> Rows:
    """One batch of frames: IPv4 and IPv6 come apart, as from the decoder."""
    families = [[p for p in packets if (":" in p.source.ip) == six] for six in (False, True)]
    batches = [columns(family, 6 if six else 4) for six, family in enumerate(families) if family]
    return made.add(batches, source, packets[-1].time)


IPV4 = ["10.0.0.1", "10.0.0.2", "192.0.2.9", "198.51.100.7", "203.0.113.255"]
IPV6 = ["2001:db8::1", "2001:db8::2", "2001:db9::1", "ff02::fb"]
PAUSES = [0, 1, 1000, S // 2, 2 * S, 5 * S, 20 * S, 59 * S, 60 * S, 61 * S, 200 * S, 4000 * S]
FLAGS = st.sampled_from([0, 0, ACK, SYN, SYN | ACK, FIN | ACK, RST])


def sides(addresses: list[str]) -> st.SearchStrategy[Side]:
    return st.builds(Side, st.sampled_from(addresses), st.sampled_from([53, 5353]), st.sampled_from(MACS))


def kinds(addresses: list[str]) -> st.SearchStrategy[Packet]:
    ends = st.tuples(sides(addresses), sides(addresses)).filter(lambda pair: pair[0][:2] != pair[1][:2])
    return st.builds(
        lambda pair, protocol, ports: Packet(0, pair[0], pair[1], protocol, has_ports=ports),
        ends,
        st.sampled_from([6, 17]),
        st.booleans(),
    ).filter(lambda kind: kind.has_ports or kind.source.ip != kind.destination.ip)


@st.composite
def streams(draw: st.DrawFn) -> list[list[Packet]]:
    """Packets of a few conversations in order of time, in batches."""
    few = draw(st.lists(st.one_of(kinds(IPV4), kinds(IPV6)), min_size=1, max_size=6))
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from(few),
                st.booleans(),
                st.sampled_from(PAUSES),
                FLAGS,
                st.integers(100, 1 << 20),
                st.sampled_from([False, False, False, True]),
            ),
            min_size=1,
            max_size=60,
        )
    )
    model, now, batches = Model(NETWORKS), START + draw(st.integers(0, HOUR)), [[]]  # type: ignore[var-annotated]
    for kind, back, pause, flags, octets, ends_batch in steps:
        now += pause
        turned = kind.back if back else kind
        has_flags = turned.protocol == 6 and turned.has_ports
        packet = replace(
            turned, time=now, octets=octets, flags=flags if has_flags else 0, number=sum(map(len, batches))
        )
        if model.is_ambiguous(packet):
            continue
        model.add(packet)
        batches[-1].append(packet)
        if ends_batch:
            batches.append([])
    return [batch for batch in batches if batch]


@pytest.mark.parametrize("collide", [False, True], ids=["hashed", "all hashes alike"])
def test_the_connections_are_those_of_the_model_whatever_the_batches(collide: bool) -> None:
    @settings(max_examples=200)
    @given(batches=streams())
    def judge(batches: list[list[Packet]]) -> None:
        model, made = Model(NETWORKS), meter(collide=collide)
        rows = [feed(made, batch) for batch in batches]
        for batch in batches:
            for packet in batch:
                model.add(packet)
        end = batches[-1][-1].time + WINDOW_NS + 1  # no copy will come any more
        rows += [made.expire(end), made.finish()]
        written = together(rows)
        assert merged(written) == model.finish(end)
        check_parts(written)

    judge()


def check_parts(rows: Rows) -> None:
    """What holds for every part that is written."""
    assert (rows["first_seen"] <= rows["last_seen"]).all()
    assert (rows["first_seen"] // HOUR == rows["last_seen"] // HOUR).all(), "no part crosses an hour"
    assert (rows["last_seen"] - rows["first_seen"] <= 2 * ACTIVE).all()
    assert (rows["packets_out"] + rows["packets_in"] > 0).all(), "no part counts nothing"
    assert (rows["end_reason"] > 0).all()
    assert not (rows["client_mac"] >> np.uint64(40) & np.uint64(1)).any(), "a group is no client"
    assert ((rows["client_port"] >= 0) == (rows["peer_port"] >= 0)).all()


@settings(max_examples=80)
@given(batches=streams(), data=st.data())
def test_the_journal_and_the_closed_rows_tell_everything(
    batches: list[list[Packet]], data: st.DataObject
) -> None:
    """At a power cut: rows that closed, and what `changed` told since, make up every packet until then."""
    model, made = Model(NETWORKS), meter()
    told: list[Rows] = []
    cut_after = data.draw(st.integers(0, len(batches) - 1))
    for number, batch in enumerate(batches[: cut_after + 1]):
        told.append(feed(made, batch))
        for packet in batch:
            model.add(packet)
        if number == cut_after or data.draw(st.booleans()):
            told.append(made.expire(batch[-1].time + WINDOW_NS + 1))  # no copy will come any more
            told.append(made.changed())
            assert not len(made.changed()), "nothing has changed since"
        elif data.draw(st.booleans()):
            made.changed()  # a disk that refused it ...
            made.forget_reported()  # ... so that all is told again
    without_reason = [told[:-1] for told in model.finish(0)]
    assert [connection[:-1] for connection in merged(together(told))] == without_reason


@settings(max_examples=60)
@given(batches=streams(), data=st.data())
def test_seals_in_between_change_nothing(batches: list[list[Packet]], data: st.DataObject) -> None:
    model, made = Model(NETWORKS), meter()
    rows: list[Rows] = []
    for batch in batches:
        rows.append(feed(made, batch))
        for packet in batch:
            model.add(packet)
        if data.draw(st.booleans()):
            rows.append(made.cut())
            assert not len(made.changed())
    rows.append(made.finish())
    expected = [told[:-1] for told in model.finish(0)]
    assert [connection[:-1] for connection in merged(together(rows))] == expected


def _ends(packet: Packet) -> tuple[frozenset[Side], int, bool]:
    return frozenset((packet.source, packet.destination)), packet.protocol, packet.has_ports


@settings(max_examples=80)
@given(batches=streams(), flows=st.integers(1, 5), data=st.data())
def test_no_packet_is_lost_to_a_full_table_or_a_clock_that_jumps(
    batches: list[list[Packet]], flows: int, data: st.DataObject
) -> None:
    made, rows = meter(flows), []
    packets = [packet for batch in batches for packet in batch]
    if data.draw(st.booleans()):
        packets = data.draw(st.permutations(packets))
    for batch in batches:
        some, packets = packets[: len(batch)], packets[len(batch) :]
        rows.append(feed(made, some))
        assert len(made) <= 2 * flows
    rows.append(made.finish())
    written = together(rows)
    counted = written["packets_out"].sum() + written["packets_in"].sum()
    octets = written["bytes_out"].sum() + written["bytes_in"].sum()
    everything = [packet for batch in batches for packet in batch]
    assert counted == len(everything)
    assert octets == sum(packet.octets for packet in everything)
    assert made.evicted == 0 or len({_ends(packet) for packet in everything}) > 1
    check = written["first_seen"] // HOUR == written["last_seen"] // HOUR
    assert check.all()


A, B = Side("10.0.0.1", 40000, MACS[0]), Side("198.51.100.7", 443, MACS[1])
HELLO, GOODBYE = Packet(START, A, B), Packet(START, A, B, flags=FIN | ACK)


def at(packet: Packet, seconds: float, back: bool = False, **changed: int) -> Packet:
    packet = packet.back if back else packet
    return Packet(
        START + int(seconds * S), *(packet.source, packet.destination), 6, 100, changed.get("flags", 0)
    )


def test_the_longest_silent_gives_way_and_it_is_said_why() -> None:
    made = meter(flows=32)
    packets = [Packet(START + n, Side("10.0.0.1", 1000 + n, MACS[0]), B) for n in range(40)]
    rows = together([feed(made, packets), made.expire(START + WINDOW_NS + 100)])
    assert made.evicted == len(rows) == 10  # eight too many, and a sixteenth more
    assert sorted(rows["client_port"].tolist()) == list(range(1000, 1010))
    assert set(rows["end_reason"].tolist()) == {NO_ROOM}
    assert len(made) == 30


def test_a_port_used_again_after_goodbye_is_another_connection() -> None:
    made = meter()
    rows = [feed(made, [at(HELLO, 0), at(HELLO, 0.1, flags=FIN), at(HELLO, 0.2, back=True, flags=FIN)])]
    rows += [feed(made, [at(HELLO, 1)])]  # the last acknowledgement still belongs to it
    rows += [feed(made, [at(HELLO, 7, flags=SYN)]), made.finish()]
    written = together(rows)
    assert written["packets_out"].tolist() == [3, 1]
    assert written["end_reason"].tolist() == [END_OF_FLOW, 4]


def test_goodbye_in_two_batches_and_silence_end_a_connection() -> None:
    made = meter()
    feed(made, [at(HELLO, 0, flags=FIN)])
    feed(made, [at(HELLO, 1, back=True, flags=FIN)])
    assert not len(made.expire(START + 6 * S))
    assert made.expire(START + 6 * S + 1)["end_reason"].tolist() == [END_OF_FLOW]
    feed(made, [at(HELLO, 10)])
    assert not len(made.expire(START + 70 * S))
    assert made.expire(START + 70 * S + 1)["end_reason"].tolist() == [IDLE_TIMEOUT]
    assert len(made) == 0


def test_a_long_connection_is_cut_and_tells_its_parts_in_the_journal() -> None:
    made, rows = meter(), []
    for second in range(0, 400, 7):
        rows += [feed(made, [at(HELLO, second)]), made.changed()]
    parts = once(together([*rows, made.finish()]))
    assert sum(part["packets_out"] for part in parts) == 58
    assert all(part["last_seen"] - part["first_seen"] <= ACTIVE for part in parts)
    assert {part["end_reason"] for part in parts[:-1]} == {2}


def test_two_sources_do_not_share_parts() -> None:
    made = meter()
    rows = [feed(made, [at(HELLO, 0)], source=0), made.cut(), feed(made, [at(HELLO, 1)], source=1)]
    assert together([*rows, made.finish()])["source"].tolist() == [0, 1]


def numbered(one: Packets, count: int) -> tuple[Frames, *tuple[np.ndarray[Any, Any], ...]]:
    """`count` copies of the bytes of one packet, each with a number of its own as TCP's."""
    size = int(one.frames.captured[0])
    data = np.zeros(count * size + PADDING_BYTES, np.uint8)
    rows = data[: count * size].reshape(count, size)
    rows[:] = one.frames.data[:size]
    rows[:, 24:28] = np.arange(count, dtype="<u4").view(np.uint8).reshape(count, 4)
    start, sizes = np.arange(count) * size, np.full(count, size)
    return Frames(data, start, sizes, sizes, start, RAW_IP), np.arange(count), start, start + 20


def test_more_packets_than_one_batch_may_group() -> None:
    """200,000 packets of 3,000 connections at once; sums as numpy counts them."""
    count, generator = 200_000, np.random.default_rng(11)
    ports = generator.integers(1024, 4024, count)
    octets = generator.integers(100, 1500, count)
    kinds = {port: columns([Packet(0, Side("10.0.0.1", port, MACS[0]), B)], 4) for port in range(1024, 4024)}
    one = kinds[1024]
    words = np.array([kinds[port].ports[0] for port in range(1024, 4024)])
    packets = type(one)(
        4,
        START + np.arange(count) * 10_000,
        (np.repeat(one.addresses[0], count),),
        words[ports - 1024],
        np.repeat(one.shape, count),
        octets,
        np.zeros(count, np.uint8),
        np.repeat(one.source_mac, count),
        np.repeat(one.destination_mac, count),
        None,
        *numbered(one, count),
    )
    made = meter()
    assert not len(made.add([packets], 0, int(packets.time[-1])))
    rows = made.finish()
    rows = rows[np.argsort(rows["client_port"])]
    assert rows["client_port"].tolist() == sorted(set(ports.tolist()))
    assert rows["packets_out"].tolist() == np.bincount(ports)[1024:].tolist()
    assert rows["bytes_out"].tolist() == np.bincount(ports, octets)[1024:].astype(int).tolist()
    assert len({tuple(row[name] for name in KEY) for row in rows}) == len(rows)
