"""Who holds an address, and which access point a MAC is with: claims in, BINDING rows out.

Two MACs that claim one address over ARP or ND at the same time are two bindings and both are kept. Where one
authority gives an address away (a DHCP server, a RADIUS client) the address has one holder: the
next one ends the one before. A MAC is with one access point at a time, by each kind of evidence.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.identity.holdings import Holdings, Mask, Rows, Slots
from appliance.identity.spells import LEASE_REACH_NS
from appliance.model.reasons import EndReason, Evidence

_GIVEN_AWAY = (Evidence.DHCP, Evidence.DHCPV6, Evidence.RADIUS)
"""Evidence of somebody who gives addresses away, each to one holder at a time."""

_SESSIONS = (Evidence.ASSOCIATION, Evidence.RADIUS)
"""Evidence that tells a beginning and an end and owes nothing between them: RADIUS accounting need not send
interim updates (RFC 2866 section 2.1, RFC 2869 section 2.1), an access point logs a station that joins and,
once it is silent (hostapd.conf ap_max_inactivity, 300 s by default), that it left. So each stands until its
end is told, like a lease: for 24 hours at most, since a box that loses power tells no end."""

_OF_STATIONS = (Evidence.PRESENCE, *_SESSIONS)
"""Evidence of a device rather than of an address: it tells access point and user of all that it sends."""


class Bindings(Holdings):
    """Every binding that is open; observes CLAIM rows.

    `by_source`: sources are witnesses of different places, where one address may be held twice; else they
    are one after the other of the same place.
    """

    def __init__(self, limit: int = 65_536, by_source: bool = False) -> None:
        key = ("ip_hi", "ip_lo", "mac", "vlan", "evidence")
        super().__init__(limit, key, ("mac", "session"), ("ap_mac", "ssid", "user"))
        self._by_source = by_source

    def observe(self, claims: Rows, source: int) -> Rows:
        """Take claims in any order, all of one `source`; returns the parts they closed.

        The end of a RADIUS session ends all it held. A release that names neither address nor MAC ends
        everything of its evidence and source at its access point, or everywhere if it names none:
        it was switched off, or on anew (RFC 2866 section 5.1: Accounting-On, Accounting-Off).
        """
        nobody = (claims["mac"] == 0) & ~_has_address(claims)
        switched = claims[nobody & claims["released"]]
        claims = _with_associations(claims[~nobody] if nobody.any() else claims)
        parts = [super().observe(claims, source), *self._ended(claims, source)]
        return self._joined([*parts, *(self._switched(each, source) for each in switched)])

    def texts(self) -> NDArray[np.uint32]:
        """The numbers of the texts that open bindings name."""
        held = self._held[self._open]
        return np.unique(np.concatenate([held[name] for name in ("ssid", "user", "session", "class")]))

    def _keys(self, claims: Rows, source: int) -> Rows:
        keys = super()._keys(claims, source if self._by_source else 0)
        keys["mac"][self._contested(claims)] = 0
        return keys

    def _contested(self, claims: Rows) -> Mask:
        return np.asarray(np.isin(claims["evidence"], _GIVEN_AWAY) & _has_address(claims))

    def _leases(self, claims: Rows) -> NDArray[np.int64]:
        session = np.isin(claims["evidence"], _SESSIONS) & (claims["until"] == 0)
        return np.where(session, claims["seen"] + LEASE_REACH_NS, claims["until"])

    def _testifies(self, claims: Rows) -> Mask:
        return np.isin(claims["evidence"], _SESSIONS)

    def _name(self, claims: Rows, slots: Slots) -> None:
        super()._name(claims, slots)
        for name in ("class", "bytes_out", "bytes_in"):
            self._follow(name, claims, slots)

    def _ended(self, claims: Rows, source: int) -> list[Rows]:
        """Close what else the sessions held that these claims end."""
        ends = claims[claims["released"] & (claims["session"] != 0)]
        if not len(ends):
            return []
        slots = self._of(Evidence.RADIUS, source)
        which = np.flatnonzero(np.isin(self._held["session"][slots], ends["session"]))
        slots = slots[which]
        order = np.argsort(ends["session"], kind="stable")
        at = order[np.searchsorted(ends["session"][order], self._held["session"][slots])]
        same = (self._held["mac"][slots] == ends["mac"][at]) & (
            self._spells["last"][slots] <= ends["seen"][at]
        )
        held = self._spells[slots[same]]
        return [self._close(held, EndReason.END_OF_FLOW, np.asarray(ends["seen"][at][same]))]

    def _switched(self, claim: np.void, source: int) -> Rows:
        slots = self._of(int(claim["evidence"]), source)
        if claim["ap_mac"]:
            slots = slots[self._held["ap_mac"][slots] == claim["ap_mac"]]
        held = self._spells[slots]
        held = held[held["last"] <= claim["seen"]]
        return self._close(held, EndReason.END_OF_FLOW, np.full(len(held), claim["seen"]))

    def _of(self, evidence: int, source: int) -> Slots:
        """What is open of one evidence and source."""
        held = self._held
        return np.flatnonzero(self._open & (held["evidence"] == evidence) & (held["source"] == source))


def _has_address(claims: Rows) -> Mask:
    return np.asarray((claims["ip_hi"] != 0) | (claims["ip_lo"] != 0))


def _with_associations(claims: Rows) -> Rows:
    """What is said of a station beside one of its addresses is said of the station: of all its addresses."""
    which = np.isin(claims["evidence"], _OF_STATIONS)
    if not which.any():
        return claims
    also = claims[which & _has_address(claims) & (claims["mac"] != 0)]
    also["ip_hi"] = also["ip_lo"] = 0
    return np.concatenate([claims, also])
