"""Cisco wireless: AireOS and Catalyst 9800 controllers, autonomous access points; associations, neighbours.

`%CLIENT_ORCH_LOG-6-CLIENT_ADDED_TO_RUN_STATE` (user, SSID, MAC; IP where it is said), `%APF-6-USER_NAME_..`,
`%DOT11-6-ASSOC`, `ROAMED`, `DISASSOC`, and `%SISF-6-ENTRY_..`, the controller's own table of who holds an
address (A=..) under which MAC (M=..). Cisco IOS XE System Message Guide; Cisco Wireless
Controller System Message Guide. The name in `Station [name] MAC` is a device's and is not read.
"""

import re

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.telling import refuse
from appliance.feeds.syslog.words import device, held_ip, ssid, user
from appliance.feeds.told import NOWHERE, Address, Teller
from appliance.model.reasons import Evidence, Refusal

_MAC = r"([0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}|[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5})"
_MNEMONIC = re.compile(r"%([A-Z0-9_]{1,32})-(?:[A-Z0-9_]{1,16}-)?[0-7]-([A-Z0-9_]{1,48}): ?")
_ENTRY = re.compile(r"\bUsername entry \((.{0,128}?)\)")
_SSID = re.compile(r"\bssid \(([^)]{0,64})\)")
_CLIENT_MAC = re.compile(rf"\bMAC:? \(?{_MAC}")
_CLIENT_IP = re.compile(r"\bIP(?:v[46])?(?: address)?:? \(?([0-9A-Fa-f.:]{2,45})\b")
_AP_MAC = re.compile(rf"\bAP(?: MAC)?:? ?\(?{_MAC}\b")
_MOBILE = re.compile(rf"\b(created|deleted|is deleted) for mobile {_MAC}")
_STATION = re.compile(rf"\bStation (?:\[[^\]]{{0,64}}\] ?|\S{{1,64}} )?{_MAC}")
_NEIGHBOUR = re.compile(rf"\bEntry (created|changed|deleted) A=(\S{{2,45}}) .{{0,60}}?\bM={_MAC}")

_ADDED = frozenset({"CLIENT_ADDED_TO_RUN_STATE", "CLIENT_IP_UPDATED", "CLIENT_MOVED_TO_RUN_STATE"})
_REMOVED = frozenset({"CLIENT_DELETED", "CLIENT_MOVED_TO_DELETE_STATE", "CLIENT_DELETE_REASON"})
_ABOUT_ITSELF = frozenset(
    {"AAA", "APF", "APMGR_AWIPS_SYSLOG", "CAPWAP", "DOT1X", "DTL", "LWAPP", "RRM", "WIDS", "WPS"}
)
_V4_HI = 0


def _claim(
    line: Line,
    teller: Teller,
    mac: int,
    released: bool,
    ip: Address = NOWHERE,
    network: str = "",
    name: str = "",
) -> bool:
    if not mac:
        return refuse(teller, Refusal.NO_ADDRESSES)
    found = _AP_MAC.search(line.text)
    ap_mac = (device(found[1]) if found else 0) or line.ap_mac
    for each in dict.fromkeys((ip, NOWHERE)):
        teller.claim(
            line.seen_ns, Evidence.ASSOCIATION, mac, each,
            ap_mac=ap_mac, ssid=ssid(network), user=user(name), released=released,
        )  # fmt: skip
    if ap_mac:
        teller.spoken_by.add(ap_mac)
    return True


def _orchestrated(line: Line, teller: Teller, mnemonic: str, text: str) -> bool:
    if mnemonic not in _ADDED | _REMOVED:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    mac, network, name, ip = (pattern.search(text) for pattern in (_CLIENT_MAC, _SSID, _ENTRY, _CLIENT_IP))
    return _claim(
        line,
        teller,
        station(mac[1]) if mac else 0,
        mnemonic in _REMOVED,
        held_ip(ip[1]) if ip else NOWHERE,
        network=network[1] if network else "",
        name=name[1] if name else "",
    )


def _neighbour(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    """A controller's neighbour table: what it learned from ND, DHCP or ARP."""
    ip, mac = held_ip(found[2]), station(found[3])
    if ip == NOWHERE or not mac:
        return refuse(teller, Refusal.NO_ADDRESSES)
    is_v4 = ip[0] == _V4_HI and ip[1] >> 32 == 0xFFFF
    evidence = Evidence.ARP if is_v4 else Evidence.ND
    teller.claim(line.seen_ns, evidence, mac, ip, ap_mac=line.ap_mac, released=found[1] == "deleted")
    return True


def _read(line: Line, teller: Teller) -> bool:
    found = _MNEMONIC.search(line.text)
    if found is None:
        return False
    facility, mnemonic, text = found[1], found[2], line.text[found.end() :]
    if facility.startswith("CLIENT_ORCH"):
        return _orchestrated(line, teller, mnemonic, text)
    if facility == "SISF":
        neighbour = _NEIGHBOUR.search(text)
        return _neighbour(line, teller, neighbour) if neighbour else refuse(teller, Refusal.NOTHING_TO_KEEP)
    if facility == "DOT11":
        at = _STATION.search(text)
        if at is None or mnemonic not in ("ASSOC", "ROAMED", "DISASSOC", "DEAUTH"):
            return refuse(teller, Refusal.NOTHING_TO_KEEP)
        return _claim(line, teller, station(at[1]), mnemonic in ("DISASSOC", "DEAUTH"))
    mobile, name = _MOBILE.search(text), _ENTRY.search(text)
    if mobile is not None and name is not None:
        return _claim(line, teller, station(mobile[2]), mobile[1] != "created", name=name[1])
    if facility in _ABOUT_ITSELF:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    return False


GRAMMAR = Grammar(
    "cisco-wireless",
    _read,
    needles=("%CLIENT_ORCH", "%APF-", "%DOT11-", "%SISF-", "%LOG-", "%DOT1X-", "%WPS-", "%RRM-", "%LWAPP-"),
)
