"""Counters since a flow began, to what was counted since it was stated last."""

from collections import Counter, OrderedDict
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from appliance.feeds.netflow.domains import Domain
from appliance.feeds.netflow.instants import starts_as_stated
from appliance.feeds.netflow.records import Columns
from appliance.feeds.told import Rows
from appliance.model.reasons import EndReason, Note

FLOWS_LIMIT = 16_384
"""Flows of one sender whose totals are remembered, while they go on or if they were stated several times:
5 MiB. A flow that is stated once, with its end, needs no memory."""

TOTALS = ("packets_total", "octets_total", "packets_back_total", "octets_back_total")

_SIDES = (("packets", "octets"), ("packets_back", "octets_back"))
_ENDS = (EndReason.IDLE_TIMEOUT, EndReason.END_OF_FLOW, EndReason.FORCED_END, EndReason.LACK_OF_RESOURCES)
_NAMES = ("src_ip_hi", "src_ip_lo", "dst_ip_hi", "dst_ip_lo", "src_port", "dst_port", "protocol")
_KEY = np.dtype(
    [("version", "u2"), ("domain", "u4"), ("start", "u8")]
    + [(name, "u8") for name in _NAMES[:4]]
    + [("src_port", "i4"), ("dst_port", "i4"), ("protocol", "u1")]
)
_MEMORY = Struct("!q4Q?")  # the latest end (ns), TOTALS, whether the flow is over

Counts = tuple[int, ...]


class Totals:
    """What the flows of one exporter came to when they were stated last.

    octetTotalCount and packetTotalCount (85, 86; RFC 7012 section 5.8) grow from report to report of a flow:
    added up they would count it many times. Reports are of one flow if its domain, its ends and its start,
    as it is stated, are the same; where no start is stated, until its end is. A total that falls although
    the report is a later one began anew, and counts whole. Beyond FLOWS_LIMIT those not stated for longest
    are forgotten: stated again they count anew, which is noted, as nobody then knows which part was counted.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def reduce(
        self, columns: Columns, of: NDArray[np.int64], domain: Domain, rows: Rows, noted: Counter[str]
    ) -> NDArray[np.bool_]:
        """(n,) rows that tell anything new. Counters of rows that state only totals become differences.

        `of` are the records that the rows are of. Records whose deltas count are remembered like others: an
        idle one, of zero deltas, may follow.
        """
        totals = np.array([columns.number(name)[of] for name in TOTALS])
        stated = np.flatnonzero(totals.any(axis=0))
        starts = starts_as_stated(columns)[of]
        news = totals.copy()
        stale = np.zeros(len(rows), np.bool_)
        over = np.isin(rows["end_reason"], _ENDS)
        for at, key, dated, last, ends, *counts in zip(
            stated.tolist(),
            _keys(domain, rows[stated], starts[stated]),
            (starts[stated] != 0).tolist(),
            rows["last"][stated].tolist(),
            over[stated].tolist(),
            *totals[:, stated].tolist(),
            strict=True,
        ):
            found = self._advance(key, last, tuple(counts), ends, dated)
            if found is not None:
                news[:, at], stale[at] = found
        while len(self._known) > FLOWS_LIMIT:
            _, memory = self._known.popitem(last=False)
            noted[Note.TOTALS_FORGOTTEN] += not _MEMORY.unpack(memory)[-1]
        _write(columns, of, rows, news)
        for side in _SIDES:
            stale &= (rows[side[0]] | rows[side[1]]) == 0
        noted[Note.FLOW_REPEATED] += int(np.count_nonzero(stale))
        return ~stale

    def _advance(
        self, key: bytes, last: int, counts: Counts, ends: bool, dated: bool
    ) -> tuple[Counts, bool] | None:
        """What was added since, and whether nothing is new; None of a flow that is not known."""
        memory = self._known.pop(key, None)
        if memory is None:
            if not ends:
                self._known[key] = _MEMORY.pack(last, *counts, ends)
            return None
        before, *were, was_over = _MEMORY.unpack(memory)
        later = last > before
        pairs = list(zip(counts, were, strict=True))
        news = tuple(now - was if now >= was else now * later for now, was in pairs)
        if dated or not ends:
            latest = counts if later else tuple(max(pair) for pair in pairs)
            self._known[key] = _MEMORY.pack(max(last, before), *latest, ends or was_over)
        return news, not any(news) and (was_over or not ends)


def _keys(domain: Domain, rows: Rows, starts: NDArray[np.uint64]) -> list[bytes]:
    keys = np.zeros(len(rows), _KEY)
    keys["version"], keys["domain"], keys["start"] = domain.version, domain.number, starts
    for name in _NAMES:
        keys[name] = rows[name]
    octets = keys.tobytes()
    return [octets[at : at + _KEY.itemsize] for at in range(0, len(octets), _KEY.itemsize)]


def _write(columns: Columns, of: NDArray[np.int64], rows: Rows, news: NDArray[np.uint64]) -> None:
    """Put differences where the totals stand: on sides whose deltas are zero, or not stated."""
    for side, place in zip(_SIDES, (0, 2), strict=True):
        if not columns.has(*TOTALS[place : place + 2]):
            continue
        idle = (columns.number(side[0])[of] | columns.number(side[1])[of]) == 0
        for name, new in zip(side, news[place : place + 2], strict=True):
            rows[name] = np.where(idle, new, rows[name])
