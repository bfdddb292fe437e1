"""Who holds an address, and which access point a MAC is with: claims in, BINDING rows out.

Two MACs that claim one address over ARP or ND at the same time are two bindings and both are kept. Where one
authority gives an address away (a DHCP server, a RADIUS client) the address has one holder: the
next one ends the one before. A MAC is with one access point at a time, by each kind of evidence.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.identity import spells
from appliance.identity.holdings import Holdings
from appliance.identity.named import Mask
from appliance.identity.spells import LEASE_REACH_NS
from appliance.identity.table import Rows, Slots
from appliance.model.reasons import EndReason, Evidence

_GIVEN_AWAY = (Evidence.DHCP, Evidence.DHCPV6, Evidence.RADIUS)
"""Evidence of somebody who gives addresses away, each to one holder at a time."""

OF_FEEDS = 262_144
"""Open bindings of all that feeds tell: a client of RADIUS and DHCP has three. 330 bytes each when in use."""

_SESSIONS = (Evidence.ASSOCIATION, Evidence.RADIUS)
"""Evidence that tells a beginning and an end and owes nothing between them: RADIUS accounting need not send
interim updates (RFC 2866 section 2.1, RFC 2869 section 2.1), an access point logs a station that joins and,
once it is silent (hostapd.conf ap_max_inactivity, 300 s by default), that it left. So each stands until its
end is told, like a lease: for 24 hours at most, since a box that loses power tells no end. So does a lease of
which a server's log does not say how long it is (dnsmasq, ISC dhcpd); on the wire an answer without a lease
is one to a device that has its address from elsewhere (RFC 2131 section 3.4, DHCPINFORM)."""

_OF_STATIONS = (Evidence.PRESENCE, *_SESSIONS)
"""Evidence of a device rather than of an address: it tells access point and user of all that it sends."""

_ANY_SOURCE = 0xFFFF
"""A device is with one access point at a time, whoever says so: each may be a source of its own."""

_SESSION = np.dtype([("mac", np.uint64), ("session", np.uint32), ("source", np.uint16), ("seen", np.int64)])


class Bindings(Holdings):
    """Every binding that is open; observes CLAIM rows.

    `by_source`: sources are witnesses of different places, where one address may be held twice; else they
    are one after the other of the same place.
    """

    def __init__(self, limit: int = 65_536, by_source: bool = False) -> None:
        key = ("ip_hi", "ip_lo", "mac", "vlan", "evidence")
        super().__init__(limit, key, ("mac", "session"), ("ap_mac", "ssid", "user"))
        self._by_source = by_source
        self._source = 0  # of the claims that are being taken
        self._over = np.zeros(0, _SESSION)

    def observe(self, claims: Rows, source: int) -> Rows:
        """Take claims in any order, all of one `source`; returns the parts they closed.

        The end of a RADIUS session ends all it held. A release that names neither address nor MAC ends
        everything of its evidence and source at its access point, or everywhere if it names none:
        it was switched off, or on anew (RFC 2866 section 5.1: Accounting-On, Accounting-Off).
        """
        self._source = source
        nobody = (claims["mac"] == 0) & ~_has_address(claims)
        switched = claims[nobody & claims["released"]]
        claims = _with_associations(claims[~nobody] if nobody.any() else claims)
        parts = [super().observe(claims, source)]
        stopped = claims[claims["released"] & (claims["session"] != 0)]
        if len(stopped) or len(self._over):
            parts.append(self._ended(stopped))
        return self._joined([*parts, *(self._switched(each) for each in switched)])

    def texts(self) -> NDArray[np.uint32]:
        """The numbers of the texts that open bindings name."""
        held = self._held[self._open]
        return np.unique(np.concatenate([held[name] for name in ("ssid", "user", "session", "class")]))

    def _keys(self, claims: Rows, source: int) -> Rows:
        keys = super()._keys(claims, source if self._by_source else 0)
        keys["mac"][self._contested(claims)] = 0
        keys["source"][~_has_address(claims)] = _ANY_SOURCE
        return keys

    def _contested(self, claims: Rows) -> Mask:
        return np.asarray(np.isin(claims["evidence"], _GIVEN_AWAY) & _has_address(claims))

    def _leases(self, claims: Rows) -> NDArray[np.int64]:
        stands = (*_SESSIONS, *_GIVEN_AWAY) if self._by_source else _SESSIONS
        open_ended = np.isin(claims["evidence"], stands) & (claims["until"] == 0)
        leases = np.where(open_ended, claims["seen"] + LEASE_REACH_NS, claims["until"])
        return np.where(claims["evidence"] == Evidence.FLOW, 0, leases)

    def _lasts(self, claims: Rows) -> NDArray[np.int64]:
        # A flow that names its station is evidence of all of its time, not a promise of what comes.
        is_flow = claims["evidence"] == Evidence.FLOW
        return np.where(is_flow, np.maximum(claims["seen"], claims["until"]), claims["seen"])

    def _gives(self, claims: Rows) -> Mask:
        # On the wire an answer without a lease gives nothing away: anybody may ask for one (DHCPINFORM).
        without = np.isin(claims["evidence"], (Evidence.DHCP, Evidence.DHCPV6)) & (claims["until"] == 0)
        return np.asarray(~without | self._by_source)

    def _is_alone(self, claims: Rows) -> Mask:
        nameless = (claims["ap_mac"] == 0) & (claims["session"] == 0) & ~_has_address(claims)
        return np.asarray(nameless & self._by_source)

    def _testifies(self, claims: Rows) -> Mask:
        return np.isin(claims["evidence"], _SESSIONS)

    def _name(self, claims: Rows, slots: Slots) -> None:
        super()._name(claims, slots)
        for name in ("class", "bytes_out", "bytes_in"):
            self._follow(name, claims, slots)

    def _named_another(self, claims: Rows, slots: Slots, names: Sequence[str]) -> Mask:
        found = super()._named_another(claims, slots, names)
        if self._by_source and "ap_mac" in names:
            # An access point that does not say its name, and is not the one that spoke before.
            nameless = self._is_alone(claims)
            if nameless.any():
                found |= nameless & (self._held["source"][slots] != self._source) & self._open[slots]
        return np.asarray(found & (slots >= 0))

    def _succeeded(self, slots: Slots, when: NDArray[np.int64]) -> None:
        held = self._held[slots]
        over = np.zeros(len(slots), _SESSION)
        for name in ("mac", "session", "source"):
            over[name] = held[name]
        over["seen"] = when
        self._over = np.concatenate([self._over, over[held["session"] != 0]])

    def _ended(self, stopped: Rows) -> Rows:
        """Close what else was held by sessions that were stopped, or that another one came after."""
        over = np.zeros(len(stopped), _SESSION)
        over["mac"], over["session"], over["seen"] = stopped["mac"], stopped["session"], stopped["seen"]
        over["source"] = self._source
        over, self._over = np.concatenate([self._over, over]), self._over[:0]
        until = {each[:3]: each[3] for each in np.sort(over, order="seen").tolist()}
        slots = np.flatnonzero(self._open & (self._held["evidence"] == Evidence.RADIUS))
        slots = slots[np.isin(self._held["session"][slots], over["session"])]
        held = self._held[slots]
        who = zip(held["mac"].tolist(), held["session"].tolist(), held["source"].tolist(), strict=True)
        ends = np.array([until.get(each, 0) for each in who], np.int64)
        ended = (ends > 0) & (self._spells["last"][slots] <= ends)
        return self._end(self._spells[slots[ended]], ends[ended])

    def _switched(self, claim: np.void) -> Rows:
        held = self._held
        mine = (held["evidence"] == claim["evidence"]) & (held["source"] == self._source)
        slots = np.flatnonzero(self._open & mine)
        if claim["ap_mac"]:
            slots = slots[held["ap_mac"][slots] == claim["ap_mac"]]
        ended = self._spells[slots]
        ended = ended[ended["last"] <= claim["seen"]]
        return self._end(ended, np.full(len(ended), claim["seen"]))

    def _end(self, held: Rows, when: NDArray[np.int64]) -> Rows:
        """Close what ends now, and no later than it was believed anyway."""
        return self._close(held, EndReason.END_OF_FLOW, np.minimum(spells.stated_until(held), when))


def _has_address(claims: Rows) -> Mask:
    return np.asarray((claims["ip_hi"] != 0) | (claims["ip_lo"] != 0))


def _with_associations(claims: Rows) -> Rows:
    """What is said of a station beside one of its addresses is said of the station: of all its addresses.

    But for the end of an address alone, which names no session.
    """
    which = np.isin(claims["evidence"], _OF_STATIONS)
    if not which.any():
        return claims
    of_address = claims["released"] & (claims["session"] == 0)
    also = claims[which & ~of_address & _has_address(claims) & (claims["mac"] != 0)]
    also["ip_hi"] = also["ip_lo"] = 0
    return np.concatenate([claims, also])
