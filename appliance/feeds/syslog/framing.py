"""Messages out of a stream: octet counting and delimiters (RFC 6587), of one connection, frame by frame."""

import re
from collections import Counter

from appliance.model.reasons import Refusal

LIMIT = 65_536
"""Octets of a message at most: what UDP could carry. What is longer is dropped up to its end, and counted."""

_COUNT = re.compile(rb"[1-9]\d{0,8} (?=<)")
_END = re.compile(rb"[\n\0]")
_BETWEEN = b"\r\n\0"


class Framing:
    """Bytes as they come to whole messages; holds at most LIMIT octets and a block. `refused` by Refusal."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self._held = bytearray()
        self._searched = 0  # octets of an unfinished line in which no end was found
        self._skip = 0  # octets of a counted message that is too long, still to come
        self._dropping = False  # a line that is too long goes on

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came; returns the messages that are whole now, without their framing."""
        self._held += data
        held = bytes(self._held)
        messages: list[bytes] = []
        at = self._pass_over(held)
        if at:
            self._searched = 0
        while at < len(held):
            if held[at] in _BETWEEN:
                at += 1
                continue
            count = _COUNT.match(held, at)
            if count is not None:
                end = count.end() + int(count[0])
                if int(count[0]) > LIMIT:
                    self.refused[Refusal.BAD_LENGTH] += 1
                    self._skip, at = max(end - len(held), 0), min(end, len(held))
                    continue
                if end > len(held):
                    break
                messages.append(held[count.end() : end])
                at = end
                continue
            found = _END.search(held, max(at, self._searched))
            if found is None:
                at = self._unfinished(held, at)
                self._searched = len(held) - at
                break
            messages.append(held[at : found.start()])
            at, self._searched = found.end(), 0
        del self._held[:at]
        return messages

    def rest(self) -> bytes:
        """The connection ended: its last line without an end, b"" if there is none."""
        held = bytes(self._held)
        self._held.clear()
        if _COUNT.match(held) is not None:
            self.refused[Refusal.CUT_SHORT] += 1
            return b""
        return held.strip(_BETWEEN)

    def _pass_over(self, held: bytes) -> int:
        """Where reading goes on after what is being dropped."""
        at = min(self._skip, len(held))
        self._skip -= at
        if self._dropping:
            found = _END.search(held, at)
            self._dropping = found is None
            return len(held) if found is None else found.end()
        return at

    def _unfinished(self, held: bytes, at: int) -> int:
        """A line whose end has not come: kept, unless it is too long already."""
        if len(held) - at <= LIMIT:
            return at
        self.refused[Refusal.BAD_LENGTH] += 1
        self._dropping = True
        return len(held)
