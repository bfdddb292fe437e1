"""The flow table of one address family: arrays, one slot a connection, found by a sorted index.

Returns parts of connections as TRAFFIC rows when they end: by silence, at the active timeout, at the
hour, when TCP says so, or when the table is full. A part never crosses a UTC hour.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.flows.flags import TOLD, joined, joined_runs, of_the_first, said_goodbye
from appliance.flows.groups import Groups
from appliance.flows.orient import KEY_WORDS, is_undecided
from appliance.flows.rows import COUNTERS, rows_of
from appliance.model.instants import HOUR_NS, NS
from appliance.model.reasons import EndReason

LINGER_NS = 5 * NS
"""A connection that said goodbye is kept this long for its last acknowledgements."""

_OF_GROUPS = ("first", "last", "flags", "first_mac", "other_mac", "vlan", "ap_mac", *COUNTERS)
_SMALLEST = 1 << 12
_EVICTED_SHARE = 16


@dataclass(frozen=True)
class Limits:
    """Timeouts in nanoseconds and the most connections kept open at once, per family."""

    idle_ns: int
    active_ns: int
    flows: int


class FlowTable:
    """Open connections of one family. Time is given with each call; nothing is read from a clock."""

    def __init__(self, family: int, limits: Limits) -> None:
        self.evicted = 0
        self._family = family
        self._limits = limits
        self._hash = np.empty(0, np.uint64)  # sorted
        self._slot = np.empty(0, np.int64)  # beside it
        self._free = np.empty(0, np.int64)
        self._key = [np.empty(0, np.uint64) for _ in range(KEY_WORDS[family])]
        self._columns: dict[str, NDArray[Any]] = {
            "first": np.empty(0, np.int64),
            "last": np.empty(0, np.int64),
            "first_mac": np.empty(0, np.uint64),
            "other_mac": np.empty(0, np.uint64),
            "vlan": np.empty(0, np.int16),
            "ap_mac": np.empty(0, np.uint64),
            "source": np.empty(0, np.uint16),
            "flags": np.empty(0, np.uint8),
            "swapped": np.empty(0, np.bool_),
            "changed": np.empty(0, np.bool_),
            "continued": np.empty(0, np.bool_),  # a part of this connection was written before
        }
        self._columns.update({name: np.empty(0, np.int64) for name in COUNTERS})
        self._grow(_SMALLEST)

    def __len__(self) -> int:
        return len(self._slot)

    def add(self, groups: Groups, source: int) -> list[NDArray[np.void]]:
        """Merge the groups of one batch; returns the rows this closes."""
        closed = []
        opens = ~groups.follows
        continued = np.append(groups.follows[1:], False)
        slots = self._find(groups)
        # Runs in the middle of one connection are whole parts already; so is the first one once it is
        # merged with what the table knew; the last one stays open.
        slots = self._inherit(slots, opens)
        known = np.flatnonzero(opens & (slots >= 0))
        closed.append(self._end_interrupted(groups, known, slots))
        self._merge(groups, known, slots[known], source)
        fresh = np.flatnonzero(opens & (slots < 0))
        slots[fresh] = self._insert(groups, fresh, source)
        slots = self._inherit(slots, opens)
        if groups.follows.any():
            closed.append(self._roll_on(groups, slots, continued, source))
        if len(self) > self._limits.flows:
            closed.append(self._evict())
        return [rows for rows in closed if len(rows)]

    def expire(self, now_ns: int) -> NDArray[np.void]:
        """End what has been silent or is over at `now_ns`."""
        slots = self._slot
        last, said = self._columns["last"][slots], said_goodbye(self._columns["flags"][slots])
        idle = np.abs(now_ns - last) > self._limits.idle_ns
        over = said & (now_ns - last > LINGER_NS)
        leaving = np.flatnonzero(idle | over)
        reason = np.where(said[leaving], EndReason.END_OF_FLOW, EndReason.IDLE_TIMEOUT)
        ended = self._rows(slots[leaving], reason)
        self._remove(leaving)
        return _that_hold(ended)

    def cut(self, reason: EndReason) -> NDArray[np.void]:
        """A row for every connection that has something to say; all of them go on from zero."""
        slots = self._slot[np.flatnonzero(self._holds(self._slot))]
        said = said_goodbye(self._columns["flags"][slots]) & (reason == EndReason.FORCED_END)
        rows = self._rows(slots, np.where(said, EndReason.END_OF_FLOW, reason))
        self._empty(slots)
        return rows

    def changed(self) -> NDArray[np.void]:
        """Rows, with end_reason 0, of what is new or has grown since the last call."""
        slots = self._slot[np.flatnonzero(self._columns["changed"][self._slot])]
        self._columns["changed"][slots] = False
        self._columns["flags"][slots] |= TOLD
        rows = self._rows(slots, 0)
        return _that_hold(rows)

    def forget_reported(self) -> None:
        """Let the next `changed` tell everything that is open, as if nothing had been told before."""
        self._columns["changed"][self._slot] = True

    # -- finding and making room

    def _find(self, groups: Groups) -> NDArray[np.int64]:
        """(g,) slot of each group's connection, -1 where the table does not know it."""
        slots = np.full(len(groups), -1, np.int64)
        if not len(self._hash):
            return slots
        pending = np.arange(len(groups))
        place = np.searchsorted(self._hash, groups.hash)
        while len(pending):
            inside = place < len(self._hash)
            pending, place = pending[inside], place[inside]
            alike = self._hash[place] == groups.hash[pending]
            pending, place = pending[alike], place[alike]
            slot = self._slot[place]
            same = np.ones(len(slot), np.bool_)
            for mine, theirs in zip(self._key, groups.key, strict=True):
                same &= mine[slot] == theirs[pending]
            slots[pending[same]] = slot[same]
            pending, place = pending[~same], place[~same] + 1
        return slots

    def _inherit(self, slots: NDArray[np.int64], opens: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Give every further run of a connection the slot of its first one."""
        if opens.all():
            return slots
        return np.asarray(slots[np.flatnonzero(opens)[np.cumsum(opens) - 1]])

    def _insert(self, groups: Groups, fresh: NDArray[np.int64], source: int) -> NDArray[np.int64]:
        if len(fresh) > len(self._free):
            self._grow(len(self._key[0]) + len(fresh) - len(self._free))
        slots, self._free = self._free[: len(fresh)], self._free[len(fresh) :]
        for mine, theirs in zip(self._key, groups.key, strict=True):
            mine[slots] = theirs[fresh]
        self._begin(groups, fresh, slots, source)
        self._name_initiator(groups, fresh, slots)
        place = np.searchsorted(self._hash, groups.hash[fresh])
        self._hash = np.insert(self._hash, place, groups.hash[fresh])
        self._slot = np.insert(self._slot, place, slots)
        return slots

    def _grow(self, wanted: int) -> None:
        old = len(self._key[0])
        size = max(_SMALLEST, old)
        while size < wanted:
            size += size // 2
        more = size - old
        self._key = [np.concatenate([column, np.zeros(more, column.dtype)]) for column in self._key]
        for name, column in self._columns.items():
            self._columns[name] = np.concatenate([column, np.zeros(more, column.dtype)])
        self._free = np.concatenate([self._free, np.arange(old, size)])

    def _evict(self) -> NDArray[np.void]:
        """The longest silent ones give way, one sixteenth of the table at a time."""
        count = min(len(self) - self._limits.flows + self._limits.flows // _EVICTED_SHARE, len(self))
        oldest = np.sort(np.argpartition(self._columns["last"][self._slot], count - 1)[:count])
        rows = self._rows(self._slot[oldest], EndReason.LACK_OF_RESOURCES)
        self._remove(oldest)
        self.evicted += count
        return _that_hold(rows)

    def _remove(self, places: NDArray[np.int64]) -> None:
        """Forget the connections at these places of the index."""
        if not len(places):
            return
        kept = np.ones(len(self._slot), np.bool_)
        kept[places] = False
        freed = self._slot[places]
        self._columns["changed"][freed] = False
        self._free = np.concatenate([freed, self._free])
        self._hash, self._slot = self._hash[kept], self._slot[kept]

    # -- counting

    def _holds(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        counted = self._columns["packets_out"][slots] + self._columns["packets_in"][slots]
        return np.asarray(counted > 0)

    def _begin(self, groups: Groups, rows: NDArray[np.int64], slots: NDArray[np.int64], source: int) -> None:
        """Start a connection at these slots with what the groups say."""
        self._columns["source"][slots] = source
        for name in _OF_GROUPS:
            self._columns[name][slots] = getattr(groups, name)[rows]
        self._columns["changed"][slots] = True
        self._columns["continued"][slots] = False

    def _name_initiator(self, groups: Groups, rows: NDArray[np.int64], slots: NDArray[np.int64]) -> None:
        """Where both sides are the site's, or neither is, the sender of the earliest packet is the client."""
        undecided = is_undecided(groups.key[-3][rows])
        self._columns["swapped"][slots] = undecided & groups.initiator_inward[rows]

    def _name_devices(self, groups: Groups, rows: NDArray[np.int64], slots: NDArray[np.int64]) -> None:
        """MACs that are not in the key and not known yet, of sides that may be the client, unless told."""
        columns = self._columns
        untold = ~columns["continued"][slots] & ((columns["flags"][slots] & TOLD) == 0)
        for name, may in (("first_mac", untold), ("other_mac", untold & is_undecided(groups.key[-3][rows]))):
            unnamed = may & (columns[name][slots] == 0)
            columns[name][slots[unnamed]] = getattr(groups, name)[rows[unnamed]]

    def _empty(self, slots: NDArray[np.int64]) -> None:
        for name in COUNTERS:
            self._columns[name][slots] = 0
        self._columns["changed"][slots] = False
        self._columns["continued"][slots] = True

    def _end_interrupted(
        self, groups: Groups, known: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> NDArray[np.void]:
        """Rows of parts that cannot take the group in: another connection begins, or the part is long."""
        found, columns = slots[known], self._columns
        first, begins = columns["first"][found], groups.first[known]
        pause = np.abs(begins - columns["last"][found])
        said = said_goodbye(columns["flags"][found])
        anew = (pause > self._limits.idle_ns) | said & (pause > LINGER_NS)
        cut = (begins - first >= self._limits.active_ns) | (begins // HOUR_NS != first // HOUR_NS)
        ended = (anew | cut) & self._holds(found)
        rows = self._rows(found[ended], _reason(anew, said)[ended])
        self._empty(found[ended])
        self._begin_anew(groups, known[anew], found[anew])
        return rows

    def _begin_anew(self, groups: Groups, rows: NDArray[np.int64], slots: NDArray[np.int64]) -> None:
        """Let these slots hold another connection between the same ends; its first packets decide anew."""
        self._columns["flags"][slots] = of_the_first(groups.flags[rows])
        self._columns["first_mac"][slots] = groups.first_mac[rows]
        self._columns["other_mac"][slots] = groups.other_mac[rows]
        self._columns["vlan"][slots] = groups.vlan[rows]
        self._columns["ap_mac"][slots] = groups.ap_mac[rows]
        self._columns["continued"][slots] = False
        self._name_initiator(groups, rows, slots)

    def _merge(self, groups: Groups, known: NDArray[np.int64], slots: NDArray[np.int64], source: int) -> None:
        columns = self._columns
        empty = ~self._holds(slots)
        columns["source"][slots[empty]] = source
        first, last = groups.first[known], groups.last[known]
        sooner = ~empty & (first < columns["first"][slots]) & ~columns["continued"][slots]
        self._name_initiator(groups, known[sooner], slots[sooner])
        columns["first"][slots] = np.where(empty, first, np.minimum(columns["first"][slots], first))
        columns["last"][slots] = np.where(empty, last, np.maximum(columns["last"][slots], last))
        self._name_devices(groups, known, slots)
        columns["flags"][slots] = joined(columns["flags"][slots], groups.flags[known])
        # A client may roam: each part says the AP of its first packet that names one.
        named = (empty | (columns["ap_mac"][slots] == 0)) & (groups.ap_mac[known] != 0)
        columns["ap_mac"][slots[named]] = groups.ap_mac[known[named]]
        for name in COUNTERS:
            columns[name][slots] += getattr(groups, name)[known]
        columns["changed"][slots] = True

    def _roll_on(
        self, groups: Groups, slots: NDArray[np.int64], continued: NDArray[np.bool_], source: int
    ) -> NDArray[np.void]:
        """Close every run that is followed by another one of its connection; open the last one."""
        runs = np.flatnonzero(continued | groups.follows)
        at, head, columns = slots[runs], ~groups.follows[runs], self._columns
        state = {name: np.where(head, columns[name][at], getattr(groups, name)[runs]) for name in _OF_GROUPS}
        state["source"] = np.where(head, columns["source"][at], np.uint16(source))
        initiated = is_undecided(groups.key[-3][runs]) & groups.initiator_inward[runs]
        state["swapped"] = np.where(head, columns["swapped"][at], initiated)
        silent = np.zeros(len(runs), np.bool_)
        silent[1:] = ~head[1:] & (np.abs(state["first"][1:] - state["last"][:-1]) > self._limits.idle_ns)
        begins = np.flatnonzero(head | silent)  # after a silence it is another connection
        which = np.cumsum(head | silent) - 1
        state["flags"] = joined_runs(state["flags"], begins)[which]
        for name in ("first_mac", "other_mac", "vlan", "swapped"):
            state[name] = state[name][begins][which]
        state["continued"] = ~silent
        tails = np.flatnonzero(~continued[runs])
        for name, column in state.items():
            columns[name][at[tails]] = column[tails]
        columns["changed"][at[tails]] = True
        closed = np.flatnonzero(continued[runs])
        reason = _reason(np.append(silent[1:], False), said_goodbye(state["flags"]))
        key = [column[at[closed]] for column in self._key]
        return rows_of(self._family, key, {n: c[closed] for n, c in state.items()}, reason[closed])

    def _rows(self, slots: NDArray[np.int64], reason: NDArray[Any] | int) -> NDArray[np.void]:
        key = [column[slots] for column in self._key]
        state = {name: column[slots] for name, column in self._columns.items()}
        return rows_of(self._family, key, state, reason)


def _reason(anew: NDArray[np.bool_], said: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Why a part ended: another connection begins after it, or it goes on."""
    over = np.where(said, EndReason.END_OF_FLOW, EndReason.IDLE_TIMEOUT)
    return np.where(anew, over, EndReason.ACTIVE_TIMEOUT)


def _that_hold(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Rows that count a packet: the rest are connections between two parts."""
    return np.asarray(rows[rows["packets_out"] + rows["packets_in"] > 0])
