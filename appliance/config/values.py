"""Checks of single settings: each answers what is wrong with a value in one sentence, or None."""

import ipaddress
import re
from collections.abc import Collection, Sequence

from appliance.model.addresses import mac_number, unicast

_RECIPIENT = re.compile(r"^age1[02-9ac-hj-np-z]{58}$")
_DHCP_PORTS = (67, 68, 546, 547)
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*", re.ASCII)
_LETTERS = 60  # of what somebody typed, in a sentence
_INTERFACE = re.compile(r"^[^\s/:%]{1,15}$")  # dev_valid_name(): IFNAMSIZ is 16, with its closing zero
NETWORK_LIMIT, INTERFACE_LIMIT = 1_000, 64
"""More of them than a site has: whoever gives a hundred thousand wants the box to be busy with them."""

_WIDEST = {4: 8, 6: 16}
"""No registry gives anybody more; 10.0.0.0/8 is as wide."""

_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
"""RFC 1918, RFC 6598, RFC 4193: what a site gives out by itself, and nobody reaches from elsewhere."""


def canonical_network(text: str) -> str:
    """`192.168.1.7/16` to `192.168.0.0/16`; ValueError with a sentence if it is no network."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError(
            f"'{text[:_LETTERS]}' is not a network; write it like 192.168.0.0/16 or 2001:db8::/48"
        ) from None


def too_many(values: Collection[object], most: int, what: str) -> str | None:
    """Whether there are more than so many of what is named; looks at none of them."""
    return f"{len(values):,} {what} cannot be meant: at most {most:,}" if len(values) > most else None


def wrong_networks(networks: Sequence[str]) -> str | None:
    """Whether each is a network, in any form, and there are no more than a site has."""
    wrong = too_many(networks, NETWORK_LIMIT, "networks")
    if wrong:
        return wrong
    for text in networks:
        try:
            canonical_network(text)
        except ValueError as error:
            return str(error)
    return None


def too_wide(networks: Sequence[str]) -> str | None:
    """What `wrong_networks` says, or whether one is larger than a site's: it has strangers for clients."""
    wrong = wrong_networks(networks)
    if wrong:
        return wrong
    for text in map(canonical_network, networks):
        version, length = ipaddress.ip_network(text).version, int(text.rpartition("/")[2])
        if length < _WIDEST[version] and not is_private(text):
            return f"{text} is no network of one site; /{_WIDEST[version]} is the widest that can be meant"
    return None


def is_private(network: str) -> bool:
    """Whether a network lies in what no provider hands out; ValueError as `ipaddress` does."""
    given = ipaddress.ip_network(network, strict=False)
    return any(
        given.version == one.version
        and int(one.network_address) <= int(given.network_address)
        and int(given.broadcast_address) <= int(one.broadcast_address)
        for one in _PRIVATE
    )


def wrong_custodians(custodians: tuple[str, ...]) -> str | None:
    """Whether they are different age recipients, 1 to 255 of them."""
    if not custodians:
        return "at least one custodian is needed"
    for recipient in custodians:
        if recipient.upper().startswith("AGE-SECRET-KEY-"):
            return "that is a private key; give the public line (age1...) and keep the other off the box"
        if not _RECIPIENT.match(recipient):
            shown = _shown(recipient)
            return f"'{shown}' is not an age recipient; 'greffier custodian new' prints one (age1...)"
    if len(set(custodians)) != len(custodians):
        return "the same custodian is given twice"
    return "at most 255 custodians" if len(custodians) > 255 else None


def wrong_interfaces(names: tuple[str, ...]) -> str | None:
    """Whether they are different names that an interface can have; there may be none."""
    wrong = too_many(names, INTERFACE_LIMIT, "interfaces")
    if wrong:
        return wrong
    for name in names:
        if not _INTERFACE.match(name) or name in (".", ".."):
            return f"'{name[:_LETTERS]}' is no name of an interface; see 'ip link' for those there are"
    return "the same interface is given twice" if len(set(names)) != len(names) else None


def wrong_ports(ports: tuple[int, ...]) -> str | None:
    """Whether they are UDP ports on which a tunnel can be; there may be none."""
    wrong = [port for port in ports if not 1 <= port <= 65_535]
    if wrong:
        return f"{wrong[0]} is not between 1 and 65535"
    taken = [port for port in ports if port in _DHCP_PORTS]
    return f"{taken[0]} is DHCP's, it would not be read there any more" if taken else None


def wrong_host(text: str) -> str | None:
    """Whether it is an IP address or a name that a host can have (RFC 1123 section 2.1)."""
    try:
        ipaddress.ip_address(text)
        return f"'{text}' is an address of one interface only" if "%" in text else None
    except ValueError:
        if not _HOST.fullmatch(text) or text.rpartition(".")[2].isdigit():
            return f"'{text}' is neither a name of a host nor an address"
    return None


def wrong_macs(texts: tuple[str, ...], most: int) -> str | None:
    """Whether they are different MACs of single stations, at most so many; there may be none."""
    wrong = too_many(texts, most, "MACs")
    if wrong:
        return wrong
    numbers = []
    for text in texts:
        try:
            numbers.append(mac_number(text))
        except ValueError as error:
            return str(error)
        if not unicast(numbers[-1]):
            return f"'{text}' is no MAC of a station"
    return "the same MAC is given twice" if len(set(numbers)) != len(numbers) else None


def outside(value: int, low: int, high: int) -> str | None:
    """Whether a number lies in [low, high]."""
    return None if low <= value <= high else f"{value} is not between {low} and {high}"


def _shown(text: str) -> str:
    """The beginning only: it may be a secret."""
    return text if len(text) <= 12 else f"{text[:12]}..."
