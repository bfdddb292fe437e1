"""ARP and Neighbour Discovery to claims: pure column work, because anyone on the network may flood them."""

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAPPED_V4
from appliance.model.reasons import Evidence
from appliance.wire.claims import (
    Bytes,
    Claims,
    Heard,
    Int64,
    UInt64,
    claims_of,
    gather,
    is_holdable,
    is_station,
    number,
)

ND_OPTION_LIMIT = 64
"""Options walked in one ND message; real ones carry fewer than ten."""


def arp_claims(data: Bytes, at: Int64, heard: Heard) -> tuple[Claims, NDArray[np.bool_]]:
    """Who says to hold an IPv4 address in ARP (RFC 826; RFC 5227 for probes and announcements).

    `at` is the ARP header, which the caller found whole and of Ethernet and IPv4. The sender of a request or
    a reply claims its protocol address; a probe (sender 0.0.0.0) and other operations claim nothing. Returns
    (claims, which of the messages they are).
    """
    header = gather(data, at, 28)
    operation = number(header[:, 6:8])
    mac = number(header[:, 8:14])
    address = number(header[:, 14:18])
    # Group (224/4), reserved and broadcast (240/4) addresses have no single holder.
    holdable = (address != 0) & (address < 0xE000_0000)
    claiming = ((operation == 1) | (operation == 2)) & holdable & is_station(mac)
    lo = address[claiming] | np.uint64(MAPPED_V4)
    chosen = np.flatnonzero(claiming)
    return claims_of(heard.of(chosen), np.zeros_like(lo), lo, mac[claiming], Evidence.ARP), claiming


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
        option = gather(data, cursor[active], 8)
        length = option[:, 1].astype(np.int64) * 8
        inside = (length > 0) & (cursor[active] + length <= end[active])
        sound[active[~inside]] = False
        found = inside & (option[:, 0] == wanted[active]) & (length == 8) & (mac[active] == 0)
        mac[active[found]] = number(option[found, 2:8])
        cursor[active] += length
        active = active[inside & (cursor[active] < end[active])]
    sound[active] = False
    return mac, sound


def nd_claims(
    data: Bytes,
    at: Int64,
    available: Int64,
    heard: Heard,
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
    first = gather(data, at, 2)
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

    hi, lo = src_hi[kept], src_lo[kept]
    target = gather(data, at[kept] + 8, 16)
    target_hi, target_lo = number(target[:, :8]), number(target[:, 8:])
    speaks_for_itself = is_advertisement & (hi == target_hi) & (lo == target_lo)
    mac = np.where((mac == 0) & speaks_for_itself, frame_source_mac[kept], mac)
    hi, lo = np.where(is_advertisement, target_hi, hi), np.where(is_advertisement, target_lo, lo)
    claiming = well_formed & is_holdable(hi, lo) & is_station(mac)
    chosen = kept[claiming]
    claims = claims_of(heard.of(chosen), hi[claiming], lo[claiming], mac[claiming], Evidence.ND)
    return claims, int(np.count_nonzero(is_nd) - np.count_nonzero(well_formed))
