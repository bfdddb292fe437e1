"""dnsmasq's DHCP and DHCPv6 lines (dnsmasq 2.x, src/rfc2131.c `log_packet`, src/rfc3315.c `log6_packet`).

They name no lease time. What dnsmasq says as a name server is refused as content before it comes here.
"""

import re

from appliance.feeds.syslog.addresses import duid_station, holdable, station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.told import Teller
from appliance.model.reasons import Evidence, Refusal

_LEASE = re.compile(
    r"(?:\d+ )?(DHCPACK|DHCPRELEASE|BOOTP|DHCPREPLY|DHCPDECLINE)\(([^)\s]{1,32})\) "
    r"([0-9a-fA-F.:]{2,45}) ([0-9a-fA-F:-]{11,})(?: (unknown lease|not mine))?",
    re.ASCII,
)
"""`DHCPACK(br-lan) 192.168.1.5 aa:bb:cc:dd:ee:ff name`; with --log-dhcp a transaction number before it."""

_TAGGED = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f:]{17})", re.ASCII)
"""A MAC; the hardware type stands before it where that is not Ethernet."""


def read(line: Line, teller: Teller) -> bool:
    """A lease given or given back; everything else that the DHCP server says tells nothing."""
    text = line.text
    found = _LEASE.match(text)
    if found is None:
        if line.program not in PROGRAMS:
            return False
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
        return True
    kind, ip, who = found[1], holdable(found[3]), found[4]
    is_v6 = ":" in found[3]
    tagged = None if is_v6 else _TAGGED.fullmatch(who)
    mac = duid_station(who) if is_v6 else station(tagged[1]) if tagged else 0
    if ip is None or mac == 0 or found[5]:
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
        return True
    teller.claim(
        line.seen_ns,
        Evidence.DHCPV6 if is_v6 else Evidence.DHCP,
        mac,
        ip,
        released=kind in ("DHCPRELEASE", "DHCPDECLINE"),
    )
    return True


PROGRAMS = frozenset(("dnsmasq", "dnsmasq-dhcp", "dnsmasq-tftp", "dnsmasq-script"))

GRAMMAR = Grammar("dnsmasq", read, PROGRAMS, ("DHCPACK(", "DHCPREPLY(", "DHCPRELEASE("))
