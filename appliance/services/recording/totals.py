"""What is counted while recording and names nobody: categories, clients a place and hour, systems a day."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.classify.glance import MULTIPLIERS, Categories
from appliance.classify.systems import systems
from appliance.classify.tables import Tables
from appliance.config.box import BoxConfig
from appliance.model.errors import StorageError
from appliance.model.networks import Networks
from appliance.statistics.counting import Counting
from appliance.statistics.files import StatisticsWriter
from appliance.statistics.statements import Statement
from appliance.wire.packets import Packets

MANY, LOT = 4096, 16_384
"""Rows worth counting by themselves (few cost as much as five hundred), and at a time (cache)."""

WAITING_LIMIT = 1000
"""Statements that wait for a disk that refuses; a month of hours. Beyond, the oldest are lost."""


class Totals:
    """Glances at packets, counts closed rows, writes statements. Keeps no name, and a row for a second.

    `lost` counts statements of hours and days that a disk has refused to the end.
    """

    def __init__(self, config: BoxConfig, tables: Tables, writer: StatisticsWriter) -> None:
        self.lost = 0
        self._categories = Categories(np.frombuffer(os.urandom(8 * MULTIPLIERS), np.uint64), tables)
        self._fingerprints = tables.fingerprints
        self._counting = Counting(
            Networks.of(config.client_networks), config.statistics.access_points, os.urandom
        )
        self._writer = writer
        self._few: list[NDArray[np.void]] = []
        self._few_count = 0
        self._waiting: list[Statement] = []
        self._adopted = False

    @property
    def passed_over(self) -> int:
        """Connections that were not looked into because too many came at once."""
        return self._categories.passed_over

    def glance(self, batches: Sequence[Packets]) -> None:
        """Learn from a decoded batch what its connections are for, while its buffer is valid."""
        for packets in batches:
            self._categories.glance(packets)
            told = systems(packets, self._fingerprints)
            if len(told):
                self._counting.sight(told["seen"], told["client_mac"], told["family"])

    def keep(self, rows: NDArray[np.void]) -> None:
        """TRAFFIC rows that closed: many are counted now, few when more have come or a second is over."""
        if len(rows) >= MANY:
            self._add(rows)
        elif len(rows):
            self._few.append(rows)
            self._few_count += len(rows)
            if self._few_count >= MANY:
                self._count()

    def write(self, now_ns: int) -> None:
        """Count, close what is over, and write it. Raises StorageError; it waits for the next call then."""
        self._count()
        closed = self._counting.close(now_ns)
        self._write(closed)
        if closed:
            self._writer.draft(self._counting.days())

    def finish(self) -> None:
        """Close everything and write it. Raises StorageError; what could not be written is lost then."""
        self._count()
        closed = self._counting.finish()
        try:
            self._write(closed)
        except StorageError:
            self.lost += len(self._waiting)
            raise

    def _count(self) -> None:
        if self._few:
            rows = self._few[0] if len(self._few) == 1 else np.concatenate(self._few)
            self._few, self._few_count = [], 0
            self._add(rows)

    def _add(self, rows: NDArray[np.void]) -> None:
        for start in range(0, len(rows), LOT):
            lot = rows[start : start + LOT]
            self._counting.add(lot, self._categories.of(lot))

    def _write(self, closed: Sequence[Statement]) -> None:
        self._waiting += closed
        beyond = max(0, len(self._waiting) - WAITING_LIMIT)
        self.lost += beyond
        del self._waiting[:beyond]
        if not self._adopted:
            self._writer.adopt()
            self._adopted = True
        self._writer.write(self._waiting)
        self._waiting = []
