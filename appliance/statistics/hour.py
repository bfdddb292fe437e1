"""The totals of one running hour: octets, connections and clients a place and category. Pure."""

import numpy as np
from numpy.typing import NDArray

from appliance.model.reasons import EndReason
from appliance.statistics.anonymity import CATEGORY_BITS, Cells
from appliance.statistics.distinct import CELL_LIMIT, Clients, Distinct, macs, once

_ROUTERS = 0
"""In `Distinct`, the cell of routers: no category has the number 0."""


class HourTotals:
    """Adds up rows of one hour. A cell is a place and a category (`Cells.codes`).

    There is room for every cell; the kernel gives memory only for those that are touched.
    """

    def __init__(self, key: bytes) -> None:
        self._octets = np.zeros(CELL_LIMIT, np.int64)
        self._connections = np.zeros(CELL_LIMIT, np.int64)
        self._clients = Distinct(key)

    def add(
        self,
        rows: NDArray[np.void],
        places: NDArray[np.int64],
        categories: NDArray[np.uint8],
        clients: Clients,
        routers: NDArray[np.uint64],
    ) -> None:
        """Count TRAFFIC rows. A part that ended at the active timeout goes on: its connection ends later."""
        cells = places << CATEGORY_BITS | categories
        np.add.at(self._octets, cells, (rows["bytes_out"] + rows["bytes_in"]).astype(np.int64))
        np.add.at(self._connections, cells[rows["end_reason"] != EndReason.ACTIVE_TIMEOUT], 1)
        self._clients.add(cells.astype(np.uint64), clients)
        self._clients.add(np.full(len(routers), _ROUTERS, np.uint64), macs(routers))

    def cells(self) -> Cells:
        """Everything counted, for `anonymity.merged`; hashes of clients among it."""
        pair_cells, pair_clients = self._clients.pairs(but_those_in=_ROUTERS)
        counted = np.flatnonzero((self._octets > 0) | (self._connections > 0))
        codes = once(np.append(counted.astype(np.uint64), pair_cells))
        return Cells(
            codes,
            self._octets[codes],
            self._connections[codes],
            np.searchsorted(codes, pair_cells).astype(np.uint64),
            pair_clients,
            self._clients.floors(CELL_LIMIT)[codes],
        )

    def forget(self) -> None:
        """Overwrite what tells clients apart."""
        self._clients.forget()
