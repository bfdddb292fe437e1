"""Senders that remember what they were promised: RADIUS clients and reporting access points under load.

Each says something new all the time, repeats what was not answered as devices do, and keeps what was
acknowledged. What they send, and how they judge answers, is as RFC 2866 section 3 and the published presence
reports want it.
"""

import contextlib
import hashlib
import hmac
import json
import select
import socket
import ssl
import struct
import subprocess
import threading
import time
from http.client import HTTPException, HTTPSConnection

SECRET = "a secret of the site"
ACCESS_POINT = "00:10:a4:23:19:c0"
_CALLED = b"00-10-A4-23-19-C0:Quai"


def mac_of(sender: int, number: int) -> str:
    return f"02:00:{sender:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def ip_of(sender: int, number: int) -> str:
    return f"10.{sender}.{number >> 8 & 255}.{number & 255}"


class Sender(threading.Thread):
    """Sends until `stop`; `promised` are the numbers of stations whose news was acknowledged."""

    def __init__(self, number: int, port: int, stopping: threading.Event) -> None:
        super().__init__(name=f"sender {number}", daemon=True)
        self.number = number
        self.port = port
        self.stopping = stopping
        self.promised: set[int] = set()
        self.said = 0
        self.refused = 0


def accounting(sender: int, station: int, status: int, identifier: int) -> bytes:
    """An Accounting-Request with the address: 1 is Start, 2 Stop."""
    attributes = b""
    for code, value in (
        (40, bytes((0, 0, 0, status))),
        (44, f"{sender}-{station}".encode()),
        (31, mac_of(sender, station).encode()),
        (30, _CALLED),
        (61, b"\0\0\0\x13"),
        (1, f"guest{station}@{sender}".encode()),
        (8, socket.inet_aton(ip_of(sender, station))),
    ):
        attributes += bytes((code, len(value) + 2)) + value
    head = struct.pack("!BBH", 4, identifier, 20 + len(attributes))
    return head + hashlib.md5(head + bytes(16) + attributes + SECRET.encode()).digest() + attributes


def is_answer(answer: bytes, request: bytes) -> bool:
    """Whether an Accounting-Response was made by somebody who knows the secret, to this request."""
    if len(answer) < 20 or answer[:2] != bytes((5, request[1])):
        return False
    proof = hashlib.md5(answer[:4] + request[4:20] + answer[20:] + SECRET.encode()).digest()
    return hmac.compare_digest(proof, answer[4:20])


class RadiusSender(Sender):
    """A client with requests under way, each sent again after 0.3 s without an answer: Starts, then Stops."""

    UNDER_WAY = 128

    def run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.bind(("127.0.0.1", 0))
            wire.connect(("127.0.0.1", self.port))
            under_way: dict[int, tuple[int, bytes, float]] = {}
            asked = 0
            while not self.stopping.is_set():
                while len(under_way) < self.UNDER_WAY:
                    station, stops = divmod(asked, 2)
                    identifier = next(number for number in range(256) if number not in under_way)
                    request = accounting(self.number, station, 1 + stops, identifier)
                    under_way[identifier] = (station, request, 0.0)
                    self.said, asked = station + 1, asked + 1
                self._send(wire, under_way)
                self._receive(wire, under_way)

    def _send(self, wire: socket.socket, under_way: dict[int, tuple[int, bytes, float]]) -> None:
        now = time.monotonic()
        for identifier, (station, request, sent) in under_way.items():
            if now - sent > 0.3:
                with contextlib.suppress(ConnectionError):  # nobody listens: between two lives
                    wire.send(request)
                under_way[identifier] = (station, request, now)

    def _receive(self, wire: socket.socket, under_way: dict[int, tuple[int, bytes, float]]) -> None:
        until = time.monotonic() + 0.05
        while select.select([wire], [], [], max(0.0, until - time.monotonic()))[0]:
            try:
                answer = wire.recv(4096)
            except ConnectionError:
                time.sleep(0.01)
                continue
            waiting = under_way.get(answer[1]) if len(answer) > 1 else None
            if waiting is not None and is_answer(answer, waiting[1]):
                self.promised.add(waiting[0])
                del under_way[answer[1]]


class PresenceSender(Sender):
    """An access point that reports three devices at a time over HTTPS, keeping its connection."""

    DEVICES = 3

    def run(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while not self.stopping.is_set():
            connection = HTTPSConnection("127.0.0.1", self.port, timeout=3, context=context)
            with contextlib.suppress(OSError, HTTPException), contextlib.closing(connection):
                while not self.stopping.is_set():
                    self._report(connection)
            time.sleep(0.05)

    def _report(self, connection: HTTPSConnection) -> None:
        stations = range(self.said, self.said + self.DEVICES)
        self.said += self.DEVICES
        now = int(time.time())
        seen = {"count": 1, "first_seen": now, "last_seen": now}
        devices = [seen | {"mac": mac_of(self.number, each), "associated": True} for each in stations]
        passing = seen | {"mac": "02:ff:ff:ff:ff:ff", "associated": False}
        report = {
            "network_id": 1,
            "node_mac": ACCESS_POINT,
            "version": 1,
            "probe_requests": [*devices, passing],
        }
        body = json.dumps(report).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        connection.request("POST", "/cloudtrax", body, {"Signature": signature})
        response = connection.getresponse()
        response.read()
        if response.status == 200:
            self.promised |= set(stations)
        else:
            self.refused += 1


class Radclient(Sender):
    """Freeradius' own client with lots of requests, one after the other; it judges the answers itself."""

    LOT = 40

    def run(self) -> None:
        while not self.stopping.is_set():
            stations = range(self.said, self.said + self.LOT)
            self.said += self.LOT
            requests = "\n\n".join(map(self._request, stations))
            options = ["-x", "-p", "8", "-r", "30", "-t", "0.3"]
            process = subprocess.Popen(
                ["radclient", *options, f"127.0.0.1:{self.port}", "acct", SECRET],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            ended = threading.Event()
            watch = threading.Thread(target=self._end, args=(process, ended))
            watch.start()
            said, _ = process.communicate(requests)
            ended.set()
            watch.join()
            self._note(said)

    def _end(self, process: "subprocess.Popen[str]", ended: threading.Event) -> None:
        while not ended.wait(0.1):
            if self.stopping.is_set():
                process.terminate()

    def _request(self, station: int) -> str:
        return (
            f'Acct-Status-Type = Start\nAcct-Session-Id = "{self.number}-{station}"\n'
            f'Calling-Station-Id = "{mac_of(self.number, station)}"\nNAS-Port-Type = Wireless-802.11\n'
            f'Called-Station-Id = "{_CALLED.decode()}"\nUser-Name = "guest{station}@{self.number}"\n'
            f"Framed-IP-Address = {ip_of(self.number, station)}"
        )

    def _note(self, said: str) -> None:
        """`Sent Accounting-Request Id 7 ..` and its attributes; `Received Accounting-Response Id 7 ..`."""
        sessions: dict[str, int] = {}
        identifier = ""
        for line in said.splitlines():
            words = line.split()
            if line.startswith("Sent "):
                identifier = words[3]
            elif line.startswith("\tAcct-Session-Id"):
                sessions[identifier] = int(words[2].strip('"').partition("-")[2])
            elif line.startswith("Received Accounting-Response") and words[3] in sessions:
                self.promised.add(sessions[words[3]])
