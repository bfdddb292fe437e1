"""Events of FortiGate and FortiAP: stations that come and go, leases, users at their addresses.

Log ids 43573 to 43575 and others of subtype wireless, 26001 (DHCP), 43008 to 43039 (user). What a station
asked a name server for is refused. A device's own name (`hostname`) is not read.
"""

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Line
from appliance.feeds.syslog.telling import instant, is_last_place, refuse
from appliance.feeds.syslog.words import counter, device, held_ip, ssid, user
from appliance.feeds.told import NOWHERE, Teller
from appliance.model.instants import NS
from appliance.model.reasons import Evidence, Refusal

Fields = dict[str, str]

_JOINED = frozenset({"client-authentication", "client-ip-detected", "auth-success", "client-sign-on", "roam"})
_LEFT = frozenset(
    {"client-disassociation", "client-deauthentication", "client-leave", "client-sign-off", "client-idle"}
    | {"sta-disassoc", "client-disconnected-by-wtp", "ap-fail-disassoc"}
)
_LOGGED_ON = frozenset({"fsso-logon", "auth-logon", "authentication"})
_LOGGED_OFF = frozenset({"fsso-logoff", "auth-logoff", "auth-logout"})
_NEAR = frozenset({"probe-req", "probe-resp", "auth-req", "assoc-req", "reassoc-req", "client-denial"})


def event_ns(fields: Fields) -> int:
    """UTC ns of `eventtime`, whose unit shows in its size; 0 if it is not said."""
    text = fields.get("eventtime", "")
    unit = 10 ** max(0, 9 - max(0, len(text) - 10) // 3 * 3)
    stated = counter(text) * unit
    return stated if stated < 2**63 else 0


def _wireless(line: Line, teller: Teller, fields: Fields) -> bool:
    action, mac = fields.get("action", "").lower(), station(fields.get("stamac", ""))
    if action.startswith("dns"):  # what a station asked a name server for
        return refuse(teller, Refusal.CONTENT)
    if action in _NEAR:
        return refuse(teller, Refusal.NOT_ASSOCIATED)
    if action not in _JOINED | _LEFT or not mac:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    place = " ".join(fields.get(name, "") for name in ("ap", "radioid", "vap"))
    if not is_last_place(line, mac, place.strip(), action in _LEFT):
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    seen_ns, _ = instant(line, event_ns(fields), teller)
    ap_mac = device(fields.get("bssid", "")) or line.ap_mac
    network, who = ssid(fields.get("ssid", "")), user(fields.get("user", ""))
    ip = held_ip(fields.get("srcip", "") or fields.get("ip", ""))
    for each in dict.fromkeys((ip, NOWHERE)):
        teller.claim(
            seen_ns, Evidence.ASSOCIATION, mac, each,
            ap_mac=ap_mac, ssid=network, user=who, released=action in _LEFT,
        )  # fmt: skip
    return True


def _logon(line: Line, teller: Teller, fields: Fields) -> bool:
    """A user at an address, as the portal or the directory says; no MAC is named."""
    action, ip, name = (
        fields.get("action", "").lower(),
        held_ip(fields.get("srcip", "")),
        user(fields.get("user", "")),
    )
    stated = fields.get("status", "").lower()
    failed = stated not in (
        ("success",) if action == "authentication" else ("", "success", "logon", "logout")
    )
    if action not in _LOGGED_ON | _LOGGED_OFF or failed or ip == NOWHERE or not name:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    seen_ns, _ = instant(line, event_ns(fields), teller)
    teller.claim(seen_ns, Evidence.ASSOCIATION, 0, ip, user=name, released=action in _LOGGED_OFF)
    return True


def _lease(line: Line, teller: Teller, fields: Fields) -> bool:
    mac, ip = station(fields.get("mac", "")), held_ip(fields.get("ip", ""))
    kind = fields["dhcp_msg"].lower().removeprefix("dhcp").strip("- ")
    if kind not in ("ack", "release") or not mac or ip == NOWHERE:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    seen_ns, _ = instant(line, event_ns(fields), teller)
    lease_s = min(counter(fields.get("lease", "")), 2**32 - 1)
    until_ns = seen_ns + lease_s * NS if lease_s and kind == "ack" else 0
    teller.claim(seen_ns, Evidence.DHCP, mac, ip, until_ns=until_ns, released=kind == "release")
    return True


def read_event(line: Line, teller: Teller, fields: Fields) -> bool:
    """A line of type event by its fields."""
    if fields.get("dhcp_msg"):
        return _lease(line, teller, fields)
    if fields.get("subtype") == "wireless":
        return _wireless(line, teller, fields)
    if fields.get("subtype") == "user":
        return _logon(line, teller, fields)
    return refuse(teller, Refusal.NOTHING_TO_KEEP)
