"""What is kept of an HTTP request that brings a report: its signature and its body, as one message.

A message reads like the request itself, `Signature: HEX`, an empty line, the body, so that a request out of a
capture or a file is one too: its other lines say nothing here.
"""

from dataclasses import dataclass

from appliance.model.errors import DecodeError

HEADER = "signature"
"""Where the sender puts the HMAC-SHA256 of the body (CloudTrax Presence Reporting API)."""

LONGEST_BODY_OCTETS = 1 << 20
"""A report of 30 s: about 190 octets a device, so five thousand devices round one access point."""

LONGEST_HEAD_OCTETS = 1 << 14
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """`signature` as it was sent, "" where there was none or more than one."""

    signature: str
    body: bytes


def pack(request: Request) -> bytes:
    """The message of a request; the signature is printable ASCII, as header values are."""
    return f"{HEADER.title()}: {request.signature}".encode("ascii", "replace") + _END_OF_HEAD + request.body


def unpack(message: bytes) -> Request:
    """Raises DecodeError for what has no end of its head, or one out of all bounds."""
    end = message.find(_END_OF_HEAD, 0, LONGEST_HEAD_OCTETS + len(_END_OF_HEAD))
    if end < 0:
        raise DecodeError("what was sent is not the head and body of a request; it was not read")
    lines = message[:end].decode("latin-1").split("\r\n")
    fields = [line.partition(":") for line in lines]
    signed = [value.strip() for name, _, value in fields if name.strip().lower() == HEADER]
    return Request(signed[0] if len(signed) == 1 else "", message[end + len(_END_OF_HEAD) :])
