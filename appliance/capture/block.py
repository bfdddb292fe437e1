"""One block of the kernel's TPACKET_V3 ring seen as a batch of frames; no byte of a frame is copied.

Layout: linux/if_packet.h, struct tpacket_block_desc and struct tpacket3_hdr, in the machine's byte
order. The frames of a block are a linked list. Following it costs 90 ns a frame in Python, so all
positions that carry the block's seconds and the ring's constant offsets are taken for frames first, and
believed only if each points exactly at the next and their number is the kernel's.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames

STATUS_AT, _COUNT_AT, _FIRST_AT, _USED_AT = 8, 12, 16, 20
_FIRST_SECOND_AT, _LAST_SECOND_AT = 32, 40
_ALIGNMENT = 8
_FEW = 32
"""Below this many frames the search costs more than the walk."""

_MAC = np.uint32(0xFFFF)
"""Of `places`: where the frame begins after its header; above it, where its network header does."""

_VLAN_VALID = 1 << 4
_VLAN_ID = 0x0FFF
_NS = 1_000_000_000

_HEADER = np.dtype(
    {
        "names": ["next", "sec", "nsec", "captured", "length", "status", "places", "vlan"],
        "formats": ["<u4", "<u4", "<u4", "<u4", "<u4", "<u4", "<u4", "<u4"],
        "offsets": [0, 4, 8, 12, 16, 20, 24, 32],
        "itemsize": 48,
    }
).newbyteorder("=")


def frames_of(ring: NDArray[np.uint8], start: int, size_bytes: int, link_type: int = ETHERNET) -> Frames:
    """The frames of the block at ring[start : start + size_bytes], which the kernel has handed over.

    The result lies in the ring itself, valid until the block is given back.
    """
    block = ring[start : start + size_bytes]
    words = block.view(np.uint32)
    count = int(words[_COUNT_AT // 4])
    found = _search(words, count) if count >= _FEW else None
    positions, headers = _follow(words, count) if found is None else found
    offsets = positions * _ALIGNMENT + (headers["places"] & _MAC)
    captured = headers["captured"].astype(np.int64)
    data, offsets = _padded(ring, start, offsets, captured)
    tagged = (headers["status"] & _VLAN_VALID) != 0
    return Frames(
        data=data,
        offsets=offsets,
        captured=captured,
        length=headers["length"].astype(np.int64),
        time=headers["sec"].astype(np.int64) * _NS + headers["nsec"],
        link_type=link_type,
        vlan=np.where(tagged, headers["vlan"] & _VLAN_ID, -1).astype(np.int16),
    )


def _padded(
    ring: NDArray[np.uint8], start: int, offsets: NDArray[np.int64], captured: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The buffer and the offsets in it; only frames at the very end of the ring must be copied out."""
    if not len(offsets):
        return ring, offsets
    end = start + int(offsets[-1] + captured[-1])
    if end + PADDING_BYTES <= len(ring):
        return ring, offsets + start
    return np.concatenate([ring[start:end], np.zeros(PADDING_BYTES, np.uint8)]), offsets


def _headers(words: NDArray[np.uint32]) -> NDArray[np.void]:
    """The header that begins at each position of the block, if one does; indexing copies those wanted."""
    count = (words.nbytes - _HEADER.itemsize) // _ALIGNMENT + 1
    return np.ndarray((count,), f"V{_HEADER.itemsize}", buffer=words, strides=(_ALIGNMENT,))


def _follow(words: NDArray[np.uint32], count: int) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """Positions of all headers in units of 8 bytes, and the headers, followed one by one."""
    view = words.data
    here = view[_FIRST_AT // 4] // _ALIGNMENT
    positions = []
    for _ in range(count):
        positions.append(here)
        here += view[here * 2] // _ALIGNMENT
    together = np.array(positions, np.int64)
    return together, _headers(words)[together].view(_HEADER)


def _search(words: NDArray[np.uint32], count: int) -> tuple[NDArray[np.int64], NDArray[np.void]] | None:
    """The same as `_follow` in one step, or None where something else looks like a header.

    A frame's bytes may look like headers by malice; the chain then does not close, and the caller walks.
    """
    first, used = int(words[_FIRST_AT // 4]) // _ALIGNMENT, int(words[_USED_AT // 4]) // _ALIGNMENT
    low, high = words[_FIRST_SECOND_AT // 4], words[_LAST_SECOND_AT // 4]
    everywhere = _headers(words)
    seconds = words[2 * first + 1 : 2 * min(used, len(everywhere)) : 2]
    looks = seconds == low
    if high != low:
        looks |= seconds == high
    positions: NDArray[np.int64] = np.flatnonzero(looks)
    positions += first
    headers = everywhere[positions].view(_HEADER)
    constant = headers["places"] == headers["places"][:1]  # the same in every header
    if not constant.all():
        positions = positions[constant]
        headers = everywhere[positions].view(_HEADER)
    if len(positions) > count:
        # Between frames lie bytes that the kernel never wrote: they may be headers of this second too, from
        # when the block was last filled. No header points at them.
        pointed = np.isin(positions, positions + (headers["next"] >> np.uint32(3)))
        pointed[0] = True
        positions = positions[pointed]
        headers = everywhere[positions].view(_HEADER)
    if len(positions) != count or positions[0] != first:
        return None
    onwards = headers["next"][:-1] >> np.uint32(3)
    return (positions, headers) if np.array_equal(np.diff(positions), onwards) else None
