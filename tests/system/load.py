"""Numbered connections on a wire, and tcpdump's word on when each of their frames passed.

Connection i is one client address and port talking to one peer, four datagrams within eight seconds, each
carrying the number i. The witness is a capture file written by tcpdump at the recorder's end of the cable.
"""

import contextlib
import ipaddress
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.system.boxes import ROOT
from tests.system.networks import Network

CLIENTS = 5000
CLIENT_NET = "10.0.0.0/16"
OCTETS = 46
"""IP length of every datagram."""

_OFFSETS_S = (0.0, 0.5, 3.0, 8.0)
_STEP_S = 0.005
_WITNESS = np.dtype(
    [
        ("sec", "<u4"),
        ("nsec", "<u4"),
        ("sizes", "<u4", 2),
        ("head", "V42"),
        ("number", ">u8"),
        ("rest", "V10"),
    ]
)


def key_of(number: int) -> tuple[str, int, str, int]:
    """(client address, client port, peer address, peer port) of connection `number`."""
    client = ipaddress.ip_address("10.0.0.1") + number % CLIENTS
    peer = ipaddress.ip_address("198.18.0.0") + number % 65_521
    return str(client), 1024 + number // CLIENTS, str(peer), 443


def number_of(client: str, port: int) -> int:
    return int(ipaddress.ip_address(client)) - int(ipaddress.ip_address("10.0.0.1")) + (port - 1024) * CLIENTS


def mac_of(client: str) -> str:
    last = int(ipaddress.ip_address(client)) & 0xFFFF
    return f"02:00:00:00:{last >> 8:02x}:{last & 255:02x}"


def frame_of(number: int) -> bytes:
    client, port, peer, peer_port = key_of(number)
    addresses = ipaddress.ip_address(client).packed + ipaddress.ip_address(peer).packed
    ethernet = bytes.fromhex("0a0000000001" + mac_of(client).replace(":", "") + "0800")
    header = struct.pack("!BBHHHBBH", 0x45, 0, OCTETS, 1, 0, 64, 17, 0) + addresses
    return ethernet + header + struct.pack("!HHHHQ", port, peer_port, OCTETS - 20, 0, number) + bytes(10)


def send_forever(interface: str, per_second: int) -> None:
    """Begin `per_second` connections each second until terminated."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind((interface, 0))
        begun = time.monotonic()
        at = [0] * len(_OFFSETS_S)
        while True:
            passed = time.monotonic() - begun
            for lane, offset in enumerate(_OFFSETS_S):
                due = int((passed - offset) * per_second)
                for number in range(at[lane], due):
                    wire.send(frame_of(number))
                at[lane] = max(at[lane], due)
            time.sleep(_STEP_S)


@contextlib.contextmanager
def sending(network: Network, interface: str, per_second: int) -> Iterator[None]:
    code = f"from tests.system.load import send_forever; send_forever({interface!r}, {per_second})"
    with network.inside():
        sender = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        yield
        assert sender.poll() is None, "the sender died"
    finally:
        sender.kill()
        sender.wait()


@contextlib.contextmanager
def witnessing(network: Network, interface: str, path: Path, snaplen: int = 200) -> Iterator[None]:
    """Have tcpdump write what passes; fails if it lost a frame itself."""
    command = f"tcpdump -i {interface} -s {snaplen} -B 65536 --immediate-mode --nano -Z root -w {path}"
    with network.inside():
        tcpdump = subprocess.Popen(command.split(), stderr=subprocess.PIPE, text=True)
    assert tcpdump.stderr is not None
    try:
        assert any("listening on" in line for line in iter(tcpdump.stderr.readline, ""))
        yield
    finally:
        tcpdump.send_signal(signal.SIGINT)
        try:
            _, said = tcpdump.communicate(timeout=10)
        finally:
            tcpdump.kill()
            tcpdump.wait()
    assert "\n0 packets dropped by kernel" in "\n" + said, said


def testimony(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, times in ns) of all frames tcpdump saw, in their order."""
    raw = path.read_bytes()[24:]
    seen = np.frombuffer(raw[: len(raw) // _WITNESS.itemsize * _WITNESS.itemsize], _WITNESS)
    assert (seen["sizes"] == 60).all()
    return seen["number"].astype(np.int64), seen["sec"].astype(np.int64) * 10**9 + seen["nsec"]
