"""What the first packet of each side of a connection tells of that side: its MAC, and routers before it."""

import numpy as np
from numpy.typing import NDArray

from appliance.flows.flags import TO_FORWARDED
from appliance.flows.orient import GROUP_BIT, KEY_WORDS, Oriented, is_undecided
from appliance.wire.packets import Packets

_MOST_HOPS = 8
"""Routers between a client and the mirror at most: enough for any site, and far from the peers' 10 to 25."""

_FORWARDED = np.zeros(256, np.bool_)
for _first in (64, 128, 255):  # what systems send with: Linux, Apple; Windows; Solaris, network equipment
    _FORWARDED[_first - _MOST_HOPS : _first] = True


def senders(
    oriented: Oriented, head: NDArray[np.int64], heads: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(g,) number of the first packet that the first side sent, and the other; -1: none.

    The other side's is looked for only where that side may be the client.
    """
    inward = oriented.inward[heads]
    forth, back = np.where(inward, -1, heads), np.full(len(heads), -1)
    answered = np.flatnonzero(inward)
    forth[answered] = _first_of(~oriented.inward, head, heads[answered])
    if len(oriented.key) in KEY_WORDS.values():  # some packets are undecided
        undecided = is_undecided(oriented.key[-3][heads])
        back[undecided & inward] = heads[undecided & inward]
        called = np.flatnonzero(undecided & ~inward)
        back[called] = _first_of(oriented.inward, head, heads[called])
    return forth, back


def _first_of(
    sent: NDArray[np.bool_], head: NDArray[np.int64], heads: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(k,) number of the first packet of these groups that was `sent` so; -1: none."""
    is_wanted = np.zeros(len(head), np.bool_)
    is_wanted[heads] = True
    rows = np.flatnonzero(is_wanted[head] & sent)[::-1]
    first = np.empty(len(head), np.int64)
    first[heads] = -1
    first[head[rows]] = rows  # of repeated places the last written counts: the first packet
    return first[heads]


def has_sent(packets: Packets, first: NDArray[np.int64], sent: np.uint8) -> NDArray[np.uint8]:
    """(g,) `sent` where that side has sent, and that its first packet had been forwarded where it had.

    The hop limit tells it. Where the MACs are those of the link that carried an IP tunnel, it is not known.
    """
    known = np.flatnonzero(first >= 0)
    rows = first[known]
    over_router = _FORWARDED[packets.hop_limits(rows)]
    if packets.hidden_mac is not None:
        over_router |= packets.hidden_mac[rows]
    said = np.zeros(len(first), np.uint8)
    said[known] = np.where(over_router, sent | sent >> TO_FORWARDED, sent)
    return said


def first_macs(packets: Packets, keyed: NDArray[np.uint64], forth: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(g,) the first side's MAC: the key's, or where that has none the source of its first packet."""
    macs = keyed.copy()
    unkeyed = np.flatnonzero((keyed == 0) & (forth >= 0))
    sources = packets.source_mac[forth[unkeyed]]
    macs[unkeyed] = np.where(sources & GROUP_BIT, np.uint64(0), sources)
    return macs
