"""gunicorn's logger, which would write down who asked and what went wrong in full, made quiet."""

import logging
import os
import sys
from typing import Any

from gunicorn.glogging import Logger


class QuietLog(Logger):  # type: ignore[misc]
    """Says what a service must say: sentences, and of an unexpected error its kind alone."""

    error_fmt = "%(message)s"
    access_fmt = "%(message)s"

    def sum_up(self, now_s: float) -> None:
        """Asked about once a second, and at the end with infinity: what is to be said of many at once."""

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
