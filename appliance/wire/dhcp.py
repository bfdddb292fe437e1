"""One DHCPv4 message to the lease it states (RFC 2131, RFC 2132). Nothing else in it is looked at.

Given a view of a capture's buffer nothing is copied either, so that no host name stays in memory.
"""

import re
from dataclasses import dataclass

from appliance.model.addresses import MAPPED_V4
from appliance.model.errors import DecodeError

INFINITE = 0xFFFF_FFFF
OPTION_LIMIT = 128
"""Options read in one message; real ones carry fewer than forty."""

_FIXED = 240  # fixed fields and the magic cookie
_COOKIE = b"\x63\x82\x53\x63"
_NO_PADDING = re.compile(rb"[^\0]")
_SNAME, _FILE = slice(44, 108), slice(108, 236)
_PAD, _LEASE_TIME, _OVERLOAD, _MESSAGE_TYPE, _END = 0, 51, 52, 53, 255
_REQUESTED_ADDRESS = 50
_DECLINE, _ACK, _RELEASE = 4, 5, 7
_REQUEST, _REPLY = 1, 2


@dataclass(frozen=True)
class Lease:
    """That `mac` holds an address for `lifetime_s` seconds (0: no end is stated), or gives it back."""

    ip_hi: int
    ip_lo: int
    mac: int
    lifetime_s: int
    released: bool = False


Octets = bytes | memoryview


def _options(area: Octets, found: dict[int, Octets], budget: int) -> int:
    """Read one option area into `found` (the first of each code stands); returns the budget left."""
    cursor, end = 0, len(area)
    while cursor < end:
        code = area[cursor]
        if code == _PAD:
            # A run of padding is one step, however long it is.
            other = _NO_PADDING.search(area, cursor)
            cursor = other.start() if other else end
            continue
        if code == _END:
            return budget
        if budget == 0:
            raise DecodeError("a DHCP message has more options than any real one; it was not used")
        if cursor + 2 > end or cursor + 2 + area[cursor + 1] > end:
            raise DecodeError("a DHCP option runs past the end of its message; it was not used")
        value = area[cursor + 2 : cursor + 2 + area[cursor + 1]]
        found.setdefault(code, value)
        cursor += 2 + len(value)
        budget -= 1
    return budget


def _read_options(message: Octets) -> dict[int, Octets]:
    """Every option of a message, those in an overloaded `file` and `sname` too (RFC 2132 section 9.3)."""
    found: dict[int, Octets] = {}
    budget = _options(message[_FIXED:], found, OPTION_LIMIT)
    overload = found.get(_OVERLOAD, b"\0")
    if len(overload) != 1 or overload[0] > 3:
        raise DecodeError("a DHCP message states an overload that does not exist; it was not used")
    if overload[0] & 1:
        budget = _options(message[_FILE], found, budget)
    if overload[0] & 2:
        _options(message[_SNAME], found, budget)
    return found


def _fixed_length(options: dict[int, Octets], code: int, length: int) -> int:
    """The number in an option that must be there with exactly `length` bytes; 0 where it is absent."""
    value = options.get(code)
    if value is None:
        return 0
    if len(value) != length:
        raise DecodeError("a DHCP option has a length that its type forbids; it was not used")
    return int.from_bytes(value, "big")


def parse(message: Octets) -> Lease | None:
    """The lease that a DHCP message (UDP payload) states, None where it states none.

    An ACK says that `chaddr` holds `yiaddr` (or `ciaddr`, in answer to INFORM); RELEASE and DECLINE say
    that it no longer does. Raises DecodeError on anything malformed or cut short.
    """
    if len(message) < _FIXED or message[236:240] != _COOKIE:
        raise DecodeError("a BOOTP message without DHCP options; it was not used")
    options = _read_options(message)
    kind = _fixed_length(options, _MESSAGE_TYPE, 1)
    ciaddr, yiaddr = (int.from_bytes(message[at : at + 4], "big") for at in (12, 16))
    lifetime_s = 0
    if message[0] == _REPLY and kind == _ACK:
        address = yiaddr or ciaddr
        lifetime_s = _fixed_length(options, _LEASE_TIME, 4)
    elif message[0] == _REQUEST and kind == _RELEASE:
        address = ciaddr
    elif message[0] == _REQUEST and kind == _DECLINE:
        address = _fixed_length(options, _REQUESTED_ADDRESS, 4)
    else:
        return None
    is_ethernet = message[1:3] == b"\x01\x06"
    if not address or not is_ethernet:
        return None
    mac = int.from_bytes(message[28:34], "big")
    return Lease(0, MAPPED_V4 | address, mac, lifetime_s % INFINITE, released=kind != _ACK)
