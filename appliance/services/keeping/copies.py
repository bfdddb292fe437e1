"""Replication as last looked at: a year's receipts are read once, and not for every page."""

import threading
import time

from appliance.services.keeping.at_hand import AtHand
from appliance.services.replication_status import Replication, replication

LOOK_EVERY_S = 5.0

Looked = tuple[Replication | None, list[str]]


class _Copies:
    """What was found, and when."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: Looked | None = None
        self.at = 0.0


def copies(at: AtHand) -> Looked:
    """How it stands, at most some seconds ago, and what is wrong in sentences."""
    kept = at.once("copies", _Copies)
    with kept.lock:
        if kept.found is None or time.monotonic() - kept.at > LOOK_EVERY_S:
            kept.found = replication(at.home(), at.chain().catalogue, at.clock())
            kept.at = time.monotonic()
        return kept.found
