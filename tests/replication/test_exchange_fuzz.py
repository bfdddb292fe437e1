"""Whatever bytes answer: a status, a short body of the length that was said, or one of three errors."""

import contextlib
import socket
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.replication.connecting import Patience
from appliance.replication.exchange import Answer, Exchange, Request, Silent
from appliance.replication.targets import Unreachable, Untrusted
from tests.replication.made_centrals import ok, status

RECEIPT = b'{"format":"greffier receipt 1","sequence":1}\n'
ANSWERS = [
    ok(RECEIPT),
    b"HTTP/1.1 100 Continue\r\n\r\n" + ok(RECEIPT),
    status(503, "Retry-After: 30"),
    status(307, "Location: https://elsewhere.example/"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
]
PATIENCE = Patience(connect_s=1.0, quiet_s=1.0, answer_s=1.0)


class _Clear(socket.socket):
    """A socket with what an exchange asks of one that encrypts."""

    def pending(self) -> int:
        return 0


def _answered(content: bytes) -> Answer | None:
    """What the box makes of these bytes, after which its peer hangs up."""
    here, there = socket.socketpair()
    with there, _Clear(fileno=here.detach()) as connection:
        there.sendall(content)
        there.shutdown(socket.SHUT_WR)
        exchange = Exchange(cast("object", connection), "central.example", PATIENCE)  # type: ignore[arg-type]
        with contextlib.suppress(Untrusted, Unreachable, Silent):
            return exchange.ask(Request("PUT", "/v1/objects", (), 3), iter([b"abc"]), connection.sendall)
        return None


_EDITS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 12), st.binary(max_size=12)), min_size=1, max_size=4
)


@settings(max_examples=400)
@given(st.sampled_from(ANSWERS), _EDITS)
def test_a_damaged_answer_is_bounded_too(answer: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    """Each edit replaces some bytes somewhere by others."""
    for place, length, other in edits:
        answer = answer[:place] + other + answer[place + length :]
    _check(_answered(answer), answer)


@settings(max_examples=200)
@given(st.binary(max_size=3_000))
def test_noise_is_bounded_too(answer: bytes) -> None:
    _check(_answered(answer), answer)


def _check(found: Answer | None, answer: bytes) -> None:
    if found is None:
        return
    assert 200 <= found.status <= 999
    if found.status == 200:
        assert 0 < len(found.body) <= 1024
        assert found.body in answer
    else:
        assert found.body == b""


def test_the_undamaged_ones_are_read() -> None:
    """Else the tests above could not fail."""
    found = [_answered(answer) for answer in ANSWERS]
    assert [one and (one.status, one.body) for one in found] == [
        (200, RECEIPT),
        (200, RECEIPT),
        (503, b""),
        (307, b""),
        None,
    ]
