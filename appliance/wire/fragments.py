"""Later fragments carry no ports: they are given those of their datagram's first fragment.

Nothing is reassembled. Of each datagram whose first fragment was heard lately one line is remembered, about
`LIMIT` lines for all families and tunnels together, and a batch costs what its own fragments cost: floods
cost neither memory nor time. Where the lines do not suffice, each sender (an IPv4 address, an IPv6 /64) keeps
its newest ones, the busiest senders losing first. A later fragment gets the ports of a datagram of the same
addresses, identification and (IPv4) protocol, compared exactly, or none. What evaders do with fragments is
counted (`wire.pieces`) and recorded as what it is on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.reasons import Note
from appliance.wire.careful import Layers
from appliance.wire.lots import Lots, joined
from appliance.wire.packets import Packets
from appliance.wire.pieces import APART_NS, Pieces, Recent

LIMIT = 16_384
"""Datagrams that are remembered once what is too much was dropped; until then a lot more."""

TIMEOUT_NS = 30_000_000_000
"""RFC 791 suggests 15 s, Linux waits 30 s for the rest of a datagram."""

EVERY_NS = 1_000_000_000
"""So seldom all lines are looked through for old ones, unless there are too many."""

_DATAGRAM = np.dtype(
    [
        ("addresses", "<u8", (4,)),
        ("flow", "<u8"),  # way through tunnels, identification and, in IPv4, protocol
        ("key", "<u8"),  # both mixed: equal datagrams have equal keys, different ones almost never
        ("time", "<i8"),
        ("ports", "<u4"),
        ("shape", "<u2"),
        ("ended", "?"),  # its last fragment was heard
        ("peeled", "?"),  # it carries a tunnel whose inside was recorded in its place
    ]
)


@dataclass(frozen=True)
class Attributed:
    """The fragments of one family in a batch, and which datagrams they are of."""

    notes: Mapping[Note, int]
    first: NDArray[np.int64]  # (f,) rows
    later: NDArray[np.int64]  # (k,) rows
    firsts: NDArray[np.void]  # (f,) _DATAGRAM, which will be remembered
    match: NDArray[np.int64]  # (k,) position among (r,) remembered datagrams and then the first ones, or -1
    peeled_before: NDArray[np.bool_]  # (r,)

    def peeled(self, rows: NDArray[np.int64]) -> None:
        """These rows are first fragments of datagrams that carry a tunnel."""
        self.firsts["peeled"][np.isin(self.first, rows)] = True

    def later_of_peeled(self) -> NDArray[np.int64]:
        """Rows that are later fragments of such datagrams, of this batch or of those before."""
        known = self.match >= 0
        peeled = np.concatenate([self.peeled_before, self.firsts["peeled"]])
        rows: NDArray[np.int64] = self.later[known][peeled[self.match[known]]]
        return rows


class Fragments:
    """Datagrams whose first fragment was heard lately.

    In a batch, `attribute` comes once for each way through tunnels, and `forget` at its end.
    """

    def __init__(self) -> None:
        self._heard = Lots(_DATAGRAM)
        self._recent = Recent()
        self._ways: dict[tuple[int, int, int], int] = {}
        self._now: int | None = None  # of the last fragment of this batch
        self._looked: int | None = None  # when all lines were looked through

    def __len__(self) -> int:
        return len(self._heard)

    def attribute(self, packets: Packets, found: Layers, depth: int, link_type: int) -> Attributed:
        """Fill in protocol and ports of later fragments where they are known; says what was odd.

        Only fragments that are as deep in tunnels and came the same way are of one datagram. A sender uses
        its identifications again: see `_nearest`.
        """
        rows = np.flatnonzero(found.fragment >= 0)
        way = self._ways.setdefault((packets.family, depth, link_type), len(self._ways))
        pieces, said = Pieces.of(packets, found, rows), _datagrams(packets, found, rows, way)
        is_first = pieces.start == 0
        at_first, at_later = np.flatnonzero(is_first), np.flatnonzero(~is_first)
        firsts, wanted = said.take(at_first), said.take(at_later)
        places = self._heard.places(wanted["key"])
        known = len(places)
        heard = joined(self._heard.take(places), firsts)
        match = _nearest(heard, np.concatenate([np.full(known, -1), at_first]), wanted, at_later)
        _fill(packets, rows[at_later], heard, match)
        ended = match[(match >= 0) & pieces.last[at_later]]
        if known:
            self._heard.mark(places[ended[ended < known]], "ended")
        firsts["ended"][ended[ended >= known] - known] = True
        self._heard.add(firsts)
        times = packets.time[rows]
        newest = int(times.max())
        self._now = newest if self._now is None else max(newest, self._now)
        notes = {
            Note.FRAGMENT_WITHOUT_FIRST: int(np.count_nonzero(match < 0)),
            Note.FRAGMENT_TINY: int(np.count_nonzero(pieces.tiny)),
            Note.FRAGMENT_BEYOND_END: int(np.count_nonzero(pieces.beyond_end)),
            Note.FRAGMENT_OVERLAPPING: self._recent.overlapping(said["key"], pieces, times),
        }
        some = {note: count for note, count in notes.items() if count}
        return Attributed(some, rows[at_first], rows[at_later], firsts, match, heard["peeled"][:known])

    def forget(self) -> Mapping[Note, int]:
        """A batch is over: now and then drop what is too old, superseded or too much.

        Says how many of these had not ended.
        """
        if self._now is None:
            return {}
        now, self._now = self._now, None
        self._recent.forget(now)
        crowded = self._heard.over()
        self._looked = now if self._looked is None else self._looked
        if not crowded and abs(now - self._looked) < EVERY_NS:
            return {}
        self._looked = now
        kept, unfinished = _kept(self._heard.all(), now)
        self._heard.replace(kept)
        return {Note.FRAGMENT_UNFINISHED: unfinished} if unfinished else {}


def _fill(
    packets: Packets, later: NDArray[np.int64], heard: NDArray[np.void], match: NDArray[np.int64]
) -> None:
    """RFC 8200, 4.5: what protocol it is, only the first fragment says."""
    known = match >= 0
    packets.ports[later[known]] = heard["ports"][match[known]]
    packets.shape[later[known]] = heard["shape"][match[known]]


def _kept(lines: NDArray[np.void], now: int) -> tuple[NDArray[np.void], int]:
    """Those of all datagrams that are still waited for; and how many of the others had not ended.

    One that was superseded in time is not among these: a mirror may show its first fragment twice.
    """
    late = np.abs(now - lines["time"]) > TIMEOUT_NS
    superseded = np.zeros(len(lines), np.bool_)
    superseded[:-1] = (lines["key"][1:] == lines["key"][:-1]) & (np.abs(np.diff(lines["time"])) <= TIMEOUT_NS)
    unfinished = np.count_nonzero(late & ~superseded & ~lines["ended"])
    lines = lines.take(np.flatnonzero(~late))
    newest = np.ones(len(lines), np.bool_)
    newest[:-1] = lines["key"][1:] != lines["key"][:-1]
    lines = lines.take(np.flatnonzero(newest))
    if len(lines) > LIMIT:
        newest_first = np.argsort(lines["time"], kind="stable")[::-1]
        fair = newest_first[np.argsort(_turns(lines.take(newest_first)), kind="stable")]
        unfinished += np.count_nonzero(~lines["ended"][fair[LIMIT:]])
        lines = lines.take(np.sort(fair[:LIMIT]))
    return lines, int(unfinished)


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
    keys = np.concatenate([heard["key"], wanted["key"]])
    number = np.sort(keys).searchsorted(keys)
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


def _datagrams(packets: Packets, found: Layers, rows: NDArray[np.int64], way: int) -> NDArray[np.void]:
    """(k,) which datagrams these fragments are of (RFC 791; RFC 8200: the protocol does not count)."""
    told = np.zeros(len(rows), _DATAGRAM)
    for word, column in enumerate(packets.addresses):
        told["addresses"][:, word] = column[rows]
    # Eight bits of protocol, 32 of identification; above these the way, of which there are a few hundred.
    told["flow"] = found.identification[rows].astype(np.uint64) << np.uint64(8) | np.uint64(way << 40)
    if packets.family == 4:
        told["flow"] |= (packets.shape[rows] & 0xFF).astype(np.uint64)
    key = told["flow"] * np.uint64(0x9E37_79B9_7F4A_7C15)
    for word in range(len(packets.addresses)):
        key = (key ^ told["addresses"][:, word]) * np.uint64(0xC2B2_AE3D_27D4_EB4F)
        key ^= key >> np.uint64(29)
    told["key"] = key
    told["time"], told["ports"], told["shape"] = packets.time[rows], packets.ports[rows], packets.shape[rows]
    return told
