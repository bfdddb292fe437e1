"""TP-Link Omada controller (SDN 4 and 5): clients that come and go, and leases of its gateways.

`[client:name:MAC] (IP: A, Username: U) went online on [ap:name:MAC] with SSID "S" on channel 6.`, and older
wordings (`is connected to`, `is disconnected from`). Names of devices are not read. A client on a switch or
a gateway is with no access point: nothing is kept of that. Leases: `DHCP Server allocated IP address A ..`.
"""

import re

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.telling import refuse
from appliance.feeds.syslog.words import device, held_ip, ssid, user
from appliance.feeds.told import NOWHERE, Teller
from appliance.model.reasons import Evidence, Refusal

_MAC = r"([0-9A-Fa-f]{2}(?:[-:][0-9A-Fa-f]{2}){5})"
_CLIENT = re.compile(rf"\[client:(?:[^\]]{{0,128}}:)?{_MAC}\]")
_STATED = re.compile(r" \(IP: ?([0-9A-Fa-f.:]{2,45})(?:, Username: ?([^)]{0,128}))?\)")
_WAY = re.compile(
    r" {1,2}(is connected to|went online on|is roaming from"
    r"|(?:is|was) disconnected from|went offline from|failed to connect)"
)
_POINT = re.compile(rf"\[(\w{{2,8}}):(?:[^\]]{{0,128}}:)?{_MAC}\]")
_SSID = re.compile(r"\bSSID (?:\"([^\"]{1,64})\"|(\S.{0,31})$)")
_LEASE = re.compile(
    rf"\bDHCP Server allocated IP address ([0-9A-Fa-f.:]{{2,45}}) for the (?:client\[MAC: |\[client:){_MAC}\]"
)

_ABOUT_ITSELF = ("DHCP Server ", "[ap:", "[gateway:", "[switch:", "[osg:", "[osw:")


def _lease(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    mac, ip = station(found[2]), held_ip(found[1])
    if not mac or ip == NOWHERE:
        return refuse(teller, Refusal.NO_ADDRESSES)
    teller.claim(line.seen_ns, Evidence.DHCP, mac, ip)
    return True


def _client(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    text = line.text.removesuffix("#015")
    stated = _STATED.match(text, found.end())
    at = stated.end() if stated else found.end()
    way = _WAY.match(text, at)
    if way is None:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    if way[1].startswith("failed"):
        return refuse(teller, Refusal.NOT_ASSOCIATED)
    points = [point for point in _POINT.findall(text, way.end()) if point[0] == "ap"]
    networks = [quoted or bare for quoted, bare in _SSID.findall(text, way.end())]
    mac = station(found[1])
    if not mac or not points:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    moved = " and connected to SSID " in text or "roaming" in way[1]
    if "roaming" in way[1] and len(points) < 2:
        return refuse(teller, Refusal.CUT_SHORT)
    gone = not moved and ("disconnected" in way[1] or "offline" in way[1])
    ap_mac, network = device(points[-1 if moved else 0][1]), networks[-1 if moved else 0] if networks else ""
    ip, name = held_ip(stated[1]) if stated else NOWHERE, user(stated[2] or "") if stated else ""
    for each in dict.fromkeys((ip, NOWHERE)):
        teller.claim(
            line.seen_ns, Evidence.ASSOCIATION, mac, each,
            ap_mac=ap_mac, ssid=ssid(network), user=name, released=gone,
        )  # fmt: skip
    teller.spoken_by.add(ap_mac)
    return True


def _read(line: Line, teller: Teller) -> bool:
    found = _LEASE.search(line.text)
    if found is not None:
        return _lease(line, teller, found)
    found = _CLIENT.search(line.text)
    if found is not None:
        return _client(line, teller, found)
    if any(sign in line.text for sign in _ABOUT_ITSELF):
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    return False


GRAMMAR = Grammar("omada", _read, needles=("[client:", *_ABOUT_ITSELF))
