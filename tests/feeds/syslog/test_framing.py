"""Messages of one stream, however it is cut: RFC 6587, both ways, mixed, and what is neither."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from appliance.feeds.syslog.framing import LIMIT, Framing
from appliance.model.reasons import Refusal

# RFC 6587 section 3.4.1: MSG-LEN SP SYSLOG-MSG; section 3.4.2: a line's end, or NUL.
_MESSAGE = st.binary(max_size=60).map(lambda text: b"<34>" + text)
_LINE = _MESSAGE.map(lambda text: text.translate(None, b"\n\0\r"))
_FRAME = st.one_of(
    _MESSAGE.map(lambda text: (b"%d %b" % (len(text), text), text)),
    _LINE.map(lambda text: (text + b"\n", text)),
    _LINE.map(lambda text: (text + b"\0", text)),
)


@given(st.lists(_FRAME, max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_however_the_stream_is_cut(frames: list[tuple[bytes, bytes]], sizes: list[int]) -> None:
    stream = b"".join(frame for frame, _ in frames)
    framing, messages, at, turn = Framing(), [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        messages += framing.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert messages == [text for _, text in frames]
    assert framing.rest() == b""
    assert not framing.refused


@given(st.lists(st.binary(max_size=200), max_size=12))
def test_no_bytes_raise(blocks: list[bytes]) -> None:
    framing = Framing()
    for block in blocks:
        framing.feed(block)
    framing.rest()


def test_lines_of_several_senders() -> None:
    framing = Framing()
    assert framing.feed(b"<34>a\r\n<34>b\n\n11 <34>\nxyz\n!!\n<34>c") == [
        b"<34>a\r",
        b"<34>b",
        b"<34>\nxyz\n!!",
    ]
    assert framing.rest() == b"<34>c"


def test_what_is_too_long_is_dropped_to_its_end_and_counted() -> None:
    for long, end in ((b"a" * (LIMIT + 70_000), b"\n"), (b"%d <34>" % (LIMIT + 1) + b"a" * (LIMIT - 3), b"")):
        framing = Framing()
        messages = []
        stream = b"<34>first\n" + long + end + b"<34>last\n"
        for at in range(0, len(stream), 4096):
            messages += framing.feed(stream[at : at + 4096])
        assert messages == [b"<34>first", b"<34>last"]
        assert framing.refused == Counter({Refusal.BAD_LENGTH: 1})


def test_a_counted_message_that_never_ended() -> None:
    framing = Framing()
    assert framing.feed(b"100 <34>half") == []
    assert framing.rest() == b""
    assert framing.refused == Counter({Refusal.CUT_SHORT: 1})


def test_octet_by_octet_costs_no_more_than_the_stream() -> None:
    """What an unfinished line has been searched for is not searched again."""
    framing = Framing()
    for _ in range(4000):
        assert framing.feed(b"aaaaaaaaaaaaaaaa") == []
    assert framing.feed(b"\n") == [b"a" * 64_000]
