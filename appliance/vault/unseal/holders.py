"""Who held an address, joined to traffic: MAC, access point, SSID, user, session and translation. Pure.

A traffic row's evidence is the best by which its own MAC held its address when it began; where the row names
no MAC, it is that of the best evidence for its address, and `mac_evidence` says which. Every other MAC that
claimed the address at that instant is named beside it. User and session are those of the best evidence
that names one, of this address or of this MAC's association; access point and SSID those that began last.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.model.addresses import mac_bytes, mac_text
from appliance.model.reasons import EVIDENCE_NAMES, Evidence
from appliance.model.schemas import TRAFFIC_SCHEMA
from appliance.vault.columns import fixed
from appliance.vault.fingerprints import mixed
from appliance.vault.unseal.intervals import numbers_of, ranks
from appliance.vault.unseal.parts import I64, U64, Mask, instants, mac_numbers
from appliance.vault.unseal.translations import Translated

_TEXTS = ("ssid", "user", "session", "evidence", "mac_evidence", "other_macs")
_AT_NAT = [*TRAFFIC_SCHEMA.names].index("nat_port") + 1

JOINED_SCHEMA = pa.schema(
    [
        *(TRAFFIC_SCHEMA.field(at) for at in range(_AT_NAT)),
        pa.field("nat_port_last", pa.uint16()),
        *(TRAFFIC_SCHEMA.field(at) for at in range(_AT_NAT, len(TRAFFIC_SCHEMA))),
        *(pa.field(name, pa.string()) for name in _TEXTS),
    ]
)
"""What a search answers: the traffic record, then what is known of who held the client's address.

`nat_port_last` is null unless a whole block of ports, from `nat_port` on, was the client's.
"""


@dataclass(frozen=True)
class Found:
    """(n,) of each question, numbers of intervals or -1: the best of its holder, of its place and person."""

    mac: U64
    mac_evidence: I64
    evidence: I64
    named: dict[str, I64]
    other_macs: pa.Array


@dataclass(frozen=True)
class Holders:
    """Intervals (see `intervals`), ready to be asked who held an address at an instant."""

    table: pa.Table

    def join(self, traffic: pa.Table) -> pa.Table:
        """Rows of TRAFFIC_SCHEMA to rows of JOINED_SCHEMA."""
        columns = {name: traffic[name] for name in TRAFFIC_SCHEMA.names}
        if not len(self.table):
            columns |= {name: pa.nulls(len(traffic), pa.string()) for name in _TEXTS}
            columns["nat_port_last"] = pa.nulls(len(traffic), pa.uint16())
            return pa.Table.from_arrays([columns[name] for name in JOINED_SCHEMA.names], schema=JOINED_SCHEMA)
        mac, when = mac_numbers(traffic["client_mac"]), instants(traffic, "first_seen")
        found = self.of(numbers_of(traffic["client_ip"]), mac, when)
        columns |= self.columns(found)
        columns["ap_mac"] = pc.coalesce(traffic["ap_mac"], columns["ap_mac"])
        if (mac == 0).any():
            columns["client_mac"] = fixed(mac_bytes(found.mac), found.mac != 0)
        columns |= self._translated.join(traffic)
        return pa.Table.from_arrays([columns[name] for name in JOINED_SCHEMA.names], schema=JOINED_SCHEMA)

    def addresses_of(self, mac: bytes) -> pa.Array:
        """Every address that a MAC held at some time."""
        held = self.table.filter(pc.equal(self.table["mac"], pa.scalar(mac, pa.binary(6))))
        return pc.unique(held["ip"].drop_null())

    def columns(self, found: Found) -> dict[str, pa.Array]:
        """What was found as columns: `ap_mac` and those of _TEXTS."""
        told = {name: self._taken(name, which) for name, which in found.named.items()}
        told["evidence"] = self._taken("evidence", found.evidence)
        told["mac_evidence"] = self._taken("evidence", found.mac_evidence)
        return told | {"other_macs": found.other_macs}

    def of(self, ip: tuple[U64, U64], mac: U64, when: I64) -> Found:
        """(n,) who held an address at an instant; `mac` is 0 where that is asked too."""
        row_ip = mixed(*ip)
        mac, mac_evidence = self._macs(row_ip, mac, when)
        evidence = np.full(len(when), -1, np.int64)
        best = {name: np.full(len(when), -1, np.int64) for name in self._names}
        contested: list[tuple[I64, U64]] = []
        for row, held in _meetings(self._by_ip, self._ip, row_ip):
            during = (self._begin[held] <= when[row]) & (when[row] <= self._until[held])
            row, held = row[during], held[during]
            own = (self._mac[held] == mac[row]) | (self._mac[held] == 0)
            _better(evidence, row[own], held[own], self._person)
            self._note(best, row[own], held[own])
            if not own.all():
                contested.append((row[~own], self._mac[held[~own]]))
        for row, held in _meetings(self._by_mac, self._mac, mac):
            during = (self._begin[held] <= when[row]) & (when[row] <= self._until[held])
            self._note(best, row[during], held[during])
        return Found(mac, mac_evidence, evidence, best, _as_text(contested, len(when)))

    def _macs(self, row_ip: U64, mac: U64, when: I64) -> tuple[U64, I64]:
        """(n,) the MAC of each, of the best evidence where it is not known, and the interval that says so."""
        told = np.full(len(when), -1, np.int64)
        unknown = np.flatnonzero(mac == 0)
        if not len(unknown):
            return mac, told
        of_a_mac = self._by_ip[self._mac[self._by_ip] != 0]
        found = np.full(len(unknown), -1, np.int64)
        for row, held in _meetings(of_a_mac, self._ip, row_ip[unknown]):
            at = when[unknown[row]]
            during = (self._begin[held] <= at) & (at <= self._until[held])
            _better(found, row[during], held[during], self._person)
        told[unknown] = found
        mac = mac.copy()
        mac[told >= 0] = self._mac[told[told >= 0]]
        return mac, told

    def _note(self, best: dict[str, I64], row: I64, held: I64) -> None:
        for name, score in self._names.items():
            said = self._says[name][held]
            if said.any():
                _better(best[name], row[said], held[said], score)

    @cached_property
    def _rank(self) -> I64:
        return ranks(self.table)

    @cached_property
    def _begin(self) -> I64:
        return instants(self.table, "from")

    @cached_property
    def _until(self) -> I64:
        return instants(self.table, "until")

    @cached_property
    def _mac(self) -> U64:
        return mac_numbers(self.table["mac"])

    @cached_property
    def _ip(self) -> U64:
        return mixed(*numbers_of(self.table["ip"]))

    @cached_property
    def _by_ip(self) -> I64:
        """Those that hold an address, by address."""
        which = np.flatnonzero(self._has_ip & (self._rank != Evidence.NAT))
        return np.asarray(which[np.argsort(self._ip[which], kind="stable")])

    @cached_property
    def _by_mac(self) -> I64:
        """Associations, by MAC."""
        which = np.flatnonzero(~self._has_ip & (self._rank != Evidence.NAT))
        return np.asarray(which[np.argsort(self._mac[which], kind="stable")])

    @cached_property
    def _has_ip(self) -> Mask:
        return np.asarray(self.table["ip"].is_valid().to_numpy())

    @cached_property
    def _person(self) -> I64:
        """(n,) a number that is greater the better the evidence, and then the later it began."""
        return _order((self._begin, self._rank))

    @cached_property
    def _names(self) -> dict[str, I64]:
        """What intervals name, and by which number the better is chosen."""
        latest = _order((self._rank, self._begin))
        return {"ap_mac": latest, "ssid": latest, "user": self._person, "session": self._person}

    @cached_property
    def _says(self) -> dict[str, Mask]:
        return {name: np.asarray(self.table[name].is_valid().to_numpy()) for name in self._names}

    @cached_property
    def _translated(self) -> Translated:
        return Translated(self.table.filter(pc.equal(self.table["evidence"], EVIDENCE_NAMES[Evidence.NAT])))

    def _taken(self, name: str, which: I64) -> pa.Array:
        known = which >= 0
        if not known.any():
            return pa.nulls(len(which), self.table.schema.field(name).type)
        return self.table[name].take(pa.array(which, mask=~known))


def _order(columns: tuple[I64, ...]) -> I64:
    place = np.empty(len(columns[0]), np.int64)
    place[np.lexsort(columns)] = np.arange(len(place))
    return place


def _better(best: I64, row: I64, held: I64, score: I64) -> None:
    """Let intervals take the place of worse ones, or of none; each row stands here once."""
    before = best[row]
    wins = (before < 0) | (score[held] > score[before])
    best[row[wins]] = held[wins]


def _meetings(which: I64, keys: U64, asked: U64) -> Iterator[tuple[I64, I64]]:
    """Rows and one interval of the same key for each, turn by turn; `which` is in order of the keys."""
    held = keys[which]
    start = np.searchsorted(held, asked, "left")
    count = np.searchsorted(held, asked, "right") - start
    for turn in range(int(count.max(initial=0))):
        row = np.flatnonzero(count > turn)
        yield row, which[start[row] + turn]


def _as_text(contested: list[tuple[I64, NDArray[np.uint64]]], count: int) -> pa.Array:
    if not contested:
        return pa.nulls(count, pa.string())
    claims: dict[int, set[int]] = {}
    for rows, macs in contested:
        for row, mac in zip(rows.tolist(), macs.tolist(), strict=True):
            claims.setdefault(row, set()).add(mac)
    texts: dict[frozenset[int], str] = {}
    column: list[str | None] = [None] * count
    for row, claimants in claims.items():
        known = frozenset(claimants)
        column[row] = texts.get(known) or texts.setdefault(known, " ".join(map(mac_text, sorted(known))))
    return pa.array(column, pa.string())
