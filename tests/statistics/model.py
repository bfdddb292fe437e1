"""The rules of statistics once more, with plain sets and dictionaries, to judge the columns by."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from appliance.classify.categories import Category
from appliance.model.rows import TRAFFIC

OTHER, EVERYWHERE = "other", "all"
ACTIVE_TIMEOUT = 2


@dataclass
class Cell:
    octets: int = 0
    connections: int = 0
    clients: set[tuple[str, int]] = field(default_factory=set)

    def join(self, other: "Cell") -> None:
        self.octets += other.octets
        self.connections += other.connections
        self.clients |= other.clients

    @property
    def count(self) -> int:
        kinds = [kind for kind, _ in self.clients]
        return kinds.count("mac") + max(kinds.count("ipv4"), kinds.count("ipv6"))


def client(row: Any) -> tuple[str, int]:
    if row["client_mac"] and not row["behind_router"]:
        return "mac", int(row["client_mac"])
    if row["client_ip_hi"] == 0 and int(row["client_ip_lo"]) >> 32 == 0xFFFF:
        return "ipv4", int(row["client_ip_lo"])
    return "ipv6", int(row["client_ip_hi"])


def cells(rows: Any, uses: list[str], access_points: dict[int, str]) -> dict[tuple[str, str], Cell]:
    found: dict[tuple[str, str], Cell] = defaultdict(Cell)
    for row, use in zip(rows, uses, strict=True):
        place = access_points.get(int(row["ap_mac"]))
        place = place or (f"vlan {row['vlan']}" if row["vlan"] >= 0 else "none")
        cell = found[place, use]
        cell.octets += int(row["bytes_out"]) + int(row["bytes_in"])
        cell.connections += int(row["end_reason"] != ACTIVE_TIMEOUT)
        cell.clients.add(client(row))
    return dict(found)


def merged(found: dict[tuple[str, str], Cell]) -> dict[tuple[str, str], Cell] | None:
    """One cell after the other, as a person with a pencil would."""
    for wider in (lambda place: (place, OTHER), lambda place: (EVERYWHERE, OTHER)):
        after: dict[tuple[str, str], Cell] = defaultdict(Cell)
        for (place, use), cell in found.items():
            after[wider(place) if cell.count < 3 else (place, use)].join(cell)
        found = dict(after)
    last = found.get((EVERYWHERE, OTHER))
    if last is None or last.count >= 3:
        return found
    others = [key for key in found if key != (EVERYWHERE, OTHER)]
    if not others:
        return None
    smallest = min(others, key=lambda key: (found[key].count, found[key].octets, *in_order(*key)))
    last.join(found.pop(smallest))
    return found


def in_order(place: str, use: str) -> tuple[bool, int, str, int]:
    """Which of two equal cells gives way: of no place, then access points, then VLANs; then by category."""
    is_vlan = place.startswith("vlan ")
    return is_vlan, int(place[5:]) if is_vlan else 0, "" if place == "none" else place, Category[use.upper()]


def rows(count: int) -> Any:
    made = np.zeros(count, TRAFFIC)
    made["vlan"] = -1
    made["end_reason"] = 3
    return made
