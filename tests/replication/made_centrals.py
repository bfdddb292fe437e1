"""Authorities, certificates and servers of a test's own: real TLS on real sockets, with any answer wanted."""

import contextlib
import datetime as dt
import hashlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.replication import claims, receipts
from appliance.replication.claims import Claim
from appliance.replication.identity import CentralIdentity
from appliance.vault import signing

NAME = "chain/000000000017-5e9a01c2d3b4a596"
SHORT_S = 3.0
"""No test here waits longer for a peer that says nothing."""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Authority:
    """Signs certificates of servers, in PEM."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def issue(
        self, folder: Path, hosts: Sequence[str] = ("127.0.0.1",), first_day: int = -1, last_day: int = 30
    ) -> ssl.SSLContext:
        """A server's context whose certificate is for these hosts, valid in these days from today on."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        names = [_host(host) for host in hosts]
        made = (
            x509.CertificateBuilder()
            .subject_name(_name("a server"))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(days=first_day))
            .not_valid_after(now + dt.timedelta(days=last_day))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return server_context(folder, key, made)


def server_context(
    folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> ssl.SSLContext:
    """TLS 1.3 with this certificate; its files stay in the folder, for servers that are programs."""
    (folder / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name("an authority"))
        .issuer_name(_name("an authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=400))
        .not_valid_after(now + dt.timedelta(days=400))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


@dataclass
class Central:
    """What a central is to a box: its receipts' key, its authority; and what it has taken in."""

    signer: signing.Signer = field(default_factory=lambda: signing.signer(signing.generate()))
    authority: Authority = field(default_factory=authority)
    taken: list[tuple[Claim, str]] = field(default_factory=list)
    """Every claim, with the SHA-256 of the bytes that came with it."""

    @property
    def identity(self) -> CentralIdentity:
        return CentralIdentity("a central", self.signer.box, self.authority.pem)

    def receipt(self, claim: Claim, sequence: int | None = None) -> bytes:
        number = len(self.taken) if sequence is None else sequence
        return receipts.sign(self.signer, claim, number, 1_773_500_400 * 10**9, receipts.NO_RECEIPT).render()

    def answer(self, claim: Claim) -> bytes:
        return ok(self.receipt(claim))


def ok(body: bytes, *headers: str) -> bytes:
    """An answer with a body, as a central gives it."""
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body


def status(code: int, *headers: str) -> bytes:
    """An answer without a body."""
    return "\r\n".join([f"HTTP/1.1 {code} X", *headers, "Content-Length: 0", "", ""]).encode("ascii")


Answering = Callable[[Central, Claim], "bytes | Iterator[bytes]"]
Talking = Callable[[socket.socket, threading.Event], None]
"""Speaks as a server until it has said everything, its peer goes, or the test ends."""


@dataclass
class Server:
    """A server on a port of its own: `where` is its address, `connections` how many came."""

    where: tuple[str, int]
    connections: int = 0

    @property
    def url(self) -> str:
        host, port = self.where
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


@contextlib.contextmanager
def served(
    central: Central,
    context: ssl.SSLContext | None,
    answering: Answering = Central.answer,
    host: str = "127.0.0.1",
    requests: int = 1_000_000,
) -> Iterator[Server]:
    """A central over TLS (without `context`: in clear); a connection ends after so many requests."""

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        for _ in range(requests):
            claim, digest = _request(connection, ended)
            central.taken.append((claim, digest))
            answer = answering(central, claim)
            connection.settimeout(10)
            for part in [answer] if isinstance(answer, bytes) else answer:
                connection.sendall(part)
            connection.settimeout(0.2)

    with listened(context, talk, host) as server:
        yield server


@contextlib.contextmanager
def listened(context: ssl.SSLContext | None, talk: Talking, host: str = "127.0.0.1") -> Iterator[Server]:
    """A server that speaks as it likes on each connection."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=64) as listening:
        server = Server(listening.getsockname()[:2])
        ended = threading.Event()
        listening.settimeout(0.1)
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listening.accept()
                    server.connections += 1
                    threads.append(threading.Thread(target=_speak, args=(connection, context, talk, ended)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            ended.set()
            accepting.join()
            for thread in threads:
                thread.join(20)
            assert not any(thread.is_alive() for thread in threads)


def _speak(
    connection: socket.socket, context: ssl.SSLContext | None, talk: Talking, ended: threading.Event
) -> None:
    with contextlib.suppress(OSError), connection:
        connection.settimeout(10)
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            connection.settimeout(0.2)
            talk(connection, ended)


def _request(connection: socket.socket, ended: threading.Event) -> tuple[Claim, str]:
    """The claim of the next request and the hash of its body; ConnectionError at the end."""
    content = b""
    while b"\r\n\r\n" not in content:
        content += _some(connection, ended)
    head, _, body = content.partition(b"\r\n\r\n")
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    fields = {name.lower(): value for name, value in lines.items()}
    left = int(fields.get(b"content-length", b"0")) - len(body)
    digest = hashlib.sha256(body)
    while left:
        body = _some(connection, ended)
        digest.update(body)
        left -= len(body)
    claim = fields.get(claims.HEADER.lower().encode())
    if claim is None:  # somebody else's request
        raise ConnectionResetError
    return claims.from_header(claim.decode("ascii")), digest.hexdigest()


def _some(connection: socket.socket, ended: threading.Event) -> bytes:
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            if content := connection.recv(1 << 18):
                return content
            break
    raise ConnectionResetError


def claimed(signer: signing.Signer, content: bytes, name: str = NAME) -> Claim:
    """A box's claim for these bytes."""
    return claims.make(signer, name, hashlib.sha256(content).hexdigest(), len(content))
