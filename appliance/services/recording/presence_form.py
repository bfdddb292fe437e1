"""What a recorder answers about who is there, over a socket of its own in HOME/run.

The length of a head (4 bytes, big endian), the head (JSON), and DEVICE rows as they lie in memory, to the
end.
"""

import contextlib
import socket
import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from appliance.identity.presence import DEVICE, LIMIT
from appliance.runtime import local_socket
from appliance.vault import liveness
from appliance.vault.names import Home

FOLDER, SUFFIX = "run", ".socket"
PATIENCE_S = 2.0
_HEAD_LIMIT = 4096


class Means(StrEnum):
    """How a recorder knows: by what it has seen, or by what devices tell."""

    SEEN = "seen"
    TOLD = "told"


class Head(msgspec.Struct, frozen=True):
    """Rates are None in the first seconds."""

    means: Means
    packets_per_s: float | None
    bits_per_s: float | None


@dataclass(frozen=True)
class Answer:
    """What one recorder says. `devices` are DEVICE rows."""

    head: Head
    devices: NDArray[np.void]


_heads = msgspec.json.Decoder(Head)


def path_of(home: Home, run_id: str) -> Path:
    """Where the recorder of a run answers."""
    return home.path / FOLDER / f"{run_id}{SUFFIX}"


def head_bytes(head: Head) -> bytes:
    """The head as it is sent."""
    content = msgspec.json.encode(head)
    return struct.pack(">I", len(content)) + content


def ask_all(home: Home) -> list[Answer]:
    """What the recorders that live say; those that do not answer in time, or strangely, are left out."""
    answers = []
    for path in sorted((home.path / FOLDER).glob(f"*{SUFFIX}")):
        with contextlib.suppress(OSError, ValueError, struct.error, msgspec.DecodeError):
            answers.append(_ask(path))
    return answers


def sweep(home: Home) -> None:
    """Remove the sockets of recorders that are dead: nobody listens there."""
    for path in (home.path / FOLDER).glob(f"*{SUFFIX}"):
        if not liveness.is_live(home, path.name.removesuffix(SUFFIX)):
            with contextlib.suppress(OSError):
                path.unlink()


def _ask(path: Path) -> Answer:
    with local_socket.connect(path, PATIENCE_S) as connection:
        (size,) = struct.unpack(">I", _read(connection, 4))
        if size > _HEAD_LIMIT:
            raise ValueError("no head of ours")
        head = _heads.decode(_read(connection, size))
        rows = bytearray()
        while piece := connection.recv(1 << 16):
            rows += piece
            if len(rows) > LIMIT * DEVICE.itemsize:
                raise ValueError("more devices than a recorder holds")
    return Answer(head, np.frombuffer(rows, DEVICE))


def _read(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        piece = connection.recv(size - len(content))
        if not piece:
            raise ValueError("it ended before it had answered")
        content += piece
    return content
