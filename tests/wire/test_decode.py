"""Frames to packets: scapy wraps them in everything there is and says what they are, whole or cut."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.model.reasons import Refusal
from appliance.wire.decode import Decoded, Decoder
from appliance.wire.packets import PORTS_UNKNOWN
from tests.forge import reading

FORGE = "wrapped_frames.py"
START = 1_700_000_000 * 10**9
BEHIND = b"\xa5" * 7
"""Lies between frames, and must never show."""

WITH_PORTS = {6, 17, 33, 132, 136}


def forged() -> list[SimpleNamespace]:
    return reading.cases(FORGE)


def as_frames(
    contents: list[bytes],
    lengths: list[int] | None = None,
    link_type: int = ETHERNET,
    vlan: list[int] | None = None,
) -> Frames:
    """Frames a nanosecond apart: the instant of a packet is the number of its frame."""
    data = b"".join(content + BEHIND for content in contents) + b"\xa5" * PADDING_BYTES
    sizes = np.array([len(content) for content in contents], np.int64)
    return Frames(
        np.frombuffer(data, np.uint8).copy(),
        np.cumsum(sizes + len(BEHIND)) - sizes - len(BEHIND),
        sizes,
        sizes if lengths is None else np.array(lengths, np.int64),
        START + np.arange(len(contents)),
        link_type,
        None if vlan is None else np.array(vlan, np.int16),
    )


def told(decoded: Decoded) -> dict[int, dict[str, object]]:
    """What is said of each frame that is a packet, by its number."""
    found: dict[int, dict[str, object]] = {}
    for packets in decoded.packets:
        for row in range(len(packets)):
            number = int(packets.time[row]) - START
            assert number not in found, "a frame is one packet"
            ports = packets.ports[row].tobytes()
            known = not packets.shape[row] & PORTS_UNKNOWN
            found[number] = {
                "family": packets.family,
                "addresses": b"".join(column[row].tobytes() for column in packets.addresses),
                "macs": packets.destination_mac[row].tobytes()[:6] + packets.source_mac[row].tobytes()[:6],
                "protocol": int(packets.shape[row]) & 0xFF,
                "octets": int(packets.octets[row]),
                "ports": [int.from_bytes(ports[:2]), int.from_bytes(ports[2:])] if known else None,
                "flags": int(packets.tcp_flags[row]),
                "vlan": -1 if packets.vlan is None else int(packets.vlan[row]),
            }
    return found


def expected(case: SimpleNamespace, captured: int) -> dict[str, object] | str:
    """What a case must be taken for when only its first bytes were captured."""
    if captured < 14:
        return "cut_short" if captured else "empty"
    if captured < case.network:
        return "cut_short"
    if case.kind in ("not_ip", "too_deep"):
        return str(case.kind)
    if case.kind == "arp":
        return "arp" if captured >= case.network + 28 else "bad_control"
    if captured < case.network + (20 if case.family == 4 else 40):
        return "cut_short"
    if case.kind != "packet":
        return str(case.kind)
    unread = [number for at, number in case.extensions if at + 8 > captured]
    protocol = unread[0] if unread else case.protocol
    has_ports = case.ports is not None and not unread and captured >= case.transport + 4
    has_flags = has_ports and protocol == 6 and captured >= case.transport + 14
    first, size = (case.network + 12, 8) if case.family == 4 else (case.network + 8, 32)
    return {
        "family": case.family,
        "addresses": case.frame[first : first + size],
        "macs": case.frame[:12],
        "protocol": protocol,
        "octets": case.octets,
        "ports": case.ports if has_ports else None,
        "flags": case.flags if has_flags else 0,
        "vlan": case.vlan,
    }


def check(decoded: Decoded, wanted: list[dict[str, object] | str]) -> None:
    """Each frame is the packet it must be; the others are counted, each once, by the right reason."""
    packets = told(decoded)
    for number, one in enumerate(wanted):
        if isinstance(one, dict):
            assert packets.get(number) == one, number
        else:
            assert number not in packets, (number, one)
    refused = Counter(one for one in wanted if isinstance(one, str) and one != "arp")
    assert {reason.value: count for reason, count in decoded.refused.items()} == refused
    arp = sum(one == "arp" for one in wanted)
    assert len(packets) + sum(decoded.refused.values()) + arp == len(wanted)


def test_every_forged_frame_is_what_its_maker_says() -> None:
    cases = forged()
    assert len(cases) > 50
    decoded = Decoder().decode(as_frames([case.frame for case in cases]))
    check(decoded, [expected(case, len(case.frame)) for case in cases])


def test_every_beginning_of_every_frame() -> None:
    """Cut at every byte: never an exception, never a port, flag or address of bytes that are not there."""
    for case in forged():
        beginnings = [case.frame[:size] for size in range(len(case.frame) + 1)]
        frames = as_frames(beginnings, [len(case.frame)] * len(beginnings))
        wanted = [expected(case, size) for size in range(len(beginnings))]
        check(Decoder().decode(frames), wanted)


@settings(max_examples=60)
@given(data=st.data())
def test_a_mixture_in_any_order_is_each_of_them(data: st.DataObject) -> None:
    cases = data.draw(st.lists(st.sampled_from(forged()), min_size=1, max_size=40))
    sizes = [
        data.draw(st.one_of(st.just(len(case.frame)), st.integers(0, len(case.frame)))) for case in cases
    ]
    contents = [case.frame[:size] for case, size in zip(cases, sizes, strict=True)]
    decoded = Decoder().decode(as_frames(contents, [len(case.frame) for case in cases]))
    check(decoded, [expected(case, size) for case, size in zip(cases, sizes, strict=True)])


def test_the_tag_that_the_kernel_took_out_counts_as_the_outer_one() -> None:
    cases = [case for case in forged() if case.name in ("udp", "udp6", "QinQ", "priority tag", "ARP")]
    frames = as_frames([case.frame for case in cases for _ in range(2)], vlan=[42, -1] * len(cases))
    wanted = []
    for case in cases:
        for outer in (42, -1):
            one = expected(case, len(case.frame))
            if isinstance(one, dict):
                one["vlan"] = case.vlan if case.vlan >= 0 else outer
            wanted.append(one)
    check(Decoder().decode(frames), wanted)


@pytest.mark.parametrize("link_type", [7, 147, 195, 249, 65_641])
def test_other_link_types_are_counted_whole(link_type: int) -> None:
    frames = as_frames([case.frame for case in forged()], link_type=link_type)
    decoded = Decoder().decode(frames)
    assert not decoded.packets
    assert decoded.refused == {Refusal.LINK_TYPE: len(frames)}


def test_a_batch_without_frames() -> None:
    decoded = Decoder().decode(as_frames([]))
    assert not sum(map(len, decoded.packets))
    assert not decoded.refused


def fragment(size: int, more: bool, identification: int, offset: int = 0, source: int = 10) -> bytes:
    bits = (0x2000 if more else 0) | offset // 8
    header = b"\x45\0" + (20 + size).to_bytes(2) + identification.to_bytes(2) + bits.to_bytes(2)
    header += b"\x40\x11\0\0" + bytes([192, 0, 2, source, 198, 51, 100, 7])
    return bytes(range(12)) + b"\x08\0" + header + (b"\x04\x57\x08\xae" + bytes(size))[:size]


@pytest.mark.parametrize("batches", [[[0, 1, 2]], [[0], [1], [2]], [[0, 1], [2]]])
def test_later_fragments_have_the_ports_of_the_first(batches: list[list[int]]) -> None:
    contents = [fragment(800, True, 7), fragment(800, True, 7, 800), fragment(90, False, 7, 1600)]
    decoder = Decoder()
    for batch in batches:
        packets = told(decoder.decode(as_frames([contents[number] for number in batch])))
        assert [packets[number]["ports"] for number in range(len(batch))] == [[1111, 2222]] * len(batch)
    strangers = [fragment(800, True, 8, 800), fragment(800, True, 7, 800, source=11)]
    packets = told(decoder.decode(as_frames(strangers)))
    assert [packets[number]["ports"] for number in range(2)] == [None, None]


def test_a_trunk_s_frames_decode_as_untagged_ones_do() -> None:
    """Every case once more behind one tag: the same packet, with the VLAN named."""
    cases = [case for case in forged() if case.network == 14]
    tagged = [case.frame[:12] + b"\x81\x00\x00\x2a" + case.frame[12:] for case in cases]
    plain = told(Decoder().decode(as_frames([case.frame for case in cases])))
    wrapped = told(Decoder().decode(as_frames(tagged)))
    assert plain.keys() == wrapped.keys()
    for number, one in plain.items():
        assert wrapped[number] == {**one, "vlan": 42}


def test_protocols_with_ports_are_those_that_begin_with_them() -> None:
    """Every protocol number: IANA gives the first four bytes to ports in five of them."""
    contents = [
        fragment(40, False, 1)[:23] + bytes([number]) + fragment(40, False, 1)[24:] for number in range(256)
    ]
    packets = told(Decoder().decode(as_frames(contents)))
    assert {number for number in packets if packets[number]["ports"]} == WITH_PORTS
