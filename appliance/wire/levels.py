"""Batches of frames, tunnel by tunnel: the outermost, what its tunnels carry, what theirs carry, and so on.

All frames of one link type that are as deep make one batch, whatever carried them: the number of batches is
bounded by depth and link types, not by what a sender nests.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

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
    source_mac: NDArray[np.uint64] | None  # None: the link has MACs of its own
    destination_mac: NDArray[np.uint64] | None
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
        if carried.source_mac is not None and carried.destination_mac is not None:
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
    """Columns of one kind of tunnel's frames of one link type; None where nothing is to say."""

    start: Rows
    end: Rows
    wire_end: Rows
    time: Rows
    carrier: Rows
    origin: Rows
    source_mac: NDArray[np.uint64] | None
    destination_mac: NDArray[np.uint64] | None
    vlan: NDArray[np.int16] | None
    ap_mac: NDArray[np.uint64] | None


_NOBODY = {"vlan": np.int16(-1), "ap_mac": np.uint64(0)}


def inner(captured: Frames, found: Iterable[tuple[Packets, Numbered]]) -> list[Batch]:
    """What the tunnels among these packets carry, one batch a link type."""
    parts: dict[int, list[_Part]] = {}
    for packets, numbered in found:
        links = numbered.carriers.inside.link
        kinds = links[:1] if (links == links[0]).all() else np.unique(links)
        for link in kinds[kinds >= 0].tolist():
            parts.setdefault(link, []).append(_part(packets, numbered, link))
    return [_batch(captured, link, some) for link, some in parts.items()]


def _part(packets: Packets, numbered: Numbered, link: int) -> _Part:
    carriers, rows = numbered.carriers, numbered.carriers.rows
    inside, end, wire_end = carriers.inside, carriers.end, carriers.wire_end
    carrier = np.arange(numbered.first, numbered.first + len(rows))
    chosen = inside.link == link
    if not chosen.all():
        kept = np.flatnonzero(chosen)
        rows, end, wire_end, carrier = rows[kept], end[kept], wire_end[kept], carrier[kept]
        inside = inside.take(kept)
    of_packets = packets if len(rows) == len(packets) else packets.take(rows)
    bare = link in WITHOUT_MACS
    ap_mac = of_packets.ap_mac
    if inside.ap_mac is not None:
        ap_mac = inside.ap_mac if ap_mac is None else np.where(inside.ap_mac == 0, ap_mac, inside.ap_mac)
    return _Part(
        inside.start,
        end,
        wire_end,
        of_packets.time,
        carrier,
        of_packets.at,
        of_packets.source_mac if bare else None,
        of_packets.destination_mac if bare else None,
        of_packets.vlan if bare else inside.vlan,
        ap_mac,
    )


def _joined(name: str, parts: list[_Part]) -> NDArray[Any] | None:
    columns = [getattr(part, name) for part in parts]
    if all(column is None for column in columns):
        return None
    filled = [
        np.full(len(part.start), _NOBODY[name]) if column is None else column
        for part, column in zip(parts, columns, strict=True)
    ]
    return np.concatenate(filled)


def _batch(captured: Frames, link: int, parts: list[_Part]) -> Batch:
    whole = parts[0]
    if len(parts) > 1:
        columns: dict[str, Any] = {field.name: _joined(field.name, parts) for field in fields(_Part)}
        whole = _Part(**columns)
    held = whole.end - whole.start
    frames = Frames(
        captured.data,
        whole.start,
        held,
        np.maximum(whole.wire_end - whole.start, held),
        whole.time,
        link,
        whole.vlan if whole.vlan is not None and (whole.vlan >= 0).any() else None,
    )
    carried = Carried(whole.carrier, whole.origin, whole.source_mac, whole.destination_mac, whole.ap_mac)
    return Batch(frames, carried)
