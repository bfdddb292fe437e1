"""How many distinct clients each cell has had: keyed hashes in bounded memory. Pure.

Counts are exact until the bound. Beyond it the largest cells are cut, their counts become "at least", and
the small ones stay exact: a flood of invented senders hides nobody else.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAC_GROUP_BIT, MAC_NULL
from appliance.model.networks import Networks

UInt64 = NDArray[np.uint64]

KEY_BYTES = 32
"""Randomness that a `Distinct` wants."""

CELL_LIMIT = 1 << 18
"""Cells are numbered below this."""

PAIR_LIMIT = 1 << 19
"""Pairs of cell and client held at once, 8 bytes each: a hundred thousand clients in five categories."""

_MAC, _IPV4, _IPV6_PREFIX = 0, 1, 2
_KIND_BITS = 2
_CELL_SHIFT = np.uint64(46)
_CLIENT = (1 << 46) - 1
_LOOSE = 1 << 14
_SAMPLE = 1 << 13


_SPECIAL = Networks.of(
    ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
     "192.168.0.0/16", "224.0.0.0/3")
)  # fmt: skip
"""IPv4 that the Internet does not route (RFC 6890), and groups."""


@dataclass(frozen=True)
class Clients:
    """k clients as rows tell them, for one call only: `name` is a MAC or address, `kind` says which."""

    name: UInt64
    kind: UInt64

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> "Clients":
        return Clients(self.name[rows], self.kind[rows])


def once(values: UInt64) -> UInt64:
    """Each value once, sorted. `np.unique` loads numpy.ma at its first call, 17 ms of every start."""
    values = np.sort(values)
    return values[np.append(True, values[1:] != values[:-1])] if len(values) else values


def clients_of(rows: NDArray[np.void]) -> Clients:
    """Who the clients of TRAFFIC rows are, as far as a count needs it.

    By MAC. Where that is a router's, or there is none: by IPv4 address, or by the /64 of an IPv6 address,
    since one device has many addresses in it (RFC 8981).
    """
    hi, lo = rows["client_ip_hi"], rows["client_ip_lo"]
    is_ipv4 = (hi == 0) & (lo >> np.uint64(32) == 0xFFFF)
    has_mac = (rows["client_mac"] != 0) & ~rows["behind_router"]
    name = np.where(has_mac, rows["client_mac"], np.where(is_ipv4, lo, hi))
    return Clients(name, np.where(has_mac, _MAC, np.where(is_ipv4, _IPV4, _IPV6_PREFIX)).astype(np.uint64))


def macs(numbers: UInt64) -> Clients:
    """Clients known by MAC."""
    return Clients(numbers, np.full(len(numbers), _MAC, np.uint64))


def routers_of(rows: NDArray[np.void], site: Networks) -> UInt64:
    """MACs that stood for addresses out in the Internet: routers, which are nobody's device.

    Only public addresses outside the site's networks tell: a private network that was forgotten in the
    settings must not make routers of its clients. Of many rows some are looked at: routers are in most.
    """
    rows = rows[:: 1 + len(rows) // _SAMPLE]
    hi, lo = rows["peer_ip_hi"], rows["peer_ip_lo"]
    is_ipv4 = (hi == 0) & (lo >> np.uint64(32) == 0xFFFF)
    public = np.where(is_ipv4, ~_SPECIAL.hold(hi, lo), hi >> np.uint64(61) == 1)  # 2000::/3
    macs = rows["peer_mac"]
    is_station = (macs != MAC_NULL) & (macs & np.uint64(MAC_GROUP_BIT) == 0)
    return once(macs[public & ~site.hold(hi, lo) & is_station])


def tally(groups: UInt64, clients: UInt64, count: int) -> NDArray[np.int64]:
    """(count,) distinct clients of each group, of pairs that may repeat.

    A device without a MAC may show an IPv4 and an IPv6 side: the more numerous kind is counted, not both.
    """
    pairs = once(groups << _CELL_SHIFT | clients)
    kind = (pairs & np.uint64(3)).astype(np.int64)
    by_kind = np.bincount((pairs >> _CELL_SHIFT).astype(np.int64) * 4 + kind, minlength=4 * count)
    by_kind = by_kind.reshape(count, 4)
    return np.asarray(by_kind[:, _MAC] + np.maximum(by_kind[:, _IPV4], by_kind[:, _IPV6_PREFIX]))


class Distinct:
    """Pairs of cell and client. `key` is KEY_BYTES of randomness that nobody else has."""

    def __init__(self, key: bytes, limit: int = PAIR_LIMIT) -> None:
        self._key = np.frombuffer(key, np.uint64) | np.uint64(1)
        self._limit = limit
        self._pairs = np.empty(0, np.uint64)  # sorted, each once
        self._loose: list[UInt64] = []
        self._loose_count = 0
        self._floor = np.zeros(0, np.int64)

    def add(self, cells: UInt64, clients: Clients) -> None:
        """These clients were seen in these cells (numbers below CELL_LIMIT)."""
        self._loose.append(cells << _CELL_SHIFT | self._hidden(clients))
        self._loose_count += len(cells)
        if self._loose_count > max(_LOOSE, len(self._pairs)):
            self._settle()

    def pairs(self, but_those_in: int) -> tuple[UInt64, UInt64]:
        """(m,) cells and (m,) hashes of clients, each pair once, without the clients of one cell.

        Of a cut cell there are only some.
        """
        self._settle()
        cells, clients = self._pairs >> _CELL_SHIFT, self._pairs & np.uint64(_CLIENT)
        without = once(clients[cells == but_those_in])
        if not len(without):
            return cells, clients
        kept = without[np.searchsorted(without, clients).clip(max=len(without) - 1)] != clients
        return cells[kept], clients[kept]

    def floors(self, count: int) -> NDArray[np.int64]:
        """(count,) how many clients a cell had when it was cut, 0 where it is whole."""
        floors = np.zeros(count, np.int64)
        floors[: len(self._floor)] = self._floor
        return floors

    def forget(self) -> None:
        """Overwrite the key and every hash."""
        for held in (self._key, self._pairs, *self._loose):
            held.fill(0)
        self._pairs, self._loose, self._loose_count = np.empty(0, np.uint64), [], 0

    def _hidden(self, clients: Clients) -> UInt64:
        """Two rounds of multiply and fold: 44 bits of hash and the kind."""
        first, second, third, mask = self._key
        hidden = (clients.name ^ mask) * first
        hidden ^= hidden >> np.uint64(32)
        hidden *= second
        hidden ^= hidden >> np.uint64(32)
        hidden *= third
        kept = hidden >> np.uint64(64 - 46)
        return np.asarray(kept & ~np.uint64((1 << _KIND_BITS) - 1) | clients.kind)

    def _settle(self) -> None:
        if self._loose:
            self._pairs = once(np.concatenate([self._pairs, *self._loose]))
            self._loose, self._loose_count = [], 0
        if len(self._pairs) > self._limit:
            self._cut()

    def _cut(self) -> None:
        """Keep the same number of each cell that has more than its share: those with the lowest hashes."""
        cells = (self._pairs >> _CELL_SHIFT).astype(np.int64)
        held = np.bincount(cells)
        share = _share(held, self._limit)
        counted = tally(self._pairs >> _CELL_SHIFT, self._pairs & np.uint64(_CLIENT), len(held))
        floors = self.floors(max(len(held), len(self._floor)))
        over = held > share
        floors[: len(held)][over] = np.maximum(floors[: len(held)][over], counted[over])
        self._floor = floors
        rank = np.arange(len(cells)) - (np.cumsum(held) - held)[cells]
        self._pairs = self._pairs[rank < share]


def _share(held: NDArray[np.int64], limit: int) -> int:
    """The most that each cell may keep so that all together keep half of `limit`; never below three."""
    low, high = 3, limit
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.minimum(held, middle).sum()) <= limit // 2:
            low = middle
        else:
            high = middle - 1
    return low
