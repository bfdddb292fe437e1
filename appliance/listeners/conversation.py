"""What a connection's bytes mean to whoever sends them: where messages end, and what is said back."""

import math
from collections import Counter
from typing import Protocol

from appliance.listeners.framings import Framing


class Conversation(Protocol):
    """One connection, without its socket. Bounds what it holds; instants are monotonic seconds.

    `closing`: nothing more is to be read, and the connection ends when `outgoing` is sent. `deadline_s` is
    when the peer must have finished what it has begun. `refused` counts, by Refusal, what made no message.
    """

    refused: Counter[str]

    @property
    def closing(self) -> bool: ...

    @property
    def deadline_s(self) -> float: ...

    def feed(self, data: bytes, now_s: float) -> list[bytes]:
        """Take what came, b"" when the peer will say no more; the messages that are whole now."""
        ...

    def answer(self, answer: bytes, now_s: float) -> list[bytes]:
        """Answer the oldest message that has no answer yet; the messages that waited for that."""
        ...

    def outgoing(self) -> bytes:
        """What is to be sent now; it is given once."""
        ...


class Monologue:
    """A conversation in which only the peer speaks."""

    deadline_s = math.inf

    def __init__(self, framing: Framing) -> None:
        self.refused = framing.refused
        self.closing = False
        self._framing = framing

    def feed(self, data: bytes, now_s: float) -> list[bytes]:
        if data:
            return self._framing.feed(data)
        self.closing = True
        rest = self._framing.rest()
        return [rest] if rest else []

    def answer(self, answer: bytes, now_s: float) -> list[bytes]:
        return []

    def outgoing(self) -> bytes:
        return b""
