"""UniFi access points and gateways: hostapd, wevent, stahtd and CEF (UniFi Network 9 and later).

An access point says its own MAC in the header (`line.ap_mac`). `EVENT_STA_JOIN ath0: MAC / 4`, `.._LEAVE`,
`.._IP`; `stahtd_dump_event(): {"message_type":"STA_ASSOC_TRACKER",..}`; CEF 400 connected, 401 disconnected,
402 roamed. Lines about names that stations asked for (`dns timeout`, `QUERY`) and CEF that names a site are
refused whole. Packets that the gateway logs are netfilter's lines and are read by that grammar.
"""

import re

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.pairs import cef_pairs, json_pairs
from appliance.feeds.syslog.telling import instant, is_last_place, refuse
from appliance.feeds.syslog.words import device, held_ip, ssid, vlan
from appliance.feeds.told import NOWHERE, Address, Teller
from appliance.model.instants import from_iso
from appliance.model.reasons import Evidence, Refusal

_MAC = r"([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})"
_WEVENT = re.compile(rf"\bEVENT_STA_(JOIN|LEAVE|IP) (\S{{1,32}}): {_MAC}(?: / (\S{{1,45}}))?", re.ASCII)
_HOSTAPD = re.compile(
    rf"(?:^|[ :])([\w.-]{{1,32}}): STA {_MAC} IEEE 802\.11: (associated|disassociated|deauthenticated)",
    re.ASCII,
)
_TRACKER = re.compile(r"\bstahtd_dump_event\(\): ?(?=\{)")
_TRACKED = frozenset({"event_type", "mac", "vap", "sta_dc_reason"})
_JOINED = frozenset({"association", "success", "sta_roam", "sta_assoc", "sta_join", "roam", "reassociation"})
_LEFT = frozenset({"sta_leave", "disassociation", "leave"})
_GONE = frozenset({"sta left", "sta_leave", "disassociated", "deauthenticated"})
_CEF = re.compile(r"\bCEF:0\|Ubiquiti\|UniFi[^|]{0,32}\|[^|]{0,32}\|([^|]{1,32})\|([^|]{1,80})\|[^|]{1,16}\|")
_WANTED = frozenset(
    {"UNIFIclientMac", "UNIFIclientIp", "UNIFIconnectedToDeviceMac", "UNIFIlastConnectedToDeviceMac"}
    | {"UNIFIwifiName", "UNIFInetworkVlan", "UNIFIutcTime"}
)
_NAMING = (" UNIFIdstDomain=", " UNIFIdomain=", " request=", " app=", " dhost=", " UNIFIurl=")


def _claim(
    line: Line, teller: Teller, mac: int, released: bool, ip: Address = NOWHERE, *, ap_mac: int = 0,
    network: str = "", tag: int = -1, seen_ns: int = 0, radio: str = "",
) -> bool:  # fmt: skip
    """With an access point, and at an address if one is said."""
    if not mac:
        return refuse(teller, Refusal.NO_ADDRESSES)
    ap_mac = ap_mac or line.ap_mac
    if radio and not is_last_place(line, mac, f"{ap_mac or line.host} {radio}", released):
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    for each in dict.fromkeys((ip, NOWHERE)):
        teller.claim(
            seen_ns or line.seen_ns, Evidence.ASSOCIATION, mac, each,
            ap_mac=ap_mac, ssid=network, vlan=tag, released=released,
        )  # fmt: skip
    if ap_mac:
        teller.spoken_by.add(ap_mac)
    return True


def _tracked(line: Line, teller: Teller, text: str) -> bool:
    """A JSON object, of which every value is a text, and what may stand behind it."""
    fields = json_pairs(text, _TRACKED)
    if fields is None:
        return refuse(teller, Refusal.BAD_MESSAGE)
    kind, why = fields.get("event_type", ""), fields.get("sta_dc_reason", "")
    if kind.startswith("dns") or '"query' in text:
        return refuse(teller, Refusal.CONTENT)
    if kind == "deny":
        return refuse(teller, Refusal.NOT_ASSOCIATED)
    if kind not in _JOINED | _LEFT and why not in _GONE:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    return _claim(
        line,
        teller,
        station(fields.get("mac", "")),
        kind in _LEFT or why in _GONE,
        radio=fields.get("vap", ""),
    )


def _cef(line: Line, teller: Teller, found: "re.Match[str]") -> bool:
    text = line.text[found.end() :]
    spaced = f" {text}"
    if any(sign in spaced for sign in _NAMING):
        return refuse(teller, Refusal.CONTENT)
    name = found[2].lower()
    if "client" not in name or not any(verb in name for verb in ("connected", "roamed")):
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    fields = cef_pairs(text, _WANTED)
    if fields is None:
        return refuse(teller, Refusal.BAD_MESSAGE)
    if "wifi" not in name:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    said, gone = fields.get, "disconnected" in name
    at = said("UNIFIlastConnectedToDeviceMac" if gone else "UNIFIconnectedToDeviceMac", "")
    try:
        stated_ns = from_iso(said("UNIFIutcTime", ""))
    except ValueError:
        stated_ns = 0
    seen_ns, _ = instant(line, stated_ns, teller)
    return _claim(
        line, teller, station(said("UNIFIclientMac", "")), gone, held_ip(said("UNIFIclientIp", "")),
        ap_mac=device(at), network=ssid(said("UNIFIwifiName", "")), tag=vlan(said("UNIFInetworkVlan", "")),
        seen_ns=seen_ns,
    )  # fmt: skip


def _read(line: Line, teller: Teller) -> bool:
    text = line.text
    found = _CEF.search(text) if "CEF:0|" in text else None
    if found is not None:
        return _cef(line, teller, found)
    found = _TRACKER.search(text) if "stahtd_" in text else None
    if found is not None:
        return _tracked(line, teller, text[found.end() :])
    found = _WEVENT.search(text)
    if found is not None:
        ip = held_ip(found[4] or "") if found[1] == "IP" else NOWHERE
        return _claim(line, teller, station(found[3]), found[1] == "LEAVE", ip, radio=found[2])
    found = _HOSTAPD.search(text)
    if found is not None:
        return _claim(line, teller, station(found[2]), found[3] != "associated", radio=found[1])
    if "[STA_TRACKER]" in text or "STA-TRACKER" in text:
        return refuse(teller, Refusal.CONTENT if "QUERY" in text else Refusal.NOTHING_TO_KEEP)
    if "wireless_agg_stats." in text or "ubnt_custom_event" in text:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    return False


GRAMMAR = Grammar(
    "unifi",
    _read,
    programs=frozenset({"wevent", "stahtd", "libubnt", "mcad"}),
    needles=("EVENT_STA_", "stahtd_dump_event", "STA_TRACKER", "CEF:0|Ubiquiti", "wireless_agg_stats."),
)
