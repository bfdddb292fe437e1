"""GRE (RFC 2784, 2890, 1701), PPTP's version of it (RFC 2637), and the mirrors that use it: ERSPAN."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, IPV4_ONLY, PPP, RAW_IP
from appliance.wire import aruba
from appliance.wire.carriers import LINK_OF_ETHERTYPE, NOT_A_TUNNEL, UNKNOWN, Inside, Outer

_CHECKSUM, _ROUTING, _KEY, _SEQUENCE, _ACKNOWLEDGED = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
_RESERVED = 0x07F8  # RFC 2784 section 2.3; of RFC 1701 only routing is still met
_MOST_ROUTES = 8
_WCCP, _PPP, _ERSPAN, _ERSPAN_3 = 0x883E, 0x880B, 0x88BE, 0x22EB


def gre(outer: Outer) -> Inside:
    """By version; what is neither is no GRE that anybody could read, yet a tunnel by its protocol number."""
    words = outer.words(4)
    version = words[:, 0] & 7
    plain, pptp = _version_0(outer, words), _version_1(outer, words)
    picked = version == 1
    link = np.where(picked, pptp.link, np.where(version == 0, plain.link, UNKNOWN))
    assert pptp.wire_end is not None
    start = np.where(picked, pptp.start, plain.start)
    return Inside(link, start, np.where(picked, pptp.wire_end, outer.wire_end), plain.vlan)


def _version_0(outer: Outer, words: NDArray[np.int64]) -> Inside:
    flags, protocol = words[:, 0], words[:, 1]
    routed = flags & _ROUTING != 0
    size = 4 + 4 * _count(flags, _CHECKSUM | _ROUTING, _KEY, _SEQUENCE)
    start = outer.start + size
    sound = flags & _RESERVED == 0
    if routed.any():
        start, ended = _past_routes(outer, start, routed)
        sound &= ended
    link = LINK_OF_ETHERTYPE[protocol]
    wireless = aruba.link_of(protocol)
    link = np.where(wireless >= 0, wireless, link)
    link = np.where(sound & (outer.start + 4 <= outer.end), link, UNKNOWN)
    mirror = (protocol == _ERSPAN) | (protocol == _ERSPAN_3)
    vlan = None
    if mirror.any():
        found = _erspan(outer, start, flags & _SEQUENCE != 0, protocol)
        link = np.where(mirror & (link == UNKNOWN) & sound, found.link, link)
        start, vlan = np.where(mirror, found.start, start), np.where(mirror, found.vlan, -1).astype(np.int16)
    redirected = protocol == _WCCP
    if redirected.any():
        # WCCP 2 puts four bytes before the packet, WCCP 1 none.
        second = outer.frames.data[np.minimum(start, outer.end)] >> 4 != 4
        link = np.where(redirected & sound, IPV4_ONLY, link)
        start = start + np.where(redirected & second, 4, 0)
    return Inside(link, start, vlan=vlan)


def _count(flags: NDArray[np.int64], *masks: int) -> NDArray[np.int64]:
    """(k,) how many of these are set, of a mask of two any."""
    return np.asarray(np.sum([flags & mask != 0 for mask in masks], axis=0, dtype=np.int64))


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
    outer: Outer, start: NDArray[np.int64], sequenced: NDArray[np.bool_], protocol: NDArray[np.int64]
) -> _Mirrored:
    """draft-foschiano-erspan-03: type I has no header and no GRE sequence; II says version 1, III says 2."""
    at = np.minimum(start, outer.end)
    header = outer.frames.window(at, 12).view(">u2").reshape(-1, 6).astype(np.int64)
    version = header[:, 0] >> 12
    first = (protocol == _ERSPAN) & ~sequenced
    second = (protocol == _ERSPAN) & sequenced & (version == 1)
    third = ~first & (version == 2)
    frame_type = header[:, 5] >> 10 & 31
    platform = header[:, 5] & 1
    size = np.select([second, third], [8, 12 + 8 * platform], 0)
    link = np.select(
        [first | second, third & (frame_type == 0), third & (frame_type == 2)],
        [ETHERNET, ETHERNET, RAW_IP],
        UNKNOWN,
    )
    behind = start + size
    vlan = np.where((second | third) & (header[:, 0] & 0x0FFF > 0), header[:, 0] & 0x0FFF, -1)
    return _Mirrored(np.where(behind <= outer.end, link, UNKNOWN), behind, vlan.astype(np.int16))


def _version_1(outer: Outer, words: NDArray[np.int64]) -> Inside:
    """RFC 2637 section 4.1: key always, sequence only with a payload; the key's first half is its length."""
    flags, protocol, length = words[:, 0], words[:, 1], words[:, 2]
    size = 8 + 4 * _count(flags, _SEQUENCE, _ACKNOWLEDGED)
    start = outer.start + size
    sound = (flags & (_CHECKSUM | _ROUTING | _KEY) == _KEY) & (protocol == _PPP)
    empty = sound & ((flags & _SEQUENCE == 0) | (length == 0))
    link = np.where(outer.judge(8, sound, PPP, size) == PPP, PPP, UNKNOWN)
    link[empty & (outer.start + 8 <= outer.end)] = NOT_A_TUNNEL  # acknowledges, carries nothing
    return Inside(link, start, start + length)
