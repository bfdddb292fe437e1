"""What must hold for any bytes at all: decoded or refused by reason, and nothing invented."""

import re
from collections.abc import Sequence

import numpy as np

from appliance.model.addresses import MAPPED_V4
from appliance.model.errors import DecodeError
from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.model.reasons import Refusal
from appliance.wire import dhcp, dhcpv6
from appliance.wire.decode import Decoded, Decoder
from appliance.wire.packets import PORTS_UNKNOWN, Packets
from appliance.wire.radio import SWAPPED

START = 1_795_000_000_000_000_000
WIRELESS = frozenset({105, 119, 127, 163, 192, SWAPPED})
"""Link types whose frames may bundle several (A-MSDU)."""

WIRELESS_CARRIERS = re.compile(rb"\x14\x7f|\x90\x90|\x2f[\xbe\xbf]|[\x82\x83][\x00-\xff]")
"""The ports of CAPWAP, TZSP and LWAPP, and Aruba's types of GRE."""

OF_ANOTHER = {Refusal.TUNNEL_FRAGMENT, Refusal.WIFI_REPEATED}
"""Refused because of another frame; alone it is a packet."""

CANARY = b"\xa5"
"""Fills what lies behind the captured bytes: it must never show."""


def as_frames(contents: Sequence[bytes], link_type: int = ETHERNET) -> Frames:
    """Frames a nanosecond apart with canary bytes between them, so that a frame's instant is its number."""
    gap = CANARY * 8
    sizes = np.array([len(content) for content in contents], np.int64)
    data = np.frombuffer(
        b"".join(content + gap for content in contents) + CANARY * PADDING_BYTES, np.uint8
    ).copy()
    offsets = np.cumsum(sizes + len(gap)) - sizes - len(gap)
    return Frames(data, offsets, sizes, sizes, START + np.arange(len(contents)), link_type)


def check_frames(contents: Sequence[bytes], link_type: int = ETHERNET) -> None:
    """Decode frames together and one by one; AssertionError where anything was invented or lost."""
    together = Decoder().decode(as_frames(contents, link_type))
    _check(contents, together)
    alone = [check_one(content, link_type) for content in contents]
    # Alone a later piece stands for itself; behind its first one it does not.
    of_another = ("fragment", "tunnelled", "unknown") if OF_ANOTHER & together.refused.keys() else "fragment"
    for what in (
        lambda d: sum(map(len, d.packets)) + sum(d.refused.get(reason, 0) for reason in OF_ANOTHER),
        lambda d: len(d.claims),
        lambda d: sum(count for note, count in d.noted.items() if not note.startswith(of_another)),
    ):
        assert what(together) == sum(map(what, alone)), "a batch says what its frames say"
    for reason in set(Refusal) - OF_ANOTHER:
        assert together.refused.get(reason, 0) == sum(d.refused.get(reason, 0) for d in alone)


def check_one(content: bytes, link_type: int = ETHERNET) -> Decoded:
    """Decode one frame: it is one packet, ARP, or one refusal."""
    decoded = Decoder().decode(as_frames([content], link_type))
    _check([content], decoded)
    counted = sum(map(len, decoded.packets)) + sum(decoded.refused.values())
    is_arp = not counted and b"\x08\x06" in content
    is_bundle = counted > 1 and (link_type in WIRELESS or WIRELESS_CARRIERS.search(content) is not None)
    assert counted == 1 or is_arp or is_bundle, "a frame is one packet, ARP, or one refusal"
    return decoded


def _check(contents: Sequence[bytes], decoded: Decoded) -> None:
    for packets in decoded.packets:
        for row in range(len(packets)):
            _check_packet(contents, packets, row)
    for claim in decoded.claims:
        frame = contents[int(claim["seen"]) - START]
        assert int(claim["mac"]).to_bytes(6, "big") in frame, "a MAC that no byte says"
        hi, lo = int(claim["ip_hi"]), int(claim["ip_lo"])
        is_v4 = hi == 0 and lo >> 32 == MAPPED_V4 >> 32
        address = lo.to_bytes(8, "big")[4:] if is_v4 else hi.to_bytes(8, "big") + lo.to_bytes(8, "big")
        assert address in frame, "an address that no byte says"
        assert -1 <= claim["vlan"] < 4096


def _check_packet(contents: Sequence[bytes], packets: Packets, row: int) -> None:
    frame = contents[int(packets.time[row]) - START]
    wire = b"".join(column[row].tobytes() for column in packets.addresses)
    assert wire in frame, "addresses that no bytes say"
    for macs in (packets.source_mac, packets.destination_mac):
        assert not macs[row] or macs[row].tobytes()[:6] in frame, "a MAC that no byte says"
        assert macs[row] >> np.uint64(48) == 0
    if not packets.shape[row] & PORTS_UNKNOWN:
        # A later fragment has the ports of its datagram's first, which is another frame of the batch.
        assert any(packets.ports[row].tobytes() in content for content in contents), "ports that no bytes say"
    assert packets.octets[row] >= (20 if packets.family == 4 else 40)


def check_message(message: bytes) -> None:
    """Read bytes as DHCP and as DHCPv6: leases of addresses that stand in them, or DecodeError."""
    try:
        lease = dhcp.parse(message)
    except DecodeError:
        lease = None
    if lease is not None:
        assert lease.mac.to_bytes(6, "big") == message[28:34]
        assert lease.ip_lo.to_bytes(8, "big")[4:] in message
        assert 0 <= lease.lifetime_s < dhcp.INFINITE
    try:
        leases = dhcpv6.parse(message, 0, 0)
    except DecodeError:
        leases = []
    for lease in leases:
        assert lease.ip_hi.to_bytes(8, "big") + lease.ip_lo.to_bytes(8, "big") in message
        assert lease.mac.to_bytes(6, "big") in message or not lease.mac
