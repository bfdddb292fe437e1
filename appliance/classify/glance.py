"""Categories of connections: first bytes glanced at, then remembered as a keyed hash and a number."""

import numpy as np
from numpy.typing import NDArray

from appliance.classify.categories import NOTHING_KNOWN, Category
from appliance.classify.keys import MULTIPLIERS as KEY_MULTIPLIERS
from appliance.classify.keys import Keys, Sides, row_sides
from appliance.classify.memory import Memory
from appliance.classify.tables import Ports, Tables
from appliance.wire.packets import Packets

MULTIPLIERS = KEY_MULTIPLIERS
"""How many random 64-bit numbers `Categories` wants."""

_CONNECTION_BITS, _ADDRESS_BITS = 18, 16
"""A million connections (8 MiB) and a quarter million addresses (2 MiB) are remembered at most."""

_TCP, _UDP = 6, 17
_SYSTEM_PORTS = 1024


class Categories:
    """Categories of connections. `multipliers` are MULTIPLIERS random numbers, kept secret.

    `passed_over` counts QUIC connections whose first packet was not opened because too many came at once.
    """

    def __init__(self, multipliers: NDArray[np.uint64], tables: Tables) -> None:
        self.passed_over = 0
        self._keys = Keys(multipliers)
        self._ports = tables.ports
        self._connections = Memory(_CONNECTION_BITS)
        self._addresses = Memory(_ADDRESS_BITS)

    def glance(self, packets: Packets) -> None:
        """Learn from one decoded batch, while its buffer is valid. Never raises, whatever the bytes."""

    def of(self, rows: NDArray[np.void]) -> NDArray[np.uint8]:
        """(k,) Category of TRAFFIC rows: by what was glanced at, then the peer's address, then the ports."""
        sides = row_sides(rows)
        known = self._connections.get(self._keys.connections(sides))
        by_port = _by_port(self._ports, sides, rows["protocol"])
        # An address says more than a web port or an unknown one, and less than a port with a meaning.
        vague = (by_port == NOTHING_KNOWN) | (by_port == Category.WEB) | (by_port == Category.TLS_WEB)
        by_address = np.where(vague, self._addresses.get(self._keys.addresses(*sides.other[:2])), 0)
        known = np.where(known != NOTHING_KNOWN, known, np.where(by_address, by_address, by_port))
        return np.where(known != NOTHING_KNOWN, known, np.uint8(Category.OTHER)).astype(np.uint8)


def _by_port(ports: Ports, sides: Sides, protocol: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(k,) what the peer's port means, else the client's if no client would take it by chance."""
    client_port, peer_port = (port.astype(np.int64) for port in (sides.one[2], sides.other[2]))
    served = ports.protocols[protocol]
    for number, table in ((_TCP, ports.tcp), (_UDP, ports.udp)):
        by_client = np.where(client_port < _SYSTEM_PORTS, table[client_port], np.uint8(NOTHING_KNOWN))
        by_peer = table[peer_port]
        served = np.where(protocol == number, np.where(by_peer, by_peer, by_client), served)
    return np.asarray(served, np.uint8)
