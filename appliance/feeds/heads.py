"""How the datagrams of a feed begin: what begins otherwise is told from it before anything is made for it."""

from struct import Struct

from appliance.feeds.netflow.headers import read_header
from appliance.model.feeds import FeedKind

_SFLOW = Struct("!II")
_SFLOW_OCTETS = {1: 28, 2: 40}
"""The shortest datagram by the family of the agent's address (sflow.org/sflow_version_5.txt)."""


def has_head(kind: FeedKind, datagram: bytes) -> bool:
    """Whether a decoder of flows would read on after the head; true of every other kind.

    Only flows are decoded by the port they come from, which whoever forges an address draws at will.
    """
    if kind is FeedKind.NETFLOW:
        return read_header(datagram) is not None
    if kind is FeedKind.SFLOW:
        if len(datagram) < _SFLOW.size:
            return False
        version, family = _SFLOW.unpack_from(datagram)
        return version == 5 and len(datagram) >= _SFLOW_OCTETS.get(family, len(datagram) + 1)
    return True
