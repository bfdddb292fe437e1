"""The meter: batches of packets in, traffic rows out; one flow table a family behind it."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from appliance.flows.contents import WORDS
from appliance.flows.duplicates import Duplicates
from appliance.flows.groups import MOST_PACKETS, Groups, group
from appliance.flows.orient import orient
from appliance.flows.table import FlowTable, Limits
from appliance.flows.torn import Suspects
from appliance.model.instants import NS
from appliance.model.networks import Networks
from appliance.model.reasons import EndReason
from appliance.model.rows import TRAFFIC
from appliance.wire.packets import Packets

EXPIRE_EVERY_NS = NS
"""Looking through the table costs more than a small batch; a silence is exact when a packet ends it."""

MULTIPLIERS = 7 + WORDS
"""How many random odd 64-bit numbers a meter wants."""


class Meter:
    """Open connections of both families. `multipliers` are MULTIPLIERS random odd numbers, kept secret."""

    def __init__(self, networks: Networks, limits: Limits, multipliers: NDArray[np.uint64]) -> None:
        self._networks = networks
        self._limits = limits
        self._multipliers = multipliers | np.uint64(1)
        self._expired_ns = 0
        self._source = 0
        self._duplicates = Duplicates(networks, self._multipliers)
        self._tables = {family: FlowTable(family, limits) for family in (4, 6)}

    def __len__(self) -> int:
        return sum(len(table) for table in self._tables.values())

    @property
    def evicted(self) -> int:
        """Connections that gave way because a table was full."""
        return sum(table.evicted for table in self._tables.values())

    @property
    def duplicates(self) -> int:
        """Packets that were seen more than once and counted once: how many sightings were left out."""
        return self._duplicates.count

    @property
    def waiting(self) -> tuple[int, int]:
        """Packets that are in no row yet, not even an open one, and their octets: of the last 20 ms."""
        return self._duplicates.waiting

    def add(self, batches: Iterable[Packets], source: int, now_ns: int) -> NDArray[np.void]:
        """Meter the packets of one batch of frames; returns the TRAFFIC rows that closed by `now_ns`.

        Packets of its last 20 ms may wait for the next batch, or for `expire`, in case they come again.
        """
        closed = []
        if source != self._source:
            closed += self._meter(self._duplicates.drain())
            self._source = source
        passed = self._duplicates.sift(batches, now_ns)
        grouped = self._grouped(passed)
        if self._duplicates.unseen:
            closed += self._mend(passed, grouped, now_ns)
        closed += self._enter(grouped)
        if abs(now_ns - self._expired_ns) >= EXPIRE_EVERY_NS:
            closed.append(self.expire(now_ns))
        return _together(closed)

    def _meter(self, batches: Iterable[Packets]) -> list[NDArray[np.void]]:
        """The rows that these packets of the current source closed."""
        return self._enter(self._grouped(batches))

    def _grouped(self, batches: Iterable[Packets]) -> dict[int, list[Groups]]:
        """The packets' groups, by family."""
        found: dict[int, list[Groups]] = {4: [], 6: []}
        for packets in batches:
            for start in range(0, len(packets), MOST_PACKETS):
                part = packets.slice(start, start + MOST_PACKETS)
                oriented = orient(part, self._networks)
                limits = self._limits
                found[packets.family].append(
                    group(part, oriented, self._multipliers, limits.idle_ns, limits.active_ns)
                )
        return found

    def _enter(self, grouped: dict[int, list[Groups]]) -> list[NDArray[np.void]]:
        closed = []
        for family, groups in grouped.items():
            for each in groups:
                closed += self._tables[family].add(each, self._source)
        return closed

    def _mend(
        self, passed: list[Packets], grouped: dict[int, list[Groups]], now_ns: int
    ) -> list[NDArray[np.void]]:
        """Take the connections seen under two MACs out of the groups; meter them with their copies left out.

        So a router is no second client where so few packets are doubled that a sample has none of them.
        """
        seen: list[Packets] = []
        for family, groups in grouped.items():
            suspects = Suspects.among(groups, self._multipliers)
            if not suspects:
                continue
            others = [suspects.others(each) for each in groups]
            grouped[family] = [each for each in others if len(each)]
            seen += [
                suspects.packets(packets, self._networks) for packets in passed if packets.family == family
            ]
        looked_at = self._duplicates.look([each for each in seen if len(each)], now_ns) if seen else []
        return self._meter(looked_at)

    def expire(self, now_ns: int) -> NDArray[np.void]:
        """Rows of what has ended by `now_ns` without a further packet."""
        self._expired_ns = now_ns
        closed = self._meter(self._duplicates.release(now_ns))
        heard_ns = self._duplicates.passed_until(now_ns)
        return _together([*closed, *(table.expire(heard_ns) for table in self._tables.values())])

    def cut(self) -> NDArray[np.void]:
        """A row for everything open; connections go on, in a further part."""
        closed = self._meter(self._duplicates.drain())
        return _together([*closed, *(table.cut(EndReason.ACTIVE_TIMEOUT) for table in self._tables.values())])

    def finish(self) -> NDArray[np.void]:
        """A row for everything open, because recording ends."""
        closed = self._meter(self._duplicates.drain())
        return _together([*closed, *(table.cut(EndReason.FORCED_END) for table in self._tables.values())])

    def changed(self) -> NDArray[np.void]:
        """Rows, with end_reason 0, of every part that is new or has grown since the last call."""
        return _together([table.changed() for table in self._tables.values()])

    def forget_reported(self) -> None:
        """Let the next `changed` tell everything that is open: what was told was lost."""
        for table in self._tables.values():
            table.forget_reported()


def _together(rows: list[NDArray[np.void]]) -> NDArray[np.void]:
    return np.concatenate(rows) if rows else np.empty(0, TRAFFIC)
