"""Attributes of a RADIUS packet to numbers, texts and addresses; one of a wrong shape is noted, not used."""

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import IntEnum

from appliance.feeds.told import Address
from appliance.model.addresses import MAPPED_V4
from appliance.model.reasons import Note


class Code(IntEnum):
    """What is read, and what it is from; nothing else in a packet is looked at."""

    USER_NAME = 1  # RFC 2865
    NAS_IP_ADDRESS = 4
    FRAMED_IP_ADDRESS = 8
    CLASS = 25
    VENDOR_SPECIFIC = 26
    CALLED_STATION_ID = 30
    CALLING_STATION_ID = 31
    NAS_IDENTIFIER = 32
    ACCT_STATUS_TYPE = 40  # RFC 2866
    ACCT_DELAY_TIME = 41
    ACCT_INPUT_OCTETS = 42
    ACCT_OUTPUT_OCTETS = 43
    ACCT_SESSION_ID = 44
    ACCT_SESSION_TIME = 46
    ACCT_INPUT_GIGAWORDS = 52  # RFC 2869
    ACCT_OUTPUT_GIGAWORDS = 53
    EVENT_TIMESTAMP = 55
    NAS_PORT_TYPE = 61  # RFC 2865
    TUNNEL_TYPE = 64  # RFC 2868
    TUNNEL_PRIVATE_GROUP_ID = 81
    CHARGEABLE_USER_IDENTITY = 89  # RFC 4372
    NAS_IPV6_ADDRESS = 95  # RFC 3162
    FRAMED_INTERFACE_ID = 96
    FRAMED_IPV6_PREFIX = 97
    DELEGATED_IPV6_PREFIX = 123  # RFC 4818
    FRAMED_IPV6_ADDRESS = 168  # RFC 6911


_ASKED_FOR = (0, 0xFFFF_FFFE, 0xFFFF_FFFF)
"""In Framed-IP-Address: somebody is yet to choose one (RFC 2865 section 5.8)."""

_LOCAL_BITS = 64


class Attributes:
    """The attributes of one packet, by code; every value as it stood there. `noted` counts what was odd."""

    def __init__(self, values: Mapping[int, list[bytes]]) -> None:
        self.noted: Counter[str] = Counter()
        self._values = values

    def octets(self, code: Code) -> bytes:
        """The first value, b"" for none."""
        values = self._values.get(code)
        return values[0] if values else b""

    def every(self, code: Code) -> list[bytes]:
        """All values in their order."""
        return self._values.get(code) or []

    def number(self, code: Code) -> int | None:
        """A value of four octets (RFC 2865 section 5), None where there is none."""
        value = self.octets(code)
        if len(value) == 4:
            return int.from_bytes(value, "big")
        if value:
            self.noted[Note.BAD_FIELD] += 1
        return None

    def text(self, code: Code) -> str:
        """A text; octets that are no UTF-8 and characters that cannot be printed are written as escapes."""
        return self.readable(self.octets(code))

    def readable(self, value: bytes) -> str:
        """A value as text, as `text` gives it; "" if it may name what was visited."""
        text = value.rstrip(b"\0").decode("utf-8", "backslashreplace")
        if "://" in text:
            self.noted[Note.CONTENT_STRIPPED] += 1
            return ""
        if text.isprintable():
            return text
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)

    def of_vendors(self) -> Iterator[tuple[int, int, bytes]]:
        """(vendor, code, value) of attributes in the form that RFC 2865 section 5.26 recommends."""
        for value in self.every(Code.VENDOR_SPECIFIC):
            vendor, at = int.from_bytes(value[:4], "big"), 4
            while at + 2 <= len(value) and 2 <= value[at + 1] <= len(value) - at:
                yield vendor, value[at], value[at + 2 : at + value[at + 1]]
                at += value[at + 1]

    def ipv4(self) -> Address | None:
        """Framed-IP-Address, if it is an address that one device can hold."""
        number = self.number(Code.FRAMED_IP_ADDRESS)
        if number is None or number in _ASKED_FOR:
            return None
        return (0, MAPPED_V4 | number) if _is_holdable_v4(number) else self._odd()

    def ipv6(self) -> list[Address]:
        """IPv6 addresses: those given whole, and those that are a prefix and the interface's identifier.

        A prefix alone is no address: it is noted, and nothing is made of it.
        """
        stated = [self._ipv6(value) for value in self.every(Code.FRAMED_IPV6_ADDRESS)]
        identifier = self.octets(Code.FRAMED_INTERFACE_ID)
        stated += [self._joined(value, identifier) for value in self.every(Code.FRAMED_IPV6_PREFIX)]
        self.noted[Note.PREFIX_ONLY] += len(self.every(Code.DELEGATED_IPV6_PREFIX))
        return list(dict.fromkeys(address for address in stated if address is not None))

    def _joined(self, value: bytes, identifier: bytes) -> Address | None:
        """RFC 3162 section 2.3: a reserved octet, the length in bits, as many octets as it takes."""
        bits = value[1] if len(value) >= 2 else 0
        if not 2 + (bits + 7) // 8 <= len(value) <= 18 or bits > 128:
            return self._odd()
        prefix = value[2:].ljust(16, b"\0")
        if bits == 128:
            return self._ipv6(prefix)
        if bits <= _LOCAL_BITS and len(identifier) == 8:
            return self._ipv6(prefix[:8] + identifier)
        self.noted[Note.PREFIX_ONLY] += 1
        return None

    def _ipv6(self, value: bytes) -> Address | None:
        if len(value) != 16:
            return self._odd()
        hi, lo = int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big")
        return (hi, lo) if hi >> 56 != 0xFF and (hi or lo >> 32) else self._odd()

    def _odd(self) -> Address | None:
        self.noted[Note.BAD_FIELD] += 1
        return None


def _is_holdable_v4(number: int) -> bool:
    return 0 < number >> 24 < 224 and number >> 24 != 127
