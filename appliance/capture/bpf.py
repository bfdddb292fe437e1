"""The classic BPF program of the ring: how much of each frame the kernel keeps. It drops none.

Headers are enough for a record, so a frame is cut at `snaplen`; frames that say who holds an address
(DHCP, DHCPv6, neighbour discovery) are read to their end and kept whole. The first test keeps every
frame that is not longer than `snaplen`, which also puts every later load inside the frame: a load
outside of it would end the program with 0, and the frame would be lost without a word.
"""

from struct import Struct

SHORTEST_SNAPLEN = 96
"""Two VLAN tags, the longest IPv4 header and the ports end at byte 86."""

WHOLE_FRAME = 0xFFFF

_INSTRUCTION = Struct("=HBBI")  # struct sock_filter, linux/filter.h: code, jump if true, jump if false, k

_LOAD_LENGTH, _LOAD_HALF, _LOAD_HALF_X, _LOAD_BYTE_X = 0x80, 0x28, 0x48, 0x50
_SET_X, _COPY_A_TO_X = 0x01, 0x07
_AND, _SHIFT_LEFT, _ADD_X = 0x54, 0x64, 0x0C
_IF_EQUAL, _IF_GREATER, _IF_AT_LEAST, _IF_ANY_BIT = 0x15, 0x25, 0x35, 0x45
_RETURN = 0x06

NOTHING = _INSTRUCTION.pack(_RETURN, 0, 0, 0)
"""The program that takes no frame at all: recording ends."""

_VLAN, _QINQ, _IPV4, _IPV6 = 0x8100, 0x88A8, 0x0800, 0x86DD
_UDP, _ICMPV6 = 17, 58

_Line = tuple[int, str, str, int] | str


def _program(snaplen: int) -> list[_Line]:
    """Instructions with named jumps (an empty name is the next line); X is the length of the tags."""
    return [
        (_LOAD_LENGTH, "", "", 0),
        (_IF_GREATER, "", "cut", snaplen),
        (_SET_X, "", "", 0),
        (_LOAD_HALF, "", "", 12),
        (_IF_EQUAL, "tagged", "", _VLAN),
        (_IF_EQUAL, "tagged", "network", _QINQ),
        "tagged",
        (_SET_X, "", "", 4),
        (_LOAD_HALF, "", "", 16),
        (_IF_EQUAL, "", "network", _VLAN),
        (_SET_X, "", "", 8),
        (_LOAD_HALF, "", "", 20),
        "network",
        (_IF_EQUAL, "ipv4", "", _IPV4),
        (_IF_EQUAL, "ipv6", "cut", _IPV6),
        "ipv4",
        (_LOAD_BYTE_X, "", "", 23),
        (_IF_EQUAL, "", "cut", _UDP),
        (_LOAD_HALF_X, "", "", 20),
        (_IF_ANY_BIT, "cut", "", 0x1FFF),  # a later fragment has no ports
        (_LOAD_BYTE_X, "", "", 14),
        (_AND, "", "", 0x0F),
        (_SHIFT_LEFT, "", "", 2),
        (_ADD_X, "", "", 0),
        (_COPY_A_TO_X, "", "", 0),
        (_LOAD_HALF_X, "", "", 14),
        (_IF_EQUAL, "whole", "", 67),
        (_IF_EQUAL, "whole", "", 68),
        (_LOAD_HALF_X, "", "", 16),
        (_IF_EQUAL, "whole", "", 67),
        (_IF_EQUAL, "whole", "cut", 68),
        "ipv6",
        (_LOAD_BYTE_X, "", "", 20),
        (_IF_EQUAL, "discovery", "", _ICMPV6),
        (_IF_EQUAL, "", "cut", _UDP),
        (_LOAD_HALF_X, "", "", 54),
        (_IF_EQUAL, "whole", "", 546),
        (_IF_EQUAL, "whole", "", 547),
        (_LOAD_HALF_X, "", "", 56),
        (_IF_EQUAL, "whole", "", 546),
        (_IF_EQUAL, "whole", "cut", 547),
        "discovery",  # RFC 4861: types 133 to 137
        (_LOAD_BYTE_X, "", "", 54),
        (_IF_AT_LEAST, "", "cut", 133),
        (_IF_GREATER, "cut", "whole", 137),
        "whole",
        (_RETURN, "", "", WHOLE_FRAME),
        "cut",
        (_RETURN, "", "", snaplen),
    ]


def assemble(snaplen: int) -> bytes:
    """The program as an array of `struct sock_filter`; `snaplen` in bytes, at least SHORTEST_SNAPLEN."""
    if snaplen < SHORTEST_SNAPLEN:
        raise ValueError(f"snaplen is {snaplen} bytes; the headers need at least {SHORTEST_SNAPLEN}")
    names: dict[str, int] = {}
    lines: list[tuple[int, str, str, int]] = []
    for line in _program(snaplen):
        if isinstance(line, str):
            names[line] = len(lines)
        else:
            lines.append(line)

    def jump(here: int, name: str) -> int:
        return names[name] - here - 1 if name else 0

    return b"".join(
        _INSTRUCTION.pack(code, jump(here, when_true), jump(here, when_false), k)
        for here, (code, when_true, when_false, k) in enumerate(lines)
    )
