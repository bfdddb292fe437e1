"""What 802.11 data frames carry: behind a cipher's or a mesh's header, one payload or several (A-MSDU).

Encrypted payload is not looked into. Some mirrors decrypt and leave the protected bit set, with the cipher's
header (4 bytes WEP, 8 bytes TKIP, CCMP, GCMP) or without it: that is believed only where LLC and SNAP, an
ethertype and the network layer's own first bits lie there in clear. More than eight bytes are fixed then,
which ciphertext has by chance less than once in 2^64 frames.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.model.reasons import Refusal
from appliance.wire import radio
from appliance.wire.links import Refusals
from appliance.wire.packets import MAC_MASK

MOST_SUBFRAMES = 192
"""An A-MSDU is 11,454 bytes at most: 179 TCP acknowledgements."""

SNAP = np.uint64(0x03_AAAA)  # DSAP, SSAP, control, then an OUI of zeroes; little-endian
LLC_BYTES = 8

FROM_DS, PROTECTED = 0x02, 0x40  # of the frame control's second byte
_AMSDU, _MESH = 0x0080, 0x0100  # of the QoS control; bit 8 means mesh control only behind a relay
_SUBFRAME_BYTES, _MESH_BYTES = 14, 6
_CLEAR_BYTES = 10
_CIPHER_BYTES = (0, 8, 4)
_CIPHERS = np.dtype(
    {"names": [str(size) for size in _CIPHER_BYTES], "formats": ["<u8"] * 3, "offsets": list(_CIPHER_BYTES)}
)


@dataclass(frozen=True)
class Payloads:
    """k data payloads that begin with LLC, or with an A-MSDU's first subframe."""

    at: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    wire_end: NDArray[np.int64]
    source: NDArray[np.uint64]
    destination: NDArray[np.uint64]
    access_point: NDArray[np.uint64]

    def take(self, rows: NDArray[np.int64]) -> "Payloads":
        return Payloads(
            self.at[rows],
            self.start[rows],
            self.end[rows],
            self.wire_end[rows],
            self.source[rows],
            self.destination[rows],
            self.access_point[rows],
        )


def opened(
    frames: Frames,
    payloads: Payloads,
    flags: NDArray[np.uint8],
    quality: NDArray[np.uint16],
    tally: Refusals,
) -> tuple[Payloads, NDArray[np.bool_]]:
    """The payloads that lie in clear, behind cipher and mesh headers; and which of them are A-MSDUs."""
    aggregated = quality & _AMSDU != 0
    protected = flags & PROTECTED != 0
    if protected.any():
        skip = np.where(protected, _clear(frames, payloads, protected, aggregated), 0)
        kept = radio.sift(payloads.at, tally, (skip < 0, Refusal.WIFI_ENCRYPTED))
        payloads = replace(payloads, start=payloads.start + skip).take(kept)
        flags, quality, aggregated = flags[kept], quality[kept], aggregated[kept]
    # Where LLC lies in the place of the first subframe's receiver, somebody split the A-MSDU and left the
    # bit, or set the bit to smuggle (CVE-2020-24588): both ways it is one payload.
    if aggregated.any():
        snap = frames.window(payloads.start, 8).view("<u8") & MAC_MASK
        aggregated &= (snap != SNAP) | (payloads.start + 6 > payloads.end)
    meshed = (quality & _MESH != 0) & (flags & FROM_DS != 0) & ~aggregated
    if meshed.any():
        payloads = _behind_mesh(frames, payloads, np.flatnonzero(meshed))
    return payloads, aggregated


def _clear(
    frames: Frames, payloads: Payloads, protected: NDArray[np.bool_], aggregated: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(k,) bytes of cipher header before what lies in clear although marked as protected; else -1."""
    skip = np.full(len(payloads.at), -1, np.int64)
    rows = np.flatnonzero(protected)
    place = payloads.start[rows] + np.where(aggregated[rows], _SUBFRAME_BYTES, 0)
    begins = frames.window(place, _CIPHERS.itemsize).view(_CIPHERS)
    for size in _CIPHER_BYTES:
        likely = np.flatnonzero(begins[str(size)] & MAC_MASK == SNAP)
        at = place[likely] + size
        network = frames.window(at + 6, 4).view(np.uint8).reshape(-1, 4)
        kind, first, second = network.view(">u2")[:, 0], network[:, 2], network[:, 3]
        known = (kind == 0x0800) & (first >> 4 == 4) | (kind == 0x86DD) & (first >> 4 == 6)
        known |= (kind == 0x0806) & (first == 0) & (second == 1)
        known &= (at + _CLEAR_BYTES <= payloads.end[rows[likely]]) & (skip[rows[likely]] < 0)
        skip[rows[likely[known]]] = size
    return skip


def _behind_mesh(frames: Frames, payloads: Payloads, rows: NDArray[np.int64]) -> Payloads:
    """These payloads behind their mesh control (9.2.4.7.3), where there is one: flags, TTL, sequence number.

    The bit that announces it means something else outside a mesh, so the flags must be possible, and LLC must
    follow. The control may name addresses beyond the mesh: one (the source) or two (destination, source).
    """
    control = frames.window(payloads.start[rows], 1).view(np.uint8)
    extension = (control & 3).astype(np.int64)
    behind = payloads.start[rows] + _MESH_BYTES + 6 * extension
    inside = (control < 3) & (behind + 6 <= payloads.end[rows])
    rows, extension, behind = rows[inside], extension[inside], behind[inside]
    snap = frames.window(behind, 8).view("<u8") & MAC_MASK
    real = snap == SNAP
    rows, extension, behind = rows[real], extension[real], behind[real]
    one = frames.window(payloads.start[rows] + _MESH_BYTES, 8).view("<u8") & MAC_MASK
    two = frames.window(payloads.start[rows] + _MESH_BYTES + 6, 8).view("<u8") & MAC_MASK
    start, source = payloads.start.copy(), payloads.source.copy()
    destination, through = payloads.destination.copy(), payloads.access_point.copy()
    start[rows] = behind
    source[rows] = np.choose(extension, [source[rows], one, two])
    destination[rows] = np.where(extension == 2, one, destination[rows])
    through[rows] = 0  # a mesh point, which need not be anyone's access point
    return replace(payloads, start=start, source=source, destination=destination, access_point=through)


def subframes(frames: Frames, payloads: Payloads, aggregated: NDArray[np.bool_], tally: Refusals) -> Payloads:
    """The payloads of A-MSDUs (9.3.2.2): destination, source, length, payload, padded to four bytes."""
    left = payloads.take(np.flatnonzero(aggregated))
    parts = []
    for depth in range(MOST_SUBFRAMES + 1):
        begin = left.start + _SUBFRAME_BYTES
        tally.add(Refusal.CUT_SHORT, left.at[(begin > left.end) & ((depth == 0) | (begin <= left.wire_end))])
        left = left.take(np.flatnonzero(begin <= left.end))
        if not len(left.at):
            break
        if depth == MOST_SUBFRAMES:
            tally.add(Refusal.BAD_LENGTH, left.at)
            break
        header = frames.window(left.start, 16)
        macs = header.view("<u8").reshape(-1, 2)[:, 0] & MAC_MASK
        source = frames.window(left.start + 6, 8).view("<u8") & MAC_MASK
        size = header.view(">u2").reshape(-1, 8)[:, 6].astype(np.int64)
        begin = left.start + _SUBFRAME_BYTES
        stop = begin + size
        rows = radio.sift(left.at, tally, ((size < LLC_BYTES) | (stop > left.wire_end), Refusal.BAD_LENGTH))
        part = replace(
            left,
            start=begin,
            end=np.minimum(stop, left.end),
            wire_end=stop,
            source=source,
            destination=macs,
        )
        parts.append(part.take(rows))
        left = replace(left, start=left.start + (_SUBFRAME_BYTES + size + 3) // 4 * 4).take(rows)
    return joined(*parts) if parts else left


def joined(*parts: Payloads) -> Payloads:
    """One batch of several, in the order of their frames."""

    def column(name: str) -> NDArray[np.int64]:
        whole: NDArray[np.int64] = np.concatenate([getattr(part, name) for part in parts])
        return whole

    joined = Payloads(
        column("at"),
        column("start"),
        column("end"),
        column("wire_end"),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("source", "destination", "access_point")
        ),
    )
    return joined.take(np.argsort(joined.at, kind="stable"))
