"""Accounting-Requests put together octet by octet, as RFC 2866 sections 3 and 4.1 say."""

import hashlib
import struct

from appliance.feeds.radius.attributes import Code
from appliance.feeds.radius.decoder import RadiusDecoder
from appliance.feeds.told import Told
from appliance.model.texts import Texts
from tests.feeds.radius.clients import SECRET, messages

RECEIVED_NS = 1_700_000_000_000_000_000
STATION, ACCESS_POINT = b"02-00-00-00-00-0A", b"00-10-A4-23-19-C0:Gare du Nord"
START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8

Value = bytes | int | str


def octets_of(value: Value) -> bytes:
    if isinstance(value, int):
        return struct.pack("!I", value)
    return value.encode() if isinstance(value, str) else value


def request(*pairs: tuple[int, Value], identifier: int = 1, secret: str = SECRET) -> bytes:
    attributes = b""
    for code, value in pairs:
        octets = octets_of(value)
        attributes += bytes((code, len(octets) + 2)) + octets
    head = struct.pack("!BBH", 4, identifier, 20 + len(attributes))
    return head + hashlib.md5(head + bytes(16) + attributes + secret.encode()).digest() + attributes


def session(status: int, *pairs: tuple[int, Value], name: str = "a-1", identifier: int = 1) -> bytes:
    """A request of a session of STATION at ACCESS_POINT."""
    return request(
        (Code.ACCT_STATUS_TYPE, status),
        (Code.ACCT_SESSION_ID, name),
        (Code.CALLING_STATION_ID, STATION),
        (Code.CALLED_STATION_ID, ACCESS_POINT),
        (Code.NAS_PORT_TYPE, 19),
        (Code.USER_NAME, "alice"),
        *pairs,
        identifier=identifier,
    )


class Listener:
    """A decoder and its texts; each request comes `seconds` after RECEIVED_NS."""

    def __init__(self) -> None:
        self.texts = Texts()
        self.decoder = RadiusDecoder(self.texts, SECRET.encode())

    def hear(self, datagram: bytes, seconds: float = 0) -> Told:
        told = self.decoder.decode(messages([datagram], RECEIVED_NS + int(seconds * 10**9)))
        assert len(told.answers) == 1
        return told

    def text(self, number: int) -> str:
        return self.texts.all()[number]
