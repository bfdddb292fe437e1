"""Words of lines to numbers: addresses, ports, protocols, counters. Nothing here raises.

A word that cannot be meant gives what stands for "not said" in rows: NOWHERE, 0 or -1. Texts that strangers
choose (SSIDs, users) are let through only where they can name neither a site nor a device.
"""

from functools import lru_cache

from appliance.feeds.syslog.addresses import address, holdable
from appliance.feeds.told import NOWHERE, Address
from appliance.model.addresses import MAPPED_V4, mac_number
from appliance.model.texts import Texts

UNKNOWN_PROTOCOL = -1
_REMEMBERED = 16_384
MAC_BROADCAST = 0xFFFF_FFFF_FFFF
_UNSPECIFIED = (NOWHERE, (0, MAPPED_V4))

PROTOCOLS = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ipencap": 4, "ipv4": 4, "ip-encap": 4, "tcp": 6, "egp": 8, "udp": 17,
    "dccp": 33, "ipv6": 41, "ipv6-encap": 41, "rsvp": 46, "gre": 47, "esp": 50, "ipsec-esp": 50, "ah": 51,
    "ipsec-ah": 51, "icmp6": 58, "icmpv6": 58, "ipv6-icmp": 58, "eigrp": 88, "ospf": 89, "pim": 103,
    "ipcomp": 108, "vrrp": 112, "carp": 112, "l2tp": 115, "sctp": 132, "udplite": 136,
}  # fmt: skip
"""IANA protocol numbers by the names that firewalls write."""

_NO_NAME = frozenset({"", "-", "n/a", "na", "none", "null", "(null)", "unknown", "anonymous", "guest", "0"})
_NEVER_IN_NAMES = ("://", "www.", "/", "\\\\?\\")


@lru_cache(_REMEMBERED)
def ip(text: str) -> Address:
    """An end of a flow, with or without brackets or a scope; NOWHERE for none, :: and 0.0.0.0."""
    found = address(text.strip("[]").partition("%")[0])
    return NOWHERE if found is None or found in _UNSPECIFIED else found


def held_ip(text: str) -> Address:
    """An address that a device can hold; NOWHERE for anything else."""
    return holdable(text.partition("%")[0]) or NOWHERE


def device(text: str) -> int:
    """The MAC of an access point as its maker writes it; 0 for none."""
    try:
        number = mac_number(text)
    except ValueError:
        return 0
    return 0 if number == MAC_BROADCAST else number


def counter(text: str) -> int:
    """A count that fits 64 bits; 0 for anything else."""
    return int(text) if len(text) <= 19 and text.isascii() and text.isdigit() else 0


def port(text: str) -> int:
    """0 to 65535; -1 for anything else."""
    if not 0 < len(text) <= 5 or not (text.isascii() and text.isdigit()):
        return -1
    number = int(text)
    return number if number <= 65_535 else -1


@lru_cache(_REMEMBERED)
def protocol(text: str) -> int:
    """An IANA number by number or name; UNKNOWN_PROTOCOL for anything else."""
    number = PROTOCOLS.get(text.lower())
    if number is None and 0 < len(text) <= 3 and text.isascii() and text.isdigit():
        number = int(text)
    return number if number is not None and number <= 255 else UNKNOWN_PROTOCOL


def vlan(text: str) -> int:
    """A VLAN identifier of IEEE 802.1Q, 1 to 4094; -1 for anything else."""
    number = port(text)
    return number if 0 < number < 4095 else -1


def endpoint(text: str) -> tuple[Address, int]:
    """`192.0.2.1:443`, `[2001:db8::1]:443`, `192.0.2.1(443)` or a bare address, to (address, port or -1)."""
    host, bracket, behind = text.partition("(")
    if bracket:
        return ip(host), port(behind.rstrip(")"))
    whole = ip(text)
    if whole != NOWHERE or ":" not in text:
        return whole, -1
    host, _, behind = text.rpartition(":")
    return ip(host), port(behind)


def ssid(text: str) -> str:
    """The name of a network of at most 32 octets (IEEE 802.11 9.4.2.2); "" for what can be none."""
    if not text:
        return ""
    plain = text.isprintable() and len(text.encode("utf-8", "replace")) <= 32
    return text if plain and text.lower() not in ("n/a", "unknown") and "://" not in text else ""


def user(text: str) -> str:
    """Who authenticated; "" for placeholders, MACs, addresses, devices (`host/..`) and what may be a URL."""
    text = text.strip()
    if not text or text.lower() in _NO_NAME or not text.isprintable() or len(text) > Texts.LONGEST:
        return ""
    if any(sign in text.lower() for sign in _NEVER_IN_NAMES):
        return ""
    return "" if device(text) or address(text) else text
