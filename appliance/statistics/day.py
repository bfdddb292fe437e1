"""The distinct clients of one running day, and of each operating system. Pure."""

import numpy as np
from numpy.typing import NDArray

from appliance.classify.categories import OsFamily
from appliance.statistics.anonymity import FEWEST, Cells
from appliance.statistics.distinct import Clients, Distinct, macs
from appliance.statistics.statements import DayStatement, Users

_EVERYBODY = 0
_ROUTERS = max(OsFamily) + 1


class DayTotals:
    """Cell 0 holds everybody, cell n the stations of OsFamily n, a last one the routers, who do not count."""

    def __init__(self, key: bytes) -> None:
        self._clients = Distinct(key)

    def meet(self, clients: Clients, routers: NDArray[np.uint64]) -> None:
        """These were there, and these MACs are routers."""
        self._clients.add(np.full(len(clients.name), _EVERYBODY, np.uint64), clients)
        self._clients.add(np.full(len(routers), _ROUTERS, np.uint64), macs(routers))

    def sight(self, stations: NDArray[np.uint64], systems: NDArray[np.uint8]) -> None:
        """These run these systems."""
        self._clients.add(systems.astype(np.uint64), macs(stations))

    def statement(self, start_ns: int) -> DayStatement:
        """What may be stored: no count below FEWEST, small systems among the others."""
        count = _ROUTERS
        pair_cells, pair_clients = self._clients.pairs(but_those_in=_ROUTERS)
        nothing = np.zeros(count, np.int64)
        codes = np.arange(count, dtype=np.uint64)
        cells = Cells(codes, nothing, nothing, pair_cells, pair_clients, self._clients.floors(count))
        few = (cells.clients() < FEWEST) & (codes != _EVERYBODY)
        kept = cells.regrouped(np.where(few, np.uint64(OsFamily.OTHER), codes))
        told = zip(kept.codes.tolist(), kept.clients().tolist(), kept.floors.tolist(), strict=True)
        counted = {code: Users(clients, not floor) for code, clients, floor in told if clients}
        large = {code: users for code, users in counted.items() if users.least >= FEWEST}
        systems = tuple((OsFamily(code).name.lower(), large[code]) for code in sorted(large) if code)
        return DayStatement(start_ns, large.get(_EVERYBODY), systems, len(large) < len(counted))

    def forget(self) -> None:
        """Overwrite what tells clients apart."""
        self._clients.forget()
