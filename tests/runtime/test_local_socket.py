"""Who asks on a local socket is known by what the kernel says of him, and strangers are told nothing."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.runtime import local_socket

PATIENCE_S = 0.3
NOBODY = 65534


@contextmanager
def answering(path: Path, answer: bytes = b"told") -> Iterator[Path]:
    listener = local_socket.listen(path, 0o666)
    thread = threading.Thread(
        target=local_socket.answer_each, args=(listener, PATIENCE_S, lambda asking: asking.sendall(answer))
    )
    thread.start()
    try:
        yield path
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=20)
        assert not thread.is_alive()
        assert listener.fileno() == -1


def ask(path: Path) -> bytes:
    with local_socket.connect(path, 20) as asking:
        return asking.recv(100)


def test_one_after_another_is_answered(tmp_path: Path) -> None:
    with answering(tmp_path / "socket") as path:
        assert [ask(path) for _ in range(3)] == [b"told"] * 3


def test_who_does_not_fetch_his_answer_holds_nobody_up_for_long(tmp_path: Path) -> None:
    with answering(tmp_path / "socket", bytes(8 << 20)) as path, local_socket.connect(path, 20):
        assert ask(path) != b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_stranger_is_told_nothing_though_the_socket_lets_him_connect(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        os.chmod(folder, folder.stat().st_mode | 0o011)
    with answering(tmp_path / "socket") as path:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                os.write(writing, b"asked, and was told: " + ask(path))
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            assert pipe.read() == b"asked, and was told: "
        os.waitpid(pid, 0)
        assert ask(path) == b"told"


def test_whose_process_connected_is_the_kernels_word(tmp_path: Path) -> None:
    one, other = socket.socketpair()
    with one, other:
        assert local_socket.user_of(one) == os.geteuid()
