"""ISC dhcpd, both families (ISC DHCP 4.x, server/dhcp.c `dhcpack`, `dhcprelease`; server/dhcpv6.c).

IPv4 lines name no lease time unless they say `lease-duration`; those of DHCPv6 do.
"""

import re

from appliance.feeds.syslog.addresses import duid_station, holdable, station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.leases import lease_end
from appliance.feeds.told import Teller
from appliance.model.reasons import Evidence, Refusal

_LEASE = re.compile(
    r"(?:DHCPACK|BOOTREPLY|DHCPRELEASE|DHCPDECLINE)(?: (?:on|of|for))? ([0-9.]{7,15}) (?:to|from) "
    r"([0-9a-fA-F:]{17})(?= )",
    re.ASCII,
)
"""`DHCPACK on 10.0.0.5 to aa:bb:cc:dd:ee:ff via eth0`, `DHCPRELEASE of 10.0.0.5 from aa:..`."""

_INFORM = re.compile(r"DHCPACK to ([0-9.]{7,15}) \(([0-9a-fA-F:]{17})\) via", re.ASCII)
_DURATION = re.compile(r" lease-duration (\d{1,10})(?= |$)", re.ASCII)
_REPLY = re.compile(
    r"Reply [NT]A: address ([0-9a-fA-F:.]{2,45}) to client with duid ([0-9a-fA-F:]{11,}) "
    r"iaid = -?\d+ valid for (-?\d{1,10}) seconds",
    re.ASCII,
)
_GIVEN_BACK = re.compile(
    r"Client ([0-9a-fA-F:]{11,}) (?:releases|declined) address ([0-9a-fA-F:.]{2,45})(?=\s|$)", re.ASCII
)


def read(line: Line, teller: Teller) -> bool:
    """A lease given or given back; offers, requests and the server's own affairs tell nothing."""
    text = line.text
    if text.startswith(("Reply ", "Client ")):
        is_told = _read_v6(line, teller)
    else:
        is_told = _read_v4(line, teller)
        if not is_told and line.program not in PROGRAMS and not text.startswith(("DHCPACK ", "DHCPRELEASE ")):
            return False
    if not is_told:
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
    return True


def _read_v4(line: Line, teller: Teller) -> bool:
    text = line.text
    found = _LEASE.match(text) or _INFORM.match(text)
    if found is None or "(not found)" in text:
        return False
    ip, mac = holdable(found[1]), station(found[2])
    if ip is None or mac == 0:
        return False
    duration = _DURATION.search(text, found.end())
    seconds = int(duration[1]) if duration else 0
    teller.claim(
        line.seen_ns,
        Evidence.DHCP,
        mac,
        ip,
        until_ns=lease_end(line.seen_ns, seconds),
        released=text.startswith(("DHCPRELEASE", "DHCPDECLINE")),
    )
    return True


def _read_v6(line: Line, teller: Teller) -> bool:
    found, back = _REPLY.match(line.text), _GIVEN_BACK.match(line.text)
    if found is not None:
        ip, mac, seconds = holdable(found[1]), duid_station(found[2]), int(found[3])
    elif back is not None:
        ip, mac, seconds = holdable(back[2]), duid_station(back[1]), 0
    else:
        return False
    if ip is None or mac == 0:
        return False
    until_ns = lease_end(line.seen_ns, seconds)
    teller.claim(line.seen_ns, Evidence.DHCPV6, mac, ip, until_ns=until_ns, released=seconds == 0)
    return True


PROGRAMS = frozenset(("dhcpd", "dhcpd6"))

GRAMMAR = Grammar(
    "isc-dhcpd", read, PROGRAMS, ("DHCPACK on ", "DHCPACK to ", "DHCPRELEASE of ", "Reply NA: ")
)
