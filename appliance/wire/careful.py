"""The careful path: IP whose layer is known but not plain. Options, extension headers, fragments, cut frames.

Vectorised all the same: each loop runs over header depth, bounded, never over frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.model.reasons import Refusal
from appliance.wire.links import Reached, Refusals
from appliance.wire.packets import PORTS_UNKNOWN, Packets

LONGEST_PACKET_OCTETS = 1 << 30
"""No header may claim more, so that a batch's sum fits in 46 bits."""

DEEPEST_EXTENSIONS = 8

TCP, UDP, ICMPV6 = 6, 17, 58
_FRAGMENT, _AUTHENTICATION = 44, 51
_IPV4_FORM = np.dtype(
    {
        "names": ["first", "octets", "identification", "fragment", "protocol"],
        "formats": ["u1", ">u2", ">u2", ">u2", "u1"],
        "offsets": [0, 2, 4, 6, 9],
        "itemsize": 12,
    }
)


def _protocols(*numbers: int) -> NDArray[np.bool_]:
    """(256,) true at these protocol numbers: looking a batch up costs a tenth of np.isin."""
    table = np.zeros(256, np.bool_)
    table[list(numbers)] = True
    return table


_WITH_PORTS = _protocols(6, 17, 33, 132, 136)  # TCP, UDP, DCCP, SCTP, UDP-Lite: in the first four bytes
_EXTENSIONS = _protocols(0, 43, 60, 135, 139, 140, _FRAGMENT, _AUTHENTICATION)  # RFC 7045


@dataclass(frozen=True)
class Layers:
    """Where things lie in k IP packets: byte positions in the buffer, and what their headers say.

    `link` says which frame each is in, who sent it to whom, and where its captured bytes stop.
    """

    link: Reached
    network: NDArray[np.int64]
    transport: NDArray[np.int64]  # (k,) behind IP headers and extensions as far as they could be read
    octets: NDArray[np.int64]
    protocol: NDArray[np.int64]
    fragment: NDArray[np.int64]  # (k,) byte offset of this fragment; -1 where the packet is whole
    identification: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.network)

    @property
    def ends(self) -> NDArray[np.int64]:
        """(k,) where the captured bytes of each packet stop."""
        return np.asarray(np.minimum(self.link.end, self.network + self.octets))


def ipv4(frames: Frames, found: Reached, refusals: Refusals) -> Layers:
    """RFC 791. The addresses must be captured; the header must say a possible length."""
    whole = found.start + 20 <= found.end
    header = frames.window(found.start, _IPV4_FORM.itemsize).view(_IPV4_FORM)
    first = header["first"]
    words = (first & 15).astype(np.int64)
    octets = header["octets"].astype(np.int64)
    unsaid = np.flatnonzero(octets == 0)
    if len(unsaid):
        # Zero is what a segmentation offload leaves there (Linux BIG TCP does too): the frame tells then.
        octets[unsaid] = _on_wire(frames, found)[unsaid]
    right = whole & (first >> 4 == 4)
    possible = right & (words >= 5) & (octets >= words * 4)
    if not possible.all():
        refusals.add(Refusal.CUT_SHORT, found.at[~whole])
        refusals.add(Refusal.BAD_VERSION, found.at[whole & ~right])
        refusals.add(Refusal.BAD_LENGTH, found.at[right & ~possible])
        kept = np.flatnonzero(possible)
        found, header, words, octets = found.take(kept), header.take(kept), words[kept], octets[kept]
    bits = header["fragment"].astype(np.int64)
    return Layers(
        found,
        found.start,
        found.start + words * 4,
        octets,
        header["protocol"].astype(np.int64),
        np.where(bits & 0x3FFF, (bits & 0x1FFF) * 8, -1),
        header["identification"].astype(np.int64),
    )


def ipv6(frames: Frames, found: Reached, refusals: Refusals) -> Layers:
    """RFC 8200. Extension headers are walked as far as they were captured."""
    whole = found.start + 40 <= found.end
    header = frames.window(found.start, 8).view(np.uint8).reshape(-1, 8)
    right = whole & (header[:, 0] >> 4 == 6)
    if not right.all():
        refusals.add(Refusal.CUT_SHORT, found.at[~whole])
        refusals.add(Refusal.BAD_VERSION, found.at[whole & ~right])
        kept = np.flatnonzero(right)
        found, header = found.take(kept), header[kept]
    octets = (header[:, 4].astype(np.int64) << 8 | header[:, 5]) + 40
    first = header[:, 6].astype(np.int64)
    unsaid = np.flatnonzero((octets == 40) & (first != 59))
    if len(unsaid):
        # Zero with more bytes behind it is a jumbogram (RFC 2675) or an offload: the frame tells then.
        on_wire = _on_wire(frames, found)[unsaid]
        octets[unsaid] = np.where(on_wire > 40 + 0xFFFF, on_wire, 40)
    protocol, transport, fragment, identification = _extensions(frames, first, found.start, found.end, octets)
    return Layers(found, found.start, transport, octets, protocol, fragment, identification)


def _on_wire(frames: Frames, found: Reached) -> NDArray[np.int64]:
    """Octets from the network layer to the end of the frame as it was on the wire."""
    end = frames.offsets[found.at] + frames.length[found.at] if found.wire_end is None else found.wire_end
    return np.asarray(np.minimum(end - found.start, LONGEST_PACKET_OCTETS))


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
    walking = np.flatnonzero(_EXTENSIONS[first])
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
    link, ends = found.link, found.ends
    later = found.fragment > 0
    portless = later | ~_WITH_PORTS[found.protocol] | (found.transport + 4 > ends)
    window = frames.window(np.where(portless, found.network, found.transport), 16)
    ports = np.where(portless, 0, window.view("<u4").reshape(-1, 4)[:, 0]).astype(np.uint32)
    flagged = (found.protocol == TCP) & ~portless & (found.transport + 14 <= ends)
    flags = np.where(flagged, window.view(np.uint8).reshape(-1, 16)[:, 13], 0).astype(np.uint8)
    shape = found.protocol | np.where(portless, PORTS_UNKNOWN, 0)
    if family == 4:
        addresses: tuple[NDArray[np.uint64], ...] = (frames.window(found.network + 12, 8).view("<u8"),)
    else:
        whole = frames.window(found.network + 8, 32).view("<u8").reshape(-1, 4)
        addresses = tuple(np.ascontiguousarray(whole[:, word]) for word in range(4))
    return Packets(
        family,
        frames.time[link.at],
        addresses,
        ports,
        shape.astype(np.uint16),
        found.octets,
        flags,
        link.source_mac,
        link.destination_mac,
        link.vlan if (link.vlan >= 0).any() else None,
        frames,
        link.at,
        found.network,
        np.where(later | (found.transport > ends), -1, found.transport),
        link.ap_mac,
        link.hidden_mac,
        link.end,
    )
