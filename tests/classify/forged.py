"""Frames of connections that begin with a name, in plain bytes, and a capture file of them."""

import struct
from collections.abc import Sequence
from pathlib import Path

CLIENT, SERVER = bytes((10, 0, 0, 5)), bytes((198, 51, 100, 7))
TCP, UDP = 6, 17


def capture(path: Path, frames: Sequence[bytes]) -> Path:
    """A classic capture of Ethernet frames, a millisecond apart."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)]
    for number, frame in enumerate(frames):
        seconds, thousandths = divmod(number, 1000)
        parts.append(
            struct.pack("<IIII", 1_767_271_200 + seconds, thousandths * 1000, len(frame), len(frame)) + frame
        )
    path.write_bytes(b"".join(parts))
    return path


def ipv4(protocol: int, payload: bytes, source: bytes = CLIENT, destination: bytes = SERVER) -> bytes:
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, source, destination
    )
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0" + header + payload


def segment(payload: bytes, port: int = 40_000, to: int = 443, sequence: int = 1) -> bytes:
    """A TCP segment from the client, with the timestamps that clients send."""
    options = b"\1\1\x08\x0a" + bytes(8)
    return ipv4(
        TCP, struct.pack(">HHIIBBHHH", port, to, sequence, 1, 0x80, 0x18, 500, 0, 0) + options + payload
    )


def datagram(payload: bytes, port: int = 40_000, to: int = 443) -> bytes:
    return ipv4(UDP, struct.pack(">HHHH", port, to, 8 + len(payload), 0) + payload)


def answer(name: str, addresses: Sequence[bytes], kind: int = 1) -> bytes:
    """A name server's answer with an alias before the addresses."""
    asked = labels(name) + struct.pack(">HH", kind, 1)
    alias = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 5) + b"\3cdn\0"
    records = [b"\3cdn\0" + struct.pack(">HHIH", kind, 1, 60, len(each)) + each for each in addresses]
    message = struct.pack(">HHHHHH", 7, 0x8180, 1, 1 + len(records), 0, 0) + asked + alias + b"".join(records)
    header = struct.pack(">HHHH", 53, 50_000, 8 + len(message), 0)
    return ipv4(UDP, header + message, SERVER, CLIENT)


def labels(name: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) + b"\0"


def hello(name: str, before: int = 0) -> bytes:
    """A ClientHello message (RFC 8446 section 4.1.2) with so many octets of key share before the name."""
    encoded = name.encode()
    named = struct.pack(">HHHBH", 0, len(encoded) + 5, len(encoded) + 3, 0, len(encoded)) + encoded
    share = struct.pack(">HH", 51, before) + bytes(before) if before else b""
    extensions = b"\x0a\x0a\0\0" + share + b"\0\x2b\0\3\2\3\4" + named
    body = b"\3\3" + bytes(range(32)) + b"\x20" + bytes(32) + b"\0\4\x13\1\x13\2" + b"\1\0"
    body += struct.pack(">H", len(extensions)) + extensions
    return b"\1" + struct.pack(">I", len(body))[1:] + body


def record(message: bytes) -> bytes:
    """A TLS record around a handshake message."""
    return b"\x16\3\1" + struct.pack(">H", len(message)) + message


def request(name: str) -> bytes:
    return (
        f"GET /page HTTP/1.1\r\nUser-Agent: nobody/1.0 (of no system)\r\nCookie: none\r\nhost:  {name}:80\r\n"
        "Accept: text/html\r\n\r\n"
    ).encode()
