"""What the kernel knows of the interfaces of our network namespace, asked over rtnetlink(7).

sysfs would be simpler, but it shows the namespace in which it was mounted, not ours. Asks only: nothing here
changes anything.
"""

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

_NEWLINK, _GETLINK, _NEWADDR, _GETADDR, _NEWNEIGH, _GETNEIGH = 16, 18, 20, 22, 28, 30  # linux/rtnetlink.h
_REQUEST, _DUMP = 0x1, 0x300
_ERROR, _DONE = 2, 3
_HEADER = Struct("=IHHII")  # struct nlmsghdr
_LINK = Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_ADDRESS = Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index
_NEIGHBOUR = Struct("=B3xiHBB")  # struct ndmsg: family, index, state, flags, type
_ATTRIBUTE = Struct("=HH")
_U32 = Struct("=I")
_STATISTICS = Struct("=24Q")  # struct rtnl_link_stats64, linux/if_link.h
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_LINKINFO, _IFLA_STATS64 = 18, 23
_INFO_KIND = 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NDA_DST, _NDA_LLADDR = 1, 2
_NUD_FAILED = 0x20
_NTF_SELF = 0x02
_GROUP_BIT = 0x01
_NESTED = 0x3FFF
_ANSWER_BYTES = 1 << 20

IFF_UP, IFF_LOOPBACK, IFF_RUNNING, IFF_NOARP = 0x1, 0x8, 0x40, 0x80  # netdevice(7)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Losses:
    """Frames an interface lost or could not use since the machine started, in its own counters.

    `dropped`: for want of memory or of room between the driver and us, but also frames that nobody but us
    wanted (see `Silence`); `missed`: for want of buffers; `overrun`: by overflows of its queues; `damaged`:
    not readable off the wire (length, checksum, form).
    """

    dropped: int = 0
    missed: int = 0
    overrun: int = 0
    damaged: int = 0


@dataclass(frozen=True)
class Device:
    """One interface. `lower` and `master` number other interfaces, 0 none; a real one has no `kind`."""

    index: int
    name: str
    kind: str
    flags: int
    mtu: int
    mac: bytes
    lower: int
    master: int
    losses: Losses


def devices() -> list[Device]:
    """Every interface of our namespace. Raises OSError."""
    body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    return [_device(content) for kind, content in _ask(_GETLINK, body) if kind == _NEWLINK]


def addresses() -> list[tuple[int, Address]]:
    """(number of the interface, address), for every address of our namespace. Raises OSError."""
    body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    found = []
    for kind, content in _ask(_GETADDR, body):
        if kind == _NEWADDR:
            index = _ADDRESS.unpack_from(content)[4]
            attributes = dict(_attributes(content, _ADDRESS.size))
            # On a point-to-point link IFA_ADDRESS is the other end's.
            raw = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
            if raw:
                found.append((index, ipaddress.ip_address(raw)))
    return found


def find(devices: Sequence[Device], interface: str) -> Device | None:
    """The device of that name, or of that alternative name."""
    named = next((one for one in devices if one.name == interface), None)
    number = 0 if named else number_of(interface)
    return named or next((one for one in devices if one.index == number), None)


def number_of(interface: str) -> int:
    """The number of an interface, 0 if there is none of that name. Never raises."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


def foreign_macs(device: Device) -> list[bytes]:
    """MACs beside its own that a device was asked to take frames for: a macvlan's, whatever its namespace.

    Raises OSError.
    """
    body = _LINK.pack(socket.AF_BRIDGE, 0, device.index, 0, 0)
    found = []
    for kind, content in _ask(_GETNEIGH, body):
        if kind == _NEWNEIGH:
            _, index, _, flags, _ = _NEIGHBOUR.unpack_from(content)
            mac = dict(_attributes(content, _NEIGHBOUR.size)).get(_NDA_LLADDR, b"")
            if index == device.index and flags & _NTF_SELF and mac and not mac[0] & _GROUP_BIT:
                found.append(mac)
    return [mac for mac in found if mac != device.mac]


def neighbours() -> list[tuple[Address, bytes]]:
    """(address, MAC) of every neighbour that the kernel knows, on Ethernet. Raises OSError."""
    body = _NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    found = []
    for kind, content in _ask(_GETNEIGH, body):
        if kind == _NEWNEIGH:
            state = _NEIGHBOUR.unpack_from(content)[2]
            said = dict(_attributes(content, _NEIGHBOUR.size))
            address, mac = said.get(_NDA_DST, b""), said.get(_NDA_LLADDR, b"")
            if len(address) in (4, 16) and len(mac) == 6 and any(mac) and not state & _NUD_FAILED:
                found.append((ipaddress.ip_address(address), mac))
    return found


def _ask(kind: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """(kind, content) of every message of the answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as opened:
        opened.bind((0, 0))
        opened.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | _DUMP, 1, 0) + body)
        while True:
            answer = opened.recv(_ANSWER_BYTES)
            at = 0
            while at + _HEADER.size <= len(answer):
                length, said, _, _, _ = _HEADER.unpack_from(answer, at)
                if said == _DONE:
                    return
                if said == _ERROR:
                    raise OSError(
                        -Struct("=i").unpack_from(answer, at + _HEADER.size)[0], "rtnetlink refused"
                    )
                yield said, answer[at + _HEADER.size : at + length]
                at += length + 3 & ~3


def _attributes(content: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + _ATTRIBUTE.size <= len(content):
        length, kind = _ATTRIBUTE.unpack_from(content, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _NESTED, content[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3


def _device(content: bytes) -> Device:
    _, _, index, flags, _ = _LINK.unpack_from(content)
    said = dict(_attributes(content, _LINK.size))

    def number(attribute: int) -> int:
        return int(_U32.unpack(said[attribute])[0]) if attribute in said else 0

    about = dict(_attributes(said.get(_IFLA_LINKINFO, b""), 0))
    return Device(
        index,
        _text(said.get(_IFLA_IFNAME, b"")),
        _text(about.get(_INFO_KIND, b"")),
        flags,
        number(_IFLA_MTU),
        said.get(_IFLA_ADDRESS, b""),
        number(_IFLA_LINK),
        number(_IFLA_MASTER),
        _losses(said.get(_IFLA_STATS64, b"")),
    )


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="replace")


def _losses(raw: bytes) -> Losses:
    if len(raw) < _STATISTICS.size:
        return Losses()
    counts = _STATISTICS.unpack_from(raw)
    length, over, checksum, form, fifo, missed = counts[10:16]
    return Losses(dropped=counts[6], missed=missed, overrun=over + fifo, damaged=length + checksum + form)
