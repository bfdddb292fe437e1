"""Targets: whatever takes an object and signs for it - a central over HTTPS, or one on this machine.

`tests/contracts/target_suite.py` is what every target must pass.
"""

from typing import BinaryIO, Protocol

from appliance.model.errors import ReplicationError
from appliance.replication.claims import Claim
from appliance.replication.receipts import Receipt


class Target(Protocol):
    """Takes objects for good. Its receipt means: these bytes are durable there."""

    def deposit(self, claim: Claim, content: BinaryIO) -> Receipt:
        """Take the bytes of a claim, `size_bytes` of them; the receipt, which is the same each time.

        Raises one of the errors below; then nothing counts as kept, and the same may be tried again.
        """

    def close(self) -> None:
        """Let connections go."""


class Unreachable(ReplicationError):
    """No answer, no way there, or 'not now': try again later.

    `retry_after_s` is how long central asks to be left alone, if it does; `backoff.wait_s` bounds it.
    """

    retry_after_s: float | None = None


class Busy(Unreachable):
    """It was reached, and says 'not now'."""


class Full(Unreachable):
    """It was reached, and has no room: its operator must make some."""


class Untrusted(ReplicationError):
    """It answered, but not as the central that this box knows: nothing of the answer is used."""


class Contradicted(Untrusted):
    """It signed what excludes what it signed before, and did so too often of late to be followed again."""


class Refused(ReplicationError):
    """Central does not take this from us: unknown site, bad signature, bytes that are not as claimed."""


class Conflict(ReplicationError):
    """Central keeps other bytes under this name: somebody must look, on both sides."""


class TooEarly(ReplicationError):
    """What this object rests on has not come yet: a line's predecessor, a segment's seal."""


class Replaced(ReplicationError):
    """Central needs it no more: a segment has replaced this journal, or its day has been destroyed."""
