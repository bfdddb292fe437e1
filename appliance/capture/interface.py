"""What the kernel says of a network interface: is it there, is it up, what kind of frames it carries."""

import fcntl
import socket
from enum import Enum
from struct import Struct

_SIOCGIFFLAGS = 0x8913  # netdevice(7)
_SIOCGIFHWADDR = 0x8927
_IFREQ_FLAGS = Struct("=16sH14x")
_IFF_UP, _IFF_RUNNING = 0x1, 0x40


_LINK_TYPES = {1: 1, 772: 1, 801: 105, 803: 127}
"""ARPHRD_ETHER, _LOOPBACK, _IEEE80211, _IEEE80211_RADIOTAP (linux/if_arp.h) in libpcap's numbers."""


class Link(Enum):
    """Whether frames can arrive. DOWN is both switched off and without a cable."""

    UP = "up"
    DOWN = "down"
    ABSENT = "absent"


def name_of(interface: str) -> str:
    """The kernel's own name of an interface that is called by an alternative one; else the same."""
    try:
        return socket.if_indextoname(socket.if_nametoindex(interface))
    except OSError:
        return interface


def link_type_of(interface: str) -> int | None:
    """What its frames begin with, as capture files number it; None for what is no Ethernet and no Wi-Fi.

    Raises OSError.
    """
    request = _IFREQ_FLAGS.pack(interface.encode()[:15], 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, _SIOCGIFHWADDR, request)
    return _LINK_TYPES.get(_IFREQ_FLAGS.unpack(answer)[1])


def link_of(interface: str) -> Link:
    """The state of an interface of the network namespace we are in. Never raises; costs two system calls."""
    request = _IFREQ_FLAGS.pack(interface.encode()[:15], 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, _SIOCGIFFLAGS, request)
        except OSError:
            return Link.ABSENT
    flags = _IFREQ_FLAGS.unpack(answer)[1]
    return Link.UP if flags & _IFF_UP and flags & _IFF_RUNNING else Link.DOWN
