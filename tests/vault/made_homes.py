"""Homes for the tests: real keys, real files, a few rows; the clock is given."""

import contextlib
import datetime as dt
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from appliance.config.box import BoxConfig
from appliance.model.coverage import Coverage
from appliance.model.instants import start_of
from appliance.vault import homes
from appliance.vault.columns import to_table
from appliance.vault.custodians import new_key_file
from appliance.vault.names import Home, VaultName
from appliance.vault.run import Run
from appliance.vault.unseal import custody
from appliance.vault.writer import VaultWriter
from tests.vault.made_rows import DAY, traffic

SOURCES = ["interface:mirror0", "file:hotel.pcap"]
NOW_NS = start_of(DAY) + 15 * 3600 * 10**9


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now_ns: int = NOW_NS

    def __call__(self) -> int:
        return self.now_ns


@dataclass
class Box:
    home: Home
    config: BoxConfig
    keys: list[Path]
    clock: Clock = field(default_factory=Clock)

    def opener(self, *custodians: int) -> custody.KeyOpener:
        """With the custodians of these numbers; all without."""
        chosen = [self.keys[number] for number in custodians] if custodians else self.keys
        return custody.KeyOpener(self.home, custody.open_identities(chosen))

    @contextlib.contextmanager
    def recording(self) -> Iterator[tuple[Run, VaultWriter]]:
        with Run.start(self.home, self.clock) as run:
            writer = self.writer(run)
            yield run, writer
            writer.close()

    def writer(self, run: Run, vault: VaultName = VaultName.TRAFFIC) -> VaultWriter:
        return VaultWriter(self.home, vault, self.config, run.chain, run)

    def record(self, rows: np.ndarray, coverage: tuple[Coverage, ...] = ()) -> None:
        """One run that journals rows and seals them."""
        with self.recording() as (_, writer):
            writer.journal(rows, SOURCES)
            writer.seal(rows, SOURCES, coverage)

    def copy_to(self, folder: Path) -> "Box":
        shutil.copytree(self.home.path, folder, symlinks=True)
        return Box(Home(folder), self.config, self.keys, self.clock)

    def files(self, room: str, suffix: str = "") -> list[Path]:
        found = (path for path in (self.home.path / room).rglob(f"*{suffix}") if path.is_file())
        return sorted(found)


def make_box(folder: Path, custodians: int = 2, quorum: int = 2, clock: Clock | None = None) -> Box:
    folder.mkdir(parents=True, exist_ok=True)
    clock = clock or Clock()
    keys = [folder / f"custodian{number}.key" for number in range(custodians)]
    moment = dt.datetime(2026, 3, 14, tzinfo=dt.UTC)
    recipients = tuple(new_key_file(path, None, moment) for path in keys)
    config = BoxConfig("Hôtel du Port", quorum, recipients, ("10.0.0.0/8",))
    home, _, _ = homes.create(folder / "home", config, clock)
    return Box(home, config, keys, clock)


def run_that_dies(box: Box, rows: np.ndarray, seal: bool = False) -> str:
    """Journal rows in a process of its own that ends as by kill -9; its run id."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            run = Run.start(box.home, box.clock)
            writer = box.writer(run)
            writer.journal(rows, SOURCES)
            if seal:
                writer.seal(rows, SOURCES, ())
            os.write(writing, run.id.encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def tables_of(parts: Iterator[pa.Table]) -> list[dict[str, object]]:
    return [row for table in parts for row in _rows_of(table)]


def _rows_of(table: pa.Table) -> list[dict[str, object]]:
    """Instants as integers: Python's datetime has no nanoseconds."""
    columns = {
        name: column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return list(pa.table(columns).to_pylist())


def as_kept(rows: np.ndarray) -> list[dict[str, object]]:
    """Rows as a reader of the journal must find them."""
    return _rows_of(to_table(rows, SOURCES))


__all__ = [
    "DAY",
    "NOW_NS",
    "SOURCES",
    "Box",
    "Clock",
    "as_kept",
    "make_box",
    "run_that_dies",
    "tables_of",
    "traffic",
]
