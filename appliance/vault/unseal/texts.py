"""Answers as text: CSV and JSON lines, a whole table at a time. Pure.

Instants are ISO 8601 UTC with nine decimals, MACs aa:bb:cc:dd:ee:ff, addresses canonical (RFC 5952, IPv4
as such), an unknown value is empty in CSV and null in JSON.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.model.addresses import ip_text, mac_text
from appliance.model.instants import NS, to_iso

_ISO_BYTES = 30
_TO_QUOTE = re.compile('[",\r\n]')
_TEXTS_HELD = 1 << 17  # addresses come back from table to table
_FRACTION = slice(20, 29)


def readable(table: pa.Table) -> pa.Table:
    """Addresses and MACs as text; instants stay what they are."""
    columns = []
    for column in table.columns:
        if column.type == pa.binary(16):
            column = _each_distinct(column, _ip)
        elif column.type == pa.binary(6):
            column = _each_distinct(column, _mac)
        columns.append(column)
    return pa.Table.from_arrays(columns, names=table.column_names)


def csv(table: pa.Table, header: bool = False, end: str = "\n") -> bytes:
    """A table (of `readable`) as CSV, with the line of names before it or not.

    As RFC 4180 has it, but that lines end in LF: that `end` is "\\r\\n" is for files that go elsewhere.
    """
    names = (",".join(table.column_names) + end).encode() if header else b""
    cells = [_cells(column, _csv_field) for column in table.columns]
    return names + _joined([piece for cell in cells for piece in (cell, ",")][:-1], "", end)


def json_lines(table: pa.Table) -> bytes:
    """A table (of `readable`) as JSON, one object a line."""
    pieces: list[pa.Array | str] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        pieces.append(f"{',' if pieces else '{'}{json.dumps(name)}:")
        if pa.types.is_timestamp(column.type) and not column.null_count:
            pieces += ['"', iso(column), '"']
        elif pa.types.is_timestamp(column.type):
            pieces.append(pc.binary_join_element_wise('"', _cells(column, str), '"', ""))
        else:
            pieces.append(_cells(column, json.dumps))
    return _joined([*pieces, "}"], "null")


def _cells(column: pa.ChunkedArray, text: Callable[[str], str]) -> pa.Array:
    """The text of each value; null where there is none."""
    if pa.types.is_timestamp(column.type):
        if column.null_count == len(column):
            return pa.nulls(len(column), pa.string())
        whole = pa.chunked_array([iso(column)])
        return pc.if_else(column.is_valid(), whole, None) if column.null_count else whole
    if pa.types.is_string(column.type):
        return _each_distinct(column, text)
    return column.cast(pa.string())


def _csv_field(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if _TO_QUOTE.search(value) else value


def _joined(pieces: list[pa.Array | str], null: str, end: str = "\n") -> bytes:
    """Lines made of the pieces, one a row."""
    rows = next(len(piece) for piece in pieces if not isinstance(piece, str))
    if not rows:
        return b""
    filled = [piece if isinstance(piece, str) else pc.fill_null(piece, null) for piece in pieces]
    lines = pc.binary_join_element_wise(*filled, end, "")
    whole = pa.chunked_array([lines] if isinstance(lines, pa.Array) else lines.chunks)
    return b"".join(_letters(chunk) for chunk in whole.chunks)


def _letters(lines: pa.StringArray) -> bytes:
    first, last = np.frombuffer(lines.buffers()[1], np.int32)[[lines.offset, lines.offset + len(lines)]]
    return bytes(lines.buffers()[2][int(first) : int(last)])


def iso(column: pa.ChunkedArray) -> pa.Array:
    """(n,) instants to their text, as `model.instants.to_iso` writes them."""
    ns: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    seconds, fraction = np.divmod(ns, NS)
    distinct, which = np.unique(seconds, return_inverse=True)
    texts = "".join(to_iso(second * NS) for second in distinct.tolist())
    letters = np.frombuffer(texts.encode(), np.uint8).reshape(-1, _ISO_BYTES)[which]
    for place in range(_FRACTION.stop - 1, _FRACTION.start - 1, -1):
        fraction, digit = np.divmod(fraction, 10)
        letters[:, place] += digit.astype(np.uint8)
    offsets = np.arange(len(ns) + 1, dtype=np.int32) * _ISO_BYTES
    return pa.StringArray.from_buffers(len(ns), pa.py_buffer(offsets), pa.py_buffer(letters))


def _each_distinct(column: pa.ChunkedArray, text: Callable[[Any], str]) -> pa.Array:
    """The text of each value; a value that comes often is written once."""
    whole = column.combine_chunks()
    encoded = (whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole).dictionary_encode()
    texts = pa.array([text(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return texts.take(encoded.indices)


@lru_cache(_TEXTS_HELD)
def _ip(value: bytes) -> str:
    return ip_text(int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big"))


@lru_cache(_TEXTS_HELD)
def _mac(value: bytes) -> str:
    return mac_text(int.from_bytes(value, "big"))
