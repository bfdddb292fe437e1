"""Traffic rows that do not say their address and port after NAT get them from what gateways told apart. Pure.

A translation is of a row if it names the row's client address and no other port, protocol or peer than the
row's, and holds within two seconds of the row's beginning (lines of syslog are stamped to the second). Of
several that one counts which names most, then which is nearest in time, then which began last.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from appliance.model.instants import NS
from appliance.vault.fingerprints import mixed
from appliance.vault.unseal.intervals import numbers, numbers_of
from appliance.vault.unseal.parts import I64, U64, Mask, instants

SLACK_NS = 2 * NS

_NAMES = ("port", "protocol", "peer_port")


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
        for which, held_key, row_key in self._shapes(traffic):
            nearest = np.full(len(traffic), SLACK_NS + 1)
            order = which[np.argsort(held_key, kind="stable")]
            key = np.sort(held_key)
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

    def _shapes(self, traffic: pa.Table) -> Iterator[tuple[I64, U64, U64]]:
        """Translations that name the same things, those that name most last; their keys, and the rows'."""
        held = {name: numbers(self.table, name).astype(np.uint64) for name in _NAMES}
        rows = {
            "port": numbers(traffic, "client_port").astype(np.uint64),
            "protocol": numbers(traffic, "protocol").astype(np.uint64),
            "peer_port": numbers(traffic, "peer_port").astype(np.uint64),
        }
        peer, row_peer = mixed(*numbers_of(self.table["peer_ip"])), mixed(*numbers_of(traffic["peer_ip"]))
        named: list[Mask] = [held[name] != 0 for name in _NAMES]
        named.append(self.table["peer_ip"].is_valid().to_numpy())
        shape = sum(mask.astype(np.int64) << at for at, mask in enumerate(named))
        for number in sorted(np.unique(shape).tolist(), key=int.bit_count):
            which = np.flatnonzero(shape == number)
            key, row_key = (
                mixed(*numbers_of(self.table["ip"]))[which],
                mixed(*numbers_of(traffic["client_ip"])),
            )
            columns = [(held[name], rows[name]) for name in _NAMES] + [(peer, row_peer)]
            for at, (of_held, of_row) in enumerate(columns):
                if number >> at & 1:
                    key, row_key = mixed(key, of_held[which]), mixed(row_key, of_row)
            yield which, key, row_key
