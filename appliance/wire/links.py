"""What a link decoder answers: where in each frame a network layer begins, and who sent it to whom."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CUT = -1
"""In place of an ethertype: the frame was cut before it said one."""


@dataclass(frozen=True)
class Reached:
    """k network layers behind a link's headers. A frame may hold none, one, or several (A-MSDU).

    MACs lie as in `wire.packets.Packets`: in wire order in the low six bytes, 0 where the link has none.
    What gave no network layer was counted by whoever made this.
    """

    at: NDArray[np.int64]  # (k,) position of the frame in its batch
    start: NDArray[np.int64]  # (k,) byte position where the network layer begins
    end: NDArray[np.int64]  # (k,) byte position where its captured bytes stop
    kind: NDArray[np.int64]  # (k,) ethertype of what begins there, CUT where it was cut off
    source_mac: NDArray[np.uint64]
    destination_mac: NDArray[np.uint64]
    vlan: NDArray[np.int16]  # (k,) -1 none
    ap_mac: NDArray[np.uint64] | None = None  # None: the link knows no access point
    hidden_mac: NDArray[np.bool_] | None = None  # None: the MACs are this link's own
    wire_end: NDArray[np.int64] | None = None  # (k,) where it ended on the wire; None: with its frame

    def __len__(self) -> int:
        return len(self.at)
