"""What the beginning of a message looks like, for whoever has to decide whether to declare its sender."""

import re

_PRIORITY = re.compile(rb"<\d{1,3}>(1 )?")
_REQUEST = re.compile(rb"(GET|POST|PUT|HEAD|OPTIONS) /")
_FLOWS = {5: "NetFlow v5", 9: "NetFlow v9", 10: "IPFIX"}
_RADIUS = {1: "RADIUS access", 4: "RADIUS accounting"}
_TEXT_SHARE = 0.9


def likeness(beginning: bytes) -> str:
    """A few words on the first 64 bytes or so of a message; nothing of what it says."""
    if len(beginning) < 4:
        return "too short to tell"
    if int.from_bytes(beginning[:4], "big") == 5 and len(beginning) >= 8 and beginning[7] in (1, 2):
        return "sFlow v5"
    version = int.from_bytes(beginning[:2], "big")
    if version in _FLOWS:
        return _FLOWS[version]
    stated_bytes = int.from_bytes(beginning[2:4], "big")
    if beginning[0] in _RADIUS and 20 <= stated_bytes <= 4096:
        return _RADIUS[beginning[0]]
    found = _PRIORITY.match(beginning)
    if found:
        return "syslog (RFC 5424)" if found[1] else "syslog (RFC 3164)"
    if _REQUEST.match(beginning):
        return "an HTTP request"
    if beginning[:2] == b"\x16\x03":
        return "TLS"
    printable = sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in beginning)
    return "lines of text" if printable >= _TEXT_SHARE * len(beginning) else "not known"
