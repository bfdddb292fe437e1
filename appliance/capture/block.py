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

_VLAN_VALID = 1 << 4
_VLAN_ID = 0x0FFF
_NS = 1_000_000_000

_HEADER = np.dtype(
    {
        "names": ["next", "sec", "nsec", "captured", "length", "status", "mac", "vlan"],
        "formats": ["<u4", "<u4", "<u4", "<u4", "<u4", "<u4", "<u2", "<u4"],
        "offsets": [0, 4, 8, 12, 16, 20, 24, 32],
        "itemsize": 48,
    }
).newbyteorder("=")


def frames_of(ring: NDArray[np.uint8], start: int, size_bytes: int) -> Frames:
    """The frames of the block at ring[start : start + size_bytes], which the kernel has handed over.

    The result lies in the ring itself, valid until the block is given back.
    """
    block = ring[start : start + size_bytes]
    words = block.view(np.uint32)
    count = int(words[_COUNT_AT // 4])
    found = _search(words, count) if count >= _FEW else None
    headers_at = _follow(words, count) if found is None else found
    sliding = np.ndarray((size_bytes - _HEADER.itemsize + 1,), "V48", buffer=block, strides=(1,))
    headers = sliding[headers_at].view(_HEADER)
    offsets = headers_at + headers["mac"]
    captured = headers["captured"].astype(np.int64)
    data, offsets = _padded(ring, start, offsets, captured)
    tagged = (headers["status"] & _VLAN_VALID) != 0
    return Frames(
        data=data,
        offsets=offsets,
        captured=captured,
        length=headers["length"].astype(np.int64),
        time=headers["sec"].astype(np.int64) * _NS + headers["nsec"],
        link_type=ETHERNET,
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


def _follow(words: NDArray[np.uint32], count: int) -> NDArray[np.int64]:
    """Headers' positions, one after the other, as the kernel links them."""
    view = words.data
    here = view[_FIRST_AT // 4] // 4
    positions = []
    for _ in range(count):
        positions.append(here * 4)
        here += view[here] // 4
    return np.array(positions, np.int64)


def _search(words: NDArray[np.uint32], count: int) -> NDArray[np.int64] | None:
    """All headers' positions at once, or None where something else looks like one.

    A frame's bytes may look like a header by chance or by malice; the chain then does not close, and the
    caller walks.
    """
    first = int(words[_FIRST_AT // 4])
    used = int(words[_USED_AT // 4])
    pairs = words[first // 4 : used // 4 & ~1].reshape(-1, 2)
    low, high = words[_FIRST_SECOND_AT // 4], words[_LAST_SECOND_AT // 4]
    seconds = pairs[:, 1]
    looks = seconds == low
    if high != low:
        looks |= seconds == high
    candidates = np.flatnonzero(looks)
    candidates = candidates[candidates < len(pairs) - 3]
    constant = pairs[candidates + 3, 0] == pairs[3, 0]  # where the frame begins: the same in every header
    positions: NDArray[np.int64] = candidates[constant].astype(np.int64) * _ALIGNMENT
    if len(positions) != count or positions[0] != 0:
        return None
    onwards = pairs[positions[:-1] // _ALIGNMENT, 0]
    if not np.array_equal(positions[:-1] + onwards, positions[1:]):
        return None
    return positions + first
