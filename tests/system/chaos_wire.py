"""Faults below HTTP: bytes of a TLS connection that are cut off, changed or held up on their way."""

import contextlib
import math
import random
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

UP, DOWN = "up", "down"
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class WireFault:
    """`kind` is cut, reset, flip or stall; it happens to the byte `at` (from 0) of one direction."""

    kind: str
    direction: str
    at: int
    mask: int
    pause_s: float

    @property
    def name(self) -> str:
        return f"wire-{self.kind}-{self.direction}"


def draw(chance: random.Random) -> WireFault:
    """Any of them; as often within the handshake as within the bytes of a file."""
    kind = chance.choice(("cut", "reset", "flip", "flip", "stall"))
    direction = chance.choice((UP, UP, DOWN))
    reach = math.log(60_000 if direction == UP else 6_000)
    at = int(math.exp(chance.uniform(0, reach))) - 1
    return WireFault(kind, direction, at, 1 << chance.randrange(8), chance.uniform(0.05, 0.8))


def reset(end: socket.socket) -> None:
    """Close so that the other side sees a connection reset."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def carry(near: socket.socket, far: socket.socket, fault: WireFault, count: Callable[[str], None]) -> None:
    """Pass bytes both ways until one side ends or the fault ends it. `near` is the box; both are closed."""
    passed = {UP: 0, DOWN: 0}
    ways = {near: (far, UP), far: (near, DOWN)}
    try:
        while True:
            readable, _, _ = select.select([near, far], [], [], _PATIENCE_S)
            if not readable:
                return
            for source in readable:
                other, direction = ways[source]
                piece = source.recv(65536)
                if not piece:
                    return
                before = passed[direction]
                passed[direction] += len(piece)
                if direction == fault.direction and before <= fault.at < passed[direction]:
                    count(fault.name)
                    if not _happens(fault, piece, fault.at - before, other, near):
                        return
                else:
                    other.sendall(piece)
    except OSError:
        return
    finally:
        near.close()
        far.close()


def _happens(fault: WireFault, piece: bytes, place: int, other: socket.socket, near: socket.socket) -> bool:
    """Send what is left of a piece; whether the connection goes on."""
    if fault.kind == "flip":
        other.sendall(piece[:place] + bytes([piece[place] ^ fault.mask]) + piece[place + 1 :])
        return True
    if fault.kind == "stall":
        other.sendall(piece[:place])
        time.sleep(fault.pause_s)
        other.sendall(piece[place:])
        return True
    other.sendall(piece[:place])
    if fault.kind == "reset":
        reset(near)
        reset(other)
    return False
