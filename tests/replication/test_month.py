"""Thirty days without a central must fit on a 32 GB disk at 100 connections a second."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.model.instants import HOUR_NS, start_of
from appliance.vault.writer import VaultWriter
from bench.busy_day import BusyDay
from tests.vault.made_homes import SOURCES, make_box
from tests.vault.made_rows import DAY

PER_SECOND = 100
HOURS = 30 * 24
DISK_BYTES = 32 * 10**9
SYSTEM_BYTES = 8 * 10**9
"""Debian twice over (two systems, one of them the one before), its logs, and room to work."""

STEP_S = 360
"""One second in so many is journalled as a recorder does it: enough to know the size."""


def test_a_month_at_100_connections_a_second_fits(tmp_path: Path) -> None:
    """Measured on 2026-11-22: an hour of 360,000 rows takes 4.7 MB sealed, its journal 15 MB; a month 3.4 GB.

    A recorder writes most rows twice into the journal, when they begin and when they end; of which there is
    one hour at most.
    """
    box = make_box(tmp_path / "box")
    day = BusyDay(PER_SECOND * 86_400, start_of(DAY))
    rows = day.hour(14)
    with box.recording() as (_, writer):
        journalled = journal_bytes(writer, rows, box.home.path)
        writer.seal(rows, SOURCES[:1], ())
    sealed = sum(path.stat().st_size for path in box.files("segments")) / len(rows) * PER_SECOND * 3600
    month = sealed * HOURS + 2 * journalled
    print(
        f"\nan hour {sealed / 1e6:.2f} MB, its journal {journalled / 1e6:.2f}, a month {month / 1e9:.2f} GB"
    )
    assert month < (DISK_BYTES - SYSTEM_BYTES) / 2, "with room to spare for a busier month"


def journal_bytes(writer: VaultWriter, rows: NDArray[np.void], home: Path) -> float:
    """What the journal of an hour takes at this rate, from some of its seconds."""
    seconds = (rows["first_seen"] % HOUR_NS) // 10**9
    told = 0
    for second in range(0, 3600, STEP_S):
        part = rows[seconds == second]
        writer.journal(part, SOURCES[:1])
        told += len(part)
    size = sum(path.stat().st_size for path in (home / "journal").rglob("*.journal"))
    return size / told * PER_SECOND * 3600
