"""The JSON of a presence report: which devices were near an access point, and which of them were with it.

    {"network_id": 1, "node_mac": "AC:86:74:00:00:01", "version": 1, "probe_requests": [{"mac": "..",
     "count": 1, "min_signal": -90, "max_signal": -90, "avg_signal": -90, "first_seen": 1455845809,
     "last_seen": 1455845809, "associated": true}]}

Instants are UNIX seconds (UTC). Signals and everything else are not looked at.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from appliance.model.addresses import MAC_NULL, mac_number, unicast
from appliance.model.errors import DecodeError

_LATEST_S = 1 << 33
"""2242: beyond, an instant is no instant."""


@dataclass(frozen=True, slots=True)
class Device:
    """Seen from `first_s` to `last_s` (UNIX seconds, None where it is not stated)."""

    mac: int
    first_s: int | None
    last_s: int | None
    is_associated: bool


@dataclass(frozen=True, slots=True)
class Report:
    """`devices` has None for one that cannot be read."""

    ap_mac: int
    devices: list[Device | None]


def read(body: bytes) -> Report:
    """Raises DecodeError for what is no report."""
    try:
        stated = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        # The text is not quoted: it is the sender's.
        raise DecodeError("a presence report is not valid JSON; it was not used") from error
    if not isinstance(stated, dict) or not isinstance(stated.get("probe_requests"), list):
        raise DecodeError("a presence report lacks its list of devices; it was not used")
    ap_mac = _mac(stated.get("node_mac"))
    if not ap_mac:
        raise DecodeError("a presence report does not say of which access point it is; it was not used")
    return Report(ap_mac, list(_devices(stated["probe_requests"])))


def _devices(entries: list[object]) -> Iterator[Device | None]:
    for entry in entries:
        if not isinstance(entry, dict):
            yield None
            continue
        mac, is_associated = _mac(entry.get("mac")), entry.get("associated")
        if mac and isinstance(is_associated, bool):
            yield Device(
                mac, _second(entry.get("first_seen")), _second(entry.get("last_seen")), is_associated
            )
        else:
            yield None


def _mac(stated: object) -> int:
    """0 for what is no MAC of one device."""
    try:
        return unicast(mac_number(stated)) if isinstance(stated, str) else MAC_NULL
    except ValueError:
        return MAC_NULL


def _second(stated: object) -> int | None:
    is_number = isinstance(stated, int) and not isinstance(stated, bool)
    return stated if is_number and 0 < stated < _LATEST_S else None  # type: ignore[return-value, operator]


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two readers may take different values of one name: then nothing is taken."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
