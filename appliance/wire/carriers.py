"""What the readers of tunnel headers are given, and what they answer. Columns, as everywhere in this room."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, IPV4_ONLY, IPV6_ONLY, MPLS_LABELS, PPP, Frames

NOT_A_TUNNEL, UNKNOWN, LATER = -1, -2, -3
"""In place of a link type: ordinary traffic; a tunnel, but what is inside is not known; a later piece."""


@dataclass(frozen=True)
class Outer:
    """k packets that may be tunnels.

    `start` is where the tunnel's header begins, `end` where the captured bytes stop, `wire_end` where it
    ended on the wire (a datagram sent in fragments: where all of it ended).
    """

    frames: Frames
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    wire_end: NDArray[np.int64]

    def bytes(self, width: int) -> NDArray[np.uint8]:
        """(k, width) the header's first bytes; what `judge` does not find whole must not be believed."""
        return self.frames.window(self.start, width).view(np.uint8).reshape(-1, width)

    def words(self, count: int) -> list[NDArray[np.uint16]]:
        """The header's first 16-bit words, a column each."""
        words = self.frames.window(self.start, count * 2).view(">u2").reshape(-1, count)
        return [words[:, number].astype(np.uint16) for number in range(count)]

    def judge(
        self,
        fixed: int,
        sound: NDArray[np.bool_],
        link: int | NDArray[np.int64],
        size: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64]:
        """(k,) link types where the header is there and sound: `fixed` bytes that say so, `size` in all.

        Where it was cut off nobody can say whether it was one: UNKNOWN, so that it is counted.
        """
        told = self.start + fixed <= self.end
        could = self.start + fixed <= self.wire_end
        said = np.where(told, np.where(sound, link, NOT_A_TUNNEL), np.where(could, UNKNOWN, NOT_A_TUNNEL))
        if size is None:
            return said
        behind = self.start + size
        longer = np.where(behind <= self.wire_end, UNKNOWN, NOT_A_TUNNEL)
        return np.where(told & sound & (behind > self.end), longer, said)


@dataclass(frozen=True)
class Inside:
    """What k packets carry: frames of a link type (or one of the three above), and where each begins."""

    link: NDArray[np.int64]
    start: NDArray[np.int64]
    wire_end: NDArray[np.int64] | None = None  # None: with the outer packet
    vlan: NDArray[np.int16] | None = None  # (k,) what the tunnel's header says of the inner frame, -1 none
    ap_mac: NDArray[np.uint64] | None = None  # (k,) in wire order, 0 none
    split: NDArray[np.int64] | None = None  # (k,) number of the frame this is a piece of, -1 whole

    def take(self, rows: NDArray[np.int64]) -> "Inside":
        """These of them, copied."""
        columns = ((field.name, getattr(self, field.name)) for field in fields(self))
        return replace(self, **{name: column[rows] for name, column in columns if column is not None})


def _links(known: dict[int, int]) -> NDArray[np.int64]:
    table = np.full(65536, UNKNOWN, np.int64)
    table[list(known)] = list(known.values())
    return table


LINK_OF_ETHERTYPE = _links(
    {
        0x0800: IPV4_ONLY,
        0x86DD: IPV6_ONLY,
        0x6558: ETHERNET,
        0x8847: MPLS_LABELS,
        0x8848: MPLS_LABELS,
        0x880B: PPP,
    }
)
"""(65536,) link types of what GRE, Geneve and their like say they carry."""
