"""Words of lines to numbers: what can be meant is read, everything else is "not said"."""

import pytest

from appliance.feeds.syslog.grammar import Line
from appliance.feeds.syslog.telling import instant
from appliance.feeds.syslog.words import (
    counter,
    device,
    endpoint,
    held_ip,
    ip,
    port,
    protocol,
    ssid,
    user,
    vlan,
)
from appliance.feeds.told import NOWHERE, Teller
from appliance.model.addresses import ip_halves, mac_number
from appliance.model.instants import DAY_NS, NS, from_iso
from appliance.model.texts import Texts

NOW_NS = from_iso("2026-06-30T18:00:00Z")


@pytest.mark.parametrize(
    ("text", "expected", "number"),
    [
        ("192.0.2.1:443", "192.0.2.1", 443),
        ("[2001:db8::1]:443", "2001:db8::1", 443),
        ("192.0.2.1(80)", "192.0.2.1", 80),
        ("2001:db8::1(80)", "2001:db8::1", 80),
        ("2001:db8::1", "2001:db8::1", -1),
        ("fe80::1%wlan0", "fe80::1", -1),
        ("192.0.2.1", "192.0.2.1", -1),
        ("192.0.2.1:70000", "192.0.2.1", -1),
    ],
)
def test_ends_are_read_in_every_writing(text: str, expected: str, number: int) -> None:
    assert endpoint(text) == (ip_halves(expected), number)


@pytest.mark.parametrize(
    "text", ["", "0.0.0.0", "::", "192.0.2", "192.0.2.1.5", "a", ":", "[", "(", "1:2", "%"]
)
def test_what_is_no_address_is_nowhere(text: str) -> None:
    assert ip(text) == NOWHERE
    assert endpoint(text)[0] == NOWHERE


@pytest.mark.parametrize(
    "text", ["224.0.0.1", "255.255.255.255", "127.0.0.1", "::1", "ff02::1", "0.0.0.0", "x"]
)
def test_what_nobody_can_hold_is_held_by_nobody(text: str) -> None:
    assert held_ip(text) == NOWHERE


def test_numbers_are_plain_digits_within_their_range() -> None:
    assert [counter(text) for text in ("0", "42", "9" * 19)] == [0, 42, 10**19 - 1]
    assert {counter(text) for text in ("", "-1", "1.5", "1e3", "9" * 20, "²", "٣", "0x10")} == {0}
    assert [port(text) for text in ("0", "65535", "65536", "-1", "", "٣", "123456")] == [
        0,
        65535,
        -1,
        -1,
        -1,
        -1,
        -1,
    ]
    assert [vlan(text) for text in ("0", "1", "4094", "4095", "")] == [-1, 1, 4094, -1, -1]
    assert [protocol(text) for text in ("TCP", "6", "ipv6-icmp", "255", "256", "tcpp", "")] == [
        6,
        6,
        58,
        255,
        -1,
        -1,
        -1,
    ]
    assert device("84:18:3a:09:f8:f0") == mac_number("8418.3a09.f8f0")
    assert {device(text) for text in ("ff:ff:ff:ff:ff:ff", "", "R700", "84:18:3a:09:f8")} == {0}


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", "N/A", "unknown", "Unknown", "(null)", "none",
        "host/pc-17.corp.example.com", "https://www.example.com/", "www.example.com", "a\tb", "x" * 254,
        "aa:bb:cc:dd:ee:ff", "AA-BB-CC-DD-EE-FF", "192.0.2.1", "2001:db8::1",
    ],
)  # fmt: skip
def test_what_names_a_site_a_device_or_nothing_is_no_user(text: str) -> None:
    assert user(text) == ""


def test_users_and_networks_are_kept_as_they_are() -> None:
    assert [user(text) for text in ("alice", " bob ", "carol@example.net", "Élodie")] == [
        "alice", "bob", "carol@example.net", "Élodie",
    ]  # fmt: skip
    assert [ssid(text) for text in ("Hôtel", "a" * 32, "a" * 33, "é" * 17, "N/A", "http://x", "a\x00b")] == [
        "Hôtel", "a" * 32, "", "", "", "", "",
    ]  # fmt: skip


def line(received_ns: int, seen_ns: int = NOW_NS, by_receipt: bool = False) -> Line:
    return Line(seen_ns, received_ns, by_receipt, "", "", "")


def test_an_instant_in_the_text_is_believed_as_that_of_a_header() -> None:
    teller = Teller(Texts())
    stated = NOW_NS - 5 * NS
    assert instant(line(NOW_NS), 0, teller) == (NOW_NS, False)
    assert instant(line(NOW_NS), stated, teller) == (stated, False)
    assert instant(line(0), stated, teller) == (stated, False)
    assert dict(teller.noted) == {}
    for wrong in (1 * NS, NOW_NS - 31 * DAY_NS, NOW_NS + 301 * NS):
        assert instant(line(NOW_NS), wrong, teller) == (NOW_NS, True)
    assert dict(teller.noted) == {"device_clock": 3}
