"""A central as a process: what kills a worker stops nobody, a stop is orderly, who trickles is cut."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.central import places
from appliance.config.central import CentralConfig
from appliance.replication import claims, names
from appliance.runtime.clock import now_ns
from appliance.vault import signing
from tests.system.boxes import GREFFIER, Box, greffier, make_box
from tests.system.central_boxes import Place, enrol

DAY_NS = 86_400 * 10**9


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place.new(tmp_path / "lyon", "Lyon")
    try:
        yield made
    finally:
        made.end(signal.SIGKILL)


def connect(place: Place) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(place.folder / "tls" / "ca.pem"))
    plain = socket.create_connection(("127.0.0.1", place.port), timeout=30)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def first_put(box: Box) -> tuple[bytes, bytes]:
    """The head and the body of a request that brings the first line of the box's chain."""
    content = (box.home / "chain.jsonl").read_bytes().partition(b"\n")[0] + b"\n"
    digest = subprocess.run(["sha256sum"], input=content, capture_output=True, check=True).stdout.split()[0]
    name = names.of_line(0, digest.decode())
    claim = claims.make(signing.load(box.home / "box.key"), name, digest.decode(), len(content))
    head = (
        f"PUT /v1/objects HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n"
        f"Greffier-Claim: {claim.to_header()}\r\n\r\n"
    )
    return head.encode(), content


def children(pid: int) -> list[int]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in done.stdout.split()]


def until(true: object, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def has_read(connection: socket.socket) -> bool:
    """Whether the server at the other end has read all that was sent to it."""
    mine, theirs = connection.getsockname()[1], connection.getpeername()[1]
    ends = f"0100007F:{theirs:04X} 0100007F:{mine:04X} 01 "
    _, found, rest = Path("/proc/net/tcp").read_text().partition(ends)
    return bool(found) and rest.split()[0].endswith(":00000000")


def test_a_worker_that_is_killed_is_replaced(place: Place) -> None:
    place.start()
    before = children(place.pid)
    assert before
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    until(lambda: set(children(place.pid)) - set(before) and place.answers())


@pytest.mark.parametrize("whole_group", [False, True])
def test_a_stop_finishes_what_is_under_way_and_leaves_nothing_behind(
    place: Place, tmp_path: Path, whole_group: bool
) -> None:
    """By SIGTERM as systemd sends it, and by Ctrl-C, which every process of a terminal gets."""
    place.start()
    box = make_box(tmp_path, ["10.0.0.0/8"])
    enrol(box, place)
    head, body = first_put(box)
    with connect(place) as connection:
        connection.sendall(head + body[:20])
        until(lambda: has_read(connection))
        time.sleep(0.1)
        if whole_group:
            os.killpg(place.pid, signal.SIGINT)
        else:
            os.kill(place.pid, signal.SIGTERM)
        time.sleep(1)
        connection.sendall(body[20:])
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    until(lambda: not place.pids())
    place.end()
    assert "Traceback" not in place.said()


def test_workers_whose_parent_was_killed_end_by_themselves(place: Place) -> None:
    place.start()
    os.kill(place.pid, signal.SIGKILL)
    until(lambda: not place.pids(), 30)


@contextlib.contextmanager
def served_by_gunicorn(place: Place, settings: Path) -> Iterator[Place]:
    """The same by gunicorn's own command, with a settings file of its own."""
    tls = place.folder / "tls"
    command = [
        str(Path(sys.executable).with_name("gunicorn")), "-c", str(settings),
        "-b", f"127.0.0.1:{place.port}",
        "--certfile", str(tls / "server.pem"), "--keyfile", str(tls / "server.key"),
        f'appliance.services.central.wsgi:application("{place.folder}")',
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(place.answers)
        yield place
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_gunicorns_own_command_serves_it_and_who_trickles_is_let_go(place: Place, tmp_path: Path) -> None:
    """More than there are threads: that connect, begin a handshake, shake hands and wait, begin a head.

    The settings file shortens what is 15 seconds for a handshake and a head, and 60 for an answer, to 3.
    """
    settings = tmp_path / "settings.py"
    settings.write_text(
        "from appliance.services.central.settings import *\n"
        "import appliance.https.workers as bounds\n"
        "from appliance.https.connections import ALLOWED_S, State\n"
        "bounds.ANSWER_S = ALLOWED_S[State.HANDSHAKE] = ALLOWED_S[State.HEAD] = 3.0\n"
    )
    with served_by_gunicorn(place, settings), contextlib.ExitStack() as held:
        box = make_box(tmp_path, ["10.0.0.0/8"])
        enrol(box, place)
        older = ["curl", "-sSk", "--tls-max", "1.2", f"{place.url}/v1/identity"]
        assert subprocess.run(older, capture_output=True).returncode != 0
        silent = [socket.create_connection(("127.0.0.1", place.port), timeout=40) for _ in range(140)]
        for one in silent[:70]:
            one.sendall(b"\x16\x03\x01\x02\x00\x01")
        encrypted = [connect(place) for _ in range(140)]
        for one in (*silent, *encrypted):
            held.enter_context(one)
        heading, uploading = encrypted[:70], encrypted[70]
        for one in heading:
            one.sendall(b"GET /v1/iden")
        uploading.sendall(first_put(box)[0] + b"{")
        begun = time.monotonic()
        assert place.answers()
        assert time.monotonic() - begun < 5
        ends = trickle([*heading, uploading], silent)
        assert len(ends) == 211
        assert max(ends) < 20
        assert place.answers()


def trickle(slow: list[ssl.SSLSocket], waiting: list[socket.socket]) -> list[float]:
    """Send a byte every second by each slow one; the seconds after which each connection was ended."""
    begun, ends = time.monotonic(), []
    left: list[socket.socket] = [*slow, *waiting]
    while left and time.monotonic() - begun < 40:
        for one in list(left):
            if is_ended(one, one in slow):
                ends.append(time.monotonic() - begun)
                left.remove(one)
        time.sleep(1)
    return ends


def is_ended(connection: socket.socket, sends: bool) -> bool:
    try:
        if sends:
            connection.settimeout(1)
            connection.sendall(b"a")
        connection.settimeout(0)
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def test_what_keeps_it_from_serving_is_one_sentence(place: Place, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        said = fails("serve", "--dir", place.folder, "--listen", where, code=9)
    assert "choose another --listen" in said
    fails("serve", "--dir", place.folder, "--listen", "nowhere", code=2)
    (place.folder / "catalogue.sqlite").unlink()
    assert "catalogue.sqlite is missing" in fails("serve", "--dir", place.folder, code=11)


def fails(*arguments: str | Path, code: int) -> str:
    done = subprocess.run(
        [GREFFIER, "central", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


def test_a_certificate_that_ends_soon_is_renewed_while_it_serves(tmp_path: Path) -> None:
    """Made 375 days ago it would end in three weeks: within the keeper's first turn it is another one."""
    folder = tmp_path / "lyon"
    places.create(folder, CentralConfig("Lyon"), ["127.0.0.1"], lambda: now_ns() - 375 * DAY_NS).close()
    place = Place(folder)
    place.start()
    try:
        until(lambda: is_valid_for(place, 300 * 86_400))
        assert place.answers()
    finally:
        place.end()


def is_valid_for(place: Place, seconds: int) -> bool:
    """Whether the certificate that is shown now is still valid after that time, says openssl."""
    shown = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{place.port}"], input=b"", capture_output=True
    ).stdout
    checked = subprocess.run(
        ["openssl", "x509", "-checkend", str(seconds), "-noout"], input=shown, capture_output=True
    )
    return checked.returncode == 0


def test_the_operator_sees_the_site_and_what_it_sent(place: Place, tmp_path: Path) -> None:
    place.start()
    box = make_box(tmp_path, ["10.0.0.0/8"])
    enrol(box, place)
    head, body = first_put(box)
    with connect(place) as connection:
        connection.sendall(head + body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    shown = json.loads(greffier("central", "sites", "--dir", place.folder, "--json"))
    (site,) = shown["sites"]
    assert (site["objects"], site["bytes"], site["receipts"]) == (1, len(body), 1)
    assert site["silent_minutes"] == 0
    said = greffier("central", "sites", "--dir", place.folder)
    assert f"kept: 1 object, {len(body):,} bytes; 1 receipt given" in said


def test_enrolments_of_strangers_that_trickle_hold_no_thread(place: Place) -> None:
    """More than there are threads, each with a head and a part of its body."""
    place.workers = 1
    place.start()
    with contextlib.ExitStack() as held:
        for length in ("4096", "00004096", "200 ") * 24:
            one = held.enter_context(connect(place))
            one.sendall(
                f"POST /v1/enrolments HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{{".encode()
            )
        begun = time.monotonic()
        assert place.answers()
        assert time.monotonic() - begun < 5
    with connect(place) as slow:
        slow.sendall(b"POST /v1/enrolments HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\n\r\n{")
        time.sleep(0.3)
        slow.sendall(b"}")
        assert slow.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_a_length_of_many_digits_is_a_request_that_is_refused(place: Place) -> None:
    """The stranger's fault, and counted as such: a defect of ours would be a 500 and a line in the log."""
    place.workers = 1
    place.start()
    with connect(place) as connection:
        connection.sendall(
            b"PUT /v1/objects HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 400 + b"\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert place.answers()
    place.end()
    assert "unexpected" not in place.said()


UNCLAIMED = b"PUT /v1/objects HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


def test_refused_uploads_of_strangers_hold_no_thread(place: Place) -> None:
    """Three times as many as there are threads, each with one byte of the body that it announced."""
    place.workers = 1
    place.start()
    with contextlib.ExitStack() as held:
        strangers = [held.enter_context(connect(place)) for _ in range(192)]
        for one in strangers:
            one.sendall(UNCLAIMED % 4096 + b"{")
        begun = time.monotonic()
        assert place.answers()
        assert time.monotonic() - begun < 2
        for one in strangers:
            assert one.recv(4096).startswith(b"HTTP/1.1 400 ")
    place.end()
    assert "refused 192 with 400\n" in place.said()
    assert "PUT 400" not in place.said()


@pytest.mark.parametrize(("size", "at_once"), [(4096, 1), (300_000, 300_000)])
def test_a_refusal_is_read_to_its_end_by_who_still_sends(place: Place, size: int, at_once: int) -> None:
    """The answer ends the connection in its own direction; what is still sent breaks nothing."""
    place.workers = 1
    place.start()
    with connect(place) as stranger:
        stranger.sendall(UNCLAIMED % size + b"a" * at_once)
        answer = stranger.recv(4096)
        for _ in range(5):
            stranger.sendall(b"a" * 100)
            time.sleep(0.1)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" in answer.lower()
        assert stranger.recv(4096) == b""


def test_a_refused_request_that_has_come_whole_leaves_its_connection(place: Place) -> None:
    place.workers = 1
    place.start()
    with connect(place) as stranger:
        for _ in range(2):
            stranger.sendall(UNCLAIMED % 500 + b"a" * 500)
            answer = stranger.recv(4096)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"connection: keep-alive" in answer.lower()


def test_slow_uploads_of_one_site_leave_threads_for_the_others(place: Place, tmp_path: Path) -> None:
    place.workers = 1
    place.start()
    box = make_box(tmp_path, ["10.0.0.0/8"])
    enrol(box, place)
    head, body = first_put(box)
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(connect(place)) for _ in range(9)]
        for one in slow:
            one.sendall(head + body[:1])
            until(lambda one=one: one is slow[8] or has_read(one))
            time.sleep(0.05)
        slow[8].settimeout(10)
        answer = slow[8].recv(4096)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 30" in answer.lower()
        slow[0].sendall(body[1:])
        assert slow[0].recv(4096).startswith(b"HTTP/1.1 200 ")
        until(lambda: is_taken(place, head + body))


def is_taken(place: Place, request: bytes) -> bool:
    with connect(place) as connection:
        connection.sendall(request)
        return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
