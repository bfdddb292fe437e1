"""Flow samples: one packet in so many, as the device saw it (sFlow version 5, section 5).

Of what a sample may carry only this is read: the packet's header, its addresses, VLAN, translation and access
point. URLs, requests and the names of users are passed over, never decoded.
"""

from collections import Counter
from dataclasses import dataclass

from appliance.feeds.sflow.reader import CutShortError, Reader
from appliance.feeds.told import NOWHERE, Address
from appliance.model.frames import ETHERNET, IPV4_ONLY, IPV6_ONLY, MPLS_LABELS, PPP
from appliance.model.reasons import Note, Refusal

HEADER, FRAME, IPV4, IPV6 = 1, 2, 3, 4
SWITCH, NAT, NAT_PORTS, RADIO_RX, RADIO_TX = 1001, 1007, 1020, 1014, 1015
CONTENT = frozenset({1005, 2003, 2201, 2206})
"""Structures (sflow.org/developers/structures.php). CONTENT: extended_url and the HTTP requests."""

_LINKS = {1: ETHERNET, 7: PPP, 11: IPV4_ONLY, 12: IPV6_ONLY, 13: MPLS_LABELS, 15: 105}
"""header_protocol to LINKTYPE; 15 is 802.11."""

_LEAST_RATE = 2
"""A device that says it looks at every packet still gives no account of those it dropped."""

_RECORDS_LIMIT = 64


@dataclass(frozen=True)
class Ends:
    """Between whom, as sampled_ipv4 and sampled_ipv6 say it. `octets` are of the IP layer."""

    octets: int
    protocol: int
    source: Address
    destination: Address
    ports: tuple[int, int]


@dataclass
class Sample:
    """What is read of one flow sample. `header` are its first bytes, to be read as frames of `link_type`."""

    received_ns: int
    rate: int
    data_source: int
    drops: int
    link_type: int = -1
    header: bytes = b""
    frame_octets: int = 0
    ends: Ends | None = None
    macs: tuple[int, int] = (0, 0)
    vlan: int = -1
    ap_mac: int = 0
    nat: tuple[Address, Address] = (NOWHERE, NOWHERE)
    nat_ports: tuple[int, int] = (0, 0)


def flow_sample(
    data: bytes, expanded: bool, received_ns: int, refused: Counter[str], noted: Counter[str]
) -> Sample | None:
    """Read a flow sample; None if it cannot be read, which is counted. Content in it is noted."""
    reader = Reader(data)
    try:
        if expanded:
            _, kind, index, rate, _, drops, *_, count = reader.numbers(11)
        else:
            _, source, rate, _, drops, _, _, count = reader.numbers(8)
            kind, index = source >> 24, source & 0xFFFFFF
        sample = Sample(received_ns, max(rate, _LEAST_RATE), kind << 32 | index, drops)
        for _ in range(min(count, _RECORDS_LIMIT)):
            form, body = reader.number(), reader.opaque()
            if form in CONTENT:
                noted[Note.CONTENT_STRIPPED] += 1
            elif form in _READ:
                _READ[form](sample, Reader(body))
    except CutShortError:
        refused[Refusal.BAD_MESSAGE] += 1
        return None
    return sample


def _header(sample: Sample, reader: Reader) -> None:
    protocol, sample.frame_octets, _ = reader.numbers(3)
    sample.link_type = _LINKS.get(protocol, -2)
    sample.header = reader.opaque()


def _frame(sample: Sample, reader: Reader) -> None:
    reader.number()
    sample.macs = reader.mac(), reader.mac()


def _ipv4(sample: Sample, reader: Reader) -> None:
    _packet(sample, reader, 4)


def _ipv6(sample: Sample, reader: Reader) -> None:
    _packet(sample, reader, 16)


def _packet(sample: Sample, reader: Reader, size: int) -> None:
    octets, protocol = reader.numbers(2)
    ends = reader.ip(size), reader.ip(size)
    source_port, destination_port = reader.numbers(2)
    sample.ends = Ends(octets, protocol & 0xFF, *ends, (source_port & 0xFFFF, destination_port & 0xFFFF))


def _switch(sample: Sample, reader: Reader) -> None:
    vlan = reader.number()
    sample.vlan = vlan if 0 < vlan < 4095 else -1


def _nat(sample: Sample, reader: Reader) -> None:
    sample.nat = reader.address(), reader.address()


def _nat_ports(sample: Sample, reader: Reader) -> None:
    source, destination = reader.numbers(2)
    sample.nat_ports = source & 0xFFFF, destination & 0xFFFF


def _radio(sample: Sample, reader: Reader) -> None:
    reader.opaque()  # the SSID: of what is sampled nobody is recorded
    sample.ap_mac = reader.mac()


_READ = {
    HEADER: _header,
    FRAME: _frame,
    IPV4: _ipv4,
    IPV6: _ipv6,
    SWITCH: _switch,
    NAT: _nat,
    NAT_PORTS: _nat_ports,
    RADIO_RX: _radio,
    RADIO_TX: _radio,
}
