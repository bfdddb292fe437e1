"""The layout of a traffic segment: which row stands in which row group, and in what order.

Rows are cut into slabs by destination and each slab into runs by client, so that a client is found in one
run of every slab and a destination in the runs of one slab: both questions open a small part of the file.
All row groups are of about equal length whatever the traffic. Inside one, rows stand by protocol, peer
port, client, destination and time, which packs best of the orders tried (see the decisions); the order
of rows carries no meaning.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.vault.columns import Rows, is_traffic
from appliance.vault.fingerprints import FINGERPRINT_BITS, ROW_GROUP_LIMIT, fingerprints

ROWS_PER_GROUP = 14_000
SLABS_PER_RUN = (
    2.4  # a search for one destination opens its runs in every hour, one for a client only its hours
)

Order = NDArray[np.int64]
Keys = NDArray[np.uint64]


def cells(rows: Rows) -> list[Order]:
    """For each row group the numbers of its rows, in the order in which they are to be written."""
    if not is_traffic(rows):
        return _by_holder(rows)
    groups = min(max(1, round(len(rows) / ROWS_PER_GROUP)), ROW_GROUP_LIMIT)
    slabs = max(1, round((groups * SLABS_PER_RUN) ** 0.5)) if groups > 1 else 1
    runs = max(1, groups // slabs)
    peer = fingerprints(rows["peer_ip_hi"], rows["peer_ip_lo"]).astype(np.uint64)
    client = _clients(rows)
    inside = _inside(rows, client, peer)
    ordered: list[Order] = []
    for slab in np.array_split(_sorted(peer), slabs):
        by_client = slab[_sorted(client[slab])]
        ordered.extend(run[np.argsort(inside[run])] for run in np.array_split(by_client, runs))
    return ordered


def _sorted(fingerprint: Keys) -> Order:
    """The order that sorts fingerprints; sorting number and place as one word is faster than argsort."""
    place = np.arange(len(fingerprint), dtype=np.uint64)
    shift = np.uint64(64 - FINGERPRINT_BITS)
    return (np.sort(fingerprint << shift | place) & (1 << 40) - 1).astype(np.int64)


def _clients(rows: Rows) -> Keys:
    """A fingerprint of each row's station: its MAC, or its address where no MAC is known."""
    known = rows["client_mac"] != 0
    hi = np.where(known, np.uint64(0), rows["client_ip_hi"])
    lo = np.where(known, rows["client_mac"], rows["client_ip_lo"])
    return fingerprints(hi, lo).astype(np.uint64)


def _inside(rows: Rows, client: Keys, peer: Keys) -> Keys:
    """Sort keys inside a row group; where the few bits of an address collide, only some bytes are lost."""
    since = rows["first_seen"] - rows["first_seen"].min()
    key = (rows["protocol"] & np.uint8(1)).astype(np.uint64)
    for values, bits in (
        (rows["peer_port"].astype(np.uint64), 16),
        (client, 15),
        (rows["client_ip_lo"], 4),
        (peer, 17),
        ((since >> 31).astype(np.uint64), 11),
    ):
        key = key << np.uint64(bits) | values & np.uint64((1 << bits) - 1)
    return key


def _by_holder(rows: Rows) -> list[Order]:
    order = np.lexsort((rows["from"], rows["mac"], rows["ip_lo"], rows["ip_hi"]))
    groups = min(max(1, len(rows) // ROWS_PER_GROUP), ROW_GROUP_LIMIT)
    return np.array_split(order, groups)
