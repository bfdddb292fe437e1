# SPDX-License-Identifier: GPL-2.0-only
"""Odd ARP, ND, DHCP and DHCPv6 frames made by scapy, each with what it must be taken for.

A process of its own, because scapy is GPL-2.0-only: `python tests/forge/control_frames.py` prints one JSON
object a line: {"name", "frame" (hex), "claims": [[address, mac, evidence, lifetime in s, released]]}.
"""

import json
from collections.abc import Iterator

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import (
    DUID_EN,
    DUID_LL,
    DUID_LLT,
    DHCP6_Decline,
    DHCP6_RelayForward,
    DHCP6_RelayReply,
    DHCP6_Release,
    DHCP6_Reply,
    DHCP6OptClientId,
    DHCP6OptClientLinkLayerAddr,
    DHCP6OptIA_NA,
    DHCP6OptIA_TA,
    DHCP6OptIAAddress,
    DHCP6OptRelayMsg,
)
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (
    ICMPv6MLReport,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6NDOptUnknown,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Padding, Raw

CLIENT, ROUTER, OTHER = "02:11:22:33:44:55", "02:aa:bb:cc:dd:ee", "02:99:99:99:99:99"
IP4, IP4_ROUTER = "192.0.2.10", "192.0.2.1"
IP6, IP6_ROUTER, SOLICITED = "2001:db8::10", "fe80::1", "ff02::1:ff00:10"
LINK_LOCAL = "fe80::11:22ff:fe33:4455"
Case = tuple[str, Packet | bytes, list[list[object]]]
MIRROR = "02:bb:bb:bb:bb:bb"
BROADCAST = "ff:ff:ff:ff:ff:ff"


def arp(**fields: object) -> Packet:
    return Ether(src=CLIENT, dst=BROADCAST) / ARP(
        **{"hwsrc": CLIENT, "psrc": IP4, "pdst": IP4_ROUTER, **fields}
    )


def arp_cases() -> Iterator[Case]:
    held = [[IP4, CLIENT, "arp", 0, False]]
    yield "request", arp(op=1), held
    yield "reply", arp(op=2, hwdst=ROUTER), held
    yield "announcement", arp(op=1, pdst=IP4), held
    yield "padded", arp(op=1) / Padding(bytes(18)), held
    yield "one tag", Ether(src=CLIENT, dst=ROUTER) / Dot1Q(vlan=7) / arp().payload, held
    yield "two tags", Ether(src=CLIENT, dst=ROUTER) / Dot1AD(vlan=100) / Dot1Q(vlan=7) / arp().payload, held
    yield "probe", arp(op=1, psrc="0.0.0.0"), []
    yield "reverse request", arp(op=3), []
    yield "sender is everybody", arp(op=2, hwsrc=BROADCAST), []
    yield "sender is a group", arp(op=2, hwsrc="01:00:5e:00:00:01"), []
    yield "sender is nobody", arp(op=2, hwsrc="00:00:00:00:00:00"), []
    yield "address of a group", arp(op=2, psrc="224.0.0.1"), []
    yield "other hardware", arp(op=1, hwtype=6), []
    yield "other protocol", arp(op=1, ptype=0x86DD), []
    yield "lies about its lengths", bytes(arp(op=1)).replace(b"\x08\x00\x06\x04", b"\x08\x00\x06\x10"), []
    yield "cut short", bytes(arp(op=1))[:-1], []


def nd(source: str, message: Packet, hop_limit: int = 255) -> Packet:
    return (
        Ether(src=CLIENT, dst="33:33:ff:00:00:10") / IPv6(src=source, dst=SOLICITED, hlim=hop_limit) / message
    )


def nd_cases() -> Iterator[Case]:
    own = ICMPv6NDOptSrcLLAddr(lladdr=OTHER)
    target = ICMPv6NDOptDstLLAddr(lladdr=OTHER)
    many = ICMPv6NDOptMTU() / ICMPv6NDOptPrefixInfo() / ICMPv6NDOptRDNSS(dns=["2001:db8::53", "2001:db8::54"])
    yield "solicitation", nd(IP6, ICMPv6ND_NS(tgt=IP6_ROUTER) / own), [[IP6, OTHER, "nd", 0, False]]
    yield "tentative", nd("::", ICMPv6ND_NS(tgt=IP6)), []
    yield "tentative with address", nd("::", ICMPv6ND_NS(tgt=IP6) / own), []
    yield "solicitation without", nd(IP6, ICMPv6ND_NS(tgt=IP6_ROUTER)), []
    yield "advertisement", nd(LINK_LOCAL, ICMPv6ND_NA(tgt=IP6) / target), [[IP6, OTHER, "nd", 0, False]]
    yield "advertisement for itself", nd(IP6, ICMPv6ND_NA(tgt=IP6)), [[IP6, CLIENT, "nd", 0, False]]
    yield "advertisement for another", nd(LINK_LOCAL, ICMPv6ND_NA(tgt=IP6)), []
    yield "advertisement, wrong option", nd(LINK_LOCAL, ICMPv6ND_NA(tgt=IP6) / own), []
    yield "router solicitation", nd(LINK_LOCAL, ICMPv6ND_RS() / own), [[LINK_LOCAL, OTHER, "nd", 0, False]]
    yield "router solicitation without", nd(LINK_LOCAL, ICMPv6ND_RS()), []
    yield "router", nd(IP6_ROUTER, ICMPv6ND_RA() / many / own), [[IP6_ROUTER, OTHER, "nd", 0, False]]
    yield (
        "router, option first",
        nd(IP6_ROUTER, ICMPv6ND_RA() / own / many),
        [[IP6_ROUTER, OTHER, "nd", 0, False]],
    )
    hop = IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / ICMPv6ND_NS(tgt=IP6_ROUTER) / own
    yield "behind other headers", nd(IP6, hop), [[IP6, OTHER, "nd", 0, False]]
    tagged = (
        Ether(src=CLIENT, dst=ROUTER) / Dot1Q(vlan=7) / nd(IP6, ICMPv6ND_NS(tgt=IP6_ROUTER) / own).payload
    )
    yield "tagged", tagged, [[IP6, OTHER, "nd", 0, False]]
    yield (
        "followed by a trailer",
        nd(IP6, ICMPv6ND_NS() / own) / Padding(b"\0\0\0\0"),
        [[IP6, OTHER, "nd", 0, False]],
    )
    yield "forwarded", nd(IP6, ICMPv6ND_NS(tgt=IP6_ROUTER) / own, hop_limit=254), []
    empty = ICMPv6NDOptUnknown(type=14, len=0, data=b"\0" * 6)
    yield "endless option", nd(IP6, ICMPv6ND_NS(tgt=IP6_ROUTER) / own / empty), []
    long = ICMPv6NDOptUnknown(type=14, len=9, data=b"\0" * 6)
    yield "option past the end", nd(IP6, ICMPv6ND_NS(tgt=IP6_ROUTER) / own / long), []
    yield "group as address", nd(IP6, ICMPv6ND_NS() / ICMPv6NDOptSrcLLAddr(lladdr="33:33:00:00:00:01")), []
    yield "other code", nd(IP6, ICMPv6ND_NS(code=1) / own), []
    yield "other ICMPv6", nd(IP6, ICMPv6MLReport()), []


def dhcp(options: list[object], op: int = 2, **fields: object) -> Packet:
    mac = bytes.fromhex(CLIENT.replace(":", ""))
    boot = BOOTP(**{"op": op, "chaddr": mac, "yiaddr": IP4, **fields})
    ports = UDP(sport=67, dport=68) if op == 2 else UDP(sport=68, dport=67)
    return (
        Ether(src=ROUTER, dst=BROADCAST)
        / IP(src=IP4_ROUTER, dst="255.255.255.255")
        / ports
        / boot
        / DHCP(options=options)
    )


def dhcp_cases() -> Iterator[Case]:
    ack, name = ("message-type", "ack"), ("hostname", b"somebodys-phone")
    yield "ack", dhcp([ack, ("lease_time", 3600), name, "end"]), [[IP4, CLIENT, "dhcp", 3600, False]]
    yield "ack, type last", dhcp([name, ("lease_time", 60), ack, "end"]), [[IP4, CLIENT, "dhcp", 60, False]]
    yield (
        "padded",
        dhcp(["pad"] * 40 + [ack, "pad", ("lease_time", 60), "end"] + ["pad"] * 60),
        [[IP4, CLIENT, "dhcp", 60, False]],
    )
    yield "endless lease", dhcp([ack, ("lease_time", 0xFFFFFFFF), "end"]), [[IP4, CLIENT, "dhcp", 0, False]]
    informed = dhcp([ack, "end"], yiaddr="0.0.0.0", ciaddr="192.0.2.77")
    yield "ack to inform", informed, [["192.0.2.77", CLIENT, "dhcp", 0, False]]
    overloaded = {
        "file": b"\x35\x01\x05\xff".ljust(128, b"\0"),
        "sname": b"\x33\x04\x00\x00\x0e\x10\xff".ljust(64, b"\0"),
    }
    yield (
        "overload both",
        dhcp([("dhcp-option-overload", 3), "end"], **overloaded),
        [[IP4, CLIENT, "dhcp", 3600, False]],
    )
    yield (
        "overload file only",
        dhcp([("dhcp-option-overload", 1), "end"], **overloaded),
        [[IP4, CLIENT, "dhcp", 0, False]],
    )
    yield "no overload", dhcp(["end"], **overloaded), []
    yield "nonsense overload", dhcp([ack, ("dhcp-option-overload", 9), "end"], **overloaded), []
    released = dhcp([("message-type", "release"), "end"], op=1, ciaddr=IP4, yiaddr="0.0.0.0")
    yield "release", released, [[IP4, CLIENT, "dhcp", 0, True]]
    declined = dhcp([("message-type", "decline"), ("requested_addr", IP4), "end"], op=1, yiaddr="0.0.0.0")
    yield "decline", declined, [[IP4, CLIENT, "dhcp", 0, True]]
    for kind in ("discover", "request", "inform"):
        yield kind, dhcp([("message-type", kind), ("requested_addr", IP4), "end"], op=1, ciaddr=IP4), []
    for kind in ("offer", "nak"):
        yield kind, dhcp([("message-type", kind), ("lease_time", 60), "end"]), []
    yield "ack from a client", dhcp([ack, ("lease_time", 60), "end"], op=1), []
    yield "other hardware", dhcp([ack, ("lease_time", 60), "end"], htype=6), []
    yield "other length of address", dhcp([ack, ("lease_time", 60), "end"], hlen=8), []
    whole = bytes(dhcp([ack, ("lease_time", 60), name, "end"]))
    yield "no cookie", whole.replace(b"\x63\x82\x53\x63", b"\x63\x82\x53\x64"), []
    yield "lease of three bytes", dhcp([ack, (51, b"\0\0\x3c"), "end"]), []
    yield "option past the end", dhcp([ack, ("lease_time", 60)]) / Raw(b"\x0c\xf0abc"), []
    yield "after the end", dhcp([("lease_time", 60), "end", ack]), []
    yield "too many options", dhcp([(200, b"")] * 300 + [ack, ("lease_time", 60), "end"]), []


def dhcpv6(
    message: Packet, source: str = ROUTER, destination: str = CLIENT, to_client: bool = True
) -> Packet:
    ports = UDP(sport=547, dport=546) if to_client else UDP(sport=546, dport=547)
    return Ether(src=source, dst=destination) / IPv6(src=IP6_ROUTER, dst=LINK_LOCAL) / ports / message


def dhcpv6_cases() -> Iterator[Case]:
    own, foreign = (
        DHCP6OptClientId(duid=DUID_LL(lladdr=CLIENT)),
        DHCP6OptClientId(duid=DUID_LLT(lladdr=OTHER)),
    )
    nameless = DHCP6OptClientId(duid=DUID_EN())
    address = DHCP6OptIAAddress(addr=IP6, preflft=1800, validlft=3600)
    lease = DHCP6OptIA_NA(ianaopts=[address])
    held = [[IP6, CLIENT, "dhcpv6", 3600, False]]
    yield "reply", dhcpv6(DHCP6_Reply() / own / lease), held
    yield (
        "reply to a device whose DUID names another interface",
        dhcpv6(DHCP6_Reply() / foreign / lease),
        held,
    )
    yield "reply without a MAC in the DUID", dhcpv6(DHCP6_Reply() / nameless / lease), held
    yield "reply to a group", dhcpv6(DHCP6_Reply() / own / lease, destination="33:33:00:00:00:01"), held
    yield (
        "reply to a group, nobody named",
        dhcpv6(DHCP6_Reply() / nameless / lease, destination="33:33:00:00:00:01"),
        [],
    )
    two = [DHCP6OptIAAddress(addr=f"2001:db8::{n}", validlft=60 * n) for n in (1, 2)]
    yield (
        "temporary",
        dhcpv6(DHCP6_Reply() / own / DHCP6OptIA_TA(iataopts=two)),
        [[f"2001:db8::{n}", CLIENT, "dhcpv6", 60 * n, False] for n in (1, 2)],
    )
    ended = DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr=IP6, validlft=0)])
    yield "no longer valid", dhcpv6(DHCP6_Reply() / own / ended), [[IP6, CLIENT, "dhcpv6", 0, True]]
    endless = DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr=IP6, validlft=0xFFFFFFFF)])
    yield "endless", dhcpv6(DHCP6_Reply() / own / endless), [[IP6, CLIENT, "dhcpv6", 0, False]]
    for kind in (DHCP6_Release, DHCP6_Decline):
        given_back = dhcpv6(kind() / foreign / lease, CLIENT, "33:33:00:01:00:02", to_client=False)
        yield kind.__name__, given_back, [[IP6, CLIENT, "dhcpv6", 0, True]]
    inner = DHCP6OptRelayMsg(message=DHCP6_Reply() / own / lease)
    yield "relayed", dhcpv6(DHCP6_RelayReply() / inner, destination=OTHER), held
    twice = DHCP6OptRelayMsg(message=DHCP6_RelayReply() / inner)
    yield "relayed twice", dhcpv6(DHCP6_RelayReply() / twice, destination=OTHER), held
    seen = DHCP6OptClientLinkLayerAddr(clladdr=CLIENT)
    forward = DHCP6_RelayForward() / seen / DHCP6OptRelayMsg(message=DHCP6_Release() / foreign / lease)
    yield (
        "release through a relay that saw the client",
        dhcpv6(forward, OTHER, ROUTER),
        [[IP6, CLIENT, "dhcpv6", 0, True]],
    )
    unnamed = DHCP6OptRelayMsg(message=DHCP6_Reply() / nameless / lease)
    yield "relayed, nobody named", dhcpv6(DHCP6_RelayReply() / unnamed, destination=OTHER), []
    for name, message, claims in (
        ("reply", DHCP6_Reply() / own / lease, held),
        ("reply to another", DHCP6_Reply() / foreign / lease, [[IP6, OTHER, "dhcpv6", 3600, False]]),
        ("nameless reply", DHCP6_Reply() / nameless / lease, []),
        ("nameless release", DHCP6_Release() / nameless / lease, []),
    ):
        inner = dhcpv6(message, to_client=name != "nameless release")[IPv6]
        yield f"{name} in 6in4", Ether(src=ROUTER, dst=MIRROR) / IP(src=IP4, dst=IP4_ROUTER) / inner, claims
    nested = DHCP6_Reply() / own / lease
    for _ in range(12):
        nested = DHCP6_RelayReply() / DHCP6OptRelayMsg(message=nested)
    yield "relayed without end", dhcpv6(nested), []
    yield "followed by a trailer", dhcpv6(DHCP6_Reply() / own / lease) / Padding(b"\xde\xad\xbe\xef"), held
    yield "option past the end", dhcpv6(DHCP6_Reply() / own / lease / Raw(b"\0\x17\0\x20short")), []
    yield "empty", dhcpv6(Raw(b"\x07")), []


def main() -> None:
    for protocol, cases in (
        ("ARP", arp_cases),
        ("ND", nd_cases),
        ("DHCP", dhcp_cases),
        ("DHCPv6", dhcpv6_cases),
    ):
        for name, frame, claims in cases():
            print(json.dumps({"name": f"{protocol}: {name}", "frame": bytes(frame).hex(), "claims": claims}))


if __name__ == "__main__":
    main()
