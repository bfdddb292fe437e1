"""ulogd's flow lines (NFCT to PRINTFLOW); its packet lines (LOGEMU) are netfilter's own."""

import re

from appliance.feeds.syslog.addresses import address
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.grammars import conntrack
from appliance.feeds.syslog.grammars.conntrack import Entry
from appliance.feeds.told import Address, Teller
from appliance.model.reasons import Refusal

_PROTOCOLS = {"TCP": 6, "UDP": 17, "ICMP": 1, "ICMPV6": 58, "ICMPv6": 58, "SCTP": 132, "ESP": 50, "AH": 51}
_SIDE = (
    r"SRC=([0-9a-fA-F:.]{2,45}) DST=([0-9a-fA-F:.]{2,45}) PROTO=(\w{1,8}) "
    r"(?:SPT=(\d{1,5}) DPT=(\d{1,5}) |TYPE=\d+ CODE=\d+ )?PKTS=(\d{1,18}) BYTES=(\d{1,18}) ?"
)
_FLOW = re.compile(rf"\[(NEW|UPDATE|DESTROY)\] ORIG: {_SIDE}, REPLY: {_SIDE}", re.ASCII)
"""`[DESTROY] ORIG: SRC=.. DST=.. PROTO=TCP SPT=.. DPT=.. PKTS=5 BYTES=300 , REPLY: SRC=.. ..`."""


def read(line: Line, teller: Teller) -> bool:
    """An event of a connection, told as conntrack's."""
    found = _FLOW.search(line.text)
    if found is None:
        return False
    kind, *fields = found.groups()
    there, back = _side(fields[:7]), _side(fields[7:])
    protocol = _PROTOCOLS.get(fields[2], -1)
    if protocol < 0:
        protocol = int(fields[2]) if fields[2].isdecimal() else -1
    if there is None or back is None or not 0 <= protocol <= 255:
        teller.refused[Refusal.NO_ADDRESSES] += 1
        return True
    counted = (int(fields[5]), int(fields[6]), int(fields[12]), int(fields[13]))
    conntrack.tell(line, teller, Entry(protocol, there, back, counted), kind, 0)
    return True


def _side(fields: list[str]) -> tuple[Address, int, Address, int] | None:
    """Of SRC, DST, PROTO, SPT, DPT: source, port, destination, port."""
    source, target = address(fields[0]), address(fields[1])
    ports = (int(fields[3] or -1), int(fields[4] or -1))
    if source is None or target is None or max(ports) > 0xFFFF:
        return None
    return source, ports[0], target, ports[1]


GRAMMAR = Grammar("ulogd", read, frozenset(("ulogd",)), ("] ORIG: SRC=",))
