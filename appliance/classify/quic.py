"""QUIC Initial packets opened: their keys stand in the packet itself (RFC 9001 section 5.2, RFC 9369).

Everybody on the path can do this; nothing that was secret is read. It is the one place of the pure rooms
that needs a cipher, and the whole of its use: one packet in, the pieces of its ClientHello out. What it
opens is written into one scratch that is overwritten with zeros before the call returns.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

MOST_FRAMES = 256
"""Frames read in one packet; browsers cut a ClientHello into some dozen, with PING and PADDING between."""

_TAG_BYTES, _SAMPLE_BYTES, _LONGEST_ID = 16, 16, 20
_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO = 0, 1, 2, 3, 6


@dataclass(frozen=True)
class _Version:
    salt: bytes
    type_bits: int  # of the first byte, where they mean Initial
    prefix: bytes  # of the labels


_VERSIONS: Mapping[int, _Version] = {
    0x0000_0001: _Version(bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), 0x00, b"quic"),
    0x6B33_43CF: _Version(bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), 0x10, b"quicv2"),
    # draft-ietf-quic-tls-29 section 5.2: version 1 but for the salt; the last one that was widely deployed.
    0xFF00_001D: _Version(bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"), 0x00, b"quic"),
}

VERSIONS = tuple(_VERSIONS)
"""Versions that can be opened, as they stand in bytes 1 to 4."""


@dataclass(frozen=True)
class _Initial:
    """Where things lie in a datagram that begins with an Initial (RFC 9000 section 17.2.2)."""

    version: _Version
    identifier: bytes  # the destination connection id, from which the keys are made
    number_at: int
    end: int


class Opener:
    """Opens the Initials of clients; holds the scratch."""

    def __init__(self) -> None:
        self._plain = bytearray(1 << 16)

    def crypto(self, datagram: memoryview, take: Callable[[int, memoryview], None]) -> bool:
        """Give each piece of the handshake in a datagram's first packet to `take(offset, piece)`.

        A piece is valid within the call only. False where this is no client's Initial that can be opened.
        """
        initial = _locate(datagram)
        if initial is None:
            return False
        header, key, nonce = _unmask(initial, datagram)
        sealed = datagram[len(header) : initial.end]
        opened = memoryview(self._plain)[: len(sealed) - _TAG_BYTES]
        try:
            AESGCM(key).decrypt_into(nonce, sealed, header, opened)
            _read_frames(opened, take)
        except InvalidTag:
            return False
        except IndexError:  # a frame that the packet's end cuts: what came before it counts
            return True
        finally:
            opened[:] = bytes(len(opened))
        return True


def _locate(datagram: memoryview) -> _Initial | None:
    """The parts of the Initial that a datagram begins with, None where it does not or is cut."""
    try:
        version = _VERSIONS.get(int.from_bytes(datagram[1:5], "big"))
        if version is None or datagram[0] & 0xF0 != 0xC0 | version.type_bits:
            return None
        size = datagram[5]
        if size > _LONGEST_ID:
            return None
        identifier = bytes(datagram[6 : 6 + size])
        at = 6 + size
        at += 1 + datagram[at]  # source connection id
        token, at = _variable(datagram, at)
        length, at = _variable(datagram, at + token)
    except IndexError:
        return None
    if at + length > len(datagram) or length < 4 + _SAMPLE_BYTES:
        return None
    return _Initial(version, identifier, at, at + length)


def _variable(view: memoryview, at: int) -> tuple[int, int]:
    """A variable-length number (RFC 9000 section 16) and where it ends; IndexError where it is cut."""
    size = 1 << (view[at] >> 6)
    if at + size > len(view):
        raise IndexError
    value = int.from_bytes(view[at : at + size], "big")
    return value & (1 << (8 * size - 2)) - 1, at + size


def _unmask(initial: _Initial, datagram: memoryview) -> tuple[bytes, bytes, bytes]:
    """(header without its protection, key, nonce): RFC 9001 sections 5.2 to 5.4."""
    prefix = initial.version.prefix
    common = hmac.digest(initial.version.salt, initial.identifier, "sha256")
    secret = _expand(common, b"client in", 32)
    key, iv = _expand(secret, prefix + b" key", 16), _expand(secret, prefix + b" iv", 12)
    sample = datagram[initial.number_at + 4 : initial.number_at + 4 + _SAMPLE_BYTES]
    cipher = Cipher(AES(_expand(secret, prefix + b" hp", 16)), ECB())  # noqa: S305 - one block, as RFC 9001 says
    mask = cipher.encryptor().update(sample)
    header = bytearray(datagram[: initial.number_at + 4])
    header[0] ^= mask[0] & 0x0F
    size = (header[0] & 0x03) + 1
    del header[initial.number_at + size :]
    for index in range(size):
        header[initial.number_at + index] ^= mask[1 + index]
    number = int.from_bytes(header[initial.number_at :], "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    return bytes(header), key, nonce


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 section 7.1) without context, of at most 32 bytes."""
    text = b"tls13 " + label
    return hmac.digest(secret, bytes((0, size, len(text))) + text + b"\0\x01", "sha256")[:size]


def _read_frames(opened: memoryview, take: Callable[[int, memoryview], None]) -> None:
    """Hand on what CRYPTO frames carry (RFC 9000 section 19); another kind of frame ends it."""
    is_set = np.frombuffer(opened, np.uint8) != _PADDING
    at = 0
    for _ in range(MOST_FRAMES):
        padding = is_set[at:]
        at += int(padding.argmax()) if padding.any() else len(padding)
        if at >= len(opened):
            return
        kind, at = opened[at], at + 1
        if kind in {_ACK, _ACK_ECN}:
            at = _behind_acknowledgement(opened, at, kind)
        elif kind == _CRYPTO:
            offset, at = _variable(opened, at)
            size, at = _variable(opened, at)
            take(offset, opened[at : at + size])
            at += size
        elif kind != _PING:
            return


def _behind_acknowledgement(opened: memoryview, at: int, kind: int) -> int:
    """Where an ACK frame ends (RFC 9000 section 19.3)."""
    _, at = _variable(opened, at)
    _, at = _variable(opened, at)
    ranges, at = _variable(opened, at)
    for _ in range(1 + 2 * min(ranges, MOST_FRAMES) + (3 if kind == _ACK_ECN else 0)):
        _, at = _variable(opened, at)
    return at
