"""The answers of one agent: what device it is, and who its tables say is there. Pure.

Of clients nothing goes into the description of a device: a table of neighbours becomes claims, a bridge's
table becomes claims where its port is a radio, and else only a number of stations behind each port.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from appliance.feeds.snmp.objects import Oid
from appliance.feeds.told import NOWHERE, Teller
from appliance.model.addresses import MAC_NULL, MAPPED_V4, unicast
from appliance.model.networks import Networks
from appliance.model.reasons import Evidence, Note, Refusal

Value = int | bytes
Column = Mapping[Oid, Value]
"""Values by index: the part of the OID behind the column's own. Of a scalar the index is ()."""

RADIO = 71  # ieee80211 of IANAifType-MIB
_UP = 1
_LONGEST_TEXT = 255  # DisplayString (RFC 2579)
_IPV4, _IPV6, _IPV4Z, _IPV6Z = 1, 2, 3, 4  # InetAddressType (RFC 4001)


@dataclass(frozen=True)
class Interface:
    """An interface of a device. `stations`: how many MACs its bridge has learned there."""

    index: int
    name: str
    kind: int
    mac: int
    up: bool
    speed_mbps: int
    stations: int


@dataclass(frozen=True)
class Device:
    """What an agent says of its own device. `up_s` is how long its agent has been running."""

    address: str
    name: str
    description: str
    location: str
    object_id: str
    up_s: int
    interfaces: tuple[Interface, ...]


@dataclass(frozen=True)
class Answers:
    """What an agent answered: for each object's name a column. `cut` were too long to be read whole."""

    address: str
    columns: Mapping[str, Column]
    cut: tuple[str, ...] = field(default=())

    def of(self, name: str) -> Column:
        """One column; empty if the agent has none."""
        return self.columns.get(name, {})

    def text(self, name: str) -> str:
        """A scalar as text."""
        return _text(self.of(name).get((), b""))


def device(answers: Answers) -> Device:
    """The device behind an agent, its interfaces by index."""
    kinds, macs = answers.of("ifType"), answers.of("ifPhysAddress")
    up, speeds = answers.of("ifOperStatus"), answers.of("ifHighSpeed")
    names, descriptions = answers.of("ifName"), answers.of("ifDescr")
    behind = Counter(port for _, port in _stations(answers))
    indexes = sorted({index for column in (kinds, macs, names, descriptions) for index in column})
    interfaces = tuple(
        Interface(
            index[0],
            _text(names.get(index, b"")) or _text(descriptions.get(index, b"")),
            _number(kinds.get(index, 0)),
            _mac(macs.get(index, b"")),
            up.get(index) == _UP,
            _number(speeds.get(index, 0)),
            behind[index[0]],
        )
        for index in indexes
        if len(index) == 1
    )
    ticks = _number(answers.of("sysUpTime").get((), 0))  # hundredths of a second
    return Device(
        answers.address,
        answers.text("sysName"),
        answers.text("sysDescr"),
        answers.text("sysLocation"),
        answers.text("sysObjectID"),
        ticks // 100,
        interfaces,
    )


def tell(answers: Answers, known: Device, clients: Networks, now_ns: int, teller: Teller) -> None:
    """Claims that the agent's tables make at `now_ns`: clients' addresses, and who is at a radio.

    What is no client's address or no station's MAC is refused as NOTHING_TO_KEEP.
    """
    own = {interface.mac for interface in known.interfaces}
    for address, mac in _neighbours(answers):
        if mac in own or not unicast(mac) or not _holds(clients, address):
            teller.refused[Refusal.NOTHING_TO_KEEP] += 1
        else:
            teller.claim(now_ns, Evidence.SNMP, mac, address)
    radios = {
        interface.index: interface.mac
        for interface in known.interfaces
        if interface.kind == RADIO and unicast(interface.mac)
    }
    for mac, index in _stations(answers):
        if index in radios and mac not in own and unicast(mac):
            teller.claim(now_ns, Evidence.SNMP, mac, NOWHERE, ap_mac=radios[index])
    if answers.cut:
        teller.noted[Note.TABLE_CUT_OFF] += len(answers.cut)


def _neighbours(answers: Answers) -> Iterator[tuple[tuple[int, int], int]]:
    """(address, MAC) of both tables, each pair once."""
    seen = set()
    for index, value in answers.of("ipNetToMediaPhysAddress").items():
        if len(index) == 5:  # interface, address
            seen.add((_halves(index[1:]), _mac(value)))
    for index, value in answers.of("ipNetToPhysicalPhysAddress").items():
        # interface, kind of address, octets, address; an address with a zone ends with four octets more
        if len(index) < 3 or len(index) != 3 + index[2]:
            continue
        octets = index[3:]
        if index[1] in (_IPV4Z, _IPV6Z):
            octets = octets[:-4]
        if (index[1], len(octets)) in ((_IPV4, 4), (_IPV4Z, 4), (_IPV6, 16), (_IPV6Z, 16)):
            seen.add((_halves(octets), _mac(value)))
    yield from sorted(seen)


def _stations(answers: Answers) -> Iterator[tuple[int, int]]:
    """(MAC, interface's index) of both forwarding tables, each pair once."""
    ports = {index[0]: _number(value) for index, value in answers.of("dot1dBasePortIfIndex").items() if index}
    seen = set()
    for name, length in (("dot1dTpFdbPort", 6), ("dot1qTpFdbPort", 7)):  # the second begins with the VLAN
        for index, port in answers.of(name).items():
            if len(index) == length and max(index[-6:]) < 256 and port:
                seen.add((int.from_bytes(bytes(index[-6:]), "big"), ports.get(_number(port), 0)))
    yield from sorted(seen)


def _halves(octets: Oid) -> tuple[int, int]:
    number = 0
    for octet in octets:
        number = number << 8 | octet & 0xFF
    if len(octets) == 4:
        number |= MAPPED_V4
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF


def _holds(clients: Networks, address: tuple[int, int]) -> bool:
    hi, lo = (np.array([half], np.uint64) for half in address)
    return bool(clients.hold(hi, lo)[0])


def _mac(value: Value) -> int:
    return int.from_bytes(value, "big") if isinstance(value, bytes) and len(value) == 6 else MAC_NULL


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _text(value: Value) -> str:
    if isinstance(value, int):
        return str(value)
    text = value.decode("utf-8", "replace")[:_LONGEST_TEXT]
    return "".join(each if each.isprintable() else " " for each in text).strip()
