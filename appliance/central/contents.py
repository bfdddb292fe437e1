"""The bytes that come with a claim: read once, bounded, exactly as many as were claimed."""

from typing import BinaryIO

from appliance.central.refusals import Unproven
from appliance.replication.claims import Claim
from appliance.vault import canonical

_PIECE_BYTES = 1 << 20


class Claimed:
    """The content of a claim. Errors of the content's own reading pass through."""

    def __init__(self, content: BinaryIO, claim: Claim) -> None:
        self._content = content
        self._claim = claim
        self._left = claim.size_bytes
        self._peeked = b""

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes; none at the end. Raises Unproven where the content goes on after it."""
        if self._peeked:
            wanted = len(self._peeked) if size < 0 else size
            piece, self._peeked = self._peeked[:wanted], self._peeked[wanted:]
            return piece
        return self._take(self._left if size < 0 else size)

    def peek(self, size: int) -> bytes:
        """The first bytes, at most so many, which the next reading gives again."""
        self._peeked = self._gather(size)
        return self._peeked

    def whole(self) -> bytes:
        """All the bytes, which must be those of the claim; reading gives them again. Raises Unproven."""
        content = self.peek(self._claim.size_bytes)
        if len(content) != self._claim.size_bytes or canonical.sha256(content) != self._claim.sha256:
            raise Unproven(f"{self._claim.name} is not what its claim says; nothing was stored")
        return content

    def drop(self) -> None:
        """Read what was claimed and forget it."""
        while self._take(_PIECE_BYTES):
            pass

    def _gather(self, size: int) -> bytes:
        pieces = []
        while size and (piece := self._take(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _take(self, size: int) -> bytes:
        piece = self._content.read(min(size, self._left)) if self._left else b""
        self._left -= len(piece)
        if not self._left and self._content.read(1):
            raise Unproven(f"{self._claim.name} is longer than claimed; nothing was stored")
        return piece
