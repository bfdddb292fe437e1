"""The fast path: IPv4 without options or fragments, and IPv6 without extensions, tagged or not.

They carry TCP or UDP, or what has no ports at all: the outer packets of most tunnels are so.

Nearly all frames of a hotspot are so, behind no tag, or behind one or two where the mirror port is a trunk.
One gather a frame takes every header byte needed; everything else goes to `wire.careful`.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.wire.packets import MAC_MASK, PORTS_UNKNOWN, Packets, untagged

TCP, UDP = 6, 17

MOST_TAGS = 2
TAG_BYTES = 4

_TAGS = np.array([0x0081, 0xA888, 0x0091], np.uint16)  # 8100, 88a8, 9100 as read little-endian
_Fields = tuple[tuple[str, str, int], ...]  # name, form, position in an untagged frame

_IPV4: _Fields = (
    *(("octets", ">u2", 16), ("fragment", "<u2", 20), ("protocol", "u1", 23)),
    *(("addresses", "<u8", 26), ("ports", "<u4", 34), ("flags", "u1", 47)),
)
_IPV6: _Fields = (
    *(("octets", ">u2", 18), ("protocol", "u1", 20), ("ports", "<u4", 54), ("flags", "u1", 67)),
    *(("s_hi", "<u8", 22), ("s_lo", "<u8", 30), ("d_hi", "<u8", 38), ("d_lo", "<u8", 46)),
)
_MACS: _Fields = (("destination", "<u8", 0), ("source", "<u8", 4))


def _window(fields: _Fields, tags: int) -> np.dtype[np.void]:
    """Where the fields lie in a frame behind so many tags; MACs lie before the tags."""
    behind = [(name, form, at + tags * TAG_BYTES) for name, form, at in fields]
    names, forms, offsets = zip(*_MACS, *behind, strict=True)
    return np.dtype(
        {"names": names, "formats": forms, "offsets": offsets, "itemsize": max(offsets) // 4 * 4 + 4}
    )


_IPV4_WINDOWS = [_window(_IPV4, tags) for tags in range(MOST_TAGS + 1)]
_IPV6_WINDOWS = [_window(_IPV6, tags) for tags in range(MOST_TAGS + 1)]
_IPV4_START = np.uint32(0x4500_08)  # ethertype 0800, version 4, five words of header; little-endian
_IPV6_START = np.uint32(0x60_DD86)
_FRAGMENT_BITS = np.uint16(0xFF3F)  # more-fragments and offset, as read little-endian


def _protocols(*numbers: int) -> NDArray[np.bool_]:
    table = np.zeros(256, np.bool_)
    table[list(numbers)] = True
    return table


_PORTLESS_OVER_IPV4 = _protocols(1, 2, 4, 41, 47, 50, 89, 97, 103, 112, 137, 143)
_PORTLESS_OVER_IPV6 = _protocols(4, 41, 47, 50, 89, 97, 103, 112, 137, 143)  # not ICMPv6: it is looked into
_IPV4_ENOUGH, _IPV6_ENOUGH = 14 + 20 + 14, 14 + 40 + 14


def starts(
    frames: Frames, among: NDArray[np.int64] | None, tags: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of frames that begin like plain IPv4 and like IPv6 behind `tags` tags (still to be checked).

    Looks at the frames at the positions `among`, at all where it is None.
    """
    begin, captured = frames.offsets, frames.captured
    if among is not None:
        begin, captured = begin[among], captured[among]
    behind = tags * TAG_BYTES
    start = frames.window(begin + (12 + behind), 4).view("<u4")
    ipv4 = ((start & np.uint32(0x00FF_FFFF)) == _IPV4_START) & (captured >= _IPV4_ENOUGH + behind)
    ipv6 = ((start & np.uint32(0x00F0_FFFF)) == _IPV6_START) & (captured >= _IPV6_ENOUGH + behind)
    for tag in range(tags):
        kind = frames.window(begin + (12 + tag * TAG_BYTES), 2).view("<u2")
        tagged = (kind == _TAGS[0]) | (kind == _TAGS[1]) | (kind == _TAGS[2])
        ipv4 &= tagged
        ipv6 &= tagged
    found_ipv4, found_ipv6 = np.flatnonzero(ipv4), np.flatnonzero(ipv6)
    if among is not None:
        return among[found_ipv4], among[found_ipv6]
    return found_ipv4, found_ipv6


def ipv4(frames: Frames, at: NDArray[np.int64], tags: int) -> tuple[Packets, NDArray[np.int64]]:
    """Plain IPv4 among the frames at these positions, and the positions of those taken."""
    form = _IPV4_WINDOWS[tags]
    begin = frames.offsets[at]
    window = frames.window(begin, form.itemsize).view(form)
    protocol = window["protocol"].astype(np.uint16)
    octets = window["octets"].astype(np.int64)
    whole = (window["fragment"] & _FRAGMENT_BITS) == 0
    plain = whole & (octets >= 28)
    plain &= (protocol == UDP) | ((protocol == TCP) & (octets >= 40))
    if not plain.all():
        plain |= whole & (octets >= 20) & _PORTLESS_OVER_IPV4[protocol]
    if not plain.all():
        kept = np.flatnonzero(plain)
        at, begin, window = at[kept], begin[kept], window.take(kept)
        protocol, octets = protocol[kept], octets[kept]
    addresses = (window["addresses"].astype(np.uint64),)
    return _packets(frames, 4, at, begin, window, addresses, protocol, octets, tags), at


def ipv6(frames: Frames, at: NDArray[np.int64], tags: int) -> tuple[Packets, NDArray[np.int64]]:
    """IPv6 without extension headers among the frames at these positions, and the positions taken."""
    form = _IPV6_WINDOWS[tags]
    begin = frames.offsets[at]
    window = frames.window(begin, form.itemsize).view(form)
    protocol = window["protocol"].astype(np.uint16)
    octets = window["octets"].astype(np.int64) + 40
    plain = (protocol == UDP) & (octets >= 48) | (protocol == TCP) & (octets >= 60)
    if not plain.all():
        plain |= (octets > 40) & _PORTLESS_OVER_IPV6[protocol]
    if not plain.all():
        kept = np.flatnonzero(plain)
        at, begin, window = at[kept], begin[kept], window.take(kept)
        protocol, octets = protocol[kept], octets[kept]
    addresses = tuple(window[name].astype(np.uint64) for name in ("s_hi", "s_lo", "d_hi", "d_lo"))
    return _packets(frames, 6, at, begin, window, addresses, protocol, octets, tags), at


def _packets(
    frames: Frames,
    family: int,
    at: NDArray[np.int64],
    begin: NDArray[np.int64],
    window: NDArray[np.void],
    addresses: tuple[NDArray[np.uint64], ...],
    protocol: NDArray[np.uint16],
    octets: NDArray[np.int64],
    tags: int,
) -> Packets:
    flags = window["flags"] * (protocol == TCP)
    ports = window["ports"].astype(np.uint32)
    portless = (protocol != TCP) & (protocol != UDP)
    if portless.any():
        ports[portless] = 0
        protocol |= portless * np.uint16(PORTS_UNKNOWN)
    network = begin + (14 + tags * TAG_BYTES)
    return Packets(
        family,
        frames.time if len(at) == len(frames) else frames.time[at],
        addresses,
        ports,
        protocol,
        octets,
        flags,
        window["source"] >> np.uint64(16),
        window["destination"] & MAC_MASK,
        _vlan(frames, at, tags),
        frames,
        at,
        network,
        network + (20 if family == 4 else 40),
    )


def _vlan(frames: Frames, at: NDArray[np.int64], tags: int) -> NDArray[np.int16] | None:
    """(k,) the innermost VLAN named; 0 in a tag is a priority, not a VLAN. None: nobody has one."""
    vlan = None if frames.vlan is None else frames.vlan[at].astype(np.int16)
    for tag in range(tags):
        control = frames.window(frames.offsets[at] + (14 + tag * TAG_BYTES), 2).view(">u2")
        named = (control & np.uint16(0x0FFF)).astype(np.int16)
        vlan = np.where(named > 0, named, untagged(len(at)) if vlan is None else vlan)
    return vlan if vlan is not None and (vlan >= 0).any() else None
