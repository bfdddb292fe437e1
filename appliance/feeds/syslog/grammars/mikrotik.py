"""MikroTik RouterOS 6 and 7: firewall, NAT, DHCP, wireless, wifi, CAPsMAN, hotspot; with BSD headers or not.

A firewall line is one packet: `forward: in:ether2 out:ether1, connection-state:new src-mac M, proto TCP
(SYN), A:p->B:q, NAT (A:p->N:n)->B:q, len 60` (https://help.mikrotik.com/docs, Firewall, Filter). The
action is not said; a packet was sent in any case (see `telling`). `src-mac` is the last hop's. An interface's
name is no SSID. Hotspot: `alice (10.5.50.4): logged in`, where a MAC may stand for the user. Wireless:
https://manual.mikrotik.com/docs/wireless/abgn/wireless-troubleshooting.
"""

import re

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.telling import Beside, Carried, Ends, is_last_place, refuse, tell_flow
from appliance.feeds.syslog.words import counter, endpoint, held_ip, protocol, user
from appliance.feeds.told import NOWHERE, Address, Teller
from appliance.model.reasons import Evidence, Refusal

_MAC = r"([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})"
_PACKET = re.compile(
    r", proto ([\w-]{1,20})(?: \([^)]{0,80}\))?,"
    r" ([0-9A-Fa-f.:\[\]]{2,48})->([0-9A-Fa-f.:\[\]]{2,48})(?=, )"
)
_SOURCE_MAC = re.compile(rf"\bsrc-mac {_MAC}")
_NAT = re.compile(r", NAT (\S{1,200}),")
_LENGTH = re.compile(r", len (\d{1,5})\b")
_LEASE = re.compile(
    rf"(?:^| )(assigned|deassigned) ([0-9A-Fa-f.:]{{2,45}}) (?:to|for|from) {_MAC}(?= |$)", re.ASCII
)
_STATION = re.compile(
    rf"(?:^| ){_MAC}@([^@]{{1,40}}?):? (connected|disconnected|roamed to)(?=[, ]|$)", re.ASCII
)
_GUEST = re.compile(r"(?:^| )(\S{1,128}) \(([0-9A-Fa-f.:]{2,45})\): logged (in|out)(?=:|$)")
_TOPICS = re.compile(r"(?:[a-z][a-z0-9-]{1,19},){1,4}[a-z]{2,12}(?= )")
_OWN_TOPICS = ("dhcp,", "wireless,", "wifi,", "caps,", "hotspot,", "system,", "firewall,", "interface,")


def _translated(text: str) -> tuple[Address, int, Address, int]:
    """`(a:p->n:q)->b:r`, `a:p->(b:q->n:r)` or both: what source and destination became."""
    source, destination = (NOWHERE, -1), (NOWHERE, -1)
    first, closed, behind = text.partition(")->")
    if first.startswith("(") and closed:
        source = endpoint(first.rpartition("->")[2])
    else:
        behind = text.partition("->(")[2]
    if behind.endswith(")") and "->" in behind:
        destination = endpoint(behind.lstrip("(").rstrip(")").rpartition("->")[2])
    return *source, *destination


def _packet(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    text = line.text
    (src, src_port), (dst, dst_port) = endpoint(found[2]), endpoint(found[3])
    mac, length = _SOURCE_MAC.search(text), _LENGTH.search(text, found.end())
    nat = _NAT.match(text, found.end())
    became = _translated(nat[1]) if nat else (NOWHERE, -1, NOWHERE, -1)
    return tell_flow(
        line,
        teller,
        Ends(src, dst, protocol(found[1]), src_port, dst_port),
        Carried(packets=1, octets=counter(length[1]) if length else 0),
        Beside(*became, src_mac=station(mac[1]) if mac else 0),
    )


def _lease(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    mac, ip = station(found[3]), held_ip(found[2])
    if not mac or ip == NOWHERE:
        return refuse(teller, Refusal.NO_ADDRESSES)
    teller.claim(line.seen_ns, Evidence.DHCP, mac, ip, released=found[1] == "deassigned")
    return True


def _station(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    mac = station(found[1])
    if not mac:
        return refuse(teller, Refusal.NO_ADDRESSES)
    gone = found[3] == "disconnected"
    if not is_last_place(line, mac, f"{line.host} {found[2]}", gone):
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    teller.claim(line.seen_ns, Evidence.ASSOCIATION, mac, ap_mac=line.ap_mac, released=gone)
    return True


def _guest(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    """Who has an address, as the portal says, which names no MAC unless it stands for the user."""
    mac, name, at = station(found[1]), user(found[1]), held_ip(found[2])
    if at == NOWHERE or not (mac or name):
        return refuse(teller, Refusal.NO_ADDRESSES)
    teller.claim(line.seen_ns, Evidence.ASSOCIATION, mac, at, user=name, released=found[3] == "out")
    return True


_FORMS = (
    (", proto ", _PACKET, _packet),
    ("assigned ", _LEASE, _lease),
    ("@", _STATION, _station),
    ("): logged ", _GUEST, _guest),
)
"""Without its sign a pattern cannot be found: to look for that first is much quicker."""


def _read(line: Line, teller: Teller) -> bool:
    text = line.text
    for sign, pattern, tell in _FORMS:
        found = pattern.search(text) if sign in text else None
        if found is not None:
            return tell(line, teller, found)
    if _TOPICS.match(text):
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    return False


GRAMMAR = Grammar(
    "mikrotik",
    _read,
    programs=frozenset({"forward", "input", "output", "prerouting", "postrouting", "srcnat", "dstnat"}),
    needles=(", proto ", "assigned ", "connected", " roamed to ", "): logged ", *_OWN_TOPICS),
)
