"""Flows as devices state them, written plainly, and traffic rows read plainly."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.model.addresses import ip_halves, ip_text
from appliance.model.instants import NS
from appliance.model.rows import STATED
from appliance.vault.columns import to_table
from appliance.vault.unseal.connections import Connections, once

Rows = NDArray[np.void]

START = 1_773_478_800 * NS
"""A UTC hour begins."""


@dataclass(frozen=True)
class Flow:
    """A uniflow, or with `back` a biflow. Times are ns after START."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    first: int
    last: int
    packets: int = 1
    octets: int = 100
    back: tuple[int, int] | None = None
    received: int = 0
    protocol: int = 17
    source_mac: int = 0
    destination_mac: int = 0
    ap_mac: int = 0
    vlan: int = -1
    end_reason: int = 0
    nat_source: tuple[str, int] | None = None
    nat_destination: tuple[str, int] | None = None
    by_receipt: bool = False


def stated(flows: list[Flow]) -> Rows:
    """STATED rows."""
    rows = np.zeros(len(flows), STATED)
    for row, flow in zip(rows, flows, strict=True):
        row["src_ip_hi"], row["src_ip_lo"] = ip_halves(flow.source)
        row["dst_ip_hi"], row["dst_ip_lo"] = ip_halves(flow.destination)
        row["src_port"], row["dst_port"] = flow.source_port, flow.destination_port
        row["first"], row["last"] = START + flow.first, START + flow.last
        row["received"] = START + (flow.received or flow.last)
        row["packets"], row["octets"] = flow.packets, flow.octets
        if flow.back:
            row["biflow"] = True
            row["packets_back"], row["octets_back"] = flow.back
        row["src_mac"], row["dst_mac"] = flow.source_mac, flow.destination_mac
        for side, nat in (("src", flow.nat_source), ("dst", flow.nat_destination)):
            if nat:
                row[f"nat_{side}_ip_hi"], row[f"nat_{side}_ip_lo"] = ip_halves(nat[0])
                row[f"nat_{side}_port"] = nat[1]
        for name in ("protocol", "ap_mac", "vlan", "end_reason", "by_receipt"):
            row[name] = getattr(flow, name)
    return rows


@dataclass(frozen=True, order=True)
class Told:
    """A traffic row, or a connection that was read, as far as tests look. Times are ns after START."""

    client: str
    client_port: int
    peer: str
    peer_port: int
    first: int
    last: int
    out: tuple[int, int]
    into: tuple[int, int]


def told(rows: Rows) -> list[Told]:
    """Traffic rows, in order."""
    return sorted(
        Told(
            ip_text(int(row["client_ip_hi"]), int(row["client_ip_lo"])),
            int(row["client_port"]),
            ip_text(int(row["peer_ip_hi"]), int(row["peer_ip_lo"])),
            int(row["peer_port"]),
            int(row["first_seen"]) - START,
            int(row["last_seen"]) - START,
            (int(row["packets_out"]), int(row["bytes_out"])),
            (int(row["packets_in"]), int(row["bytes_in"])),
        )
        for row in rows
    )


def read(rows: Rows) -> pa.Table:
    """What a custodian reads of these rows, closed or open, wherever they lie."""
    table = to_table(rows, [f"feed:{number}" for number in range(4)])
    merge = Connections()
    until = START + 10 * 24 * 3600 * NS
    tables = [*merge.add(once(table), until), merge.rest()]
    return pa.concat_tables([each for each in tables if each is not None])


def read_plainly(rows: Rows) -> list[Told]:
    """The same as `told` says it."""
    table = read(rows)
    columns = {
        name: (table[name].cast(pa.int64()) if name.endswith("_seen") else table[name]).to_pylist()
        for name in table.column_names
        if name != "received"
    }

    def address(packed: bytes) -> str:
        return ip_text(int.from_bytes(packed[:8]), int.from_bytes(packed[8:]))

    return sorted(
        Told(
            address(columns["client_ip"][at]),
            columns["client_port"][at] if columns["client_port"][at] is not None else -1,
            address(columns["peer_ip"][at]),
            columns["peer_port"][at] if columns["peer_port"][at] is not None else -1,
            columns["first_seen"][at] - START,
            columns["last_seen"][at] - START,
            (columns["packets_out"][at], columns["bytes_out"][at]),
            (columns["packets_in"][at], columns["bytes_in"][at]),
        )
        for at in range(len(table))
    )
