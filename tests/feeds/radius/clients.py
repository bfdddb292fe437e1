"""Freeradius' own client against a decoder, and what tshark makes of the datagrams that it sent."""

import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from appliance.feeds.radius.decoder import RadiusDecoder
from appliance.feeds.told import Messages, Told

SECRET = "a shared secret"


@dataclass
class Exchange:
    """What radclient said, what it sent with the instant of each receipt, and what the decoder told of it."""

    said: str = ""
    datagrams: list[bytes] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """Answers that radclient has verified: it prints no others."""
        return self.said.count("Received Accounting-Response")

    def claims(self) -> np.ndarray:
        return np.concatenate([told.claims for told in self.told])


def messages(datagrams: Sequence[bytes], received: Sequence[int] | int) -> Messages:
    instants = np.broadcast_to(np.asarray(received, np.int64), len(datagrams))
    return Messages(instants, list(datagrams))


def ask(
    decoder: RadiusDecoder,
    requests: Sequence[str],
    secret: str = SECRET,
    options: Sequence[str] = (),
    command: str = "acct",
    deaf: int = 0,
) -> Exchange:
    """Let radclient send requests, attributes as text, one after the other.

    The first `deaf` datagrams are told, and not answered: radclient sends them again.
    """
    exchange = Exchange()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(0.1)
        stop = threading.Event()
        serving = threading.Thread(target=_serve, args=(made, decoder, exchange, stop, deaf), daemon=True)
        serving.start()
        try:
            target = f"127.0.0.1:{made.getsockname()[1]}"
            arguments = ["radclient", "-x", "-r", "2", "-t", "1", *options, target, command, secret]
            done = subprocess.run(
                arguments, input="\n\n".join(requests), capture_output=True, text=True, timeout=30
            )
            exchange.said = done.stdout + done.stderr
        finally:
            stop.set()
            serving.join(timeout=20)
            assert not serving.is_alive()
    return exchange


def _serve(
    made: socket.socket, decoder: RadiusDecoder, exchange: Exchange, stop: threading.Event, deaf: int
) -> None:
    while not stop.is_set():
        try:
            datagram, sender = made.recvfrom(65536)
        except TimeoutError:
            continue
        received = time.time_ns()
        told = decoder.decode(messages([datagram], received))
        exchange.datagrams.append(datagram)
        exchange.received.append(received)
        exchange.told.append(told)
        if told.answers[0] and len(exchange.datagrams) > deaf:
            made.sendto(told.answers[0], sender)


def write_capture(path: Path, datagrams: Sequence[bytes], to_port: int = 1813) -> None:
    """A pcap of UDP datagrams over bare IPv4 (LINKTYPE_IPV4)."""
    packets = []
    for number, datagram in enumerate(datagrams):
        udp = struct.pack("!HHHH", 40000, to_port, 8 + len(datagram), 0) + datagram
        header = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1"
        )
        packets.append(struct.pack("<IIII", number, 0, 20 + len(udp), 20 + len(udp)) + header + udp)
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 228) + b"".join(packets))


def dissect(path: Path, secret: str = SECRET) -> list[dict[str, list[str]]]:
    """What tshark reads in each datagram: its fields by name, every value as text."""
    arguments = ["tshark", "-n", "-r", str(path), "-o", f"radius.shared_secret:{secret}"]
    arguments += ["-o", "radius.validate_authenticator:TRUE", "-T", "ek", "-J", "radius"]
    said = subprocess.run(arguments, capture_output=True, text=True, timeout=60).stdout
    found = []
    for line in said.splitlines():
        layers = json.loads(line).get("layers")
        if layers is not None:
            found.append(
                {
                    name.removeprefix("radius_").removeprefix("radius_"): value
                    if isinstance(value, list)
                    else [value]
                    for name, value in layers.get("radius", {}).items()
                }
            )
    return found


def malformed(path: Path) -> int:
    """How many datagrams tshark finds malformed."""
    arguments = ["tshark", "-n", "-r", str(path), "-Y", "_ws.malformed", "-T", "fields", "-e", "frame.number"]
    return len(subprocess.run(arguments, capture_output=True, text=True, timeout=60).stdout.split())
