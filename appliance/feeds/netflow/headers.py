"""Message headers: which version, who speaks, when, and the number of the message or of its records."""

from dataclasses import dataclass
from struct import Struct

from appliance.model.instants import MS, NS

V5, V9, IPFIX = 5, 9, 10

V5_HEADER = Struct("!HHIIIIBBH")
V5_RECORD_OCTETS = 48

_V9_HEADER = Struct("!HHIIII")
_IPFIX_HEADER = Struct("!HHIII")
_VERSION = Struct("!H")


@dataclass(slots=True)
class Header:
    """A message's header. `domain` is the source id or observation domain, of v5 engine type and number.

    `exported` (ns) is the device's clock, `uptime` its sysUpTime in ms (-1: not stated). `start` and `end`
    enclose records or sets. `sampling` is of v5 only: one packet in so many. `short`: the message says it is
    longer.
    """

    version: int
    domain: int
    exported: int
    uptime: int
    sequence: int
    start: int
    end: int
    sampling: int = 0
    short: bool = False


def read_header(message: bytes) -> Header | None:
    """The header of a message, None where it is none of these versions'."""
    if len(message) < 16:
        return None
    version = _VERSION.unpack_from(message)[0]
    if version == IPFIX:
        _, length, seconds, sequence, domain = _IPFIX_HEADER.unpack_from(message)
        if length < 16:
            return None
        end = min(length, len(message))
        return Header(version, domain, seconds * NS, -1, sequence, 16, end, 0, length > len(message))
    if version == V9 and len(message) >= 20:
        _, _, uptime, seconds, sequence, domain = _V9_HEADER.unpack_from(message)
        return Header(version, domain, seconds * NS, uptime, sequence, 20, len(message))
    if version == V5 and len(message) >= 24:
        return _read_v5(message)
    return None


def _read_v5(message: bytes) -> Header:
    _, count, uptime, seconds, nanoseconds, sequence, kind, engine, sampling = V5_HEADER.unpack_from(message)
    whole = (len(message) - 24) // V5_RECORD_OCTETS
    exported = seconds * NS + (nanoseconds if nanoseconds < NS else 0)
    return Header(
        V5,
        kind << 8 | engine,
        # sysUpTime counts whole milliseconds: so does whatever is counted back from it.
        exported // MS * MS,
        uptime,
        sequence,
        24,
        24 + V5_RECORD_OCTETS * min(count, whole),
        sampling & 0x3FFF,  # two bits of mode above; some devices leave the mode 0
        count > whole,
    )
