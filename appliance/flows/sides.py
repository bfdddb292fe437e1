"""Flows as devices state them, laid out by side: the client's near, its peer far. And back to rows.

The near side is the one in the site's networks, by its own address or by the one it is translated to or from.
Where both sides are, or neither is, near is the lower address until it is known who began.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAC_GROUP_BIT
from appliance.model.networks import Networks
from appliance.model.rows import FED_TRAFFIC

FORTH, BACK, BOTH = 0, 1, 2
"""Ways: sent by the near side, by the far side, or a biflow (RFC 5103)."""

KEY = ("near_hi", "near_lo", "far_hi", "far_lo", "shape")
"""Columns that both halves of a connection share."""

Rows = NDArray[np.void]
Mask = NDArray[np.bool_]
U64 = NDArray[np.uint64]

COLUMNS: dict[str, type] = {
    **dict.fromkeys(KEY, np.uint64),
    **dict.fromkeys(("first", "last", "received", "since"), np.int64),
    **dict.fromkeys(("near_mac", "far_mac", "ap_mac"), np.uint64),
    **dict.fromkeys(("near_nat_hi", "near_nat_lo", "far_nat_hi", "far_nat_lo"), np.uint64),
    **dict.fromkeys(("sent", "sent_octets", "got", "got_octets"), np.uint64),
    **dict.fromkeys(("near_nat_port", "far_nat_port"), np.uint16),
    "vlan": np.int16,
    **dict.fromkeys(("way", "end_reason"), np.uint8),
    **dict.fromkeys(("called", "by_receipt"), np.bool_),  # called: a biflow that the far side began
}

_PORT_BITS, _PORT = np.uint64(17), np.uint64(0x1FFFF)  # one more than the port: -1 is "not said"
_PROTOCOL_AT, _SOURCE_AT, _UNDECIDED = np.uint64(34), np.uint64(42), np.uint64(1 << 58)
_GROUP = np.uint64(MAC_GROUP_BIT)
_WITH_PORTS = np.zeros(256, np.bool_)
_WITH_PORTS[[6, 17, 33, 132, 136]] = True  # as `wire` has them: ICMP's type and code are no ports


@dataclass(frozen=True)
class Halves:
    """n flows by side: (n,) columns as COLUMNS says; `since` is when each arrived."""

    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["first"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    @property
    def key(self) -> tuple[U64, ...]:
        """Columns that both halves of a connection share."""
        return tuple(self.columns[name] for name in KEY)

    def take(self, rows: NDArray[np.int64] | Mask) -> "Halves":
        """Some of them, as copies."""
        return Halves({name: column[rows] for name, column in self.columns.items()})

    def followed_by(self, others: "Halves") -> "Halves":
        """These and then others."""
        return Halves({name: np.concatenate([self[name], others[name]]) for name in COLUMNS})

    @property
    def undecided(self) -> Mask:
        """(n,) the networks do not tell which side is the client."""
        return np.asarray((self.columns["shape"] & _UNDECIDED) != 0)

    @property
    def ports(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """(n,) of the near and of the far side; -1 where none is said."""
        shape: U64 = self.columns["shape"]
        near, far = shape >> _PORT_BITS & _PORT, shape & _PORT
        return near.astype(np.int32) - 1, far.astype(np.int32) - 1


def sides(stated: Rows, source: int, networks: Networks) -> Halves:
    """Lay out STATED rows by side."""
    ends = [_End(stated, "src", networks), _End(stated, "dst", networks)]
    src, dst = ends
    undecided = src.own == dst.own
    back = dst.own & ~src.own
    if undecided.any():
        which = np.flatnonzero(undecided)
        back[which] = _is_lower(dst, src, which)
    near, far = _Sorted(dst, src, back), _Sorted(src, dst, back)
    protocol = stated["protocol"].astype(np.uint64)
    shape = (near.port + np.uint64(1)) << _PORT_BITS | (far.port + np.uint64(1)) & _PORT
    shape = np.where(_WITH_PORTS[stated["protocol"]], shape, np.uint64(0))
    shape |= protocol << _PROTOCOL_AT | np.uint64(source) << _SOURCE_AT
    shape |= np.where(undecided, _UNDECIDED, np.uint64(0))
    biflow = stated["biflow"]
    counted = {name: np.where(biflow, stated[name + "_back"], np.uint64(0)) for name in ("packets", "octets")}
    return Halves(
        {
            "near_hi": near.hi,
            "near_lo": near.lo,
            "far_hi": far.hi,
            "far_lo": far.lo,
            "shape": shape,
            **{name: np.ascontiguousarray(stated[name]) for name in _COPIED},
            "since": np.where(stated["received"] > 0, stated["received"], stated["last"]),
            "near_mac": near.mac * ((near.mac & _GROUP) == 0),  # a group is never a station
            "far_mac": far.mac * (((far.mac & _GROUP) == 0) | ~undecided),
            **{f"near_nat_{part}": column for part, column in near.nat.items()},
            **{f"far_nat_{part}": column for part, column in far.nat.items()},
            "sent": np.where(back, counted["packets"], stated["packets"]),
            "sent_octets": np.where(back, counted["octets"], stated["octets"]),
            "got": np.where(back, stated["packets"], counted["packets"]),
            "got_octets": np.where(back, stated["octets"], counted["octets"]),
            "way": np.where(biflow, BOTH, np.where(back, BACK, FORTH)).astype(np.uint8),
            "called": biflow & back,
        }
    )


_COPIED = ("first", "last", "received", "ap_mac", "vlan", "end_reason", "by_receipt")


class _End:
    """One end of n flows: its inside address if the device states two, and what it is translated to."""

    def __init__(self, stated: Rows, name: str, networks: Networks) -> None:
        self.hi, self.lo = stated[name + "_ip_hi"].copy(), stated[name + "_ip_lo"].copy()
        self.port, self.mac = stated[name + "_port"].astype(np.int64), stated[name + "_mac"]
        nat_hi, nat_lo = stated[f"nat_{name}_ip_hi"].copy(), stated[f"nat_{name}_ip_lo"].copy()
        nat_port = stated[f"nat_{name}_port"].copy()
        self.own = networks.hold(self.hi, self.lo)
        translated = (nat_hi | nat_lo) != 0
        inside = np.flatnonzero(translated & ~self.own)
        inside = inside[networks.hold(nat_hi[inside], nat_lo[inside])]
        if len(inside):  # seen outside: what it is translated to is the client
            self.own[inside] = True
            for plain, nat in ((self.hi, nat_hi), (self.lo, nat_lo)):
                plain[inside], nat[inside] = nat[inside], plain[inside]
            outer = self.port[inside]
            self.port[inside] = np.where(nat_port[inside] > 0, nat_port[inside], outer)
            nat_port[inside] = np.maximum(outer, 0)
        same = (nat_hi == self.hi) & (nat_lo == self.lo) & ((nat_port == self.port) | (nat_port == 0))
        for column in (nat_hi, nat_lo, nat_port):
            column[same] = 0  # translated to itself
        self.nat = {"hi": nat_hi, "lo": nat_lo, "port": nat_port}


class _Sorted:
    """The ends of n flows that are on one side: of `one` where `where`, else of `other`."""

    def __init__(self, one: _End, other: _End, where: Mask) -> None:
        self.hi, self.lo = np.where(where, one.hi, other.hi), np.where(where, one.lo, other.lo)
        self.port = np.where(where, one.port, other.port).astype(np.uint64)
        self.mac = np.where(where, one.mac, other.mac)
        self.nat = {part: np.where(where, one.nat[part], other.nat[part]) for part in one.nat}


def _is_lower(one: _End, other: _End, which: NDArray[np.int64]) -> Mask:
    """(k,) whether `one` is the lower end: by address, then by port."""
    lower, same = np.zeros(len(which), np.bool_), np.ones(len(which), np.bool_)
    for mine, theirs in ((one.hi, other.hi), (one.lo, other.lo), (one.port, other.port)):
        lower |= same & (mine[which] < theirs[which])
        same &= mine[which] == theirs[which]
    return lower


def rows_of(halves: Halves, swapped: Mask) -> Rows:
    """(n,) FED_TRAFFIC rows; where `swapped` the far side is the client."""
    rows = np.zeros(len(halves), FED_TRAFFIC)
    near_port, far_port = halves.ports
    shape: U64 = halves["shape"]
    for name, near, far in (
        *((f"ip_{half}", halves[f"near_{half}"], halves[f"far_{half}"]) for half in ("hi", "lo")),
        ("port", near_port, far_port),
        ("mac", halves["near_mac"], halves["far_mac"]),
    ):
        rows["client_" + name], rows["peer_" + name] = near, far
    for name, column in (("packets", ""), ("bytes", "_octets")):
        rows[name + "_out"], rows[name + "_in"] = halves["sent" + column], halves["got" + column]
    for name, column in (("ip_hi", "hi"), ("ip_lo", "lo"), ("port", "port")):
        rows["nat_" + name] = halves["near_nat_" + column]
    which = np.flatnonzero(swapped)
    if len(which):
        for one, other in _EXCHANGED:
            rows[one][which], rows[other][which] = rows[other][which], rows[one][which]
        for name, column in (("ip_hi", "hi"), ("ip_lo", "lo"), ("port", "port")):
            rows["nat_" + name][which] = halves["far_nat_" + column][which]
    rows["first_seen"], rows["last_seen"] = halves["first"], halves["last"]
    for name in ("received", "ap_mac", "vlan", "end_reason", "by_receipt"):
        rows[name] = halves[name]
    rows["protocol"] = (shape >> _PROTOCOL_AT).astype(np.uint8)
    rows["source"] = (shape >> _SOURCE_AT).astype(np.uint16)
    return rows


_EXCHANGED = (
    *((f"client_{name}", f"peer_{name}") for name in ("ip_hi", "ip_lo", "port", "mac")),
    ("packets_out", "packets_in"),
    ("bytes_out", "bytes_in"),
)
