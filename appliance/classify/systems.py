"""Families of operating systems: what DHCP clients ask for, against the table of fingerprints."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from appliance.classify.categories import OsFamily
from appliance.wire import parameters
from appliance.wire.packets import Packets

SYSTEM = np.dtype([("seen", np.int64), ("client_mac", np.uint64), ("family", np.uint8)])
"""One client asked for an address: when (UTC ns), its MAC as a number, its OsFamily."""

MOST_AT_ONCE = 500
"""Messages read in a batch: about 15 us each, so a flood costs 8 ms and not the recorder."""

LONGEST_MESSAGE = 1500

_UDP = 17
_UDP_HEADER_BYTES = 8
_TO_SERVER = np.uint32(68 << 16 | 67).byteswap()
"""Ports 68 to 67 as `Packets.ports` has them: network order, the source in the low half."""

_GROUP_BIT = 0x0100_0000_0000


def systems(packets: Packets, fingerprints: Mapping[bytes, OsFamily]) -> NDArray[np.void]:
    """(k,) SYSTEM rows of the DHCP requests in one decoded batch; never raises, whatever the bytes."""
    if packets.family != 4:
        return np.empty(0, SYSTEM)
    rows = np.flatnonzero((packets.ports == _TO_SERVER) & (packets.shape == _UDP))
    rows = rows[packets.transport[rows] >= 0][:MOST_AT_ONCE]
    if not len(rows):
        return np.empty(0, SYSTEM)
    buffer = packets.frames.data.data
    starts = packets.transport[rows] + _UDP_HEADER_BYTES
    stops = np.minimum(packets.ends(rows), starts + LONGEST_MESSAGE)
    found: list[tuple[int, int, int]] = []
    for seen, start, stop in zip(packets.time[rows].tolist(), starts.tolist(), stops.tolist(), strict=True):
        asked = parameters.read(buffer[start : max(start, stop)])
        if asked is not None and asked.mac and not asked.mac & _GROUP_BIT:
            found.append((seen, asked.mac, fingerprints.get(asked.parameters, OsFamily.OTHER)))
    return np.array(found, SYSTEM)
