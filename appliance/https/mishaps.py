"""What can go wrong with a peer before an application sees a request of it. Pure."""

from enum import StrEnum


class Mishap(StrEnum):
    """Why there was no request, or no answer to it."""

    NO_TLS = "no_tls"
    NOT_HTTP = "not_http"
    TOO_SLOW = "too_slow"
    BROKEN_OFF = "broken_off"
    DEFECT = "defect"
