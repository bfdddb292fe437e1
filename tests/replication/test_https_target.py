"""A box and whatever may answer it: only this central's receipt for this claim counts."""

import contextlib
import io
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.model.errors import ReplicationError
from appliance.replication import receipts
from appliance.replication.claims import Claim
from appliance.replication.connecting import Patience
from appliance.replication.https_target import HttpsTarget
from appliance.replication.pacing import Limits, Line
from appliance.replication.targets import (
    Busy,
    Conflict,
    Full,
    Refused,
    Replaced,
    TooEarly,
    Unreachable,
    Untrusted,
)
from appliance.replication.uplink import UNLIMITED
from appliance.vault import signing
from tests.replication.made_centrals import (
    NAME,
    Answering,
    Central,
    Server,
    claimed,
    listened,
    ok,
    served,
    status,
)

BOX = signing.signer(signing.generate())
CONTENT = os.urandom(40_000)
PATIENCE = Patience(connect_s=3.0, quiet_s=3.0, answer_s=1.5)


@contextlib.contextmanager
def _target(
    folder: Path, answering: Answering, central: Central | None = None, requests: int = 1_000_000
) -> Iterator[tuple[HttpsTarget, Central, Server]]:
    central = central or Central()
    with served(central, central.authority.issue(folder), answering, requests=requests) as server:
        target = HttpsTarget(server.url, central.identity, line=Line(UNLIMITED), patience=PATIENCE)
        with contextlib.closing(target):
            yield target, central, server


def _deposit(target: HttpsTarget, content: bytes = CONTENT) -> receipts.Receipt:
    return target.deposit(claimed(BOX, content), io.BytesIO(content))


@pytest.mark.parametrize("size", [0, 1, 2_000, 16_384, 3_000_000])
def test_what_arrives_is_what_was_claimed_and_its_receipt_comes_back(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    with _target(tmp_path, Central.answer) as (target, central, _):
        receipt = _deposit(target, content)
        claim = claimed(BOX, content)
        assert central.taken == [(claim, claim.sha256)]
        assert receipt.render() == central.receipt(claim)


def test_one_connection_carries_many_objects(tmp_path: Path) -> None:
    with _target(tmp_path, Central.answer) as (target, central, server):
        assert [_deposit(target).sequence for _ in range(5)] == [1, 2, 3, 4, 5]
        assert server.connections == 1
        assert len(central.taken) == 5


def test_a_connection_that_was_closed_while_idle_is_made_anew(tmp_path: Path) -> None:
    with _target(tmp_path, Central.answer, requests=1) as (target, central, server):
        for _ in range(3):
            _deposit(target)
            time.sleep(0.05)
        assert server.connections == 3
        assert {digest for _, digest in central.taken} == {claimed(BOX, CONTENT).sha256}


def test_a_connection_that_ends_in_the_middle_of_a_used_one_is_tried_again_from_the_start(
    tmp_path: Path,
) -> None:
    """The peer goes when the second request has begun: the content is sent again from where it stood."""
    central = Central()
    begun: list[int] = []

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        begun.append(len(begun))
        buffer = b""
        while len(buffer) < (40_300 if begun[-1] else 0) or b"\r\n\r\n" not in buffer:
            with contextlib.suppress(TimeoutError):
                buffer += connection.recv(1 << 16)
            if ended.is_set():
                return
        if begun == [0]:
            connection.settimeout(3)
            while len(buffer) < 40_300:
                buffer += connection.recv(1 << 16)
            connection.sendall(ok(central.receipt(claimed(BOX, CONTENT), 1)))
            connection.recv(100)  # the second request has begun
            return
        connection.sendall(ok(central.receipt(claimed(BOX, CONTENT), 2)))
        ended.wait(3)

    with listened(central.authority.issue(tmp_path), talk) as server:
        target = HttpsTarget(server.url, central.identity, line=Line(UNLIMITED), patience=PATIENCE)
        with contextlib.closing(target):
            assert _deposit(target).sequence == 1
            assert _deposit(target).sequence == 2
        assert begun == [0, 1]


def test_a_central_that_always_hangs_up_is_asked_twice_at_most(tmp_path: Path) -> None:
    with _target(tmp_path, lambda *_: b"", requests=1) as (target, _, server):
        with pytest.raises(Unreachable, match="without an answer"):
            _deposit(target)
        assert server.connections <= 2


@pytest.mark.parametrize(
    ("code", "error", "what"),
    [
        (400, Refused, "differ in version"),
        (403, Refused, "enrol it there"),
        (409, Conflict, "other bytes under this name"),
        (410, Replaced, "needs this no more"),
        (412, TooEarly, "lacks what this rests on"),
        (413, Refused, "of this size"),
        (422, Refused, "greffier verify"),
        (429, Busy, "tried again later"),
        (500, Busy, "tried again later"),
        (502, Busy, "tried again later"),
        (503, Busy, "tried again later"),
        (507, Full, "no room left"),
        (201, Untrusted, "none that a central gives"),
        (204, Untrusted, "none that a central gives"),
        (206, Untrusted, "none that a central gives"),
        (300, Untrusted, "leads elsewhere"),
        (401, Untrusted, "none that a central gives"),
        (404, Untrusted, "none that a central gives"),
        (426, Untrusted, "none that a central gives"),
    ],
)
def test_every_status_has_its_meaning(
    tmp_path: Path, code: int, error: type[ReplicationError], what: str
) -> None:
    with _target(tmp_path, lambda *_: status(code)) as (target, _, _server):
        with pytest.raises(error, match=what) as raised:
            _deposit(target)
        assert type(raised.value) is error


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(tmp_path: Path, code: int) -> None:
    elsewhere: list[int] = []
    other = Central()
    (tmp_path / "other").mkdir()
    with (
        listened(other.authority.issue(tmp_path / "other"), lambda *_: elsewhere.append(1)) as there,
        _target(tmp_path, lambda *_: status(code, f"Location: {there.url}/v1/objects")) as (
            target,
            _,
            _server,
        ),
        pytest.raises(Untrusted, match="leads elsewhere"),
    ):
        _deposit(target)
    assert elsewhere == []
    assert there.connections == 0


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("30", 30.0),
        ("999999", 999_999.0),  # bounded by backoff, see there
        ("9999999", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("1e3", None),
    ],
)
def test_retry_after_is_seconds_or_nothing(tmp_path: Path, said: str, asked: float | None) -> None:
    with _target(tmp_path, lambda *_: status(503, f"Retry-After: {said}")) as (target, _, _server):
        with pytest.raises(Unreachable) as raised:
            _deposit(target)
        assert raised.value.retry_after_s == asked


def _altered(central: Central, claim: Claim) -> bytes:
    """The right receipt with one bit of its signature changed."""
    receipt = bytearray(central.receipt(claim))
    place = receipt.index(b'"sig":"') + 20
    receipt[place] = ord("0") if receipt[place] != ord("0") else ord("1")
    return ok(bytes(receipt))


def _other_number(central: Central, claim: Claim) -> bytes:
    return ok(central.receipt(claim, 1).replace(b'"sequence":1,', b'"sequence":2,'))


OTHER_BOX = signing.signer(signing.generate())
REPLAYED = claimed(BOX, b"an older object", NAME.replace("17", "16"))

HOSTILE: dict[str, Answering] = {
    "of another object": lambda central, _: ok(central.receipt(REPLAYED)),
    "of other bytes": lambda central, _: ok(central.receipt(claimed(BOX, b"other bytes"))),
    "of another site": lambda central, _: ok(central.receipt(claimed(OTHER_BOX, CONTENT))),
    "of another central": lambda _, claim: ok(Central().receipt(claim, 1)),
    "altered by a bit": _altered,
    "renumbered": _other_number,
    "with a space": lambda central, claim: ok(central.receipt(claim).replace(b":", b": ", 1)),
    "twice": lambda central, claim: ok(central.receipt(claim) * 2),
    "without its newline": lambda central, claim: ok(central.receipt(claim)[:-1]),
    "garbage": lambda *_: ok(os.urandom(700)),
    "a page": lambda *_: ok(b"<html>Welcome! Please sign in to the Wi-Fi</html>"),
    "empty": lambda *_: ok(b""),
    "deeply nested": lambda *_: ok(b"[" * 512 + b"]" * 511 + b"\n"),
    "a kilobyte and a byte": lambda *_: ok(b"x" * 1025),
    "ten megabytes": lambda *_: (
        b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" if n == 0 else b"x" * 9_999 for n in range(999)
    ),
    "a length beyond numbers": lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
    "two lengths": lambda central, claim: ok(central.receipt(claim), "Content-Length: 3"),
    "a negative length": lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n12345",
    "without a length": lambda central, claim: b"HTTP/1.1 200 OK\r\n\r\n" + central.receipt(claim),
    "chunked": lambda central, claim: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(central.receipt(claim))
        + central.receipt(claim)
        + b"\r\n0\r\n\r\n"
    ),
    "said to be gzip": lambda central, claim: ok(central.receipt(claim), "Content-Encoding: gzip"),
    "33 headers": lambda central, claim: ok(
        central.receipt(claim), *(f"X-{number}: y" for number in range(33))
    ),
    "a header of 9,000 bytes": lambda central, claim: ok(central.receipt(claim), "X: " + "y" * 9_000),
    "headers without end": lambda *_: (
        b"HTTP/1.1 200 OK\r\n" if n == 0 else b"X-%d: y\r\n" % n for n in range(1_000_000)
    ),
    "a line without end": lambda *_: (
        b"HTTP/1.1 200 OK\r\nX: " if n == 0 else b"y" * 999 for n in range(10_000)
    ),
    "continue without end": lambda *_: (b"HTTP/1.1 100 Continue\r\n\r\n" for _ in range(1_000_000)),
    "another protocol": lambda *_: b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n",
    "switching protocols": lambda *_: b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "HTTP 2": lambda *_: b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(200),
    "zeros": lambda *_: (bytes(4096) for _ in range(10_000)),
}  # fmt: skip


@pytest.mark.parametrize("answer", HOSTILE)
def test_nothing_else_is_taken_for_a_receipt(tmp_path: Path, answer: str) -> None:
    """Nothing accepted, within bounded time and memory; and the next one is asked on a new connection."""
    with _target(tmp_path, HOSTILE[answer]) as (target, _, server):
        begun_s = time.monotonic()
        tracemalloc.start()
        try:
            with pytest.raises(Untrusted):
                _deposit(target)
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()
        assert time.monotonic() - begun_s < 3
        before = server.connections
        with pytest.raises(Untrusted):
            _deposit(target)
        assert server.connections == before + 1


def _drip(content: bytes, every_s: float) -> Iterator[bytes]:
    for byte in content:
        yield bytes([byte])
        time.sleep(every_s)


@pytest.mark.parametrize("kept_back", [0, 60])
def test_an_answer_that_drips_ends_in_bounded_time(tmp_path: Path, kept_back: int) -> None:
    """Its head, or (with 60 bytes said at once) its body comes a byte at a time, never quiet for long."""

    def answering(central: Central, claim: Claim) -> Iterator[bytes]:
        whole = central.answer(claim)
        cut = whole.index(b"\r\n\r\n") + 4 if kept_back else 0
        yield whole[:cut]
        yield from _drip(whole[cut:], 0.05)

    with _target(tmp_path, answering) as (target, _, _server):
        begun_s = time.monotonic()
        with pytest.raises(Unreachable, match="did not answer in time"):
            _deposit(target)
        assert PATIENCE.answer_s <= time.monotonic() - begun_s < 2 * PATIENCE.answer_s


def test_silence_ends_in_bounded_time(tmp_path: Path) -> None:
    with listened(
        (central := Central()).authority.issue(tmp_path), lambda _, ended: ended.wait(10) and None
    ) as server:
        target = HttpsTarget(server.url, central.identity, line=Line(UNLIMITED), patience=PATIENCE)
        with contextlib.closing(target), pytest.raises(Unreachable):
            _deposit(target)


def test_a_peer_that_reads_nothing_ends_in_bounded_time(tmp_path: Path) -> None:
    content = bytes(20_000_000)
    with listened(
        (central := Central()).authority.issue(tmp_path), lambda _, ended: ended.wait(10) and None
    ) as server:
        patience = Patience(connect_s=3.0, quiet_s=0.5, answer_s=0.5)
        target = HttpsTarget(server.url, central.identity, line=Line(UNLIMITED), patience=patience)
        begun_s = time.monotonic()
        with contextlib.closing(target), pytest.raises(Unreachable):
            _deposit(target, content)
        assert time.monotonic() - begun_s < 3


def test_an_answer_that_is_cut_short_is_no_answer(tmp_path: Path) -> None:
    with (
        _target(tmp_path, lambda central, claim: central.answer(claim)[:-10], requests=1) as (
            target,
            _,
            _server,
        ),
        pytest.raises(Unreachable),
    ):
        _deposit(target)


def test_one_interim_answer_does_no_harm(tmp_path: Path) -> None:
    with _target(
        tmp_path, lambda central, claim: b"HTTP/1.1 100 Continue\r\n\r\n" + central.answer(claim)
    ) as (target, _, _server):
        assert _deposit(target).sequence == 1


def test_an_answer_before_the_content_was_sent_is_read_and_the_rest_is_not_sent(tmp_path: Path) -> None:
    """Central refuses by the claim alone; the box stops, instead of sending 400 MB for nothing."""
    received: list[int] = []

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.settimeout(5)
        received.append(len(connection.recv(1 << 14)))
        connection.sendall(status(403))
        with contextlib.suppress(OSError):
            while some := len(connection.recv(1 << 18)):
                received.append(some)

    central = Central()
    content = bytes(400_000_000)
    claim = claimed(BOX, b"")
    claim = Claim(claim.site, claim.name, claim.sha256, len(content), claim.signature)
    with listened(central.authority.issue(tmp_path), talk) as server:
        target = HttpsTarget(server.url, central.identity, line=Line(UNLIMITED), patience=PATIENCE)
        with contextlib.closing(target), pytest.raises(Refused, match="enrol it there"):
            target.deposit(claim, io.BytesIO(content))
    assert sum(received) < len(content) / 4


def test_a_receipt_before_the_content_was_sent_is_this_centrals_word_and_the_connection_ends(
    tmp_path: Path,
) -> None:
    """Central has it already: a genuine receipt counts whenever it comes."""
    central = Central()
    content = os.urandom(30_000_000)
    claim = claimed(BOX, content)

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.settimeout(5)
        connection.recv(1 << 14)
        connection.sendall(ok(central.receipt(claim, 9)))
        with contextlib.suppress(OSError):
            while connection.recv(1 << 18):
                pass

    with listened(central.authority.issue(tmp_path), talk) as server:
        target = HttpsTarget(server.url, central.identity, line=Line(UNLIMITED), patience=PATIENCE)
        with contextlib.closing(target):
            assert target.deposit(claim, io.BytesIO(content)).sequence == 9


def test_what_is_said_unasked_between_two_requests_is_not_used(tmp_path: Path) -> None:
    """An answer sent in advance must not be taken for that of the next request."""
    with _target(tmp_path, lambda central, claim: central.answer(claim) + status(410)) as (target, _, server):
        assert _deposit(target).sequence == 1
        time.sleep(0.05)
        assert _deposit(target).sequence == 2
        assert server.connections == 2


def test_content_that_has_become_shorter_is_said_and_nothing_is_taken(tmp_path: Path) -> None:
    with _target(tmp_path, Central.answer) as (target, central, _):
        with pytest.raises(ReplicationError, match="10 bytes shorter"):
            target.deposit(claimed(BOX, CONTENT), io.BytesIO(CONTENT[:-10]))
        assert central.taken == []


def test_sending_stops_when_it_is_told_to(tmp_path: Path) -> None:
    central = Central()
    stop = threading.Event()
    with served(central, central.authority.issue(tmp_path)) as server:
        line = Line(Limits(fixed=10_000.0))
        target = HttpsTarget(server.url, central.identity, line=line, pause=stop.wait, patience=PATIENCE)
        threading.Timer(0.3, stop.set).start()
        begun_s = time.monotonic()
        with contextlib.closing(target), pytest.raises(Unreachable, match="was stopped"):
            _deposit(target)
        assert time.monotonic() - begun_s < 2
    assert central.taken == []


def test_no_message_names_a_secret_or_a_client() -> None:
    central = Central()
    target = HttpsTarget("https://127.0.0.1:1", central.identity, patience=PATIENCE)
    with pytest.raises(Unreachable) as raised:
        _deposit(target)
    assert BOX.fingerprint not in str(raised.value)
    assert str(raised.value).count("\n") == 0
