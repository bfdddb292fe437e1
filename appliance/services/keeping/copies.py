"""Replication as last looked at: who asks for a page does not wait while the receipts of a year are read."""

import threading
import time

from appliance.services.keeping.at_hand import AtHand
from appliance.services.replication_status import Looked, Looking

LATEST_S = 15.0
"""What was found so long ago is looked at again before it is told; the keeper's own turns come sooner."""


class _Copies:
    def __init__(self, at: AtHand) -> None:
        self.looking = Looking(at.home(), at.clock)
        self.lock = threading.Lock()
        self.found: Looked | None = None
        self.at = 0.0


def copies(at: AtHand, latest_s: float = LATEST_S) -> Looked:
    """How it stands, at most so many seconds ago, and what cannot be read, in sentences."""
    kept = at.once("copies", lambda: _Copies(at))
    found = kept.found
    if found is not None and time.monotonic() - kept.at < latest_s:
        return found
    with kept.lock:
        if kept.found is None or time.monotonic() - kept.at >= latest_s:
            chain = at.chain()
            kept.found = kept.looking.look(chain.catalogue, chain.version)
            kept.at = time.monotonic()
        return kept.found


def forget(at: AtHand) -> None:
    """Something was changed here that must be seen at once."""
    at.once("copies", lambda: _Copies(at)).at = 0.0
