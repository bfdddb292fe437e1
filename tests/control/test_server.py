"""The keeper's socket under those who ask well, those who ask badly, and those who may not ask."""

import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.control import server as servers
from appliance.control.client import Client
from appliance.control.messages import (
    QUESTION_LIMIT,
    Actor,
    Answer,
    AskBox,
    AskTests,
    Done,
    NoteStep,
    Refused,
    Request,
)
from appliance.control.server import CONNECTIONS, Server
from appliance.model.errors import ControlError
from appliance.runtime import local_socket

ME = Actor("jeanne", "operator", "192.0.2.7")
NOBODY = 65534


def echo(request: Request) -> Answer:
    return Done(f"{request.actor.name} asks {type(request.ask).__name__}")


@contextlib.contextmanager
def serving(
    folder: Path, answer: Callable[[Request], Answer] = echo, users: tuple[int, ...] = ()
) -> Iterator[Client]:
    server = Server(folder / "control.sock", answer, users, slow={AskTests})
    server.start()
    try:
        yield Client(folder / "control.sock", patience_s=5)
    finally:
        server.stop()


def connected(client: Client) -> socket.socket:
    return local_socket.connect(client.path, 5)


def question(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def said(connection: socket.socket) -> bytes:
    """All that comes until the other side ends."""
    parts = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            parts += piece
    return parts


def test_a_question_is_answered_in_the_name_of_who_asks(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        assert client.ask(ME, AskBox()) == Done("jeanne asks AskBox")


def test_the_socket_is_its_owners_alone_and_gone_afterwards(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        assert client.path.stat().st_mode & 0o777 == 0o600
    assert not client.path.exists()
    with pytest.raises(ControlError, match="keeper"):
        client.ask(ME, AskBox())


def test_one_that_lives_is_not_pushed_aside(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        with pytest.raises(ControlError, match="another keeper"), serving(tmp_path):
            pass
        assert isinstance(client.ask(ME, AskBox()), Done)


def test_what_a_dead_keeper_left_is_no_hindrance(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "control.sock"))
    dead.close()
    with serving(tmp_path) as client:
        assert isinstance(client.ask(ME, AskBox()), Done)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("users", [(NOBODY,), (NOBODY - 1,)])
def test_who_asks_is_known_by_what_the_kernel_says_of_him(tmp_path: Path, users: tuple[int, ...]) -> None:
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents[:3]:
        os.chmod(parent, parent.stat().st_mode | 0o011)
    with serving(tmp_path, users=users) as client:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                try:
                    client.ask(ME, AskBox())
                    os.write(writing, b"answered")
                except ControlError:
                    os.write(writing, b"nothing")
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            assert pipe.read() == (b"answered" if NOBODY in users else b"nothing")
        os.waitpid(pid, 0)
        assert isinstance(client.ask(ME, AskBox()), Done)  # our own user may, always


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"actor":' * 10_000,
        b"\xff" * 100,
        b'{"actor":{"name":"a","role":"b","origin":"c"},"ask":{"type":"Rm"}}',
        b'{"actor":{"name":"a","role":"b","origin":"c"},"ask":{"type":"AskAudit","count":1e400}}',
        b'{"actor":{"name":1,"role":"b","origin":"c"},"ask":{"type":"AskBox"}}',
    ],
)
def test_what_is_no_question_is_refused(tmp_path: Path, content: bytes) -> None:
    with serving(tmp_path) as client:
        with connected(client) as connection:
            connection.sendall(question(content))
            answer = said(connection)
        assert msgspec.json.decode(answer[4:], type=Answer).kind == "ControlError"
        assert isinstance(client.ask(ME, AskBox()), Done)


@given(content=st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_leave_it_answering(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    client = shared_server(tmp_path_factory)
    with connected(client) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        answer = said(connection)
    assert answer == b"" or isinstance(msgspec.json.decode(answer[4:], type=Answer), Refused)
    assert isinstance(client.ask(ME, AskBox()), Done)


_SHARED: list[tuple[Client, contextlib.ExitStack]] = []


def shared_server(factory: pytest.TempPathFactory) -> Client:
    if not _SHARED:
        stack = contextlib.ExitStack()
        _SHARED.append((stack.enter_context(serving(factory.mktemp("shared"))), stack))
    return _SHARED[0][0]


@pytest.fixture(scope="module", autouse=True)
def ended() -> Iterator[None]:
    yield
    while _SHARED:
        _SHARED.pop()[1].close()


def test_too_long_a_question_is_not_even_read(tmp_path: Path) -> None:
    with serving(tmp_path) as client, connected(client) as connection:
        connection.sendall(struct.pack(">I", QUESTION_LIMIT + 1))
        assert said(connection) == b""


def test_who_trickles_is_let_go_and_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "QUESTION_S", 3)
    with serving(tmp_path) as client, contextlib.ExitStack() as open_ones:
        threads = threading.active_count()
        slow = [open_ones.enter_context(connected(client)) for _ in range(CONNECTIONS - 1)]
        for connection in slow:
            connection.sendall(b"\0\0\0\x10{")
        begun = time.monotonic()
        assert isinstance(client.ask(ME, AskBox()), Done)
        assert time.monotonic() - begun < 3, "it waits for none of them"
        assert threading.active_count() <= threads + servers.THREADS
        assert all(said(connection) == b"" for connection in slow)
        assert time.monotonic() - begun < 3 + 10


def test_more_of_them_than_there_is_room_for_hold_nobody_up_either(tmp_path: Path) -> None:
    with serving(tmp_path) as client, contextlib.ExitStack() as open_ones:
        for _ in range(2 * CONNECTIONS):
            open_ones.enter_context(connected(client)).sendall(b"\0\0")
        assert isinstance(client.ask(ME, AskBox()), Done)


def test_answers_that_nobody_fetches_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "ANSWER_S", 0.5)
    large = Done("x" * (8 << 20))
    asks = question(msgspec.json.encode(Request(ME, AskBox())))
    with serving(tmp_path, lambda request: large) as client, contextlib.ExitStack() as open_ones:
        idle = [open_ones.enter_context(connected(client)) for _ in range(4)]
        for connection in idle:
            connection.sendall(asks)
        assert client.ask(ME, AskBox()) == large
        time.sleep(1.6)
        assert all(0 < len(said(connection)) < 8 << 20 for connection in idle)


def test_the_oldest_answer_goes_where_memory_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "WAITING_BYTES", 20 << 20)
    large = Done("x" * (8 << 20))
    asks = question(msgspec.json.encode(Request(ME, AskBox())))
    with serving(tmp_path, lambda request: large) as client, contextlib.ExitStack() as open_ones:
        idle = []
        for _ in range(4):
            idle.append(open_ones.enter_context(connected(client)))
            idle[-1].sendall(asks)
            idle[-1].recv(1, socket.MSG_PEEK)
            time.sleep(0.05)
        time.sleep(1.2)
        whole = [len(said(connection)) > 8 << 20 for connection in reversed(idle)]
        assert whole[0]
        assert not whole[-1]


def test_too_long_an_answer_becomes_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "ANSWER_LIMIT", 1000)
    with serving(tmp_path, lambda request: Done("x" * 1000)) as client:
        assert "fewer days" in client.ask(ME, AskBox()).said


def test_what_takes_seconds_holds_up_no_page(tmp_path: Path) -> None:
    going_on = threading.Event()

    def answer(request: Request) -> Answer:
        if isinstance(request.ask, AskTests):
            going_on.wait(10)
        return Done()

    with serving(tmp_path, answer) as client:
        slow = [threading.Thread(target=client.ask, args=(ME, AskTests())) for _ in range(10)]
        for thread in slow:
            thread.start()
        time.sleep(0.2)
        begun = time.monotonic()
        assert client.ask(ME, AskBox()) == Done()
        assert time.monotonic() - begun < 1
        going_on.set()
        for thread in slow:
            thread.join()


def test_many_at_once_each_get_their_own_answer(tmp_path: Path) -> None:
    answers: dict[int, Answer] = {}

    def ask(number: int) -> None:
        for _ in range(20):
            answers[number] = client.ask(Actor(str(number), "", ""), NoteStep("x"))

    with serving(tmp_path) as client:
        askers = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for thread in askers:
            thread.start()
        for thread in askers:
            thread.join()
    assert answers == {number: Done(f"{number} asks NoteStep") for number in range(16)}


def test_a_question_has_the_form_that_the_messages_say(tmp_path: Path) -> None:
    """As whoever writes a client in another language would: a length and JSON."""
    asked = {"actor": {"name": "a", "role": "b", "origin": "c"}, "ask": {"type": "AskBox"}}
    with serving(tmp_path) as client, connected(client) as connection:
        connection.sendall(question(json.dumps(asked).encode()))
        answer = said(connection)
    (size,) = struct.unpack(">I", answer[:4])
    assert json.loads(answer[4:]) == {"type": "Done", "said": "a asks AskBox"}
    assert size == len(answer) - 4
