"""No number about fewer than three: small cells are merged until each has three clients. Pure.

The whole of an hour stays the sum of its cells, so that a total known from elsewhere (the coverage states
octets) gives away nothing about what was merged. See decision 040.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.classify.categories import Category
from appliance.statistics.distinct import once, tally
from appliance.statistics.places import EVERYWHERE

FEWEST = 3
"""A number is stored only if at least so many clients stand behind it."""

CATEGORY_BITS = 5
"""A cell's code is its place << CATEGORY_BITS | its category."""

_CATEGORY = np.uint64((1 << CATEGORY_BITS) - 1)
_OTHER = np.uint64(Category.OTHER)
_LAST = np.uint64(EVERYWHERE << CATEGORY_BITS | Category.OTHER)


@dataclass(frozen=True)
class Cells:
    """n cells with their totals, and m pairs of a cell's number and a client's hash.

    `floors` is 0, or for a cell of which only some clients are held how many it had at least.
    """

    codes: NDArray[np.uint64]
    octets: NDArray[np.int64]
    connections: NDArray[np.int64]
    pair_cells: NDArray[np.uint64]
    pair_clients: NDArray[np.uint64]
    floors: NDArray[np.int64]

    def regrouped(self, codes: NDArray[np.uint64]) -> "Cells":
        """The same with these codes in place of each cell's own; cells of equal code become one."""
        together = once(codes)
        which = np.searchsorted(together, codes)
        count = len(together)
        octets, connections, floors = (np.zeros(count, np.int64) for _ in range(3))
        np.add.at(octets, which, self.octets)
        np.add.at(connections, which, self.connections)
        np.maximum.at(floors, which, self.floors)
        pair_cells = which.astype(np.uint64)[self.pair_cells]
        return Cells(together, octets, connections, pair_cells, self.pair_clients, floors)

    def clients(self) -> NDArray[np.int64]:
        """(n,) distinct clients of each cell; at least so many where `floors` is not 0."""
        return np.maximum(tally(self.pair_cells, self.pair_clients, len(self.codes)), self.floors)

    def users(self) -> int:
        """Distinct clients of all cells together."""
        return int(self.regrouped(np.zeros(len(self.codes), np.uint64)).clients().sum())


def merged(cells: Cells) -> Cells | None:
    """Cells of which each has FEWEST clients and that add up to the same; None where that cannot be.

    A smaller one joins the other uses of its place, and if that is still too small those of all places,
    which, if they are too few even so, take in the smallest cell that would have stood alone.
    """
    for wider in (_other_of_its_place, _other_of_all):
        clients = cells.clients()
        few = clients < FEWEST
        if not few.any():
            return cells
        cells = cells.regrouped(np.where(few, wider(cells.codes), cells.codes))
    clients = cells.clients()
    small = np.flatnonzero(clients < FEWEST)
    if not len(small):
        return cells
    if len(cells.codes) == 1:
        return None
    order = np.lexsort((cells.codes, cells.octets, clients))
    smallest = order[order != small[0]][0]
    codes = cells.codes.copy()
    codes[smallest] = _LAST
    return cells.regrouped(codes)


def _other_of_its_place(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return codes & ~_CATEGORY | _OTHER


def _other_of_all(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.full_like(codes, _LAST)
