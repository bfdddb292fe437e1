"""Datagrams to RADIUS requests that are proven, and their answers. The bytes themselves are pyrad's work.

A request that cannot be proven with the shared secret gets no answer (RFC 2866 section 3). The secret stands
in no text and in no error.
"""

from pyrad.packet import AccountingRequest, AcctPacket, StatusServer

from appliance.model.reasons import Refusal

LONGEST_OCTETS = 4096
"""RFC 2866 section 3; longer than a datagram to the accounting port may be."""

_HEADER_OCTETS = 20


def open_request(datagram: bytes, secret: bytes) -> AcctPacket | Refusal:
    """An Accounting-Request, or a Status-Server (RFC 5997), that whoever knows the secret sent unchanged.

    Octets behind the length that the header states are padding (RFC 2865 section 3).
    """
    if not secret:
        return Refusal.BAD_SIGNATURE
    if not _is_whole(datagram):
        return Refusal.BAD_MESSAGE
    try:
        packet = AcctPacket(packet=datagram, secret=secret)
        is_proven = packet.VerifyAcctRequest()
        # pyrad looks at this one by itself only in a Status-Server (RFC 3579 section 3.2, RFC 5080 2.2.2).
        if packet.message_authenticator and packet.code == AccountingRequest:
            is_proven = is_proven and packet.verify_message_authenticator()
    except Exception:  # noqa: BLE001 - whatever a library makes of hostile bytes must not end the listening
        return Refusal.BAD_MESSAGE
    return packet if is_proven else Refusal.BAD_SIGNATURE


def asks_whether_we_live(packet: AcctPacket) -> bool:
    """Whether it is a Status-Server: it tells nothing, and wants the same answer (RFC 5997 section 3)."""
    return bool(packet.code == StatusServer)


def answer_to(packet: AcctPacket) -> bytes:
    """The Accounting-Response, with every Proxy-State in its order (RFC 2866 section 4.2)."""
    reply: bytes = packet.CreateReply().ReplyPacket()
    return reply


def _is_whole(datagram: bytes) -> bool:
    """Whether it is a request, and its attributes fill it exactly: pyrad cuts one that runs over the end."""
    if len(datagram) < _HEADER_OCTETS or datagram[0] not in (AccountingRequest, StatusServer):
        return False
    end = int.from_bytes(datagram[2:4], "big")
    if not _HEADER_OCTETS <= end <= min(len(datagram), LONGEST_OCTETS):
        return False
    at = _HEADER_OCTETS
    while at + 2 <= end and datagram[at + 1] >= 2:
        at += datagram[at + 1]
    return at == end
