"""Link headers other than 802.11's: past them to what they carry. One function a family of link types.

Layouts: https://www.tcpdump.org/linktypes.html.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import (
    BSD_LOOP,
    BSD_NULL,
    CISCO_HDLC,
    COOKED,
    COOKED_V2,
    ETHERNET,
    IPV4_ONLY,
    IPV6_ONLY,
    MPLS_LABELS,
    PPP,
    PPP_SERIAL,
    PPPOE,
    RAW_IP,
    RAW_IP_BSD,
    RAW_IP_OPENBSD,
    Frames,
)
from appliance.model.reasons import Refusal
from appliance.wire.links import CUT, Reached, Refusals
from appliance.wire.packets import MAC_MASK

Rows = NDArray[np.int64]

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
KIND_PPP, KIND_PPPOE, KIND_MPLS, KIND_ETHERNET = 0x880B, 0x8864, 0x8847, 0x6558
LONGEST_LLC = 1500
"""In place of an ethertype up to here: an 802.3 length."""

_FAMILIES_OF_BSD = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
_COOKED_LLC, _COOKED_NOVELL = 4, 1
_NETLINK = 824
"""ARPHRD_NETLINK: no network at all (linux/if_arp.h)."""


def reached(frames: Frames, at: Rows, refusals: Refusals) -> Reached:
    """What the frames at these positions carry; their link type is one of `LINK_TYPES`."""
    empty = frames.captured[at] == 0
    if empty.any():
        refusals.add(Refusal.EMPTY, at[empty])
        at = at[~empty]
    return _READERS[frames.link_type](frames, at)


def bytes_at(frames: Frames, at: Rows, width: int) -> NDArray[np.int64]:
    """(k, width) the bytes from each position, as numbers to compute with."""
    return frames.window(at, width).view(np.uint8).reshape(-1, width).astype(np.int64)


def u16(frames: Frames, at: Rows) -> NDArray[np.int64]:
    return frames.window(at, 2).view(">u2").astype(np.int64)


def macs(frames: Frames, at: Rows) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Destination and source of an Ethernet header."""
    header = frames.window(at, 16).view("<u8").reshape(-1, 2)
    low, high = header[:, 0], header[:, 1]
    return low & MAC_MASK, low >> np.uint64(48) | (high & np.uint64(0xFFFF_FFFF)) << np.uint64(16)


def _ethernet(frames: Frames, at: Rows) -> Reached:
    start = frames.offsets[at]
    end = start + frames.captured[at]
    destination, source = macs(frames, start)
    kind = np.where(start + 14 <= end, u16(frames, start + 12), CUT)
    return _reached(frames, at, 14, kind, source, destination)


def _raw(frames: Frames, at: Rows) -> Reached:
    """No link header: the version says which IP follows."""
    version = frames.data[frames.offsets[at]] >> 4
    return _reached(frames, at, 0, np.where(version == 6, IPV6, IPV4))


def _always(kind: int) -> Callable[[Frames, Rows], Reached]:
    """Link types that carry one thing only."""
    return lambda frames, at: _reached(frames, at, 0, np.full(len(at), kind))


def _bsd(frames: Frames, at: Rows) -> Reached:
    """The address family of the machine that captured, in its byte order (LOOP: in network order)."""
    header = bytes_at(frames, frames.offsets[at], 4)
    low, high = header[:, 0] | header[:, 1] << 8, header[:, 3] | header[:, 2] << 8
    family = np.where(header[:, 2:].any(1), high, low)
    twisted = np.where(header[:, 2:].any(1), header[:, :2].any(1), False)
    kind = np.full(len(at), 0xFFFF)
    for number, ethertype in _FAMILIES_OF_BSD.items():
        kind[(family == number) & ~twisted] = ethertype
    return _reached(frames, at, 4, _uncut(frames, at, 4, kind))


def _ppp_serial(frames: Frames, at: Rows) -> Reached:
    """PPP in HDLC-like framing (RFC 1662) or without, or Cisco's HDLC, which writers file under PPP too."""
    address, control = frames.data[frames.offsets[at]], frames.data[frames.offsets[at] + 1]
    cisco = ((address == 0x0F) | (address == 0x8F)) & (control == 0) & (frames.captured[at] > 1)
    start = frames.offsets[at] + np.where(cisco, 4, 0)
    kind = np.where(cisco, _uncut(frames, at, 4, u16(frames, frames.offsets[at] + 2)), KIND_PPP)
    return _reached(frames, at, start - frames.offsets[at], kind)


def _cisco_hdlc(frames: Frames, at: Rows) -> Reached:
    kind = _uncut(frames, at, 4, u16(frames, frames.offsets[at] + 2))
    return _reached(frames, at, 4, kind)


def _cooked(frames: Frames, at: Rows) -> Reached:
    """Linux cooked: only the sender's link address is told."""
    version_2 = frames.link_type == COOKED_V2
    size, kind_at, device_at, length_at, address_at = (20, 0, 8, 11, 12) if version_2 else (16, 14, 2, 4, 6)
    start = frames.offsets[at]
    kind = u16(frames, start + kind_at)
    on_wire = np.clip(frames.length[at] - size, 0, LONGEST_LLC)
    kind = np.where(kind == _COOKED_LLC, on_wire, np.where(kind == _COOKED_NOVELL, 0xFFFF, kind))
    kind[u16(frames, start + device_at) == _NETLINK] = 0xFFFF
    length = frames.data[start + length_at] if version_2 else u16(frames, start + length_at)
    source = frames.window(start + address_at, 8).view("<u8") & MAC_MASK
    kind = _uncut(frames, at, size, kind)
    return _reached(frames, at, size, kind, np.where(length == 6, source, np.uint64(0)))


def _uncut(frames: Frames, at: Rows, size: int, kind: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(frames.captured[at] >= size, kind, CUT)


def _reached(
    frames: Frames,
    at: Rows,
    size: int | Rows,
    kind: NDArray[np.int64],
    source: NDArray[np.uint64] | None = None,
    destination: NDArray[np.uint64] | None = None,
) -> Reached:
    start = frames.offsets[at]
    nobody = np.zeros(len(at), np.uint64)
    vlan = np.full(len(at), -1, np.int16) if frames.vlan is None else frames.vlan[at].astype(np.int16)
    return Reached(
        at,
        start + size,
        start + frames.captured[at],
        kind,
        nobody if source is None else source,
        nobody.copy() if destination is None else destination,
        vlan,
    )


_READERS: dict[int, Callable[[Frames, Rows], Reached]] = {
    ETHERNET: _ethernet,
    BSD_NULL: _bsd,
    BSD_LOOP: _bsd,
    RAW_IP_BSD: _raw,
    RAW_IP_OPENBSD: _raw,
    RAW_IP: _raw,
    IPV4_ONLY: _always(IPV4),
    IPV6_ONLY: _always(IPV6),
    PPP: _ppp_serial,
    PPP_SERIAL: _ppp_serial,
    PPPOE: _always(KIND_PPPOE),
    CISCO_HDLC: _cisco_hdlc,
    MPLS_LABELS: _always(KIND_MPLS),
    COOKED: _cooked,
    COOKED_V2: _cooked,
}

LINK_TYPES = frozenset(_READERS)
WITHOUT_MACS = LINK_TYPES - {ETHERNET, COOKED, COOKED_V2}
"""Behind a tunnel these leave the MACs of the link that carried the tunnel."""
