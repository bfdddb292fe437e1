"""The totals of one running hour: octets, connections and clients a place and category. Pure."""

import numpy as np
from numpy.typing import NDArray

from appliance.model.reasons import EndReason
from appliance.statistics.anonymity import Cells
from appliance.statistics.distinct import Clients, Distinct, macs

CATEGORY_BITS = 8
_SMALLEST = 64
_ROUTERS = 0
"""In `Distinct`, the cell of routers; those of places and categories follow."""


class HourTotals:
    """Adds up rows of one hour. A cell is a place and a category; there are as many as rows brought."""

    def __init__(self, key: bytes) -> None:
        self._cell_of: dict[int, int] = {}
        self._octets = np.zeros(_SMALLEST, np.int64)
        self._connections = np.zeros(_SMALLEST, np.int64)
        self._clients = Distinct(key)

    def add(
        self,
        rows: NDArray[np.void],
        places: NDArray[np.uint64],
        categories: NDArray[np.uint8],
        clients: Clients,
        routers: NDArray[np.uint64],
    ) -> None:
        """Count TRAFFIC rows. A part that ended at the active timeout goes on: its connection ends later."""
        codes, which = np.unique(places << np.uint64(CATEGORY_BITS) | categories, return_inverse=True)
        cells = np.array([self._cell_of.setdefault(code, len(self._cell_of)) for code in codes.tolist()])
        self._make_room()
        cell = cells[which]
        np.add.at(self._octets, cell, (rows["bytes_out"] + rows["bytes_in"]).astype(np.int64))
        ended = cell[rows["end_reason"] != EndReason.ACTIVE_TIMEOUT]
        self._connections += np.bincount(ended, minlength=len(self._connections))
        self._clients.add(cell.astype(np.uint64) + np.uint64(1), clients)
        self._clients.add(np.full(len(routers), _ROUTERS, np.uint64), macs(routers))

    def _make_room(self) -> None:
        while len(self._cell_of) > len(self._octets):
            self._octets = np.append(self._octets, np.zeros_like(self._octets))
            self._connections = np.append(self._connections, np.zeros_like(self._connections))

    def cells(self) -> Cells:
        """Everything counted, for `anonymity.merged`; hashes of clients among it."""
        count = len(self._cell_of)
        pair_cells, pair_clients = self._clients.pairs(but_those_in=_ROUTERS)
        return Cells(
            np.array(list(self._cell_of), np.uint64),
            self._octets[:count],
            self._connections[:count],
            pair_cells - np.uint64(1),
            pair_clients,
            self._clients.floors(count + 1)[1:],
        )

    def forget(self) -> None:
        """Overwrite what tells clients apart."""
        self._clients.forget()
