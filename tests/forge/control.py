# SPDX-License-Identifier: GPL-2.0-only
"""Forges control packets with scapy: `python control.py SEED COUNT FILE` writes a capture of them and
prints, one JSON list a frame that claims something, [second, evidence, IP, MAC, VLAN, lifetime, released].

Frame k is captured at second k. Every third frame only looks like a claim. A program of its own.
"""

import ipaddress
import json
import random
import sys

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import (
    DUID_LLT,
    DHCP6_RelayForward,
    DHCP6_RelayReply,
    DHCP6_Release,
    DHCP6_Reply,
    DHCP6_Request,
    DHCP6OptClientId,
    DHCP6OptClientLinkLayerAddr,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptRelayMsg,
)
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.utils import PcapWriter

GATEWAY = "02:00:5e:10:00:01"
dice = random.Random()


def mac() -> str:
    return f"02:{dice.randbytes(5).hex(':')}"


def ipv4() -> str:
    return str(ipaddress.IPv4Address(0x0A14_0000 + dice.randrange(1, 65_000)))


def ipv6() -> str:
    prefix = dice.choice((0xFE80 << 48, 0x2001_0DB8_0000_0001))
    return str(ipaddress.IPv6Address(prefix << 64 | dice.getrandbits(64)))


def arp(true: bool):
    holder, address = mac(), ipv4()
    operation = dice.choice(("who-has", "is-at"))
    if not true:  # an address probe (RFC 5227), or an operation that is neither request nor reply
        address, operation = dice.choice((("0.0.0.0", "who-has"), (address, 3)))
    layers = ARP(op=operation, hwsrc=holder, psrc=address, pdst=ipv4())
    return Ether(src=holder, dst="ff:ff:ff:ff:ff:ff"), layers, ("arp", address, holder, 0, False)


def nd(true: bool):
    holder, address = mac(), ipv6()
    option = dice.choice(
        (ICMPv6NDOptSrcLLAddr, lambda lladdr: ICMPv6NDOptMTU() / ICMPv6NDOptSrcLLAddr(lladdr=lladdr))
    )
    kind = dice.choice(("solicitation", "router", "advertisement", "router solicitation"))
    source, hops = address, 255
    if not true:  # an address that is only being tried (RFC 4862), or a message that crossed a router
        source, hops = dice.choice((("::", 255), (address, 254)))
        kind = "solicitation"
    message = {
        "solicitation": lambda: ICMPv6ND_NS(tgt=ipv6()) / option(lladdr=holder),
        "router": lambda: ICMPv6ND_RA() / option(lladdr=holder),
        "router solicitation": lambda: ICMPv6ND_RS() / option(lladdr=holder),
        "advertisement": lambda: ICMPv6ND_NA(tgt=address) / ICMPv6NDOptDstLLAddr(lladdr=holder),
    }[kind]()
    if kind == "advertisement":
        source = ipv6()
    layers = IPv6(src=source, dst="ff02::1", hlim=hops) / message
    return Ether(src=holder, dst="33:33:00:00:00:01"), layers, ("nd", address, holder, 0, False)


def dhcp(true: bool):
    holder, address, lifetime = mac(), ipv4(), dice.choice((0, 60, 3600, 86_400))
    server, released = "10.20.0.1", False
    boot = BOOTP(op=2, chaddr=bytes.fromhex(holder.replace(":", "")), yiaddr=address)
    options = [("message-type", "ack"), ("server_id", server), ("hostname", "a-name")]
    if not true:
        options[0] = ("message-type", dice.choice(("offer", "nak")))
    elif dice.random() < 0.3:
        released, lifetime = True, 0
        boot.op, boot.yiaddr, boot.ciaddr = 1, "0.0.0.0", address
        options[0] = ("message-type", "release")
    if lifetime:
        options.append(("lease_time", lifetime))
    ports = UDP(sport=68, dport=67) if released else UDP(sport=67, dport=68)
    ends = IP(src=address, dst=server) if released else IP(src=server, dst="255.255.255.255")
    layers = ends / ports / boot / DHCP(options=[*options, "end"])
    frame = Ether(src=holder, dst=GATEWAY) if released else Ether(src=GATEWAY, dst=holder)
    return frame, layers, ("dhcp", address, holder, lifetime, released)


def dhcpv6(true: bool):
    holder, address, lifetime = mac(), ipv6(), dice.choice((60, 3600, 86_400))
    released = true and dice.random() < 0.3
    relayed = dice.random() < 0.3
    kind = (DHCP6_Release if released else DHCP6_Reply) if true else DHCP6_Request
    leased = DHCP6OptIA_NA(iaid=1, ianaopts=[DHCP6OptIAAddress(addr=address, validlft=lifetime, preflft=30)])
    message = kind(trid=7) / DHCP6OptClientId(duid=DUID_LLT(timeval=1, lladdr=mac())) / leased
    frame = Ether(src=holder, dst=GATEWAY) if released or not true else Ether(src=GATEWAY, dst=holder)
    to_server = released or not true
    ports = UDP(sport=546, dport=547) if to_server else UDP(sport=547, dport=546)
    if relayed:  # the client is not on this link; its relay says who it is (RFC 6939)
        relay = DHCP6_RelayForward if to_server else DHCP6_RelayReply
        message = (
            relay(peeraddr=address)
            / DHCP6OptClientLinkLayerAddr(clladdr=holder)
            / DHCP6OptRelayMsg(message=message)
        )
        frame, ports = Ether(src=mac(), dst=GATEWAY), UDP(sport=547, dport=547)
    layers = IPv6(src="fe80::1", dst="fe80::2") / ports / message
    return frame, layers, ("dhcpv6", address, holder, 0 if released else lifetime, released)


def tagged(frame, layers):
    """The frame with no, one or two VLAN tags, and the innermost tag."""
    vlan = dice.randrange(1, 4095)
    if dice.random() < 0.5:
        return frame / layers, -1
    if dice.random() < 0.5:
        return frame / Dot1Q(vlan=vlan) / layers, vlan
    return frame / Dot1AD(vlan=100) / Dot1Q(vlan=vlan) / layers, vlan


def main(seed: str, count: str, file: str) -> None:
    dice.seed(int(seed))
    with PcapWriter(file, linktype=1) as capture:
        for second in range(1, int(count) + 1):
            true = second % 3 != 0
            frame, layers, (evidence, address, holder, lifetime, released) = dice.choice(
                (arp, nd, dhcp, dhcpv6)
            )(true)
            packet, vlan = tagged(frame, layers)
            packet.time = second
            capture.write(packet)
            if true:
                print(json.dumps([second, evidence, address, holder, vlan, lifetime, released]))


if __name__ == "__main__":
    main(*sys.argv[1:])
