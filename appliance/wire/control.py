"""What the control packets of one batch claim: DHCP, DHCPv6, ARP, Neighbour Discovery."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.model.reasons import Refusal
from appliance.model.rows import CLAIM
from appliance.wire import careful, leases, neighbours
from appliance.wire.claims import Heard
from appliance.wire.links import Reached, Refusals
from appliance.wire.packets import Packets, untagged

Rows = NDArray[np.int64]

_ND_TYPES = (133, 137)  # router solicitation to redirect (RFC 4861)
_UDP_HEADER_BYTES = 8
_ARP_BYTES = 28
_ARP_START = 0x0001_0800_0604 << 16  # Ethernet and IPv4, with the lengths of their addresses (RFC 826)


@dataclass
class Control:
    """Gathers claims; `unreadable` counts ND and DHCP messages that said nothing as such."""

    claims: list[NDArray[np.void]] = field(default_factory=list)
    unreadable: int = 0

    def together(self) -> NDArray[np.void]:
        return np.concatenate(self.claims) if self.claims else np.empty(0, CLAIM)

    def dhcp(self, packets: Packets, rows: Rows) -> None:
        """These rows are UDP between the ports of DHCP (IPv4) or DHCPv6."""
        payload = packets.transport[rows] + _UDP_HEADER_BYTES
        available = np.maximum(packets.ends(rows) - payload, 0)
        heard = _heard(packets, rows)
        data = packets.frames.data
        if packets.family == 4:
            self._take(*leases.dhcp_claims(data, payload, available, heard))
        else:
            macs = [_number(mac[rows]) for mac in (packets.destination_mac, packets.source_mac)]
            if packets.hidden_mac is not None:
                hidden = packets.hidden_mac[rows]  # the ends of a tunnel are not the client
                macs = [np.where(hidden, np.uint64(0), mac) for mac in macs]
            self._take(*leases.dhcpv6_claims(data, payload, available, heard, *macs))

    def nd(self, packets: Packets, found: careful.Layers, here: NDArray[np.bool_] | None = None) -> None:
        """Neighbour Discovery, believed only with hop limit 255 (RFC 4861: it was not forwarded).

        `here` is false at packets of another network than this one.
        """
        ends, data = found.ends, packets.frames.data
        whole = (found.protocol == careful.ICMPV6) & (found.fragment < 0) & (found.transport + 8 <= ends)
        if packets.hidden_mac is not None:
            whole &= ~packets.hidden_mac  # a tunnel's neighbours are not this network's
        if here is not None:
            whole &= here
        rows = np.flatnonzero(whole)
        if not len(rows):
            return
        kind, hop_limit = data[found.transport[rows]], data[found.network[rows] + 7]
        rows = rows[(kind >= _ND_TYPES[0]) & (kind <= _ND_TYPES[1]) & (hop_limit == 255)]
        if not len(rows):
            return
        self._take(
            *neighbours.nd_claims(
                data,
                found.transport[rows],
                ends[rows] - found.transport[rows],
                _heard(packets, rows),
                packets.addresses[0][rows].byteswap(),
                packets.addresses[1][rows].byteswap(),
                _number(packets.source_mac[rows]),
            )
        )

    def arp(self, frames: Frames, found: Reached, refusals: Refusals) -> Rows:
        """Returns in which frames ARP was sound: unlike ND and DHCP the others are nothing else besides.

        What claims nothing (a probe, a sender that is no station) gives no record: it is refused.
        """
        start = frames.window(found.start, 8).view(">u8")
        sound = (start & np.uint64(0xFFFF_FFFF_FFFF_0000) == np.uint64(_ARP_START)) & (
            found.start + _ARP_BYTES <= found.end
        )
        refusals.add(Refusal.BAD_CONTROL, found.at[~sound])
        found = found.take(np.flatnonzero(sound))
        nobody = np.zeros(len(found), np.uint64)
        through = nobody if found.ap_mac is None else _number(found.ap_mac)
        heard = Heard(frames.time[found.at], found.vlan, through)
        claims, claiming = neighbours.arp_claims(frames.data, found.start, heard)
        refusals.add(Refusal.NOT_IP, found.at[~claiming])
        self.claims.append(claims)
        return found.at

    def _take(self, claims: NDArray[np.void], unreadable: int) -> None:
        self.claims.append(claims)
        self.unreadable += unreadable


def _heard(packets: Packets, rows: Rows) -> Heard:
    vlan = untagged(len(rows)) if packets.vlan is None else packets.vlan[rows]
    through = np.zeros(len(rows), np.uint64) if packets.ap_mac is None else _number(packets.ap_mac[rows])
    return Heard(packets.time[rows], vlan, through)


def _number(macs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """MACs as they lie on the wire to numbers as in `model.addresses`."""
    return macs.byteswap() >> np.uint64(16)
