"""The text of sources.toml, with comments for whoever opens it."""

import ipaddress
import json
from collections.abc import Sequence
from typing import Any

from appliance.model.feeds import DeclaredSource

_DEFAULT = DeclaredSource("")

_HEADER = """\
# Who may speak to this box: what others send is kept apart in memory and not recorded, see
# 'greffier sources'. That command writes this file anew, without other comments than these; it may be edited
# too. A change counts within a second or so. It holds secrets: keep it its owner's alone (chmod 600).
#
# [[source]]                one such table for each access point, controller, gateway or switch
# label = "gateway"         its name, in lists and alarms; never used twice
# network = "Guests"        the network it belongs to
# addresses = ["10.0.0.1"]  what it sends from: addresses, or networks (10.0.0.0/28)
# mac = "aa:bb:cc:dd:ee:ff" its own MAC, where its address changes and it is on this LAN
# ap_macs = ["..."]         the access points it speaks for (BSSID or base MAC)
# ap_labels = ["lobby"]     their names, in the same order
# kinds = ["syslog"]        netflow (also IPFIX), sflow, syslog, radius, cloudtrax; left out: all
# time_zone = "Europe/Paris"  of its lines that state no zone
# grammar = "mikrotik"      of its lines, where they are not recognised by themselves
# secret = "..."            of RADIUS and CloudTrax, as set on the device
# certificate = "..."       SHA-256 of the certificate that it must show: its syslog then counts over TLS only
"""


def render(sources: Sequence[DeclaredSource]) -> str:
    """Sources as sources.toml; `sources.read` gives the same values back."""
    text = _HEADER
    for table in tables(sources)["source"]:
        text += "\n[[source]]\n"
        for key, value in table.items():
            # Printable text in JSON and its lists are TOML as well.
            text += f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
    return text


def tables(sources: Sequence[DeclaredSource]) -> dict[str, Any]:
    """What TOML makes of that file; what is as it is by default is left out."""
    return {"source": [_table(source) for source in sources]}


def _table(source: DeclaredSource) -> dict[str, str | list[str]]:
    order = ("label", "network", "addresses", "mac", "ap_macs", "ap_labels", "kinds", "time_zone", "grammar")
    table: dict[str, str | list[str]] = {}
    for key in (*order, "secret", "certificate"):
        value = getattr(source, key)
        if key == "addresses":
            value = tuple(map(_short, value))
        if value != getattr(_DEFAULT, key) or key == "label":
            table[key] = value if isinstance(value, str) else [str(item) for item in value]
    return table


def _short(text: str) -> str:
    """A single address without its prefix."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return text  # whoever checks it will say so
    return str(network.network_address) if network.num_addresses == 1 else str(network)
