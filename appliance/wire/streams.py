"""One direction of a TCP connection put in order again: bytes as they were sent, as far as captured."""

from collections.abc import Iterator

_HALF, _ALL = 1 << 31, 1 << 32

AHEAD_BYTES = 1 << 20
"""What may wait for a segment that is missing; beyond, that segment is taken for lost."""


class Stream:
    """Takes segments in order of their capture; gives (bytes, whether something is missing before them)."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._ahead: dict[int, bytes] = {}
        self._ahead_bytes = 0

    def take(self, number: int, begins: bool, payload: bytes) -> Iterator[tuple[bytes, bool]]:
        """A segment: the number of its first byte, SYN, its bytes (RFC 9293)."""
        if begins:
            number = (number + 1) % _ALL
            if not payload:
                self._next = number if self._next is None else self._next
                return
        if not payload:
            return
        if self._next is None:
            self._next = number
        if self._distance(number) > 0:
            if number not in self._ahead:
                self._ahead[number] = payload
                self._ahead_bytes += len(payload)
            if self._ahead_bytes > AHEAD_BYTES:
                yield from self.rest()
            return
        fresh = self._fresh(number, payload)
        if fresh:
            yield fresh, False
            yield from self._following()

    def rest(self) -> Iterator[tuple[bytes, bool]]:
        """What waits for segments that never come."""
        while self._ahead:
            self._next = min(self._ahead, key=self._distance)
            missing = True
            for piece, _ in self._following():
                yield piece, missing
                missing = False

    def _following(self) -> Iterator[tuple[bytes, bool]]:
        """What waited for this place."""
        while self._ahead:
            nearest = min(self._ahead, key=self._distance)
            if self._distance(nearest) > 0:
                return
            payload = self._ahead.pop(nearest)
            self._ahead_bytes -= len(payload)
            fresh = self._fresh(nearest, payload)
            if fresh:
                yield fresh, False

    def _fresh(self, number: int, payload: bytes) -> bytes:
        """What of a segment was not seen before; the stream goes on behind it."""
        fresh = payload[-self._distance(number) :]
        if fresh:
            self._next = (number + len(payload)) % _ALL
        return fresh

    def _distance(self, number: int) -> int:
        """How far ahead of the next byte, negative behind; numbers go round."""
        assert self._next is not None
        return (number - self._next + _HALF) % _ALL - _HALF
