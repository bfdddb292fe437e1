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

    A row's period must overlap [from_ns, to_ns). `client_ip`, `peer_ip` and `nat_ip` are 16 bytes,
    `client_mac` 6. `port` is that of either end, or the one after NAT: a requisition does not always say
    which it holds. `nat_port` lies in a block of ports, where a row has one. `or_unknown`: a row that does
    not say its client's address, or MAC, may be meant.
    """

    from_ns: int = 0
    to_ns: int = FOREVER_NS
    client_ip: bytes | None = None
    client_mac: bytes | None = None
    peer_ip: bytes | None = None
    port: int | None = None
    protocol: int | None = None
    nat_ip: bytes | None = None
    nat_port: int | None = None
    or_unknown: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns that decide, apart from the period."""
        asked = {
            "client_ip": self.client_ip,
            "client_mac": self.client_mac,
            "peer_ip": self.peer_ip,
            "protocol": self.protocol,
            "nat_ip": self.nat_ip,
        }
        names = [name for name, wanted in asked.items() if wanted is not None]
        if self.port is not None:
            names += ["client_port", "peer_port", "nat_port"]
        elif self.nat_port is not None:
            names.append("nat_port")
        if self.nat_port is not None:
            names += ["nat_port_last"] + (["nat_ip"] if self.nat_ip is None else [])
        return names

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
                held = index.sections[which]
                number = int.from_bytes(address, "big")
                holding = held.row_groups(fingerprint(number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF))
                if self.or_unknown and which is not Indexed.PEER_IP:
                    holding |= held.row_groups(fingerprint(0, 0))
                bits &= holding
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
                same = equal(table, name, wanted)
                if self.or_unknown and name in ("client_ip", "client_mac"):
                    same |= _unknown(table, name)
                mask &= same
        mask &= self.translates(table)
        if self.port is not None:
            ports = (equal(table, name, self.port) for name in ("client_port", "peer_port", "nat_port"))
            mask &= np.logical_or.reduce(list(ports))
        return mask

    def translates(self, table: pa.Table) -> Mask:
        """Which rows have the address and port after NAT asked for; one without a port has all of them."""
        mask = np.ones(len(table), np.bool_)
        if self.nat_ip is not None:
            mask &= equal(table, "nat_ip", self.nat_ip)
        if self.nat_port is not None:
            port = _numbers(table, "nat_port")
            last = np.maximum(_numbers(table, "nat_port_last"), port)
            mask &= (port <= self.nat_port) & (self.nat_port <= last) | (port < 0)
            mask &= ~_unknown(table, "nat_ip")
        return mask


def _unknown(table: pa.Table, name: str) -> Mask:
    """(n,) whether a column says nothing; one that is not there never does."""
    if name not in table.column_names:
        return np.ones(len(table), np.bool_)
    return np.asarray(table[name].is_null().to_numpy())


def _numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    """(n,) numbers, -1 where there is none."""
    if name not in table.column_names:
        return np.full(len(table), -1, np.int64)
    return np.asarray(pc.fill_null(table[name].cast(pa.int64()), -1).to_numpy())


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
