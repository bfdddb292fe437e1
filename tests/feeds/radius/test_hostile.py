"""Whatever comes: no exception, an answer or none for each datagram, and no claim that nobody proved."""

import hashlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.feeds.radius.attributes import Code
from appliance.feeds.radius.decoder import RadiusDecoder
from appliance.feeds.told import Told
from appliance.model.reasons import Refusal
from appliance.model.texts import Texts
from tests.feeds.radius.clients import SECRET, malformed, messages, write_capture
from tests.feeds.radius.forged import INTERIM, RECEIVED_NS, START, request, session

WHOLE = session(
    START,
    (Code.FRAMED_IP_ADDRESS, 0x0A010203),
    (Code.FRAMED_IPV6_PREFIX, bytes.fromhex("004020010db800000001")),
    (Code.FRAMED_INTERFACE_ID, bytes(7) + b"\5"),
    (Code.CLASS, b"class"),
    (Code.VENDOR_SPECIFIC, bytes.fromhex("000039e7050678797a7a")),
    (Code.CHARGEABLE_USER_IDENTITY, b"4711"),
    (Code.EVENT_TIMESTAMP, RECEIVED_NS // 10**9),
)


def signed(datagram: bytes) -> bytes:
    """The same with the length and the authenticator that make it true."""
    head = datagram[:2] + len(datagram).to_bytes(2, "big")
    rest = datagram[20:]
    return head + hashlib.md5(head + bytes(16) + rest + SECRET.encode()).digest() + rest


def decode(*datagrams: bytes) -> Told:
    told = RadiusDecoder(Texts(), SECRET.encode()).decode(messages(datagrams, RECEIVED_NS))
    assert len(told.answers) == len(datagrams)
    return told


def check(told: Told) -> None:
    """One datagram: told, or refused once, and then answered only if it was proven."""
    unproven = sum(told.refused[refusal] for refusal in (Refusal.BAD_MESSAGE, Refusal.BAD_SIGNATURE))
    assert sum(told.refused.values()) <= 1
    assert not (unproven and (told.answers[0] or len(told.claims)))
    assert unproven or told.answers[0]
    assert len(told.claims) <= 40


def test_cut_at_every_octet_it_is_refused() -> None:
    for end in range(len(WHOLE)):
        told = decode(WHOLE[:end])
        assert dict(told.refused) == {Refusal.BAD_MESSAGE: 1}
        check(told)


def test_cut_at_every_octet_and_signed_it_is_read_or_refused() -> None:
    """What fills its length is a request, however much is missing; an attribute over its end is none."""
    for end in range(20, len(WHOLE)):
        check(decode(signed(WHOLE[:end])))


def test_every_octet_changed_is_noticed() -> None:
    for at in range(len(WHOLE)):
        told = decode(WHOLE[:at] + bytes((WHOLE[at] ^ 1,)) + WHOLE[at + 1 :])
        assert len(told.claims) == 0
        assert told.answers[0] == b""
        check(told)


def test_padding_behind_the_stated_length_is_none_of_it() -> None:
    assert decode(WHOLE + b"\0" * 9).answers[0]


def test_a_wrong_message_authenticator_is_a_wrong_signature() -> None:
    told = decode(request((Code.ACCT_STATUS_TYPE, START), (80, bytes(16))))
    assert told.refused == {Refusal.BAD_SIGNATURE: 1}
    for length in (0, 1, 15, 17):
        check(decode(request((Code.ACCT_STATUS_TYPE, START), (80, bytes(length)))))


def test_a_status_server_must_be_signed() -> None:
    """RFC 5997 section 3: its authenticator is random, so only a Message-Authenticator proves it."""
    assert decode(b"\x0c\x01\x00\x14" + bytes(16)).refused == {Refusal.BAD_SIGNATURE: 1}
    assert decode(b"\x0c\x01\x00\x26" + bytes(16) + b"\x50\x12" + bytes(16)).answers == [b""]


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_any_octets(datagram: bytes) -> None:
    check(decode(datagram))


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from([*Code, 80, 33, 1]), st.binary(max_size=60)), max_size=12))
def test_any_attributes_that_are_proven(pairs: list[tuple[int, bytes]]) -> None:
    check(decode(request((Code.ACCT_STATUS_TYPE, INTERIM), *pairs)))


@settings(max_examples=100)
@given(st.data())
def test_a_request_with_octets_changed_and_signed_again(data: st.DataObject) -> None:
    changed = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(20, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    check(decode(signed(bytes(changed))))


def test_what_tshark_calls_malformed_tells_nothing(tmp_path: Path) -> None:
    """Every attribute's length made wrong in turn."""
    at, damaged = 20, []
    while at < len(WHOLE):
        damaged += [signed(WHOLE[: at + 1] + bytes((length,)) + WHOLE[at + 2 :]) for length in (0, 1, 255)]
        at += WHOLE[at + 1]
    write_capture(tmp_path / "damaged.pcap", damaged)
    assert malformed(tmp_path / "damaged.pcap") == len(damaged)
    told = decode(*damaged)
    assert dict(told.refused) == {Refusal.BAD_MESSAGE: len(damaged)}
    assert not len(told.claims)
