"""Duplicates: packets that a mirror shows more than once are let through once, as seen nearest the client.

What a sender may really send twice is never taken for a duplicate unless the two sightings differ, or the
mirror is known to double everything. Looks at everything at first, where batches are small and while
duplicates were seen lately, else at one stretch of each batch. Decision 013 says what was measured.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.flows.contents import WORDS, Contents, contents
from appliance.flows.doubling import Doubling
from appliance.flows.epochs import epochs, is_set_back
from appliance.flows.groups import MOST_PACKETS
from appliance.flows.twins import WINDOW_NS, Runs, Sightings, runs
from appliance.model.instants import MS
from appliance.model.networks import Networks
from appliance.wire.packets import Packets

AT_ONCE_NS = MS
"""TCP does not send data again within a millisecond; acknowledgements it may repeat in microseconds."""

_WATCHED_PACKETS = MOST_PACKETS // 2
"""Of so many packets all are looked at after the start, and of all batches after each duplicate."""

_SMALL_BATCH = 8_192
"""Batches of so few packets are always looked at: at such a rate it costs nothing that matters."""

_STRETCH = 1_024
"""Packets of a large batch that are looked at when nothing was doubled lately."""

_STRIDE = 0x9E3779B1  # from batch to batch another stretch


@dataclass(frozen=True)
class _Judged:
    """Packets of one family, held and new, laid end to end: what each is, and since when it is known."""

    pieces: list[Packets]
    held: int  # how many of the pieces were held, with their bytes
    content: Contents
    time: NDArray[np.int64]
    since: NDArray[np.int64]  # the first sighting's time
    found: Runs
    copy: NDArray[np.bool_]  # (k,) of the runs' rows: a sighting other than the nearest, seen elsewhere
    doubtful: NDArray[np.bool_]  # (k,) as the nearest was seen; the sender may have sent it twice
    sure: NDArray[np.bool_]  # (k,) as the nearest was seen; the sender did not send it twice


class Duplicates:
    """Lets packets through once. Holds back those whose copies may still come, at most one batch's end."""

    def __init__(self, networks: Networks, multipliers: NDArray[np.uint64]) -> None:
        self.count = 0
        self.unseen = False
        """Whether the last `sift` let a large batch through without looking at every packet."""
        self._networks = networks
        self._multipliers = multipliers[-WORDS:]
        self._held: list[Packets] = []
        self._watched = 0
        self._unknown = _WATCHED_PACKETS
        self._batches = 0
        self._latest_ns = 0
        self._doubling = Doubling()

    def sift(self, batches: Iterable[Packets], now_ns: int) -> list[Packets]:
        """The packets of one batch of frames, and those held, that are counted by `now_ns`."""
        batch = [packets for packets in batches if len(packets)]
        total = sum(map(len, batch))
        self.unseen = total > _SMALL_BATCH and self._watched <= 0 and not self._is_doubled(batch)
        if self.unseen:
            return [*self.drain(), *batch]
        passed = self.look(batch, now_ns)
        self._unknown -= total
        return passed

    def look(self, batch: list[Packets], now_ns: int) -> list[Packets]:
        """The same, with every packet looked at. What comes after the clock was set back is no copy."""
        passed: list[Packets] = []
        before = self.count
        for number, part in enumerate(epochs(batch)):
            if number or is_set_back(part, self._latest_ns):
                passed += self.drain()
            passed += self._pass(part, now_ns)
        self._latest_ns = int(batch[0].frames.time[-1]) if batch else self._latest_ns
        self._watched = _WATCHED_PACKETS if self.count > before else self._watched - sum(map(len, batch))
        return passed

    def release(self, now_ns: int) -> list[Packets]:
        """Held packets that wait no longer at `now_ns`."""
        return self._pass([], now_ns) if self._held else []

    def passed_until(self, now_ns: int) -> int:
        """The instant up to which every packet seen by `now_ns` has been let through."""
        return now_ns - WINDOW_NS if self._held else now_ns

    @property
    def waiting(self) -> tuple[int, int]:
        """Packets held in case a copy comes, and their octets."""
        return sum(map(len, self._held)), sum(int(packets.octets.sum()) for packets in self._held)

    def drain(self) -> list[Packets]:
        """All held packets: no copy of them will come."""
        return self._pass([], None) if self._held else []

    def _is_doubled(self, batch: list[Packets]) -> bool:
        """Whether one stretch of a large batch has duplicates; soon after the start a long one."""
        largest = max(batch, key=len)
        size = max(_STRETCH, self._unknown)
        self._unknown -= sum(map(len, batch))
        self._batches += 1
        begin = self._batches * _STRIDE % max(len(largest) - size, 1)
        stretch = largest.time[begin : begin + size]
        for family in (4, 6):
            parts = []
            for packets in batch:
                if packets.family != family:
                    continue
                # Where time is not in order this is some other stretch, and no worse.
                low = begin if packets is largest else int(np.searchsorted(packets.time, stretch[0]))
                high = int(np.searchsorted(packets.time, stretch[-1], "right"))
                part = packets.slice(low, min(high, low + size))
                if len(part):
                    parts.append(part)
            if parts:
                judged = self._judge([], parts)
                if judged.copy.any() or judged.sure.any():
                    return True
        return False

    def _pass(self, batch: list[Packets], now_ns: int | None) -> list[Packets]:
        """What is counted now; copies are not, the rest is held. No `now_ns`: hold nothing."""
        held, self._held = self._held, []
        if now_ns is not None and sum(map(len, held)) > 2 * MOST_PACKETS:
            now_ns = None  # time stands still: memory is bounded all the same
        families = [
            self._judge(own, new)
            for family in (4, 6)
            if (own := _of(family, held)) + (new := _of(family, batch))
        ]
        settled = [self._settled(judged, now_ns) for judged in families]
        for judged, known in zip(families, settled, strict=True):
            self._learn(judged, known)
        passed: list[Packets] = []
        copies = 0
        for judged, known in zip(families, settled, strict=True):
            dropped = judged.copy | judged.sure
            dropped |= judged.doubtful & self._doubling.at(judged.since[judged.found.rows])
            counted = known.copy()
            counted[judged.found.rows[dropped]] = False
            copies += int(np.count_nonzero(known)) - int(np.count_nonzero(counted))
            passed += self._cut(judged, known, counted)
        self._doubling.forget()
        self.count += copies
        return passed

    def _judge(self, held: list[Packets], new: list[Packets]) -> _Judged:
        pieces = [*held, *new]
        parts = [contents(packets, self._multipliers) for packets in pieces]
        content = _together(parts)
        time = np.concatenate([packets.time for packets in pieces])
        found = runs(content, time)
        since = time
        none = np.zeros(0, np.bool_)
        if not len(found.rows):
            return _Judged(pieces, len(held), content, time, since, found, none, none, none)
        since = time.copy()
        since[found.rows] = time[found.rows[found.starts]][found.run]
        seen = self._seen(pieces, found.rows)
        nearest = seen.nearest(found)
        chosen = nearest == np.arange(len(nearest))
        same = seen.is_same(nearest) & ~chosen
        at_once = time[found.rows] - since[found.rows] <= AT_ONCE_NS
        sure = content.identified[found.rows] | at_once & content.carries_tcp(found.rows, seen.headers)
        told = ~same & ~chosen, same & ~sure, same & sure
        return _Judged(pieces, len(held), content, time, since, found, *told)

    def _seen(self, pieces: list[Packets], rows: NDArray[np.int64]) -> Sightings:
        """How the packets at these places were seen."""
        begins = np.cumsum([0, *map(len, pieces)])
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], begins)
        parts = [
            Sightings.of(packets.take(rows[order[low:high]] - begin), self._networks)
            for packets, begin, low, high in zip(pieces, begins[:-1], cuts[:-1], cuts[1:], strict=True)
            if high > low
        ]
        back = np.empty(len(rows), np.int64)
        back[order] = np.arange(len(rows))
        return Sightings.together(parts).take(back)

    def _settled(self, judged: _Judged, now_ns: int | None) -> NDArray[np.bool_]:
        """(n,) packets no further copy of which can come; what lies ahead of the clock waits for none."""
        if now_ns is None:
            return np.ones(len(judged.since), np.bool_)
        return (judged.since + WINDOW_NS < now_ns) | (judged.since > now_ns)

    def _learn(self, judged: _Judged, known: NDArray[np.bool_]) -> None:
        telling = judged.content.telling
        rows = judged.found.rows[judged.sure]
        rows = rows[known[rows] & telling[rows]]
        self._doubling.learn(judged.since[known & telling], judged.since[rows])

    def _cut(self, judged: _Judged, known: NDArray[np.bool_], counted: NDArray[np.bool_]) -> list[Packets]:
        """The pieces as far as they are counted now; what is not known yet is held, with its bytes."""
        passed = []
        begin = 0
        for number, packets in enumerate(judged.pieces):
            end = begin + len(packets)
            now, later = counted[begin:end], ~known[begin:end]
            if now.all():
                passed.append(packets)
            elif now.any():
                passed.append(packets.take(np.flatnonzero(now)))
            if later.any():
                kept = packets.take(np.flatnonzero(later))
                self._held.append(kept if number < judged.held else kept.detach())
            begin = end
        return passed


def _of(family: int, batches: list[Packets]) -> list[Packets]:
    return [packets for packets in batches if packets.family == family]


def _together(parts: list[Contents]) -> Contents:
    if len(parts) == 1:
        return parts[0]
    words = zip(*(part.words for part in parts), strict=True)
    return Contents(
        tuple(np.concatenate(columns) for columns in words), np.concatenate([part.hash for part in parts])
    )
