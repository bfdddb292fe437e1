"""What lies between link and IP: VLAN tags, PPPoE, PPP, MPLS, LLC/SNAP, provider backbone, pseudowires.

Each pass takes one header off every frame that still has one, all kinds at once; the passes are bounded.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.model.reasons import Refusal
from appliance.wire.datalinks import (
    ARP,
    IPV4,
    IPV6,
    KIND_ETHERNET,
    KIND_MPLS,
    KIND_PPP,
    KIND_PPPOE,
    LONGEST_LLC,
    bytes_at,
    macs,
    u16,
)
from appliance.wire.links import CUT, Reached, Refusals

Rows = NDArray[np.int64]

DEEPEST_SHIMS = 32
"""Headers taken off between link and IP, tags and labels counted one by one."""

_REFUSED = -2
_TAG_KINDS = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)  # IEEE 802.1Q, 802.1ad, and older QinQ
_MPLS_MULTICAST, _BACKBONE = 0x8848, 0x88E7
_VLAN, _PPPOE, _PPP, _MPLS, _LLC, _ETHERNET, _ITAG = range(1, 8)

_PPP_KINDS = {0x0021: IPV4, 0x0057: IPV6, 0x0281: KIND_MPLS, 0x0283: _MPLS_MULTICAST}
_FIRST_PPP_CONTROL = 0x8000
"""PPP protocols from here on negotiate, they carry nobody's packets (RFC 1661 section 2)."""

_SNAP = (0xAA, 0xAA, 0x03)
_SNAP_ETHERTYPES = (0x000000, 0x0000F8)  # RFC 1042, IEEE 802.1H

KNOWN_SILENT = (
    *(0x8035, 0x8863, 0x8809, 0x888E, 0x88C7, 0x88CC, 0x88E5, 0x88F5, 0x88F7, 0x8902, 0x8906, 0x8914),
    *(0x9000, 0x0842, 0x2000, 0x8137, 0x809B, 0x80F3, 0x8892, 0x8899, 0x88A4, 0x88B5, 0x88B6, 0x88B7),
    *(0x88B8, 0x88BA, 0x88D9, 0x88E1, 0x8912, 0x890D, 0x893A, 0x22EA, 0x22F0, 0x22F3, 0x6002, 0x6003),
)
"""Ethertypes that are well known and never carry IP (IEEE registration authority's list)."""


def _table(codes: dict[int, int]) -> NDArray[np.uint8]:
    """(65537,) a code an ethertype; the last entry, which -1 reaches, stays 0."""
    table = np.zeros(65537, np.uint8)
    table[list(codes)] = list(codes.values())
    return table


_CODES = _table(
    dict.fromkeys(range(LONGEST_LLC + 1), _LLC)
    | dict.fromkeys(_TAG_KINDS, _VLAN)
    | {KIND_PPPOE: _PPPOE, KIND_PPP: _PPP, KIND_MPLS: _MPLS, _MPLS_MULTICAST: _MPLS}
    | {KIND_ETHERNET: _ETHERNET, _BACKBONE: _ITAG}
)
_SILENT = _table(dict.fromkeys(KNOWN_SILENT, 1)) != 0


def peel(frames: Frames, found: Reached, refusals: Refusals) -> Reached:
    """The same layers with `start` behind all shims and `kind` IPv4, IPv6 or ARP; what is none is refused."""
    codes = _CODES[found.kind]
    if codes.any():
        found = _Walk(frames, found, refusals).peel()
    at, kind = found.at, found.kind
    wanted = (kind == IPV4) | (kind == IPV6) | (kind == ARP)
    if wanted.all():
        return found
    refusals.add(Refusal.CUT_SHORT, at[kind == CUT])
    endless = _CODES[kind] > 0
    refusals.add(Refusal.TOO_DEEP, at[endless])
    other = ~wanted & (kind >= 0) & ~endless
    silent = _SILENT[np.where(other, kind, CUT)]
    refusals.add(Refusal.NOT_IP, at[other & silent])
    refusals.add(Refusal.NOT_IP, at[other & ~silent], understood=False)
    return found.take(np.flatnonzero(wanted))


class _Walk:
    """Columns of `found` while its shims come off; `wire_end` is made because some of them state lengths."""

    def __init__(self, frames: Frames, found: Reached, refusals: Refusals) -> None:
        self._frames, self._refusals = frames, refusals
        wire_end = found.wire_end
        if wire_end is None:
            wire_end = frames.offsets[found.at] + frames.length[found.at]
        hidden = found.hidden_mac
        self._found = replace(
            found,
            start=found.start.copy(),
            end=found.end.copy(),
            kind=found.kind.copy(),
            source_mac=found.source_mac.copy(),
            destination_mac=found.destination_mac.copy(),
            vlan=found.vlan.copy(),
            hidden_mac=None if hidden is None else hidden.copy(),
            wire_end=wire_end.copy(),
        )
        assert self._found.wire_end is not None
        self._wire_end = self._found.wire_end

    def peel(self) -> Reached:
        walking = np.flatnonzero(_CODES[self._found.kind])
        for _ in range(DEEPEST_SHIMS):
            codes = _CODES[self._found.kind[walking]]
            walking, codes = walking[codes > 0], codes[codes > 0]
            if not len(walking):
                break
            for code, take in (
                *((_VLAN, self._vlan), (_PPPOE, self._pppoe), (_PPP, self._ppp), (_MPLS, self._mpls)),
                *((_LLC, self._llc), (_ETHERNET, self._ethernet), (_ITAG, self._itag)),
            ):
                rows = walking[codes == code]
                if len(rows):
                    take(rows)
        return self._found

    def _whole(self, rows: Rows, size: int | Rows) -> Rows:
        """Those of the rows whose header was captured; the others are marked as cut."""
        whole = self._found.start[rows] + size <= self._found.end[rows]
        if not whole.all():
            self._found.kind[rows[~whole]] = CUT
            rows = rows[whole]
        return rows

    def _refuse(self, rows: Rows, reason: Refusal, understood: bool) -> None:
        self._refusals.add(reason, self._found.at[rows], understood)
        self._found.kind[rows] = _REFUSED

    def _limit(self, rows: Rows, size: NDArray[np.int64]) -> None:
        """What follows has a stated size: what lies behind it is padding."""
        self._wire_end[rows] = self._found.start[rows] + size
        self._found.end[rows] = np.minimum(self._found.end[rows], self._wire_end[rows])

    def _vlan(self, rows: Rows) -> None:
        found = self._found
        rows = self._whole(rows, 4)
        tag = bytes_at(self._frames, found.start[rows], 4)
        identifier = (tag[:, 0] << 8 | tag[:, 1]) & 0x0FFF
        found.vlan[rows] = np.where(identifier == 0, found.vlan[rows], identifier)  # 0 is a priority
        found.kind[rows] = tag[:, 2] << 8 | tag[:, 3]
        found.start[rows] += 4

    def _pppoe(self, rows: Rows) -> None:
        """RFC 2516 section 4: version 1, type 1, code 0 in a session."""
        found = self._found
        rows = self._whole(rows, 6)
        header = bytes_at(self._frames, found.start[rows], 6)
        length = header[:, 4] << 8 | header[:, 5]
        sound = (header[:, 0] == 0x11) & (header[:, 1] == 0)
        fits = found.start[rows] + 6 + length <= self._wire_end[rows]
        self._refuse(rows[~sound], Refusal.BAD_VERSION, understood=False)
        self._refuse(rows[sound & ~fits], Refusal.BAD_LENGTH, understood=False)
        rows, length = rows[sound & fits], length[sound & fits]
        found.start[rows] += 6
        self._limit(rows, length)
        found.kind[rows] = KIND_PPP

    def _ppp(self, rows: Rows) -> None:
        """RFC 1661, 1662: address and control may be left out, and so may the protocol's first byte."""
        found = self._found
        rows = self._whole(rows, 1)
        header = bytes_at(self._frames, found.start[rows], 4)
        framed = (header[:, 0] == 0xFF) & (header[:, 1] == 0x03)
        first = np.where(framed, header[:, 2], header[:, 0])
        second = np.where(framed, header[:, 3], header[:, 1])
        short = first & 1 == 1
        size = np.where(framed, 2, 0) + np.where(short, 1, 2)
        protocol = np.where(short, first, first << 8 | second)
        whole = found.start[rows] + size <= found.end[rows]
        found.kind[rows[~whole]] = CUT
        rows, size, protocol = rows[whole], size[whole], protocol[whole]
        kind = np.full(len(rows), _REFUSED)
        for number, ethertype in _PPP_KINDS.items():
            kind[protocol == number] = ethertype
        control = protocol >= _FIRST_PPP_CONTROL
        self._refuse(rows[control], Refusal.NOT_IP, understood=True)
        self._refuse(rows[(kind == _REFUSED) & ~control], Refusal.NOT_IP, understood=False)
        found.kind[rows] = kind
        found.start[rows] += size

    def _mpls(self, rows: Rows) -> None:
        """RFC 3032: one label; behind the last one the first nibble tells IP (RFC 4928)."""
        found = self._found
        rows = self._whole(rows, 4)
        last = self._frames.data[found.start[rows] + 2] & 1 == 1
        found.start[rows] += 4
        rows = self._whole(rows[last], 1)
        nibble = self._frames.data[found.start[rows]] >> 4
        wire = found.start[rows]
        ethernet = self._looks_ethernet(rows, wire)
        controlled = (nibble == 0) & self._looks_ethernet(rows, wire + 4)
        is_ip = self._looks_ip(rows, nibble)
        kind = np.select(
            [is_ip & (nibble == 4), is_ip & (nibble == 6), ethernet, controlled],
            [IPV4, IPV6, KIND_ETHERNET, KIND_ETHERNET],
            np.select([nibble == 4, nibble == 6], [IPV4, IPV6], _REFUSED),
        )
        found.start[rows] += np.where(controlled & ~ethernet & ~is_ip, 4, 0)  # RFC 4385: the control word
        self._refuse(rows[kind == _REFUSED], Refusal.NOT_IP, understood=False)
        found.kind[rows] = kind

    def _looks_ip(self, rows: Rows, nibble: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether an IP header would fit in what is there."""
        start = self._found.start[rows]
        header = bytes_at(self._frames, start, 6)
        room = self._wire_end[rows] - start
        total = header[:, 2] << 8 | header[:, 3]
        payload = header[:, 4] << 8 | header[:, 5]
        four = (header[:, 0] & 15 >= 5) & (total >= 20) & (total <= room)
        return np.where(nibble == 4, four, (nibble == 6) & (payload + 40 <= room))

    def _looks_ethernet(self, rows: Rows, start: Rows) -> NDArray[np.bool_]:
        """Whether an Ethernet header stands there that carries what we know."""
        kind = u16(self._frames, start + 12)
        version = self._frames.data[start + 14] >> 4
        fitting = np.select(
            [kind == IPV4, kind == IPV6], [version == 4, version == 6], (_CODES[kind] > 0) | (kind == ARP)
        )
        silent = _SILENT[kind]
        return np.asarray((fitting | silent) & (kind > LONGEST_LLC) & (start + 15 <= self._found.end[rows]))

    def _llc(self, rows: Rows) -> None:
        """IEEE 802.2: only SNAP with an ethertype carries IP."""
        found = self._found
        length = found.kind[rows]
        fits = (length >= 3) & (found.start[rows] + length <= self._wire_end[rows])
        self._refuse(rows[~fits], Refusal.NOT_IP, understood=False)
        rows = rows[fits]
        self._limit(rows, length[fits])
        rows = self._whole(rows, 3)
        header = bytes_at(self._frames, found.start[rows], 8)
        snap = (header[:, :3] == _SNAP).all(1)
        self._refuse(rows[~snap], Refusal.NOT_IP, understood=True)
        rows, header = rows[snap], header[snap]
        whole = found.start[rows] + 8 <= found.end[rows]
        found.kind[rows[~whole]] = CUT
        rows, header = rows[whole], header[whole]
        organisation = header[:, 3] << 16 | header[:, 4] << 8 | header[:, 5]
        kind = header[:, 6] << 8 | header[:, 7]
        typed = (organisation == _SNAP_ETHERTYPES[0]) | (organisation == _SNAP_ETHERTYPES[1])
        typed &= kind > LONGEST_LLC
        self._refuse(rows[~typed], Refusal.NOT_IP, understood=True)
        found.start[rows] += 8
        found.kind[rows[typed]] = kind[typed]

    def _ethernet(self, rows: Rows) -> None:
        """An Ethernet header of its own inside: its MACs are the client's, its tags begin anew."""
        found = self._found
        rows = self._whole(rows, 14)
        destination, source = macs(self._frames, found.start[rows])
        found.destination_mac[rows], found.source_mac[rows] = destination, source
        found.vlan[rows] = -1
        if found.hidden_mac is not None:
            found.hidden_mac[rows] = False
        found.kind[rows] = u16(self._frames, found.start[rows] + 12)
        found.start[rows] += 14

    def _itag(self, rows: Rows) -> None:
        """IEEE 802.1ah: four bytes of service instance before the customer's Ethernet header."""
        rows = self._whole(rows, 4)
        self._found.start[rows] += 4
        self._found.kind[rows] = KIND_ETHERNET
