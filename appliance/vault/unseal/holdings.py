"""Reads who held which address out of a home: a stream of intervals, day after day."""

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import pyarrow as pa

from appliance.model.addresses import MAC_LOCAL_BIT
from appliance.model.instants import DAY_NS, day_of, start_of
from appliance.model.schemas import BINDING_SCHEMA
from appliance.vault.names import Home, VaultName
from appliance.vault.unseal.holders import GAP_NS, intervals
from appliance.vault.unseal.journal import Opener
from appliance.vault.unseal.parts import instants, mac_numbers
from appliance.vault.unseal.question import FOREVER_NS, Question
from appliance.vault.unseal.shelves import Shelves, Span

_SHOWN = ("ip", "mac", "ap_mac", "ssid", "user", "from", "until", "evidence")

SHOWN_SCHEMA = pa.schema(
    [BINDING_SCHEMA.field(name) for name in _SHOWN]
    + [pa.field("randomised", pa.bool_()), BINDING_SCHEMA.field("source")]
)


class Holdings:
    """The intervals of one home in which an address or a MAC (those of `question`) was held."""

    def __init__(self, home: Home, opener: Opener, question: Question) -> None:
        self._shelves = Shelves(home, VaultName.SOURCE, opener, question)

    @property
    def destroyed(self) -> list[dt.date]:
        """The days met that were destroyed after their term."""
        return sorted(self._shelves.destroyed)

    def everything(self) -> Iterator[pa.Table]:
        """All of them, in order of the day on which they ended; tables of SHOWN_SCHEMA."""
        going_on = BINDING_SCHEMA.empty_table()
        for day, spans in groupby(self._shelves.spans(0, FOREVER_NS), lambda span: day_of(span.from_ns)):
            found = intervals(pa.concat_tables([going_on, *self._rows(spans)]))
            over = instants(found, "until") < start_of(day) + DAY_NS - GAP_NS
            going_on = found.filter(pa.array(~over))
            yield _shown(found.filter(pa.array(over)))
        yield _shown(going_on)

    def at(self, instant_ns: int) -> Iterator[pa.Table]:
        """Those that hold at an instant, as far as its day and the two beside it show."""
        day_ns = start_of(day_of(instant_ns))
        spans = self._shelves.spans(day_ns - DAY_NS, day_ns + 2 * DAY_NS)
        found = intervals(pa.concat_tables([BINDING_SCHEMA.empty_table(), *self._rows(spans)]))
        during = (instants(found, "from") <= instant_ns) & (instants(found, "until") >= instant_ns)
        yield _shown(found.filter(pa.array(during)))

    def _rows(self, spans: Iterable[Span]) -> Iterator[pa.Table]:
        return (table for span in spans for table in self._shelves.rows(span))


def _shown(found: pa.Table) -> pa.Table:
    ordered = found.sort_by("from")
    randomised = pa.array((mac_numbers(ordered["mac"]) & np.uint64(MAC_LOCAL_BIT)) != 0)
    columns = [ordered[name] for name in _SHOWN]
    return pa.Table.from_arrays([*columns, randomised, ordered["source"]], schema=SHOWN_SCHEMA)
