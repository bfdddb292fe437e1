"""Sightings of one packet: which packets of a family are alike, and which sighting is nearest the client.

A mirror shows one packet more than once where it carries both directions of two ports, both sides of a
router, two VLANs, or a tunnel and what comes out of it. Pure column work over candidates, which are few
where nothing is doubled.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.flows.contents import Contents
from appliance.flows.groups import by_number, leaders
from appliance.flows.orient import orient
from appliance.model.networks import Networks
from appliance.wire.packets import Packets

WINDOW_NS = 20_000_000
"""Between the first and the last sighting of a packet at most. Copies of one switch or router lie
microseconds to a few milliseconds apart (5 ms at most in the captures of decision 013), more where a slow
port queues. Packet brokers look back 50 ms and more (Gigamon); the shorter, the fewer packets that a sender
really repeats are in question: timeouts begin at 200 ms (Linux TCP_RTO_MIN), resolvers wait seconds."""

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Runs:
    """Packets seen more than once: `rows` (k,) in order of run and time, and where each run begins."""

    rows: Rows
    starts: Rows

    @property
    def run(self) -> Rows:
        """(k,) the number of each row's run."""
        counts = np.diff(np.append(self.starts, len(self.rows)))
        return np.repeat(np.arange(len(self.starts)), counts)


def runs(content: Contents, time: NDArray[np.int64]) -> Runs:
    """The runs of alike packets, each within WINDOW_NS of its first, that have more than one."""
    leader = leaders(content.hash, (content.hash,))
    copies = np.flatnonzero(leader != np.arange(len(leader)))
    if not len(copies):
        return Runs(copies, copies)
    is_candidate = np.zeros(len(leader), np.bool_)
    is_candidate[copies] = is_candidate[leader[copies]] = True
    rows = np.flatnonzero(is_candidate)
    rows = rows[np.argsort(time[rows], kind="stable")]
    rows = rows[by_number(leader[rows])]
    alike = _alike(content, rows)
    if not (alike | (leader[rows][1:] != leader[rows][:-1])).all():  # hashes that collide
        words = [word[rows] for word in content.words]
        rows = rows[np.lexsort((time[rows], *words))]
        alike = _alike(content, rows)
    begins = _anchored(np.append(False, alike), time[rows])
    starts = np.flatnonzero(begins)
    several = np.diff(np.append(starts, len(rows))) > 1
    kept = np.repeat(several, np.diff(np.append(starts, len(rows))))
    return Runs(rows[kept], np.flatnonzero(begins[kept]))


def _alike(content: Contents, rows: Rows) -> Mask:
    """(k - 1,) whether each row is alike the one before it."""
    same = np.ones(max(len(rows) - 1, 0), np.bool_)
    for word in content.words:
        held = word[rows]
        same &= held[1:] == held[:-1]
    return same


def _anchored(alike: Mask, time: NDArray[np.int64]) -> Mask:
    """(k,) where runs begin: no packet lies further than WINDOW_NS behind the first of its run.

    `alike` says of each row whether it is alike the one before; those stand in order of time.
    """
    begins = ~alike
    begins[1:] |= np.diff(time) > WINDOW_NS
    chain = np.cumsum(begins) - 1
    since = time - time[np.flatnonzero(begins)][chain]
    longest = int(since.max())
    if longest <= WINDOW_NS:
        return begins
    # Something repeats itself without end. The next run begins behind the window of the one before: all
    # those jumps at once, by doubling their length.
    place = since + chain * (longest + WINDOW_NS + 1)
    jump = np.append(np.searchsorted(place, place + WINDOW_NS, side="right"), len(time))
    reached = np.append(begins, False)
    count = 0
    while count != (count := int(np.count_nonzero(reached))):
        reached[jump[np.flatnonzero(reached)]] = True
        jump = jump[jump]
    return reached[:-1]


@dataclass(frozen=True)
class Sightings:
    """Where k packets were seen: what may differ between sightings of one packet."""

    source_mac: NDArray[np.uint64]
    destination_mac: NDArray[np.uint64]
    vlan: NDArray[np.int16]
    ap_mac: NDArray[np.uint64]
    hidden_mac: Mask
    hop_limit: NDArray[np.uint8]
    inward: Mask
    headers: NDArray[np.int64]  # octets before the transport header

    @classmethod
    def of(cls, packets: Packets, networks: Networks) -> "Sightings":
        """How these packets were seen."""
        count = len(packets)
        return cls(
            packets.source_mac,
            packets.destination_mac,
            np.full(count, -1, np.int16) if packets.vlan is None else packets.vlan,
            np.zeros(count, np.uint64) if packets.ap_mac is None else packets.ap_mac,
            np.zeros(count, np.bool_) if packets.hidden_mac is None else packets.hidden_mac,
            packets.hop_limits(np.arange(count)),
            orient(packets, networks).inward,
            np.where(packets.transport < 0, packets.octets, packets.transport - packets.network),
        )

    @classmethod
    def together(cls, parts: list["Sightings"]) -> "Sightings":
        """All of them, one after the other."""
        columns: list[Any] = [np.concatenate(held) for held in zip(*map(_columns, parts), strict=True)]
        return cls(*columns)

    def take(self, rows: Rows) -> "Sightings":
        """Some of them."""
        columns: list[Any] = [column[rows] for column in _columns(self)]
        return Sightings(*columns)

    def nearest(self, found: Runs) -> Rows:
        """(k,) for each row of the runs (in their order) the place of its run's sighting nearest the client.

        The client's own link tells most: its AP is known, its MAC is not hidden. Then, what it sends has the
        most hops left there, what it gets the fewest; and is seen there first, and last.
        """
        count = len(self.inward)
        hops = np.where(self.inward, self.hop_limit, np.uint8(255) - self.hop_limit).astype(np.int64)
        place = np.arange(count)
        rank = (self.hidden_mac * 2 + (self.ap_mac == 0)).astype(np.int64) << 8 | hops
        rank = rank << 40 | np.where(self.inward, count - place, place)
        best = np.minimum.reduceat(rank, found.starts)[found.run]
        return np.flatnonzero(rank == best)[found.run]

    def is_same(self, other: Rows) -> Mask:
        """(k,) whether each was seen just as the one at the place `other`."""
        columns = _columns(self)[:6]
        return np.asarray(np.logical_and.reduce([column == column[other] for column in columns]))


def _columns(seen: Sightings) -> tuple[NDArray[np.generic], ...]:
    return (
        *(seen.source_mac, seen.destination_mac, seen.vlan, seen.ap_mac, seen.hidden_mac, seen.hop_limit),
        *(seen.inward, seen.headers),
    )
