"""Requests over HTTP that bring presence reports: one connection, its bytes in and out. h11 reads them.

What may not come in is refused before its body is read: another path or method, more than a report can be,
anything compressed. A request that is whole is a message, and has its answer only when that is durable; until
then the one behind it waits.
"""

import math
from collections import Counter

import h11

from appliance.feeds.cloudtrax import request
from appliance.feeds.cloudtrax.request import Request
from appliance.feeds.cloudtrax.statuses import Status, status_of
from appliance.model.reasons import Refusal

PATH = b"/cloudtrax"

HEAD_S, BODY_S, IDLE_S, LINGER_S = 15.0, 60.0, 300.0, 5.0
"""For the head; from there for the body (1 MiB in a minute is 140 kbit/s); between two requests (reports come
every 30 s or so, at most every five minutes); for a peer to read that it was refused."""

BEHIND_OCTETS = 1 << 17
"""What may have come behind a request that waits for its answer."""

DISCARDED_OCTETS = 1 << 21
"""What is read and thrown away behind a refusal, so that the peer gets to read it."""

PIECES = 8_192
"""Of one body: a chunk of one octet costs as much time as one of sixteen thousand."""

_AGAIN_LATER = (Status.TOO_MANY_REQUESTS, Status.SERVICE_UNAVAILABLE)


class WebConnection:
    """See `conversation.Conversation`. An answer is a status in digits, as `feeds.cloudtrax` gives them."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.closing = False
        self.deadline_s = math.inf
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=request.LONGEST_HEAD_OCTETS)
        self._body = bytearray()
        self._signature = ""
        self._pieces = 0
        self._begun = self._waiting = self._ended = False
        self._discarded: int | None = None
        self._outgoing = b""

    def feed(self, data: bytes, now_s: float) -> list[bytes]:
        """Take what came, b"" when the peer will say no more; the request that is whole now, if any."""
        if self.closing:
            return []
        if self._discarded is not None:
            self._discarded += len(data)
            self.closing = not data or self._discarded > DISCARDED_OCTETS
            return []
        if not data:
            return self._end()
        if not self._begun:
            self._begun, self.deadline_s = True, now_s + HEAD_S
        self._http.receive_data(data)
        if not self._waiting:
            return self._requests(now_s)
        if len(self._http.trailing_data[0]) > BEHIND_OCTETS:
            self.refused[Refusal.TOO_BIG] += 1
            self._ended = True  # nothing more of it is read; the request that waits is answered
        return []

    def answer(self, answer: bytes, now_s: float) -> list[bytes]:
        """Answer the request that waits; the one that came behind it, if that is whole."""
        if not self._waiting:
            return []
        self._waiting = False
        self._say(status_of(answer), now_s)
        if self.closing or self._discarded is not None:
            return []
        self._http.start_next_cycle()
        held = bool(self._http.trailing_data[0])
        self._begun, self.deadline_s = held, now_s + (HEAD_S if held else IDLE_S)
        return self._requests(now_s)

    def outgoing(self) -> bytes:
        """What is to be sent now; it is given once."""
        outgoing, self._outgoing = self._outgoing, b""
        return outgoing

    def _end(self) -> list[bytes]:
        """The peer says no more: what it began and did not finish is cut short."""
        self._ended = True
        if not self._waiting:
            self.closing = True
            if self._begun:
                self.refused[Refusal.CUT_SHORT] += 1
        return []

    def _requests(self, now_s: float) -> list[bytes]:
        """Read on to the end of a request, or of what has come."""
        while self._discarded is None and not self.closing:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(Status(error.error_status_hint), Refusal.BAD_MESSAGE, now_s)
                break
            if isinstance(event, h11.Request):
                self._begin(event, now_s)
            elif isinstance(event, h11.Data):
                self._add(event.data, now_s)
            elif isinstance(event, h11.EndOfMessage):
                return [self._whole()]
            else:
                if self._http.they_are_waiting_for_100_continue:
                    self._send(h11.InformationalResponse(status_code=100, headers=[]))
                break
        return []

    def _begin(self, event: h11.Request, now_s: float) -> None:
        self.deadline_s = now_s + BODY_S
        self._body, self._pieces = bytearray(), 0
        fields = Counter(name for name, _ in event.headers)
        values = dict(event.headers)
        self._signature = values.get(b"signature", b"").decode("latin-1") if fields[b"signature"] == 1 else ""
        path = event.target.partition(b"?")[0]
        if path != PATH and not path.startswith(PATH + b"/"):
            self._refuse(Status.NOT_FOUND, Refusal.NOT_FOR_US, now_s)
        elif event.method != b"POST":
            self._refuse(Status.METHOD_NOT_ALLOWED, Refusal.NOT_FOR_US, now_s)
        elif values.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            self._refuse(Status.UNSUPPORTED_MEDIA_TYPE, Refusal.COMPRESSED, now_s)
        elif values.get(b"expect", b"100-continue").lower() != b"100-continue":
            self._refuse(Status.EXPECTATION_FAILED, Refusal.BAD_MESSAGE, now_s)
        elif int(values.get(b"content-length", b"0")) > request.LONGEST_BODY_OCTETS:
            self._refuse(Status.CONTENT_TOO_LARGE, Refusal.TOO_BIG, now_s)

    def _add(self, data: bytes, now_s: float) -> None:
        self._body += data
        self._pieces += 1
        if len(self._body) > request.LONGEST_BODY_OCTETS or self._pieces > PIECES:
            self._refuse(Status.CONTENT_TOO_LARGE, Refusal.TOO_BIG, now_s)

    def _whole(self) -> bytes:
        self._waiting, self.deadline_s = True, math.inf
        message = request.pack(Request(self._signature, bytes(self._body)))
        self._body = bytearray()
        return message

    def _refuse(self, status: Status, refusal: Refusal, now_s: float) -> None:
        """Say why, and read nothing more of this connection."""
        self.refused[refusal] += 1
        self._body = bytearray()
        self._say(status, now_s)

    def _say(self, status: Status, now_s: float) -> None:
        """Whoever was refused something has to come anew: guessing a secret is not made quick."""
        text = status.phrase + b"\n"
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))]
        if status is not Status.OK:
            headers.append(("Connection", "close"))
        if status in _AGAIN_LATER:
            headers.append(("Retry-After", "30"))
        if status is Status.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "POST"))
        try:
            self._send(h11.Response(status_code=status, headers=headers, reason=status.phrase))
            self._send(h11.Data(data=text))
            self._send(h11.EndOfMessage())
        except h11.LocalProtocolError:
            self.closing = True  # the peer went before it could be told
        if self._http.our_state is h11.DONE and not self._ended:
            return
        # Closed at once while something unread is on its way, the peer would be told of a broken connection.
        is_read = self._http.their_state is not h11.SEND_BODY and not self._http.trailing_data[0]
        self.closing |= self._ended or is_read
        self._discarded, self.deadline_s = 0, now_s + LINGER_S

    def _send(self, event: h11.Event) -> None:
        self._outgoing += self._http.send(event) or b""
