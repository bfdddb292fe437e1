"""802.11 frames to network layers: who sent it to whom through which access point, as Ethernet would say it.

IEEE 802.11-2020, 9.3.2.1. What cannot be read or is not there is refused by its reason:

- A frame that the radio marks as damaged is refused whole: any of its bytes may be wrong, its addresses too.
- Of a frame sent in fragments the first one gives the record (the IP header says the whole length), later
  ones are refused.
- Between two stations that relay (four addresses) neither need be anyone's access point: none is named.
- A frame that its sender repeats on the air is refused where the same was heard up to 100 ms before in the
  same batch, by the receiver's own rule (10.3.2.14). What escapes this is for whoever looks for duplicates.
"""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.model.reasons import Refusal
from appliance.wire import radio
from appliance.wire.datalinks import macs, u16
from appliance.wire.links import Reached, Refusals
from appliance.wire.packets import MAC_MASK, untagged
from appliance.wire.payloads import FROM_DS, LLC_BYTES, PROTECTED, SNAP, Payloads, joined, opened, subframes

_HEADER = np.dtype(
    {
        "names": ["control", "flags", "first", "second", "third", "sequence", "fourth"],
        "formats": ["u1", "u1", "<u8", "<u8", "<u8", "<u2", "<u8"],
        "offsets": [0, 1, 4, 10, 16, 22, 24],
        "itemsize": 32,
    }
)
_TO_DS, _RETRY, _ORDER = 0x01, 0x08, 0x80
_DATA, _NULL, _QOS = 0x08, 0x40, 0x80  # type 2; subtype bits: no data, with QoS control
_TID = 0x0F  # of the QoS control
_REPEATED_NS = 100_000_000
"""A sender's 4,096 sequence numbers last longer."""

_GROUP = np.uint64(1)  # the bit of a MAC, in wire order, that says it is of a group
_SNAP_BRIDGED = np.uint64(0xF800_0003_AAAA)  # IEEE 802.1H: OUI 00-00-F8


def reached(frames: Frames, at: NDArray[np.int64], tally: Refusals) -> Reached:
    """Network layers of the 802.11 frames at these positions, bare or behind a header of `wire.radio`.

    Each subframe of an A-MSDU counts for itself, in the result as in the refusals.
    """
    bare = radio.bare(frames, at, tally)
    if not bare.wired.any():
        return _wireless(frames, bare, tally)
    parts = (
        _wireless(frames, bare.take(np.flatnonzero(~bare.wired)), tally),
        _wired(frames, bare.take(np.flatnonzero(bare.wired)), tally),
    )
    names = [field.name for field in fields(Reached) if getattr(parts[0], field.name) is not None]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    whole = Reached(**columns)
    return whole.take(np.argsort(whole.at, kind="stable"))


def _wired(frames: Frames, bare: radio.Bare, tally: Refusals) -> Reached:
    """Ethernet frames behind a radio header."""
    bare = bare.take(radio.sift(bare.at, tally, (bare.start + 14 > bare.end, Refusal.CUT_SHORT)))
    destination, source = macs(frames, bare.start)
    return Reached(
        bare.at,
        bare.start + 14,
        bare.end,
        u16(frames, bare.start + 12),
        source,
        destination,
        _vlan(frames, bare.at),
        np.zeros(len(bare.at), np.uint64),
        wire_end=bare.wire_end,
    )


def _wireless(frames: Frames, bare: radio.Bare, tally: Refusals) -> Reached:
    """802.11 frames, what they carry being LLC."""
    payloads, aggregated = opened(frames, *_payloads(frames, bare, tally), tally)
    if aggregated.any():
        whole = payloads.take(np.flatnonzero(~aggregated))
        payloads = joined(whole, subframes(frames, payloads, aggregated, tally))
    llc = frames.window(payloads.start, 8).view("<u8")
    snap = llc & MAC_MASK
    rows = radio.sift(
        payloads.at,
        tally,
        (payloads.start + LLC_BYTES > payloads.end, Refusal.CUT_SHORT),
        ((snap != SNAP) & (snap != _SNAP_BRIDGED), Refusal.NOT_IP),
    )
    found = payloads if len(rows) == len(payloads.at) else payloads.take(rows)
    return Reached(
        found.at,
        found.start + LLC_BYTES,
        found.end,
        (llc[rows].byteswap() & np.uint64(0xFFFF)).astype(np.int64),
        found.source,
        found.destination,
        _vlan(frames, found.at),
        found.access_point,
        wire_end=found.wire_end,
    )


def _vlan(frames: Frames, at: NDArray[np.int64]) -> NDArray[np.int16]:
    if frames.vlan is None:
        return untagged(len(at))
    return frames.vlan[at].astype(np.int16)


def _payloads(
    frames: Frames, bare: radio.Bare, tally: Refusals
) -> tuple[Payloads, NDArray[np.uint8], NDArray[np.uint16]]:
    """Payloads of the data frames, with each one's flags and QoS control (0 without one)."""
    header = frames.window(bare.start, _HEADER.itemsize).view(_HEADER)
    control, flags = header["control"], header["flags"]
    if frames.link_type == radio.SWAPPED:
        control, flags = flags, control
    size = 24 + 6 * (flags & 3 == _TO_DS | FROM_DS).astype(np.int64)
    quality = frames.window(bare.start + size, 2).view("<u2")
    with_quality = control & _QOS != 0
    size += with_quality * (2 + 4 * (flags & _ORDER != 0))  # the order bit says HT control
    if bare.padded.any():
        size = np.where(bare.padded, (size + 3) // 4 * 4, size)
    captured = bare.end - bare.start
    rows = radio.sift(
        bare.at,
        tally,
        (captured < 2, Refusal.CUT_SHORT),
        (control & 3 != 0, Refusal.BAD_VERSION),
        (control & (0x0C | _NULL) != _DATA, Refusal.WIFI_NO_DATA),
        (captured < size, Refusal.CUT_SHORT),
    )
    if len(rows) < len(header):
        header, flags, size = header.take(rows), flags[rows], size[rows]
        quality, with_quality = quality[rows], with_quality[rows]
    start = bare.start[rows] + size
    found = Payloads(bare.at[rows], start, bare.end[rows], bare.wire_end[rows], *_addresses(header, flags))
    quality = np.where(with_quality, quality, 0).astype(np.uint16)
    later = header["sequence"] & 0x0F != 0
    later &= flags & PROTECTED == 0  # an encrypted one is refused as that
    if frames.link_type == radio.SWAPPED:  # those access points join them before they tunnel
        later[:] = False
    again = _repeated(header, flags, np.where(with_quality, quality & _TID, _TID + 1), frames.time[found.at])
    if later.any() or again.any():
        kept = radio.sift(found.at, tally, (again, Refusal.WIFI_REPEATED), (later, Refusal.WIFI_FRAGMENT))
        return found.take(kept), flags[kept], quality[kept]
    return found, flags, quality


def _repeated(
    header: NDArray[np.void], flags: NDArray[np.uint8], space: NDArray[np.int64], time: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(k,) frames marked as sent again, where one of their sender, receiver and numbers came just before.

    `space` is the traffic class: each has sequence numbers of its own.
    """
    again = np.zeros(len(header), np.bool_)
    retried = flags & _RETRY != 0
    if not retried.any():
        return again
    first, second = header["first"] & MAC_MASK, header["second"] & MAC_MASK
    number = header["sequence"].astype(np.uint64) | space.astype(np.uint64) << np.uint64(16)
    key = (first * np.uint64(0x9E37_79B9_7F4A_7C15) ^ second) * np.uint64(0xC2B2_AE3D_27D4_EB4F) ^ number
    order = np.argsort(key, kind="stable")
    now, before = order[1:], order[:-1]
    likely = np.flatnonzero(retried[now] & (key[now] == key[before]))
    now, before = now[likely], before[likely]
    same = (first[now] == first[before]) & (second[now] == second[before]) & (number[now] == number[before])
    again[now[same & (np.abs(time[now] - time[before]) <= _REPEATED_NS)]] = True
    return again


def _addresses(
    header: NDArray[np.void], flags: NDArray[np.uint8]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Source, destination and access point (0 none): IEEE 802.11-2020, table 9-30."""
    first, second = header["first"] & MAC_MASK, header["second"] & MAC_MASK
    third, fourth = header["third"] & MAC_MASK, header["fourth"] & MAC_MASK
    to_ds, from_ds = flags & _TO_DS != 0, flags & FROM_DS != 0
    source = np.where(from_ds, np.where(to_ds, fourth, third), second)
    destination = np.where(to_ds, third, first)
    through = np.where(to_ds, np.where(from_ds, np.uint64(0), first), np.where(from_ds, second, third))
    return source, destination, np.where(through & _GROUP != 0, np.uint64(0), through)
