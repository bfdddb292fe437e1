"""Opens one segment with its day key: the index first, then only the row groups that can match."""

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from appliance.model.errors import HomeError
from appliance.model.instants import MS
from appliance.model.schemas import BINDING_SCHEMA, TRAFFIC_SCHEMA
from appliance.vault.day_keys import DayKey
from appliance.vault.fingerprints import Index, unseal, unseal_head
from appliance.vault.names import VaultName
from appliance.vault.segments import CONSTANTS, associated
from appliance.vault.unseal.question import Mask, Question

_AS_NUMBERS = {
    VaultName.TRAFFIC: ["client_mac", "client_ip", "peer_mac", "peer_ip", "source"],
    VaultName.SOURCE: [],
}
"""Columns read as numbers into their dictionary: an address is then compared, or written, once."""


ASKED = {"ip": "client_ip", "mac": "client_mac"}
"""What a question calls the columns of a binding."""

_PERIOD = ("first_seen", "duration_ns", "duration_ms", "from", "until")

_ROWS_AT_ONCE = 8_192
"""Few answers from many row groups are put together before they are given the model's form."""


_FILE_AT_ONCE = 1 << 18
"""Bytes of a segment that are read at once; of a larger one, only the columns that are looked at."""

FOREIGN = (OSError, ValueError, KeyError, TypeError, IndexError, struct.error)
"""What bytes that no box wrote make readers raise, pyarrow's own errors among them."""

_INDEX_AT_ONCE = 16_384
"""Bytes of an index that are read at once; more, and only its head is opened until rows are asked for."""


def read(path: Path, key: DayKey, index: Index, question: Question) -> Iterator[pa.Table]:
    """The rows of a segment that answer a question, a row group at a time; empty tables are left out.

    Tables have the model's schema. Raises HomeError if the segment or its index does not open.
    """
    if not index.sections:
        index = _index(path, key, -1)
    bits = question.row_groups(index)
    if not bits:
        return
    try:
        properties = pe.create_decryption_properties(key.secret, aad_prefix=associated(key, path.stem))
        small = path.stat().st_size <= _FILE_AT_ONCE
        file = pq.ParquetFile(
            pa.py_buffer(path.read_bytes()) if small else path,
            read_dictionary=_AS_NUMBERS[key.vault],
            decryption_properties=properties,
        )
        segment = _Segment(file, key.vault)
        whole = index.first_ns >= question.from_ns and index.last_ns < question.to_ns
        yield from segment.answers([n for n in range(index.row_groups) if bits >> n & 1], question, whole)
    except FOREIGN as error:
        raise HomeError(f"the segment {path} does not open ({error}); 'greffier verify' says more") from None


def read_index(path: Path, key: DayKey) -> Index:
    """The index beside a segment: without its sections if it is a large one, whose head tells the period.

    Raises HomeError if it is not there or does not open.
    """
    return _index(path, key, _INDEX_AT_ONCE)


def _index(path: Path, key: DayKey, size: int) -> Index:
    beside = path.with_suffix(".index")
    try:
        with beside.open("rb", buffering=0) as file:
            held = file.read(size)
        cut = len(held) == size
        return (unseal_head if cut else unseal)(held, AESGCM(key.secret), associated(key, beside.name))
    except OSError as error:
        raise HomeError(f"cannot read {beside}: {error.strerror}; restore it from a copy") from error
    except (InvalidTag, *FOREIGN):
        raise HomeError(f"the index {beside} does not open; 'greffier verify' says more") from None


class _Segment:
    """An open Parquet file and how its columns become those of the model."""

    def __init__(self, file: pq.ParquetFile, vault: VaultName) -> None:
        self._reader = file.reader
        self._names = file.schema_arrow.names
        self._schema = TRAFFIC_SCHEMA if vault is VaultName.TRAFFIC else BINDING_SCHEMA
        first, last = ("first_seen", "last_seen") if vault is VaultName.TRAFFIC else ("from", "until")
        self._first, self._last = first, last
        self._constants = json.loads(file.metadata.metadata.get(CONSTANTS, b"{}"))
        self._kept = [name for name in self._names if name not in self._constants]

    def answers(self, groups: Sequence[int], question: Question, whole: bool) -> Iterator[pa.Table]:
        """The rows of some row groups that answer; `whole` if no row can lie outside the period asked for."""
        deciding = [name for name in self._names if ASKED.get(name, name) in question.columns]
        if question.columns and not deciding:
            deciding = self._names[:1]  # none says what is asked for: the question decides what that means
        if not whole:
            deciding += [name for name in self._names if name in _PERIOD]
        found: list[pa.Table] = []
        for group in groups:
            found.extend(self._matching(group, question, whole, deciding))
            if sum(map(len, found)) >= _ROWS_AT_ONCE:
                yield self._as_model(pa.concat_tables(found))
                found = []
        if found:
            yield self._as_model(pa.concat_tables(found))

    def _matching(
        self, group: int, question: Question, whole: bool, deciding: list[str]
    ) -> Iterator[pa.Table]:
        """Columns that decide are read first, the others if a row matches."""
        if not deciding:
            yield self._read(group, self._kept)
            return
        table = self._read(group, deciding)
        mask = question.matches(table.rename_columns([ASKED.get(name, name) for name in deciding]))
        if not whole:
            mask &= overlaps(*self._period(table), question)
        if not mask.any():
            return
        others = [name for name in self._kept if name not in deciding]
        columns = [*table.columns, *self._read(group, others).columns]
        complete = pa.Table.from_arrays(columns, names=deciding + others)
        yield complete if mask.all() else complete.take(np.flatnonzero(mask))

    def _read(self, group: int, names: list[str]) -> pa.Table:
        columns = [self._names.index(name) for name in names]
        return self._reader.read_row_group(group, column_indices=columns, use_threads=False)

    def _period(self, table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n,) first and last instants in nanoseconds."""
        if self._last in table.column_names:
            return _ns(table[self._first]), _ns(table[self._last])
        fine = "duration_ns" in table.column_names
        step_ns = 1 if fine else MS
        first = _ns(table[self._first])
        duration = table["duration_ns" if fine else "duration_ms"].to_numpy()
        return first, first + duration.astype(np.int64) * step_ns

    def _as_model(self, table: pa.Table) -> pa.Table:
        first, last = self._period(table)
        columns = []
        for field in self._schema:
            if field.name in (self._first, self._last):
                values = pa.array(first if field.name == self._first else last).view(field.type)
            elif field.name in table.column_names:
                values = _plain(table[field.name], field.type)
            elif field.name in self._constants:
                values = _repeated(self._constants[field.name], field.type, len(table))
            elif field.type == pa.bool_():
                values = pa.repeat(pa.scalar(False), len(table))
            else:
                values = pa.nulls(len(table), field.type)
            columns.append(values)
        return pa.Table.from_arrays(columns, schema=self._schema)


def _plain(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column as the model has it; values are converted before or after they are repeated, as is less."""
    if not pa.types.is_dictionary(column.type):
        return column if column.type == kind else column.cast(kind)
    chunks = [
        chunk.dictionary.take(chunk.indices).cast(kind)
        if len(chunk) < len(chunk.dictionary)
        else chunk.dictionary.cast(kind).take(chunk.indices)
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, kind)


def _repeated(text: str, kind: pa.DataType, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text if kind == pa.string() else bytes.fromhex(text), kind), count)


def _ns(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """(n,) UTC nanoseconds of instants in any unit."""
    step_ns = {"ns": 1, "ms": MS}[column.type.unit]
    numbers: NDArray[np.int64] = column.cast(pa.int64()).to_numpy() * step_ns
    return numbers


def overlaps(first_ns: NDArray[np.int64], last_ns: NDArray[np.int64], question: Question) -> Mask:
    """(n,) whether periods overlap the question's."""
    mask: Mask = (first_ns < question.to_ns) & (last_ns >= question.from_ns)
    return mask
