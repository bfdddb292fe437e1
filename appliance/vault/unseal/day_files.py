"""Tables into files by day, as plain Parquet and CSV that any tool reads. Memory is bounded.

A row belongs to the UTC day on which it began. Rows come roughly in order, so a few days are open at once;
what comes for a day whose file is closed goes to DAY-2, and so on.
"""

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from appliance.model.instants import DAY_NS, day_of
from appliance.vault.unseal import texts
from appliance.vault.unseal.parts import instants

OPEN_DAYS = 3
ROWS_AT_ONCE = 1 << 16
"""Rows held of a day before they are written: 65,536 make a row group that readers like."""

PARQUET, CSV = "parquet", "csv"


@dataclass
class _DayFile:
    parquet: pq.ParquetWriter | None
    csv: BinaryIO | None
    closing: contextlib.ExitStack
    held: list[pa.Table] = field(default_factory=list)


class DayFiles:
    """The files of one kind of record in one folder. Close it, or use `with`; raises OSError."""

    def __init__(self, folder: Path, schema: pa.Schema, first: str, formats: tuple[str, ...]) -> None:
        """`first` is the column that says when a row began."""
        self._folder, self._first, self._formats = folder, first, formats
        self._empty = texts.readable(schema.empty_table())
        self._open: dict[dt.date, _DayFile] = {}
        self._files: dict[dt.date, int] = {}
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Add rows in the model's form."""
        days = instants(table, self._first) // DAY_NS
        for day in np.unique(days).tolist():
            rows = table.filter(pa.array(days == day))
            self.rows += len(rows)
            file = self._file(day_of(day * DAY_NS))
            file.held.append(texts.readable(rows))
            if sum(map(len, file.held)) >= ROWS_AT_ONCE:
                _flush(file)

    def close(self) -> None:
        for day in list(self._open):
            self._close(day)

    def abandon(self) -> None:
        """Let files go as they are: what failed cannot be finished."""
        for file in self._open.values():
            with contextlib.suppress(OSError):
                file.closing.close()
        self._open.clear()

    def _file(self, day: dt.date) -> _DayFile:
        file = self._open.pop(day, None)
        if file is None:
            while len(self._open) >= OPEN_DAYS:
                self._close(next(iter(self._open)))
            file = self._new(day)
        self._open[day] = file  # the last used is the last to be closed
        return file

    def _new(self, day: dt.date) -> _DayFile:
        self._files[day] = number = self._files.get(day, 0) + 1
        name = f"{day}" if number == 1 else f"{day}-{number}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        closing = contextlib.ExitStack()
        with contextlib.ExitStack() as unless_whole:
            unless_whole.push(closing)
            parquet = csv = None
            if PARQUET in self._formats:
                sink = closing.enter_context((self._folder / f"{name}.parquet").open("xb"))
                parquet = pq.ParquetWriter(sink, self._empty.schema, compression="zstd")
                closing.callback(parquet.close)
            if CSV in self._formats:
                csv = closing.enter_context((self._folder / f"{name}.csv").open("xb"))
                csv.write(texts.csv(self._empty, header=True, end="\r\n"))
            unless_whole.pop_all()
        return _DayFile(parquet, csv, closing)

    def _close(self, day: dt.date) -> None:
        file = self._open[day]
        _flush(file)
        del self._open[day]
        file.closing.close()


def _flush(file: _DayFile) -> None:
    if not file.held:
        return
    table = pa.concat_tables(file.held).combine_chunks()
    file.held = []
    if file.parquet:
        file.parquet.write_table(table)
    if file.csv:
        file.csv.write(texts.csv(table, end="\r\n"))


@contextlib.contextmanager
def day_files(folder: Path, schema: pa.Schema, first: str, formats: tuple[str, ...]) -> Iterator[DayFiles]:
    """The files of a folder, whole at the end of the block."""
    files = DayFiles(folder, schema, first, formats)
    try:
        yield files
        files.close()
    finally:
        files.abandon()
