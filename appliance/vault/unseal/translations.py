"""Traffic rows that do not say their address and port after NAT get them from what gateways told apart. Pure.

A translation is of a row if it names the row's client address and no other port, protocol or peer than the
row's, and holds within two seconds of the row's beginning (lines of syslog are stamped to the second). Of
several that one counts which names most, then which is nearest in time, then which began last.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from appliance.model.instants import NS
from appliance.vault.fingerprints import mixed
from appliance.vault.unseal.intervals import numbers, numbers_of
from appliance.vault.unseal.parts import I64, U64, Mask, instants

SLACK_NS = 2 * NS

_NAMES = ("port", "protocol", "peer_port")
_OF_TRAFFIC = ("client_port", "protocol", "peer_port")


@dataclass(frozen=True)
class Translated:
    """Intervals of evidence `nat`."""

    table: pa.Table

    def join(self, traffic: pa.Table) -> dict[str, pa.Array]:
        """The columns `nat_ip`, `nat_port` and `nat_port_last` of rows of TRAFFIC_SCHEMA."""
        said = {"nat_ip": traffic["nat_ip"], "nat_port": traffic["nat_port"]}
        unknown = np.flatnonzero(traffic["nat_ip"].is_null().to_numpy())
        if not len(self.table) or not len(unknown):
            return said | {"nat_port_last": pa.nulls(len(traffic), pa.uint16())}
        found = np.full(len(traffic), -1, np.int64)
        found[unknown] = self._found(traffic if len(unknown) == len(traffic) else traffic.take(unknown))
        which = pa.array(found, mask=found < 0)
        port, last = self.table["nat_port"].take(which), self.table["nat_port_last"].take(which)
        block = pc.fill_null(pc.greater(last, port), False)
        return {
            "nat_ip": pc.coalesce(said["nat_ip"], self.table["nat_ip"].take(which)),
            "nat_port": pc.coalesce(said["nat_port"], port),
            "nat_port_last": pc.if_else(block, last, pa.scalar(None, pa.uint16())),
        }

    def _found(self, traffic: pa.Table) -> I64:
        """(n,) the number of each row's translation, or -1."""
        begin, until = instants(self.table, "from"), instants(self.table, "until")
        first = instants(traffic, "first_seen")
        best = np.full(len(traffic), -1, np.int64)
        peer = mixed(*numbers_of(traffic["peer_ip"]))
        rows = (*(numbers(traffic, name).astype(np.uint64) for name in _OF_TRAFFIC), peer)
        inside = mixed(*numbers_of(traffic["client_ip"]))
        named, nearest = 0, np.full(len(traffic), SLACK_NS + 1)
        for number, order, key in self._shapes:
            if number.bit_count() > named:
                named = number.bit_count()
                nearest[:] = SLACK_NS + 1
            row_key = _key(number, inside, rows)
            start = np.searchsorted(key, row_key, "left")
            count = np.searchsorted(key, row_key, "right") - start
            for turn in range(int(count.max(initial=0))):
                row = np.flatnonzero(count > turn)
                held = order[start[row] + turn]
                away = np.maximum(np.maximum(begin[held] - first[row], first[row] - until[held]), 0)
                later = (away == nearest[row]) & (begin[held] > begin[best[row]])
                wins = (away < nearest[row]) | (later & (away <= SLACK_NS))
                best[row[wins]], nearest[row[wins]] = held[wins], away[wins]
        return best

    @cached_property
    def _shapes(self) -> list[tuple[int, I64, U64]]:
        """Translations that name the same things (a bit each), in order of their keys, and these.

        Those that name most come last.
        """
        named: list[Mask] = [self.table[name].is_valid().to_numpy() for name in (*_NAMES, "peer_ip")]
        shape = sum(mask.astype(np.int64) << at for at, mask in enumerate(named))
        said = [numbers(self.table, name).astype(np.uint64) for name in _NAMES]
        columns = (*said, mixed(*numbers_of(self.table["peer_ip"])))
        inside = mixed(*numbers_of(self.table["ip"]))
        found = []
        for number in sorted(np.unique(shape).tolist(), key=int.bit_count):
            which = np.flatnonzero(shape == number)
            key = _key(number, inside[which], tuple(column[which] for column in columns))
            order = np.argsort(key, kind="stable")
            found.append((number, which[order], key[order]))
        return found


def _key(shape: int, inside: U64, columns: tuple[U64, ...]) -> U64:
    """(n,) what must be equal where these things are named."""
    key = inside
    for at, column in enumerate(columns):
        if shape >> at & 1:
            key = mixed(key, column)
    return key
