"""Headers: the examples of the RFCs, rsyslog's own parser tests, and instants without year or zone."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.feeds.syslog.decoder import LONGEST, SyslogDecoder
from appliance.feeds.syslog.header import Header
from appliance.feeds.told import Messages
from appliance.model.instants import from_iso, to_iso
from appliance.model.texts import Texts

NOW = "2026-11-22T03:00:00Z"

# RFC 3164 section 5.4 and RFC 5424 section 6.5, and how rsyslog reads them and others (its tests/testsuites,
# *.parse1; GPL-3.0-or-later and Apache-2.0): line, instant (UTC, the device in UTC), host, program, text.
SPECIFIED = [
    (
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        "2026-10-11T22:14:15", "mymachine", "su", "'su root' failed for lonvick on /dev/pts/8",
    ),
    ("Use the BFG!", "", "", "", "Use the BFG!"),
    ("<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", "2026-02-05T17:32:18", "10.0.0.99", "", "Use the BFG!"),
    (
        "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.",
        "1987-08-24T11:34:00", "mymachine", "myproc", "%% It's time to make the do-nuts.",
    ),
    (
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed",
        "2003-10-11T22:14:15.003", "mymachine.example.com", "su", "'su root' failed",
    ),
    (
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
        "2003-08-24T12:14:15.000003", "192.0.2.1", "myproc", "%% It's time to make the do-nuts.",
    ),
    (
        '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" '
        'eventSource="Application" eventID="1011"] \ufeffAn application event log entry...',
        "2003-10-11T22:14:15.003", "mymachine.example.com", "evntslog", "An application event log entry...",
    ),
    ("<34>1 - - - - - - text", "", "", "", "text"),
    (
        "<167>Mar  6 16:57:54 172.20.245.8 %PIX-7-710005: UDP request discarded",
        "2026-03-06T16:57:54", "172.20.245.8", "", "%PIX-7-710005: UDP request discarded",
    ),
    (
        "<38>Mar 27 19:06:53 source_server sshd(pam_unix)[12750]: session opened for user foo by (uid=0)",
        "2026-03-27T19:06:53", "source_server", "sshd(pam_unix)", "session opened for user foo by (uid=0)",
    ),
    ("<38> Mar  7 19:06:53 example tag: test", "2026-03-07T19:06:53", "example", "tag", "test"),
    ("<38>Mar 7 19:06:53 example tag: test", "2026-03-07T19:06:53", "example", "tag", "test"),
    ("<38>Mar 7 2008 19:06:53 example tag: test", "2008-03-07T19:06:53", "example", "tag", "test"),
    (
        "<29>Oct 16 20:47:24 example-p exam-pl[12345]: connect host= /192.0.2.1",
        "2026-10-16T20:47:24", "example-p", "exam-pl", "connect host= /192.0.2.1",
    ),
    ("<14>2010-08-30T23:00:05Z X4711 text", "2010-08-30T23:00:05", "X4711", "", "text"),
    ("<14>Aug 30 23:00:05", "2026-08-30T23:00:05", "", "", ""),
]  # fmt: skip

# Forms that devices' documentation shows.
DEVIATING = [
    ("<189>29: *Mar  1 18:46:11.123: %SYS-5-C: x", "2026-03-01T18:46:11.123", "", "", "%SYS-5-C: x"),
    ("<187>0123: r: Feb 20 2024 12:34:56.78 CET: %A-3-B: x", "2024-02-20T11:34:56.78", "", "", "%A-3-B: x"),
    ("<134>wlc: *dot1x_1: Jan 27 10:32:44.1: %APF-6-X: y", "2026-01-27T10:32:44.1", "", "", "%APF-6-X: y"),
    ("<166>May 01 2024 12:34:56 asa : %ASA-6-3: x", "2024-05-01T12:34:56", "asa", "", "%ASA-6-3: x"),
    (
        "Sun Nov 22 02:59:00 2026 daemon.info hostapd: phy0-ap0: x",
        "2026-11-22T02:59:00", "", "hostapd", "phy0-ap0: x",
    ),
    ("1700000000.123456: 1700000000.123460: wlan0: x", "2023-11-14T22:13:20.123456", "", "wlan0", "x"),
    ("[1700000000.123456]\t    [NEW] tcp", "2023-11-14T22:13:20.123456", "", "", "[NEW] tcp"),
    ("2023-01-02 12:00:00.123 INFO  [kea] x", "2023-01-02T12:00:00.123", "", "", "[kea] x"),
    ("2018-01-06 01:02:03 CET Address: x", "2018-01-06T00:02:03", "", "", "Address: x"),
    ("2026-11-22T03:00:00,5+0130 host kernel: x", "2026-11-22T01:30:00.5", "host", "kernel", "x"),
    ('date=2024-01-01 time=12:00:00 tz="+0200" x=1', "2024-01-01T10:00:00", "", "", "date=2024"),
    ("<134>1 1374986400.038687615 MX84 flows x", "2013-07-28T04:40:00.038687615", "MX84", "", "flows x"),
    (
        "CEF:0|Ubiquiti|UniFi|10|400|C|1|UNIFIclientIp=10.0.0.7 UNIFIutcTime=2026-06-03T14:30:31.271Z msg=x",
        "2026-06-03T14:30:31.271", "", "", "CEF:0|Ubiquiti|UniFi|10|400|C|1|UNIFIclientIp=10.0.0.7 UNIFI",
    ),
    ("<14>CEF:0|Ubiquiti|U|1|4|| UNIFIutcTime=2026-06-03T14:30:31Z", "2026-06-03T14:30:31", "", "", "CEF:0"),
    (
        "CEF:0|Ubiquiti|U|1|4|C|1|x= UNIFIutcTime=2026-01-01T00:00:00Z UNIFIutcTime=2026-06-03T14:30:31Z",
        "", "", "", "CEF:0|Ubiquiti",
    ),
    ("dhcp,info dhcp1 assigned", "", "", "", "dhcp,info dhcp1 assigned"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "instant", "host", "program", "text"), SPECIFIED + DEVIATING)
def test_headers(line: str, instant: str, host: str, program: str, text: str) -> None:
    head = Header("UTC").read(line, from_iso(NOW))
    assert head.stated_ns == (from_iso(f"{instant}Z") if instant else 0)
    assert (head.host, head.program) == (host, program)
    assert head.text.startswith(text)


@pytest.mark.parametrize(
    "line",
    [
        '<30>Nov 22 02:00:00 ("U7PG2,788a20aabbcc,v4.0.42.10433") hostapd: ath0: x',
        "<30>Nov 22 02:00:00 U7PG2,788a20aabbcc,v4.0.42.10433: hostapd: ath0: x",
        "<14>Nov 22 02:00:00 AP 788a20aabbcc,UAP-AC-Pro-6.0.21+14101: hostapd[12]: ath0: x",
    ],
)
def test_an_access_point_names_itself(line: str) -> None:
    head = Header("UTC").read(line, from_iso(NOW))
    assert (head.program, head.text, head.ap_mac) == ("hostapd", "ath0: x", 0x788A20AABBCC)


@pytest.mark.parametrize(
    ("line", "reference", "instant"),
    [
        # Written before midnight in Paris, received after it, and the other way round.
        ("Dec 31 23:59:58 h p: x", "2026-12-31T23:00:05Z", "2026-12-31T22:59:58"),
        ("Jan  1 00:00:03 h p: x", "2026-12-31T22:59:59Z", "2026-12-31T23:00:03"),
        ("Jan  1 00:30:00 h p: x", "2026-12-31T23:30:00Z", "2026-12-31T23:30:00"),
        ("Dec 31 23:59:58 h p: x", "2027-01-05T00:00:00Z", "2026-12-31T22:59:58"),
        # In a file nothing was written after its last change, and a 29th of February was in a leap year.
        ("Nov 23 12:00:00 h p: x", "2026-03-01T00:00:00Z", "2025-11-23T11:00:00"),
        ("Feb 29 12:00:00 h p: x", "2026-03-01T00:00:00Z", "2024-02-29T11:00:00"),
        # Summer time.
        ("Jul  1 12:00:00 h p: x", "2026-07-01T10:00:00Z", "2026-07-01T10:00:00"),
        # An hour that comes twice: whichever is near the receipt.
        ("Oct 25 02:30:00 h p: x", "2026-10-25T00:30:01Z", "2026-10-25T00:30:00"),
        ("Oct 25 02:30:00 h p: x", "2026-10-25T01:30:01Z", "2026-10-25T01:30:00"),
        # A zone that is named decides.
        ("Oct 25 2026 02:30:00.000 CET: %A-1-B: x", "2026-10-25T00:30:01Z", "2026-10-25T01:30:00"),
        # Instants that are none.
        ("Feb 30 12:00:00 h p: x", "2026-03-01T00:00:00Z", ""),
        ("Nov 22 25:00:00 h p: x", "2026-11-22T00:00:00Z", ""),
        ("2026-13-01T00:00:00Z h p: x", "2026-11-22T00:00:00Z", ""),
    ],
)
def test_local_time(line: str, reference: str, instant: str) -> None:
    stated = Header("Europe/Paris").read(line, from_iso(reference)).stated_ns
    assert (to_iso(stated)[:19] if stated else "") == instant


def test_a_file_through_the_hour_that_comes_twice() -> None:
    """Judged by Python's own calendar: every ten minutes from before to after the change of clocks."""
    header, zone = Header("Europe/Paris"), ZoneInfo("Europe/Paris")
    start = dt.datetime(2026, 10, 24, 22, 0, tzinfo=dt.UTC)
    for step in range(40):
        moment = start + dt.timedelta(minutes=10 * step)
        line = f"{moment.astimezone(zone):%b %d %H:%M:%S} h p: x"
        assert header.read(line, from_iso(NOW)).stated_ns == int(moment.timestamp()) * 10**9


@given(st.binary(max_size=300), st.sampled_from([0, from_iso(NOW)]))
@example(b"<34>1 2003-10-11T22:14:15.003Z h a - - [" + b'a="' * 60, 0)
@example(b"<" * 300, 0)
@example(b"Feb 29 23:59:60 h " + b"a[" * 90, from_iso(NOW))
@example(b"0001-01-01T00:00:00+23:59 h p: x", 0)
@example(b"9999-12-31T23:59:59-23:59 h p: x", 0)
@example(b"9795319080.166582: wlan0: x", from_iso(NOW))
@example(
    b"[8999999999.999999] [DESTROY] udp 17 src=1.1.1.1 dst=2.2.2.2 src=2.2.2.2 dst=1.1.1.1 delta=9999999999",
    0,
)
@example(
    b"[1] [DESTROY] udp 17 src=1.1.1.1 dst=2.2.2.2 src=2.2.2.2 dst=1.1.1.1 delta=9999999999", from_iso(NOW)
)
@example(
    b"2261-12-31T23:59:59Z h dhcpd: Reply NA: address fd00::1 to client with duid "
    b"00:03:00:01:a4:bb:cc:dd:ee:ff iaid = 1 valid for 4294967294 seconds",
    0,
)
@example(
    b"h dhcpd: Reply NA: address fd00::1 to client with duid 00:03:00:01:a4:bb:cc:dd:ee:ff iaid = 1 "
    b"valid for 9999999999 seconds",
    from_iso(NOW),
)
@example("<34>Oct 11 ٢٢:١٤:15 h p: x".encode(), 0)
def test_no_bytes_raise(payload: bytes, received_ns: int) -> None:
    _decode(payload, received_ns)


_PIECES = st.sampled_from(
    [b"<34>", b"1 ", b"2003-10-11T22:14:15.003Z ", b"Oct 11 22:14:15 ", b"h ", b"p[1]: ", b"- ", b'[a b="c"]',
     b"kernel: IN=a OUT=b MAC= SRC=10.0.0.1 DST=1.2.3.4 LEN=60 PROTO=TCP SPT=1 DPT=2 ", b"\0", b"\n", b"\xff",
     b"hostapd: wlan0: STA aa:bb:cc:dd:ee:ff IEEE 802.11: associated", b"dnsmasq-dhcp: DHCPACK(b) 10.0.0.1 ",
     b"a4:bb:cc:dd:ee:ff", b"[DESTROY] tcp 6 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=99999 ",
     b"99999999999999999999",
     b"src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 packets=1 bytes=99999999999999999999 ", b"*Mar  1 00:00:01: ",
     b"[NEW] ORIG: SRC=1.1.1.1 DST=2.2.2.2 PROTO=TCP SPT=1 DPT=2 PKTS=1 BYTES=1 , REPLY: SRC=2.2.2.2 "]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=12).map(b"".join), st.sampled_from([0, from_iso(NOW)]))
def test_no_pieces_of_lines_raise(payload: bytes, received_ns: int) -> None:
    _decode(payload, received_ns)


def _decode(payload: bytes, received_ns: int) -> None:
    decoder = SyslogDecoder(Texts(), "Europe/Paris", reference=lambda: from_iso(NOW))
    told = decoder.decode(
        Messages(np.array([received_ns, received_ns]), [payload, b"<34>Oct 11 22:14:15 h p: x"])
    )
    rows = len(told.flows) + len(told.claims) + len(told.translations)
    assert rows + sum(told.refused.values()) >= 2


def test_what_is_odd_is_counted() -> None:
    payloads = {
        b"": "empty", b"\0\0\n": "empty", b"a" * (LONGEST + 1): "bad_length", b"a" * 65_536: "bad_length",
        b"kernel: x": "undated", b"Nov 22 01:00:00 h p: x": "not_understood",
    }  # fmt: skip
    for payload, why in payloads.items():
        decoder = SyslogDecoder(Texts(), "Europe/Paris", reference=lambda: from_iso(NOW))
        told = decoder.decode(Messages(np.array([0]), [payload]))
        assert dict(told.refused) == {why: 1}


def test_what_is_read_in_spite_of_it_is_noted() -> None:
    ack = b"Nov 22 01:00:00 h dnsmasq-dhcp[1]: DHCPACK(lan) 10.0.0.1 a4:bb:cc:dd:ee:ff "
    for payload, note in (
        (ack + b"caf\xe9", "not_utf8"),
        (
            ack + b"\nNov 22 01:00:00 h dnsmasq-dhcp[1]: DHCPACK(lan) 10.0.0.2 a4:bb:cc:dd:ee:ff",
            "further_lines",
        ),
        (ack.replace(b"Nov 22", b"Mar 22"), "device_clock"),
    ):
        told = SyslogDecoder(Texts(), "Europe/Paris").decode(Messages(np.array([from_iso(NOW)]), [payload]))
        assert dict(told.noted) == {note: 1}
        assert len(told.claims) == 1
        if note == "device_clock":
            assert told.claims["seen"].tolist() == [from_iso(NOW)]
    told = SyslogDecoder(Texts(), "Europe/Paris").decode(
        Messages(np.array([from_iso(NOW)]), [b"\xef\xbb\xbf" + ack])
    )
    assert len(told.claims) == 1
