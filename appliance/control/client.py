"""Asks the keeper: one connection a question, with a limit of time."""

import socket
import struct
from pathlib import Path

import msgspec

from appliance.control.messages import ANSWER_LIMIT, Actor, Answer, Ask, Request
from appliance.model.errors import ControlError
from appliance.runtime import local_socket

PATIENCE_S = 30.0
"""A question that listens to interfaces or reaches a central takes some seconds."""

_answers = msgspec.json.Decoder(Answer)


class Client:
    """Where the keeper is to be asked; opens nothing until something is."""

    def __init__(self, path: Path, patience_s: float = PATIENCE_S) -> None:
        self.path = path
        self._patience_s = patience_s

    def ask(self, actor: Actor, ask: Ask) -> Answer:
        """The answer. Raises ControlError where the keeper does not run, or says nothing of ours in time."""
        try:
            with local_socket.connect(self.path, self._patience_s) as connection:
                question = msgspec.json.encode(Request(actor, ask))
                connection.sendall(struct.pack(">I", len(question)) + question)
                (size,) = struct.unpack(">I", _exactly(connection, 4))
                if size > ANSWER_LIMIT:
                    raise ControlError("the keeper's answer is too long; this is a defect, please report it")
                answer: Answer = _answers.decode(_exactly(connection, size))
                return answer
        except (msgspec.DecodeError, struct.error) as error:
            raise ControlError(
                "the keeper's answer is not understood; restart the page and the keeper"
            ) from error
        except OSError as error:
            raise ControlError(
                f"the keeper does not answer ({error.strerror or 'it takes too long'}); "
                "see 'systemctl status greffier-keeper'"
            ) from error


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        received = connection.recv(min(1 << 16, size - len(parts)))
        if not received:
            raise ControlError("the keeper ended before it had answered; try again")
        parts += received
    return bytes(parts)
