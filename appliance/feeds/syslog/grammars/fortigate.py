"""FortiGate, FortiWiFi and FortiAP: traffic, wireless and DHCP logs of FortiOS 5.4 to 7.6, `key=value` pairs.

Fields: FortiOS Log Message Reference, https://docs.fortinet.com/document/fortigate (any release).
`eventtime` (s to ns) is when the log was written, at the end of what it counts; `duration` s before. A long
session is reported as it goes (log id ..20) by deltas, and the last line has the rest in its deltas too. What
the inspectors write (type utm) names sites and is refused whole; traffic lines are read by a few fields only.
"""

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.grammars.fortigate_events import Fields, event_ns, read_event
from appliance.feeds.syslog.pairs import pairs
from appliance.feeds.syslog.telling import Beside, Carried, Ends, refuse, tell_flow
from appliance.feeds.syslog.words import counter, ip, port, protocol, ssid, user
from appliance.feeds.told import Teller
from appliance.model.reasons import EndReason, Note, Refusal

_WANTED = frozenset(
    (
        "type", "subtype", "logid", "log_id", "action", "eventtime", "duration", "proto", "user",
        "srcip", "srcport", "dstip", "dstport", "src_port", "dst_port", "trandisp", "transip",
        "transport", "tranip", "tranport", "sentbyte", "rcvdbyte", "sentpkt", "rcvdpkt",
        "sentdelta", "rcvddelta", "srcmac", "dstmac", "ssid", "srcssid", "bssid", "ap", "vap",
        "radioid", "stamac", "mac", "ip", "dhcp_msg", "status", "lease", "app", "dstname",
    )
)  # fmt: skip
_LAST = frozenset({"sentbyte", "rcvdbyte", "sentpkt", "rcvdpkt", "rcvddelta"})
_STOPPED = frozenset({"deny", "blocked", "block", "drop", "dropped"})
_ENDED = {
    "close": EndReason.END_OF_FLOW,
    "client-rst": EndReason.END_OF_FLOW,
    "server-rst": EndReason.END_OF_FLOW,
    "timeout": EndReason.IDLE_TIMEOUT,
}


def _carried(fields: Fields) -> Carried:
    """Deltas where they are said, else totals; packets have no deltas, so interim lines say none."""
    interim = fields.get("logid", fields.get("log_id", ""))[-2:] == "20"
    by_delta = "sentdelta" in fields and "rcvddelta" in fields
    sent, received = ("sentdelta", "rcvddelta") if by_delta else ("sentbyte", "rcvdbyte")
    octets, octets_back = counter(fields.get(sent, "")), counter(fields.get(received, ""))
    packets, packets_back = counter(fields.get("sentpkt", "")), counter(fields.get("rcvdpkt", ""))
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
    if said("app") or said("dstname"):  # these name what was visited; content strips the others
        teller.noted[Note.CONTENT_STRIPPED] += 1
    return tell_flow(line, teller, ends, carried, beside, event_ns(fields))


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
    return read_event(line, teller, fields) if kind == "event" else False


GRAMMAR = Grammar("fortigate", _read, needles=(" logid=", "logid=", "log_id="))
