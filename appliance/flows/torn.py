"""Connections that a batch shows under two MACs: so look both sides of a router where a mirror shows both.

Asked of groups, which are few, where packets were not looked at one by one. What is suspected is told by a
hash of the ends, cut short: a few connections more are looked at than need be, and none less.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.flows.groups import Groups
from appliance.flows.orient import orient
from appliance.model.networks import Networks
from appliance.wire.packets import Packets

_BITS = 16
_LOW = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)

U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Suspects:
    """Connections of one family by their ends. `multipliers` are those that groups are hashed with."""

    marks: Mask  # (2**_BITS,) by the first bits of the ends' hash
    multipliers: U64

    def __bool__(self) -> bool:
        return bool(self.marks.any())

    @classmethod
    def among(cls, groups: list[Groups], multipliers: U64) -> "Suspects":
        """Those of one family's groups that have the same addresses, ports and protocol, but other MACs."""
        marks = np.zeros(1 << _BITS, np.bool_)
        # Whoever has no address yet shares its ends with all others who have none.
        known = [~_is_nobodys(each.key) for each in groups]
        ends = [_ends(each.key[:-2], multipliers)[rows] for each, rows in zip(groups, known, strict=True)]
        whole = [each.hash[rows] for each, rows in zip(groups, known, strict=True)]
        if groups and _distinct(ends) != _distinct(whole):
            joined, hashed = np.concatenate(ends), np.concatenate(whole)
            order = np.argsort(joined)
            joined, hashed = joined[order], hashed[order]
            twice = (joined[1:] == joined[:-1]) & (hashed[1:] != hashed[:-1])
            marks[_places(joined[1:][twice])] = True
        return cls(marks, multipliers)

    def others(self, groups: Groups) -> Groups:
        """The groups of connections that are not suspected."""
        held = self.marks[_places(_ends(groups.key[:-2], self.multipliers))]
        return groups.take(np.flatnonzero(~held))

    def packets(self, packets: Packets, networks: Networks) -> Packets:
        """The packets of suspected connections."""
        key = orient(packets, networks).key[: len(packets.addresses) + 1]
        return packets.take(np.flatnonzero(self.marks[_places(_ends(key, self.multipliers))]))


def _ends(words: tuple[U64, ...], multipliers: U64) -> U64:
    hashed: U64 = words[0] * multipliers[0]
    for word, multiplier in zip(words[1:], multipliers[1:], strict=False):
        hashed += word * multiplier
    return hashed


def _places(ends: U64) -> NDArray[np.int64]:
    return (ends >> np.uint64(64 - _BITS)).astype(np.int64)


def _distinct(hashes: list[U64]) -> int:
    ordered = np.sort(np.concatenate(hashes))
    return int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def _is_nobodys(key: tuple[U64, ...]) -> Mask:
    """(g,) one of the addresses is the unspecified one."""
    if len(key) == 4:
        return np.asarray(((key[0] & _LOW) == 0) | ((key[0] >> _HALF) == 0))
    return np.asarray(((key[0] | key[1]) == 0) | ((key[2] | key[3]) == 0))
