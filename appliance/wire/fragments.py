"""Later fragments carry no ports: they are given those of their datagram's first fragment.

Nothing is reassembled. Of each datagram whose first fragment was heard lately one line is remembered, at most
`LIMIT` lines, so that floods cost neither memory nor time; where they do not suffice, each sender (an IPv4
address, an IPv6 /64) keeps its newest ones, the busiest senders losing first. A later fragment gets the ports
of a datagram of the same addresses, identification and (IPv4) protocol, compared exactly, or none. What
evaders do with fragments is counted (`wire.pieces`) and recorded as what it is on the wire.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from appliance.model.reasons import Note
from appliance.wire.careful import Layers
from appliance.wire.packets import Packets
from appliance.wire.pieces import APART_NS, Pieces, Recent

LIMIT = 16_384
TIMEOUT_NS = 30_000_000_000
"""RFC 791 suggests 15 s, Linux waits 30 s for the rest of a datagram."""

_DATAGRAM = np.dtype(
    [
        ("addresses", "<u8", (4,)),
        ("flow", "<u8"),  # identification and, in IPv4, protocol
        ("key", "<u8"),  # both mixed: equal datagrams have equal keys, different ones almost never
        ("time", "<i8"),
        ("ports", "<u4"),
        ("shape", "<u2"),
        ("ended", "?"),  # its last fragment was heard
        ("peeled", "?"),  # it carries a tunnel whose inside was recorded in its place
    ]
)


class Fragments:
    """Datagrams of one family at one depth of tunnels whose first fragment was heard lately.

    A batch asks in this order: `attribute`, then `peeled`, then `later_of_peeled`.
    """

    def __init__(self) -> None:
        self._heard = np.empty(0, _DATAGRAM)
        self._recent = Recent()
        self._first = self._later = self._match = np.empty(0, np.int64)

    def attribute(self, packets: Packets, found: Layers) -> Mapping[Note, int]:
        """Fill in protocol and ports of later fragments where they are known; says what was odd.

        A sender uses its identifications again: see `_nearest`.
        """
        rows = np.flatnonzero(found.fragment >= 0)
        self._first = self._later = self._match = np.empty(0, np.int64)
        if not len(rows):
            return {}
        forgotten = self._forget(packets.time[rows])
        pieces = Pieces.of(packets, found, rows)
        said = _datagrams(packets, found, rows)
        is_first = found.fragment[rows] == 0
        self._first, self._later = rows[is_first], rows[~is_first]
        place = np.concatenate([np.full(len(self._heard), -1), np.flatnonzero(is_first)])
        self._heard = np.concatenate([self._heard, said.take(np.flatnonzero(is_first))])
        later = np.flatnonzero(~is_first)
        self._match = _nearest(self._heard, place, said.take(later), later)
        known = self._match >= 0
        self._fill(packets, self._later[known], self._match[known])
        self._heard["ended"][self._match[known & pieces.last[~is_first]]] = True
        notes = {
            Note.FRAGMENT_UNFINISHED: forgotten,
            Note.FRAGMENT_WITHOUT_FIRST: int(np.count_nonzero(~known)),
            Note.FRAGMENT_TINY: int(np.count_nonzero(pieces.tiny)),
            Note.FRAGMENT_BEYOND_END: int(np.count_nonzero(pieces.beyond_end)),
            Note.FRAGMENT_OVERLAPPING: self._recent.overlapping(said["key"], pieces, packets.time[rows]),
        }
        return {note: count for note, count in notes.items() if count}

    def peeled(self, rows: NDArray[np.int64]) -> None:
        """These rows of the last batch are first fragments of datagrams that carry a tunnel."""
        told = np.isin(self._first, rows)
        self._heard["peeled"][np.flatnonzero(told) + len(self._heard) - len(self._first)] = True

    def later_of_peeled(self) -> NDArray[np.int64]:
        """Rows of the last batch that are later fragments of such datagrams, in this batch or before."""
        known = self._match >= 0
        rows: NDArray[np.int64] = self._later[known][self._heard["peeled"][self._match[known]]]
        return rows

    def _fill(self, packets: Packets, rows: NDArray[np.int64], match: NDArray[np.int64]) -> None:
        """RFC 8200, 4.5: what protocol it is, only the first fragment says."""
        packets.ports[rows] = self._heard["ports"][match]
        packets.shape[rows] = self._heard["shape"][match]

    def _forget(self, coming: NDArray[np.int64]) -> int:
        """Drop what is too old for what comes, superseded or too much; returns how many had not ended."""
        if not len(self._heard):
            return 0
        heard = self._heard["time"]
        late = (heard < coming.min() - TIMEOUT_NS) | (heard > coming.max() + TIMEOUT_NS)
        newest_first = self._heard.take(np.flatnonzero(~late)[::-1])
        _, newest = np.unique(newest_first["key"], return_index=True)
        kept = newest_first.take(np.sort(newest))
        unfinished = np.count_nonzero(late & ~self._heard["ended"])
        if len(kept) > LIMIT:
            fair = np.argsort(_turns(kept), kind="stable")
            unfinished += np.count_nonzero(~kept["ended"][fair[LIMIT:]])
            kept = kept.take(np.sort(fair[:LIMIT]))
        self._heard = kept[::-1].copy()
        return int(unfinished)


def _turns(datagrams: NDArray[np.void]) -> NDArray[np.int64]:
    """(k,) how many datagrams of the same sender stand before each."""
    sender = datagrams["addresses"][:, 0].copy()
    narrow = (datagrams["addresses"][:, 1:] == 0).all(axis=1)  # IPv4 fills one word
    sender[narrow] &= np.uint64(0xFFFF_FFFF)
    order = np.argsort(sender, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], sender[order][1:] != sender[order][:-1]]))
    turns = np.empty(len(datagrams), np.int64)
    turns[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return turns


def _nearest(
    heard: NDArray[np.void], place: NDArray[np.int64], wanted: NDArray[np.void], at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Which of the `heard` datagrams each of the `wanted` is, else -1.

    It is the last that came before, as from a sender who keeps the order; where that was long ago, and one
    that comes next is nearer in time, it is that. `place` and `at` are positions in the batch, -1 for what
    came before it.
    """
    if not len(heard) or not len(wanted):
        return np.full(len(wanted), -1)
    _, number = np.unique(np.concatenate([heard["key"], wanted["key"]]), return_inverse=True)
    rank = number * (max(at.max(), place.max()) + 2) + np.concatenate([place, at]) + 1
    order = np.argsort(rank[: len(heard)], kind="stable")
    after = np.searchsorted(rank[order], rank[len(heard) :], side="right")
    before, behind = order[np.maximum(after - 1, 0)], order[np.minimum(after, len(heard) - 1)]
    away_before, away_behind = _away(heard.take(before), wanted), _away(heard.take(behind), wanted)
    match = np.where((away_behind < away_before) & (away_before > APART_NS), behind, before)
    return np.where(np.minimum(away_before, away_behind) <= TIMEOUT_NS, match, -1)


def _away(heard: NDArray[np.void], wanted: NDArray[np.void]) -> NDArray[np.int64]:
    """(k,) ns between fragments of one datagram; beyond any timeout where it is not one."""
    same = (heard["flow"] == wanted["flow"]) & (heard["addresses"] == wanted["addresses"]).all(axis=1)
    return np.where(same, np.abs(heard["time"] - wanted["time"]), np.iinfo(np.int64).max)


def _datagrams(packets: Packets, found: Layers, rows: NDArray[np.int64]) -> NDArray[np.void]:
    """(k,) which datagrams these fragments are of (RFC 791; RFC 8200: the protocol does not count)."""
    told = np.zeros(len(rows), _DATAGRAM)
    for word, column in enumerate(packets.addresses):
        told["addresses"][:, word] = column[rows]
    told["flow"] = found.identification[rows].astype(np.uint64) << np.uint64(8)
    if packets.family == 4:
        told["flow"] |= (packets.shape[rows] & 0xFF).astype(np.uint64)
    key = told["flow"] * np.uint64(0x9E37_79B9_7F4A_7C15)
    for word in range(len(packets.addresses)):
        key = (key ^ told["addresses"][:, word]) * np.uint64(0xC2B2_AE3D_27D4_EB4F)
        key ^= key >> np.uint64(29)
    told["key"] = key
    told["time"], told["ports"], told["shape"] = packets.time[rows], packets.ports[rows], packets.shape[rows]
    return told
