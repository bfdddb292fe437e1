"""What one Accounting-Request states: who, where, since when, how much."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from appliance.feeds.radius import stations
from appliance.feeds.radius.attributes import Attributes, Code
from appliance.feeds.told import NOWHERE, Address
from appliance.model.texts import Texts


class Status(IntEnum):
    """Acct-Status-Type (RFC 2866 section 5.1)."""

    START = 1
    STOP = 2
    INTERIM = 3
    ON = 7
    OFF = 8


@dataclass(frozen=True, slots=True)
class Statement:
    """`status` as it stands in the packet. `nas` tells clients behind one sender apart (a proxy's).

    `event_s` is the device's own instant (UNIX seconds), None if it states none; `delay_s` how long it had
    been trying to send this; `lasted_s` how long the session has lasted. `octets` are (out, in) as seen from
    the station. `ipv4` is NOWHERE where none is stated.
    """

    status: int
    nas: bytes
    session: str
    mac: int
    ap_mac: int
    vlan: int
    ipv4: Address
    ipv6: tuple[Address, ...]
    ssid: str
    user: str
    class_: str
    octets: tuple[int, int]
    event_s: int | None
    delay_s: int
    lasted_s: int

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Every address that is stated."""
        return ((self.ipv4,) if self.ipv4 != NOWHERE else ()) + self.ipv6


def read(attributes: Attributes) -> Statement | None:
    """None without an Acct-Status-Type, which every request must have (RFC 2866 section 5.13)."""
    status = attributes.number(Code.ACCT_STATUS_TYPE)
    if status is None:
        return None
    ap_mac, ssid = stations.called(attributes)
    user, class_ = _identity(attributes)
    return Statement(
        status,
        b"".join(attributes.octets(code) + b"\0" for code in _NAS),
        attributes.text(Code.ACCT_SESSION_ID),
        stations.calling(attributes),
        ap_mac,
        _vlan(attributes),
        attributes.ipv4() or NOWHERE,
        tuple(attributes.ipv6()),
        ssid,
        user,
        class_,
        (
            _count(attributes, Code.ACCT_INPUT_OCTETS, Code.ACCT_INPUT_GIGAWORDS),
            _count(attributes, Code.ACCT_OUTPUT_OCTETS, Code.ACCT_OUTPUT_GIGAWORDS),
        ),
        attributes.number(Code.EVENT_TIMESTAMP),
        attributes.number(Code.ACCT_DELAY_TIME) or 0,
        attributes.number(Code.ACCT_SESSION_TIME) or 0,
    )


_NAS = (Code.NAS_IP_ADDRESS, Code.NAS_IPV6_ADDRESS, Code.NAS_IDENTIFIER)


def _count(attributes: Attributes, octets: Code, gigawords: Code) -> int:
    """A counter of octets and how often it has passed 2^32 (RFC 2869 sections 5.1, 5.2)."""
    return (attributes.number(gigawords) or 0) << 32 | (attributes.number(octets) or 0)


def _identity(attributes: Attributes) -> tuple[str, str]:
    """(user, class). The user is the User-Name unless that hides who it is (RFC 7542 section 2.4).

    Then it is the Chargeable-User-Identity (RFC 4372; a lone NUL only asks for one), which otherwise stands
    behind the class as `cui=`. Class is opaque: hexadecimal, several with commas between.
    """
    user = attributes.text(Code.USER_NAME)
    chargeable = attributes.text(Code.CHARGEABLE_USER_IDENTITY)
    class_ = ",".join(value.hex() for value in attributes.every(Code.CLASS) if value)
    if user.partition("@")[0].lower() in ("", "anonymous") and chargeable:
        user, chargeable = chargeable, ""
    if chargeable and chargeable != user:
        class_ = f"{class_};cui={chargeable}" if class_ else f"cui={chargeable}"
    if len(class_) > Texts.LONGEST:
        # Too long to be kept, and still to be told from others.
        class_ = "sha256:" + hashlib.sha256(class_.encode()).hexdigest()
    return user, class_


_VLAN_TUNNEL = 13


def _vlan(attributes: Attributes) -> int:
    """The VLAN that the session was put in (RFC 3580 section 3.31), -1 where none is stated.

    Both attributes may carry a tag of one octet, up to 0x1F, in front (RFC 2868 sections 3.1, 3.6).
    """
    kind = attributes.number(Code.TUNNEL_TYPE)
    if kind is None or kind & 0xFF_FFFF != _VLAN_TUNNEL:
        return -1
    value = attributes.octets(Code.TUNNEL_PRIVATE_GROUP_ID)
    digits = value[1:] if value[:1] <= b"\x1f" else value
    if not 0 < len(digits) <= 4 or not digits.isdigit():
        return -1
    number = int(digits)
    return number if 0 < number < 4095 else -1
