"""Events of the connection tracking of Linux, as `conntrack -E` prints them and as VyOS logs them.

An entry has two tuples: of the first packet, and of the answer that is expected. Where the answer goes to
another address than the first packet came from, that is the translated source; where it comes from another
than that went to, the translated destination. Counters and start stand in DESTROY, with nf_conntrack_acct and
nf_conntrack_timestamp; without them NEW and UPDATE say that the connection lives, and carry no packets.
"""

import re
from dataclasses import dataclass

from appliance.feeds.syslog.addresses import address
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.timestamps import fraction_ns
from appliance.feeds.told import Address, Teller
from appliance.model.instants import NS
from appliance.model.reasons import EndReason, Refusal

_TUPLE = (
    r"src=([0-9a-fA-F:.]{2,45}) dst=([0-9a-fA-F:.]{2,45})"
    r"(?: (?:sport=(\d{1,5}) dport=(\d{1,5})|type=\d+ code=\d+ id=\d+|srckey=\S+ dstkey=\S+))?"
    r"(?: zone(?:-orig|-reply)?=\d+)?(?: packets=(\d{1,18}) bytes=(\d{1,18}))?"
)
_EVENT = re.compile(
    r"(?:\[\d+\.\d+\]\s*)?\[(NEW|UPDATE|DESTROY)\]\s+(?:ipv[46]\s+\d+\s+|\d{1,12}\s+)?"
    r"\w+\s+(\d{1,3}) (?:\d+ )?(?:[A-Z_]+ )?"
    rf"{_TUPLE} (?:\[UNREPLIED\] )?{_TUPLE}(?: (.*))?\s*",
    re.ASCII | re.DOTALL,
)
_LASTED = re.compile(r"delta(?:-time)?=(\d{1,10})(?:\.(\d{1,9}))?(?!\S)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: (source, port, destination, port) of either direction, and (packets, octets) or None."""

    protocol: int
    there: tuple[Address, int, Address, int]
    back: tuple[Address, int, Address, int]
    counted: tuple[int, int, int, int] | None

    @property
    def nat_src(self) -> tuple[Address, int] | None:
        """The source after translation, if it was translated."""
        return None if self.back[2:] == self.there[:2] else self.back[2:]

    @property
    def nat_dst(self) -> tuple[Address, int] | None:
        """The destination after translation, if it was translated."""
        return None if self.back[:2] == self.there[2:] else self.back[:2]


def read(line: Line, teller: Teller) -> bool:
    """An event: a flow, and where a translation is not yet in one with counters, a translation."""
    found = _EVENT.match(line.text)
    if found is None:
        return False
    kind = found[1]
    entry = _entry(int(found[2]), found.groups()[2:8], found.groups()[8:14])
    if entry is None:
        teller.refused[Refusal.NO_ADDRESSES] += 1
        return True
    lasted = _LASTED.search(found[15] or "")
    tell(line, teller, entry, kind, int(lasted[1]) * NS + fraction_ns(lasted[2] or "0") if lasted else 0)
    return True


def _entry(protocol: int, there: tuple[str | None, ...], back: tuple[str | None, ...]) -> Entry | None:
    """Of the groups of both tuples: src, dst, sport, dport, packets, bytes."""
    numbers = []
    for src, dst, src_port, dst_port, _, _ in (there, back):
        source, target = address(src or ""), address(dst or "")
        ports = (int(src_port or -1), int(dst_port or -1))
        if source is None or target is None or max(ports) > 0xFFFF:
            return None
        numbers.append((source, ports[0], target, ports[1]))
    counted = None
    if there[4] is not None and back[4] is not None:
        counted = (int(there[4]), int(there[5] or 0), int(back[4]), int(back[5] or 0))
    return Entry(protocol, numbers[0], numbers[1], counted) if protocol <= 255 else None


def tell(line: Line, teller: Teller, entry: Entry, kind: str, lasted_ns: int) -> None:
    """What an event says: NEW, UPDATE or DESTROY; `lasted_ns` how long it had lived."""
    is_over = kind == "DESTROY"
    source, src_port, target, dst_port = entry.there
    nat_src, nat_dst = entry.nat_src, entry.nat_dst
    translated = {}
    if nat_src is not None:
        (hi, lo), port = nat_src
        translated = {"nat_src_ip_hi": hi, "nat_src_ip_lo": lo, "nat_src_port": max(port, 0)}
    if nat_dst is not None:
        (hi, lo), port = nat_dst
        translated |= {"nat_dst_ip_hi": hi, "nat_dst_ip_lo": lo, "nat_dst_port": max(port, 0)}
    packets, octets, packets_back, octets_back = entry.counted or (0, 0, 0, 0)
    teller.flow(
        first=max(line.seen_ns - lasted_ns, 0),
        last=line.seen_ns,
        received=line.received_ns,
        by_receipt=line.by_receipt,
        src_ip_hi=source[0],
        src_ip_lo=source[1],
        dst_ip_hi=target[0],
        dst_ip_lo=target[1],
        src_port=src_port,
        dst_port=dst_port,
        protocol=entry.protocol,
        packets=packets,
        octets=octets,
        packets_back=packets_back,
        octets_back=octets_back,
        biflow=True,
        end_reason=EndReason.END_OF_FLOW if is_over else 0,
        **translated,
    )
    if nat_src is not None:
        _translate(line, teller, (source, src_port), nat_src, (target, dst_port), entry.protocol, is_over)
    if nat_dst is not None:
        _translate(line, teller, nat_dst, (target, dst_port), (source, src_port), entry.protocol, is_over)


def _translate(
    line: Line,
    teller: Teller,
    inside: tuple[Address, int],
    outside: tuple[Address, int],
    peer: tuple[Address, int],
    protocol: int,
    is_over: bool,
) -> None:
    """That an inside address and port were translated to an outside one, to reach a peer."""
    teller.translation(
        seen=line.seen_ns,
        ip_hi=inside[0][0],
        ip_lo=inside[0][1],
        port=max(inside[1], 0),
        nat_ip_hi=outside[0][0],
        nat_ip_lo=outside[0][1],
        nat_port=max(outside[1], 0),
        nat_port_last=max(outside[1], 0),
        peer_ip_hi=peer[0][0],
        peer_ip_lo=peer[0][1],
        peer_port=max(peer[1], 0),
        protocol=protocol,
        released=is_over,
    )


GRAMMAR = Grammar(
    "conntrack",
    read,
    frozenset(("conntrack", "conntrackd", "vyos-conntrack-logger")),
    ("[NEW] ", "[UPDATE] ", "[DESTROY] "),
)
