"""What access points send their controllers: CAPWAP data (RFC 5415, UDP 5247) and LWAPP (RFC 5412).

A header is believed only where all of it fits together, since any client may send from or to these ports.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, Frames
from appliance.wire import wlan
from appliance.wire.datalinks import ARP, IPV4, IPV6
from appliance.wire.links import Refusals
from appliance.wire.packets import MAC_MASK
from appliance.wire.radio import IEEE802_11, SWAPPED

PORT = 5247
LWAPP_PORTS = (12222, 12223)
"""For data and for control, but controllers send both from the second."""

OPAQUE, LATER = -1, -2
"""In place of a link type: nothing that can be read (DTLS, keep-alive, no header); a later fragment."""

_IEEE802_11_BINDING, _NO_BINDING = 1, 0
_NATIVE, _FRAGMENT, _WIRELESS, _RADIO_MAC, _KEEP_ALIVE, _RESERVED = 0x100, 0x80, 0x20, 0x10, 0x08, 0x07
_LWAPP_HEADER_BYTES = 6
_LWAPP_VERSION, _LWAPP_CONTROL, _LWAPP_FRAGMENT, _LWAPP_LAST = 0xC0, 0x04, 0x02, 0x01


@dataclass(frozen=True)
class Inner:
    """What k datagrams carry: frames of a link type, or one of the two above."""

    link: NDArray[np.int64]  # ETHERNET, IEEE802_11, SWAPPED, OPAQUE or LATER
    start: NDArray[np.int64]  # byte position of the inner frame
    radio_mac: NDArray[np.uint64]  # of the access point's radio, in wire order; 0 where none is told
    split: NDArray[np.int64]  # the number of the frame that this is a piece of, -1 where it is whole


def inner(frames: Frames, start: NDArray[np.int64], end: NDArray[np.int64]) -> Inner:
    """RFC 5415 section 4.3: what lies in UDP payloads `start` to `end` (captured)."""
    header = frames.window(start, 8).view(np.uint8).reshape(-1, 8)
    word = frames.window(start, 4).view(">u4").astype(np.int64)
    size = (word >> 19 & 0x1F) * 4
    binding = word >> 9 & 0x1F
    offset = (header[:, 6].astype(np.int64) << 8 | header[:, 7]) >> 3
    whole = (header[:, 0] == 0) & (size >= 8) & (start + size <= end)  # version 0, not DTLS
    behind, radio_mac, fits = _optional(frames, start, np.where(whole, size, 0), word)
    whole &= fits & (word & (_KEEP_ALIVE | _RESERVED) == 0) & (header[:, 7] & 7 == 0)
    whole &= (word & _FRAGMENT != 0) | (offset == 0)
    begin = np.where(whole, start + behind, start)
    native = word & _NATIVE != 0
    link = np.where(native, _order(frames, begin, end), ETHERNET)
    named = ~native | (binding == _IEEE802_11_BINDING)
    unnamed = np.flatnonzero(whole & ~named & (binding == _NO_BINDING))
    named[unnamed] = _is_clear(frames, begin[unnamed], end[unnamed], link[unnamed])
    link = np.where(whole & named, link, OPAQUE)
    piece = whole & (word & _FRAGMENT != 0)
    link = np.where(piece & (offset > 0), LATER, link)
    split = np.where(piece, header[:, 4].astype(np.int64) << 8 | header[:, 5], -1)
    return Inner(link, begin, np.where(whole, radio_mac, 0).astype(np.uint64), split)


def _optional(
    frames: Frames, start: NDArray[np.int64], size: NDArray[np.int64], word: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.bool_]]:
    """(k,) header bytes, radio MACs, and whether the optional parts fill the `size` bytes of header.

    Both parts are a length, as many bytes, and padding to four. Older Cisco controllers put the binding's
    number before the second part's length, which must not be believed then.
    """
    behind = np.full(len(start), 8, np.int64)
    told = (word & _RADIO_MAC != 0) & (size >= 16)
    length = frames.data[np.where(told, start + 8, start)].astype(np.int64)
    fits = (word & _RADIO_MAC == 0) | (told & ((length == 6) | (length == 8)))
    mac = np.where(told & (length == 6), frames.window(start + 9, 8).view("<u8") & MAC_MASK, np.uint64(0))
    behind += np.where(told, (length + 4) // 4 * 4, 0)
    more = (word & _WIRELESS != 0) & fits & (size >= behind + 4)
    place = np.where(more, start + behind, start)
    length = frames.data[place].astype(np.int64)
    older = (length == _IEEE802_11_BINDING) & (frames.data[place + 1] == 4) & (size == behind + 8)
    part = np.where(older, 8, (length + 4) // 4 * 4)
    fits &= (word & _WIRELESS == 0) | more
    behind += np.where(more, part, 0)
    return behind, mac, fits & (behind == size)


def lwapp(
    frames: Frames, start: NDArray[np.int64], end: NDArray[np.int64], wire_end: NDArray[np.int64]
) -> Inner:
    """RFC 5412 section 3.3: what lies in UDP payloads `start` to `wire_end`, captured up to `end`.

    The header says how long the inner frame is. Radio MACs are not told.
    """
    header = frames.window(start, _LWAPP_HEADER_BYTES).view(np.uint8).reshape(-1, _LWAPP_HEADER_BYTES)
    flags = header[:, 0]
    length = header[:, 2].astype(np.int64) << 8 | header[:, 3]
    begin = start + _LWAPP_HEADER_BYTES
    whole = (flags & (_LWAPP_VERSION | _LWAPP_CONTROL) == 0) & (begin <= end) & (begin + length == wire_end)
    begin = np.where(whole, begin, start)
    link = np.where(whole, _order(frames, begin, end), OPAQUE)
    piece = whole & (flags & _LWAPP_FRAGMENT != 0)
    link = np.where(piece & (flags & _LWAPP_LAST != 0), LATER, link)
    split = np.where(piece, header[:, 1].astype(np.int64), -1)
    return Inner(link, begin, np.zeros(len(start), np.uint64), split)


def _order(frames: Frames, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """(k,) in which order the two bytes of 802.11 frame control lie.

    Both protocols say as on the air; Cisco's hardware exchanges them. The first byte's low bits are the
    version, 0; the second's say to or from the distribution system, one of which all data between a station
    and its access point does. So exchanged frames of data begin with a version that does not exist.
    """
    control = frames.window(start, 2).view(np.uint8).reshape(-1, 2)
    swapped = (control[:, 0] & 3 != 0) & (control[:, 1] & 3 == 0) & (start + 2 <= end)
    return np.where(swapped, SWAPPED, IEEE802_11)


def _is_clear(
    frames: Frames, start: NDArray[np.int64], end: NDArray[np.int64], link: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(k,) true where 802.11 with IP or ARP in clear lies there, in the order that `link` says.

    Some Cisco controllers write 0 for the binding, which is reserved: it is believed where so much fits.
    """
    clear = np.zeros(len(start), np.bool_)
    for order in (IEEE802_11, SWAPPED):
        rows = np.flatnonzero(link == order)
        if len(rows):
            size = end[rows] - start[rows]
            inside = Frames(frames.data, start[rows], size, size, np.arange(len(rows)) << 32, order)
            found = wlan.reached(inside, np.arange(len(rows)), Refusals())
            known = (found.kind == IPV4) | (found.kind == IPV6) | (found.kind == ARP)
            clear[rows[found.at[known]]] = True
    return clear
