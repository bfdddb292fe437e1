"""What central logs of a request: method, status, bytes, milliseconds, site. No address, no path, no header.

    PUT 200 512 bytes 4 ms site 5e9a01c2d3b4a596

The site is the one that a claim names, authorised or not: only a status of 200 says that it was. What
strangers are refused is summed up once a minute, so that who asks a thousand times a second fills no disk:

    refused 61200 with 403, 12 with 404
"""

import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from appliance.central.web import SITE
from appliance.https.quiet_log import QuietLog

SUMMED_S = 60.0
"""How long refusals of strangers are summed up before they are one line."""

_METHODS = ("PUT", "GET", "POST")
_TO_STRANGERS = ("400", "403", "404", "405")
"""What is answered before a claim is found to be an enrolled box's; `central.tallies` says more."""


class AccessLog(QuietLog):
    """One line a request of a box, one a minute of strangers."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self._lock = threading.Lock()
        self._refused: Counter[str] = Counter()
        self._since_s = 0.0

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """One line for one request; a stranger's that is refused waits for `sum_up`."""
        if not self.access_log_enabled:
            return
        status = str(resp.status).split(None, 1)[0]
        if status in _TO_STRANGERS:
            self._count(status)
            return
        method = environ.get("REQUEST_METHOD")
        took_ms = round(request_time.total_seconds() * 1000)
        self.access_log.info(
            "%s %s %d bytes %d ms site %s",
            method if method in _METHODS else "other",
            status,
            getattr(resp, "sent", 0) or 0,
            took_ms,
            str(environ.get(SITE, "-"))[:16],
        )

    def sum_up(self, now_s: float) -> None:
        """One line for what strangers were refused, if a minute of the monotonic clock is over."""
        with self._lock:
            if not self._refused or now_s < self._since_s + SUMMED_S:
                return
            refused, self._refused = self._refused, Counter()
        told = ", ".join(f"{number} with {status}" for status, number in sorted(refused.items()))
        self.access_log.info("refused %s", told)

    def _count(self, status: str) -> None:
        with self._lock:
            if not self._refused:
                self._since_s = time.monotonic()
            self._refused[status] += 1
