"""Claims and translations for tests, told in seconds after ten o'clock."""

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import ip_halves
from appliance.model.instants import NS, from_iso
from appliance.model.reasons import Evidence
from appliance.model.rows import CLAIM, TRANSLATION

Rows = NDArray[np.void]
TEN = from_iso("2026-11-21T10:00:00Z")


def claim(at_s: float, evidence: Evidence, mac: int, ip: str = "", **said: int) -> Rows:
    """`lease_s` is the lease it states; other fields as they are called in CLAIM."""
    row = np.zeros(1, CLAIM)
    row["seen"], row["evidence"], row["mac"], row["vlan"] = TEN + round(at_s * NS), evidence, mac, -1
    if ip:
        row["ip_hi"], row["ip_lo"] = ip_halves(ip)
    lease_s = said.pop("lease_s", 0)
    row["until"] = row["seen"] + lease_s * NS if lease_s else 0
    for name, value in said.items():
        row[name] = value
    return row


def translation(at_s: float, ip: str, port: int, nat_port: int, peer: str = "", **said: int) -> Rows:
    """Of TCP, to 192.0.2.1; `last` is the last of a block of ports."""
    row = np.zeros(1, TRANSLATION)
    row["seen"], row["vlan"], row["protocol"] = TEN + round(at_s * NS), -1, 6
    row["ip_hi"], row["ip_lo"] = ip_halves(ip)
    row["nat_ip_hi"], row["nat_ip_lo"] = ip_halves("192.0.2.1")
    row["port"], row["nat_port"], row["nat_port_last"] = port, nat_port, said.pop("last", nat_port)
    if peer:
        row["peer_ip_hi"], row["peer_ip_lo"] = ip_halves(peer)
        row["peer_port"] = 443
    for name, value in said.items():
        row[name] = value
    return row


def seconds(rows: Rows, *names: str) -> list[tuple[int, ...]]:
    """(from, until, named fields) of each row, in seconds after ten, rounded; by start."""
    told = []
    for row in rows:
        begin, until = (round((int(row[name]) - TEN) / NS) for name in ("from", "until"))
        told.append((begin, until, *(int(row[name]) for name in names)))
    return sorted(told)
