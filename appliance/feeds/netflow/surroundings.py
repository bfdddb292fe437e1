"""What the records of one exporter show of itself, where fields alone do not say what they mean.

Both questions are answered by what was seen so far, and with "no" until it was seen: a way back that is not
told is missing; one that is only the way there once more would be invented.
"""

import numpy as np

from appliance.feeds.netflow.records import U64, Columns

_SHARE = 8
_SEEN_LIMIT = 65_536
_SENDERS_LIMIT = 16_384

_OUT = ("octets_out", "packets_out")
_IN = ("octets", "packets")


class Outgoing:
    """Whether OUT_BYTES and OUT_PKTS (23, 24) of one v9 domain count what came back.

    Cisco defines them as what leaves of the flow itself (NetFlow Version 9 Flow-Record Format, field types).
    FortiOS (5.4.2, and others) exports each direction in a record of its own and repeats its counters there;
    other FortiGates, SonicWall and nProbe (%OUT_BYTES: "destination to source") count the way back. Each
    of these means it one way in all its records, so equality tells them apart: two directions are rarely
    equal, what comes in and what leaves rarely differs. They are the way back if at least one record in
    _SHARE of those that count something there differs: a policer, or fragments, make fewer differ; a
    network of nothing but echoes makes a way back go untold.
    """

    def __init__(self) -> None:
        self._equal = self._different = 0

    def observe(self, columns: Columns) -> None:
        """Learn from records that state both."""
        pairs = [
            (columns.number(i), columns.number(o)) for i, o in zip(_IN, _OUT, strict=True) if columns.has(o)
        ]
        if not pairs:
            return
        telling = np.logical_or.reduce([leaving != 0 for _, leaving in pairs])
        differing = telling & np.logical_or.reduce([coming != leaving for coming, leaving in pairs])
        different = int(np.count_nonzero(differing))
        self._different += different
        self._equal += int(np.count_nonzero(telling)) - different
        while self._equal + self._different > _SEEN_LIMIT:  # so that a new firmware is soon believed
            self._equal //= 2
            self._different //= 2

    @property
    def comes_back(self) -> bool:
        """Whether they are the other direction's."""
        return self._different > 0 and self._different * _SHARE >= self._equal + self._different


class Senders:
    """MACs that sent frames to one exporter: stations and routers around it, never its own interfaces.

    The destination of an incoming frame (80) is the exporter's own MAC wherever it routes. It is another's
    only where the exporter bridges or listens to a mirror; there that other one sends, too (56).
    Bounded: of more than _SENDERS_LIMIT, those that were new longest ago are forgotten.
    """

    def __init__(self) -> None:
        self._known: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def observe(self, columns: Columns) -> None:
        """Learn from records that name the sources of frames."""
        if not columns.has("src_mac"):
            return
        for mac in np.unique(columns.mac("src_mac")).tolist():
            if mac not in self._known:
                if len(self._known) >= _SENDERS_LIMIT:
                    del self._known[next(iter(self._known))]
                self._known[mac] = None

    def only(self, macs: U64) -> U64:
        """(n,) these MACs, 0 for those that never sent anything."""
        unique, which = np.unique(macs, return_inverse=True)
        known = [mac if mac in self._known else 0 for mac in unique.tolist()]
        return np.array(known, np.uint64)[which]
