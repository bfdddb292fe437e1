"""Every object that is ever asked for by SNMP: this list is exhaustive, and published.

`appliance/feeds/README.md` shows the same list; a test holds the two against each other, and another
against what is seen on the wire.
"""

from dataclasses import dataclass

Oid = tuple[int, ...]

_MIB_2: Oid = (1, 3, 6, 1, 2, 1)


@dataclass(frozen=True)
class Managed:
    """One managed object: a scalar (its OID ends with .0) or a column of a table."""

    name: str
    oid: Oid
    why: str

    @property
    def text(self) -> str:
        """`1.3.6.1.2.1.1.5.0`."""
        return ".".join(map(str, self.oid))


def _mib_2(name: str, oid: str, why: str) -> Managed:
    return Managed(name, (*_MIB_2, *map(int, oid.split("."))), why)


SYSTEM = (
    _mib_2("sysDescr", "1.1.0", "make and model"),
    _mib_2("sysObjectID", "1.2.0", "make and model, as a number"),
    _mib_2("sysUpTime", "1.3.0", "whether the device was restarted"),
    _mib_2("sysName", "1.5.0", "the name its owner gave it"),
    _mib_2("sysLocation", "1.6.0", "where its owner says it is"),
)
"""RFC 3418."""

INTERFACES = (
    _mib_2("ifDescr", "2.2.1.2", "the interface's name where it has no other"),
    _mib_2("ifType", "2.2.1.3", "71 is a radio: an access point"),
    _mib_2("ifPhysAddress", "2.2.1.6", "the device's own MACs: of a radio, the BSSID"),
    _mib_2("ifOperStatus", "2.2.1.8", "whether it is up"),
    _mib_2("ifName", "31.1.1.1.1", "the interface's name"),
    _mib_2("ifHighSpeed", "31.1.1.1.15", "its speed"),
)
"""RFC 2863."""

NEIGHBOURS = (
    _mib_2("ipNetToMediaPhysAddress", "4.22.1.2", "who holds which IPv4 address (older devices)"),
    _mib_2("ipNetToPhysicalPhysAddress", "4.35.1.4", "who holds which IPv4 or IPv6 address"),
)
"""RFC 4293."""

BRIDGE = (
    _mib_2("dot1dBasePortIfIndex", "17.1.4.1.2", "which interface a bridge's port is"),
    _mib_2("dot1dTpFdbPort", "17.4.3.1.2", "at which port a MAC is"),
    _mib_2("dot1qTpFdbPort", "17.7.1.2.2.1.2", "the same, VLAN by VLAN"),
)
"""RFC 4188, RFC 4363."""

COLUMNS = (*INTERFACES, *NEIGHBOURS, *BRIDGE)
ASKED = (*SYSTEM, *COLUMNS)
