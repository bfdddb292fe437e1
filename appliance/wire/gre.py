"""GRE (RFC 2784, 2890, 1701), PPTP's version of it (RFC 2637), and the mirrors that use it: ERSPAN."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, IPV4_ONLY, PPP, RAW_IP
from appliance.wire import aruba
from appliance.wire.carriers import LINK_OF_ETHERTYPE, NOT_A_TUNNEL, UNKNOWN, Inside, Outer

_ROUTING, _KEY, _SEQUENCE, _ACKNOWLEDGED = 0x4000, 0x2000, 0x1000, 0x0080
_UNREADABLE = (
    0x07FF  # RFC 2784 section 2.3: reserved bits and version, all 0; of RFC 1701 routes are still met
)
_MOST_ROUTES = 8
_WCCP, _PPP, _ERSPAN, _ERSPAN_3 = 0x883E, 0x880B, 0x88BE, 0x22EB
_REDIRECTED, _MIRRORED = -10, -11

_SIZES = np.array([4 + 4 * ((bits & 0b1100 > 0) + (bits & 2 > 0) + (bits & 1)) for bits in range(16)])
"""(16,) bytes of header by the first four flags: checksum or routes, key, sequence take four each."""

_LINKS = LINK_OF_ETHERTYPE.copy()
_ARUBA = aruba.link_of(np.arange(len(_LINKS)))
_LINKS[_ARUBA >= 0] = _ARUBA[_ARUBA >= 0]
_LINKS[[_WCCP, _ERSPAN, _ERSPAN_3]] = _REDIRECTED, _MIRRORED, _MIRRORED


def gre(outer: Outer) -> Inside:
    """By version; what is neither 0 nor 1 nobody could read, yet it is a tunnel by its protocol number."""
    flags, protocol, length = outer.words(3)
    found = _version_0(outer, flags, protocol)
    picked = flags & 7 == 1
    if not picked.any():
        return found
    pptp = _version_1(outer, flags, protocol, length)
    assert pptp.wire_end is not None
    return Inside(
        np.where(picked, pptp.link, found.link),
        np.where(picked, pptp.start, found.start),
        np.where(picked, pptp.wire_end, outer.wire_end),
        found.vlan,
    )


def _version_0(outer: Outer, flags: NDArray[np.uint16], protocol: NDArray[np.uint16]) -> Inside:
    start = outer.start + _SIZES[flags >> 12]
    link = _LINKS[protocol]
    sound = (flags & _UNREADABLE == 0) & (outer.start + 4 <= outer.end)
    routed = flags & _ROUTING != 0
    if routed.any():
        start, ended = _past_routes(outer, start, routed)
        sound &= ended
    if not sound.all():
        link[~sound] = UNKNOWN
    vlan = None
    mirrored = np.flatnonzero(link == _MIRRORED)
    if len(mirrored):
        found = _erspan(outer, start, flags & _SEQUENCE != 0, protocol)
        link[mirrored], start[mirrored] = found.link[mirrored], found.start[mirrored]
        vlan = np.full(len(link), -1, np.int16)
        vlan[mirrored] = found.vlan[mirrored]
    redirected = np.flatnonzero(link == _REDIRECTED)
    if len(redirected):
        # WCCP 2 puts four bytes before the packet, WCCP 1 none.
        nibble = outer.frames.data[np.minimum(start, outer.end)[redirected]] >> 4
        link[redirected] = IPV4_ONLY
        start[redirected] += np.where(nibble == 4, 0, 4)
    return Inside(link, start, vlan=vlan)


def _past_routes(
    outer: Outer, start: NDArray[np.int64], routed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """RFC 1701: source routes of family, offset and length, ended by one of family and length 0."""
    start, ended = start.copy(), ~routed
    walking = np.flatnonzero(routed)
    for _ in range(_MOST_ROUTES):
        walking = walking[start[walking] + 4 <= outer.end[walking]]
        if not len(walking):
            break
        entry = outer.frames.window(start[walking], 4).view(np.uint8).reshape(-1, 4).astype(np.int64)
        start[walking] += 4 + entry[:, 3]
        last = (entry[:, 3] == 0) & (entry[:, 0] == 0) & (entry[:, 1] == 0)
        ended[walking[last]] = True
        walking = walking[~last]
    return start, ended


@dataclass(frozen=True)
class _Mirrored:
    link: NDArray[np.int64]
    start: NDArray[np.int64]
    vlan: NDArray[np.int16]


def _erspan(
    outer: Outer, start: NDArray[np.int64], sequenced: NDArray[np.bool_], protocol: NDArray[np.uint16]
) -> _Mirrored:
    """draft-foschiano-erspan-03: type I has no header and no GRE sequence; II says version 1, III says 2."""
    header = outer.frames.window(np.minimum(start, outer.end), 12).view(">u2").reshape(-1, 6)
    begin, flags = header[:, 0].astype(np.uint16), header[:, 5].astype(np.uint16)
    version = begin >> 12
    first = (protocol == _ERSPAN) & ~sequenced
    second = (protocol == _ERSPAN) & sequenced & (version == 1)
    third = ~first & (version == 2)
    frame_type = flags >> 10 & 31
    size = np.where(second, 8, np.where(third, 12 + 8 * (flags & 1).astype(np.int64), 0))
    link = np.where(first | second | third & (frame_type == 0), ETHERNET, UNKNOWN)
    link[third & (frame_type == 2)] = RAW_IP
    behind = start + size
    link[behind > outer.end] = UNKNOWN
    vlan = (begin & 0x0FFF).astype(np.int16)
    vlan[first | (vlan == 0)] = -1
    return _Mirrored(link, behind, vlan)


def _version_1(
    outer: Outer, flags: NDArray[np.uint16], protocol: NDArray[np.uint16], length: NDArray[np.uint16]
) -> Inside:
    """RFC 2637 section 4.1: key always, sequence only with a payload; the key's first half is its length."""
    acknowledges = (flags & _ACKNOWLEDGED != 0).astype(np.int64)
    size = 8 + 4 * ((flags & _SEQUENCE != 0) + acknowledges)
    start = outer.start + size
    sound = (flags & 0xE000 == _KEY) & (protocol == _PPP)
    empty = sound & ((flags & _SEQUENCE == 0) | (length == 0))
    link = np.where(outer.judge(8, sound, PPP, size) == PPP, PPP, UNKNOWN)
    link[empty & (outer.start + 8 <= outer.end)] = NOT_A_TUNNEL  # acknowledges, carries nothing
    return Inside(link, start, start + length)
