"""Cisco Meraki MX, MR and MS: flows, ip_flow, association events, leases; what names sites is refused whole.

https://documentation.meraki.com, "Syslog Event Types and Log Samples" (General Administration, Monitoring).
Lines carry no counters: a flow let through is told with none, a denied one is not kept (see `telling`).
`ip_flow_start` tells the flow with its translation and opens the translation, which `ip_flow_end` closes. An
event names its access point only by its own name, so `ap_mac` is what the header or the declaration says.
"""

import re

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.pairs import pairs
from appliance.feeds.syslog.telling import Beside, Carried, Ends, is_last_place, refuse, tell_flow
from appliance.feeds.syslog.words import UNKNOWN_PROTOCOL, held_ip, ip, port, protocol, user
from appliance.feeds.told import NOWHERE, Teller
from appliance.model.reasons import Evidence, Refusal

_KIND = re.compile(
    r"(?:^|(?:^|[ >])\d{9,10}\.\d{1,9} \S{1,64} )(?:bridge_anyconnect_client_|cellular_|vpn_)?(?:vpn_)?"
    r"(flows|firewall|ip_flow_start|ip_flow_end|events|urls|security_event|ids-alerts|airmarshal_events)(?= )"
)
_FLOW = frozenset(
    {"src", "dst", "mac", "protocol", "sport", "dport"}
    | {"translated_src_ip", "translated_dst_ip", "translated_port"}
)
_LAST = frozenset({"protocol", "dport", "translated_port"})
_EVENT = frozenset({"type", "radio", "vap", "client_mac", "mac", "client_ip", "ip_src", "identity"})
_DENIED = re.compile(r"^(?:deny|block)\b|\bpattern: (?:deny\b|Group Policy Deny)", re.IGNORECASE)
_LEASE = re.compile(r"dhcp (lease|release)d?(?: of)? ip (\S{2,45}) .{0,60}?for client mac (\S{12,17})(?= |$)")
_JOINED = frozenset({"association", "wpa_auth", "8021x_auth", "8021x_eap_success", "splash_auth"})
_LEFT = frozenset({"disassociation", "wpa_deauth", "8021x_deauth", "8021x_eap_failure"})


def _flow(line: Line, teller: Teller, kind: str, text: str) -> bool:
    fields = pairs(text, _FLOW, _LAST)
    if fields is None:
        return refuse(teller, Refusal.BAD_MESSAGE)
    if _DENIED.search(text):
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    said = fields.get
    ends = Ends(
        ip(said("src", "")),
        ip(said("dst", "")),
        protocol(said("protocol", "")),
        port(said("sport", "")),
        port(said("dport", "")),
    )
    if kind.startswith("ip_flow") and "translated_port" not in fields:
        return refuse(teller, Refusal.CUT_SHORT)
    if kind in ("flows", "firewall") and not text.startswith("allow ") and "pattern: " not in text:
        return refuse(teller, Refusal.CUT_SHORT)
    outside, outside_port = ip(said("translated_src_ip", "")), port(said("translated_port", ""))
    inner, inner_port = ip(said("translated_dst_ip", "")), -1
    if outside == NOWHERE:
        inner_port, outside_port = outside_port, -1
    is_translated = kind.startswith("ip_flow") and outside != NOWHERE and ends.src != NOWHERE
    if is_translated and ends.protocol != UNKNOWN_PROTOCOL:
        _translation(line, teller, ends, (*outside, outside_port), kind == "ip_flow_end")
    elif kind == "ip_flow_end":
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    if kind == "ip_flow_end":
        return True
    beside = Beside(outside, outside_port, inner, inner_port, src_mac=station(said("mac", "")))
    return tell_flow(line, teller, ends, Carried(), beside)


def _translation(line: Line, teller: Teller, ends: Ends, outside: tuple[int, int, int], ended: bool) -> None:
    teller.translation(
        seen=line.seen_ns, ip_hi=ends.src[0], ip_lo=ends.src[1], port=max(ends.src_port, 0),
        nat_ip_hi=outside[0], nat_ip_lo=outside[1],
        nat_port=max(outside[2], 0), nat_port_last=max(outside[2], 0),
        peer_ip_hi=ends.dst[0], peer_ip_lo=ends.dst[1], peer_port=max(ends.dst_port, 0),
        protocol=ends.protocol, released=ended,
    )  # fmt: skip


def _lease(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    mac, ip = station(found[3]), held_ip(found[2])
    if not mac or ip == NOWHERE:
        return refuse(teller, Refusal.NO_ADDRESSES)
    teller.claim(line.seen_ns, Evidence.DHCP, mac, ip, released=found[1] == "release")
    return True


def _event(line: Line, teller: Teller, text: str) -> bool:
    lease = _LEASE.match(text)
    if lease is not None:
        return _lease(line, teller, lease)
    fields = pairs(text, _EVENT)
    if fields is None:
        return refuse(teller, Refusal.BAD_MESSAGE)
    kind, mac = fields.get("type", ""), station(fields.get("client_mac", "") or fields.get("mac", ""))
    if "content_filtering" in text or kind not in _JOINED | _LEFT or not mac:
        why = Refusal.CONTENT if "content_filtering" in text else Refusal.NOTHING_TO_KEEP
        return refuse(teller, why)
    ip = held_ip(fields.get("client_ip", "") or fields.get("ip_src", ""))
    identity = user(fields.get("identity", ""))
    if ip != NOWHERE:
        teller.claim(line.seen_ns, Evidence.ASSOCIATION, mac, ip, ap_mac=line.ap_mac, user=identity)
    gone, place = kind in _LEFT, " ".join((line.host, fields.get("radio", ""), fields.get("vap", "")))
    if not is_last_place(line, mac, place, gone):
        return True if ip != NOWHERE else refuse(teller, Refusal.NOTHING_TO_KEEP)
    teller.claim(line.seen_ns, Evidence.ASSOCIATION, mac, ap_mac=line.ap_mac, user=identity, released=gone)
    return True


def _read(line: Line, teller: Teller) -> bool:
    text = f"{line.program} {line.text}" if line.program in _KINDS else line.text
    found = _KIND.search(text)
    if found is None:
        return False
    kind, rest = found[1], text[found.end() :].lstrip()
    if kind in ("urls", "security_event", "ids-alerts"):
        return refuse(teller, Refusal.CONTENT)
    if kind == "airmarshal_events":
        return refuse(teller, Refusal.NOT_ASSOCIATED)
    return _event(line, teller, rest) if kind == "events" else _flow(line, teller, kind, rest)


_KINDS = frozenset({"flows", "firewall", "ip_flow_start", "ip_flow_end", "events", "urls"})

GRAMMAR = Grammar(
    "meraki",
    _read,
    programs=_KINDS,
    needles=("flows ", "ip_flow_", "firewall src=", "events type=", "events dhcp ", "events ", "urls src="),
)
