"""pfSense and OPNsense: packets that a rule of pf logs, as comma-separated fields of `filterlog`.

Field order: https://docs.netgate.com/pfsense/en/latest/monitoring/logs/raw-filter-format.html. A line is one
packet, the first of its connection where a rule keeps state. The length of IPv4 is that of the whole packet,
of IPv6 (ip6_plen) without the header of 40 octets. What was blocked: see `telling`.
"""

from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.telling import Beside, Carried, Ends, refuse, tell_flow
from appliance.feeds.syslog.words import counter, ip, port, protocol, vlan
from appliance.feeds.told import Teller
from appliance.model.reasons import Refusal

_INTERFACE, _DIRECTION, _VERSION = 4, 7, 8
_V4 = (15, 17, 18)  # where number of the protocol, length and source stand; destination and ports follow
_V6 = (13, 14, 15)
_V6_HEADER = 40
_WITH_PORTS = (["6"], ["17"], ["132"], ["136"])


def _vlan_of(interface: str) -> int:
    """FreeBSD names the VLAN 12 of igb1 `igb1.12`, OPNsense `igb1_vlan12`; -1 for an interface without."""
    parent, sign, tag = interface.rpartition("_vlan" if "_vlan" in interface else ".")
    return vlan(tag) if sign and parent else -1


def _read(line: Line, teller: Teller) -> bool:
    fields = line.text.split(",")
    version = fields[_VERSION] if len(fields) > _VERSION else ""
    if version not in ("4", "6"):
        return False
    at_protocol, at_length, at_source = _V4 if version == "4" else _V6
    has_ports = fields[at_protocol : at_protocol + 1] in _WITH_PORTS
    if len(fields) < at_source + (5 if has_ports else 3):  # something stands behind what is read
        return refuse(teller, Refusal.CUT_SHORT)
    ports = fields[at_source + 2 : at_source + 4] if has_ports else ["", ""]
    ends = Ends(
        ip(fields[at_source]),
        ip(fields[at_source + 1]),
        protocol(fields[at_protocol]),
        port(ports[0]),
        port(ports[1]),
    )
    octets = counter(fields[at_length]) + (_V6_HEADER if version == "6" else 0)
    inward = fields[_DIRECTION] == "in"
    beside = Beside(vlan=_vlan_of(fields[_INTERFACE]) if inward else -1)
    return tell_flow(line, teller, ends, Carried(packets=1, octets=octets), beside)


GRAMMAR = Grammar("pfsense", _read, programs=frozenset({"filterlog"}), needles=(",match,",))
