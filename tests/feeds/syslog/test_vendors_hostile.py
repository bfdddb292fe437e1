"""Vendors' lines that were damaged, repeated or forged: nothing raises or takes long, nothing is invented."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.feeds.syslog.decoder import LONGEST, SyslogDecoder
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.pairs import cef_pairs, pairs, quoted_pairs
from appliance.feeds.syslog.registry import GRAMMARS
from appliance.feeds.told import Messages, Teller, Told
from appliance.model.instants import from_iso
from appliance.model.texts import Texts
from tests.feeds.syslog.reading import tell
from tests.feeds.syslog.test_vendors import FIXTURES, Fixture, decode

LINES = [line for fixture in FIXTURES for line, _ in fixture.lines]
RECEIVED_NS = from_iso("2026-06-30T18:05:00Z")
ENDING_IN_ADDRESSES = ("EVENT_STA_IP", "releases address")
SLOWEST_S = 1.0
"""A line of 16 KiB takes at most 20 ms here; a pattern that tries everything twice would take minutes."""


def outcomes(told: Told) -> int:
    return len(told.flows) + len(told.claims) + len(told.translations) + sum(told.refused.values())


def mutations() -> st.SearchStrategy[bytes]:
    """A line with pieces cut out, doubled, exchanged with another line's, or overwritten by any bytes."""

    def mutated(line: str, other: str, cuts: list[tuple[int, int, int, bytes]]) -> bytes:
        data, donor = line.encode(), other.encode()
        for kind, at, size, junk in cuts:
            at = at % (len(data) + 1)
            piece = data[at : at + size]
            replaced = (b"", piece * 3, donor[at : at + size], junk)[kind]
            data = data[:at] + replaced + data[at + size :]
        return data

    cut = st.tuples(st.integers(0, 3), st.integers(0, 2_000), st.integers(0, 60), st.binary(max_size=12))
    return st.builds(
        mutated, st.sampled_from(LINES), st.sampled_from(LINES), st.lists(cut, min_size=1, max_size=4)
    )


@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations(), st.sampled_from(["", *(grammar.name for grammar in GRAMMARS)]))
def test_a_damaged_line_is_told_or_counted(line: bytes, grammar: str) -> None:
    told = SyslogDecoder(Texts(), "UTC", grammar).decode(Messages(np.array([RECEIVED_NS]), [line]))
    assert outcomes(told) >= 1
    assert outcomes(told) <= 3
    nobody = (told.claims["mac"] == 0) & (told.claims["ip_hi"] == 0) & (told.claims["ip_lo"] == 0)
    assert not nobody.any(), "such a claim is of everybody"


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_a_line_cut_anywhere_is_told_or_counted(fixture: Fixture) -> None:
    for line, _ in fixture.lines:
        data = line.encode()
        for size in range(1, len(data), 7):
            told = tell([data[:size]], RECEIVED_NS, time_zone="UTC")
            assert 1 <= outcomes(told) <= 3, data[:size]


def named(told: Told) -> set[object]:
    """Every address and MAC that rows name."""
    found: set[object] = set()
    for rows in (told.flows, told.claims, told.translations):
        halves = [name.removesuffix("_hi") for name in rows.dtype.names or () if name.endswith("_hi")]
        for name in halves:
            found |= set(zip(rows[f"{name}_hi"].tolist(), rows[f"{name}_lo"].tolist(), strict=True))
        for name in set(rows.dtype.names or ()) & {"mac", "src_mac", "dst_mac", "ap_mac"}:
            found |= set(rows[name].tolist())
    return found - {0, (0, 0)}


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_a_line_cut_anywhere_names_nobody_else(fixture: Fixture) -> None:
    """What is cut out of an address or a MAC is not taken for another, except where a line ends in it."""
    for line, stated in fixture.lines:
        whole = named(decode(fixture, Texts(), line))
        if "refused" in stated or any(sign in line for sign in ENDING_IN_ADDRESSES):
            continue
        for size in range(1, len(line)):
            assert named(decode(fixture, Texts(), line[:size])) <= whole, line[:size]


@pytest.mark.parametrize("grammar", GRAMMARS, ids=lambda grammar: grammar.name)
def test_long_lines_of_one_piece_take_no_long_time(grammar: Grammar) -> None:
    pieces = {word for line in LINES[::3] for word in line.split(" ")[::4] if word}
    pieces |= {"a=", 'a="', "a='", "((((", "[[[[", '{"a":', "aa:bb:", "1.2.3.4->", "User[", "@@2,a,", '"a"="'}
    began = time.perf_counter()
    for piece in sorted(pieces):
        for text in (piece, f"{piece} "):
            long = (text * (LONGEST // len(text) + 1))[:LONGEST]
            started = time.perf_counter()
            grammar.read(Line(RECEIVED_NS, RECEIVED_NS, False, "", "", long), Teller(Texts()))
            assert time.perf_counter() - started < SLOWEST_S, piece
        if time.perf_counter() - began > 1.5:
            break


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (pairs, 'srcip=10.0.0.1 user="bob" srcip=10.0.0.2 x=1'),
        (pairs, "client_mac='aa:bb:cc:dd:ee:01' identity='x' client_mac='aa:bb:cc:dd:ee:02'"),
        (quoted_pairs, '"clientMac"="a","hostname"="x","clientMac"="b"'),
        (cef_pairs, "UNIFIclientHostname=x UNIFIclientMac=a UNIFIclientIp=b UNIFIclientMac=c msg=d"),
    ],
)
def test_a_key_that_was_slipped_in_makes_the_line_unbelievable(
    read: Callable[[str, frozenset[str]], dict[str, str] | None], text: str
) -> None:
    wanted = frozenset({"srcip", "client_mac", "clientMac", "UNIFIclientMac"})
    assert read(text, wanted) is None
    assert read(text, frozenset({"absent"})) == {}


def test_a_device_name_cannot_forge_a_connection() -> None:
    """Keys inside quotes are their text; a CEF name that brings a second MAC is not believed."""
    forged = tell(
        ['date=2026-06-30 time=18:00:00 logid="0000000013" type="traffic" srcip=192.0.2.1 srcport=1'
         ' dstip=192.0.2.2 dstport=2 proto=6 action="close" srcname="x srcip=203.0.113.9 proto=17"'
         ' sentbyte=1 rcvdbyte=1 utmref=0'],
        RECEIVED_NS,
        time_zone="UTC",
    )  # fmt: skip
    assert len(forged.flows) == 1
    assert forged.flows["protocol"].tolist() == [6]
    named = (
        "CEF:0|Ubiquiti|UniFi Network|10.4|400|WiFi Client Connected|1|UNIFIclientHostname=x UNIFIclientMac="
    )
    named += "00:00:5e:00:53:01 UNIFIclientIp=192.0.2.1 UNIFIclientMac=00:00:5e:00:53:02 UNIFIwifiName=a"
    told = tell([f"Jun 30 18:00:00 gw {named}"], RECEIVED_NS, time_zone="UTC")
    assert len(told.claims) == 0
    assert dict(told.refused) == {"bad_message": 1}


@pytest.mark.parametrize("value", ["18446744073709551616", "99999999999999999999", "-1", "1e9", "٣", ""])
def test_numbers_beyond_their_columns_are_not_said(value: str) -> None:
    fields = ("sentbyte", "sentpkt", "rcvdbyte", "srcport", "duration", "eventtime", "transport", "proto")
    for name in fields:
        stated = {"srcip": "192.0.2.1", "dstip": "192.0.2.2", "proto": "6", "rcvdbyte": "1"} | {name: value}
        line = 'logid="0000000013" type="traffic" ' + " ".join(
            f"{key}={said}" for key, said in stated.items()
        )
        assert outcomes(tell([line], RECEIVED_NS, time_zone="UTC")) == 1
