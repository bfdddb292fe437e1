"""The part of the ring's program that leaves the box's own packets out, in the kernel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.capture.assembler import Line, Op, among
from appliance.capture.netlink import IFF_LOOPBACK, Address, Device

IPV4, IPV6 = 0x0800, 0x86DD
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
DHCP_PORTS, DHCPV6_PORTS = (67, 68), (546, 547)

TAG_BYTES, ETHERTYPE = 0, 1
"""Cells of the scratch memory: octets of VLAN tags, also in X, and the type that follows them."""

MOST_OWN = 32
"""Own addresses of a kind that the program compares; what belongs to further ones is recorded."""


@dataclass(frozen=True)
class Own:
    """The box's own addresses: MACs of 6, IPs of 4 and 16 bytes. Nothing is left out without both."""

    macs: tuple[bytes, ...] = ()
    ipv4: tuple[bytes, ...] = ()
    ipv6: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.macs and (self.ipv4 or self.ipv6))


def own_addresses(devices: Sequence[Device], addresses: Sequence[tuple[int, Address]]) -> Own:
    """What the interfaces of our network namespace are called.

    The MACs are those of interfaces that have an address, whatever the interface: a bridge's packets leave
    by its ports.
    """
    bearing = {index for index, _ in addresses}
    macs = {
        device.mac
        for device in devices
        if device.index in bearing and len(device.mac) == 6 and not device.flags & IFF_LOOPBACK
    }
    addressed = sorted({ip.packed for _, ip in addresses if not ip.is_loopback and not ip.is_unspecified})
    return Own(
        tuple(sorted(macs - {bytes(6)})),
        tuple(packed for packed in addressed if len(packed) == 4),
        tuple(packed for packed in addressed if len(packed) == 16),
    )


def leave_out(own: Own, tunnel_ports: Sequence[int]) -> Iterator[Line]:
    """Leave out what was sent from, or to, one of the box's MACs with one of its IPs."""
    for side, mac_at, ipv4_at, ipv6_at in (("source", 6, 26, 22), ("destination", 0, 30, 38)):
        for number, mac in enumerate(own.macs[:MOST_OWN]):
            following = f"{side} {number}"
            yield (Op.LOAD_WORD, "", "", mac_at + 2)
            yield (Op.IF_EQUAL, "", following, int.from_bytes(mac[2:], "big"))
            yield (Op.LOAD_HALF, "", "", mac_at)
            yield (Op.IF_EQUAL, f"own {side}", following, int.from_bytes(mac[:2], "big"))
            yield following
        yield (Op.JUMP, f"foreign {side}", "", 0)
        yield f"own {side}"
        yield (Op.LOAD_MEMORY, "", "", ETHERTYPE)
        yield (Op.IF_EQUAL, f"ipv4 {side}", "", IPV4)
        yield (Op.IF_EQUAL, f"ipv6 {side}", f"foreign {side}", IPV6)
        yield f"ipv4 {side}"
        yield (Op.LOAD_LENGTH, "", "", 0)
        yield (Op.IF_AT_LEAST, "", f"foreign {side}", 8 + 14 + 20 + 4)
        yield (Op.LOAD_WORD_X, "", "", ipv4_at)
        for address in own.ipv4[:MOST_OWN]:
            yield (Op.IF_EQUAL, "own ipv4", "", int.from_bytes(address, "big"))
        yield (Op.JUMP, f"foreign {side}", "", 0)
        yield f"ipv6 {side}"
        yield (Op.LOAD_LENGTH, "", "", 0)
        yield (Op.IF_AT_LEAST, "", f"foreign {side}", 8 + 14 + 40 + 4)
        for number, address in enumerate(own.ipv6[:MOST_OWN]):
            following = f"ipv6 {side} {number}"
            for part in (12, 8, 4, 0):
                yield (Op.LOAD_WORD_X, "", "", ipv6_at + part)
                word = int.from_bytes(address[part : part + 4], "big")
                yield (Op.IF_EQUAL, "own ipv6" if part == 0 else "", following, word)
            yield following
        yield f"foreign {side}"
    yield (Op.JUMP, "recorded", "", 0)
    yield from _left_out(tunnel_ports)
    yield "recorded"


def _left_out(tunnel_ports: Sequence[int]) -> Iterator[Line]:
    """Of the box's own packets: TCP, echoes, and UDP that is neither a tunnel nor says who has an address."""
    yield "own ipv4"
    yield (Op.LOAD_BYTE_X, "", "", 23)
    yield from among((TCP, ICMP), "left out")
    yield (Op.IF_EQUAL, "", "recorded", UDP)
    yield (Op.LOAD_HALF_X, "", "", 20)
    yield (Op.IF_ANY_BIT, "recorded", "", 0x1FFF)
    yield (Op.LOAD_BYTE_X, "", "", 14)
    yield (Op.IF_EQUAL, "", "recorded", 0x45)  # with options its ports lie elsewhere
    for port_at in (34, 36):
        yield (Op.LOAD_HALF_X, "", "", port_at)
        yield from among((*DHCP_PORTS, *tunnel_ports), "recorded", f"own ipv4 {port_at}")
    yield (Op.JUMP, "left out", "", 0)
    yield "own ipv6"
    yield (Op.LOAD_BYTE_X, "", "", 20)
    yield (Op.IF_EQUAL, "left out", "", TCP)
    yield (Op.IF_EQUAL, "own icmpv6", "", ICMPV6)
    yield (Op.IF_EQUAL, "", "recorded", UDP)
    for port_at in (54, 56):
        yield (Op.LOAD_HALF_X, "", "", port_at)
        yield from among((*DHCPV6_PORTS, *tunnel_ports), "recorded", f"own ipv6 {port_at}")
    yield (Op.JUMP, "left out", "", 0)
    yield "own icmpv6"  # echoes only: neighbours' answers to the box say who holds an address
    yield (Op.LOAD_BYTE_X, "", "", 54)
    yield from among((128, 129), "left out")
