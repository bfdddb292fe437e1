"""What the decoders of control packets share: reading columns of bytes, and the CLAIM rows they return.

Batches in, rows out. `data` is a flat buffer of bytes; packet i starts at `at[i]` and owns `available[i]`
captured bytes from there; nothing beyond is believed. No decoder of a batch raises: each returns (claims,
how many messages were malformed, cut short or beyond its limit). Names, options and everything else that
a message carries stays behind.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAC_GROUP_BIT
from appliance.model.reasons import Evidence
from appliance.model.rows import CLAIM

Bytes = NDArray[np.uint8]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]
Claims = NDArray[np.void]


@dataclass(frozen=True)
class Heard:
    """When n control packets were heard (UTC ns), in which VLAN (-1 none), through which AP (0 none)."""

    time: Int64
    vlan: NDArray[np.int16]
    ap_mac: UInt64

    def of(self, rows: Int64) -> "Heard":
        """The same of some of them."""
        return Heard(self.time[rows], self.vlan[rows], self.ap_mac[rows])


def gather(data: Bytes, at: Int64, width: int) -> Bytes:
    """(n, width) bytes that start at each `at`; every row must lie inside `data`."""
    windows = np.ndarray((max(len(data) - width + 1, 0),), f"V{width}", data, strides=(1,))
    return windows[at].view(np.uint8).reshape(-1, width)


def number(columns: Bytes) -> UInt64:
    """(n, k <= 8) network-order bytes to (n,) numbers."""
    wide = np.zeros((len(columns), 8), np.uint8)
    wide[:, 8 - columns.shape[1] :] = columns
    return wide.view(">u8").reshape(-1).astype(np.uint64)


def is_station(mac: UInt64) -> NDArray[np.bool_]:
    """True where a MAC can be that of one device: not zero, not broadcast, not multicast."""
    return np.asarray((mac != 0) & (mac & np.uint64(MAC_GROUP_BIT) == 0))


def claims_of(heard: Heard, hi: UInt64, lo: UInt64, mac: UInt64, evidence: Evidence) -> Claims:
    claims = np.zeros(len(hi), CLAIM)
    claims["seen"], claims["vlan"], claims["ap_mac"] = heard.time, heard.vlan, heard.ap_mac
    claims["ip_hi"], claims["ip_lo"], claims["mac"] = hi, lo, mac
    claims["evidence"] = evidence
    return claims


def is_holdable(hi: UInt64, lo: UInt64) -> NDArray[np.bool_]:
    """True where one device can hold an IPv6 address: not `::`, not loopback, not a group."""
    return np.asarray(((hi != 0) | (lo > 1)) & (hi >> np.uint64(56) != 0xFF))
