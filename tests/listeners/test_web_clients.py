"""Clients of HTTP that nobody here wrote, curl and Python's own, against a web connection on a socket."""

import gzip
import hashlib
import hmac
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

from appliance.feeds.cloudtrax.request import LONGEST_BODY_OCTETS, Request, unpack
from appliance.listeners.web import WebConnection
from appliance.model.reasons import Refusal

BODY = b'{"probe_requests": []}'


@contextmanager
def served() -> Iterator[tuple[str, list[bytes], Counter[str]]]:
    """A WebConnection behind a real socket that answers 200; (its URL, messages, what was refused)."""
    messages: list[bytes] = []
    refused: Counter[str] = Counter()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    made, _ = server.accept()
                except TimeoutError:
                    continue
                with made:
                    made.settimeout(5)
                    converse(made)

        def converse(made: socket.socket) -> None:
            connection = WebConnection()
            while not connection.closing:
                found = connection.feed(made.recv(65536), time.monotonic())
                while found:
                    messages.extend(found)
                    found = connection.answer(b"200", time.monotonic())
                made.sendall(connection.outgoing())
            refused.update(connection.refused)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/cloudtrax", messages, refused
        finally:
            stop.set()
            serving.join(timeout=20)
            assert not serving.is_alive()


def test_http_client_posts_and_keeps_its_connection() -> None:
    with served() as (url, messages, refused):
        connection = HTTPConnection(url.split("/")[2], timeout=10)
        signature = hmac.new(b"s", BODY, hashlib.sha256).hexdigest()
        for _ in range(20):
            connection.request("POST", "/cloudtrax", BODY, {"Signature": signature})
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"OK\n")
        connection.close()
    assert [unpack(message) for message in messages] == [Request(signature, BODY)] * 20
    assert not refused


def test_curl_gets_its_answers_and_a_bomb_stays_unopened() -> None:
    def curl(url: str, body: bytes, *options: str) -> str:
        quiet = ["curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}"]
        done = subprocess.run(
            [*quiet, "--data-binary", "@-", *options, url], input=body, capture_output=True, timeout=20
        )
        return done.stdout.decode() + done.stderr.decode()

    bomb = gzip.compress(bytes(64 << 20))
    with served() as (url, messages, refused):
        assert curl(url, BODY, "-H", "Signature: 0a1b") == "200"
        assert curl(url, bytes(LONGEST_BODY_OCTETS)) == "200"
        assert curl(url, BODY, "--http1.0") == "200"
        assert curl(url, BODY, "-H", "Transfer-Encoding: chunked") == "200"
        assert curl(url, bytes(LONGEST_BODY_OCTETS + 1)) == "413"
        assert curl(url, bomb, "-H", "Content-Encoding: gzip") == "415"
        assert curl(url + "/../other", BODY, "--path-as-is") == "200"
        assert curl(url.replace("cloudtrax", "x"), BODY) == "404"
    assert len(messages) == 5
    assert dict(refused) == {Refusal.TOO_BIG: 1, Refusal.COMPRESSED: 1, Refusal.NOT_FOR_US: 1}
