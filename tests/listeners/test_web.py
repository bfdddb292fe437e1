"""HTTP as it comes: in pieces, one behind another, too large, compressed, slow."""

import math
from http.client import HTTPResponse
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.feeds.cloudtrax.request import LONGEST_BODY_OCTETS, Request, unpack
from appliance.listeners import web
from appliance.listeners.web import WebConnection
from appliance.model.reasons import Refusal

BODY = b'{"probe_requests": []}'


def head(
    length: int | None = len(BODY), path: str = "/cloudtrax", method: str = "POST", more: str = ""
) -> bytes:
    size = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: box\r\nSignature: 0a1b\r\n{size}{more}\r\n".encode()


WHOLE = head() + BODY


class Said(BytesIO):
    """Octets that http.client reads as if they came from a socket."""

    def makefile(self, mode: str) -> "Said":
        return self


def statuses(octets: bytes) -> list[int]:
    """The statuses of the responses that these octets are, as http.client reads them."""
    said, found = Said(octets), []
    while said.tell() < len(octets):
        response = HTTPResponse(said, method="POST")  # type: ignore[arg-type]
        said.close = lambda: None  # type: ignore[method-assign]
        response.begin()
        response.read()
        found.append(response.status)
    return found


def refusal(sent: bytes) -> tuple[list[int], dict[str, int]]:
    """(statuses said, what was counted) of octets that must make no message."""
    connection = WebConnection()
    assert connection.feed(sent, 0) == []
    assert connection.feed(b"", 0) == []
    assert connection.closing
    return statuses(connection.outgoing()), dict(connection.refused)


def test_a_request_is_a_message_and_has_its_answer_when_it_is_given() -> None:
    connection = WebConnection()
    (message,) = connection.feed(WHOLE, 0)
    assert unpack(message) == Request("0a1b", BODY)
    assert connection.outgoing() == b""
    assert connection.deadline_s == math.inf
    assert connection.answer(b"200", 5) == []
    assert statuses(connection.outgoing()) == [200]
    assert not connection.closing
    assert connection.deadline_s == 5 + web.IDLE_S
    assert len(connection.feed(WHOLE, 9)) == 1


def test_octet_by_octet_it_is_the_same() -> None:
    connection = WebConnection()
    messages = [message for octet in WHOLE for message in connection.feed(bytes((octet,)), 0)]
    assert [unpack(message) for message in messages] == [Request("0a1b", BODY)]


def test_requests_behind_one_that_waits_wait_too() -> None:
    connection = WebConnection()
    others = [WHOLE.replace(b"0a1b", b"%04d" % number) for number in range(5)]
    found = connection.feed(b"".join(others), 0)
    for number in range(5):
        assert [unpack(message).signature for message in found] == [f"{number:04d}"]
        assert connection.outgoing() == b""
        found = connection.answer(b"200", 0)
        assert statuses(connection.outgoing()) == [200]
    assert found == []


def test_chunks_are_put_together() -> None:
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:5], BODY[5:])) + b"0\r\n\r\n"
    (message,) = WebConnection().feed(head(None, more="Transfer-Encoding: chunked\r\n") + chunked, 0)
    assert unpack(message).body == BODY


@pytest.mark.parametrize("answer", [b"400", b"401", b"403", b"413", b"429", b"503", b"", b"999", b"-1"])
def test_whoever_is_refused_has_to_come_anew(answer: bytes) -> None:
    connection = WebConnection()
    connection.feed(WHOLE, 0)
    connection.answer(answer, 0)
    said = connection.outgoing()
    assert statuses(said) == [
        int(answer) if answer in (b"400", b"401", b"403", b"413", b"429", b"503") else 503
    ]
    assert b"connection: close" in said.lower()
    assert connection.closing
    assert connection.feed(WHOLE, 0) == []


@pytest.mark.parametrize(
    ("sent", "status", "counted"),
    [
        (head(path="/"), 404, Refusal.NOT_FOR_US),
        (head(path="/cloudtraxx"), 404, Refusal.NOT_FOR_US),
        (head(method="PUT"), 405, Refusal.NOT_FOR_US),
        (head(None, method="GET"), 405, Refusal.NOT_FOR_US),
        (head(more="Content-Encoding: gzip\r\n"), 415, Refusal.COMPRESSED),
        (head(more="Content-Encoding: deflate, br\r\n"), 415, Refusal.COMPRESSED),
        (head(LONGEST_BODY_OCTETS + 1), 413, Refusal.TOO_BIG),
        (head(10**19), 413, Refusal.TOO_BIG),
        (head(more="Expect: the unexpected\r\n"), 417, Refusal.BAD_MESSAGE),
        (head(more="Expect: 100-continue\r\nContent-Encoding: gzip\r\n"), 415, Refusal.COMPRESSED),
        (head(more="Transfer-Encoding: gzip, chunked\r\n"), 501, Refusal.BAD_MESSAGE),
        (head(more="Content-Length: 3\r\n"), 400, Refusal.BAD_MESSAGE),
        (head(-1), 400, Refusal.BAD_MESSAGE),
        (b"\x16\x03\x01\x02\x00\x01" + bytes(500), 400, Refusal.BAD_MESSAGE),
        (b"GET / HTTP/0.9\r\n\r\n", 404, Refusal.NOT_FOR_US),
        (b"POST /cloudtrax HTTP/1.1\r\n\r\n", 400, Refusal.BAD_MESSAGE),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, Refusal.NOT_FOR_US),
        (head(more="X: " + "y" * 20_000)[:-2], 431, Refusal.BAD_MESSAGE),
        (head(None, more="Transfer-Encoding: chunked\r\n") + b"zz\r\n", 400, Refusal.BAD_MESSAGE),
    ],
)
def test_what_may_not_come_in_is_refused_before_its_body(sent: bytes, status: int, counted: Refusal) -> None:
    assert refusal(sent) == ([status], {counted: 1})


def test_a_body_cut_short_is_counted_and_an_idle_end_is_not() -> None:
    for end in range(1, len(WHOLE)):
        assert refusal(WHOLE[:end]) == ([], {Refusal.CUT_SHORT: 1})
    assert refusal(b"") == ([], {})


def test_a_chunked_body_is_bounded_in_octets_and_in_pieces() -> None:
    chunked = head(None, more="Transfer-Encoding: chunked\r\n")
    connection = WebConnection()
    connection.feed(chunked, 0)
    large = b"10000\r\n" + bytes(65536) + b"\r\n"
    for _ in range(LONGEST_BODY_OCTETS // 65536):
        connection.feed(large, 0)
    assert not connection.refused
    connection.feed(large, 0)
    assert connection.refused == {Refusal.TOO_BIG: 1}
    assert statuses(connection.outgoing()) == [413]
    connection = WebConnection()
    connection.feed(chunked + b"1\r\nx\r\n" * (web.PIECES + 1), 0)
    assert connection.refused == {Refusal.TOO_BIG: 1}


def test_behind_a_refusal_only_so_much_is_read_and_nothing_is_kept() -> None:
    connection = WebConnection()
    connection.feed(head(path="/") + BODY, 7)
    assert connection.deadline_s == 7 + web.LINGER_S
    for _ in range(web.DISCARDED_OCTETS // 65536 + 1):
        assert not connection.closing
        assert connection.feed(bytes(65536), 8) == []
    assert connection.closing


def test_who_floods_behind_a_request_that_waits_is_cut_off_after_its_answer() -> None:
    connection = WebConnection()
    connection.feed(WHOLE, 0)
    for _ in range(3):
        assert connection.feed(bytes(65536), 0) == []
    assert connection.refused == {Refusal.TOO_BIG: 1}
    connection.answer(b"200", 0)
    assert statuses(connection.outgoing())[0] == 200
    assert connection.closing


def test_the_slow_have_a_deadline() -> None:
    connection = WebConnection()
    for second, octet in enumerate(WHOLE[:10]):
        connection.feed(bytes((octet,)), 100 + second)
        assert connection.deadline_s == 100 + web.HEAD_S
    connection.feed(WHOLE[10:-5], 110)
    assert connection.deadline_s == 110 + web.BODY_S
    connection.feed(WHOLE[-5:-4], 150)
    assert connection.deadline_s == 110 + web.BODY_S
    connection.feed(WHOLE[-4:] + WHOLE[:3], 151)
    connection.answer(b"200", 152)
    assert connection.deadline_s == 152 + web.HEAD_S


def test_expect_is_answered_once_and_only_where_the_body_may_come() -> None:
    connection = WebConnection()
    connection.feed(head(more="Expect: 100-continue\r\n"), 0)
    assert connection.outgoing().startswith(b"HTTP/1.1 100 ")
    assert len(connection.feed(BODY, 0)) == 1
    assert connection.outgoing() == b""


PIECES_OF_REQUESTS = (
    b"POST /cloudtrax HTTP/1.1\r\n", b"Host: b\r\n", b"Signature: 1\r\n", b"Content-Length: 5\r\n", b"\r\n",
    b"hello", b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"GET / HTTP/1.0\r\n",
    b"\0", b"Expect: 100-continue\r\n", WHOLE,
)  # fmt: skip
PUT_TOGETHER = st.lists(st.sampled_from(PIECES_OF_REQUESTS), max_size=14).map(b"".join)


@settings(max_examples=300)
@given(st.binary(max_size=400) | PUT_TOGETHER, st.integers(1, 50))
def test_any_octets_in_any_pieces(sent: bytes, size: int) -> None:
    """No exception, one answer for each message, and an end."""
    connection, messages = WebConnection(), 0
    for at in range(0, len(sent), size):
        found = connection.feed(sent[at : at + size], 0)
        while found:
            assert len(found) == 1
            messages += 1
            assert messages <= len(sent)
            found = connection.answer(b"200", 0)
    connection.feed(b"", 0)
    assert connection.closing
    said = [status for status in statuses(connection.outgoing()) if status != 100]
    assert said.count(200) == messages
    assert len(said) - messages <= 1
