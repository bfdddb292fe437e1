"""Tunnels in UDP: VXLAN, Geneve, TZSP, GTP-U, MPLS, L2TP. A port alone proves nothing: a client may use any.

So each header must be sound to its reserved bits before what follows is believed.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, IPV4_ONLY, IPV6_ONLY, MPLS_LABELS, PPP, RAW_IP
from appliance.wire.carriers import LINK_OF_ETHERTYPE, NOT_A_TUNNEL, UNKNOWN, Inside, Outer
from appliance.wire.radio import AVS, IEEE802_11, PRISM

_MOST_TZSP_TAGS = 32
_MOST_GTP_EXTENSIONS = 8
_MOST_LABELS = 8

# As read little-endian: flags, three reserved bytes (with a policy: flags and its number), network, reserved.
_VXLAN, _VXLAN_MASK = np.uint64(0x08), np.uint64(0xFF00_0000_FFFF_FFFF)
_VXLAN_POLICY, _VXLAN_POLICY_MASK = np.uint64(0x88), np.uint64(0xFF00_0000_0000_B7FF)

_GPE_LINKS = np.full(256, UNKNOWN, np.int64)
_GPE_LINKS[[1, 2, 3, 5]] = IPV4_ONLY, IPV6_ONLY, ETHERNET, MPLS_LABELS
_TZSP_LINKS = np.full(256, NOT_A_TUNNEL, np.int64)
_TZSP_LINKS[[1, 4, 7, 18, 119, 127]] = ETHERNET, PPP, RAW_IP, IEEE802_11, PRISM, AVS


def vxlan(outer: Outer) -> Inside:
    """RFC 7348 section 5, and the group policy bits that draft-smith-vxlan-group-policy puts into it."""
    header = outer.frames.window(outer.start, 8).view("<u8")
    sound = header & _VXLAN_MASK == _VXLAN
    sound |= header & _VXLAN_POLICY_MASK == _VXLAN_POLICY
    return Inside(outer.judge(8, sound, ETHERNET), outer.start + 8)


def vxlan_gpe(outer: Outer) -> Inside:
    """draft-ietf-nvo3-vxlan-gpe section 3: version 0, the next protocol where the P bit says so."""
    header = outer.bytes(8)
    named = header[:, 0] & 0x04 != 0
    sound = (header[:, 0] & 0xF2 == 0) & (header[:, 0] & 0x08 != 0)
    sound &= (header[:, 1:3] == 0).all(1) & (header[:, 7] == 0) & (named | (header[:, 3] == 0))
    return Inside(outer.judge(8, sound, np.where(named, _GPE_LINKS[header[:, 3]], ETHERNET)), outer.start + 8)


def geneve(outer: Outer) -> Inside:
    """RFC 8926 section 3.4: version 0, options of stated length, reserved bits 0."""
    begin, protocol, _, last = outer.words(4)
    size = (begin >> 6 & 0xFC).astype(np.int64) + 8
    link = LINK_OF_ETHERTYPE[protocol]
    sound = (begin & 0xC03F == 0) & (last & 0xFF == 0) & (link != UNKNOWN)
    return Inside(outer.judge(8, sound, link, size), outer.start + size)


def tzsp(outer: Outer) -> Inside:
    """TaZmen Sniffer Protocol, version 1: received (0) or sent (1) packets behind a list of tags."""
    header = outer.bytes(4)
    sound = (header[:, 0] == 1) & (header[:, 1] <= 1) & (header[:, 2] == 0)
    link = outer.judge(4, sound, _TZSP_LINKS[header[:, 3]])
    start, ended = outer.start + 4, np.zeros(len(header), np.bool_)
    walking = np.flatnonzero(link >= 0)
    for _ in range(_MOST_TZSP_TAGS):
        walking = walking[start[walking] < outer.end[walking]]
        if not len(walking):
            break
        tag = outer.frames.window(start[walking], 2).view(np.uint8).reshape(-1, 2).astype(np.int64)
        start[walking] += np.where(
            tag[:, 0] <= 1, 1, 2 + tag[:, 1]
        )  # 0 pads, 1 ends; the others have a length
        ended[walking[tag[:, 0] == 1]] = True
        walking = walking[tag[:, 0] != 1]
    unended = (link >= 0) & ~ended
    link[unended] = np.where(outer.end[unended] < outer.wire_end[unended], UNKNOWN, NOT_A_TUNNEL)
    return Inside(link, start)


def gtp(outer: Outer) -> Inside:
    """3GPP TS 29.281 section 5: version 1, a G-PDU whose length is the datagram's, chained extensions."""
    header = outer.bytes(12)
    optional = header[:, 0] & 0x07 != 0
    size = np.where(optional, 12, 8)
    sound = (header[:, 0] & 0xF8 == 0x30) & (header[:, 1] == 255)
    length = outer.words(2)[1].astype(np.int64)
    sound &= length + 8 == outer.wire_end - outer.start
    link = outer.judge(8, sound, RAW_IP, size)
    start = outer.start + size
    following = np.where(header[:, 0] & 0x04 != 0, header[:, 11], 0)
    walking = np.flatnonzero((link >= 0) & (following != 0))
    for _ in range(_MOST_GTP_EXTENSIONS):
        if not len(walking):
            break
        words = outer.frames.data[np.minimum(start[walking], outer.end[walking])].astype(np.int64)
        start[walking] += words * 4
        whole = (words > 0) & (start[walking] <= outer.end[walking])
        link[walking[~whole]] = UNKNOWN
        walking = walking[whole]
        walking = walking[outer.frames.data[start[walking] - 1] != 0]
    link[walking] = UNKNOWN
    return _ip(outer, link, start, exact=False)


def mpls(outer: Outer) -> Inside:
    """RFC 7510. Labels prove nothing, so they must lead to IP that fills the datagram."""
    start = outer.start.copy()
    last = np.zeros(len(start), np.bool_)
    walking = np.arange(len(start))
    for _ in range(_MOST_LABELS):
        walking = walking[start[walking] + 4 <= outer.end[walking]]
        if not len(walking):
            break
        last[walking] = outer.frames.data[start[walking] + 2] & 1 == 1
        start[walking] += 4
        walking = walking[~last[walking]]
    cut = (start + 4 > outer.end) & (outer.end < outer.wire_end)
    return _ip(outer, np.where(last, RAW_IP, np.where(cut, UNKNOWN, NOT_A_TUNNEL)), start, exact=True)


def l2tp(outer: Outer) -> Inside:
    """RFC 2661 section 3.1: data of version 2; a length, where there is one, is the datagram's."""
    flags, *words = outer.words(4)
    length, sequence, offset = flags & 0x4000 != 0, flags & 0x0800 != 0, flags & 0x0200 != 0
    before = 6 + 2 * length.astype(np.int64) + 4 * sequence
    place = np.minimum(outer.start + before, outer.end)
    padding = outer.frames.window(place, 2).view(">u2").astype(np.int64)
    size = before + np.where(offset, np.where(place + 2 <= outer.end, 2 + padding, 2), 0)
    sound = (flags & 0xB4FF == 0x0002) & (~length | (words[0] == outer.wire_end - outer.start))
    session = np.where(length, words[2], words[1])
    return Inside(outer.judge(8, sound & (session != 0), PPP, size), outer.start + size)


def _ip(outer: Outer, link: NDArray[np.int64], start: NDArray[np.int64], exact: bool) -> Inside:
    """Only what begins with an IP header that fits into the rest, or is all of it, is taken for IP."""
    at = np.minimum(start, outer.end)
    header = outer.frames.window(at, 6).view(np.uint8).reshape(-1, 6).astype(np.int64)
    room = outer.wire_end - start
    version = header[:, 0] >> 4
    total = np.where(version == 4, header[:, 2] << 8 | header[:, 3], (header[:, 4] << 8 | header[:, 5]) + 40)
    cut = start + 6 > outer.end
    fits = ((version == 4) | (version == 6)) & ((total == room) if exact else (total <= room))
    said = np.where(cut, UNKNOWN, np.where(fits, link, NOT_A_TUNNEL))
    return Inside(np.where(link < 0, link, said), start)
