"""Batches of frames, tunnel by tunnel: the outermost, what its tunnels carry, what theirs carry, and so on.

All frames of one link type that are as deep make one batch, whatever carried them: the number of batches is
bounded by depth and link types, not by what a sender nests.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.wire.datalinks import WITHOUT_MACS
from appliance.wire.links import Reached
from appliance.wire.packets import Packets
from appliance.wire.tunnels import Carriers

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Carried:
    """Of n frames inside tunnels: where they came from, and what is said of the packets that carried them."""

    carrier: Rows  # (n,) number of the carrying packet among those of its level
    origin: Rows  # (n,) position of the frame as it was captured
    source_mac: NDArray[np.uint64]
    destination_mac: NDArray[np.uint64]
    ap_mac: NDArray[np.uint64] | None


@dataclass(frozen=True)
class Batch:
    """Frames of one link type; `carried` is None for those that were captured."""

    frames: Frames
    carried: Carried | None = None

    def within(self, found: Reached) -> Reached:
        """The same layers with what only the carrying packet knows: MACs where the link has none, the AP."""
        carried, at = self.carried, found.at
        if carried is None:
            return found
        if self.frames.link_type in WITHOUT_MACS:
            found = replace(
                found,
                source_mac=carried.source_mac[at],
                destination_mac=carried.destination_mac[at],
                hidden_mac=np.ones(len(at), np.bool_),
            )
        if carried.ap_mac is not None:
            through = carried.ap_mac[at]
            if found.ap_mac is not None:
                through = np.where(found.ap_mac == 0, through, found.ap_mac)
            found = replace(found, ap_mac=through)
        return found

    def placed(self, packets: Packets, captured: Frames) -> Packets:
        """Packets read from these frames, placed in the frames as they were captured."""
        carried, at = self.carried, packets.at
        if carried is None:
            return packets
        stop, ap_mac = packets.stop, packets.ap_mac
        if stop is None:
            stop = self.frames.offsets[at] + self.frames.captured[at]
            ap_mac = None if carried.ap_mac is None else carried.ap_mac[at]
        return replace(packets, frames=captured, at=carried.origin[at], stop=stop, ap_mac=ap_mac)


@dataclass(frozen=True)
class Numbered:
    """Carriers with the number of the first of them among all that are as deep."""

    carriers: Carriers
    first: int

    def of(self, chosen: NDArray[np.bool_]) -> Rows:
        """The rows of those that are chosen by number."""
        rows = self.carriers.rows
        return rows[chosen[self.first : self.first + len(rows)]]


@dataclass(frozen=True)
class _Part:
    """Columns of one kind of tunnel's frames of one link type."""

    start: Rows
    end: Rows
    wire_end: Rows
    time: Rows
    vlan: NDArray[np.int16]
    carrier: Rows
    origin: Rows
    source_mac: NDArray[np.uint64]
    destination_mac: NDArray[np.uint64]
    ap_mac: NDArray[np.uint64]


def inner(captured: Frames, found: Iterable[tuple[Packets, Numbered]]) -> list[Batch]:
    """What the tunnels among these packets carry, one batch a link type."""
    parts: dict[int, list[_Part]] = {}
    for packets, numbered in found:
        links = numbered.carriers.inside.link
        for link in np.unique(links[links >= 0]).tolist():
            parts.setdefault(link, []).append(_part(packets, numbered, link))
    return [_batch(captured, link, some) for link, some in parts.items()]


def _part(packets: Packets, numbered: Numbered, link: int) -> _Part:
    carriers = numbered.carriers
    chosen = np.flatnonzero(carriers.inside.link == link)
    rows = carriers.rows[chosen]
    inside = carriers.inside
    vlan, ap_mac = np.full(len(rows), -1, np.int16), np.zeros(len(rows), np.uint64)
    if link in WITHOUT_MACS and packets.vlan is not None:
        vlan = packets.vlan[rows]
    elif inside.vlan is not None:
        vlan = inside.vlan[chosen]
    if packets.ap_mac is not None:
        ap_mac = packets.ap_mac[rows]
    if inside.ap_mac is not None:
        ap_mac = np.where(inside.ap_mac[chosen] == 0, ap_mac, inside.ap_mac[chosen])
    return _Part(
        inside.start[chosen],
        carriers.end[chosen],
        carriers.wire_end[chosen],
        packets.time[rows],
        vlan,
        chosen + numbered.first,
        packets.at[rows],
        packets.source_mac[rows],
        packets.destination_mac[rows],
        ap_mac,
    )


def _batch(captured: Frames, link: int, parts: list[_Part]) -> Batch:
    whole = parts[0]
    if len(parts) > 1:
        names = [field.name for field in fields(_Part)]
        whole = _Part(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    held = whole.end - whole.start
    frames = Frames(
        captured.data,
        whole.start,
        held,
        np.maximum(whole.wire_end - whole.start, held),
        whole.time,
        link,
        whole.vlan if (whole.vlan >= 0).any() else None,
    )
    ap_mac = whole.ap_mac if whole.ap_mac.any() else None
    carried = Carried(whole.carrier, whole.origin, whole.source_mac, whole.destination_mac, ap_mac)
    return Batch(frames, carried)
