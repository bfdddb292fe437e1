"""Records of wireless controllers that say which station holds which address, and where."""

import numpy as np
from numpy.typing import NDArray

from appliance.feeds.netflow.instants import observed
from appliance.feeds.netflow.records import Columns
from appliance.feeds.netflow.stating import read_vlan
from appliance.feeds.netflow.templates import Template
from appliance.feeds.told import Rows
from appliance.model.reasons import Evidence
from appliance.model.rows import CLAIM


def tells_stations(template: Template) -> bool:
    """Whether its records name stations and their addresses (staMacAddress, staIPv4Address)."""
    return template.reads("station_mac") and template.reads("station_v4")


def read_claims(columns: Columns, init_ms: int) -> tuple[Rows, NDArray[np.int64], NDArray[np.bool_]]:
    """(claims, which records they are of, which records claim): of several that agree, the last."""
    hi, lo = columns.address("station")
    mac = columns.mac("station_mac")
    named = (mac != 0) & (lo != 0)
    rows = np.zeros(len(columns), CLAIM)
    rows["seen"], _ = observed(columns, init_ms)
    rows["ip_hi"], rows["ip_lo"], rows["mac"] = hi, lo, mac
    rows["ap_mac"] = columns.mac("ap_mac")
    rows["vlan"] = read_vlan(columns)
    rows["evidence"] = Evidence.FLOW
    rows["ssid"], rows["user"] = columns.text("ssid"), columns.text("user")
    claiming = np.flatnonzero(named)[::-1]
    said = rows[["ip_hi", "ip_lo", "mac", "ap_mac", "vlan", "ssid", "user"]][claiming]
    latest = np.sort(claiming[np.unique(said, return_index=True)[1]])
    return rows[latest], latest, named
