"""Initials of the RFCs' own examples, sealed with the keys printed there, and broken ones."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from appliance.classify.quic import Opener

HELLO = bytes.fromhex(
    "010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c0"
    "00000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d00170018001000070005"
    "04616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d"
    "43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900"
    "320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
)
"""The ClientHello of RFC 9001 appendix A.2 and RFC 9369 appendix A.2, for example.com."""

EXAMPLES = {
    "RFC 9001": {
        "header": "c300000001088394c8f03e5157080000449e00000002",
        "key": "1f369613dd76d5467730efcbe3b1a22d",
        "iv": "fa044b2f42a3fd3b46fb255c",
        "hp": "9f50449e04a0e810283a1e9933adedd2",
        "begins": "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
        "ends": "e221af44860018ab0856972e194cd934",
    },
    "RFC 9369": {
        "header": "d36b3343cf088394c8f03e5157080000449e00000002",
        "key": "8b1a0bc121284290a29e0971b5cd045d",
        "iv": "91f73e2351d8fa91660e909f",
        "hp": "45b95e15235d6f45a6b19cbcb0294ba9",
        "begins": "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
        "ends": "a18b2faa745b6fe189cf772a9f84cbfc",
    },
}


def sealed(example: str, frames: bytes, size: int = 1162) -> bytes:
    """An Initial with these frames under the keys that the RFC prints; nothing of ours makes it."""
    header, key, iv, hp = (bytes.fromhex(EXAMPLES[example][name]) for name in ("header", "key", "iv", "hp"))
    nonce = (int.from_bytes(iv, "big") ^ 2).to_bytes(12, "big")
    payload = AESGCM(key).encrypt(nonce, frames.ljust(size, b"\0"), header)
    mask = Cipher(AES(hp), ECB()).encryptor().update(payload[:16])
    masked = bytearray(header)
    masked[0] ^= mask[0] & 0x0F
    for index in range(4):
        masked[-4 + index] ^= mask[1 + index]
    return bytes(masked) + payload


def crypto(offset: int, data: bytes) -> bytes:
    return b"\x06" + (0x4000 | offset).to_bytes(2, "big") + (0x4000 | len(data)).to_bytes(2, "big") + data


def opened(packet: bytes) -> tuple[bool, dict[int, bytes]]:
    pieces: dict[int, bytes] = {}
    opener = Opener()
    good = opener.crypto(memoryview(packet), lambda offset, piece: pieces.update({offset: bytes(piece)}))
    assert not any(opener._plain)
    return good, pieces


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_of_the_rfc_is_opened(example: str) -> None:
    packet = sealed(example, b"\x06\x00\x40\xf1" + HELLO)
    assert packet.hex().startswith(EXAMPLES[example]["begins"])
    assert packet.hex().endswith(EXAMPLES[example]["ends"])
    assert len(packet) == 1200
    assert opened(packet) == (True, {0: HELLO})


@pytest.mark.parametrize("example", EXAMPLES)
def test_pieces_out_of_order_between_other_frames_are_handed_on(example: str) -> None:
    acknowledgement = bytes((2, 5, 0, 1, 0, 0, 0)) + bytes((3, 5, 0, 0, 0, 1, 2, 3))
    frames = (
        crypto(100, HELLO[100:])
        + b"\x01\0\0"
        + acknowledgement
        + crypto(0, HELLO[:60])
        + crypto(60, HELLO[60:100])
    )
    assert opened(sealed(example, frames)) == (True, {0: HELLO[:60], 60: HELLO[60:100], 100: HELLO[100:]})


def test_what_was_changed_on_the_way_is_not_believed() -> None:
    packet = bytearray(sealed("RFC 9001", crypto(0, HELLO)))
    packet[600] ^= 1
    assert opened(bytes(packet)) == (False, {})


def test_nothing_but_an_initial_of_a_known_version_is_opened() -> None:
    packet = sealed("RFC 9001", crypto(0, HELLO))
    assert opened(b"\xe0" + packet[1:])[0] is False  # a handshake packet
    assert opened(packet[:1] + b"\0\0\0\2" + packet[5:])[0] is False
    assert opened(packet[:5] + b"\xff" + packet[6:])[0] is False


def test_a_packet_cut_anywhere_is_refused() -> None:
    packet = sealed("RFC 9001", crypto(0, HELLO))
    assert not any(opened(packet[:size])[0] for size in range(len(packet)))


@given(st.binary(max_size=400))
def test_whatever_was_sealed_is_read_in_bounds(frames: bytes) -> None:
    good, pieces = opened(sealed("RFC 9001", frames))
    assert good
    assert sum(map(len, pieces.values())) <= 1162


@given(st.binary(max_size=200))
def test_whatever_comes_is_refused_or_opened(tail: bytes) -> None:
    for head in (
        b"",
        b"\xc0\0\0\0\1",
        b"\xd0\x6b\x33\x43\xcf",
        b"\xc0\0\0\0\1\x08" + bytes(8) + b"\0\0\x40\x50",
    ):
        opened(head + tail)
