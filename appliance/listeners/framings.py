"""Which framing the messages of a kind have in a connection, or in a file that is like one."""

from collections import Counter
from typing import Protocol

from appliance.feeds.netflow.framing import Framing as NetflowFraming
from appliance.feeds.syslog.framing import Framing as SyslogFraming
from appliance.model.feeds import FeedKind


class Framing(Protocol):
    """Bytes of a stream, as they come, to whole messages. `refused` counts, by Refusal, what made none."""

    @property
    def refused(self) -> Counter[str]: ...

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came; the messages that are whole now."""
        ...

    def rest(self) -> bytes:
        """The stream ended: what is left over of use, or b""."""
        ...


def framing_of(kind: FeedKind) -> Framing | None:
    """A new framing; None of kinds that are only ever datagrams."""
    match kind:
        case FeedKind.NETFLOW:
            return NetflowFraming()
        case FeedKind.SYSLOG:
            return SyslogFraming()
        case FeedKind.CLOUDTRAX:
            from appliance.listeners.requests import Requests  # and HTTP only where it is used

            return Requests()
    return None
