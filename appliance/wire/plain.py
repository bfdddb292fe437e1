"""The fast path: untagged IPv4 without options or fragments, and IPv6, that carry TCP or UDP directly.

Nearly all frames of a hotspot are so. One gather a frame takes every header byte needed; everything else
goes to `wire.careful`.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.wire.packets import MAC_MASK, Packets

TCP, UDP = 6, 17

_IPV4_WINDOW = np.dtype(
    {
        "names": ["destination", "source", "octets", "fragment", "protocol", "addresses", "ports", "flags"],
        "formats": ["<u8", "<u8", ">u2", "<u2", "u1", "<u8", "<u4", "u1"],
        "offsets": [0, 4, 16, 20, 23, 26, 34, 47],
        "itemsize": 48,
    }
)
_IPV6_WINDOW = np.dtype(
    {
        "names": [
            "destination",
            "source",
            "payload",
            "next",
            "s_hi",
            "s_lo",
            "d_hi",
            "d_lo",
            "ports",
            "flags",
        ],
        "formats": ["<u8", "<u8", ">u2", "u1", "<u8", "<u8", "<u8", "<u8", "<u4", "u1"],
        "offsets": [0, 4, 18, 20, 22, 30, 38, 46, 54, 67],
        "itemsize": 72,
    }
)
_IPV4_START = np.uint32(0x4500_08)  # ethertype 0800, version 4, five words of header; little-endian
_IPV6_START = np.uint32(0x60_DD86)
_FRAGMENT_BITS = np.uint16(0xFF3F)  # more-fragments and offset, as read little-endian
_IPV4_ENOUGH, _IPV6_ENOUGH = 14 + 20 + 14, 14 + 40 + 14


def starts(frames: Frames) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of frames that begin like plain IPv4 and like IPv6 (their headers still to be checked)."""
    start = frames.window(frames.offsets + 12, 4).view("<u4")
    ipv4 = ((start & np.uint32(0x00FF_FFFF)) == _IPV4_START) & (frames.captured >= _IPV4_ENOUGH)
    ipv6 = ((start & np.uint32(0x00F0_FFFF)) == _IPV6_START) & (frames.captured >= _IPV6_ENOUGH)
    if frames.vlan is not None:
        untouched = frames.vlan < 0
        ipv4 &= untouched
        ipv6 &= untouched
    return np.flatnonzero(ipv4), np.flatnonzero(ipv6)


def ipv4(frames: Frames, at: NDArray[np.int64]) -> tuple[Packets, NDArray[np.int64]]:
    """Plain IPv4 among the frames at these positions, and the positions of those taken."""
    window = frames.window(frames.offsets[at], _IPV4_WINDOW.itemsize).view(_IPV4_WINDOW)
    protocol = window["protocol"].astype(np.uint16)
    octets = window["octets"].astype(np.int64)
    plain = ((window["fragment"] & _FRAGMENT_BITS) == 0) & (octets >= 28)
    plain &= (protocol == UDP) | ((protocol == TCP) & (octets >= 40))
    if not plain.all():
        kept = np.flatnonzero(plain)
        at, window, protocol, octets = at[kept], window[kept], protocol[kept], octets[kept]
    return _packets(frames, 4, at, window, (window["addresses"].astype(np.uint64),), protocol, octets), at


def ipv6(frames: Frames, at: NDArray[np.int64]) -> tuple[Packets, NDArray[np.int64]]:
    """IPv6 without extension headers among the frames at these positions, and the positions taken."""
    window = frames.window(frames.offsets[at], _IPV6_WINDOW.itemsize).view(_IPV6_WINDOW)
    protocol = window["next"].astype(np.uint16)
    octets = window["payload"].astype(np.int64) + 40
    plain = (protocol == UDP) & (octets >= 48) | (protocol == TCP) & (octets >= 60)
    if not plain.all():
        kept = np.flatnonzero(plain)
        at, window, protocol, octets = at[kept], window[kept], protocol[kept], octets[kept]
    addresses = tuple(window[name].astype(np.uint64) for name in ("s_hi", "s_lo", "d_hi", "d_lo"))
    return _packets(frames, 6, at, window, addresses, protocol, octets), at


def _packets(
    frames: Frames,
    family: int,
    at: NDArray[np.int64],
    window: NDArray[np.void],
    addresses: tuple[NDArray[np.uint64], ...],
    protocol: NDArray[np.uint16],
    octets: NDArray[np.int64],
) -> Packets:
    flags = window["flags"] * (protocol == TCP)
    return Packets(
        family,
        frames.time if len(at) == len(frames) else frames.time[at],
        addresses,
        window["ports"].astype(np.uint32),
        protocol,
        octets,
        flags,
        window["source"] >> np.uint64(16),
        window["destination"] & MAC_MASK,
        None,
    )
