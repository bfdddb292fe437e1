"""Requests of boxes over HTTP: a WSGI application. What it answers is a status, and a receipt or nothing.

    PUT /v1/objects       a claim in the header Greffier-Claim, its bytes as body: 200 and the receipt
    GET /v1/identity      who this central is: public
    POST /v1/enrolments   a box that was given a code: 200 and central's confirmation

Nothing else is here: no object is read back, nothing is listed. Every other status has an empty body, and no
answer says why beyond its status, so that nobody learns which sites, names or objects there are.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, BinaryIO, cast

from bottle import Bottle, HTTPResponse, request

from appliance.central import enrolment
from appliance.central.answers import BrokenOff, Refusal, refusal_of
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.central.tallies import Reason, Tallies
from appliance.replication import claims
from appliance.runtime.clock import Clock, now_ns

ENROLMENT_LIMIT_BYTES = 4096
UPLOADS_OF_A_SITE = 8
"""At once in one process: a box sends one after the other, and the threads are there for all."""

SITE = "greffier.site"
"""Where the WSGI environment names the site of a claim, for the access log: it may not be authorised."""

_RETRY_AFTER_S = "30"


def app(central: Central, tallies: Tallies | None = None, clock: Clock = now_ns) -> Bottle:
    """The application of one central that is open; `tallies` counts what it does not take."""
    counted = Tallies() if tallies is None else tallies
    receiver = Receiver(central, clock, at_once=UPLOADS_OF_A_SITE)
    made = Bottle()
    made.catchall = False

    def route(method: str, path: str, answer: Callable[[], HTTPResponse]) -> None:
        made.route(path, method, lambda: _answered(answer, counted))

    route("PUT", "/v1/objects", lambda: _deposit(receiver))
    route("GET", "/v1/identity", lambda: _told(central.identity.render()))
    route("POST", "/v1/enrolments", lambda: _enrol(central, clock))
    made.default_error_handler = lambda error: _elsewhere(error, counted)
    return made


def _answered(answer: Callable[[], HTTPResponse], tallies: Tallies) -> HTTPResponse:
    """The answer, or the status of whatever went wrong: nothing of an error's text leaves."""
    if "HTTP_TRANSFER_ENCODING" in request.environ:  # its end is not known before it has come
        return _refused(Refusal(HTTPStatus.BAD_REQUEST, Reason.MALFORMED), tallies)
    try:
        return answer()
    except Exception as error:  # noqa: BLE001  a defect of ours is a status, too, and is counted as one
        return _refused(refusal_of(error), tallies)


def _deposit(receiver: Receiver) -> HTTPResponse:
    claim = claims.from_header(request.environ.get("HTTP_" + claims.HEADER.upper().replace("-", "_"), ""))
    request.environ[SITE] = claim.site
    if _content_length() != claim.size_bytes:
        raise ValueError("is not as long as its claim says")
    body = cast(BinaryIO, _Body(request.environ["wsgi.input"], claim.size_bytes))
    return _told(receiver.deposit(claim, body).render())


def _enrol(central: Central, clock: Clock) -> HTTPResponse:
    size = _content_length()
    if size > ENROLMENT_LIMIT_BYTES:
        raise ValueError("is larger than any request for enrolment")
    return _told(enrolment.admit(central, _Body(request.environ["wsgi.input"], size).read(), clock()))


def _content_length() -> int:
    text = request.environ.get("CONTENT_LENGTH", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ValueError("does not say how long it is")
    return int(text)


class _Body:
    """The body of a request: exactly as many bytes as it announced. Raises BrokenOff."""

    def __init__(self, stream: Any, size_bytes: int) -> None:
        self._stream = stream
        self._left = size_bytes

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        try:
            piece = bytes(self._stream.read(wanted))
        except Exception as error:  # whatever a server raises for a peer that is gone
            raise BrokenOff("the sender broke off") from error
        if not piece:
            raise BrokenOff("the sender broke off")
        self._left -= len(piece)
        return piece


def _told(content: bytes) -> HTTPResponse:
    return HTTPResponse(content, HTTPStatus.OK, {"Content-Type": "application/json"})


def _refused(refusal: Refusal, tallies: Tallies) -> HTTPResponse:
    tallies.count(refusal.reason)
    answer = HTTPResponse(b"", refusal.status, {"Content-Type": "application/octet-stream"})
    if refusal.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        answer.set_header("Retry-After", _RETRY_AFTER_S)
    return answer


def _elsewhere(error: Any, tallies: Tallies) -> bytes:
    """Another path or method: the status that bottle chose, and nothing of its page."""
    tallies.count(Reason.NOT_FOUND)
    error.set_header("Content-Type", "application/octet-stream")
    return b""
