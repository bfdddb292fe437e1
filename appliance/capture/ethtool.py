"""What a network card says and does beneath the packets: its speed, and frames it merges before we see them.

ethtool's ioctl (linux/ethtool.h). Receive offloads put several frames of a connection together, so that a
mirror's packets are counted too low; on an interface of our own they are switched off.
"""

import contextlib
import ctypes
import fcntl
import socket
from struct import Struct

_SIOCETHTOOL = 0x8946
_GET_SETTINGS, _GET_FLAGS, _SET_FLAGS, _GET_GRO, _SET_GRO = 0x01, 0x25, 0x26, 0x2B, 0x2C
_FLAG_LRO = 1 << 15
_IFREQ = Struct("@16sP16x")
_VALUE = Struct("=II")
_SETTINGS_BYTES, _SPEED_AT, _SPEED_HIGH_AT = 44, 12, 28  # struct ethtool_cmd
_UNKNOWN_SPEEDS = (0, 0xFFFF, 0xFFFFFFFF)


def speed_mbps(interface: str) -> int | None:
    """The speed of the link in Mbit/s; None where there is no link or the driver does not say."""
    buffer = ctypes.create_string_buffer(_SETTINGS_BYTES)
    Struct("=I").pack_into(buffer, 0, _GET_SETTINGS)
    try:
        _ask(interface, buffer)
    except OSError:
        return None
    low, high = (Struct("=H").unpack_from(buffer, at)[0] for at in (_SPEED_AT, _SPEED_HIGH_AT))
    speed = int(high << 16 | low)
    return None if speed in _UNKNOWN_SPEEDS else speed


def merges_frames(interface: str) -> bool:
    """Whether GRO or LRO is on: several frames may reach us as one."""
    return bool(_get(interface, _GET_GRO)) or bool(_get(interface, _GET_FLAGS) & _FLAG_LRO)


def stop_merging(interface: str) -> None:
    """Switch GRO and LRO off, as far as driver and rights allow; `merges_frames` tells whether it worked."""
    with contextlib.suppress(OSError):
        _set(interface, _SET_GRO, 0)
    flags = _get(interface, _GET_FLAGS)
    if flags & _FLAG_LRO:
        with contextlib.suppress(OSError):
            _set(interface, _SET_FLAGS, flags & ~_FLAG_LRO)


def _get(interface: str, command: int) -> int:
    buffer = ctypes.create_string_buffer(_VALUE.pack(command, 0), _VALUE.size)
    try:
        _ask(interface, buffer)
    except OSError:
        return 0
    return int(_VALUE.unpack_from(buffer)[1])


def _set(interface: str, command: int, value: int) -> None:
    _ask(interface, ctypes.create_string_buffer(_VALUE.pack(command, value), _VALUE.size))


def _ask(interface: str, buffer: "ctypes.Array[ctypes.c_char]") -> None:
    request = _IFREQ.pack(interface.encode()[:15], ctypes.addressof(buffer))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, _SIOCETHTOOL, request)
