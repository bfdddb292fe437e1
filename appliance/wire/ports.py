"""UDP ports behind which this room looks: control packets and tunnels. One table, one look-up a side."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from appliance.wire import capwap
from appliance.wire.packets import Packets

UDP = 17


class Behind(IntEnum):
    """What a port is for."""

    NOTHING = 0
    DHCP = 1
    DHCPV6 = 2
    VXLAN = 3
    VXLAN_GPE = 4
    GENEVE = 5
    TZSP = 6
    GTP = 7
    CAPWAP = 8
    LWAPP = 9
    MPLS = 10
    L2TP = 11


FIRST_TUNNEL = Behind.VXLAN

_PORTS = {
    67: Behind.DHCP,
    68: Behind.DHCP,
    546: Behind.DHCPV6,
    547: Behind.DHCPV6,
    1701: Behind.L2TP,
    2152: Behind.GTP,
    4790: Behind.VXLAN_GPE,
    capwap.PORT: Behind.CAPWAP,
    6081: Behind.GENEVE,
    6635: Behind.MPLS,
    **dict.fromkeys(capwap.LWAPP_PORTS, Behind.LWAPP),
    37008: Behind.TZSP,
}


def table(vxlan_ports: Sequence[int]) -> NDArray[np.uint8]:
    """(65536,) what each port is for, by its number as it lies on the wire.

    A port that is set for VXLAN is for nothing else, but those of DHCP stay its own.
    """
    codes = np.zeros(65536, np.uint8)
    codes[list(_PORTS)] = list(_PORTS.values())
    codes[[port for port in vxlan_ports if codes[port] not in (Behind.DHCP, Behind.DHCPV6)]] = Behind.VXLAN
    return codes[np.arange(65536, dtype=np.uint16).byteswap()]


def tunnel_ports(vxlan_ports: Sequence[int]) -> tuple[int, ...]:
    """The ports behind which a tunnel may lie."""
    return (*vxlan_ports, *(port for port, kind in _PORTS.items() if kind >= FIRST_TUNNEL))


@dataclass(frozen=True)
class Ported:
    """UDP packets with such a port: their rows, and what the source and the destination port is for."""

    rows: NDArray[np.int64]
    source: NDArray[np.uint8]
    destination: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.rows)

    def control(self, kind: Behind) -> NDArray[np.int64]:
        """Rows of packets both of whose ports are for this."""
        return np.asarray(self.rows[(self.source == kind) & (self.destination == kind)])


def look(packets: Packets, codes: NDArray[np.uint8]) -> Ported:
    """The packets of this batch behind whose ports we look."""
    rows = np.flatnonzero(packets.shape == UDP)
    found = codes.take(packets.ports[rows].view(np.uint16)).view(np.uint16)
    some = np.flatnonzero(found)
    sides = found[some].view(np.uint8).reshape(-1, 2)
    return Ported(rows[some], sides[:, 0], sides[:, 1])
