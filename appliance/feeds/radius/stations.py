"""Called-Station-Id and Calling-Station-Id: who is meant, in all the writings that are met.

RFC 3580 sections 3.20 and 3.21 want `00-10-A4-23-19-C0:SSID` and `00-10-A4-23-19-C0`; devices write colons,
dots, no separator, small letters, two halves, and some the name of the access point in place of its MAC.
"""

import re
from enum import IntEnum

from appliance.feeds.radius.attributes import Attributes, Code
from appliance.model.addresses import MAC_NULL, unicast

_WRITINGS = (
    r"[0-9A-Fa-f]{2}(?:(?P<between>[-:. ]?)[0-9A-Fa-f]{2})(?:(?P=between)[0-9A-Fa-f]{2}){4}"
    r"|[0-9A-Fa-f]{4}[-:.][0-9A-Fa-f]{4}[-:.][0-9A-Fa-f]{4}"
    r"|[0-9A-Fa-f]{6}[-:.][0-9A-Fa-f]{6}"
)
_STATION = re.compile(rf"\s*(?P<mac>{_WRITINGS})\s*")
_PLACE = re.compile(rf"\s*(?P<mac>{_WRITINGS})(?:\s*|[^0-9A-Za-z](?P<ssid>.*))", re.DOTALL)
_NO_DIGITS = str.maketrans("", "", "-:. ")

SSID_OCTETS = 32
"""IEEE 802.11-2020 section 9.4.2.2."""


class PortType(IntEnum):
    """NAS-Port-Type (RFC 2865 section 5.41) of what is Wi-Fi."""

    WIRELESS_OTHER = 18
    WIRELESS_80211 = 19


_CISCO_PAIR = (9, 1)
_SSIDS = frozenset({(14823, 5), (25053, 3), (12356, 7), (4329, 5), (14525, 5), (43, 6), (664, 103), (388, 2)})
"""Aruba, Ruckus, Fortinet, Siemens, Trapeze, 3Com, Adtran, Symbol: (vendor, code) of the SSID's name."""

_AP_MACS = frozenset({(14823, 60), (4329, 6)})
"""Aruba-AP-MAC-Address, Siemens-BSS-MAC: where the Called-Station-Id is that of a controller."""

_RUCKUS_BSSID = (25053, 14)


def calling(attributes: Attributes) -> int:
    """The MAC of the station, 0 where a number or a name stands in its place."""
    found = _STATION.fullmatch(attributes.octets(Code.CALLING_STATION_ID).rstrip(b"\0").decode("latin-1"))
    return _mac(found["mac"]) if found else MAC_NULL


def called(attributes: Attributes) -> tuple[int, str]:
    """(MAC of the access point or 0, SSID or ""). What is no Wi-Fi has neither."""
    port = attributes.number(Code.NAS_PORT_TYPE)
    if port not in (None, PortType.WIRELESS_OTHER, PortType.WIRELESS_80211):
        return MAC_NULL, ""
    text = attributes.octets(Code.CALLED_STATION_ID).rstrip(b"\0").decode("latin-1")
    found = _PLACE.fullmatch(text)
    if found:
        ap_mac, ssid = _mac(found["mac"]), found["ssid"] or ""
    else:
        # Cisco's `ap-name:ssid`; where the port is not said to be Wi-Fi it may be anything.
        ap_mac, ssid = MAC_NULL, text.partition(":")[2] if port == PortType.WIRELESS_80211 else ""
    ssid_octets = ssid.encode("latin-1")
    for vendor, code, value in attributes.of_vendors():
        if (vendor, code) in _AP_MACS and (named := _STATION.fullmatch(value.decode("latin-1"))):
            ap_mac = _mac(named["mac"]) or ap_mac
        elif (vendor, code) == _RUCKUS_BSSID and len(value) == 6:
            ap_mac = _mac(value.hex()) or ap_mac
        elif (vendor, code) in _SSIDS:
            ssid_octets = ssid_octets or value
        elif (vendor, code) == _CISCO_PAIR and value.startswith(b"ssid="):
            ssid_octets = ssid_octets or value[5:]
    if len(ssid_octets) > SSID_OCTETS:
        return ap_mac, ""
    return ap_mac, attributes.readable(ssid_octets)


def _mac(text: str) -> int:
    return unicast(int(text.translate(_NO_DIGITS), 16))
