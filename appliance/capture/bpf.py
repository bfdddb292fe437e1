"""The classic BPF program of the ring: how much of each frame the kernel keeps, and the box's own traffic.

Headers are enough for a record, so a frame is cut at `snaplen`. Kept whole are frames that say who holds
an address (DHCP, DHCPv6, neighbour discovery), tunnels, whose clients lie deep inside, and the first
packets of a conversation that tell its category. The box's own packets (replication, management) are left
out where their addresses are known; tunnels never, for remote mirrors are addressed to the box.

A load outside the frame would end the program with 0 and lose the frame without a word: each stands behind
a look at the length that puts it inside.
"""

from collections.abc import Iterator, Sequence

from appliance.capture.assembler import Line, Op, among, assemble
from appliance.capture.own_traffic import (
    DHCP_PORTS,
    DHCPV6_PORTS,
    ETHERTYPE,
    ICMPV6,
    IPV4,
    IPV6,
    TAG_BYTES,
    TCP,
    UDP,
    Own,
    leave_out,
)

SHORTEST_SNAPLEN = 96
"""Two VLAN tags, the longest IPv4 header and the beginning of a TCP header end at byte 95."""

WHOLE_FRAME = 0xFFFF

NOTHING = assemble([(Op.RETURN, "", "", 0)])
"""The program that takes no frame at all: recording ends."""

EVERYTHING = assemble([(Op.RETURN, "", "", WHOLE_FRAME)])
"""The program for frames that are not Ethernet: a monitor interface has little, and its headers vary."""

_TAGS = (0x8100, 0x88A8, 0x9100)
_DEEP = (*_TAGS, 0x9200, 0x9300, 0x8847, 0x8848, 0x8864, 0x88E7)
"""Behind two tags: a third one, MPLS (RFC 5332), a PPPoE session (RFC 2516), backbone bridging (802.1ah)."""

_TUNNELS = (4, 41, 47, 97, 137, 143)
"""IP in IP, 6in4, GRE, EtherIP, MPLS in IP, Ethernet."""

_EXTENSIONS = (0, 43, 44, 60)
"""IPv6 extension headers: rare enough to be kept whole instead of being walked."""

_DNS, _QUIC = 53, 443
_HTTP_PORTS = (80, 8080, 8000, 3128)
_HTTP_METHODS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"DELE", b"PATC")
_CLIENT_HELLO = 0x1603
"""A TLS record of a handshake, version 3.x (RFC 8446, 5.1); its first message says which, 1 a ClientHello."""

_TLS_PORT, _PUSH = 443, 0x08
_TLS_RECORDS = (0x1403, 0x1503, 0x1703)
"""How records begin that follow a handshake: a client's segment of none may be a ClientHello's end."""

_PORT, _PAYLOAD, _FLAGS = 2, 3, 4  # cells of the scratch memory beside those of own_traffic


def program(snaplen: int, tunnel_ports: Sequence[int], own: Own | None = None) -> bytes:
    """The program as the kernel takes it; `snaplen` in bytes, at least SHORTEST_SNAPLEN.

    `tunnel_ports`: UDP ports behind which a tunnel may lie (see `appliance.wire.ports`).
    """
    if snaplen < SHORTEST_SNAPLEN:
        raise ValueError(f"snaplen is {snaplen} bytes; the headers need at least {SHORTEST_SNAPLEN}")
    lines: list[Line] = [
        *_link(),
        *(leave_out(own, tunnel_ports) if own else ()),
        *_depth(snaplen, tunnel_ports),
    ]
    for name, kept_bytes in (("whole", WHOLE_FRAME), ("cut", snaplen), ("left out", 0)):
        lines += [name, (Op.RETURN, "", "", kept_bytes)]
    return assemble(lines)


def _link() -> Iterator[Line]:
    """X and TAG_BYTES: octets of the tags (0, 4 or 8); ETHERTYPE: what follows them."""
    yield (Op.LOAD_LENGTH, "", "", 0)
    yield (Op.IF_AT_LEAST, "", "cut", 34)
    yield (Op.SET_X, "", "", 0)
    yield (Op.LOAD_HALF, "", "", 12)
    yield from among((IPV4, IPV6), "network")
    yield from among(_TAGS, "tagged")
    yield (Op.JUMP, "network", "", 0)
    yield "tagged"
    yield (Op.SET_X, "", "", 4)
    yield (Op.LOAD_HALF, "", "", 16)
    yield from among(_TAGS, "tagged twice")
    yield (Op.JUMP, "network", "", 0)
    yield "tagged twice"
    yield (Op.SET_X, "", "", 8)
    yield (Op.LOAD_HALF, "", "", 20)
    yield "network"
    yield (Op.STORE_X, "", "", TAG_BYTES)
    yield (Op.STORE, "", "", ETHERTYPE)


def _depth(snaplen: int, tunnel_ports: Sequence[int]) -> Iterator[Line]:
    """Which frames longer than `snaplen` are kept whole."""
    yield (Op.LOAD_LENGTH, "", "", 0)
    yield (Op.IF_GREATER, "", "cut", snaplen)
    yield (Op.LOAD_X_MEMORY, "", "", TAG_BYTES)
    yield (Op.LOAD_MEMORY, "", "", ETHERTYPE)
    yield (Op.IF_EQUAL, "ipv4", "", IPV4)
    yield (Op.IF_EQUAL, "ipv6", "", IPV6)
    yield from among(_DEEP, "whole")
    yield (Op.JUMP, "cut", "", 0)
    yield "ipv4"
    yield (Op.LOAD_BYTE_X, "", "", 23)
    yield (Op.IF_EQUAL, "ipv4 ports", "", TCP)
    yield (Op.IF_EQUAL, "ipv4 ports", "", UDP)
    yield from among(_TUNNELS, "whole")
    yield (Op.JUMP, "cut", "", 0)
    yield "ipv4 ports"
    yield (Op.LOAD_HALF_X, "", "", 20)
    yield (Op.IF_ANY_BIT, "cut", "", 0x1FFF)  # a later fragment has no ports
    yield (Op.LOAD_BYTE_X, "", "", 14)
    yield (Op.AND, "", "", 0x0F)
    yield (Op.SHIFT_LEFT, "", "", 2)
    yield (Op.ADD_X, "", "", 0)
    yield (Op.STORE, "", "", _PAYLOAD)
    yield (Op.LOAD_BYTE_X, "", "", 23)
    yield (Op.LOAD_X_MEMORY, "", "", _PAYLOAD)
    yield (Op.IF_EQUAL, "tcp", "udp", TCP)
    yield "ipv6"
    yield (Op.LOAD_BYTE_X, "", "", 20)
    yield (Op.IF_EQUAL, "ipv6 tcp", "", TCP)
    yield (Op.IF_EQUAL, "ipv6 udp", "", UDP)
    yield (Op.IF_EQUAL, "discovery", "", ICMPV6)
    yield from among((*_TUNNELS, *_EXTENSIONS), "whole")
    yield (Op.JUMP, "cut", "", 0)
    yield "discovery"  # RFC 4861: types 133 to 137
    yield (Op.LOAD_BYTE_X, "", "", 54)
    yield (Op.IF_AT_LEAST, "", "cut", 133)
    yield (Op.IF_GREATER, "cut", "whole", 137)
    yield "ipv6 tcp"
    yield from _behind_ipv6()
    yield (Op.JUMP, "tcp", "", 0)
    yield "ipv6 udp"
    yield from _behind_ipv6()
    yield from _udp(tunnel_ports)
    yield from _tcp()


def _behind_ipv6() -> Iterator[Line]:
    yield (Op.COPY_X_TO_A, "", "", 0)
    yield (Op.ADD, "", "", 40)
    yield (Op.COPY_A_TO_X, "", "", 0)


def _udp(tunnel_ports: Sequence[int]) -> Iterator[Line]:
    """X: where the UDP header begins, less 14."""
    yield "udp"
    ports = (*DHCP_PORTS, *DHCPV6_PORTS, *tunnel_ports)
    yield (Op.LOAD_HALF_X, "", "", 14)
    yield (Op.IF_EQUAL, "cut", "", _QUIC)  # most of UDP; a tunnel that came from there keeps its headers
    yield from among((_DNS, *ports), "whole", "source ports")
    yield (Op.LOAD_HALF_X, "", "", 16)
    yield (Op.IF_EQUAL, "quic", "", _QUIC)
    yield from among(ports, "whole", "destination ports")
    yield (Op.JUMP, "cut", "", 0)
    yield "quic"
    yield (Op.LOAD_BYTE_X, "", "", 22)
    yield (Op.AND, "", "", 0xC0)  # RFC 9000, 17.2: a long header, which only the handshake has
    yield (Op.IF_EQUAL, "whole", "cut", 0xC0)


def _tcp() -> Iterator[Line]:
    """X: where the TCP header begins, less 14."""
    yield "tcp"
    yield (Op.LOAD_HALF_X, "", "", 16)
    yield (Op.STORE, "", "", _PORT)
    yield (Op.LOAD_BYTE_X, "", "", 27)
    yield (Op.STORE, "", "", _FLAGS)
    yield (Op.LOAD_BYTE_X, "", "", 26)
    yield (Op.AND, "", "", 0xF0)
    yield (Op.SHIFT_RIGHT, "", "", 2)
    yield (Op.ADD_X, "", "", 0)
    yield (Op.STORE, "", "", _PAYLOAD)
    yield (Op.ADD, "", "", 14 + 6)
    yield (Op.COPY_A_TO_X, "", "", 0)
    yield (Op.LOAD_LENGTH, "", "", 0)
    yield (Op.IF_AT_LEAST_X, "", "cut", 0)
    yield (Op.LOAD_X_MEMORY, "", "", _PAYLOAD)
    yield (Op.LOAD_HALF_X, "", "", 14)
    yield (Op.IF_EQUAL, "", "no hello", _CLIENT_HELLO)
    yield (Op.LOAD_BYTE_X, "", "", 19)
    yield (Op.IF_EQUAL, "whole", "cut", 1)
    yield "no hello"
    yield from among(_TLS_RECORDS, "cut")
    yield (Op.LOAD_MEMORY, "", "", _PORT)
    yield (Op.IF_EQUAL, "", "http", _TLS_PORT)
    # With a key share of today a ClientHello takes two segments. The last one pushes, an upload seldom does.
    yield (Op.LOAD_MEMORY, "", "", _FLAGS)
    yield (Op.IF_ANY_BIT, "whole", "cut", _PUSH)
    yield "http"
    yield (Op.LOAD_MEMORY, "", "", _PORT)
    yield from among(_HTTP_PORTS, "request")
    yield (Op.JUMP, "cut", "", 0)
    yield "request"
    yield (Op.LOAD_WORD_X, "", "", 14)
    yield from among([int.from_bytes(method, "big") for method in _HTTP_METHODS], "whole")
    yield (Op.JUMP, "cut", "", 0)
