"""Aruba controllers (ArubaOS 6 to 8) and Instant access points: stations and the users behind them.

ArubaOS Syslog Messages Reference Guide: 501100 `Assoc success @ T: MAC: AP IP-BSSID-NAME`, 501080, 501102,
501105 and 501106 (station left), 522008 (user authenticated), 522005 and 522006 (user entry), 522026 (user
miss). The MAC in the middle of `IP-BSSID-NAME` is the BSSID. The name of a user who is a machine is not kept.
"""

import re

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.pairs import pairs
from appliance.feeds.syslog.telling import refuse
from appliance.feeds.syslog.words import device, held_ip, ssid, user, vlan
from appliance.feeds.told import NOWHERE, Teller
from appliance.model.reasons import Evidence, Refusal

_MAC = r"([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})"
_JOINED = re.compile(rf"\b(?:Assoc|Reassoc) success @ [\d:.]{{1,20}}: {_MAC}:? ?(.{{0,120}})", re.ASCII)
_LEFT = re.compile(
    rf"\b(?:Deauth|Disassoc|deauth|disassoc)\w* (?:from|to) sta:? {_MAC}:? ?(.{{0,120}})", re.ASCII
)
_BSSID = re.compile(rf"\bAP [0-9A-Fa-f.:]{{2,45}}-{_MAC}-", re.ASCII)
_ONLINE = re.compile(
    rf"\brecv_sta_(online|offline): receive station msg, mac-{_MAC} bssid-{_MAC} (?:essid|ssid)-(.{{0,32}})"
)
_USER = re.compile(r"\b(User Authentication Successful|User entry added|User entry deleted|User miss)\b")
_WANTED = frozenset({"MAC", "IP", "VLAN"})
_NAME = re.compile(r"\busername=(.{0,128}?) MAC=")
_SSID = re.compile(r"\bSSID=(.{0,32}?)(?: AAA profile=| auth method=|$)")


def _with_ap(
    line: Line, teller: Teller, mac: int, rest: str, *, released: bool, network: str = "", ap_mac: int = 0
) -> bool:
    if not mac:
        return refuse(teller, Refusal.NO_ADDRESSES)
    at = _BSSID.search(rest)
    ap_mac = ap_mac or (device(at[1]) if at else 0) or line.ap_mac
    if (
        released and not at and "roamed to another AP" in rest
    ):  # it is still with the network, and not with whom
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    teller.claim(line.seen_ns, Evidence.ASSOCIATION, mac, ap_mac=ap_mac, ssid=network, released=released)
    if ap_mac:
        teller.spoken_by.add(ap_mac)
    return True


def _user(line: Line, teller: Teller, kind: str) -> bool:
    fields = pairs(line.text, _WANTED)
    if fields is None:
        return refuse(teller, Refusal.BAD_MESSAGE)
    mac, ip = station(fields.get("MAC", "")), held_ip(fields.get("IP", ""))
    if not mac or ip == NOWHERE:
        return refuse(teller, Refusal.NO_ADDRESSES)
    name, network = _NAME.search(line.text), _SSID.search(line.text)
    teller.claim(
        line.seen_ns,
        Evidence.ASSOCIATION,
        mac,
        ip,
        ap_mac=line.ap_mac,
        vlan=vlan(fields.get("VLAN", "")),
        ssid=ssid(network[1]) if network else "",
        user=user(name[1]) if name else "",
        released=kind == "User entry deleted",
    )
    return True


def _read(line: Line, teller: Teller) -> bool:
    text = line.text
    found = _JOINED.search(text)
    if found is not None:
        return _with_ap(line, teller, station(found[1]), found[2], released=False)
    found = _LEFT.search(text)
    if found is not None:
        return _with_ap(line, teller, station(found[1]), found[2], released=True)
    found = _ONLINE.search(text)
    if found is not None:
        gone, network = found[1] == "offline", ssid(found[4].rstrip(". "))
        return _with_ap(
            line, teller, station(found[2]), "", released=gone, network=network, ap_mac=device(found[3])
        )
    found = _USER.search(text)
    if found is not None and "MAC=" in text:
        return _user(line, teller, found[1])
    if "> <NOTI>" in text or "> <INFO>" in text or "> <WARN>" in text:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    return False


GRAMMAR = Grammar(
    "aruba",
    _read,
    programs=frozenset({"stm", "authmgr"}),
    needles=("ssoc success @ ", " sta: ", "recv_sta_o", "User entry ", "User Authentication Successful"),
)
