"""What a DHCP client asks for: the parameter request list (option 55, RFC 2132 section 9.8), nothing else.

Read byte by byte where it lies, so that no option beside it, and no host name, is ever copied.
"""

from dataclasses import dataclass

_FIXED = 240  # fixed fields and the magic cookie
_COOKIE = (0x63, 0x82, 0x53, 0x63)
_REQUEST, _ETHERNET, _MAC_BYTES = 1, 1, 6
_PAD, _MESSAGE_TYPE, _PARAMETERS, _END = 0, 53, 55, 255
_DISCOVER, _REQUESTING = 1, 3
_MOST_OPTIONS = 128
_LONGEST_LIST = 64
"""Codes kept of a list; real ones have fewer than twenty."""


@dataclass(frozen=True)
class Asked:
    """A client, its MAC as a number, and the option codes it asks for in its order."""

    mac: int
    parameters: bytes


def read(message: memoryview) -> Asked | None:
    """The list in a DISCOVER or REQUEST (UDP payload), None where there is none or it is malformed."""
    if len(message) < _FIXED or tuple(message[236:240]) != _COOKIE:
        return None
    if message[0] != _REQUEST or message[1] != _ETHERNET or message[2] != _MAC_BYTES:
        return None
    kind, parameters = _options(message)
    if kind not in {_DISCOVER, _REQUESTING} or not parameters:
        return None
    return Asked(int.from_bytes(message[28:34], "big"), parameters)


def _options(message: memoryview) -> tuple[int, bytes]:
    """Message type (0 where it is not said) and the list (empty where there is none)."""
    kind, parameters = 0, b""
    at, end = _FIXED, len(message)
    for _ in range(_MOST_OPTIONS):
        while at < end and message[at] == _PAD:
            at += 1
        if at + 2 > end or message[at] == _END or at + 2 + message[at + 1] > end:
            break
        code, size = message[at], message[at + 1]
        if code == _MESSAGE_TYPE and size == 1:
            kind = message[at + 2]
        elif code == _PARAMETERS:
            parameters = bytes(message[at + 2 : at + 2 + min(size, _LONGEST_LIST)])
        at += 2 + size
    return kind, parameters
