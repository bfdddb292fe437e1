"""Whom a box speaks to: its own central over TLS 1.3, also through a proxy, and nobody who stands between."""

import contextlib
import datetime as dt
import io
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.config.replication import ReplicationConfig
from appliance.model.errors import ReplicationError
from appliance.replication import addresses, connecting, tcp_info
from appliance.replication.connecting import Patience
from appliance.replication.exchange import Request
from appliance.replication.https_target import HttpsTarget
from appliance.replication.identity import CentralIdentity
from appliance.replication.pacing import Limits, Line
from appliance.replication.targets import Unreachable, Untrusted
from appliance.replication.uplink import UNLIMITED, Uplink
from appliance.vault import signing
from tests.ports import free_port
from tests.replication.made_centrals import (
    Authority,
    Central,
    Server,
    authority,
    claimed,
    listened,
    ok,
    served,
    server_context,
)
from tests.system.warm import wait_for

BOX = signing.signer(signing.generate())
CONTENT = os.urandom(30_000)
PATIENCE = Patience(connect_s=3.0, quiet_s=3.0, answer_s=3.0)
TINYPROXY = shutil.which("tinyproxy")


def _deposit(
    url: str, identity: CentralIdentity, proxy: str = "", line: Line | None = None, content: bytes = CONTENT
) -> None:
    target = HttpsTarget(
        url, identity, ReplicationConfig(proxy=proxy), line or Line(UNLIMITED), patience=PATIENCE
    )
    with contextlib.closing(target):
        target.deposit(claimed(BOX, content), io.BytesIO(content))


# Who is believed


@pytest.mark.parametrize(
    ("host", "names", "called"),
    [
        ("127.0.0.1", ["127.0.0.1"], "127.0.0.1"),
        ("::1", ["::1"], "[::1]"),
        ("127.0.0.1", ["localhost"], "localhost"),
        ("127.0.0.1", ["first.example", "127.0.0.1"], "127.0.0.1"),
    ],
)
def test_its_own_central_is_believed_by_name_and_address(
    tmp_path: Path, host: str, names: list[str], called: str
) -> None:
    central = Central()
    with served(central, central.authority.issue(tmp_path, names), host=host) as server:
        _deposit(f"https://{called}:{server.where[1]}/", central.identity)
    assert len(central.taken) == 1


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return server_context(folder, key, made)


FOREIGN = {
    "another authority": lambda right, folder: authority().issue(folder, ["localhost"]),
    "expired": lambda right, folder: right.issue(folder, ["localhost"], -30, -1),
    "not valid yet": lambda right, folder: right.issue(folder, ["localhost"], 1, 30),
    "of another host": lambda right, folder: right.issue(folder, ["central.example"]),
    "of an address only": lambda right, folder: right.issue(folder, ["127.0.0.1"]),
    "self-signed": lambda right, folder: _self_signed(folder),
    "without its intermediate": lambda right, folder: _below(right).issue(folder, ["localhost"]),
}


def _below(right: Authority) -> Authority:
    """An authority that the right one signed as an ordinary server: it may sign nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "in between")]))
        .issuer_name(right.certificate.subject)
        .public_key(key.public_key())
        .serial_number(8)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .sign(right.key, hashes.SHA256())
    )
    return Authority(key, made)


@pytest.mark.parametrize("what", FOREIGN)
def test_a_man_in_the_middle_is_told_nothing(tmp_path: Path, what: str) -> None:
    """And he would answer with a genuine receipt."""
    central = Central()
    context = FOREIGN[what](central.authority, tmp_path)
    with served(central, context) as server:
        with pytest.raises(Untrusted, match="nothing was sent"):
            _deposit(f"https://localhost:{server.where[1]}", central.identity)
        assert server.connections == 1  # a wrong certificate is no matter of the marking
    assert central.taken == []


def test_the_machines_store_of_authorities_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority that the whole system trusts is not the enrolled one."""
    trusted = authority()
    (tmp_path / "store.pem").write_text(trusted.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "store.pem"))
    context = trusted.issue(tmp_path, ["localhost"])
    central = Central()
    with served(central, context) as server:
        url = f"https://localhost:{server.where[1]}"
        # curl's own store is set by the same means, so that the certificate is a good one to it
        asked = subprocess.run(
            ["curl", "--silent", "--cacert", tmp_path / "store.pem", "--max-time", "1", url],
            env={**os.environ, "SSL_CERT_FILE": str(tmp_path / "store.pem")},
        )
        assert asked.returncode != 60  # "certificate cannot be authenticated"
        with pytest.raises(Untrusted):
            _deposit(url, central.identity)
    assert central.taken == []


@contextlib.contextmanager
def _s_server(folder: Path, version: str) -> Iterator[tuple[CentralIdentity, str, Path]]:
    """Openssl's own server with a right certificate: whose, where, and what it says of who comes."""
    central = Central()
    central.authority.issue(folder)
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", version]
    command += ["-cert", str(folder / "server.pem"), "-key", str(folder / "server.key")]
    said = folder / "said"
    with (
        said.open("wb") as out,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out) as running,
    ):
        try:
            wait_for(lambda: b"ACCEPT" in said.read_bytes(), 20, "the server to listen")
            yield central.identity, f"https://127.0.0.1:{port}", said
        finally:
            running.kill()


@pytest.mark.parametrize("version", ["-tls1_2", "-no_tls1_3"])
def test_a_server_of_tls_1_2_is_told_nothing(tmp_path: Path, version: str) -> None:
    with _s_server(tmp_path, version) as (identity, url, said):
        with pytest.raises(Untrusted, match=r"does not speak TLS 1\.3"):
            _deposit(url, identity)
        wait_for(lambda: b":error:" in said.read_bytes(), 20, "the server to have done with it")
    assert b"Greffier-Claim" not in said.read_bytes()


def test_the_same_server_is_told_something_with_tls_1_3(tmp_path: Path) -> None:
    """Else the test above could not fail."""
    with _s_server(tmp_path, "-tls1_3") as (identity, url, said):
        patience = Patience(connect_s=3.0, quiet_s=3.0, answer_s=0.5)
        target = HttpsTarget(url, identity, line=Line(UNLIMITED), patience=patience)
        with contextlib.closing(target), pytest.raises(Unreachable):
            target.deposit(claimed(BOX, CONTENT), io.BytesIO(CONTENT))
        wait_for(lambda: b"Greffier-Claim" in said.read_bytes(), 20, "the claim to be told")


@pytest.mark.parametrize(
    "talk",
    [
        lambda connection, ended: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda connection, ended: (connection.recv(1 << 16), connection.sendall(ok(b"hello"))),
    ],
)
def test_a_port_in_clear_is_told_nothing(talk: object) -> None:
    central = Central()
    with listened(None, talk) as server, pytest.raises(ReplicationError, match=r"TLS|encrypted"):  # type: ignore[arg-type]
        _deposit(server.url, central.identity)


def test_a_clear_server_sees_a_client_hello_and_no_claim(tmp_path: Path) -> None:
    central = Central()
    seen: list[bytes] = []

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.settimeout(0.5)
        with contextlib.suppress(OSError):
            while some := connection.recv(1 << 16):
                seen.append(some)

    patience = Patience(connect_s=0.5, quiet_s=0.5, answer_s=0.5)
    with listened(None, talk) as server:
        target = HttpsTarget(server.url, central.identity, line=Line(UNLIMITED), patience=patience)
        with contextlib.closing(target), pytest.raises(Unreachable):
            target.deposit(claimed(BOX, CONTENT), io.BytesIO(CONTENT))
    sent = b"".join(seen)
    assert sent.startswith(b"\x16\x03\x01")  # a TLS handshake
    assert b"Greffier" not in sent
    assert b"HTTP" not in sent.replace(b"http/1.1", b"")


@pytest.mark.parametrize(
    "url",
    [
        "http://central.example",
        "http://central.example:443",
        "central.example",
        "ftp://central.example",
        "https://",
        "https://central.example/path",
        "https://central.example/?x=1",
        "https://central.example/#x",
        "https://name:password@central.example",
        "https://central.example:0",
        "https://central.example:99999",
        "https://central.example:x",
        "https://cen tral.example",
        "https://central.example\r\nX: y",
        "https://[::1",
        "",
    ],
)
def test_a_central_is_reached_over_https_only(url: str) -> None:
    with pytest.raises(ReplicationError, match="over HTTPS only"):
        Uplink(url, Central().authority.pem)


def test_an_authority_that_is_none_is_said() -> None:
    for text in ("", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(ReplicationError, match="enrol the box again"):
            Uplink("https://127.0.0.1", text)


def test_before_the_enrolment_anybody_may_say_who_he_is(tmp_path: Path) -> None:
    """Only for an identity whose hash is known; TLS 1.3 all the same, and no longer than was said."""
    central = Central()
    identity = central.identity.render()

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.settimeout(3)
        for _ in range(2):
            connection.recv(1 << 16)
            connection.sendall(ok(identity))

    with listened(_self_signed(tmp_path), talk) as server:
        uplink = Uplink(server.url, None, line=Line(UNLIMITED), patience=PATIENCE)
        with contextlib.closing(uplink):
            assert uplink.ask(Request("GET", "/v1/identity", (), 0, 8192)).body == identity
            with pytest.raises(Untrusted):
                uplink.ask(Request("GET", "/v1/identity", (), 0, len(identity) - 1))


# Nobody there


def test_names_and_ports_that_lead_nowhere_are_said() -> None:
    identity = Central().identity
    with pytest.raises(Unreachable, match="cannot be looked up"):
        _deposit("https://greffier.invalid", identity)
    port = free_port()
    with pytest.raises(Unreachable, match="does not answer"):
        _deposit(f"https://127.0.0.1:{port}", identity)


def test_a_connection_that_is_reset_before_it_is_encrypted_is_let_go() -> None:
    """As of a central that is killed at that moment: nothing of it is left to the garbage collector."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = socket.create_connection(listening.getsockname())
        there, _ = listening.accept()
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        there.close()
        place = addresses.central("https://127.0.0.1:1")
        with contextlib.closing(connection), pytest.raises(Unreachable, match="before it was encrypted"):
            connecting._encrypt(connection, place, connecting.trusting(None), None)


def test_the_kernels_numbers_are_those_that_ss_prints(tmp_path: Path) -> None:
    """`ss` of iproute2 reads the same structure: round trip, window, segment size, what was acknowledged."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        one = stack.enter_context(socket.create_connection(listening.getsockname()))
        other = stack.enter_context(listening.accept()[0])
        one.sendall(bytes(300_000))
        left = 300_000
        while left:
            left -= len(other.recv(left))
        wait_for(lambda: not tcp_info.read(one).unacked, 20, "everything to be acknowledged")
        info = tcp_info.read(one)
        here, there = one.getsockname()[1], one.getpeername()[1]
        command = ["ss", "-tinH", "sport", "=", f":{here}", "and", "dport", "=", f":{there}"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    said = dict(word.split(":", 1) for word in told.split() if ":" in word)
    assert info.rtt_us == pytest.approx(float(said["rtt"].split("/")[0]) * 1_000, abs=1)
    assert info.min_rtt_us == pytest.approx(float(said["minrtt"]) * 1_000, abs=1)
    assert info.mss_bytes == int(said["mss"])
    assert info.window_bytes == int(said["cwnd"]) * int(said["mss"])
    assert info.acked_bytes == int(said["bytes_acked"])
    assert info.unacked == 0
    assert tcp_info.parse(b"") == tcp_info.parse(bytes(500))  # a kernel that says less, or more


# Markings


def test_packets_are_marked_from_the_first_on_in_both_families(tmp_path: Path) -> None:
    """What the kernel was told; tests/system/test_idle_line.py reads it off the wire."""
    for host, level, option in (
        ("127.0.0.1", socket.IPPROTO_IP, socket.IP_TOS),
        ("::1", socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
    ):
        for dscp, marking in (("auto", 1), ("LE", 1), ("CS1", 8), ("none", 0)):
            central = Central()
            with served(central, central.authority.issue(tmp_path, [host]), host=host) as server:
                config = ReplicationConfig(dscp=dscp)
                uplink = Uplink(server.url, central.authority.pem, config, Line(UNLIMITED), patience=PATIENCE)
                with contextlib.closing(uplink):
                    made = uplink._connect()
                    assert made.getsockopt(level, option) >> 2 == marking


# Proxies


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def _tinyproxy(folder: Path, *lines: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Debian's tinyproxy on a port of its own: where it is, and its process."""
    assert TINYPROXY, "install tinyproxy"
    port = free_port()
    settings = [f"Port {port}", "Listen 127.0.0.1", "Timeout 20", "MaxClients 10", "DisableViaHeader Yes"]
    (folder / "tinyproxy.conf").write_text(
        "\n".join([*settings, f'LogFile "{folder}/proxy.log"', *lines, ""])
    )
    command = [TINYPROXY, "-d", "-c", str(folder / "tinyproxy.conf")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(lambda: running.poll() is not None or _listens(port), 20, "the proxy to listen")
            assert running.poll() is None
            yield f"127.0.0.1:{port}", running
        finally:
            running.kill()


@contextlib.contextmanager
def _central(folder: Path) -> Iterator[tuple[Central, Server]]:
    central = Central()
    with served(central, central.authority.issue(folder)) as server:
        yield central, server


def test_through_a_proxy(tmp_path: Path) -> None:
    with _central(tmp_path) as (central, server), _tinyproxy(tmp_path) as (where, _):
        _deposit(server.url, central.identity, f"http://{where}")
        assert len(central.taken) == 1
        seen = (tmp_path / "proxy.log").read_text()
        assert f"CONNECT 127.0.0.1:{server.where[1]}" in seen


def test_through_a_proxy_the_uplink_is_not_measured_and_the_floor_is_kept(tmp_path: Path) -> None:
    """The kernel sees the way to the proxy, a cable's length; the narrow line comes after it."""
    content = os.urandom(60_000)
    with _central(tmp_path) as (central, server), _tinyproxy(tmp_path) as (where, _):

        def line_after(config: ReplicationConfig) -> Line:
            target = HttpsTarget(server.url, central.identity, config, patience=PATIENCE)
            with contextlib.closing(target):
                target.deposit(claimed(BOX, content), io.BytesIO(content))
            return target.uplink.line

        unknown = line_after(ReplicationConfig(proxy=f"http://{where}"))
        assert (unknown.uplink, unknown.rate) == (None, 32_000)
        # Without it, it is: not by every train, on a busy machine.
        wait_for(lambda: line_after(ReplicationConfig()).rate > 32_000, 60, "a line to be measured")


def test_through_a_proxy_that_knows_names_and_passwords(tmp_path: Path) -> None:
    with _central(tmp_path) as (central, server), _tinyproxy(tmp_path, "BasicAuth box s3cret") as (where, _):
        _deposit(server.url, central.identity, f"http://box:s3cret@{where}")
        assert len(central.taken) == 1
        for proxy in (f"http://{where}", f"http://box:wrong@{where}", f"http://box@{where}"):
            with pytest.raises(Unreachable, match=r"name and password|refuses connections") as raised:
                _deposit(server.url, central.identity, proxy)
            assert "wrong" not in str(raised.value)
        assert len(central.taken) == 1


def test_a_proxy_that_refuses_is_said(tmp_path: Path) -> None:
    with _central(tmp_path) as (central, server), _tinyproxy(tmp_path, "ConnectPort 443") as (where, _):
        with pytest.raises(Unreachable, match=r"refuses connections to 127\.0\.0\.1"):
            _deposit(server.url, central.identity, f"http://{where}")
        assert server.connections == 0
        assert central.taken == []


def test_a_proxy_that_does_not_reach_central_is_said(tmp_path: Path) -> None:
    port = free_port()
    with _tinyproxy(tmp_path) as (where, _), pytest.raises(Unreachable, match=f"proxy {where} "):
        _deposit(f"https://127.0.0.1:{port}", Central().identity, f"http://{where}")


def test_a_proxy_that_is_not_there_is_said_and_no_other_way_is_taken(tmp_path: Path) -> None:
    port = free_port()
    with _central(tmp_path) as (central, server):
        with pytest.raises(Unreachable, match=f"the proxy 127.0.0.1:{port} does not answer"):
            _deposit(server.url, central.identity, f"http://127.0.0.1:{port}")
        assert server.connections == 0


def test_a_proxy_that_dies_in_the_middle_is_said_and_nothing_counts(tmp_path: Path) -> None:
    """At 400 kB/s the object would take 2.5 s; tinyproxy is killed after the first half second."""
    content = os.urandom(1_000_000)
    with _central(tmp_path) as (central, server), _tinyproxy(tmp_path) as (where, running):
        threading.Timer(0.5, running.kill).start()
        with pytest.raises(Unreachable):
            _deposit(server.url, central.identity, f"http://{where}", Line(Limits(fixed=400_000.0)), content)
        assert central.taken == []


def _answering(answer: bytes) -> object:
    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.settimeout(2)
        connection.recv(1 << 14)
        connection.sendall(answer)
        ended.wait(0.3)

    return talk


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 3_000, "endless|no HTTP proxy"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40 + b"\r\n", "no HTTP proxy"),
        (b"\x05\x00" * 20 + b"\r\n\r\n", "no HTTP proxy"),
        (b"", "ended without an answer"),
        (b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0", "speaks in central's place"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example\r\n\r\n", "refuses connections"),
        (b"HTTP/1.1 511 Network Authentication Required\r\n\r\n", "refuses connections"),
        (b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 99999999\r\n\r\n", "does not reach central"),
    ],
)
def test_whatever_a_proxy_answers_is_said_in_a_sentence(answer: bytes, what: str) -> None:
    central = Central()
    with listened(None, _answering(answer)) as proxy, pytest.raises(Unreachable, match=what):  # type: ignore[arg-type]
        _deposit("https://127.0.0.1:9", central.identity, f"http://127.0.0.1:{proxy.where[1]}")


def test_a_proxy_that_takes_centrals_place_is_told_nothing(tmp_path: Path) -> None:
    """It answers CONNECT and goes on in TLS itself, as proxies that inspect do."""
    central = Central()
    context = authority().issue(tmp_path)
    told: list[bytes] = []

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.settimeout(2)
        told.append(connection.recv(1 << 14))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as inspected:
            told.append(inspected.recv(1 << 14))

    with listened(None, talk) as proxy, pytest.raises(Untrusted, match="nothing was sent"):
        _deposit("https://127.0.0.1:9", central.identity, f"http://127.0.0.1:{proxy.where[1]}")
    assert told == [b"CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n"]


@pytest.mark.parametrize("url", ["https://proxy.example:3128", "proxy.example", "http://", "http://p/path"])
def test_a_proxy_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ReplicationError, match="give the proxy as"):
        addresses.proxy(url)


def test_credentials_of_a_proxy_may_hold_any_sign() -> None:
    place = addresses.proxy("http://b%40x:a%3Ab%2F%25@proxy.example:8080")
    assert place is not None
    assert (place.host, place.port, place.credentials) == ("proxy.example", 8080, "b@x:a:b/%")
    assert "a:b" not in repr(place)
