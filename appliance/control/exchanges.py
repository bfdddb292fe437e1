"""One connection at a time of those that the keeper has: its question as it comes, its answer as it goes."""

import contextlib
import socket
import struct
from collections.abc import Callable

from appliance.control.messages import QUESTION_LIMIT
from appliance.runtime import local_socket

_PIECE_BYTES = 1 << 16
_STRANGERS = 64
_LENGTH = struct.Struct(">I")


class Exchange:
    """A connection that is not blocked on; `until` (monotonic seconds) it has to have come further."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self.connection = connection
        self.until = until
        self.question = bytearray()
        self.answer = memoryview(b"")
        self.is_answering = False
        """Its question is whole, and somebody is at it or its answer goes out."""

    def fileno(self) -> int:
        return self.connection.fileno()

    def receive(self) -> bytes | None:
        """Take what has come; the question once it is whole. Raises ValueError where it is none; OSError."""
        piece = self.connection.recv(_PIECE_BYTES)
        if not piece:
            raise ValueError("ended before its question")
        self.question += piece
        if len(self.question) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self.question)
        if size > QUESTION_LIMIT or len(self.question) > _LENGTH.size + size:
            raise ValueError("is longer than a question")
        if len(self.question) < _LENGTH.size + size:
            return None
        question = bytes(self.question[_LENGTH.size :])
        self.question = bytearray()
        return question

    def give(self, answer: bytes) -> None:
        """What is to be sent."""
        self.answer = memoryview(_LENGTH.pack(len(answer)) + answer)

    def send(self) -> bool:
        """Send what goes now; true once everything is out. Raises OSError."""
        self.answer = self.answer[self.connection.send(self.answer[: 1 << 20]) :]
        return not self.answer

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.close()


def accepted(listener: socket.socket, may_ask: Callable[[int], bool]) -> socket.socket | None:
    """Whoever knocks next and may (by his user, which the kernel vouches for); None where nobody does."""
    for _ in range(_STRANGERS):  # then others are served, though more of them may wait
        try:
            connection, _address = listener.accept()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            if may_ask(local_socket.user_of(connection)):
                connection.setblocking(False)
                return connection
        connection.close()
    return None
