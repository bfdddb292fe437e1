"""Who held an address as far as flow feeds say: the least evidence. STATED rows in, CLAIM rows out. Pure.

A device that writes a station's MAC (or its user) beside an address says that they belonged together from
when the flow began to when it was last seen. It is no authority on that, so any other evidence outranks it.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.identity.spells import LEASE_REACH_NS
from appliance.model.instants import MINUTE_NS
from appliance.model.networks import Networks
from appliance.model.reasons import Evidence
from appliance.model.rows import CLAIM

Rows = NDArray[np.void]

_ALIKE = ("ip_hi", "ip_lo", "mac", "ap_mac", "ssid", "user", "vlan")


def claims_of(stated: Rows, networks: Networks) -> Rows:
    """What STATED rows say of who held a client's address: one claim a minute of each holder and place.

    A claim lasts from the first of the flows that began in its minute to when the last of them was last seen.
    """
    said = np.concatenate([_claims(stated, "src", networks, ""), _claims(stated, "dst", networks, "src")])
    if not len(said):
        return said
    said = said[np.lexsort((said["seen"], *(said[name] for name in _ALIKE)))]
    fresh = np.ones(len(said), np.bool_)
    columns = [said["seen"] // MINUTE_NS, *(said[name] for name in _ALIKE)]
    fresh[1:] = np.logical_or.reduce([held[1:] != held[:-1] for held in columns])
    claims = said[fresh]
    claims["until"] = np.maximum.reduceat(said["until"], np.flatnonzero(fresh))
    return np.asarray(claims)


def _claims(stated: Rows, end: str, networks: Networks, before: str) -> Rows:
    """Of the clients at one end of the flows: from when they began to when they were last seen.

    Of a flow that is longer than a lease is believed, its last day.

    User and access point are those of the end `before`, where that is a client too.
    """
    rows = stated[(stated[f"{end}_mac"] != 0) | (stated["user"] != 0)]
    rows = rows[_inside(rows, end, networks)]
    claims = np.zeros(len(rows), CLAIM)
    for name, held in (("ip_hi", f"{end}_ip_hi"), ("ip_lo", f"{end}_ip_lo"), ("mac", f"{end}_mac")):
        claims[name] = rows[held]
    own = ~_inside(rows, before, networks) if before else np.ones(len(rows), np.bool_)
    for name in ("ap_mac", "ssid", "user"):
        claims[name] = np.where(own, rows[name], 0)
    claims["vlan"] = rows["vlan"]
    known = (claims["mac"] != 0) | (claims["user"] != 0)
    claims, rows = claims[known], rows[known]
    claims["evidence"] = Evidence.FLOW
    claims["seen"] = np.maximum(rows["first"], rows["last"] - LEASE_REACH_NS)
    claims["until"] = np.maximum(rows["last"], claims["seen"])
    return np.asarray(claims)


def _inside(rows: Rows, end: str, networks: Networks) -> NDArray[np.bool_]:
    return networks.hold(rows[f"{end}_ip_hi"], rows[f"{end}_ip_lo"])
