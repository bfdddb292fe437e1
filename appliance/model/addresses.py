"""Addresses: one column form for IPv4 and IPv6, one for MACs, and their texts.

An IP address is a 128-bit number kept as two unsigned 64-bit halves, `hi` and `lo`; IPv4 is kept in
its IPv4-mapped form (RFC 4291 section 2.5.5.2: ::ffff:a.b.c.d), so one column serves both. A MAC is the
low 48 bits of an unsigned 64-bit number; 0 stands for "not known" (an all-zero MAC is never a station).
"""

import ipaddress

import numpy as np
from numpy.typing import NDArray

MAPPED_V4 = 0xFFFF_0000_0000
MAC_NULL = 0
MAC_GROUP_BIT = 0x0100_0000_0000
MAC_LOCAL_BIT = 0x0200_0000_0000
"""Locally administered: a device may have drawn it at random."""

U64 = NDArray[np.uint64]


def ip_halves(text: str) -> tuple[int, int]:
    """(hi, lo) of an address in text, IPv4 mapped. Raises ValueError as `ipaddress` does."""
    address = ipaddress.ip_address(text.strip())
    number = int(address) if address.version == 6 else MAPPED_V4 | int(address)
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF


def ip_text(hi: int, lo: int) -> str:
    """Canonical text (RFC 5952) of an address; IPv4-mapped is written as IPv4."""
    if hi == 0 and lo >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(lo & 0xFFFF_FFFF))
    return str(ipaddress.IPv6Address(hi << 64 | lo))


def ip_bytes(hi: U64, lo: U64) -> NDArray[np.void]:
    """(n,) halves to (n,) network-order 16-byte values, the form of the columns at rest."""
    packed = np.empty((len(hi), 2), dtype=">u8")
    packed[:, 0] = hi
    packed[:, 1] = lo
    return packed.view("V16").reshape(-1)


def mac_bytes(macs: U64) -> NDArray[np.void]:
    """(n,) MAC numbers to (n,) network-order 6-byte values, the form of the columns at rest."""
    wide = macs.astype(">u8").view(np.uint8).reshape(-1, 8)
    return np.ascontiguousarray(wide[:, 2:]).view("V6").reshape(-1)


def mac_number(text: str) -> int:
    """A MAC in any usual writing (aa:bb:.., aa-bb-.., aabb.ccdd.eeff) to its number; ValueError if none."""
    digits = text.strip().lower().replace(":", "").replace("-", "").replace(".", "")
    if len(digits) != 12 or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"'{text}' is not a MAC address; write it like aa:bb:cc:dd:ee:ff")
    return int(digits, 16)


def unicast(mac: int) -> int:
    """The same where a MAC can be that of one device, a station's or an access point's; else MAC_NULL."""
    return MAC_NULL if mac & MAC_GROUP_BIT else mac


def mac_text(mac: int) -> str:
    """`aa:bb:cc:dd:ee:ff`."""
    return ":".join(f"{mac:012x}"[i : i + 2] for i in range(0, 12, 2))
