"""Aruba's tunnels between access point and controller: 802.11 frames in GRE, one protocol number a BSSID.

The numbers are not published; they are those that Wireshark and Zeek know (0x8200 to 0x8370, by sixteens).
0x9000 is counted to them too, but what it carries is not known: it stays what it is.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.wire.radio import IEEE802_11

_FIRST, _LAST, _STEP = 0x8200, 0x8370, 0x10


def link_of(protocol: NDArray[np.int64]) -> NDArray[np.int64]:
    """(k,) the link type of what GRE carries under these protocol numbers, -1 where it is not Aruba's."""
    known = (protocol >= _FIRST) & (protocol <= _LAST) & (protocol % _STEP == 0)
    return np.where(known, IEEE802_11, -1)
