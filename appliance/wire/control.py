"""Control packets to claims: what ARP, ND, DHCP and DHCPv6 say about who holds an address.

Batches in, `model.rows.CLAIM` rows out. `data` is a flat buffer of bytes; packet i starts at `at[i]`
(the layer that the function names) and owns `available[i]` captured bytes from there, padding of the
frame not counted where the caller knows it. Nothing beyond `available` is believed. ARP and ND are pure
column work because anyone may flood them; DHCP is rare and read message by message up to
`DHCP_LIMIT` a batch. No function here raises: what is malformed, cut short, or beyond the limit is
counted in the second value. Names, options and everything else a message carries stays behind.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAC_GROUP_BIT, MAPPED_V4
from appliance.model.errors import DecodeError
from appliance.model.instants import NS
from appliance.model.reasons import Evidence
from appliance.model.rows import CLAIM
from appliance.wire import dhcp, dhcpv6
from appliance.wire.dhcp import Lease

DHCP_LIMIT = 2000
"""Messages read one by one in a batch: about 20 us each, so a flood costs 40 ms and not the recorder."""

ND_OPTION_LIMIT = 64
"""Options walked in one ND message; real ones carry fewer than ten."""

Bytes = NDArray[np.uint8]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]
Claims = NDArray[np.void]


def _gather(data: Bytes, at: Int64, width: int) -> Bytes:
    """(n, width) bytes that start at each `at`; every row must lie inside `data`."""
    windows = np.ndarray((max(len(data) - width + 1, 0),), f"V{width}", data, strides=(1,))
    return windows[at].view(np.uint8).reshape(-1, width)


def _number(columns: Bytes) -> UInt64:
    """(n, k <= 8) network-order bytes to (n,) numbers."""
    wide = np.zeros((len(columns), 8), np.uint8)
    wide[:, 8 - columns.shape[1] :] = columns
    return wide.view(">u8").reshape(-1).astype(np.uint64)


def _is_station(mac: UInt64) -> NDArray[np.bool_]:
    """True where a MAC can be that of one device: not zero, not broadcast, not multicast."""
    return np.asarray((mac != 0) & (mac & np.uint64(MAC_GROUP_BIT) == 0))


def _claims(
    time: Int64, vlan: NDArray[np.int16], hi: UInt64, lo: UInt64, mac: UInt64, evidence: Evidence
) -> Claims:
    claims = np.zeros(len(time), CLAIM)
    claims["seen"], claims["vlan"] = time, vlan
    claims["ip_hi"], claims["ip_lo"], claims["mac"] = hi, lo, mac
    claims["evidence"] = evidence
    return claims


def arp_claims(
    data: Bytes, at: Int64, available: Int64, time: Int64, vlan: NDArray[np.int16]
) -> tuple[Claims, int]:
    """Who says to hold an IPv4 address in ARP (RFC 826; RFC 5227 for probes and announcements).

    `at` is the ARP header. The sender of a request or a reply claims its protocol address; a probe
    (sender 0.0.0.0) and other operations claim nothing. Returns (claims, refused).
    """
    whole = available >= 28
    kept = np.flatnonzero(whole)
    header = _gather(data, at[kept], 28)
    fixed = _number(header[:, :6])
    well_formed = fixed == 0x0001_0800_0604
    operation = _number(header[:, 6:8])
    mac = _number(header[:, 8:14])
    address = _number(header[:, 14:18])
    # Group (224/4), reserved and broadcast (240/4) addresses have no single holder.
    holdable = (address != 0) & (address < 0xE000_0000)
    claiming = well_formed & ((operation == 1) | (operation == 2)) & holdable & _is_station(mac)
    chosen = kept[claiming]
    lo = address[claiming] | np.uint64(MAPPED_V4)
    claims = _claims(time[chosen], vlan[chosen], np.zeros_like(lo), lo, mac[claiming], Evidence.ARP)
    return claims, int(len(at) - np.count_nonzero(well_formed))


_ROUTER_SOLICITATION, _ROUTER_ADVERTISEMENT = 133, 134
_NEIGHBOUR_SOLICITATION, _NEIGHBOUR_ADVERTISEMENT = 135, 136
_SOURCE_LINK_LAYER, _TARGET_LINK_LAYER = 1, 2
_OPTIONS_AT = {133: 8, 134: 16, 135: 24, 136: 24}


def _nd_link_layer(
    data: Bytes, start: Int64, end: Int64, wanted: NDArray[np.uint8]
) -> tuple[UInt64, NDArray[np.bool_]]:
    """Walk ND options (RFC 4861 section 4.6) of n messages at once.

    Returns (MAC in the first `wanted` option or 0, True where the options are sound).
    """
    mac = np.zeros(len(start), np.uint64)
    sound = np.ones(len(start), np.bool_)
    cursor = start.copy()
    active = np.flatnonzero(cursor < end)
    for _ in range(ND_OPTION_LIMIT):
        if not len(active):
            return mac, sound
        inside = cursor[active] + 8 <= end[active]
        sound[active[~inside]] = False
        active = active[inside]
        option = _gather(data, cursor[active], 8)
        length = option[:, 1].astype(np.int64) * 8
        inside = (length > 0) & (cursor[active] + length <= end[active])
        sound[active[~inside]] = False
        found = inside & (option[:, 0] == wanted[active]) & (length == 8) & (mac[active] == 0)
        mac[active[found]] = _number(option[found, 2:8])
        cursor[active] += length
        active = active[inside & (cursor[active] < end[active])]
    sound[active] = False
    return mac, sound


def nd_claims(
    data: Bytes,
    at: Int64,
    available: Int64,
    time: Int64,
    vlan: NDArray[np.int16],
    src_hi: UInt64,
    src_lo: UInt64,
    frame_source_mac: UInt64,
) -> tuple[Claims, int]:
    """Who says to hold an IPv6 address in Neighbour Discovery (RFC 4861 sections 4.1 to 4.4, 6.1, 7.1).

    `at` is the ICMPv6 header; the caller passes only messages with hop limit 255. The source of a
    solicitation or router advertisement claims its address with the source link-layer option; the
    target of a neighbour advertisement is claimed with the target link-layer option or, where that is
    left out, by the frame's sender if it speaks for itself. A tentative address (source ::) is no
    claim. Other ICMPv6 types pass uncounted. Returns (claims, refused).
    """
    first = _gather(data, at, 2)
    kind = first[:, 0]
    is_nd = (available < 2) | ((kind >= _ROUTER_SOLICITATION) & (kind <= _NEIGHBOUR_ADVERTISEMENT))
    options_at = np.zeros(256, np.int64)
    options_at[list(_OPTIONS_AT)] = list(_OPTIONS_AT.values())
    start = options_at[kind]
    sound = is_nd & (available >= np.maximum(start, 2)) & (first[:, 1] == 0)
    kept = np.flatnonzero(sound)
    is_advertisement = kind[kept] == _NEIGHBOUR_ADVERTISEMENT
    wanted = np.where(is_advertisement, _TARGET_LINK_LAYER, _SOURCE_LINK_LAYER).astype(np.uint8)
    mac, well_formed = _nd_link_layer(data, at[kept] + start[kept], at[kept] + available[kept], wanted)

    hi, lo = src_hi[kept].copy(), src_lo[kept].copy()
    target = _gather(data, at[kept[is_advertisement]] + 8, 16)
    speaks_for_itself = np.zeros(len(kept), np.bool_)
    speaks_for_itself[is_advertisement] = (hi[is_advertisement] == _number(target[:, :8])) & (
        lo[is_advertisement] == _number(target[:, 8:])
    )
    hi[is_advertisement], lo[is_advertisement] = _number(target[:, :8]), _number(target[:, 8:])
    mac = np.where((mac == 0) & speaks_for_itself, frame_source_mac[kept], mac)

    holdable = ((hi != 0) | (lo > 1)) & (hi >> np.uint64(56) != 0xFF)
    claiming = well_formed & holdable & _is_station(mac)
    chosen = kept[claiming]
    claims = _claims(time[chosen], vlan[chosen], hi[claiming], lo[claiming], mac[claiming], Evidence.ND)
    return claims, int(np.count_nonzero(is_nd) - np.count_nonzero(well_formed))


def _read_leases(
    chosen: Int64,
    parse: Callable[[int], list[Lease]],
    time: Int64,
    vlan: NDArray[np.int16],
    evidence: Evidence,
) -> tuple[Claims, int]:
    """Parse the chosen messages one by one; returns (claims, refused)."""
    owners: list[int] = []
    leases: list[Lease] = []
    refused = 0
    for index in chosen.tolist():
        try:
            stated = parse(index)
        except DecodeError:
            refused += 1
            continue
        leases.extend(stated)
        owners.extend([index] * len(stated))
    of = np.array(owners, np.int64)
    columns = np.array([(lease.ip_hi, lease.ip_lo, lease.mac) for lease in leases], np.uint64).reshape(-1, 3)
    hi, lo, mac = columns.T
    claims = _claims(time[of], vlan[of], hi, lo, mac, evidence)
    lifetime_ns = np.array([lease.lifetime_s for lease in leases], np.int64) * NS
    claims["until"] = np.where(lifetime_ns > 0, claims["seen"] + lifetime_ns, 0)
    claims["released"] = [lease.released for lease in leases]
    holdable = ((hi != 0) | (lo > 1)) & (hi >> np.uint64(56) != 0xFF)
    return claims[_is_station(mac) & holdable], refused


def _whole_payload(data: Bytes, at: Int64, available: Int64) -> Int64:
    """The size of each UDP payload at `at`, -1 where it was not captured whole.

    What follows a datagram in its frame is not part of it, and half a message may lack what matters.
    """
    size = _number(_gather(data, at - 4, 2)).astype(np.int64) - 8
    return np.where(size <= available, size, -1)


def _most_telling(rank: NDArray[np.uint8]) -> Int64:
    """The messages to read, at most DHCP_LIMIT, lowest rank first, in the order they came."""
    return np.sort(np.argsort(rank, kind="stable")[:DHCP_LIMIT])


def dhcp_claims(
    data: Bytes, at: Int64, available: Int64, time: Int64, vlan: NDArray[np.int16]
) -> tuple[Claims, int]:
    """Who was leased an IPv4 address, until when (RFC 2131); `at` is the UDP payload, after its header.

    Returns (claims, refused); messages beyond DHCP_LIMIT are among the refused. Answers of servers are
    read first, then messages of clients that hold an address, so that a flood of requests hides nothing.
    """
    size = _whole_payload(data, at, available)
    whole = np.flatnonzero(size >= 240)
    header = _gather(data, at[whole], 16)
    is_answer, holds = header[:, 0] == 2, _number(header[:, 12:16]) != 0
    chosen = whole[_most_telling(np.where(is_answer, 0, np.where(holds, 1, 2)).astype(np.uint8))]

    def parse(index: int) -> list[Lease]:
        lease = dhcp.parse(data[at[index] : at[index] + size[index]].tobytes())
        return [] if lease is None else [lease]

    claims, refused = _read_leases(chosen, parse, time, vlan, Evidence.DHCP)
    return claims, refused + len(at) - len(chosen)


def dhcpv6_claims(
    data: Bytes,
    at: Int64,
    available: Int64,
    time: Int64,
    vlan: NDArray[np.int16],
    frame_destination_mac: UInt64,
    frame_source_mac: UInt64,
) -> tuple[Claims, int]:
    """Who was leased IPv6 addresses, until when (RFC 8415); `at` is the UDP payload, after its header.

    Returns (claims, refused) as `dhcp_claims`; messages that cannot state a lease are not read at all.
    """
    size = _whole_payload(data, at, available)
    kind = np.where(size > 0, _gather(data, at, 1)[:, 0], dhcpv6.REPLY)
    telling = np.flatnonzero(np.isin(kind, dhcpv6.TELLING))
    rank = np.isin(kind[telling], (dhcpv6.REPLY, dhcpv6.RELAY_REPLY), invert=True).astype(np.uint8)
    chosen = telling[_most_telling(rank)]
    stations = [np.where(_is_station(mac), mac, 0) for mac in (frame_source_mac, frame_destination_mac)]

    def parse(index: int) -> list[Lease]:
        message = data[at[index] : at[index] + size[index]].tobytes()
        return dhcpv6.parse(message, int(stations[0][index]), int(stations[1][index]))

    claims, refused = _read_leases(chosen, parse, time, vlan, Evidence.DHCPV6)
    return claims, refused + len(telling) - len(chosen)
