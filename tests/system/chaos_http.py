"""Faults of HTTP: what a hostile or broken thing between a box and its central can do to whole requests."""

import contextlib
import http.client
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_HEAD_LIMIT = 32_768


@dataclass(frozen=True)
class Request:
    """As the box sent it; `head` ends with the empty line."""

    head: bytes
    body: bytes

    @property
    def is_deposit(self) -> bool:
        return self.head.startswith(b"PUT ")

    def with_head(self, head: bytes) -> "Request":
        return Request(head, self.body)

    def header(self, name: str) -> str:
        found = re.search(rb"(?im)^" + name.encode() + rb": *([^\r]*)\r$", self.head)
        return found[1].decode("latin-1") if found else ""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    retry_after: str = ""

    def render(self) -> bytes:
        retry = f"Retry-After: {self.retry_after}\r\n" if self.retry_after else ""
        head = f"HTTP/1.1 {self.status} X\r\nContent-Type: application/json\r\n{retry}"
        return f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body


def read_request(stream: ssl.SSLSocket) -> Request | None:
    """The next request of a connection; None when it has ended."""
    content = b""
    while b"\r\n\r\n" not in content:
        piece = stream.recv(65536)
        content += piece
        if not piece or len(content) > _HEAD_LIMIT + 65536:
            return None
    head, _, rest = content.partition(b"\r\n\r\n")
    request = Request(head + b"\r\n\r\n", b"")
    pieces, missing = [rest], int(request.header("Content-Length") or "0") - len(rest)
    if request.header("Expect") and missing > 0:
        stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while missing > 0:
        piece = stream.recv(min(missing, 1 << 20))
        if not piece:
            return None
        pieces.append(piece)
        missing -= len(piece)
    return Request(request.head, b"".join(pieces))


class Upstream:
    """The way to central: one connection a request, so that no fault lingers in it."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port = port
        self._context = context

    def _open(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=20, context=self._context)

    def forward(self, request: Request) -> Answer:
        """Central's answer. Raises OSError or HTTPException when it has none."""
        connection = self._open()
        try:
            method, path, _ = request.head.split(b" ", 2)
            headers = {"Content-Length": str(len(request.body))}
            if claim := request.header("Greffier-Claim"):
                headers["Greffier-Claim"] = claim
            # It may answer before it has read all: then its answer counts, not the pipe that broke.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method.decode(), path.decode("latin-1"), request.body, headers)
            told = connection.getresponse()
            return Answer(told.status, told.read(), told.getheader("Retry-After", ""))
        finally:
            connection.close()

    def forward_part(self, request: Request, length: int) -> None:
        """Only so many bytes of head and body, then the line is dead."""
        connection = self._open()
        try:
            connection.connect()
            connection.sock.sendall((request.head + request.body)[:length])
        finally:
            connection.close()


@dataclass
class Exchange:
    """One request on its way: what a fault works with. `reply` is what the box is sent; None: nothing, ever.

    `receipts` are those seen go by for this box and central, `foreign` those of others.
    """

    request: Request
    upstream: Upstream
    chance: random.Random
    receipts: list[bytes]
    foreign: list[bytes]
    held: list[Request]
    complain: Callable[[str], None]
    reply: bytes | None = None
    closes: bool = False
    sent_on: list[Request] = field(default_factory=list)

    def forward(self, request: Request | None = None) -> Answer:
        answer = self.upstream.forward(request or self.request)
        if answer.status == 200 and (request or self.request) is self.request and self.request.is_deposit:
            self.receipts.append(answer.body)
        return answer


def honest(exchange: Exchange) -> bool:
    exchange.reply = exchange.forward().render()
    return True


def _cut_request(exchange: Exchange) -> bool:
    whole = len(exchange.request.head) + len(exchange.request.body)
    exchange.upstream.forward_part(exchange.request, exchange.chance.randrange(whole))
    return True


def _lost_acknowledgement(exchange: Exchange) -> bool:
    return exchange.forward().status == 200


def _cut_answer(exchange: Exchange) -> bool:
    answer = exchange.forward().render()
    exchange.reply, exchange.closes = answer[: exchange.chance.randrange(len(answer))], True
    return True


def _late(exchange: Exchange) -> bool:
    time.sleep(exchange.chance.uniform(0.05, 1.0))
    exchange.reply = exchange.forward().render()
    time.sleep(exchange.chance.uniform(0.05, 0.3))
    return True


def _twice(exchange: Exchange) -> bool:
    first, second = exchange.forward(), exchange.forward()
    if first.status == second.status == 200 and first.body != second.body:
        exchange.complain("the same bytes again had another receipt")
    if first.status == 200 and second.status not in (200, 410, 429, 503, 507):
        exchange.complain(f"the same bytes again were answered with {second.status}")
    exchange.reply = exchange.chance.choice((first, second)).render()
    return True


def _held_back(exchange: Exchange) -> bool:
    """It arrives after the one that follows: see `release`."""
    exchange.held.append(exchange.request)
    exchange.reply = Answer(503, b"", "0").render()
    return True


def release(exchange: Exchange) -> None:
    """Send what was held back, after the request of this exchange: the two have changed places."""
    while exchange.held:
        with contextlib.suppress(OSError, http.client.HTTPException):
            exchange.upstream.forward(exchange.held.pop())


def _replayed(exchange: Exchange) -> bool:
    """This one, and the same once more long after: kept and sent again with a later request."""
    exchange.reply = exchange.forward().render()
    exchange.held.append(exchange.request)
    return True


def _flipped_body(exchange: Exchange) -> bool:
    body = bytearray(exchange.request.body)
    if not body:
        return False
    body[exchange.chance.randrange(len(body))] ^= 1 << exchange.chance.randrange(8)
    answer = exchange.upstream.forward(Request(exchange.request.head, bytes(body)))
    if answer.status == 200 and answer.body not in exchange.receipts:
        # Bytes that are known by their claim are not read again: then it is the receipt given before.
        again = exchange.forward()
        if again.body != answer.body:
            exchange.complain("changed bytes were given a receipt of their own")
    exchange.reply = answer.render()
    return True


def _flipped_claim(exchange: Exchange) -> bool:
    claim = exchange.request.header("Greffier-Claim")
    if not claim:
        return False
    place = exchange.chance.randrange(len(claim))
    other = exchange.chance.choice([sign for sign in "ABCDabcd0123-_" if sign != claim[place]])
    changed = claim[:place] + other + claim[place + 1 :]
    head = exchange.request.head.replace(claim.encode(), changed.encode())
    answer = exchange.upstream.forward(exchange.request.with_head(head))
    exchange.reply = answer.render()
    return True


def _flipped_answer(exchange: Exchange) -> bool:
    answer = exchange.forward()
    if not answer.body:
        return False
    body = bytearray(answer.body)
    body[exchange.chance.randrange(len(body))] ^= 1 << exchange.chance.randrange(8)
    exchange.reply = Answer(answer.status, bytes(body)).render()
    return True


def _instead(make: Callable[[Exchange], bytes | None]) -> Callable[[Exchange], bool]:
    """An answer that central never gave; half the time central does get the request."""

    def fault(exchange: Exchange) -> bool:
        exchange.reply = make(exchange)
        if exchange.reply is None:
            return False
        if exchange.chance.random() < 0.5:
            with contextlib.suppress(OSError, http.client.HTTPException):
                exchange.forward()
        exchange.closes = exchange.chance.random() < 0.3
        return True

    return fault


def _garbage(exchange: Exchange) -> bytes:
    return Answer(200, exchange.chance.randbytes(exchange.chance.randrange(1, 1024))).render()


def _ten_megabytes(exchange: Exchange) -> bytes:
    content = bytes(10_000_000)
    if exchange.chance.random() < 0.5:
        return Answer(200, content).render()
    return b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n989680\r\n" + content + b"\r\n0\r\n\r\n"


def _endless_head(exchange: Exchange) -> bytes:
    return b"HTTP/1.1 200 X\r\n" + b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(200_000)) + b"\r\n"


def _redirect(exchange: Exchange) -> bytes:
    where = exchange.chance.choice(
        (b"https://127.0.0.1:9/v1/objects", b"http://127.0.0.1:9/", b"/v1/objects", b"file:///etc/passwd")
    )
    status = exchange.chance.choice((b"301", b"302", b"303", b"307", b"308"))
    return b"HTTP/1.1 " + status + b" X\r\nLocation: " + where + b"\r\nContent-Length: 0\r\n\r\n"


def _earlier_receipt(exchange: Exchange) -> bytes | None:
    return Answer(200, exchange.chance.choice(exchange.receipts)).render() if exchange.receipts else None


def _foreign_receipt(exchange: Exchange) -> bytes | None:
    return Answer(200, exchange.chance.choice(exchange.foreign)).render() if exchange.foreign else None


def _forged_receipt(exchange: Exchange) -> bytes | None:
    """A true receipt's form with this object's name, under a signature that is none."""
    if not exchange.receipts:
        return None
    body = bytearray(exchange.receipts[-1])
    place = body.index(b'"sig":"') + 7
    body[place : place + 128] = exchange.chance.randbytes(64).hex().encode()
    return Answer(200, bytes(body)).render()


def _chatter(exchange: Exchange) -> bytes:
    return b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + Answer(204, b"").render()


FAULTS: Mapping[str, Callable[[Exchange], bool]] = {
    "request-cut": _cut_request,
    "acknowledgement-lost": _lost_acknowledgement,
    "answer-cut": _cut_answer,
    "late": _late,
    "twice": _twice,
    "reordered": _held_back,
    "replayed": _replayed,
    "body-flipped": _flipped_body,
    "claim-flipped": _flipped_claim,
    "answer-flipped": _flipped_answer,
    "503": _instead(lambda exchange: Answer(503, b"", "0").render()),
    "500": _instead(lambda exchange: Answer(500, b"oops").render()),
    "garbage": _instead(_garbage),
    "ten-megabytes": _instead(_ten_megabytes),
    "endless-head": _instead(_endless_head),
    "redirect": _instead(_redirect),
    "earlier-receipt": _instead(_earlier_receipt),
    "foreign-receipt": _instead(_foreign_receipt),
    "forged-receipt": _instead(_forged_receipt),
    "chatter": _instead(_chatter),
}
"""Each does its evil and says whether there was an occasion for it."""
