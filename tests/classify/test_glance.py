"""Connections by what they begin with, by the peer's address, by their ports: in this order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.capture.files import CaptureFile
from appliance.classify import glance, initials
from appliance.classify.categories import Category
from appliance.classify.glance import MULTIPLIERS, Categories
from appliance.classify.keys import Keys, packet_sides, row_sides
from appliance.classify.memory import WAYS, Memory
from appliance.flows.meter import MULTIPLIERS as METERS
from appliance.flows.meter import Meter
from appliance.flows.table import Limits
from appliance.model.networks import Networks
from appliance.wire.decode import Decoder
from tests.classify import forged
from tests.classify.reading import ROOT, SECRETS, TABLES, row_of
from tests.classify.test_quic import HELLO, crypto, sealed

CLIENT, SERVER = "10.0.0.5", "198.51.100.7"


def glanced(path: Path, *frames: bytes) -> Categories:
    categories = Categories(SECRETS, TABLES)
    with CaptureFile(forged.capture(path / "forged.pcap", frames)) as file:
        for batch in file:
            for packets in Decoder().decode(batch).packets:
                categories.glance(packets)
    return categories


def category(
    categories: Categories, port: int, to: int = 443, protocol: int = 6, peer: str = SERVER
) -> Category:
    return Category(int(categories.of(row_of(protocol, (CLIENT, port), (peer, to)))[0]))


def test_a_connection_is_what_its_name_says_and_an_unknown_name_is_the_web(tmp_path: Path) -> None:
    frames = [
        forged.segment(forged.record(forged.hello("occ-0-1.nflxvideo.net")), port=1),
        forged.segment(forged.record(forged.hello("www.example.org")), port=2),
        forged.segment(forged.request("AU.Download.WindowsUpdate.COM"), port=3, to=80),
        forged.segment(forged.request("www.example.org"), port=4, to=80),
        forged.segment(forged.record(forged.hello("notnflxvideo.net")), port=5),
        forged.segment(forged.record(forged.hello("nflxvideo.net.example.org")), port=6),
    ]
    categories = glanced(tmp_path, *frames)
    expected = [Category.VIDEO, Category.TLS_WEB, Category.UPDATE_STORE, Category.WEB]
    expected += [Category.TLS_WEB, Category.TLS_WEB]
    ports = [443, 443, 80, 80, 443, 443]
    assert [category(categories, port, to) for port, to in enumerate(ports, 1)] == expected
    assert category(categories, 99) == Category.TLS_WEB  # never glanced at


def test_the_longest_suffix_counts(tmp_path: Path) -> None:
    frames = [
        forged.segment(forged.record(forged.hello("music.youtube.com")), port=1),
        forged.segment(forged.record(forged.hello("m.youtube.com")), port=2),
    ]
    categories = glanced(tmp_path, *frames)
    assert [category(categories, port) for port in (1, 2)] == [Category.MUSIC, Category.VIDEO]


def test_a_name_beyond_the_first_segment_is_found_even_if_segments_come_between(tmp_path: Path) -> None:
    long = forged.record(forged.hello("www.deezer.com", before=2000))
    other = forged.record(forged.hello("www.snapchat.com", before=1400))
    frames = [
        forged.segment(long[:1200], port=1, sequence=0xFFFF_FF00),
        forged.segment(other[:1400], port=2, sequence=0xFFFF_FF00),
        forged.segment(long[1200:2000], port=1, sequence=(0xFFFF_FF00 + 1200) & 0xFFFF_FFFF),
        forged.segment(other[1400:] + bytes(100), port=2, sequence=(0xFFFF_FF00 + 1400) & 0xFFFF_FFFF),
        forged.segment(long[2000:] + bytes(100), port=1, sequence=(0xFFFF_FF00 + 2000) & 0xFFFF_FFFF),
    ]
    categories = glanced(tmp_path, *frames)
    assert [category(categories, port) for port in (1, 2)] == [Category.MUSIC, Category.SOCIAL]


@pytest.mark.parametrize("left", [12, 30, 79])
def test_a_short_last_segment_is_looked_at_too(tmp_path: Path, left: int) -> None:
    """A key share of today leaves a few octets for the second segment, among them the server's name."""
    long = forged.record(forged.hello("www.deezer.com", before=1400))
    cut = len(long) - left
    frames = [
        forged.segment(long[:cut], port=1, sequence=500),
        forged.segment(long[cut:], port=1, sequence=500 + cut),
    ]
    assert category(glanced(tmp_path, *frames), 1) == Category.MUSIC


def test_pieces_of_two_connections_are_never_put_together(tmp_path: Path) -> None:
    long = forged.record(forged.hello("www.deezer.com", before=1400))
    frames = [
        forged.segment(long[:1200], port=1, sequence=500),
        forged.segment(long[1200:] + bytes(100), port=2, sequence=1700),
        forged.segment(long[1200:] + bytes(100), port=1, sequence=1701),
    ]
    assert category(glanced(tmp_path, *frames), 1) == Category.TLS_WEB


def test_quic_is_opened_also_over_two_datagrams_in_any_order(tmp_path: Path) -> None:
    hello = HELLO.replace(b"example.com", b"spotify.com")
    frames = [
        forged.datagram(sealed("RFC 9001", crypto(0, hello)), port=1),
        forged.datagram(sealed("RFC 9369", crypto(90, hello[90:])), port=2),
        forged.datagram(sealed("RFC 9369", crypto(0, hello[:90])), port=2),
        forged.datagram(sealed("RFC 9001", crypto(90, hello[90:])), port=3),
    ]
    categories = glanced(tmp_path, *frames)
    assert [category(categories, port, protocol=17) for port in (1, 2, 3)] == [
        Category.MUSIC,
        Category.MUSIC,
        Category.TLS_WEB,
    ]


def test_more_initials_than_the_budget_are_passed_over_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initials, "MOST_A_SECOND", 3)
    packet = sealed("RFC 9001", crypto(0, HELLO.replace(b"example.com", b"spotify.com")))
    categories = glanced(tmp_path, *[forged.datagram(packet, port=port) for port in range(1, 8)])
    found = [category(categories, port, protocol=17) for port in range(1, 8)]
    assert (found.count(Category.MUSIC), categories.passed_over) == (3, 4)


def test_more_beginnings_than_are_read_at_once_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glance, "MOST_AT_ONCE", 2)
    hello, request = forged.record(forged.hello("www.deezer.com")), forged.request("www.deezer.com")
    frames = [forged.segment(hello, port=port) for port in range(1, 6)]
    frames += [forged.segment(request, port=port, to=80) for port in range(1, 4)]
    frames += [forged.answer("www.deezer.com", [bytes(4)])] * 3
    assert glanced(tmp_path, *frames).passed_over == 3 + 1 + 1


def test_an_address_counts_where_nothing_better_is_known_until_another_name_has_it(tmp_path: Path) -> None:
    video, late = bytes((203, 0, 113, 1)), bytes((203, 0, 113, 2))
    six = bytes.fromhex("20010db8000000000000000000000007")
    frames = [
        forged.answer("rr1.googlevideo.com", [video, late]),
        forged.answer("rr2.googlevideo.com", [six], kind=28),
        forged.segment(forged.record(forged.hello("www.example.org")), port=5),
        forged.answer("nothing.example.org", [late]),
    ]
    categories = glanced(tmp_path, *frames)
    assert category(categories, 40, peer="203.0.113.1") == Category.VIDEO
    assert category(categories, 40, to=9999, protocol=17, peer="203.0.113.1") == Category.VIDEO
    assert category(categories, 40, to=22, peer="203.0.113.1") == Category.REMOTE_ACCESS
    assert category(categories, 40, peer="203.0.113.2") == Category.TLS_WEB
    row = row_of(6, ("2001:db8::1", 40), ("2001:db8::7", 443))
    assert categories.of(row) == [Category.VIDEO]


@pytest.mark.parametrize(
    ("protocol", "client", "peer", "expected"),
    [
        (6, 40000, 993, Category.MAIL),
        (6, 22, 40000, Category.REMOTE_ACCESS),  # a server of the site itself
        (6, 5900, 40000, Category.OTHER),  # a client's port by chance
        (17, 40000, 53, Category.NAME_SERVICE),
        (17, 40000, 51820, Category.VPN),
        (17, 40000, 123, Category.OTHER),
        (47, -1, -1, Category.VPN),
        (50, -1, -1, Category.VPN),
        (1, -1, -1, Category.OTHER),
        (6, -1, -1, Category.OTHER),
    ],
)
def test_ports_and_protocols_count_last(protocol: int, client: int, peer: int, expected: Category) -> None:
    row = row_of(protocol, (CLIENT, client), (SERVER, peer))
    assert Categories(SECRETS, TABLES).of(row) == [expected]


def test_no_rows_have_no_categories() -> None:
    assert len(Categories(SECRETS, TABLES).of(row_of(6, (CLIENT, 1), (SERVER, 2))[:0])) == 0


@pytest.mark.parametrize("case", ["android", "telnet-both-local", "vlan-ipv6"])
def test_packets_and_the_rows_made_of_them_have_the_same_key(case: str) -> None:
    keys = Keys(SECRETS)
    meter = Meter(
        Networks.of(["192.168.0.0/16"]),
        Limits(10**18, 10**18, 10**6),
        np.arange(1, 1 + METERS, dtype=np.uint64),
    )
    decoder, of_packets, rows = Decoder(), set(), []
    (capture,) = (
        path for path in (ROOT / "tests" / "cases" / case).iterdir() if path.suffix.startswith(".pcap")
    )
    with CaptureFile(capture) as file:
        for frames in file:
            batches = decoder.decode(frames).packets
            rows.append(meter.add(batches, 0, 0))
            for packets in batches:
                with_ports = np.flatnonzero(packets.shape < 0x100)
                of_packets |= set(keys.connections(packet_sides(packets, with_ports)).tolist())
    rows.append(meter.finish())
    closed = np.concatenate(rows)
    closed = closed[closed["client_port"] >= 0]
    assert set(keys.connections(row_sides(closed)).tolist()) == of_packets
    assert of_packets


def test_a_memory_keeps_the_newest_and_forgets_the_oldest() -> None:
    memory = Memory(4)
    same_bucket = np.uint64(7 << 60) + np.arange(1, 8, dtype=np.uint64) * np.uint64(1 << 20)
    memory.put(same_bucket[:WAYS], np.arange(1, WAYS + 1, dtype=np.uint8))
    assert memory.get(same_bucket).tolist() == [1, 2, 3, 4, 0, 0, 0]
    memory.put(same_bucket[:1], np.array([9], np.uint8))  # the oldest becomes the newest
    memory.put(same_bucket[4:6], np.array([5, 6], np.uint8))
    assert memory.get(same_bucket).tolist() == [9, 0, 0, 4, 5, 6, 0]
    assert len(memory) == WAYS


def test_of_the_same_hash_twice_in_one_call_the_last_counts() -> None:
    memory = Memory(8)
    hashes = np.array([5 << 40, 9 << 40, 5 << 40], np.uint64)
    memory.put(hashes, np.array([1, 2, 3], np.uint8))
    assert memory.get(hashes).tolist() == [3, 2, 3]


def test_a_memory_is_bounded_and_still_remembers_nearly_all_of_its_size() -> None:
    memory = Memory(10)
    hashes = np.random.default_rng(1).integers(0, 1 << 63, 4096, dtype=np.uint64) << np.uint64(1)
    memory.put(hashes[:2048], np.full(2048, 3, np.uint8))
    assert (memory.get(hashes[:2048]) == 3).mean() > 0.9
    memory.put(hashes, np.full(4096, 4, np.uint8))
    assert len(memory) <= 1024 * WAYS


def test_nothing_depends_on_which_secrets_were_drawn(tmp_path: Path) -> None:
    frames = [forged.segment(forged.record(forged.hello("www.tiktok.com")), port=1)]
    path = forged.capture(tmp_path / "forged.pcap", frames)
    for seed in range(20):
        secrets = np.random.default_rng(seed).integers(0, 1 << 64, MULTIPLIERS, dtype=np.uint64)
        categories = Categories(secrets, TABLES)
        with CaptureFile(path) as file:
            for batch in file:
                for packets in Decoder().decode(batch).packets:
                    categories.glance(replace(packets))
        assert category(categories, 1) == Category.SOCIAL
