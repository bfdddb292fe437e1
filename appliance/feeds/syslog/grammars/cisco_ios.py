"""Cisco IOS and IOS XE: access lists that log (packets counted) and translations made and deleted.

`%SEC-6-IPACCESSLOGP: list 101 permitted tcp 10.0.0.1(1234) (Vlan10 aabb.ccdd.eeff) -> 192.0.2.1(80), 3
packets`, DP and NP without ports, RP and SP of IGMP, and `%IPV6-6-ACCESSLOGP`; octets are not said. A line
counts the packets since the last one of the same ends, denied or permitted (see `telling`).

`%IPNAT-6-CREATED: tcp LOCAL:p GLOBAL:q OUTSIDE:r OUTSIDE:r`, `%NAT-6-LOG_TRANSLATION: Created Translation`:
releases disagree which of the first two is inside, so it is the one that is not routed in the Internet;
where that does not tell, nothing is believed.
"""

import re
from ipaddress import ip_address

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.telling import Beside, Carried, Ends, refuse, tell_flow
from appliance.feeds.syslog.words import counter, endpoint, ip, port, protocol
from appliance.feeds.told import NOWHERE, Teller
from appliance.model.reasons import Refusal

_IP = r"([0-9A-Fa-f.:]{2,45})"
_MAC = r"([0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5})"
_ACCESS = re.compile(
    r"%[A-Z0-9_]{1,16}-6-(?:IP)?ACCESSLOG(?:P|DP|NP|RP|SP): .{0,60}?\blist \S{1,64} (?:permitted|denied) "
    rf"([\w-]{{1,16}}) (?:{_MAC} )?{_IP}(?:\((\d{{1,5}})\))?(?: \([^)]{{0,60}}\)| [\w/.]{{1,40}}-?)? ?-> "
    rf"{_IP}(?:\((\d{{1,5}})\))?(?: \([\d/]{{1,9}}\))?, (\d{{1,10}}) packet"
)
_BEFORE_MAC = re.compile(rf"\(\S{{1,40}} {_MAC}\) ?->")
_PAIR = r"([0-9A-Fa-f.]{7,15}:\d{1,5})"
_TRANSLATION = re.compile(
    rf"(?:%IPNAT-6-(?:CREATED|DELETED|NAT): ?|%NAT-6-LOG_TRANSLATION: ?|\bNAT:).{{0,80}}?\b"
    rf"(created|deleted) ?:?(?:translation )?\s*(\w{{2,8}})"
    rf" {_PAIR}(?: \d{{1,5}})? {_PAIR} {_PAIR}(?: {_PAIR})?",
    re.IGNORECASE,
)
_SHORT = re.compile(
    rf"%IPNAT-6-(CREATED|DELETED): ?(\w{{2,8}}) {_PAIR} {_PAIR} {_PAIR}(?: {_PAIR})?", re.IGNORECASE
)


def _access(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    name, mac, src, src_port, dst, dst_port, packets = found.groups()
    beside = _BEFORE_MAC.search(line.text) if mac is None else None
    mac = mac or (beside[1] if beside else "")
    ends = Ends(ip(src), ip(dst), protocol(name), port(src_port or ""), port(dst_port or ""))
    return tell_flow(line, teller, ends, Carried(packets=counter(packets)), Beside(src_mac=station(mac)))


def _is_routed(pair: str) -> bool:
    try:
        return ip_address(pair.partition(":")[0]).is_global
    except ValueError:
        return False


def _translated(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    how, name, first, second, outside, _ = found.groups()
    if _is_routed(first) == _is_routed(second) and first != second:
        return refuse(teller, Refusal.BAD_MESSAGE)
    inside, became = (second, first) if _is_routed(first) and not _is_routed(second) else (first, second)
    (ip, inner), (nat, outer), (peer, peer_port) = endpoint(inside), endpoint(became), endpoint(outside)
    number = protocol(name)
    if NOWHERE in (ip, nat) or number < 0:
        return refuse(teller, Refusal.NO_ADDRESSES)
    teller.translation(
        seen=line.seen_ns, ip_hi=ip[0], ip_lo=ip[1], port=max(inner, 0),
        nat_ip_hi=nat[0], nat_ip_lo=nat[1], nat_port=max(outer, 0), nat_port_last=max(outer, 0),
        peer_ip_hi=peer[0], peer_ip_lo=peer[1], peer_port=max(peer_port, 0),
        protocol=number, released=how.lower() == "deleted",
    )  # fmt: skip
    return True


def _read(line: Line, teller: Teller) -> bool:
    text = line.text
    found = _ACCESS.search(text)
    if found is not None:
        return _access(line, teller, found)
    found = _SHORT.search(text) or _TRANSLATION.search(text)
    if found is not None:
        return _translated(line, teller, found)
    if "ACCESSLOG" in text and "%" in text:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    return False


GRAMMAR = Grammar(
    "cisco-ios", _read, needles=("ACCESSLOG", "%IPNAT-6-", "LOG_TRANSLATION", "NAT:Created", "NAT:Deleted")
)
