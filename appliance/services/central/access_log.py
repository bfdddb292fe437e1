"""What central logs of a request: method, status, bytes, milliseconds, site. No address, no path, no header.

    PUT 200 512 bytes 4 ms site 5e9a01c2d3b4a596

The site is the one that a claim names, authorised or not: only a status of 200 says that it was.
"""

import logging
import os
import sys
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from appliance.central.web import SITE

_METHODS = ("PUT", "GET", "POST")


class AccessLog(Logger):  # type: ignore[misc]
    """gunicorn's logger, which would write down who asked and what went wrong in full."""

    error_fmt = "%(message)s"
    access_fmt = "%(message)s"

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """One line for one request."""
        if not self.access_log_enabled:
            return
        method = environ.get("REQUEST_METHOD")
        took_ms = round(request_time.total_seconds() * 1000)
        self.access_log.info(
            "%s %s %d bytes %d ms site %s",
            method if method in _METHODS else "other",
            str(resp.status).split(None, 1)[0],
            getattr(resp, "sent", 0) or 0,
            took_ms,
            str(environ.get(SITE, "-"))[:16],
        )

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """What went wrong, by its kind alone: what a foreign error says may hold an address."""
        if os.environ.get("GREFFIER_DEBUG"):
            super().exception(msg, *args, **kwargs)
            return
        error = sys.exc_info()[0]
        self.error_log.error("greffier: unexpected %s", error.__name__ if error else "error")

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Warnings of gunicorn are about its processes."""
        self.error_log.log(logging.WARNING, "greffier: " + msg, *args, **kwargs)
