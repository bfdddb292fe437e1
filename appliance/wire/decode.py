"""A batch of frames to packet columns, claims and refusals: the one door of this room."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, Frames
from appliance.model.reasons import Note, Refusal
from appliance.model.rows import CLAIM
from appliance.wire import careful, leases, neighbours, plain
from appliance.wire.claims import Heard
from appliance.wire.fragments import Fragments
from appliance.wire.packets import Packets, untagged

_DHCP_PORTS, _DHCPV6_PORTS = (67, 68), (546, 547)
_ND_TYPES = (133, 137)  # router solicitation to redirect (RFC 4861)
_UDP_HEADER_BYTES = 8


@dataclass(frozen=True)
class Decoded:
    """What a batch said. Every frame is an IP packet, carries ARP, or is counted in `refused`.

    `noted` counts what was kept all the same but not understood in full.
    """

    packets: tuple[Packets, ...]  # one or a few batches a family, each in capture order
    claims: NDArray[np.void]  # (k,) CLAIM
    refused: Mapping[Refusal, int]
    noted: Mapping[Note, int] = field(default_factory=dict)


class Decoder:
    """Decodes batch after batch; keeps nothing between them but the ports of split datagrams."""

    def __init__(self) -> None:
        self._fragments = {4: Fragments(), 6: Fragments()}

    def decode(self, frames: Frames) -> Decoded:
        """Columns of all packets of a batch; never raises, whatever the bytes."""
        tally = careful.Tally()
        if frames.link_type != ETHERNET:
            tally.add(Refusal.LINK_TYPE, len(frames))
            return Decoded((), np.empty(0, CLAIM), tally)
        said = _Control(frames)
        families, odd = self._plain(frames, said)
        if len(odd):
            families += self._careful(frames, odd, said, tally)
        return Decoded(tuple(families), said.together(), tally, said.noted())

    def _plain(self, frames: Frames, said: "_Control") -> tuple[list[Packets], NDArray[np.int64]]:
        """What is plain behind no tag, one or two; and the positions of all that is not."""
        families: list[Packets] = []
        rest = np.ones(len(frames), np.bool_)
        odd: NDArray[np.int64] | None = None
        for tags in range(plain.MOST_TAGS + 1):
            ipv4, ipv6 = plain.starts(frames, odd, tags)
            for read, starting in ((plain.ipv4, ipv4), (plain.ipv6, ipv6)):
                if not len(starting):
                    continue
                packets, at = read(frames, starting, tags)
                rest[at] = False
                if len(packets):
                    said.dhcp(packets)
                    families.append(packets)
            odd = np.flatnonzero(rest)
            if not len(odd):
                break
        return families, np.flatnonzero(rest) if odd is None else odd

    def _careful(
        self,
        frames: Frames,
        odd: NDArray[np.int64],
        said: "_Control",
        tally: careful.Tally,
    ) -> list[Packets]:
        """Decode the odd frames, one batch a family.

        They are not merged into the plain ones' order: the flow table does not mind, and putting 65,000
        packets in order for the sake of ten costs 13 ns each.
        """
        found = careful.layers(frames, odd, tally)
        tally.add(Refusal.BAD_CONTROL, said.arp(found.arp))
        families = []
        for layers, family in ((found.ipv4, 4), (found.ipv6, 6)):
            if not len(layers.at):
                continue
            packets = careful.packets(frames, layers, family)
            self._fragments[family].attribute(packets, layers)
            said.dhcp(packets, np.flatnonzero(layers.fragment < 0))
            if family == 6:
                said.nd(packets, layers)
            families.append(packets)
        return families


@dataclass
class _Control:
    """Gathers what the control packets of one batch claim."""

    frames: Frames
    claims: list[NDArray[np.void]] = field(default_factory=list)
    unreadable: int = 0

    def together(self) -> NDArray[np.void]:
        return np.concatenate(self.claims) if self.claims else np.empty(0, CLAIM)

    def noted(self) -> Mapping[Note, int]:
        return {Note.UNREADABLE_CONTROL: self.unreadable} if self.unreadable else {}

    def dhcp(self, packets: Packets, among: NDArray[np.int64] | None = None) -> None:
        """DHCP on IPv4, DHCPv6 on IPv6, in these rows or in all."""
        low, high = _DHCP_PORTS if packets.family == 4 else _DHCPV6_PORTS
        source = packets.ports.astype(np.uint16).byteswap()
        destination = (packets.ports >> np.uint32(16)).astype(np.uint16).byteswap()
        served = ((source == low) | (source == high)) & ((destination == low) | (destination == high))
        rows = np.flatnonzero(served & (packets.shape == careful.UDP))
        if among is not None:
            rows = np.intersect1d(rows, among)
        if not len(rows):
            return
        payload = packets.transport[rows] + _UDP_HEADER_BYTES
        at = packets.at[rows]
        available = np.maximum(self.frames.offsets[at] + self.frames.captured[at] - payload, 0)
        vlan = untagged(len(rows)) if packets.vlan is None else packets.vlan[rows]
        heard = Heard(packets.time[rows], vlan, np.zeros(len(rows), np.uint64))
        if packets.family == 4:
            found = leases.dhcp_claims(self.frames.data, payload, available, heard)
        else:
            macs = _number(packets.destination_mac[rows]), _number(packets.source_mac[rows])
            found = leases.dhcpv6_claims(self.frames.data, payload, available, heard, *macs)
        self._take(*found)

    def nd(self, packets: Packets, found: careful.Layers) -> None:
        """Neighbour Discovery, believed only with hop limit 255 (RFC 4861: it was not forwarded)."""
        whole = (found.protocol == careful.ICMPV6) & (found.fragment < 0) & (found.transport + 8 <= found.end)
        rows = np.flatnonzero(whole)
        kind = self.frames.data[found.transport[rows]]
        hop_limit = self.frames.data[found.network[rows] + 7]
        rows = rows[(kind >= _ND_TYPES[0]) & (kind <= _ND_TYPES[1]) & (hop_limit == 255)]
        if not len(rows):
            return
        ends = np.minimum(found.end, found.network + found.octets)
        self._take(
            *neighbours.nd_claims(
                self.frames.data,
                found.transport[rows],
                ends[rows] - found.transport[rows],
                Heard(packets.time[rows], found.vlan[rows], np.zeros(len(rows), np.uint64)),
                packets.addresses[0][rows].byteswap(),
                packets.addresses[1][rows].byteswap(),
                _number(packets.source_mac[rows]),
            )
        )

    def arp(self, found: careful.Layers) -> int:
        """Returns how many ARP frames were malformed: unlike ND and DHCP they are nothing else besides."""
        if not len(found.at):
            return 0
        heard = Heard(self.frames.time[found.at], found.vlan, np.zeros(len(found.at), np.uint64))
        claims, refused = neighbours.arp_claims(
            self.frames.data, found.network, found.end - found.network, heard
        )
        self.claims.append(claims)
        return refused

    def _take(self, claims: NDArray[np.void], unreadable: int) -> None:
        self.claims.append(claims)
        self.unreadable += unreadable


def _number(macs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """MACs as they lie on the wire to numbers as in `model.addresses`."""
    return macs.byteswap() >> np.uint64(16)
