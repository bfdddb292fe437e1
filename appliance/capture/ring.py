"""The kernel's packet ring of one interface (AF_PACKET, TPACKET_V3): listens to everything, sends nothing.

packet(7) and Documentation/networking/packet_mmap.rst. Everything is set before the socket is bound, so
that no frame slips in uncut. The kernel fills blocks; a block is handed on whole (see `block`).
"""

import errno
import mmap
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from struct import Struct
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from appliance.capture import block, bpf
from appliance.capture.interface import Link, link_of, link_type_of, name_of
from appliance.model.errors import CaptureError
from appliance.model.frames import ETHERNET, Frames
from appliance.wire.ports import tunnel_ports

BLOCK_BYTES = 16 << 20
"""The more frames in a batch the less each costs: at 500,000 a second 0.72 of what they do with 4 MB.

A block is handed on after 0.1 s anyway.
"""

FEWEST_BLOCKS = 4
RING_BYTES = 128 << 20
"""620,000 short frames: more than a second at 500,000 a second, the time a full hour's seal may take."""

SNAPLEN_BYTES = 128
"""Tags, an IPv6 header with extensions, ports and flags; what tells more is kept whole (see `bpf`)."""

_RETIRE_MS = 100
LAST_BLOCK_S = 1.0
"""The kernel hands its last block on 0.1 s after the block was begun, on a busy machine later."""

_ABSENT_PAUSE_S = 0.2

_SOL_PACKET = 263  # linux/if_packet.h from here on
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION, _IGNORE_OUTGOING = 1, 5, 6, 10, 23
_TPACKET_V3 = 2
_PROMISCUOUS = 1
_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER = 26
_STATUS_KERNEL, _STATUS_USER = 0, 1

_TPACKET_REQ3 = Struct("=7I")
_PACKET_MREQ = Struct("=iHH8s")
_SOCK_FPROG = Struct("@HP")
_STATISTICS_V3 = Struct("=3I")


@dataclass(frozen=True)
class RingCounts:
    """Since `open`: frames that reached the ring (lost ones included), lost because it was full, and why.

    `freezes` counts the times the ring was full; `interruptions` the times the interface went down, lost
    its cable or vanished; `unread` the frames that went with a ring that had to be given up.
    """

    packets: int
    drops: int
    freezes: int
    interruptions: int
    unread: int = 0


class Ring:
    """One interface's ring. `open`, then `read` in a loop, `statistics` about once a second, `close`."""

    def __init__(
        self,
        interface: str,
        ring_bytes: int = RING_BYTES,
        program: bytes | None = None,
        may_wait: bool = False,
    ) -> None:
        self.interface = interface
        self._may_wait = may_wait
        self.link = Link.ABSENT
        self._block_bytes = min(BLOCK_BYTES, ring_bytes // FEWEST_BLOCKS)
        self._blocks = ring_bytes // self._block_bytes
        self._program = program or bpf.program(SNAPLEN_BYTES, tunnel_ports(()))
        self._socket: socket.socket | None = None
        self._ring: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._status: NDArray[np.uint32] = np.empty(0, np.uint32)
        self._next = 0
        self._held = False
        self._bound_name = interface
        self._link_type = ETHERNET
        self._read = 0
        self._interrupted_until: float | None = None
        self._counts = RingCounts(0, 0, 0, 0)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Start listening; a link that is down is waited for. Raises CaptureError where that is refused.

        Where it `may_wait`, an interface that is not there is waited for as well.
        """
        try:
            self._listen()
        except PermissionError as error:
            raise CaptureError(
                f"may not listen on '{self.interface}'; run as root or give the process CAP_NET_RAW"
            ) from error
        except OSError as error:
            if error.errno in (None, errno.ENODEV, errno.ENXIO):  # if_nametoindex gives no number
                if self._may_wait:
                    return
                reason = "there is no such interface; see 'ip link' for those there are"
            elif error.errno == errno.ENOMEM:
                reason = "the kernel has no memory for the ring; free memory and try again"
            else:
                reason = f"{error.strerror}; check the interface"
            raise CaptureError(f"cannot listen on '{self.interface}': {reason}") from error
        self.link = link_of(self.interface)

    def close(self) -> None:
        """Stop listening; what the kernel lost until now is counted. Frames handed out become stale."""
        if self._socket is None:
            return
        self._give_up(self._outstanding())
        self._socket.close()
        self._socket = None
        # The mapping keeps the socket alive, and the interface promiscuous, until its last view is gone.
        self._ring = np.empty(0, np.uint8)
        self._status = np.empty(0, np.uint32)
        self._held = False

    def filter(self, program: bytes) -> None:
        """Let the kernel keep frames by another program (see `bpf`) from now on; no frame slips between."""
        self._program = program
        if self._socket is not None and self._link_type == ETHERNET:
            self._attach(self._socket, program)

    def cease(self) -> None:
        """Take no more frames; those that came until now can still be read, the last 0.1 s later."""
        if self._socket is not None:
            self._attach(self._socket, bpf.NOTHING)

    def rest(self, patience_s: float = LAST_BLOCK_S) -> Iterator[Frames]:
        """All that came until `cease` and is not read yet; gives up after `patience_s` without any."""
        until = time.monotonic() + patience_s
        while self._outstanding() and (left_s := until - time.monotonic()) > 0:
            frames = self.read(left_s)
            if frames is not None:
                yield frames
                until = time.monotonic() + patience_s

    def read(self, timeout_s: float) -> Frames | None:
        """The next block of frames, or None when none came in `timeout_s` seconds.

        The frames of the previous call are given back to the kernel by this one. An interface that went
        away is listened to again as soon as it is back.
        """
        self._release()
        if self._socket is None and not self._return(timeout_s):
            return None
        if self._status[self._next] & _STATUS_USER == 0:
            self._wait(timeout_s)
            if self._socket is None or self._status[self._next] & _STATUS_USER == 0:
                self._end_interruption()
                return None
        self._held = True
        frames = block.frames_of(
            self._ring, self._next * self._block_bytes, self._block_bytes, self._link_type
        )
        self._read += len(frames)
        return frames if len(frames) else None

    def statistics(self) -> RingCounts:
        """Counts since `open`; also looks at the link, so call it regularly."""
        self._add_kernel_counts()
        link = link_of(self.interface)
        if self._socket is not None and self.link is Link.UP and link is not Link.UP:
            self._interrupt()
        elif self._interrupted_until is None:
            self._see(link)
        return self._counts

    @property
    def is_interrupted(self) -> bool:
        """Whether the link went, and `link` still says what it was for what had come before."""
        return self._interrupted_until is not None

    def _listen(self) -> None:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        name = name_of(self.interface)
        try:
            opened.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
            opened.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
            link_type = self._link_type_of(name)
            self._attach(opened, self._program if link_type == ETHERNET else bpf.EVERYTHING)
            size = self._blocks * self._block_bytes
            opened.setsockopt(
                _SOL_PACKET,
                _RX_RING,
                _TPACKET_REQ3.pack(self._block_bytes, self._blocks, 2048, size // 2048, _RETIRE_MS, 0, 0),
            )
            mapped = mmap.mmap(opened.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
            number = socket.if_nametoindex(name)
            opened.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, _PACKET_MREQ.pack(number, _PROMISCUOUS, 0, b""))
            opened.bind((name, _ETH_P_ALL))
        except BaseException:  # an interrupt too: the half-opened ring must not stay promiscuous
            opened.close()
            raise
        self._ring = np.frombuffer(mapped, np.uint8)
        self._status = self._ring.view(np.uint32)[block.STATUS_AT // 4 :: self._block_bytes // 4]
        self._next, self._held = 0, False
        self._socket, self._bound_name, self._link_type = opened, name, link_type
        self._interrupted_until = None

    def _attach(self, opened: socket.socket, program: bytes) -> None:
        where = _SOCK_FPROG.pack(len(program) // 8, np.frombuffer(program, np.uint8).ctypes.data)
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)

    def _link_type_of(self, name: str) -> int:
        link_type = link_type_of(name)
        if link_type is None:
            raise CaptureError(
                f"'{self.interface}' does not carry Ethernet frames or Wi-Fi's; choose the mirror's port"
            )
        return link_type

    def _release(self) -> None:
        if self._held:
            self._status[self._next] = _STATUS_KERNEL
            self._next = (self._next + 1) % self._blocks
            self._held = False

    def _wait(self, timeout_s: float) -> None:
        """Sleep until a block is ready; a socket in error tells that the link went."""
        assert self._socket is not None
        if self._interrupted_until is not None:
            timeout_s = min(timeout_s, _RETIRE_MS / 1000) if self._outstanding() else 0
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLERR)
        if any(event & select.POLLERR for _, event in poll.poll(timeout_s * 1000)):
            self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # reading it clears it
            self._interrupt()

    def _interrupt(self) -> None:
        """The link went: what had come before is in the ring, its last block not handed on yet."""
        if self._interrupted_until is None:
            self._interrupted_until = time.monotonic() + LAST_BLOCK_S

    def _end_interruption(self) -> None:
        """See how the link is as soon as nothing that came before it went is left to be read."""
        until = self._interrupted_until
        if until is None or (self._outstanding() and time.monotonic() < until):
            return
        self._interrupted_until = None
        self._see(Link.DOWN)
        self._see(link_of(self.interface))
        if self._is_gone():
            self.close()
            self._see(Link.ABSENT)

    def _is_gone(self) -> bool:
        """Whether the interface we were bound to is no more, though another may bear its name."""
        if self._socket is None:
            return False
        return self._socket.getsockname()[0] != self._bound_name or link_of(self.interface) is Link.ABSENT

    def _return(self, timeout_s: float) -> bool:
        """Try to listen again to an interface that had vanished; waits a moment when it is still away."""
        try:
            self._listen()
        except OSError:
            time.sleep(min(timeout_s, _ABSENT_PAUSE_S))
            return False
        self._see(link_of(self.interface))
        return True

    def _see(self, link: Link) -> None:
        if self.link is Link.UP and link is not Link.UP:
            self._counts = replace(self._counts, interruptions=self._counts.interruptions + 1)
        self.link = link

    def _outstanding(self) -> int:
        """Frames that reached the ring, were not dropped there, and are not read yet."""
        self._add_kernel_counts()
        return self._counts.packets - self._counts.drops - self._counts.unread - self._read

    def _give_up(self, unread: int) -> None:
        self._counts = replace(self._counts, unread=self._counts.unread + unread)

    def _add_kernel_counts(self) -> None:
        """Reading the kernel's counts sets them to zero, so they are summed here."""
        if self._socket is None:
            return
        answer = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _STATISTICS_V3.size)
        packets, drops, freezes = _STATISTICS_V3.unpack(answer)
        counts = self._counts
        self._counts = replace(
            counts,
            packets=counts.packets + packets,
            drops=counts.drops + drops,
            freezes=counts.freezes + freezes,
        )
