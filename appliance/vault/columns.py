"""Rows in memory to Arrow columns of the model's schema. Nothing here knows of files or keys."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.model.addresses import U64, ip_bytes, mac_bytes
from appliance.model.reasons import EVIDENCE_NAMES
from appliance.model.rows import BINDING, FED_TRAFFIC, TRAFFIC
from appliance.model.schemas import BINDING_SCHEMA, TRAFFIC_SCHEMA

I64 = NDArray[np.int64]
Rows = NDArray[np.void]

TEXTS = ("ssid", "user", "session", "class")
"""Columns of numbers into a run's texts in memory, of texts at rest."""

_NO_TEXTS = ("",)


def is_traffic(rows: Rows) -> bool:
    """Whether rows are traffic records, not bindings."""
    return rows.dtype in (TRAFFIC, FED_TRAFFIC)


def to_table(rows: Rows, sources: Sequence[str], texts: Sequence[str] = _NO_TEXTS) -> pa.Table:
    """Rows of dtype TRAFFIC, FED_TRAFFIC or BINDING as a table of the model's schema.

    `sources` are the names that the rows' `source` counts into, `texts` those that the columns TEXTS count
    into. Raises ValueError on another dtype.
    """
    if is_traffic(rows):
        return _traffic(rows, sources)
    if rows.dtype == BINDING:
        return _bindings(rows, sources, texts)
    raise ValueError(f"rows of dtype {rows.dtype} are not kept in any vault")


def _traffic(rows: Rows, sources: Sequence[str]) -> pa.Table:
    return pa.Table.from_arrays(
        [
            instants(rows["first_seen"]),
            instants(rows["last_seen"]),
            _macs(rows["client_mac"]),
            fixed(ip_bytes(rows["client_ip_hi"], rows["client_ip_lo"])),
            _numbers(rows["client_port"], pa.uint16()),
            _macs(rows["peer_mac"]),
            fixed(ip_bytes(rows["peer_ip_hi"], rows["peer_ip_lo"])),
            _numbers(rows["peer_port"], pa.uint16()),
            column(rows["protocol"], pa.uint8()),
            _numbers(rows["vlan"], pa.uint16()),
            _macs(rows["ap_mac"]),
            _flags(rows["behind_router"]),
            column(rows["packets_out"], pa.uint64()),
            column(rows["bytes_out"], pa.uint64()),
            column(rows["packets_in"], pa.uint64()),
            column(rows["bytes_in"], pa.uint64()),
            *_fed(rows)[:2],
            column(rows["end_reason"], pa.uint8()),
            *_fed(rows)[2:],
            _named(rows["source"], sources),
        ],
        schema=TRAFFIC_SCHEMA,
    )


def _fed(rows: Rows) -> list[pa.Array]:
    """What only feeds say: address and port after NAT, when it was received, whether that is its clock."""
    if rows.dtype == TRAFFIC:
        kinds = ("nat_ip", "nat_port", "received")
        nothing = [pa.nulls(len(rows), TRAFFIC_SCHEMA.field(name).type) for name in kinds]
        return [*nothing, pa.repeat(pa.scalar(False), len(rows))]
    return [
        _known_addresses(rows, "nat_ip"),
        _positive(rows["nat_port"], pa.uint16()),
        column(rows["received"], pa.timestamp("ns", "UTC"), rows["received"] != 0),
        _flags(rows["by_receipt"]),
    ]


def _bindings(rows: Rows, sources: Sequence[str], texts: Sequence[str]) -> pa.Table:
    kinds, which = np.unique(rows["evidence"], return_inverse=True)
    counted = (rows["bytes_out"] != 0) | (rows["bytes_in"] != 0)
    return pa.Table.from_arrays(
        [
            _known_addresses(rows, "ip"),
            _macs(rows["mac"]),
            _macs(rows["ap_mac"]),
            *(_texts(rows[name], texts) for name in TEXTS),
            instants(rows["from"]),
            instants(rows["until"]),
            _named(which, [EVIDENCE_NAMES[kind] for kind in kinds]),
            column(rows["bytes_out"], pa.uint64(), counted),
            column(rows["bytes_in"], pa.uint64(), counted),
            _known_addresses(rows, "nat_ip"),
            _positive(rows["nat_port"], pa.uint16()),
            _positive(rows["nat_port_last"], pa.uint16()),
            _positive(rows["port"], pa.uint16()),
            _known_addresses(rows, "peer_ip"),
            _positive(rows["peer_port"], pa.uint16()),
            _positive(rows["protocol"], pa.uint8()),
            _numbers(rows["vlan"], pa.uint16()),
            column(rows["end_reason"], pa.uint8()),
            _named(rows["source"], sources),
        ],
        schema=BINDING_SCHEMA,
    )


def column(
    values: NDArray[np.generic], kind: pa.DataType, known: NDArray[np.bool_] | None = None
) -> pa.Array:
    """(n,) values of the width of `kind` as an Arrow array, null where not `known`.

    Made of its buffers: `pa.array` would import numpy's masked arrays, 13 ms at every start.
    """
    bitmap = None
    if known is not None and not known.all():
        bitmap = pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bitmap, pa.py_buffer(np.ascontiguousarray(values))])


def fixed(values: NDArray[np.void], known: NDArray[np.bool_] | None = None) -> pa.Array:
    """(n,) values of one width as fixed-size binary, null where not `known`."""
    return column(values, pa.binary(values.dtype.itemsize), known)


def widened(values: pa.Array) -> pa.Array:
    """Fixed-size binary as binary of any size; null stays null. A cast would need `pyarrow.compute`."""
    width = values.type.byte_width
    known, content = values.buffers()
    ends = np.arange(len(values) + 1, dtype=np.int32) * np.int32(width)
    return pa.Array.from_buffers(pa.binary(), len(values), [known, pa.py_buffer(ends), content])


def instants(ns: I64) -> pa.Array:
    """(n,) UTC nanoseconds as timestamps."""
    return column(ns, pa.timestamp("ns", "UTC"))


def _known_addresses(rows: Rows, name: str) -> pa.Array:
    """(n,) addresses, null where all zero."""
    hi, lo = rows[f"{name}_hi"], rows[f"{name}_lo"]
    known = (hi != 0) | (lo != 0)
    if not known.any():
        return pa.nulls(len(rows), pa.binary(16))
    return fixed(ip_bytes(hi, lo), known)


def _macs(macs: U64) -> pa.Array:
    return fixed(mac_bytes(macs), macs != 0)


def _numbers(values: NDArray[np.signedinteger], kind: pa.DataType) -> pa.Array:
    return column(values.astype(kind.to_pandas_dtype()), kind, values >= 0)


def _positive(values: NDArray[np.unsignedinteger], kind: pa.DataType) -> pa.Array:
    """(n,) numbers, null where 0."""
    return column(values, kind, values != 0) if values.any() else pa.nulls(len(values), kind)


def _flags(values: NDArray[np.bool_]) -> pa.Array:
    bits = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, bits])


def _named(which: NDArray[np.integer], names: Sequence[str | None]) -> pa.Array:
    """(n,) names by number. Without `pyarrow.compute`, whose import takes 50 ms: `take` would need it."""
    if len(which) and (which == which[0]).all():
        return pa.repeat(pa.scalar(names[which[0]], pa.string()), len(which))
    return pa.array(np.array(names, object)[which], pa.string())


def _texts(numbers: NDArray[np.uint32], texts: Sequence[str]) -> pa.Array:
    """(n,) texts by number, null where 0."""
    if not numbers.any():
        return pa.nulls(len(numbers), pa.string())
    used, which = np.unique(numbers, return_inverse=True)
    return _named(which, [texts[number] if number else None for number in used.tolist()])
