"""Reads who held which address out of a home: intervals, best evidence first; a year of them as a stream."""

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from appliance.model.addresses import MAC_LOCAL_BIT, mac_bytes
from appliance.model.instants import DAY_NS, day_of, start_of
from appliance.model.reasons import EVIDENCE_NAMES, Evidence
from appliance.model.schemas import BINDING_SCHEMA
from appliance.vault.columns import fixed
from appliance.vault.names import Home, VaultName
from appliance.vault.unseal.holders import Holders
from appliance.vault.unseal.intervals import GAP_NS, intervals, numbers_of, ranks
from appliance.vault.unseal.journal import Opener
from appliance.vault.unseal.parts import instants, mac_numbers
from appliance.vault.unseal.question import FOREVER_NS, Question
from appliance.vault.unseal.shelves import Shelves, Span

_HELD = ("ip", "mac", "ap_mac", "ssid", "user", "session", "from", "until", "evidence")
_BESIDE = ("class", "bytes_out", "bytes_in")
_NAT = ("nat_ip", "nat_port", "nat_port_last", "port", "peer_ip", "peer_port", "protocol")

SHOWN_SCHEMA = pa.schema(
    [
        *(BINDING_SCHEMA.field(name) for name in _HELD),
        pa.field("mac_evidence", pa.string()),
        pa.field("randomised", pa.bool_()),
        *(BINDING_SCHEMA.field(name) for name in (*_BESIDE, *_NAT, "source")),
    ]
)
"""A binding; of a translation, MAC, access point and person are those who held its inside address then."""

_NAT_NAME = EVIDENCE_NAMES[Evidence.NAT]

_FEW = 16
"""Inside addresses that are looked up one by one; for more, everything of the period is read once."""


class Holdings:
    """The intervals of one home that answer a question. Times are UTC ns."""

    def __init__(
        self, home: Home, opener: Opener, question: Question, damaged: dict[Path, str] | None = None
    ) -> None:
        """With `damaged` files that do not open are noted there and left out."""
        self._damaged = damaged
        self._home, self._opener = home, opener
        self._shelves = Shelves(home, VaultName.SOURCE, opener, question, damaged=damaged)
        self._destroyed: set[dt.date] = set()

    @property
    def destroyed(self) -> list[dt.date]:
        """The days met that were destroyed after their term."""
        return sorted(self._shelves.destroyed | self._destroyed)

    def everything(self, from_ns: int = 0, to_ns: int = FOREVER_NS) -> Iterator[pa.Table]:
        """Those of [from_ns, to_ns), in order of the day on which they ended; tables of SHOWN_SCHEMA."""
        latest_ns = min(to_ns, FOREVER_NS - DAY_NS) + DAY_NS
        for found in self._by_day(self._shelves, max(0, from_ns - DAY_NS), latest_ns):
            yield self._shown(_overlapping(found, from_ns, to_ns), 0)

    def during(self, from_ns: int, to_ns: int) -> pa.Table:
        """Those of [from_ns, to_ns), the best evidence first, then as they began; a table of SHOWN_SCHEMA.

        Each is shown as far as its own days and the two beside them tell.
        """
        found = pa.concat_tables(
            [BINDING_SCHEMA.empty_table(), *self._by_day(self._shelves, from_ns - DAY_NS, to_ns + DAY_NS)]
        )
        return self._shown(_overlapping(found, from_ns, to_ns), from_ns)

    def at(self, instant_ns: int) -> pa.Table:
        """Those that hold at an instant, as `during` gives them."""
        return self.during(instant_ns, instant_ns + 1)

    def _by_day(self, shelves: Shelves, from_ns: int, to_ns: int) -> Iterator[pa.Table]:
        """Intervals in order of the day on which they ended."""
        going_on = BINDING_SCHEMA.empty_table()
        for day, spans in groupby(shelves.spans(from_ns, to_ns), lambda span: day_of(span.from_ns)):
            found = intervals(pa.concat_tables([going_on, *_rows(shelves, spans)]))
            over = instants(found, "until") < start_of(day) + DAY_NS - GAP_NS
            going_on = found.filter(pa.array(~over))
            yield found.filter(pa.array(over))
        yield going_on

    def _shown(self, found: pa.Table, asked_ns: int) -> pa.Table:
        rank = ranks(found)
        rank[rank == Evidence.NAT] = -1  # says nothing of who it was
        ordered = found.take(np.lexsort((instants(found, "from"), -rank)))
        columns = {name: ordered[name] for name in BINDING_SCHEMA.names}
        columns["mac_evidence"] = pa.nulls(len(ordered), pa.string())
        translated = pc.equal(ordered["evidence"], _NAT_NAME)
        if pc.any(translated).as_py():
            columns |= self._behind(ordered, translated, asked_ns)
        mac = mac_numbers(_chunked(columns["mac"]))
        columns["randomised"] = pa.array((mac & np.uint64(MAC_LOCAL_BIT)) != 0)
        return pa.Table.from_arrays([columns[name] for name in SHOWN_SCHEMA.names], schema=SHOWN_SCHEMA)

    def _behind(self, ordered: pa.Table, translated: pa.ChunkedArray, asked_ns: int) -> dict[str, pa.Array]:
        """Who held the inside address of each translation, when it began or at the instant asked for."""
        rows = np.flatnonzero(translated.to_numpy())
        some = ordered.take(rows)
        when = np.maximum(instants(some, "from"), asked_ns)
        parts = [BINDING_SCHEMA.empty_table()]
        inside = pc.unique(some["ip"].drop_null()).to_pylist()
        for ip in inside if len(inside) <= _FEW else [None]:
            question = Question(client_ip=ip, or_unknown=True)
            shelves = Shelves(self._home, VaultName.SOURCE, self._opener, question, damaged=self._damaged)
            near = self._by_day(shelves, int(when.min()) - DAY_NS, int(when.max()) + DAY_NS)
            parts += [found.filter(pc.not_equal(found["evidence"], _NAT_NAME)) for found in near]
            self._destroyed |= shelves.destroyed
        holders = Holders(pa.concat_tables(parts))
        if not len(holders.table):
            return {}
        found = holders.of(numbers_of(some["ip"]), np.zeros(len(some), np.uint64), when)
        told = holders.columns(found) | {"mac": fixed(mac_bytes(found.mac), found.mac != 0)}
        place = np.full(len(ordered), -1, np.int64)
        place[rows] = np.arange(len(rows))
        which = pa.array(place, mask=place < 0)
        return {
            name: pc.coalesce(
                ordered[name] if name in ordered.column_names else pa.nulls(len(ordered), pa.string()),
                told[name].take(which),
            )
            for name in ("mac", "ap_mac", "ssid", "user", "session", "mac_evidence")
        }


def _rows(shelves: Shelves, spans: Iterable[Span]) -> Iterator[pa.Table]:
    return (table for span in spans for table in shelves.rows(span))


def _overlapping(found: pa.Table, from_ns: int, to_ns: int) -> pa.Table:
    during = (instants(found, "from") < to_ns) & (instants(found, "until") >= from_ns)
    return found.filter(pa.array(during))


def _chunked(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
