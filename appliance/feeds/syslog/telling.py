"""What a grammar tells of a line: when it happened, a flow between two ends, or why nothing.

A packet that a firewall says it stopped was sent all the same, but reached nobody. It is told as a flow of
the packets that the line counts, never with an answer; a line that counts none tells of no packet, so a
denied connection without counters is nothing to keep. A connection let through is told even without
counters (0).
"""

from typing import NamedTuple

from appliance.feeds.clocks import is_believed
from appliance.feeds.syslog.grammar import Line
from appliance.feeds.syslog.words import UNKNOWN_PROTOCOL
from appliance.feeds.told import NOWHERE, Address, Teller
from appliance.model.instants import NS
from appliance.model.reasons import EndReason, Note, Refusal


class Ends(NamedTuple):
    """Between whom; ports -1 where the line states none, `protocol` a number or UNKNOWN_PROTOCOL."""

    src: Address
    dst: Address
    protocol: int
    src_port: int = -1
    dst_port: int = -1


class Carried(NamedTuple):
    """What was counted. `both`: the way back is stated too. `duration_s` before the line's instant."""

    packets: int = 0
    octets: int = 0
    packets_back: int = 0
    octets_back: int = 0
    both: bool = False
    duration_s: int = 0
    end_reason: EndReason | None = None


class Beside(NamedTuple):
    """What a line says beside the ends: translations, MACs, the network. Ports 0 where not said."""

    nat_src: Address = NOWHERE
    nat_src_port: int = 0
    nat_dst: Address = NOWHERE
    nat_dst_port: int = 0
    src_mac: int = 0
    dst_mac: int = 0
    ap_mac: int = 0
    vlan: int = -1
    ssid: str = ""
    user: str = ""


NOTHING_BESIDE = Beside()

_PLACES = 8_192
"""Stations of one sender whose last place is known."""


def refuse(teller: Teller, why: Refusal) -> bool:
    """Count a line that is its grammar's own and tells nothing; returns True, as `read` is to."""
    teller.refused[why] += 1
    return True


def is_last_place(line: Line, mac: int, place: str, is_over: bool, host: str = "") -> bool:
    """Whether what a line says is of the place that a station joined last, among all of this sender's places.

    A station that roams is thrown off its former place minutes later: that says nothing of where it is.
    A place is a radio or an access point by its name, where a line names it by no MAC; "" is not told apart.
    With a `host`, only the places of this one are looked at: another access point has radios so named.
    """
    key = (host, mac)
    if is_over:
        is_told = not place or line.places.get(key, place) == place
        if is_told:
            line.places.pop(key, None)
        return is_told
    if line.places.pop(key, None) is None and len(line.places) >= _PLACES:
        del line.places[next(iter(line.places))]
    line.places[key] = place
    return True


def instant(line: Line, device_ns: int, teller: Teller) -> tuple[int, bool]:
    """(UTC ns, by receipt) of an instant that stands in the text itself, 0 if none does; clocks' rule."""
    if device_ns <= 0:
        return line.seen_ns, line.by_receipt
    if is_believed(device_ns, line.received_ns):
        return min(device_ns, 2**63 - 1), False
    teller.noted[Note.DEVICE_CLOCK] += not line.by_receipt  # else the header's instant was noted already
    return line.received_ns, True


def tell_flow(
    line: Line,
    teller: Teller,
    ends: Ends,
    carried: Carried,
    beside: Beside = NOTHING_BESIDE,
    device_ns: int = 0,
) -> bool:
    """Tell a flow that ended (or was seen) at the line's instant; refuses one that names no two addresses."""
    if ends.src == NOWHERE or ends.dst == NOWHERE:
        return refuse(teller, Refusal.NO_ADDRESSES)
    if ends.protocol == UNKNOWN_PROTOCOL:
        return refuse(teller, Refusal.BAD_MESSAGE)
    last, by_receipt = instant(line, device_ns, teller)
    teller.flow(
        first=max(last - carried.duration_s * NS, 0), last=last, received=line.received_ns,
        src_ip_hi=ends.src[0], src_ip_lo=ends.src[1], dst_ip_hi=ends.dst[0], dst_ip_lo=ends.dst[1],
        nat_src_ip_hi=beside.nat_src[0], nat_src_ip_lo=beside.nat_src[1],
        nat_dst_ip_hi=beside.nat_dst[0], nat_dst_ip_lo=beside.nat_dst[1],
        packets=carried.packets, octets=carried.octets,
        packets_back=carried.packets_back, octets_back=carried.octets_back,
        src_mac=beside.src_mac, dst_mac=beside.dst_mac, ap_mac=beside.ap_mac,
        ssid=teller.number(beside.ssid), user=teller.number(beside.user),
        src_port=ends.src_port, dst_port=ends.dst_port,
        nat_src_port=max(beside.nat_src_port, 0), nat_dst_port=max(beside.nat_dst_port, 0),
        vlan=beside.vlan, protocol=ends.protocol, end_reason=carried.end_reason or 0,
        biflow=carried.both, by_receipt=by_receipt,
    )  # fmt: skip
    return True
