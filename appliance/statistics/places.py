"""Where a client was: an access point that the site declared, a VLAN, or nowhere in particular. Pure.

A MAC that merely appears on the air as an access point may be somebody's telephone: it is never named here.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import mac_number, mac_text

PLACE_LIMIT = 1 << 13
"""Places are numbered below this: none, the VLANs, the access points of the settings, all."""

EVERYWHERE_TEXT = "all"

NOWHERE = 0
"""Neither a declared access point nor a VLAN is known."""

EVERYWHERE = PLACE_LIMIT - 1
"""All places of the site together."""

_FIRST_VLAN, _FIRST_ACCESS_POINT = 1, 4097
_VLAN_TEXT = re.compile(r"vlan (0|[1-9]\d{0,3})")
_MAC_TEXT = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class Places:
    """Numbers of places. `access_points` are MACs in text, fewer than 4,000. Raises ValueError."""

    def __init__(self, access_points: Sequence[str]) -> None:
        self._macs = np.array(sorted({mac_number(text) for text in access_points}), np.uint64)

    def of(self, rows: NDArray[np.void]) -> NDArray[np.int64]:
        """(k,) the place of each TRAFFIC row."""
        places = rows["vlan"].astype(np.int64) + _FIRST_VLAN
        if len(self._macs):
            nearest = np.searchsorted(self._macs, rows["ap_mac"]).clip(max=len(self._macs) - 1)
            declared = self._macs[nearest] == rows["ap_mac"]
            places = np.where(declared, nearest + _FIRST_ACCESS_POINT, places)
        return places

    def text(self, place: int) -> str:
        """`aa:bb:cc:dd:ee:ff`, `vlan 20`, `none` or `all`."""
        if place in (NOWHERE, EVERYWHERE):
            return EVERYWHERE_TEXT if place else "none"
        if place < _FIRST_ACCESS_POINT:
            return f"vlan {place - _FIRST_VLAN}"
        return mac_text(int(self._macs[place - _FIRST_ACCESS_POINT]))


def is_place(text: str) -> bool:
    """Whether a text is one that `Places.text` makes."""
    vlan = _VLAN_TEXT.fullmatch(text)
    if vlan:
        return int(vlan[1]) < _FIRST_ACCESS_POINT - _FIRST_VLAN
    return text in ("all", "none") or bool(_MAC_TEXT.fullmatch(text))
