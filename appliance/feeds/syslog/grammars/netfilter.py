"""Linux netfilter's LOG target and ulogd's LOGEMU: one line a packet (net/netfilter/nf_log_syslog.c).

Each line is a flow of one packet of LEN octets: what passed a rule, not the whole of a connection.
"""

import re

from appliance.feeds.syslog.addresses import address, station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.told import Teller
from appliance.model.reasons import Refusal

_PACKET = re.compile(
    r"\bIN=\S* OUT=\S* (PHYSIN=\S* )?(PHYSOUT=\S* )?(?:MAC=([0-9a-f:]*) )? ?"
    r"SRC=([0-9a-fA-F:.]{2,45}) DST=([0-9a-fA-F:.]{2,45}) LEN=(\d{1,5}) "
    r"(?:[^\[]{0,400}? )??PROTO=(\w{1,10}) ?"
    r"(?:SPT=(\d{1,5}) DPT=(\d{1,5}) )?",
    re.ASCII,
)
"""The kernel ends each field with a space: a port at the end of a line that was cut short is not believed."""

_PROTOCOLS = {
    "TCP": 6, "UDP": 17, "UDPLITE": 136, "ICMP": 1, "ICMPv6": 58, "ICMPV6": 58, "AH": 51, "ESP": 50,
    "SCTP": 132, "IGMP": 2, "GRE": 47,
}  # fmt: skip
_MAC_TEXT = 17
_SOURCE_MAC = slice(18, 35)  # destination MAC, source MAC, ethertype: as the frame had them


def read(line: Line, teller: Teller) -> bool:
    """One packet. On a bridge both MACs are stations'; elsewhere the frame was for the box itself."""
    found = _PACKET.search(line.text)
    if found is None:
        return False
    bridge_in, bridge_out, macs, src, dst, length, protocol, src_port, dst_port = found.groups()
    source, target = address(src), address(dst)
    number = _PROTOCOLS.get(protocol, -1)
    if number < 0:
        number = int(protocol) if protocol.isdecimal() else -1
    if source is None or target is None or not 0 <= number <= 255:
        teller.refused[Refusal.NO_ADDRESSES] += 1
        return True
    ports = (int(src_port), int(dst_port)) if src_port else (-1, -1)
    if max(ports) > 0xFFFF:
        teller.refused[Refusal.BAD_MESSAGE] += 1
        return True
    macs = macs or ""
    teller.flow(
        first=line.seen_ns,
        last=line.seen_ns,
        received=line.received_ns,
        by_receipt=line.by_receipt,
        src_ip_hi=source[0],
        src_ip_lo=source[1],
        dst_ip_hi=target[0],
        dst_ip_lo=target[1],
        src_port=ports[0],
        dst_port=ports[1],
        protocol=number,
        packets=1,
        octets=int(length),
        src_mac=station(macs[_SOURCE_MAC]) if len(macs) >= 2 * _MAC_TEXT + 1 else 0,
        dst_mac=station(macs[:_MAC_TEXT]) if bridge_in and bridge_out else 0,
    )
    return True


GRAMMAR = Grammar("netfilter", read, frozenset(("kernel", "ulogd")), (" SRC=",))
