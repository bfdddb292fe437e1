"""A proxy between a box and its central that ends the TLS of one and begins that of the other, and is evil.

It has a certificate of central's own authority, as a thief of central's host would: what protects the box
then is the receipt's signature alone. Seeded: what it does to the n-th request is decided by the seed.
"""

import contextlib
import http.client
import random
import socket
import ssl
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.system import chaos_http, chaos_wire
from tests.system.chaos_http import Exchange, Request, Upstream


@dataclass
class Tally:
    """Faults that happened, by kind; and what was seen that must never be."""

    faults: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: str) -> None:
        with self._lock:
            self.faults[kind] += 1

    def complain(self, what: str) -> None:
        with self._lock:
            self.complaints.append(what)

    @property
    def total(self) -> int:
        return self.faults.total()


class Proxy:
    """Listens on `port` of loopback and leads to a central. `evil` is the share of requests that it harms."""

    def __init__(
        self, central_port: int, tls: Path, certificate: tuple[Path, Path], seed: str, tally: Tally
    ) -> None:
        self.evil = 0.0
        self.seen: list[bytes] = []
        """Receipts that went by here."""
        self.others: list[Proxy] = []
        """Proxies whose receipts are foreign here: another site's, another central's."""
        self._target = central_port
        self._tally = tally
        self._chance = random.Random(seed)
        self._held: list[Request] = []
        self._near = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._near.minimum_version = ssl.TLSVersion.TLSv1_3
        self._near.load_cert_chain(*certificate)
        far = ssl.create_default_context(cafile=str(tls / "ca.pem"))
        self._upstream = Upstream(central_port, far)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        """Harm nothing from now on; open connections are ended, for they may be marked for a fault."""
        self.evil = 0.0
        self._held.clear()
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            near.settimeout(30)
            fault = chaos_wire.draw(self._chance) if self._chance.random() < self.evil / 2 else None
            threading.Thread(target=self._serve, args=(near, fault), daemon=True).start()

    def _serve(self, near: socket.socket, fault: chaos_wire.WireFault | None) -> None:
        self._open.add(near)
        try:
            if fault:
                with socket.create_connection(("127.0.0.1", self._target), timeout=20) as far:
                    chaos_wire.carry(near, far, fault, self._tally.count)
                return
            with self._near.wrap_socket(near, server_side=True) as stream:
                self._open.add(stream)
                try:
                    self._converse(stream)
                finally:
                    self._open.discard(stream)
        except OSError:
            pass  # either side may end as it likes
        finally:
            self._open.discard(near)
            near.close()

    def _converse(self, stream: ssl.SSLSocket) -> None:
        while request := chaos_http.read_request(stream):
            reply, closes = self._pass(request)
            if reply is None:
                return
            stream.sendall(reply)
            if closes:
                return

    def _pass(self, request: Request) -> tuple[bytes | None, bool]:
        """What the box is answered (None: nothing), and whether its connection is closed then."""
        foreign = [receipt for other in self.others for receipt in other.seen[-50:]]
        exchange = Exchange(
            request, self._upstream, random.Random(self._chance.random()), self.seen, foreign, self._held,
            self._tally.complain,
        )  # fmt: skip
        wanted = self._chance.choice(list(chaos_http.FAULTS)) if self._chance.random() < self.evil else ""
        try:
            if wanted and request.is_deposit and chaos_http.FAULTS[wanted](exchange):
                self._tally.count(wanted)
            elif exchange.reply is None:
                chaos_http.honest(exchange)
            if wanted not in ("reordered", "replayed"):
                chaos_http.release(exchange)
        except (OSError, http.client.HTTPException):
            return None, True  # central is down: so is the line
        return exchange.reply, exchange.closes
