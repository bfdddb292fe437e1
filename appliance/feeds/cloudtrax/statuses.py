"""HTTP statuses (RFC 9110 section 15, RFC 6585) that a request may be answered with, each with its phrase."""

from enum import IntEnum


class Status(IntEnum):
    """A decoder, which knows no HTTP, gives one as its `digits`."""

    OK = 200
    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    METHOD_NOT_ALLOWED = 405
    CONTENT_TOO_LARGE = 413
    UNSUPPORTED_MEDIA_TYPE = 415
    EXPECTATION_FAILED = 417
    TOO_MANY_REQUESTS = 429
    REQUEST_HEADER_FIELDS_TOO_LARGE = 431
    NOT_IMPLEMENTED = 501
    SERVICE_UNAVAILABLE = 503

    @property
    def digits(self) -> bytes:
        """As decoders give it."""
        return b"%d" % self

    @property
    def phrase(self) -> bytes:
        """As the status line has it."""
        return b"OK" if self is Status.OK else self.name.replace("_", " ").title().encode()


def status_of(digits: bytes) -> Status:
    """The status that was given; what is none is a defect, which the sender need not suffer for."""
    try:
        return Status(int(digits))
    except ValueError:
        return Status.SERVICE_UNAVAILABLE
