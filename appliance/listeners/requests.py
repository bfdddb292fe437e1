"""Requests of one HTTP connection out of a file or a capture, framed like any other stream."""

from collections import Counter

from appliance.feeds.cloudtrax.statuses import Status
from appliance.listeners.web import WebConnection


class Requests:
    """Whole requests, in the form that decoders take; each is taken to have been answered."""

    def __init__(self) -> None:
        self._web = WebConnection()

    @property
    def refused(self) -> Counter[str]:
        """Requests that were none, by Refusal."""
        return self._web.refused

    def feed(self, data: bytes) -> list[bytes]:
        """The requests that are whole now."""
        found: list[bytes] = []
        requests = self._web.feed(data, 0.0) if data else []
        while requests:
            found += requests
            requests = self._web.answer(Status.OK.digits, 0.0)
        return found

    def rest(self) -> bytes:
        """Nothing: a request that broke off says nothing that could be verified."""
        self._web.feed(b"", 0.0)
        return b""
