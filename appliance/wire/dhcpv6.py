"""One DHCPv6 message to the leases it states (RFC 8415), relayed or not. Nothing else is looked at."""

from collections.abc import Iterator

from appliance.model.errors import DecodeError
from appliance.wire.dhcp import INFINITE, OPTION_LIMIT, Lease, Octets

RELAY_DEPTH = 8
"""Relays in a row: HOP_COUNT_LIMIT of RFC 8415 section 7.6."""

REPLY, RELEASE, DECLINE, RELAY_FORWARD, RELAY_REPLY = 7, 8, 9, 12, 13
TELLING = (REPLY, RELEASE, DECLINE, RELAY_FORWARD, RELAY_REPLY)
"""Message types that can state a lease, or carry one that does."""

_CLIENT_ID, _IA_NA, _IA_TA, _IA_ADDRESS, _RELAY_MESSAGE, _CLIENT_LINK_LAYER = 1, 3, 4, 5, 9, 79
_ETHERNET = b"\0\x01"
_DUID_LINK_LAYER_AT = {b"\0\x01": 8, b"\0\x03": 4}  # DUID-LLT and DUID-LL (RFC 8415 section 11)


def _options(area: Octets) -> Iterator[tuple[int, Octets]]:
    """(code, value) of each option in turn (RFC 8415 section 21.1)."""
    cursor, end = 0, len(area)
    for _ in range(OPTION_LIMIT):
        if cursor == end:
            return
        length = int.from_bytes(area[cursor + 2 : cursor + 4], "big")
        if cursor + 4 + length > end:
            raise DecodeError("a DHCPv6 option runs past the end of its message; it was not used")
        yield int.from_bytes(area[cursor : cursor + 2], "big"), area[cursor + 4 : cursor + 4 + length]
        cursor += 4 + length
    if cursor != end:
        raise DecodeError("a DHCPv6 message has more options than any real one; it was not used")


def _unrelay(message: Octets, mac: int) -> tuple[Octets, int]:
    """The client's own message inside its relays, and its MAC as the first relay saw it, else 0.

    Without a relay the MAC stays what was given: that of the frame. A relay's frame is not the client's.
    """
    for _ in range(RELAY_DEPTH + 1):
        if message[0] not in (RELAY_FORWARD, RELAY_REPLY):
            return message, mac
        if len(message) < 34:
            raise DecodeError("a DHCPv6 relay message is cut short; it was not used")
        options = dict(_options(message[34:]))
        link_layer = options.get(_CLIENT_LINK_LAYER, b"")  # RFC 6939
        is_ethernet = len(link_layer) == 8 and link_layer[:2] == _ETHERNET
        mac = int.from_bytes(link_layer[2:], "big") if is_ethernet else 0
        message = options.get(_RELAY_MESSAGE, b"")
        if not message:
            raise DecodeError("a DHCPv6 relay message holds no message; it was not used")
    raise DecodeError("a DHCPv6 message is relayed more often than allowed; it was not used")


def _duid_mac(duid: Octets) -> int:
    """The MAC inside a DUID-LLT or DUID-LL of an Ethernet device, else 0."""
    at = _DUID_LINK_LAYER_AT.get(bytes(duid[:2]), 0)
    is_ethernet = at and duid[2:4] == _ETHERNET and len(duid) == at + 6
    return int.from_bytes(duid[at:], "big") if is_ethernet else 0


def _addresses(options: list[tuple[int, Octets]]) -> Iterator[tuple[int, int, int]]:
    """(hi, lo, valid lifetime in seconds) of every address in IA_NA and IA_TA (sections 21.4 to 21.6)."""
    for code, association in options:
        if code not in (_IA_NA, _IA_TA):
            continue
        fixed = 12 if code == _IA_NA else 4
        if len(association) < fixed:
            raise DecodeError("a DHCPv6 identity association is cut short; it was not used")
        for inner, value in _options(association[fixed:]):
            if inner == _IA_ADDRESS:
                if len(value) < 24:
                    raise DecodeError("a DHCPv6 address option is cut short; it was not used")
                numbers = (value[:8], value[8:16], value[20:24])
                hi, lo, lifetime_s = (int.from_bytes(part, "big") for part in numbers)
                yield hi, lo, lifetime_s


def parse(message: Octets, frame_source: int, frame_destination: int) -> list[Lease]:
    """The leases that a DHCPv6 message (UDP payload) states; MACs are numbers, 0 where not known.

    A Reply says that its client holds the addresses in it for their valid lifetime (0: no longer);
    Release and Decline give them back. The client's MAC is the frame's (a client is always on the link
    of a message that no relay carries), through a relay its client link-layer option, and failing these
    its DUID: a DUID may name another interface of the same device, so it comes last.
    Raises DecodeError on anything malformed or cut short.
    """
    if len(message) < 4:
        raise DecodeError("a DHCPv6 message is cut short; it was not used")
    to_client = message[0] in (REPLY, RELAY_REPLY)
    message, mac = _unrelay(message, frame_destination if to_client else frame_source)
    if len(message) < 4:
        raise DecodeError("a DHCPv6 message is cut short; it was not used")
    kind = message[0]
    if kind not in (REPLY, RELEASE, DECLINE):
        return []
    options = list(_options(message[4:]))
    if not mac:
        mac = _duid_mac(dict(options).get(_CLIENT_ID, b""))
    return [
        Lease(hi, lo, mac, 0 if kind != REPLY else lifetime_s % INFINITE, kind != REPLY or lifetime_s == 0)
        for hi, lo, lifetime_s in _addresses(options)
    ]
