"""Segments: the records of one vault for about one hour, as one encrypted Parquet file and its index.

Whoever holds the day key reads the file with PyArrow alone. It differs from the model's schema in four
ways, all to be small: a duration stands for the last instant, a column that is null or false in every row
is left out, counters are 32 bits wide where all fit, and a segment of many rows keeps milliseconds.
FORMAT.md specifies both files, the decisions say what was measured.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from appliance.model.addresses import mac_bytes
from appliance.model.instants import MS
from appliance.runtime.files import write_many
from appliance.vault import grid
from appliance.vault.columns import TEXTS, Rows, column, is_traffic, to_table, widened
from appliance.vault.day_keys import DayKey
from appliance.vault.fingerprints import Index, Indexed, Section, fingerprints, seal, section

FINE_ROWS = 16_384
"""Segments of fewer rows keep nanoseconds: five bytes a record, which only a busy day cannot afford."""

CONSTANTS = b"greffier.constant"
"""Key of the footer's metadata under which columns of one value are listed, for readers to skip them."""

_COUNTERS = ("packets_out", "bytes_out", "packets_in", "bytes_in")
_BYTE_PLANES = ("duration_ns", "duration_ms", "client_port", *_COUNTERS)
_INCOMPRESSIBLE = ("first_seen", "protocol", "source")  # what zstd gains on these is not worth its call
_ADDRESSES = ("client_mac", "client_ip", "peer_mac", "peer_ip", "ip", "mac", "ap_mac", "nat_ip")
_DICTIONARIES = (*_ADDRESSES, *TEXTS, "peer_port", "protocol", "vlan", "end_reason", "source", "evidence")
_INSTANTS = ("first_seen", "received", "from", "until")
_OFTEN_UNSAID = {
    True: ("ap_mac", "behind_router", "nat_ip", "nat_port", "received", "by_receipt"),
    False: (
        *("ip", "mac", "ap_mac", *TEXTS, "bytes_out", "bytes_in"),
        *("nat_ip", "nat_port", "nat_port_last", "port", "peer_ip", "peer_port", "protocol"),
    ),
}
"""Columns of traffic, and of bindings, that are left out where no row says them."""

_SAID_BY = dict.fromkeys(("bytes_out", "bytes_in"), ("bytes_out", "bytes_in"))
"""A session that was counted may have carried nothing in one direction."""


@dataclass(frozen=True)
class WrittenSegment:
    """A segment as it lies on disk. Instants are those of its rows as kept, both inclusive."""

    name: str
    rows: int
    first_ns: int
    last_ns: int
    files: tuple[tuple[str, str, int], ...]
    """(file name, SHA-256 in hex, size in bytes) of the index and of the Parquet file."""


def associated(key: DayKey, name: str) -> bytes:
    """What is authenticated with a segment's files, so that one put in another's place does not open."""
    return f"{key.vault}/{key.day.isoformat()}/{name}".encode()


def write(
    folder: Path, name: str, rows: Rows, sources: Sequence[str], key: DayKey, texts: Sequence[str] = ("",)
) -> WrittenSegment:
    """Write rows as NAME.parquet and NAME.index (see `compose`).

    Raises StorageError when the disk refuses; then neither file is there.
    """
    segment, contents = compose(name, rows, sources, key, texts)
    write_many([(folder / file_name, content) for file_name, content in contents])
    return segment


def compose(
    name: str, rows: Rows, sources: Sequence[str], key: DayKey, texts: Sequence[str] = ("",)
) -> tuple[WrittenSegment, list[tuple[str, bytes]]]:
    """What to write for rows (as of `to_table`, at least one, any order): (file name, content) each.

    `rows` is left as it is; only a row group at a time is copied.
    """
    step_ns = MS if is_traffic(rows) and len(rows) >= FINE_ROWS else 1
    tables = _tables(rows, cells := grid.cells(rows), (sources, texts), step_ns)
    constants = json.dumps(_constants(rows, sources))
    index = Index(len(cells), len(rows), *_period(rows, step_ns), _sections(rows, cells))
    contents = [
        (f"{name}.index", seal(index, key.secret, associated(key, f"{name}.index"))),
        (f"{name}.parquet", _parquet(tables, constants, key.secret, associated(key, name))),
    ]
    files = tuple((file, hashlib.sha256(held).hexdigest(), len(held)) for file, held in contents)
    return WrittenSegment(name, len(rows), index.first_ns, index.last_ns, files), contents


def _period(rows: Rows, step_ns: int) -> tuple[int, int]:
    first, last = ("first_seen", "last_seen") if is_traffic(rows) else ("from", "until")
    return int(rows[first].min()) // step_ns * step_ns, -(-int(rows[last].max()) // step_ns) * step_ns


def _sections(rows: Rows, cells: Sequence[grid.Order]) -> dict[Indexed, Section]:
    traffic = is_traffic(rows)
    group = np.empty(len(rows), np.uint8)
    for number, cell in enumerate(cells):
        group[cell] = number
    prefix = "client_" if traffic else ""
    macs = rows[f"{prefix}mac"]
    marks = {
        Indexed.CLIENT_IP: fingerprints(rows[f"{prefix}ip_hi"], rows[f"{prefix}ip_lo"]),
        Indexed.CLIENT_MAC: fingerprints(np.zeros_like(macs), macs),
    }
    if traffic:
        marks[Indexed.PEER_IP] = fingerprints(rows["peer_ip_hi"], rows["peer_ip_lo"])
    return {which: section(mark, group, len(cells)) for which, mark in marks.items()}


def _parquet(tables: Iterator[pa.Table], constants: str, secret: bytes, aad: bytes) -> bytes:
    table = next(tables)
    names = table.column_names
    encodings = {name: "BYTE_STREAM_SPLIT" for name in _BYTE_PLANES if name in names}
    encodings |= {name: "DELTA_BINARY_PACKED" for name in _INSTANTS if name in names}
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression={name: "NONE" if name in _INCOMPRESSIBLE else "ZSTD" for name in names},
        compression_level={name: 1 for name in names if name not in _INCOMPRESSIBLE},
        use_dictionary=[name for name in _DICTIONARIES if name in names],
        column_encoding=encodings,
        write_statistics=False,
        store_schema=False,
        data_page_size=1 << 24,  # one page a column: every page costs a nonce, a tag and a call
        encryption_properties=pe.create_encryption_properties(secret, aad_prefix=aad, store_aad_prefix=False),
    ) as writer:
        writer.add_key_value_metadata({CONSTANTS: constants})
        writer.write_table(table, len(table))
        for table in tables:
            writer.write_table(table, len(table))
    return bytes(sink.getvalue())


def _constants(rows: Rows, sources: Sequence[str]) -> dict[str, str]:
    """The columns of one value that a reader need not open: the source, the gateway's MAC, an only AP's."""
    found = {}
    if (rows["source"] == rows["source"][0]).all():
        found["source"] = sources[rows["source"][0]]
    for name in ("peer_mac", "ap_mac") if is_traffic(rows) else ():
        if rows[name][0] and (rows[name] == rows[name][0]).all():
            found[name] = mac_bytes(rows[name][:1]).tobytes().hex()
    return found


def _never_said(rows: Rows) -> list[str]:
    """The columns in which every value is null, or false."""
    held = rows.dtype.names or ()
    never = [] if (rows["vlan"] >= 0).any() else ["vlan"]
    for name in _OFTEN_UNSAID[is_traffic(rows)]:
        parts = [part for part in _SAID_BY.get(name, (name, f"{name}_hi", f"{name}_lo")) if part in held]
        if not any(rows[part].any() for part in parts):
            never.append(name)
    return never


def _tables(
    rows: Rows, cells: Sequence[grid.Order], names: tuple[Sequence[str], Sequence[str]], step_ns: int
) -> Iterator[pa.Table]:
    never = _never_said(rows)
    wide = is_traffic(rows) and any((rows[name] >> np.uint64(32)).any() for name in _COUNTERS)
    whole = rows.view(f"V{rows.dtype.itemsize}")  # gathers 3.5 times faster than rows with fields
    for cell in cells:
        some = whole[cell].view(rows.dtype)
        table = to_table(some, *names).drop_columns(never)
        if is_traffic(rows):
            table = _compact(table, some, step_ns, wide)
        for name in _ADDRESSES:
            if name in table.column_names:
                # As variable-length binary, which PyArrow can read as numbers into the dictionary.
                table = _with(table, name, name, widened(table[name].chunk(0)))
        yield table


def _compact(table: pa.Table, rows: Rows, step_ns: int, wide: bool) -> pa.Table:
    """A duration for the last instant, narrow counters. The period kept covers the true one."""
    first = rows["first_seen"] // step_ns
    duration = -(-rows["last_seen"] // step_ns) - first
    unit = "ns" if step_ns == 1 else "ms"
    table = _with(table, "first_seen", "first_seen", column(first, pa.timestamp(unit, "UTC")))
    lasted = (
        column(duration, pa.uint64()) if step_ns == 1 else column(duration.astype(np.uint32), pa.uint32())
    )
    table = _with(table, "last_seen", f"duration_{unit}", lasted)
    if "received" in table.column_names:
        received = column(rows["received"] // step_ns, pa.timestamp(unit, "UTC"), rows["received"] != 0)
        table = _with(table, "received", "received", received)
    for name in () if wide else _COUNTERS:
        table = _with(table, name, name, column(rows[name].astype(np.uint32), pa.uint32()))
    return table


def _with(table: pa.Table, old: str, new: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(old), new, values)
