"""Which packets are tunnels, and what each carries. See appliance/decisions/012."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, IPV4_ONLY, IPV6_ONLY, MPLS_LABELS
from appliance.model.networks import Networks
from appliance.wire import capwap, overlays
from appliance.wire.carriers import LATER, NOT_A_TUNNEL, UNKNOWN, Inside, Outer
from appliance.wire.gre import gre
from appliance.wire.packets import PORTS_UNKNOWN, Packets
from appliance.wire.ports import FIRST_TUNNEL, Behind, Ported

Rows = NDArray[np.int64]

_UDP_HEADER_BYTES = 8
_IPV4, _IPV6, _GRE, _ETHERIP, _MPLS, _ETHERNET = 4, 41, 47, 97, 137, 143  # IANA protocol numbers
_TO_TUNNEL_ONLY = (Behind.GENEVE, Behind.MPLS)
"""Their source port is drawn from the inner flow: it is never the tunnel's own."""


@dataclass(frozen=True)
class Tunnels:
    """Which tunnels are believed: UDP ports of VXLAN, networks in which both outer addresses must lie.

    Without `ends` they may lie anywhere, and whoever wraps his own traffic is recorded by what is inside.
    A tunnel between `clients` and others is no mirror's, then: it stands for itself unless IP is inside.
    """

    vxlan_ports: Sequence[int] = (4789, 8472)  # IANA's, and what Linux took before there was one
    ends: Networks | None = None
    clients: Networks | None = None


@dataclass(frozen=True)
class Carriers:
    """k packets that are tunnels: their rows, what each carries, and where the inner frame ends."""

    rows: Rows
    inside: Inside
    end: Rows
    wire_end: Rows

    def leaving(self, packets: Packets, tunnels: Tunnels) -> Rows:
        """The rows of those that lead from a client out of the site, or back."""
        if tunnels.ends is not None or tunnels.clients is None:
            return self.rows[:0]
        source, destination = _lie_within(packets, self.rows, tunnels.clients)
        rows: Rows = self.rows[source != destination]
        return rows


def carriers(packets: Packets, ported: Ported, tunnels: Tunnels) -> Iterator[Carriers]:
    """The tunnels among these packets, one kind after the other."""
    if len(ported):
        yield from _in_udp(packets, ported, tunnels)
    portless = packets.shape >= PORTS_UNKNOWN
    if portless.any():
        rows = np.flatnonzero(portless)
        protocols = packets.shape[rows] & np.uint16(PORTS_UNKNOWN - 1)
        present = np.bincount(protocols, minlength=256)
        for protocol, read in _BY_PROTOCOL.items():
            if present[protocol]:
                chosen = rows if present[protocol] == len(rows) else rows[protocols == protocol]
                yield from _read(packets, chosen, 0, read, tunnels)


def _in_udp(packets: Packets, ported: Ported, tunnels: Tunnels) -> Iterator[Carriers]:
    told = np.where(ported.destination >= FIRST_TUNNEL, ported.destination, ported.source)
    present = np.bincount(told, minlength=len(Behind))
    for kind, read in _BY_PORT.items():
        if present[kind]:
            chosen = (ported.destination if kind in _TO_TUNNEL_ONLY else told) == kind
            rows = ported.rows if chosen.all() else ported.rows[chosen]
            yield from _read(packets, rows, _UDP_HEADER_BYTES, read, tunnels)


def _read(
    packets: Packets, rows: Rows, header: int, read: Callable[[Outer], Inside], tunnels: Tunnels
) -> Iterator[Carriers]:
    readable = packets.transport[rows] >= 0
    if not readable.all():
        rows = rows[readable]
    if len(rows) and tunnels.ends is not None:
        rows = rows[np.logical_and(*_lie_within(packets, rows, tunnels.ends))]
    if not len(rows):
        return
    some = packets if len(rows) == len(packets) else packets.take(rows)
    start, wire_end, end = some.transport, some.network + some.octets, some.ends()
    if header:
        length = packets.frames.window(start + 4, 2).view(">u2").astype(np.int64)
        told = (start + header <= end) & (length >= header)
        wire_end = np.where(told, start + length, wire_end)
        end = np.minimum(end, wire_end)
    inside = read(Outer(packets.frames, start + header, end, wire_end))
    if inside.wire_end is not None:
        wire_end = inside.wire_end
        end = np.minimum(end, wire_end)
    link = np.where((inside.link >= 0) & (inside.start >= end), UNKNOWN, inside.link)
    inside = replace(inside, link=link, wire_end=None)
    kept = np.flatnonzero(link != NOT_A_TUNNEL)
    if len(kept) == len(rows):
        yield Carriers(rows, inside, end, wire_end)
    elif len(kept):
        yield Carriers(rows[kept], inside.take(kept), end[kept], wire_end[kept])


def _lie_within(
    packets: Packets, rows: Rows, networks: Networks
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the source address lies in these networks, and whether the destination does."""
    columns = [column[rows] for column in packets.addresses]
    if packets.family == 4:
        source, destination = columns[0].astype(np.uint32), (columns[0] >> np.uint64(32)).astype(np.uint32)
        return networks.hold_ipv4(source), networks.hold_ipv4(destination)
    return networks.hold_ipv6(columns[0], columns[1]), networks.hold_ipv6(columns[2], columns[3])


def _capwap(outer: Outer) -> Inside:
    return _of_access_point(capwap.inner(outer.frames, outer.start, outer.end))


def _lwapp(outer: Outer) -> Inside:
    return _of_access_point(capwap.lwapp(outer.frames, outer.start, outer.end, outer.wire_end))


def _of_access_point(found: capwap.Inner) -> Inside:
    link = np.where(
        found.link == capwap.OPAQUE, UNKNOWN, np.where(found.link == capwap.LATER, LATER, found.link)
    )
    return Inside(
        link, found.start, ap_mac=found.radio_mac, split=found.split if (found.split >= 0).any() else None
    )


def _always(link: int) -> Callable[[Outer], Inside]:
    """IP protocols that carry one thing, without a header of their own."""
    return lambda outer: Inside(np.full(len(outer.start), link), outer.start)


def _etherip(outer: Outer) -> Inside:
    """RFC 3378: version 3, then twelve bits that are zero."""
    sound = (outer.words(1)[0] == 0x3000) & (outer.start + 2 <= outer.end)
    return Inside(np.where(sound, ETHERNET, UNKNOWN), outer.start + 2)


_BY_PORT: dict[Behind, Callable[[Outer], Inside]] = {
    Behind.VXLAN: overlays.vxlan,
    Behind.VXLAN_GPE: overlays.vxlan_gpe,
    Behind.GENEVE: overlays.geneve,
    Behind.TZSP: overlays.tzsp,
    Behind.GTP: overlays.gtp,
    Behind.CAPWAP: _capwap,
    Behind.LWAPP: _lwapp,
    Behind.MPLS: overlays.mpls,
    Behind.L2TP: overlays.l2tp,
}

_BY_PROTOCOL: dict[int, Callable[[Outer], Inside]] = {
    _IPV4: _always(IPV4_ONLY),
    _IPV6: _always(IPV6_ONLY),
    _GRE: gre,
    _ETHERIP: _etherip,
    _MPLS: _always(MPLS_LABELS),
    _ETHERNET: _always(ETHERNET),  # RFC 8986
}
