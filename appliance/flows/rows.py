"""Slots of a flow table to TRAFFIC rows: network order becomes numbers, and the client comes first."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.flows.flags import FORWARDED_BACK, FORWARDED_FORTH
from appliance.model.addresses import MAC_GROUP_BIT, MAC_NULL, MAPPED_V4
from appliance.model.rows import TRAFFIC
from appliance.wire.packets import PORTS_UNKNOWN

COUNTERS = ("packets_out", "octets_out", "packets_in", "octets_in")
"""A table's counters; out is what the first side of the key sent."""

_COUNTED = tuple(zip(COUNTERS, ("packets_out", "bytes_out", "packets_in", "bytes_in"), strict=True))
_COPIED = (("first_seen", "first"), ("last_seen", "last"), ("vlan", "vlan"), ("source", "source"))
_SIDES = (
    ("client_ip_hi", "peer_ip_hi"),
    ("client_ip_lo", "peer_ip_lo"),
    ("client_port", "peer_port"),
    ("client_mac", "peer_mac"),
)
_BOTH_WAYS = (("packets_out", "packets_in"), ("bytes_out", "bytes_in"))


def rows_of(
    family: int, key: list[NDArray[np.uint64]], state: Mapping[str, NDArray[Any]], reason: NDArray[Any] | int
) -> NDArray[np.void]:
    """(k,) TRAFFIC rows of k connections: their key words (see `orient`) and the table's columns."""
    rows = np.zeros(len(key[0]), TRAFFIC)
    if not len(rows):
        return rows
    ports = key[-3]
    shape = (ports >> np.uint64(32)).astype(np.uint16) & np.uint16(0x1FF)
    (rows["client_ip_hi"], rows["client_ip_lo"]), (rows["peer_ip_hi"], rows["peer_ip_lo"]) = _sides(
        family, key
    )
    rows["client_port"], rows["peer_port"] = _port(ports), _port(ports >> np.uint64(16))
    portless = np.flatnonzero(shape & PORTS_UNKNOWN)
    rows["client_port"][portless] = rows["peer_port"][portless] = -1
    rows["client_mac"], rows["peer_mac"] = _mac(state["first_mac"]), _mac(state["other_mac"])
    rows["ap_mac"] = _mac(state["ap_mac"])
    sides = np.where(state["swapped"], FORWARDED_BACK, FORWARDED_FORTH)
    rows["behind_router"] = (state["flags"] & sides) != 0
    rows["protocol"] = shape & np.uint16(0xFF)
    rows["end_reason"] = reason
    for name, column in _COPIED:
        rows[name] = state[column]
    _swap(rows, _SIDES, state["swapped"])
    rows["client_mac"][rows["client_mac"] & MAC_GROUP_BIT != 0] = MAC_NULL  # a group is never a station
    set_counters(rows, state, state["swapped"])
    return rows


def set_counters(
    rows: NDArray[np.void], counted: Mapping[str, NDArray[Any]], swapped: NDArray[np.bool_]
) -> None:
    """Fill in the counters; where `swapped` the second side of the key is the client."""
    for column, name in _COUNTED:
        rows[name] = counted[column]
    _swap(rows, _BOTH_WAYS, swapped)


def _swap(rows: NDArray[np.void], pairs: tuple[tuple[str, str], ...], swapped: NDArray[np.bool_]) -> None:
    which = np.flatnonzero(swapped)
    if len(which):
        for one, other in pairs:
            rows[one][which], rows[other][which] = rows[other][which], rows[one][which]


def _sides(
    family: int, key: list[NDArray[np.uint64]]
) -> tuple[tuple[NDArray[np.uint64], NDArray[np.uint64]], tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
    """((hi, lo) of the first side, (hi, lo) of the second) as numbers."""
    if family == 6:
        first_hi, first_lo, second_hi, second_lo = (word.byteswap() for word in key[:4])
        return (first_hi, first_lo), (second_hi, second_lo)
    none = np.zeros(len(key[0]), np.uint64)
    first = key[0].astype(np.uint32).byteswap().astype(np.uint64) | np.uint64(MAPPED_V4)
    second = (key[0] >> np.uint64(32)).astype(np.uint32).byteswap().astype(np.uint64) | np.uint64(MAPPED_V4)
    return (none, first), (none, second)


def _port(words: NDArray[np.uint64]) -> NDArray[np.int32]:
    return words.astype(np.uint16).byteswap().astype(np.int32)


def _mac(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return words.byteswap() >> np.uint64(16)
