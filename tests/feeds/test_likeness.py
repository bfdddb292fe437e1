"""What a stranger's message looks like, from what the protocols prescribe of its first bytes."""

import struct

import pytest

from appliance.feeds.likeness import likeness


@pytest.mark.parametrize(
    ("beginning", "words"),
    [
        (b"", "too short to tell"),
        (struct.pack(">HHII", 5, 1, 0, 0) + bytes(40), "NetFlow v5"),
        (struct.pack(">HHII", 9, 1, 0, 0) + bytes(40), "NetFlow v9"),
        (struct.pack(">HHII", 10, 400, 0, 0) + bytes(40), "IPFIX"),
        (struct.pack(">III", 5, 1, 0x0A000001) + bytes(40), "sFlow v5"),
        (struct.pack(">BBH", 4, 1, 120) + bytes(16), "RADIUS accounting"),
        (struct.pack(">BBH", 1, 1, 57) + bytes(16), "RADIUS access"),
        (b"<134>1 2026-11-22T03:00:00Z ap hostapd - - - x", "syslog (RFC 5424)"),
        (b"<134>Nov 22 03:00:00 ap hostapd: wlan0: STA", "syslog (RFC 3164)"),
        (b"Nov 22 03:00:00 ap hostapd: wlan0: STA", "lines of text"),
        (b"POST /presence HTTP/1.1\r\nHost: x\r\n", "an HTTP request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"),
        (bytes(range(200, 256)), "not known"),
    ],
)
def test_what_a_message_looks_like(beginning: bytes, words: str) -> None:
    assert likeness(beginning) == words
