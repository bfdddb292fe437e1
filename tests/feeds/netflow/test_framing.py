"""IPFIX out of streams and files, in pieces of any size, and behind damage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.feeds.netflow.framing import Framing
from tests.feeds.netflow.forms import a_set, ipfix, record, template

MESSAGES = [ipfix(a_set(2, template(256))), ipfix(a_set(256, record() * 9), sequence=0), ipfix(sequence=9)]
STREAM = b"".join(MESSAGES)


@pytest.mark.parametrize("size", [1, 3, 7, 100, 1000])
def test_pieces_of_any_size(size: int) -> None:
    framing = Framing()
    found = [each for at in range(0, len(STREAM), size) for each in framing.feed(STREAM[at : at + size])]
    assert found == MESSAGES
    assert framing.rest() == b""
    assert not framing.refused


def test_goes_on_behind_a_damaged_place() -> None:
    framing = Framing()
    assert framing.feed(MESSAGES[0] + b"\0\x0a\0\x03damage" * 5 + STREAM) == [MESSAGES[0], *MESSAGES]
    assert framing.refused == {"bad_message": 1}


def test_what_broke_off_is_given_or_counted() -> None:
    framing = Framing()
    assert framing.feed(MESSAGES[0] + MESSAGES[1][:-5]) == [MESSAGES[0]]
    assert framing.rest() == MESSAGES[1][:-5]
    assert framing.feed(MESSAGES[1][:7]) == []
    assert framing.rest() == b""
    assert framing.refused == {"cut_short": 1}


def test_every_truncation_is_bounded() -> None:
    for end in range(len(STREAM)):
        framing = Framing()
        whole = framing.feed(STREAM[:end])
        assert b"".join(whole) + framing.rest() in (STREAM[:end], b"".join(whole))


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_octets(pieces: list[bytes]) -> None:
    framing = Framing()
    total = 0
    for piece in pieces:
        for message in framing.feed(piece):
            assert message[:2] == b"\0\x0a"
            assert int.from_bytes(message[2:4]) == len(message) >= 16
            total += len(message)
    assert total + len(framing.rest()) <= sum(map(len, pieces))
