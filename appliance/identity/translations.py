"""Which inside address and port a gateway translates to which outside ones: statements in, BINDING rows out.

An outside address and port (or block of ports), towards a peer where one is told, has one holder at a time:
a statement that names another inside end ends the one before, though its end was never told. A device that
tells the end of every translation owes nothing between; one whose end was lost is believed for 24 hours,
unless its port is given to another. The end of what was not known to be open says that it was open then.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.identity.holdings import Holdings
from appliance.identity.spells import LEASE_REACH_NS
from appliance.identity.table import Rows
from appliance.model.reasons import Evidence
from appliance.model.rows import BINDING

_OUTSIDE = (
    *("nat_ip_hi", "nat_ip_lo", "nat_port", "nat_port_last"),
    *("peer_ip_hi", "peer_ip_lo", "peer_port", "protocol", "vlan"),
)


class Translations(Holdings):
    """Every translation that is open; observes TRANSLATION rows, whose `ip` is the inside address.

    Sources are different gateways: what one tells never ends what another told. A slot and its key come to
    some 600 bytes, 80 MB where the default limit is reached.
    """

    def __init__(self, limit: int = 131_072) -> None:
        super().__init__(limit, _OUTSIDE, ("ip_hi", "ip_lo", "port"), ())

    def _leases(self, claims: Rows) -> NDArray[np.int64]:
        open_ended = np.asarray(claims["seen"] + LEASE_REACH_NS)
        return np.where(claims["until"] == 0, open_ended, claims["until"])

    def _blank(self, count: int) -> Rows:
        rows = np.zeros(count, BINDING)
        rows["evidence"] = Evidence.NAT
        return rows
