"""DHCP and DHCPv6 to claims: rare, so read message by message, up to DHCP_LIMIT a batch."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from appliance.model.errors import DecodeError
from appliance.model.instants import NS
from appliance.model.reasons import Evidence
from appliance.wire import dhcp, dhcpv6
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
from appliance.wire.dhcp import Lease

DHCP_LIMIT = 2000
"""Messages read one by one in a batch: about 20 us each, so a flood costs 40 ms and not the recorder."""


def _read_leases(
    chosen: Int64,
    parse: Callable[[int], list[Lease]],
    heard: Heard,
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
    claims = claims_of(heard.of(of), hi, lo, mac, evidence)
    lifetime_ns = np.array([lease.lifetime_s for lease in leases], np.int64) * NS
    claims["until"] = np.where(lifetime_ns > 0, claims["seen"] + lifetime_ns, 0)
    claims["released"] = [lease.released for lease in leases]
    return claims[is_station(mac) & is_holdable(hi, lo)], refused


def _whole_payload(data: Bytes, at: Int64, available: Int64) -> Int64:
    """The size of each UDP payload at `at`, -1 where it was not captured whole.

    What follows a datagram in its frame is not part of it, and half a message may lack what matters.
    """
    size = number(gather(data, at - 4, 2)).astype(np.int64) - 8
    return np.where(size <= available, size, -1)


def _most_telling(rank: NDArray[np.uint8]) -> Int64:
    """The messages to read, at most DHCP_LIMIT, lowest rank first, in the order they came."""
    return np.sort(np.argsort(rank, kind="stable")[:DHCP_LIMIT])


def dhcp_claims(data: Bytes, at: Int64, available: Int64, heard: Heard) -> tuple[Claims, int]:
    """Who was leased an IPv4 address, until when (RFC 2131); `at` is the UDP payload, after its header.

    Returns (claims, refused); messages beyond DHCP_LIMIT are among the refused. Answers of servers are
    read first, then messages of clients that hold an address, so that a flood of requests hides nothing.
    """
    size = _whole_payload(data, at, available)
    whole = np.flatnonzero(size >= 240)
    header = gather(data, at[whole], 16)
    is_answer, holds = header[:, 0] == 2, number(header[:, 12:16]) != 0
    chosen = whole[_most_telling(np.where(is_answer, 0, np.where(holds, 1, 2)).astype(np.uint8))]

    def parse(index: int) -> list[Lease]:
        lease = dhcp.parse(data.data[int(at[index]) : int(at[index] + size[index])])
        return [] if lease is None else [lease]

    claims, refused = _read_leases(chosen, parse, heard, Evidence.DHCP)
    return claims, refused + len(at) - len(chosen)


def dhcpv6_claims(
    data: Bytes,
    at: Int64,
    available: Int64,
    heard: Heard,
    frame_destination_mac: UInt64,
    frame_source_mac: UInt64,
) -> tuple[Claims, int]:
    """Who was leased IPv6 addresses, until when (RFC 8415); `at` is the UDP payload, after its header.

    Returns (claims, refused) as `dhcp_claims`; messages that cannot state a lease are not read at all.
    """
    size = _whole_payload(data, at, available)
    kind = np.where(size > 0, gather(data, at, 1)[:, 0], dhcpv6.REPLY)
    telling = np.flatnonzero(np.isin(kind, dhcpv6.TELLING))
    rank = np.isin(kind[telling], (dhcpv6.REPLY, dhcpv6.RELAY_REPLY), invert=True).astype(np.uint8)
    chosen = telling[_most_telling(rank)]
    stations = [np.where(is_station(mac), mac, 0) for mac in (frame_source_mac, frame_destination_mac)]

    def parse(index: int) -> list[Lease]:
        message = data.data[int(at[index]) : int(at[index] + size[index])]
        return dhcpv6.parse(message, int(stations[0][index]), int(stations[1][index]))

    claims, refused = _read_leases(chosen, parse, heard, Evidence.DHCPV6)
    return claims, refused + len(telling) - len(chosen)
