"""Which framing the messages of a kind have in a connection, or in a file that is like one."""

from collections import Counter
from typing import Protocol

from appliance.model.feeds import FeedKind


class Framing(Protocol):
    """Bytes of a connection to whole messages."""

    @property
    def refused(self) -> Counter[str]: ...
    def feed(self, data: bytes) -> list[bytes]: ...
    def rest(self) -> bytes: ...


def framing_of(kind: FeedKind) -> Framing | None:
    """A new framing; None of kinds that are only ever datagrams."""
    match kind:
        case FeedKind.NETFLOW:
            from appliance.feeds.netflow.framing import Framing as Ipfix

            return Ipfix()
        case FeedKind.SYSLOG:
            from appliance.feeds.syslog.framing import Framing as Lines

            return Lines()
        case FeedKind.CLOUDTRAX:
            from appliance.services.feeds.requests import Requests

            return Requests()
    return None
