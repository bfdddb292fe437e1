"""Records of translations to TRANSLATION rows: RFC 8158, and the drafts that devices still follow."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from appliance.feeds.netflow.instants import observed
from appliance.feeds.netflow.records import Columns
from appliance.feeds.netflow.stating import read_vlan
from appliance.feeds.netflow.templates import Template
from appliance.feeds.told import Rows
from appliance.model.reasons import Note
from appliance.model.rows import TRANSLATION

_COUNTERS = ("octets", "packets", "octets_total", "packets_total", "octets_back", "packets_back")
_INSIDE, _OUTSIDE = 1, 2
"""natOriginatingAddressRealm (IANA element 229): where what asked for the translation came from."""

_NOTHING_MADE = (3, 18)  # addresses exhausted, threshold reached
_FIRST_OLD = 1  # "NAT translation create" of the first drafts, then 2 for its end


def tells_translations(template: Template) -> bool:
    """Whether its records are about translations and not about traffic."""
    return template.reads("nat_event", "block_first") and not template.reads(*_COUNTERS, "firewall_event")


def read_translations(columns: Columns, init_ms: int, noted: Counter[str]) -> tuple[Rows, NDArray[np.int64]]:
    """(rows, which records they are of): those that name an inside and an outside address."""
    event = columns.number("nat_event").astype(np.uint8)
    made, ended = read_events(event)
    if not columns.has("nat_event"):
        made |= True  # a block of ports without a word what became of it
    rows = np.zeros(len(columns), TRANSLATION)
    rows["seen"], by_receipt = observed(columns, init_ms)
    rows["released"] = ended
    rows["protocol"] = columns.number("protocol").astype(np.uint8)
    rows["vlan"] = read_vlan(columns)
    _read_sides(columns, rows)
    _read_blocks(columns, rows)
    named = ((rows["ip_hi"] | rows["ip_lo"]) != 0) & ((rows["nat_ip_hi"] | rows["nat_ip_lo"]) != 0)
    kept = (made | ended) & named
    noted[Note.DEVICE_CLOCK] += int(np.count_nonzero(by_receipt & kept))
    return rows[kept], np.flatnonzero(kept)


def read_events(event: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(made, ended) of natEvent (IANA element 230).

    In RFC 8158 even numbers from 4 make and odd ones end. Devices after draft-ietf-behave-ipfix-nat-
    logging-02 (Juniper) number from 1 to 15 otherwise, yet whatever makes a translation there is even too, 1
    and 2 apart. Where the two differ is in what makes none (10 to 13: exhausted, exceeded), and such records
    do not name both addresses.
    """
    known = (event != 0) & ~np.isin(event, _NOTHING_MADE)
    first = event <= _FIRST_OLD + 1
    made = known & np.where(first, event == _FIRST_OLD, event % 2 == 0)
    return made, known & ~made


def _read_sides(columns: Columns, rows: Rows) -> None:
    """Inside, outside and peer. What came from outside has them the other way round (RFC 8158)."""
    src, dst = columns.address("src"), columns.address("dst")
    nat_src, nat_dst = columns.address("nat_src"), columns.address("nat_dst")
    port = {
        name: columns.number(name).astype(np.uint16)
        for name in ("src_port", "dst_port", "nat_src_port", "nat_dst_port")
    }
    inwards = columns.number("realm") == _OUTSIDE
    for half, name in enumerate(("hi", "lo")):
        rows[f"ip_{name}"] = np.where(inwards, nat_dst[half], src[half])
        rows[f"nat_ip_{name}"] = np.where(inwards, dst[half], nat_src[half])
    beyond = (dst[0] | dst[1]) == 0  # only the outside's view of the peer is stated
    for half, name in enumerate(("hi", "lo")):
        rows[f"peer_ip_{name}"] = np.where(inwards, src[half], np.where(beyond, nat_dst[half], dst[half]))
    rows["port"] = np.where(inwards, port["nat_dst_port"], port["src_port"])
    rows["nat_port"] = np.where(inwards, port["dst_port"], port["nat_src_port"])
    peer_port = np.where(beyond, port["nat_dst_port"], port["dst_port"])
    rows["peer_port"] = np.where(inwards, port["src_port"], peer_port)
    rows["nat_port_last"] = rows["nat_port"]


def _read_blocks(columns: Columns, rows: Rows) -> None:
    """Blocks of ports: their last is stated, or follows from their number and how far apart they are."""
    if not columns.has("block_first"):
        return
    first, last = columns.number("block_first"), columns.number("block_last")
    step = np.maximum(columns.number("block_step"), np.uint64(1))
    size = np.clip(columns.number("block_size"), np.uint64(1), np.uint64(65536))
    reckoned = first + (size - np.uint64(1)) * np.minimum(step, np.uint64(65535))
    last = np.minimum(np.where(last >= first, last, reckoned), np.uint64(65535))
    block = (first != 0) | (last != 0)
    rows["nat_port"] = np.where(block, first.astype(np.uint16), rows["nat_port"])
    rows["nat_port_last"] = np.where(block, last.astype(np.uint16), rows["nat_port_last"])
