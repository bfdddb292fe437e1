"""Clients that say nothing or trickle: the page answers others meanwhile. Against the real server."""

import contextlib
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.system.boxes import GREFFIER

CODE = "ABCD-EFGH-JKLM"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """`greffier web` as it is started by hand, before its set-up."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "code").write_text(CODE)
    options = ["--home", folder / "box", "--listen", "127.0.0.1:0", "--setup-code-file", folder / "code"]
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", GREFFIER, "web", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        said = ""
        while not (found := re.search(r"https://\S+:(\d+)", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        yield int(found[1])
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def connected(port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20))


def asked(port: int) -> tuple[float, bytes]:
    """How long the page takes to be shown to somebody who behaves, and its beginning."""
    begun = time.perf_counter()
    with connected(port) as peer:
        peer.sendall(b"GET /setup HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := peer.recv(65536):
            answer += part
    return time.perf_counter() - begun, answer


def test_others_are_answered_while_a_hundred_hang(port: int) -> None:
    head = b"POST /setup HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    slow = [connected(port) for _ in range(80)]
    try:
        for number, peer in enumerate(slow):
            if number % 2:
                peer.sendall(b"GET /setup HTTP/1.1\r\nHost: loc")
            else:
                peer.sendall(head + b"Content-Length: 400000\r\n\r\ncode=")
        for _ in range(5):
            for peer in slow:
                peer.sendall(b"a")
            took_s, answer = asked(port)
            assert answer.startswith(b"HTTP/1.1 200")
            assert took_s < 5, "a page of some ten milliseconds, on a busy machine"
    finally:
        for one in (*silent, *slow):
            one.close()


def test_a_body_without_end_is_refused_unread(port: int) -> None:
    with connected(port) as peer:
        peer.sendall(
            b"POST /setup HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
            b"Content-Length: 99999999999\r\n\r\n" + b"x" * 10_000
        )
        assert re.match(rb"HTTP/1.1 (413|415|400)", peer.recv(4096))


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /setup HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /setup HTTP/1.1\r\n\r\n",
        b"GET /setup HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/setup HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /setup HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a" * 20_000 + b"\r\n\r\n",
        b"\x16\x03\x01 GET\r\n\r\n",
        b"POST /setup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_request_of_ours_is_a_status(port: int, request_: bytes) -> None:
    with connected(port) as peer:
        peer.sendall(request_)
        answer = peer.recv(4096)
        assert re.match(rb"HTTP/1.1 4\d\d ", answer), answer[:100]
        assert b"Traceback" not in answer
    assert asked(port)[1].startswith(b"HTTP/1.1 200")


def test_one_host_with_more_connections_than_there_are_keeps_nobody_waiting(port: int) -> None:
    """600 of one address that say nothing: there is room for 512, and each may be silent for 15 s."""
    with contextlib.ExitStack() as held:
        for _ in range(600):
            peer = held.enter_context(socket.create_connection(("127.0.0.1", port), 20, ("127.0.0.2", 0)))
            peer.setblocking(False)
        took, answer = asked(port)
        assert answer.startswith(b"HTTP/1.1 200")
        assert took < 5
