"""dnsmasq's DHCP and DHCPv6 lines (dnsmasq 2.x, src/rfc2131.c `log_packet`, src/rfc3315.c `log6_packet`).

They name no lease time, unless --log-dhcp is set. What dnsmasq says as a name server is refused as content
before it comes here.
"""

import re

from appliance.feeds.syslog.addresses import address, duid_station, holdable, station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.leases import lease_end
from appliance.feeds.told import NOWHERE, Address, Teller
from appliance.model.reasons import Evidence, Refusal

_LEASE = re.compile(
    r"(?:(\d{1,10}) )?(DHCPACK|DHCPRELEASE|BOOTP|DHCPREPLY|DHCPDECLINE)\(([^)\s]{1,32})\) "
    r"([0-9a-fA-F.:]{2,45}) ([0-9a-fA-F:-]{11,})(?: (unknown lease|not mine))?",
    re.ASCII,
)
"""`DHCPACK(br-lan) 192.168.1.5 aa:bb:cc:dd:ee:ff name`; with --log-dhcp a transaction number before it."""

_BESIDE = re.compile(
    r"(\d{1,10}) (?:client MAC address: ([0-9a-f:]{17})(?=\s|$)"
    r"|sent size: +\d+ option: 51 lease-time +((?:\d{1,9}[dhms]){1,4})(?=\s|$)"
    r"|nest size: +\d+ option: +5 iaaddr +([0-9a-f:.]{2,45}) PL=\d+ VL=(\d{1,10})(?=\s|$))",
    re.ASCII,
)
"""What --log-dhcp says around it, in the same transaction: the client's own MAC, which a DUID need not hold,
before a DHCPREPLY, and the lease time after the address (src/util.c `prettyprint_time`)."""
_PART = re.compile(r"(\d+)([dhms])", re.ASCII)
_UNIT_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_REMEMBERED = 1024  # transactions of one sender: each is over within the second

_TAGGED = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f:]{17})", re.ASCII)
"""A MAC; the hardware type stands before it where that is not Ethernet."""


def read(line: Line, teller: Teller) -> bool:
    """A lease given or given back; everything else that the DHCP server says tells nothing."""
    found = _LEASE.match(line.text)
    if found is not None:
        is_told = _lease(line, teller, found)
    elif line.program in PROGRAMS:
        is_told = _beside(line, teller)
    else:
        return False
    if not is_told:
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
    return True


def _lease(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    number, kind, _, ip_text, who, unknown = found.groups()
    ip = holdable(ip_text)
    is_v6 = ":" in ip_text
    tagged = None if is_v6 else _TAGGED.fullmatch(who)
    mac = duid_station(who) if is_v6 else station(tagged[1]) if tagged else 0
    if is_v6 and number:
        mac = line.exchanges.get((line.host, number), (mac, NOWHERE))[0] or mac
    if ip is None or mac == 0 or unknown:
        return False
    is_over = kind in ("DHCPRELEASE", "DHCPDECLINE")
    if number and not is_over:
        _remember(line, number, mac, ip)
    teller.claim(line.seen_ns, Evidence.DHCPV6 if is_v6 else Evidence.DHCP, mac, ip, released=is_over)
    return True


def _beside(line: Line, teller: Teller) -> bool:
    """The claim again, with the end of the lease that the transaction gave."""
    found = _BESIDE.match(line.text)
    if found is None:
        return False
    number, mac_text, lease_time, ip_text, valid = found.groups()
    if mac_text is not None:
        _remember(line, number, station(mac_text), NOWHERE)
        return False
    mac, ip = line.exchanges.get((line.host, number), (0, NOWHERE))
    if ip == NOWHERE or (ip_text is not None and address(ip_text) != ip):
        return False
    if ip_text is not None:
        seconds = int(valid)
    else:
        seconds = sum(int(amount) * _UNIT_S[unit] for amount, unit in _PART.findall(lease_time))
    until_ns = lease_end(line.seen_ns, seconds)
    if until_ns == 0:
        return False
    evidence = Evidence.DHCPV6 if ip_text is not None else Evidence.DHCP
    teller.claim(line.seen_ns, evidence, mac, ip, until_ns=until_ns)
    return True


def _remember(line: Line, number: str, mac: int, ip: Address) -> None:
    exchanges = line.exchanges
    if len(exchanges) >= _REMEMBERED:
        del exchanges[next(iter(exchanges))]
    exchanges[line.host, number] = (mac, ip)


PROGRAMS = frozenset(("dnsmasq", "dnsmasq-dhcp", "dnsmasq-tftp", "dnsmasq-script"))

GRAMMAR = Grammar("dnsmasq", read, PROGRAMS, ("DHCPACK(", "DHCPREPLY(", "DHCPRELEASE("))
