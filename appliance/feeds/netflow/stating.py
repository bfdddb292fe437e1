"""Flow records to what they state: one STATED row for each that names both ends."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from appliance.feeds.netflow.domains import Domain
from appliance.feeds.netflow.instants import read_instants
from appliance.feeds.netflow.records import U64, Columns
from appliance.feeds.netflow.surroundings import Senders
from appliance.feeds.told import Rows
from appliance.model.addresses import MAPPED_V4
from appliance.model.reasons import EndReason, Note, Refusal
from appliance.model.rows import STATED

_WITH_PORTS = np.isin(np.arange(256), (6, 17, 33, 132, 136))
"""TCP, UDP, DCCP, SCTP, UDP-Lite. ICMP's type and code, which stand in the destination port or in fields of
their own, are no port: what comes back has others, and the wire's records have none."""

CREATED, DELETED, DENIED, ALERTED, UPDATED = range(1, 6)
"""firewallEvent (IANA element 233)."""

_FIREWALL_ENDS = np.zeros(256, np.uint8)
_FIREWALL_ENDS[DELETED] = EndReason.END_OF_FLOW
_FIREWALL_ENDS[UPDATED] = EndReason.ACTIVE_TIMEOUT

STATION_SENDS, STATION_RECEIVES = 0, 1
"""flowDirection (IANA element 61) as an access point sees it: ingress is from the station."""


def state_flows(
    columns: Columns, domain: Domain, senders: Senders, refused: Counter[str], noted: Counter[str]
) -> tuple[Rows, NDArray[np.int64]]:
    """(rows, which records they are of). Records that name nobody are refused.

    A firewall's record that a connection was created states it without counters, so that it is known while it
    lasts; those of its updates and its end add theirs. A connection it denied is only what was sent, if
    anything is counted of it: nobody was reached.
    """
    sampling = domain.sampling
    src, dst = columns.address("src"), columns.address("dst")
    kept = (src[0] | src[1] | dst[0] | dst[1]) != 0
    refused[Refusal.NO_ADDRESSES] += int(np.count_nonzero(~kept))
    rows = np.zeros(len(columns), STATED)
    rows["src_ip_hi"], rows["src_ip_lo"] = src[0], _of_one_family(src, dst)
    rows["dst_ip_hi"], rows["dst_ip_lo"] = dst[0], _of_one_family(dst, src)
    rows["received"] = columns.heads.received
    rows["sampling"] = sampling.rates(columns)
    rows["first"], rows["last"], rows["by_receipt"] = read_instants(columns, sampling.init_ms)
    _state_ends(columns, rows)
    _state_stations(columns, rows, senders)
    _state_counters(columns, rows, domain.outgoing.comes_back)
    if columns.has("firewall_event"):
        idle = kept & (columns.number("firewall_event") == DENIED)
        idle &= (rows["packets"] | rows["octets"]) == 0
        refused[Refusal.NOTHING_TO_KEEP] += int(np.count_nonzero(idle))
        kept &= ~idle
    if columns.has("sampler"):
        unknown = kept & (columns.number("sampler") != 0) & (rows["sampling"] == 0)
        noted[Note.RATE_UNKNOWN] += int(np.count_nonzero(unknown))
    which = np.flatnonzero(kept)
    if len(which) < len(rows):
        rows = rows[which]
    noted[Note.DEVICE_CLOCK] += int(np.count_nonzero(rows["by_receipt"]))
    return rows, which


def _of_one_family(address: tuple[U64, U64], other: tuple[U64, U64]) -> U64:
    """The low half, where 0.0.0.0 (who has no address yet) is written as IPv4 because its peer is."""
    unspecified = (address[0] | address[1]) == 0
    facing_v4 = (other[0] == 0) & (other[1] >> np.uint64(32) == 0xFFFF)
    return np.where(unspecified & facing_v4, np.uint64(MAPPED_V4), address[1])


def _state_ends(columns: Columns, rows: Rows) -> None:
    rows["protocol"] = protocol = columns.number("protocol").astype(np.uint8)
    with_ports = _WITH_PORTS[protocol] | np.bool_(not columns.has("protocol"))
    for name in ("src_port", "dst_port"):
        rows[name] = (
            np.where(with_ports, columns.number(name).astype(np.uint16).astype(np.int32), -1)
            if columns.has(name)
            else -1
        )
    for name in ("nat_src", "nat_dst"):
        if columns.has(f"{name}_v4", f"{name}_v6"):
            rows[f"{name}_ip_hi"], rows[f"{name}_ip_lo"] = columns.address(name)
            rows[f"{name}_port"] = np.where(with_ports, columns.number(f"{name}_port").astype(np.uint16), 0)
    rows["end_reason"] = read_end_reason(columns)
    rows["vlan"] = read_vlan(columns)


def read_end_reason(columns: Columns) -> NDArray[np.uint8]:
    """(n,) EndReason; 0 where it is not stated, or not one of them."""
    if columns.has("end_reason"):
        reason = columns.number("end_reason").astype(np.uint8)
        return np.where(reason <= max(EndReason), reason, 0).astype(np.uint8)
    return _FIREWALL_ENDS[columns.number("firewall_event").astype(np.uint8)]


def read_vlan(columns: Columns) -> NDArray[np.int16]:
    """(n,) VLAN, -1 where none is stated; 0 is how devices write "untagged"."""
    vlan = columns.number("vlan").astype(np.int16) & np.int16(0xFFF)
    return np.where(vlan == 0, np.int16(-1), vlan)


def _state_stations(columns: Columns, rows: Rows, senders: Senders) -> None:
    """MACs of the ends: that of the frame's source, and that which it leaves for.

    Else that it came for, if it is not the device's own.
    """
    after, before = columns.mac("dst_mac"), columns.mac("dst_mac_before")
    if columns.has("dst_mac_before"):
        before = senders.only(before)
    rows["src_mac"] = columns.mac("src_mac")
    rows["dst_mac"] = np.where(after != 0, after, before)
    rows["ap_mac"] = columns.mac("ap_mac")
    rows["ssid"] = columns.text("ssid")
    rows["user"] = columns.text("user")
    if columns.has("station_mac"):
        station = columns.mac("station_mac")
        receives = station_receives(columns, rows)
        rows["src_mac"] = np.where((station != 0) & ~receives, station, rows["src_mac"])
        rows["dst_mac"] = np.where((station != 0) & receives, station, rows["dst_mac"])


def station_receives(columns: Columns, rows: Rows) -> NDArray[np.bool_]:
    """(n,) whether the station is the destination: by its address if stated, else by direction."""
    receives: NDArray[np.bool_] = columns.number("direction") == STATION_RECEIVES
    if columns.has("station_v4"):
        hi, lo = columns.address("station")
        for side, answer in (("src", False), ("dst", True)):
            same = (rows[f"{side}_ip_hi"] == hi) & (rows[f"{side}_ip_lo"] == lo) & (lo != 0)
            receives = np.where(same, answer, receives)
    return receives


def _state_counters(columns: Columns, rows: Rows, out_comes_back: bool) -> None:
    for names in (("packets", "octets"), ("packets_back", "octets_back")):
        counted = [columns.number(name) for name in names]
        totals = [f"{name}_total" for name in names]
        if columns.has(*totals):
            idle = (counted[0] | counted[1]) == 0
            counted = [np.where(idle, columns.number(t), c) for c, t in zip(counted, totals, strict=True)]
        rows[names[0]], rows[names[1]] = counted
    back = ("packets_back", "octets_back", "packets_back_total", "octets_back_total")
    rows["biflow"] = columns.has(*back)
    if out_comes_back and columns.has("octets_out", "packets_out") and not columns.has(*back):
        rows["packets_back"], rows["octets_back"] = (
            columns.number("packets_out"),
            columns.number("octets_out"),
        )
        rows["biflow"] = True
