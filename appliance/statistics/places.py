"""Where a client was: an access point that the site declared, a VLAN, or nowhere in particular. Pure.

A MAC that merely appears on the air as an access point may be somebody's telephone: it is never named here.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import mac_number, mac_text

NOWHERE = 0
"""Neither a declared access point nor a VLAN is known."""

EVERYWHERE = 1 << 50
"""All places of the site together."""

_VLAN = 1 << 49
_VLAN_TEXT = re.compile(r"vlan (0|[1-9]\d{0,3})")
_MAC_TEXT = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def declared(access_points: Sequence[str]) -> NDArray[np.uint64]:
    """Sorted MAC numbers of these texts. Raises ValueError."""
    return np.unique(np.array([mac_number(text) for text in access_points], np.uint64))


def places_of(rows: NDArray[np.void], access_points: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(k,) the place of each TRAFFIC row; `access_points` from `declared`."""
    vlan = rows["vlan"].astype(np.int64)
    places = np.where(vlan >= 0, vlan + _VLAN, NOWHERE).astype(np.uint64)
    if len(access_points):
        nearest = np.searchsorted(access_points, rows["ap_mac"]).clip(max=len(access_points) - 1)
        places = np.where(access_points[nearest] == rows["ap_mac"], rows["ap_mac"], places)
    return places


def place_text(place: int) -> str:
    """`aa:bb:cc:dd:ee:ff`, `vlan 20`, `none` or `all`."""
    if place in (NOWHERE, EVERYWHERE):
        return "all" if place else "none"
    return f"vlan {place - _VLAN}" if place & _VLAN else mac_text(place)


def is_place(text: str) -> bool:
    """Whether a text is one that `place_text` makes."""
    return text in ("all", "none") or bool(_VLAN_TEXT.fullmatch(text) or _MAC_TEXT.fullmatch(text))
