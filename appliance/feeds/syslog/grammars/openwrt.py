"""OpenWrt's own daemons: odhcpd's leases (odhcpd src/dhcpv6-ia.c); netifd and others tell nothing to keep.

Its hostapd, dnsmasq-dhcp and kernel lines are those of their own grammars.
"""

import re

from appliance.feeds.syslog.addresses import duid_station, holdable
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.told import Teller
from appliance.model.reasons import Evidence, Refusal

_LEASE = re.compile(
    r"DHCPV6 (REQUEST|RENEW|REBIND|RELEASE|DECLINE) IA_NA from ([0-9a-fA-F]{20,260}) on \S+: ok ?(.{0,300})",
    re.ASCII,
)
_ADDRESS = re.compile(r"([0-9a-fA-F:.]{2,45})/128(?=\s|$)", re.ASCII)
_ADDRESSES = 16  # in one line, at most


def read(line: Line, teller: Teller) -> bool:
    """The addresses of one identity association; odhcpd names no lease time."""
    found = _LEASE.match(line.text)
    if found is None:
        if line.program not in PROGRAMS:
            return False
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
        return True
    kind, duid, listed = found.groups()
    mac = duid_station(duid.lower())
    told = 0
    for text in _ADDRESS.findall(listed)[:_ADDRESSES]:
        ip = holdable(text)
        if mac and ip is not None:
            teller.claim(line.seen_ns, Evidence.DHCPV6, mac, ip, released=kind in ("RELEASE", "DECLINE"))
            told += 1
    if not told:
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
    return True


PROGRAMS = frozenset(
    ("netifd", "odhcpd", "procd", "dropbear", "urandom_seed", "ubusd", "logd", "usteer", "dawn", "udhcpc")
)

GRAMMAR = Grammar(
    "openwrt", read, PROGRAMS, ("DHCPV6 REQUEST ", "DHCPV6 RENEW ", "DHCPV6 REBIND ", "DHCPV6 RELEASE ")
)
