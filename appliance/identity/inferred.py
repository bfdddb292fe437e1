"""Who held an address as far as flow feeds say: the least evidence. STATED rows in, CLAIM rows out. Pure.

A device that writes a station's MAC (or its user) beside an address says that they belonged together when
the flow began and when it was last seen. It is no authority on that, so any other evidence outranks it.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.model.instants import MINUTE_NS
from appliance.model.networks import Networks
from appliance.model.reasons import Evidence
from appliance.model.rows import CLAIM

Rows = NDArray[np.void]

_ALIKE = ("ip_hi", "ip_lo", "mac", "ap_mac", "ssid", "user", "vlan")


def claims_of(stated: Rows, networks: Networks) -> Rows:
    """What STATED rows say of who held a client's address: one claim a minute of each holder and place."""
    said = np.concatenate([np.zeros(0, CLAIM), *_claims(stated, "src", networks, "")])
    said = np.concatenate([said, *_claims(stated, "dst", networks, "src")])
    if not len(said):
        return said
    order = np.lexsort((said["seen"], *(said[name] for name in _ALIKE)))
    minute = said["seen"] // MINUTE_NS
    fresh = np.ones(len(said), np.bool_)
    columns = [minute, *(said[name] for name in _ALIKE)]
    fresh[1:] = np.logical_or.reduce([held[order][1:] != held[order][:-1] for held in columns])
    return np.asarray(said[order[fresh]])


def _claims(stated: Rows, end: str, networks: Networks, before: str) -> list[Rows]:
    """Of the clients at one end of the flows: as they began, and as they were last seen.

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
    later = claims.copy()
    claims["seen"], later["seen"] = rows["first"], rows["last"]
    return [claims, later]


def _inside(rows: Rows, end: str, networks: Networks) -> NDArray[np.bool_]:
    return networks.hold(rows[f"{end}_ip_hi"], rows[f"{end}_ip_lo"])
