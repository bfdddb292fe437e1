"""The careful path: every frame the fast one leaves. Tags, options, extension headers, fragments, cut frames.

Vectorised all the same: each loop runs over header depth, bounded, never over frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.model.reasons import Refusal
from appliance.wire.packets import MAC_MASK, PORTS_UNKNOWN, Packets

LONGEST_PACKET_OCTETS = 1 << 30
"""No header may claim more, so that a batch's sum fits in 46 bits."""

DEEPEST_TAGS = 8
DEEPEST_EXTENSIONS = 8

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
TCP, UDP, ICMPV6 = 6, 17, 58
_TAGS = (0x8100, 0x88A8, 0x9100)  # IEEE 802.1Q, 802.1ad, and the older QinQ
_FRAGMENT, _AUTHENTICATION = 44, 51


def _protocols(*numbers: int) -> NDArray[np.bool_]:
    """(256,) true at these protocol numbers: looking a batch up costs a tenth of np.isin."""
    table = np.zeros(256, np.bool_)
    table[list(numbers)] = True
    return table


_WITH_PORTS = _protocols(6, 17, 33, 132, 136)  # TCP, UDP, DCCP, SCTP, UDP-Lite: in the first four bytes
_EXTENSIONS = _protocols(0, 43, 60, 135, 139, 140, _FRAGMENT, _AUTHENTICATION)  # RFC 7045


@dataclass(frozen=True)
class Layers:
    """Where things lie in k frames: positions in the batch and byte positions in the buffer.

    `end` is where the captured bytes of the frame stop; `transport` is -1 where there is none to read.
    """

    at: NDArray[np.int64]
    network: NDArray[np.int64]
    transport: NDArray[np.int64]
    end: NDArray[np.int64]
    octets: NDArray[np.int64]
    protocol: NDArray[np.int64]
    vlan: NDArray[np.int16]
    fragment: NDArray[np.int64]  # (k,) byte offset of this fragment; -1 where the packet is whole
    identification: NDArray[np.int64]


@dataclass(frozen=True)
class _Found:
    """k frames of one kind: position in the batch, where its network layer begins and its bytes end."""

    at: NDArray[np.int64]
    network: NDArray[np.int64]
    end: NDArray[np.int64]
    vlan: NDArray[np.int16]


class Tally(dict[Refusal, int]):
    """Refusals counted by reason."""

    def add(self, reason: Refusal, count: int) -> None:
        if count:
            self[reason] = self.get(reason, 0) + int(count)


@dataclass(frozen=True)
class Careful:
    """What the careful path found: IP packets by family with their layers, and the frames that carry ARP."""

    ipv4: Layers
    ipv6: Layers
    arp: Layers


def layers(frames: Frames, at: NDArray[np.int64], tally: Tally) -> Careful:
    """Peel the frames at these positions down to their transport header; what cannot be is counted."""
    start, end = frames.offsets[at], frames.offsets[at] + frames.captured[at]
    vlan = np.full(len(at), -1, np.int16) if frames.vlan is None else frames.vlan[at].astype(np.int16)
    tally.add(Refusal.EMPTY, int(np.count_nonzero(start == end)))
    tally.add(Refusal.CUT_SHORT, int(np.count_nonzero((start != end) & (end - start < 14))))
    kept = np.flatnonzero(end - start >= 14)
    at, start, end, vlan = at[kept], start[kept], end[kept], vlan[kept]
    network, kind, vlan = _peel_tags(frames, start, end, vlan)
    tally.add(Refusal.CUT_SHORT, int(np.count_nonzero(kind < 0)))
    known = (kind == IPV4) | (kind == IPV6) | (kind == ARP) | (kind < 0)
    tally.add(Refusal.NOT_IP, int(np.count_nonzero(~known)))

    def only(wanted: int) -> _Found:
        rows = np.flatnonzero(kind == wanted)
        return _Found(at[rows], network[rows], end[rows], vlan[rows])

    return Careful(_ipv4(frames, only(IPV4), tally), _ipv6(frames, only(IPV6), tally), _arp(only(ARP)))


def _u16(frames: Frames, at: NDArray[np.int64]) -> NDArray[np.int64]:
    return frames.window(at, 2).view(">u2").astype(np.int64)


def _peel_tags(
    frames: Frames, start: NDArray[np.int64], end: NDArray[np.int64], vlan: NDArray[np.int16]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int16]]:
    """Past all 802.1Q / 802.1ad tags: network layer, ethertype (-1 where cut), innermost VLAN."""
    kind = _u16(frames, start + 12)
    network = start + 14
    for _ in range(DEEPEST_TAGS):
        tagged = np.flatnonzero((kind == _TAGS[0]) | (kind == _TAGS[1]) | (kind == _TAGS[2]))
        if not len(tagged):
            break
        whole = network[tagged] + 4 <= end[tagged]
        kind[tagged[~whole]] = -1
        tagged = tagged[whole]
        identifier = _u16(frames, network[tagged]) & 0x0FFF
        vlan[tagged] = np.where(identifier == 0, vlan[tagged], identifier)  # 0 is a priority, not a VLAN
        kind[tagged] = _u16(frames, network[tagged] + 2)
        network[tagged] += 4
    return network, kind, vlan


def _arp(found: _Found) -> Layers:
    none = np.zeros(len(found.at), np.int64)
    return Layers(found.at, found.network, none - 1, found.end, none, none, found.vlan, none - 1, none)


def _none() -> Layers:
    nothing, no_tag = np.empty(0, np.int64), np.empty(0, np.int16)
    return Layers(nothing, nothing, nothing, nothing, nothing, nothing, no_tag, nothing, nothing)


def _ipv4(frames: Frames, found: _Found, tally: Tally) -> Layers:
    """RFC 791. The addresses must be captured; the header must say a possible length."""
    at, network, end = found.at, found.network, found.end
    if not len(at):
        return _none()
    whole = network + 20 <= end
    tally.add(Refusal.CUT_SHORT, int(np.count_nonzero(~whole)))
    header = frames.window(network, 20).view(np.uint8).reshape(-1, 20).astype(np.int64)
    version, words = header[:, 0] >> 4, header[:, 0] & 15
    octets = header[:, 2] << 8 | header[:, 3]
    # Zero is what a segmentation offload leaves there (Linux BIG TCP does too): the frame tells then.
    octets = np.where(octets == 0, _on_wire(frames, at, network), octets)
    right = whole & (version == 4)
    tally.add(Refusal.BAD_VERSION, int(np.count_nonzero(whole & (version != 4))))
    possible = (words >= 5) & (octets >= words * 4)
    tally.add(Refusal.BAD_LENGTH, int(np.count_nonzero(right & ~possible)))
    kept = np.flatnonzero(right & possible)
    bits = (header[:, 6] << 8 | header[:, 7])[kept]
    fragmented = (bits & 0x3FFF) != 0
    return Layers(
        at[kept],
        network[kept],
        (network + words * 4)[kept],
        end[kept],
        octets[kept],
        header[kept, 9],
        found.vlan[kept],
        np.where(fragmented, (bits & 0x1FFF) * 8, -1),
        (header[:, 4] << 8 | header[:, 5])[kept],
    )


def _ipv6(frames: Frames, found: _Found, tally: Tally) -> Layers:
    """RFC 8200. Extension headers are walked as far as they were captured."""
    at, network, end = found.at, found.network, found.end
    if not len(at):
        return _none()
    whole = network + 40 <= end
    tally.add(Refusal.CUT_SHORT, int(np.count_nonzero(~whole)))
    header = frames.window(network, 8).view(np.uint8).reshape(-1, 8).astype(np.int64)
    right = whole & (header[:, 0] >> 4 == 6)
    tally.add(Refusal.BAD_VERSION, int(np.count_nonzero(whole & ~right)))
    kept = np.flatnonzero(right)
    at, network, end, header = at[kept], network[kept], end[kept], header[kept]
    payload = header[:, 4] << 8 | header[:, 5]
    # Zero with more bytes behind it is a jumbogram (RFC 2675) or an offload: the frame tells then.
    on_wire = _on_wire(frames, at, network)
    octets = np.where((payload == 0) & (header[:, 6] != 59) & (on_wire > 40 + 0xFFFF), on_wire, payload + 40)
    protocol, transport, fragment, identification = _extensions(frames, header[:, 6], network, end, octets)
    return Layers(at, network, transport, end, octets, protocol, found.vlan[kept], fragment, identification)


def _on_wire(frames: Frames, at: NDArray[np.int64], network: NDArray[np.int64]) -> NDArray[np.int64]:
    """Octets from the network layer to the end of the frame as it was on the wire."""
    return np.minimum(frames.length[at] - (network - frames.offsets[at]), LONGEST_PACKET_OCTETS)


def _extensions(
    frames: Frames,
    first: NDArray[np.int64],
    network: NDArray[np.int64],
    end: NDArray[np.int64],
    octets: NDArray[np.int64],
) -> tuple[NDArray[np.int64], ...]:
    """Upper-layer protocol, its position, fragment offset (-1 none) and identification."""
    protocol, transport = first.copy(), network + 40
    fragment, identification = np.full(len(first), -1, np.int64), np.zeros(len(first), np.int64)
    end = np.minimum(end, network + octets)
    walking = np.arange(len(first))
    for _ in range(DEEPEST_EXTENSIONS):
        extension = _EXTENSIONS[protocol[walking]]
        walking = walking[extension & (transport[walking] + 8 <= end[walking]) & (fragment[walking] <= 0)]
        if not len(walking):
            break
        kind = protocol[walking]
        header = frames.window(transport[walking], 8).view(np.uint8).reshape(-1, 8).astype(np.int64)
        size = np.select(
            [kind == _FRAGMENT, kind == _AUTHENTICATION], [8, (header[:, 1] + 2) * 4], (header[:, 1] + 1) * 8
        )
        split = kind == _FRAGMENT
        parts, bits = walking[split], (header[:, 2] << 8 | header[:, 3])[split]
        # RFC 6946: an atomic fragment (offset 0, no more) is a whole packet.
        fragment[parts] = np.where(bits & 0xFFF9, bits & 0xFFF8, -1)
        identification[parts] = header[split, 4:8] @ np.array([1 << 24, 1 << 16, 1 << 8, 1])
        protocol[walking] = header[:, 0]
        transport[walking] += size
    return protocol, transport, fragment, identification


def packets(frames: Frames, found: Layers, family: int) -> Packets:
    """Columns of IP packets whose layers are known; ports only where their bytes are really there."""
    ends = np.minimum(found.end, found.network + found.octets)
    later = found.fragment > 0
    portless = later | ~_WITH_PORTS[found.protocol] | (found.transport + 4 > ends)
    window = frames.window(np.where(portless, found.network, found.transport), 16)
    ports = np.where(portless, 0, window.view("<u4").reshape(-1, 4)[:, 0]).astype(np.uint32)
    flagged = (found.protocol == TCP) & ~portless & (found.transport + 14 <= ends)
    flags = np.where(flagged, window.view(np.uint8).reshape(-1, 16)[:, 13], 0).astype(np.uint8)
    shape = found.protocol | np.where(portless, PORTS_UNKNOWN, 0)
    macs = frames.window(frames.offsets[found.at], 16).view("<u8").reshape(-1, 2)
    source = frames.window(frames.offsets[found.at] + 6, 8).view("<u8")
    if family == 4:
        addresses: tuple[NDArray[np.uint64], ...] = (frames.window(found.network + 12, 8).view("<u8"),)
    else:
        whole = frames.window(found.network + 8, 32).view("<u8").reshape(-1, 4)
        addresses = tuple(np.ascontiguousarray(whole[:, word]) for word in range(4))
    return Packets(
        family,
        frames.time[found.at],
        addresses,
        ports,
        shape.astype(np.uint16),
        found.octets,
        flags,
        source & MAC_MASK,
        macs[:, 0] & MAC_MASK,
        found.vlan if (found.vlan >= 0).any() else None,
        frames,
        found.at,
        found.network,
        np.where(later | (found.transport > ends), -1, found.transport),
    )
