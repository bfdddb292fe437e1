"""The question a search answers: which rows are asked for. Pure: no file, no key."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.vault.fingerprints import Index, Indexed, fingerprint

Mask = NDArray[np.bool_]

FOREVER_NS = (1 << 63) - 1


@dataclass(frozen=True)
class Question:
    """What a row must be to be asked for; None asks nothing.

    A row's period must overlap [from_ns, to_ns). `client_ip` and `peer_ip` are 16 bytes, `client_mac` 6.
    `port` is that of either end, or the one after NAT: a requisition does not always say which it holds.
    """

    from_ns: int = 0
    to_ns: int = FOREVER_NS
    client_ip: bytes | None = None
    client_mac: bytes | None = None
    peer_ip: bytes | None = None
    port: int | None = None
    protocol: int | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that decide, apart from the period."""
        asked = {
            "client_ip": self.client_ip,
            "client_mac": self.client_mac,
            "peer_ip": self.peer_ip,
            "protocol": self.protocol,
        }
        names = [name for name, wanted in asked.items() if wanted is not None]
        return names + (["client_port", "peer_port", "nat_port"] if self.port is not None else [])

    def during(self, from_ns: int, to_ns: int) -> "Question":
        """The same question about another period."""
        return replace(self, from_ns=from_ns, to_ns=to_ns)

    def row_groups(self, index: Index) -> int:
        """The bits of the row groups that can hold an answer, as far as the index knows."""
        bits = (1 << index.row_groups) - 1
        if index.first_ns >= self.to_ns or index.last_ns < self.from_ns:
            return 0
        for which, address in (
            (Indexed.CLIENT_IP, self.client_ip),
            (Indexed.CLIENT_MAC, self.client_mac),
            (Indexed.PEER_IP, self.peer_ip),
        ):
            if address is not None and which in index.sections:
                number = int.from_bytes(address, "big")
                mark = fingerprint(number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF)
                bits &= index.sections[which].row_groups(mark)
        return bits

    def matches(self, table: pa.Table) -> Mask:
        """Which rows have the addresses, port and protocol asked for; a column not there is null."""
        mask = np.ones(len(table), np.bool_)
        for name, wanted in (
            ("client_ip", self.client_ip),
            ("client_mac", self.client_mac),
            ("peer_ip", self.peer_ip),
            ("protocol", self.protocol),
        ):
            if wanted is not None:
                mask &= equal(table, name, wanted)
        if self.port is not None:
            ports = (equal(table, name, self.port) for name in ("client_port", "peer_port", "nat_port"))
            mask &= np.logical_or.reduce(list(ports))
        return mask


def equal(table: pa.Table, name: str, wanted: bytes | int) -> Mask:
    """(n,) whether a column holds a value; of dictionary-encoded columns only numbers are compared."""
    if name not in table.column_names:
        return np.zeros(len(table), np.bool_)
    parts = [_equal(chunk, wanted) for chunk in table[name].chunks]
    return np.concatenate(parts) if parts else np.zeros(0, np.bool_)


def _equal(chunk: pa.Array, wanted: bytes | int) -> Mask:
    mask: Mask
    if pa.types.is_dictionary(chunk.type):
        at = pc.index(chunk.dictionary, pa.scalar(wanted, chunk.type.value_type)).as_py()
        numbers = chunk.indices if not chunk.null_count else chunk.indices.fill_null(-1)
        mask = numbers.to_numpy() == at if at >= 0 else np.zeros(len(chunk), np.bool_)
    else:
        same = pc.equal(chunk, pa.scalar(wanted, chunk.type))
        mask = same.fill_null(False).to_numpy(zero_copy_only=False)
    return mask
