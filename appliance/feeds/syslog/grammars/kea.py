"""Kea's lease messages (Kea 1.x to 2.x, src/bin/dhcp4, dhcp6) and those of its hook legal_log."""

import re

from appliance.feeds.syslog.addresses import duid_station, holdable, station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.leases import lease_end
from appliance.feeds.told import Teller
from appliance.model.reasons import Evidence, Refusal

_LEASE = re.compile(
    r"DHCP([46])_(LEASE_ALLOC|LEASE_REUSE|LEASE_RENEW|RELEASE|RELEASE_NA|RELEASE_EXPIRED) (.{0,600}?): "
    r"(?:lease|address|lease for address|binding for address|address) ([0-9a-fA-F.:]{2,45})"
    r"(?: and iaid=\d+)? (has been (?:allocated|reused|renewed)|was (?:released|expired))"
    r"(?: for (\d{1,10}) seconds)?",
    re.ASCII,
)
"""`DHCP4_LEASE_ALLOC [hwtype=1 aa:..], tid=0x..: lease 10.0.0.1 has been allocated for 60 seconds`."""

_HARDWARE = re.compile(r"hwtype=1 ([0-9a-fA-F:]{17})(?![0-9a-fA-F:])", re.ASCII)
_DUID = re.compile(r"(?:duid=\[|DUID: )([0-9a-fA-F:]{11,})(?![0-9a-fA-F:])", re.ASCII)
_LEGAL = re.compile(
    r"Address: ?([0-9a-fA-F.:]{2,45}) has been (assigned|renewed|released|rebound)"
    r"(?: for (?:(\d{1,6}) days? )?(\d{1,9}) hrs? (\d\d?) mins? (\d\d?) secs?)?",
    re.ASCII,
)
"""`Address: 10.0.0.1 has been renewed for 1 hrs 52 min 15 secs to a device with ..`."""


def read(line: Line, teller: Teller) -> bool:
    """A lease given, prolonged or given back; everything else that Kea says tells nothing."""
    text = line.text
    at = max(text.find("DHCP4_"), text.find("DHCP6_"))
    found = _LEASE.match(text, at) if at >= 0 else None
    is_told = False
    if found is not None:
        seconds = int(found[6] or 0)
        is_told = _tell(line, teller, found[4], found[3], seconds, found[5].startswith("was"))
    else:
        legal = _LEGAL.search(text)
        if legal is not None:
            days, hours, minutes, rest = (int(number or 0) for number in legal.groups()[2:])
            seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest
            is_told = _tell(line, teller, legal[1], text[legal.end() :], seconds, legal[2] == "released")
        elif at < 0 and not line.program.startswith("kea") and "[kea-dhcp" not in text:
            return False
    if not is_told:
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
    return True


def _tell(line: Line, teller: Teller, ip_text: str, who: str, seconds: int, released: bool) -> bool:
    """The claim, if the line says whose MAC it is; infinite leases have no end."""
    ip = holdable(ip_text)
    hardware, duid = _HARDWARE.search(who), _DUID.search(who)
    mac = station(hardware[1]) if hardware else 0
    mac = mac or (duid_station(duid[1]) if duid else 0)
    if ip is None or mac == 0:
        return False
    evidence = Evidence.DHCPV6 if ":" in ip_text else Evidence.DHCP
    until_ns = 0 if released else lease_end(line.seen_ns, seconds)
    teller.claim(line.seen_ns, evidence, mac, ip, until_ns=until_ns, released=released)
    return True


GRAMMAR = Grammar(
    "kea",
    read,
    frozenset(("kea-dhcp4", "kea-dhcp6", "kea-legal")),
    ("[kea-dhcp", "DHCP4_LEASE_", "DHCP4_RELEASE", "DHCP6_LEASE_", "DHCP6_RELEASE", "Address:"),
)
