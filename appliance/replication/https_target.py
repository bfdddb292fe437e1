"""A central over HTTPS: an object goes there by `PUT /v1/objects`, and its receipt is all that comes back.

PROTOCOL.md has it to the byte.
"""

import time
from typing import BinaryIO

from appliance.config.replication import ReplicationConfig
from appliance.model.errors import ReplicationError
from appliance.replication import claims, receipts
from appliance.replication.claims import Claim
from appliance.replication.connecting import Patience
from appliance.replication.exchange import Answer, Request
from appliance.replication.identity import CentralIdentity
from appliance.replication.pacing import Line
from appliance.replication.receipts import Receipt
from appliance.replication.targets import Busy, Conflict, Full, Refused, Replaced, TooEarly, Untrusted
from appliance.replication.uplink import Pause, Uplink

OBJECTS = "/v1/objects"

_FINAL: dict[int, tuple[type[ReplicationError], str]] = {
    400: (Refused, "cannot read this claim; this box and that central differ in version"),
    403: (Refused, "does not take anything from this box; enrol it there, or ask its operator why it ended"),
    409: (Conflict, "keeps other bytes under this name; somebody must find out which of the two are genuine"),
    410: (Replaced, "needs this no more"),
    412: (TooEarly, "lacks what this rests on"),
    413: (Refused, "does not take objects of this size; its operator can raise the limit"),
    422: (Refused, "finds that these bytes do not prove what was claimed; run 'greffier verify' on the box"),
    507: (Full, "has no room left on its disk; its operator must make some"),
}


class HttpsTarget:
    """See `targets.Target`. One central, one connection, one thread at a time.

    `line` is shared by all targets of a box. `pause` waits, and stops the sending if it returns true.
    """

    def __init__(
        self,
        url: str,
        identity: CentralIdentity,
        config: ReplicationConfig | None = None,
        line: Line | None = None,
        pause: Pause = time.sleep,
        patience: Patience | None = None,
    ) -> None:
        """Connects to nothing yet. Raises ReplicationError for a URL or identity that cannot be one."""
        self.identity = identity
        self.uplink = Uplink(url, identity.authority, config, line, pause, patience)

    def deposit(self, claim: Claim, content: BinaryIO) -> Receipt:
        """Send the bytes of a claim; the receipt, which is this central's and for this claim."""
        headers = ((claims.HEADER, claim.to_header()), ("Content-Type", "application/octet-stream"))
        request = Request("PUT", OBJECTS, headers, claim.size_bytes, receipts.LIMIT_BYTES)
        answer = self.uplink.ask(request, content)
        if answer.status != 200:
            raise _error(answer, claim.name)
        try:
            return self._receipt(answer.body, claim)
        except Untrusted:
            self.close()  # whoever this is, nothing more is said to it
            raise

    def close(self) -> None:
        """Let the connection go."""
        self.uplink.close()

    def _receipt(self, body: bytes, claim: Claim) -> Receipt:
        try:
            receipt = receipts.parse(body)
        except ValueError as error:
            raise Untrusted(f"what answered for central {error}; it counts for nothing") from None
        if not receipt.holds(self.identity.key):
            raise self._foreign(f"the receipt for {claim.name} is not signed by it")
        if not receipt.answers(claim):
            raise self._foreign(f"its receipt is for something else than {claim.name}")
        return receipt

    def _foreign(self, what: str) -> Untrusted:
        return Untrusted(
            f"what answered is not central '{self.identity.name}': {what}; it counts for nothing: ask the "
            "operator of that central, and look at what stands between"
        )


def _error(answer: Answer, name: str) -> ReplicationError:
    """What an answer without a receipt means for the object."""
    status = answer.status
    if status in _FINAL:
        kind, what = _FINAL[status]
        return kind(f"central {what} ({name}, {status})")
    if status == 429 or 500 <= status <= 599:
        later = Busy(f"central cannot take anything now ({status}); it is tried again later")
        later.retry_after_s = answer.retry_after_s
        return later
    if 300 <= status <= 399:
        return Untrusted(
            f"the answer leads elsewhere ({status}), which no central does; it is not followed: check the "
            "address of central, and what stands between"
        )
    return Untrusted(
        f"the answer {status} is none that a central gives; check its address, and what stands between"
    )
