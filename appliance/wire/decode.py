"""A batch of frames to packet columns, claims and refusals: the one door of this room."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, Frames
from appliance.model.reasons import Note, Refusal
from appliance.wire import careful, datalinks, plain, ports, radio, shims, tunnels, wlan
from appliance.wire.control import Control
from appliance.wire.fragments import Attributed, Fragments
from appliance.wire.levels import Batch, Carried, Numbered, inner
from appliance.wire.links import Refusals
from appliance.wire.packets import Packets
from appliance.wire.splits import Splits
from appliance.wire.tunnels import Tunnels

Rows = NDArray[np.int64]

DEEPEST = 8
"""IP layers that are read in one frame; what lies deeper is recorded at this one and counted."""

LAST_LINK_TYPE = 0xFFFF
"""No capture has a higher one: this room's own numbers are no link types of files."""

_NONE = np.empty(0, np.int64)
_WIRELESS = frozenset({radio.IEEE802_11, radio.PRISM, radio.RADIOTAP, radio.AVS, radio.PPI, radio.SWAPPED})


@dataclass(frozen=True)
class Decoded:
    """What a batch said. Every frame is an IP packet, carries ARP, or is counted in `refused`.

    Only a frame that bundles several (A-MSDU) counts once for each. `noted` counts what was kept all the
    same but not understood in full.
    """

    packets: tuple[Packets, ...]  # one or a few batches a family, each in capture order
    claims: NDArray[np.void]  # (k,) CLAIM
    refused: Mapping[Refusal, int]
    noted: Mapping[Note, int] = field(default_factory=dict)


@dataclass
class _Reading:
    """IP packets read from one batch, until it is known which of them are tunnels whose inside was read."""

    packets: Packets
    carriers: list[Numbered]
    fragments: Attributed | None = None  # which knows the later fragments of what is peeled

    def rows(self, entered: NDArray[np.bool_]) -> Rows:
        """Those of the carriers whose inside stands for them."""
        return np.concatenate([each.of(entered) for each in self.carriers])


class Decoder:
    """Decodes batch after batch; keeps nothing between them but which datagrams and frames came in pieces."""

    def __init__(self, tunnels: Tunnels = Tunnels()) -> None:  # noqa: B008  a frozen value
        self.tunnels = tunnels
        self.codes = ports.table(tunnels.vxlan_ports)
        self.splits = Splits()
        self.fragments = Fragments()

    def decode(self, frames: Frames) -> Decoded:
        """Columns of all packets of a batch; never raises, whatever the bytes."""
        return _Decoding(self, frames).decoded()


class _Decoding:
    """One batch on its way: level after level, from the captured frames into their tunnels.

    A packet that carries a tunnel is kept back until its inside was read. If that is understood, it stands
    for the packet; if not, the packet itself is recorded.
    """

    def __init__(self, decoder: Decoder, frames: Frames) -> None:
        self._decoder = decoder
        self._frames = frames
        self._said = Control()
        self._packets: list[Packets] = []
        self._refused: Counter[Refusal] = Counter()
        self._noted: Counter[Note] = Counter()
        self._carriers = 0  # found at the present depth
        self._leaving: NDArray[np.bool_] | None = None  # (frames,) in which a tunnel leads out of the site

    def decoded(self) -> Decoded:
        outer: list[_Reading] = []
        batches = [Batch(self._frames)]
        for depth in range(DEEPEST):
            entered = np.zeros(self._carriers, np.bool_)
            self._carriers = 0
            readings = [reading for batch in batches for reading in self._read(batch, depth, entered)]
            self._settle(outer, entered, depth > 1)
            outer = readings
            if not self._carriers:
                break
            batches = inner(self._frames, [(read.packets, each) for read in outer for each in read.carriers])
        self._settle(outer, np.zeros(self._carriers, np.bool_), depth > 0)
        self._decoder.splits.forget()
        self._noted.update(self._decoder.fragments.forget())
        if self._said.unreadable:
            self._noted[Note.UNREADABLE_CONTROL] = self._said.unreadable
        return Decoded(tuple(self._packets), self._said.together(), +self._refused, +self._noted)

    def _settle(self, readings: list[_Reading], entered: NDArray[np.bool_], inside: bool) -> None:
        """Record what was read one level further out, but for the packets whose inside stands for them."""
        carriers = [(read.packets, each) for read in readings for each in read.carriers]
        self._refused[Refusal.TUNNEL_FRAGMENT] += self._decoder.splits.settle(carriers, entered)
        self._noted[Note.UNKNOWN_INNER] += len(entered) - int(np.count_nonzero(entered))
        for reading in readings:
            packets, gone = reading.packets, [_NONE]
            if reading.carriers:
                gone.append(reading.rows(entered))
            if reading.fragments is not None:
                reading.fragments.peeled(gone[-1])
                gone.append(reading.fragments.later_of_peeled())
                self._refused[Refusal.TUNNEL_FRAGMENT] += len(gone[-1])
            if sum(map(len, gone)) == len(packets):
                continue
            if any(map(len, gone)):
                kept = np.ones(len(packets), np.bool_)
                kept[np.concatenate(gone)] = False
                packets = packets.take(np.flatnonzero(kept))
            if len(packets):
                self._packets.append(packets)
                self._noted[Note.TUNNELLED] += len(packets) if inside else 0

    def _read(self, batch: Batch, depth: int, entered: NDArray[np.bool_]) -> list[_Reading]:
        """The IP packets of one batch. `entered` is set at the carriers whose inside was understood."""
        frames, carried = batch.frames, batch.carried
        refusals = Refusals()
        told = np.zeros(0 if carried is None else len(frames), np.bool_)
        odd = np.arange(len(frames))
        readings = []
        if frames.link_type == ETHERNET:
            families, odd = _plain(frames)
            readings = [self._reading(batch.placed(packets, self._frames)) for packets in families]
            if carried is not None:
                for packets in families:
                    told[packets.at] = True
        if len(odd):
            readings += self._careful(batch, odd, depth, refusals, told)
            if carried is not None:
                refusals.mark_understood(told, self._within(carried))
            self._refused.update(refusals.count(None if carried is None else told))
        if carried is not None:
            entered[carried.carrier if told.all() else carried.carrier[told]] = True
        return readings

    def _within(self, carried: Carried) -> NDArray[np.bool_] | None:
        """(frames,) true where no tunnel leads a client's frame out of the site; None: nowhere one does.

        What does is no mirror's. It must not vanish because it carries what is recorded nowhere, and what
        it claims of addresses is not believed.
        """
        return None if self._leaving is None else ~self._leaving[carried.origin]

    def _careful(
        self, batch: Batch, odd: Rows, depth: int, refusals: Refusals, told: NDArray[np.bool_]
    ) -> list[_Reading]:
        """The packets of the frames at these positions, whatever they are wrapped in.

        They are not merged into the plain ones' order: the flow table does not mind, and putting 65,000
        packets in order for the sake of ten costs 13 ns each.
        """
        frames = batch.frames
        foreign = batch.carried is None and frames.link_type > LAST_LINK_TYPE
        if frames.link_type in _WIRELESS and not foreign:
            found = wlan.reached(frames, odd, refusals)
        elif frames.link_type in datalinks.LINK_TYPES:
            found = datalinks.reached(frames, odd, refusals)
        else:
            refusals.add(Refusal.LINK_TYPE, odd)
            return []
        found = shims.peel(frames, batch.within(found), refusals)
        is_arp = found.kind == datalinks.ARP
        if batch.carried is not None and self._leaving is not None:
            is_arp &= ~self._leaving[batch.carried.origin[found.at]]
        heard = found.take(np.flatnonzero(is_arp))
        if len(heard):
            refusals.understand(self._said.arp(frames, heard, refusals))
        readings = []
        for family, kind, layers_of in ((4, datalinks.IPV4, careful.ipv4), (6, datalinks.IPV6, careful.ipv6)):
            of_family = np.flatnonzero(found.kind == kind)
            if not len(of_family):
                continue
            layers = layers_of(
                frames, found if len(of_family) == len(found) else found.take(of_family), refusals
            )
            if not len(layers):
                continue
            if batch.carried is not None:
                told[layers.link.at] = True
            packets = batch.placed(careful.packets(frames, layers, family), self._frames)
            readings.append(self._reading(packets, layers, depth, frames.link_type))
        return readings

    def _reading(
        self, packets: Packets, layers: careful.Layers | None = None, depth: int = 0, link_type: int = 0
    ) -> _Reading:
        """Look behind the ports of these packets: control now, tunnels later."""
        fragments = None
        if layers is not None and (layers.fragment >= 0).any():
            fragments = self._decoder.fragments.attribute(packets, layers, depth, link_type)
            self._noted.update(fragments.notes)
        here = None if self._leaving is None else ~self._leaving[packets.at]
        if layers is not None and packets.family == 6:
            self._said.nd(packets, layers, here)
        ported = ports.look(packets, self._decoder.codes)
        found: list[Numbered] = []
        if len(ported):
            rows = ported.control(ports.Behind.DHCP if packets.family == 4 else ports.Behind.DHCPV6)
            if layers is not None:
                rows = rows[layers.fragment[rows] < 0]
            if here is not None:
                rows = rows[here[rows]]
            if len(rows):
                self._said.dhcp(packets, rows)
        for carriers in tunnels.carriers(packets, ported, self._decoder.tunnels):
            found.append(Numbered(carriers, self._carriers))
            self._carriers += len(carriers.rows)
            leaving = carriers.leaving(packets, self._decoder.tunnels)
            if len(leaving):
                if self._leaving is None:
                    self._leaving = np.zeros(len(self._frames), np.bool_)
                self._leaving[packets.at[leaving]] = True
        return _Reading(packets, found, fragments)


def _plain(frames: Frames) -> tuple[list[Packets], Rows]:
    """What is plain behind no tag, one or two; and the positions of all that is not."""
    families: list[Packets] = []
    rest = np.ones(len(frames), np.bool_)
    odd: Rows | None = None
    for tags in range(plain.MOST_TAGS + 1):
        ipv4, ipv6 = plain.starts(frames, odd, tags)
        for read, starting in ((plain.ipv4, ipv4), (plain.ipv6, ipv6)):
            if not len(starting):
                continue
            packets, at = read(frames, starting, tags)
            rest[at] = False
            if len(packets):
                families.append(packets)
        odd = np.flatnonzero(rest)
        if not len(odd):
            break
    return families, np.flatnonzero(rest) if odd is None else odd
