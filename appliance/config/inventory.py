"""The section [inventory] of box.toml: which devices of the LAN are asked what they are, by SNMP."""

import ipaddress
from dataclasses import dataclass
from typing import Any

from appliance.config.values import outside, wrong_networks

MOST_ADDRESSES = 4096
AUTHENTICATIONS = ("SHA", "SHA-256", "SHA-512", "MD5")
PRIVACIES = ("AES", "AES-256", "DES")

_OF_A_LAN: tuple[Any, ...] = (
    *map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
    *map(ipaddress.IPv4Network, ("169.254.0.0/16", "127.0.0.0/8")),
    *map(ipaddress.IPv6Network, ("fc00::/7", "fe80::/10", "::1/128")),
)
"""RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291, and the box itself."""


@dataclass(frozen=True)
class InventoryConfig:
    """`ranges` are networks in canonical text: each of their addresses is asked alone, on UDP port 161.

    With a `user` it is SNMP v3 (RFC 3414), encrypted where a privacy passphrase is given, else v2c with
    `community`. `requests_per_second` bounds what all of them are asked together.
    """

    ranges: tuple[str, ...] = ()
    community: str = "public"
    user: str = ""
    authentication: str = "SHA-256"
    authentication_passphrase: str = ""
    privacy: str = "AES"
    privacy_passphrase: str = ""
    requests_per_second: int = 20

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong') for a value that cannot be meant."""
        for key, wrong in (
            ("ranges", wrong_ranges(self.ranges)),
            ("authentication", _not_one_of(self.authentication, AUTHENTICATIONS)),
            ("authentication_passphrase", _too_short(self.authentication_passphrase, bool(self.user))),
            ("privacy", _not_one_of(self.privacy, PRIVACIES)),
            ("privacy_passphrase", _too_short(self.privacy_passphrase, bool(self.privacy_passphrase))),
            ("requests_per_second", outside(self.requests_per_second, 1, 1000)),
        ):
            if wrong:
                raise ValueError(f"{key}: {wrong}")


def wrong_ranges(ranges: tuple[str, ...]) -> str | None:
    """Whether each is a network of a LAN, and all of them small enough to be asked one by one."""
    wrong = wrong_networks(ranges)
    if wrong:
        return wrong
    networks = [ipaddress.ip_network(text, strict=False) for text in ranges]
    for network in networks:
        # By name, not by `is_private`, which holds for reserved, broadcast and IPv4-mapped addresses too.
        if not any(within.version == network.version and within.supernet_of(network) for within in _OF_A_LAN):
            return f"{network} is no network of a LAN; the inventory never asks beyond it"
    if sum(network.num_addresses for network in networks) > MOST_ADDRESSES:
        return f"more than {MOST_ADDRESSES} addresses; name the networks of your access points and switches"
    return None


def _not_one_of(value: str, choices: tuple[str, ...]) -> str | None:
    return None if value in choices else f"'{value}' is none of {', '.join(choices)}"


def _too_short(passphrase: str, is_needed: bool) -> str | None:
    if is_needed and len(passphrase) < 8:
        return "a passphrase has at least 8 characters (RFC 3414 section 11.2)"
    return None
