"""What a link decoder answers: where in each frame a network layer begins, and who sent it to whom."""

from collections import Counter
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from appliance.model.reasons import Refusal

CUT = -1
"""In place of an ethertype: the frame was cut before it said one."""

_UNDERSTOOD = frozenset(
    {
        *(Refusal.NOT_IP, Refusal.TUNNEL_FRAGMENT, Refusal.WIFI_REPEATED),
        *(Refusal.WIFI_ENCRYPTED, Refusal.WIFI_NO_DATA, Refusal.WIFI_FRAGMENT, Refusal.WIFI_DAMAGED),
    }
)


@dataclass(frozen=True)
class Reached:
    """k network layers behind a link's headers. A frame may hold none, one, or several (A-MSDU).

    MACs lie as in `wire.packets.Packets`: in wire order in the low six bytes, 0 where the link has none.
    What gave no network layer was refused by whoever made this, except what is CUT.
    """

    at: NDArray[np.int64]  # (k,) position of the frame in its batch
    start: NDArray[np.int64]  # (k,) byte position where the network layer begins
    end: NDArray[np.int64]  # (k,) byte position where its captured bytes stop
    kind: NDArray[np.int64]  # (k,) ethertype, or an 802.3 length that LLC follows, or CUT
    source_mac: NDArray[np.uint64]
    destination_mac: NDArray[np.uint64]
    vlan: NDArray[np.int16]  # (k,) -1 none
    ap_mac: NDArray[np.uint64] | None = None  # None: the link knows no access point
    hidden_mac: NDArray[np.bool_] | None = None  # None: the MACs are this link's own
    wire_end: NDArray[np.int64] | None = None  # (k,) where it ended on the wire; None: with its frame

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: NDArray[np.int64]) -> "Reached":
        """These of them, copied."""
        columns = ((field.name, getattr(self, field.name)) for field in fields(self))
        return replace(self, **{name: column[rows] for name, column in columns if column is not None})


class Refusals:
    """Frames of one batch that gave no record, by reason.

    Inside a tunnel a frame that was understood and holds nothing to record is the end of it; one that was
    not understood sends us back to the packet that carried it. So positions are kept, not only counts.
    """

    def __init__(self) -> None:
        self._refused: list[tuple[Refusal, NDArray[np.int64]]] = []
        self._understood: list[NDArray[np.int64]] = []

    def add(self, reason: Refusal, at: NDArray[np.int64], understood: bool | None = None) -> None:
        """Refuse the frames at these positions; a position stands once for each thing refused in it."""
        if len(at):
            self._refused.append((reason, at))
            if reason in _UNDERSTOOD if understood is None else understood:
                self.understand(at)

    def understand(self, at: NDArray[np.int64]) -> None:
        """What lies in the frames at these positions was read although it gives no record."""
        self._understood.append(at)

    def mark_understood(self, told: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> None:
        """Set `told` at such frames, at those alone where `among` is set."""
        for at in self._understood:
            told[at if among is None else at[among[at]]] = True

    def count(self, told: NDArray[np.bool_] | None = None) -> Counter[Refusal]:
        """How many were refused by each reason, in all frames or in those where `told` is set."""
        counted: Counter[Refusal] = Counter()
        for reason, at in self._refused:
            counted[reason] += len(at) if told is None else int(np.count_nonzero(told[at]))
        return +counted
