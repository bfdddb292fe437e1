"""FortiGate, FortiWiFi and FortiAP: traffic, wireless and DHCP logs of FortiOS 5.4 to 7.6, `key=value` pairs.

Fields: FortiOS Log Message Reference, https://docs.fortinet.com/document/fortigate (any release).
`eventtime` (s to ns) is when the log was written, at the end of what it counts; `duration` s before. A long
session is reported as it goes (log id ..20) by deltas, and the last line has the rest in its deltas too. What
the inspectors write (type utm) names sites and is refused whole; traffic lines are read by a few fields only.
"""

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.pairs import pairs
from appliance.feeds.syslog.telling import Beside, Carried, Ends, instant, refuse, tell_flow
from appliance.feeds.syslog.words import counter, device, held_ip, ip, port, protocol, ssid, user
from appliance.feeds.told import NOWHERE, Teller
from appliance.model.instants import NS
from appliance.model.reasons import EndReason, Evidence, Note, Refusal

_WANTED = frozenset(
    {"type", "subtype", "logid", "log_id", "action", "eventtime", "duration", "proto", "user", "srcip"}
    | {
        "srcport",
        "dstip",
        "dstport",
        "src_port",
        "dst_port",
        "trandisp",
        "transip",
        "transport",
        "tranip",
        "tranport",
    }
    | {"sentbyte", "rcvdbyte", "sentpkt", "rcvdpkt", "sentdelta", "rcvddelta", "srcmac", "dstmac", "ssid"}
    | {"srcssid", "bssid", "stamac", "mac", "ip", "dhcp_msg", "status", "lease", "app", "dstname"}
)
_LAST = frozenset({"sentbyte", "rcvdbyte", "sentpkt", "rcvdpkt", "rcvddelta"})
_NAMING = ("app", "dstname")  # fields of traffic lines that name what was visited; content strips the others
_STOPPED = frozenset({"deny", "blocked", "block", "drop", "dropped"})
_ENDED = {
    "close": EndReason.END_OF_FLOW,
    "client-rst": EndReason.END_OF_FLOW,
    "server-rst": EndReason.END_OF_FLOW,
    "timeout": EndReason.IDLE_TIMEOUT,
}
_JOINED = frozenset({"client-authentication", "client-ip-detected", "auth-success", "client-sign-on", "roam"})
_LEFT = frozenset(
    {"client-disassociation", "client-deauthentication", "client-leave", "client-sign-off", "client-idle"}
    | {"sta-disassoc", "client-disconnected-by-wtp", "ap-fail-disassoc"}
)
_LOGGED_ON = frozenset({"fsso-logon", "auth-logon", "authentication"})
_LOGGED_OFF = frozenset({"fsso-logoff", "auth-logoff", "auth-logout"})
_NEAR = frozenset({"probe-req", "probe-resp", "auth-req", "assoc-req", "reassoc-req", "client-denial"})

Fields = dict[str, str]


def _event_ns(fields: Fields) -> int:
    """UTC ns of `eventtime`, whose unit shows in its size; 0 if it is not said."""
    text = fields.get("eventtime", "")
    unit = 10 ** max(0, 9 - max(0, len(text) - 10) // 3 * 3)
    stated = counter(text) * unit
    return stated if stated < 2**63 else 0


def _carried(fields: Fields) -> Carried:
    """Deltas where they are said, else totals; packets have no deltas, so interim lines say none."""
    interim = fields.get("logid", fields.get("log_id", ""))[-2:] == "20"
    by_delta = "sentdelta" in fields and "rcvddelta" in fields
    sent, received = ("sentdelta", "rcvddelta") if by_delta else ("sentbyte", "rcvdbyte")
    octets, octets_back = (counter(fields.get(name, "")) for name in (sent, received))
    packets, packets_back = (counter(fields.get(name, "")) for name in ("sentpkt", "rcvdpkt"))
    if interim:
        octets, octets_back = (octets, octets_back) if by_delta else (0, 0)
        packets = packets_back = 0
    return Carried(
        packets,
        octets,
        packets_back,
        octets_back,
        both="rcvdbyte" in fields,
        duration_s=counter(fields.get("duration", "")),
        end_reason=EndReason.ACTIVE_TIMEOUT if interim else _ENDED.get(fields.get("action", "")),
    )


def _traffic(line: Line, teller: Teller, fields: Fields) -> bool:
    said = fields.get
    if "action" not in fields:
        return refuse(teller, Refusal.CUT_SHORT)
    carried = _carried(fields)
    if said("action", "") in _STOPPED:
        if not (carried.packets or carried.octets):
            return refuse(teller, Refusal.NOTHING_TO_KEEP)
        carried = Carried(carried.packets or 1, carried.octets)
    ends = Ends(
        ip(said("srcip", "")),
        ip(said("dstip", "")),
        protocol(said("proto", "")),
        port(said("srcport", said("src_port", ""))),
        port(said("dstport", said("dst_port", ""))),
    )
    how = said("trandisp", "snat dnat")
    source = (said("transip", ""), said("transport", "")) if "snat" in how else ("", "")
    target = (said("tranip", ""), said("tranport", "")) if "dnat" in how else ("", "")
    beside = Beside(
        ip(source[0]),
        port(source[1]),
        ip(target[0]),
        port(target[1]),
        station(said("srcmac", "")),
        station(said("dstmac", "")),
        ssid=ssid(said("ssid", said("srcssid", ""))),
        user=user(said("user", "")),
    )
    if any(said(name) for name in _NAMING):
        teller.noted[Note.CONTENT_STRIPPED] += 1
    return tell_flow(line, teller, ends, carried, beside, _event_ns(fields))


def _wireless(line: Line, teller: Teller, fields: Fields) -> bool:
    action, mac = fields.get("action", "").lower(), station(fields.get("stamac", ""))
    if action.startswith("dns"):  # what a station asked a name server for
        return refuse(teller, Refusal.CONTENT)
    if action in _NEAR:
        return refuse(teller, Refusal.NOT_ASSOCIATED)
    if action not in _JOINED | _LEFT or not mac:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    seen_ns, _ = instant(line, _event_ns(fields), teller)
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
    seen_ns, _ = instant(line, _event_ns(fields), teller)
    teller.claim(seen_ns, Evidence.ASSOCIATION, 0, ip, user=name, released=action in _LOGGED_OFF)
    return True


def _lease(line: Line, teller: Teller, fields: Fields) -> bool:
    mac, ip = station(fields.get("mac", "")), held_ip(fields.get("ip", ""))
    kind = fields["dhcp_msg"].lower().removeprefix("dhcp").strip("- ")
    if kind not in ("ack", "release") or not mac or ip == NOWHERE:
        return refuse(teller, Refusal.NOTHING_TO_KEEP)
    seen_ns, _ = instant(line, _event_ns(fields), teller)
    lease_s = min(counter(fields.get("lease", "")), 2**32 - 1)
    until_ns = seen_ns + lease_s * NS if lease_s and kind == "ack" else 0
    teller.claim(seen_ns, Evidence.DHCP, mac, ip, until_ns=until_ns, released=kind == "release")
    return True


def _read(line: Line, teller: Teller) -> bool:
    text = line.text
    if "type=" not in text or not ("logid=" in text or "log_id=" in text or "subtype=" in text):
        return False
    if ' type="utm"' in text or " type=utm " in text:
        return refuse(teller, Refusal.CONTENT)
    fields = pairs(text, _WANTED, _LAST)
    if fields is None:
        return refuse(teller, Refusal.BAD_MESSAGE)
    kind = fields.get("type", "").lower()
    if kind.startswith("utm") or kind in ("app-ctrl", "webfilter", "dns", "virus", "ips", "emailfilter"):
        return refuse(teller, Refusal.CONTENT)
    if kind == "traffic":
        return _traffic(line, teller, fields)
    if kind == "event" and fields.get("dhcp_msg"):
        return _lease(line, teller, fields)
    if kind == "event" and fields.get("subtype") == "wireless":
        return _wireless(line, teller, fields)
    if kind == "event" and fields.get("subtype") == "user":
        return _logon(line, teller, fields)
    return refuse(teller, Refusal.NOTHING_TO_KEEP) if kind == "event" else False


GRAMMAR = Grammar("fortigate", _read, needles=(" logid=", "logid=", "log_id="))
