"""IPFIX messages out of a stream or a file: their length stands in their header (RFC 7011, RFC 5655)."""

from collections import Counter
from struct import Struct

from appliance.model.reasons import Refusal

_VERSION = b"\0\x0a"
_HEADER_OCTETS = 16
_START = Struct("!HH")
_IPFIX = 10


class Framing:
    """Bytes as they come to whole messages; holds less than one message (64 KiB). `refused` by Refusal.

    Where no message begins, what follows is passed over up to what may begin one, and counted once; RFC 5655
    section 9.2 wants a reader to go on behind a damaged place.
    """

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self._held = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came; returns the messages that are whole now."""
        self._held += data
        held = bytes(self._held)
        messages: list[bytes] = []
        at = 0
        while len(held) - at >= 4:
            version, length = _START.unpack_from(held, at)
            end = at + length
            if version != _IPFIX or length < _HEADER_OCTETS or self._is_chance(held, end):
                at = self._pass_over(held, at)
                continue
            if end > len(held):
                break
            messages.append(held[at:end])
            self._lost = False
            at = end
        del self._held[:at]
        return messages

    def rest(self) -> bytes:
        """The stream ended: a message that broke off; whole sets in it still count."""
        rest = bytes(self._held)
        self._held.clear()
        if rest and len(rest) < _HEADER_OCTETS:
            self.refused[Refusal.CUT_SHORT] += 1
            return b""
        return rest

    def _is_chance(self, held: bytes, end: int) -> bool:
        """After a damaged place: whether another message should begin where this one ends, and does not."""
        return self._lost and end + 2 <= len(held) and held[end : end + 2] != _VERSION

    def _pass_over(self, held: bytes, at: int) -> int:
        if not self._lost:
            self._lost = True
            self.refused[Refusal.BAD_MESSAGE] += 1
        found = held.find(_VERSION, at + 1)
        return found if found >= 0 else len(held) - (held[-1] == 0)
