"""Ruckus ZoneDirector, Unleashed and SmartZone: who joined, roamed and left, and what it carried.

SmartZone (Alarm and Event Reference Guide, client events 201 to 209): `@@202,clientJoin,"apMac"="..",..`.
ZoneDirector: `User[name@MAC] joins WLAN[ssid] from AP[name@MAC]`, and `stamgr` (operation=add;sta_ip=..).
SmartZone counts from the access point: what it received (rx) went out from the client.
"""

import re

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.pairs import quoted_pairs
from appliance.feeds.syslog.telling import refuse
from appliance.feeds.syslog.words import counter, device, held_ip, ssid, user, vlan
from appliance.feeds.told import NOWHERE, Teller
from appliance.model.reasons import Evidence, Refusal

_SMARTZONE = re.compile(r"(?:^|[ ,])@@\d{1,5},([A-Za-z]\w{1,63}),")
_WANTED = frozenset(
    {"apMac", "toApMac", "clientMac", "ssid", "userName", "vlanId", "clientIP", "clientIp"}
    | {"rxBytes", "txBytes"}
)
_JOINED = frozenset(
    {"clientJoin", "clientRoaming", "clientRoamingIn", "clientAuthorization", "clientInfoUpdate"}
    | {"clientGracePeriod", "remediationSuccess"}
)
_LEFT = frozenset(
    {"clientLeave", "clientDisconnect", "clientInactivityTimeout", "clientSessionExpiration"}
    | {"clientRoamingOut", "forceDHCPDisconnect", "smartRoamDisconnect"}
)
_FAILED = frozenset({"clientJoinFailure", "clientAuthFailure", "clientJoinFailureAPBusy", "wdsDeviceJoin"})

_EVENT = re.compile(
    r"\bUser\[([^\]]{1,160})\] (?:\w{1,12} )?"
    r"(joins|rejoins|roams|leaves|disconnects|left|timed out)\b(.{0,400})"
)
_DETECTS = re.compile(r"\bdetects User\[([^\]]{1,160})\] in WLAN\[([^\]]{0,64})\] roams? from AP\[")
_WLAN = re.compile(r"\bWLAN\[([^\]]{0,64})\]")
_AP = re.compile(r"\b(from|at|with|to|out from)? ?AP\[(?:[^\]@]{0,64}@)?([0-9A-Fa-f:]{17})\]")
_STAMGR = re.compile(r"\boperation=(add|update|del|delete|remove);")
_PART = re.compile(r"(?:^|;)(sta_ip|sta_mac|zd/ap|sta_name)=([^;]{0,160})")


def _who(text: str) -> tuple[int, str]:
    """`MAC`, `name@MAC` or `name` in brackets to (MAC, user)."""
    name, sign, mac = text.rpartition("@")
    number = station(mac)
    return (number, user(name)) if number and sign else (number, "")


def _smartzone(line: Line, teller: Teller, kind: str, text: str) -> bool:
    if kind in _FAILED:
        return refuse(teller, Refusal.NOT_ASSOCIATED)
    fields = quoted_pairs(text, _WANTED)
    if fields is None:
        return refuse(teller, Refusal.BAD_MESSAGE)
    said = fields.get
    mac = station(said("clientMac", ""))
    if kind not in _JOINED | _LEFT or not mac:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    ap_mac = device(said("toApMac", "") or said("apMac", "")) or line.ap_mac
    gone, ip = kind in _LEFT, held_ip(said("clientIP", "") or said("clientIp", ""))
    carried = (counter(said("rxBytes", "")), counter(said("txBytes", "")))
    for each in dict.fromkeys((ip, NOWHERE)):
        teller.claim(
            line.seen_ns, Evidence.ASSOCIATION, mac, each, ap_mac=ap_mac, vlan=vlan(said("vlanId", "")),
            ssid=ssid(said("ssid", "")), user=user(said("userName", "")), released=gone,
            octets=carried if each == NOWHERE else (0, 0),
        )  # fmt: skip
    if ap_mac:
        teller.spoken_by.add(ap_mac)
    return True


def _event(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    mac, name = _who(found[1])
    if not mac:
        return refuse(teller, Refusal.NO_ADDRESSES)
    network, points = _WLAN.search(found[3]), _AP.findall(found[3])
    gone = found[2] not in ("joins", "rejoins", "roams")
    named = [point for way, point in points if way == "to"] or [point for _, point in points]
    ap_mac = device(named[-1] if found[2] == "roams" else named[0]) if named else 0
    return _tell(line, teller, mac, ap_mac, network[1] if network else "", name, gone)


def _tell(line: Line, teller: Teller, mac: int, ap_mac: int, network: str, name: str, gone: bool) -> bool:
    ap_mac = ap_mac or line.ap_mac
    teller.claim(
        line.seen_ns, Evidence.ASSOCIATION, mac, ap_mac=ap_mac, ssid=ssid(network), user=name, released=gone
    )
    if ap_mac:
        teller.spoken_by.add(ap_mac)
    return True


def _stamgr(line: Line, teller: Teller, operation: str) -> bool:
    parts = dict(_PART.findall(line.text))
    mac, ip = station(parts.get("sta_mac", "")), held_ip(parts.get("sta_ip", ""))
    if not mac:
        return refuse(teller, Refusal.NO_ADDRESSES)
    ap_mac = device(parts.get("zd/ap", "").partition("/")[2]) or line.ap_mac
    gone, name = operation not in ("add", "update"), user(parts.get("sta_name", ""))
    teller.claim(line.seen_ns, Evidence.ASSOCIATION, mac, ip, ap_mac=ap_mac, user=name, released=gone)
    if ip != NOWHERE:
        return _tell(line, teller, mac, ap_mac, "", name, gone)
    return True


def _read(line: Line, teller: Teller) -> bool:
    text = line.text
    found = _SMARTZONE.search(text)
    if found is not None:
        return _smartzone(line, teller, found[1], text[found.end() :])
    found = _DETECTS.search(text)
    if found is not None:
        (mac, name), point = _who(found[1]), _AP.search(text)
        return (
            _tell(line, teller, mac, device(point[2]) if point else 0, found[2], name, False)
            if mac
            else refuse(teller, Refusal.NO_ADDRESSES)
        )
    found = _EVENT.search(text)
    if found is not None:
        return _event(line, teller, found)
    found = _STAMGR.search(text)
    if found is not None and "sta_mac=" in text:
        return _stamgr(line, teller, found[1])
    return False


GRAMMAR = Grammar("ruckus", _read, programs=frozenset({"stamgr"}), needles=("@@", "User[", "sta_mac="))
