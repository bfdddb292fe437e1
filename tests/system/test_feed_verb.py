"""`greffier feed` from end to end: files that devices or their captures left, read back by the custodians."""

import gzip
import hashlib
import hmac
import json
import os
import socket
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.feeds.netflow.exports import read_messages
from tests.system.boxes import Box, make_box
from tests.system.senders import ACCESS_POINT, SECRET, accounting, ip_of, mac_of
from tests.wire.carried import datagram, segment, write_capture

CASES = Path(__file__).parents[1] / "feeds" / "cases"
IPFIX = CASES / "ipfix-ipfixprobe"
NOW_NS = 1_790_000_000 * 10**9
ASSOCIATED = "hostapd: wlan0: STA {mac} IEEE 802.11: associated"
LEASED = "dnsmasq-dhcp[77]: DHCPACK(br-lan) {ip} {mac} somebodys-phone"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    made = make_box(tmp_path_factory.mktemp("feed"), ["0.0.0.0/1", "128.0.0.0/1", "::/0"])
    secret = made.home.parent / "secret"
    secret.write_text(SECRET + "\n")
    for words in (
        ("radiator", "--address", "10.0.0.9", "--kind", "radius", "--secret-file", str(secret)),
        ("stranger", "--address", "10.0.0.8", "--kind", "radius", "--secret-file", __file__),
        ("islander", "--address", "10.0.0.7", "--kind", "syslog", "--time-zone", "Indian/Reunion"),
    ):
        made.run("sources", "declare", *words)
    return made


def dissected(captures: Sequence[Path], whole: Path, *fields: str) -> list[tuple[str, ...]]:
    """These fields of every flow that tshark shows in captures, one after the other."""
    subprocess.run(["mergecap", "-a", "-w", whole, *captures], check=True)
    command = [
        "tshark",
        "-n",
        "-r",
        str(whole),
        "-T",
        "fields",
        *(word for name in fields for word in ("-e", name)),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    columns = [[text.split(",") if text else [] for text in line.split("\t")] for line in said.splitlines()]
    return [flow for message in columns for flow in zip(*message, strict=True)]


def bindings(box: Box, *question: str) -> list[dict[str, Any]]:
    said = box.run("bindings", *box.identities, "--format", "jsonl", *question)
    return [json.loads(line) for line in said.splitlines()]


def test_a_captured_export_becomes_its_flows(box: Box, tmp_path: Path) -> None:
    """Templates in one capture, data in the next: one exporter, and its flows are those that tshark sees."""
    names = [CASES / "v9-asr-data" / name for name in ("template.pcap", "data.pcap")]
    files = [tmp_path / f"asr-{name.name}.gz" for name in names]
    for file, name in zip(files, names, strict=True):
        file.write_bytes(gzip.compress(name.read_bytes()))
    told = box.json("feed", "--kind", "netflow", *files)
    assert (told["packets"], told["refused"]) == (2, {})
    fields = ("cflow.srcaddr", "cflow.dstaddr", "cflow.octets")
    expected = Counter(dissected(names, tmp_path / "whole.pcap", *fields))
    assert expected.total() == 4
    kept = [row for row in box.search() if row["source"] == "fed-file:asr-template.pcap.gz"]
    found: Counter[tuple[str, ...]] = Counter()
    for row in kept:
        for ends, octets in ((("client_ip", "peer_ip"), "bytes_out"), (("peer_ip", "client_ip"), "bytes_in")):
            if row[octets]:
                found[(row[ends[0]], row[ends[1]], str(row[octets]))] += 1
    assert found == expected
    assert len(kept) == told["records"]


def test_captured_translations_become_bindings(box: Box, tmp_path: Path) -> None:
    capture = CASES / "v9-translations" / "nat.pcap"
    told = box.json("feed", "--kind", "netflow", capture)
    fields = ("cflow.srcaddr", "cflow.post_natsource_ipv4_address", "cflow.dstaddr")
    expected = Counter(dissected([capture], tmp_path / "whole.pcap", *fields))
    assert expected.total() == told["bindings"] == 9
    known = {inside for inside, _, _ in expected}
    kept = [row for inside in known for row in bindings(box, "--ip", inside)]
    assert Counter((row["ip"], row["nat_ip"], row["peer_ip"]) for row in kept) == expected
    assert {row["evidence"] for row in kept} == {"nat"}


def test_an_ipfix_file_says_the_same_as_the_capture(box: Box, tmp_path: Path) -> None:
    names = ("ipfixprobe-templates.pcap", "ipfixprobe-data.pcap")
    file = tmp_path / "flows.ipfix"
    file.write_bytes(b"".join(message for name in names for message in read_messages(IPFIX / name)))
    as_file = box.json("feed", "--kind", "netflow", file)
    captured = box.json("feed", "--kind", "netflow", *(IPFIX / name for name in names))
    assert as_file["packets"] == 2
    assert (as_file["records"], as_file["bindings"]) == (captured["records"], captured["bindings"])
    assert as_file["records"] > 0


def test_datagrams_of_one_file_each_are_one_exporters(box: Box) -> None:
    folder = CASES / "v9-fortigate-542"
    template, data = sorted(folder.glob("*.dat"), reverse=True)
    alone = box.json("feed", "--kind", "netflow", data)
    assert (alone["records"], set(alone["refused"])) == (0, {"no_template"})
    together = box.json("feed", "--kind", "netflow", template, data)
    assert together["records"] > 0
    assert together["refused"] == {}


def test_rotated_logs_are_read_in_their_order_and_in_the_year_of_their_files(
    box: Box, tmp_path: Path
) -> None:
    """Lines without a year and a zone: the year is that of the file, the zone that of the source (UTC+4)."""
    mac, lines = "02:77:00:00:00:01", []
    lines.append(f"Dec 31 23:59:58 ap {ASSOCIATED.format(mac=mac)}\n")
    lines.append(f"Jan  1 00:10:00 gw {LEASED.format(ip='10.7.0.50', mac=mac)}\n")
    lines.append(f"Jan  1 00:20:00 gw {LEASED.format(ip='10.7.0.51', mac=mac)}\n")
    files = [tmp_path / name for name in ("messages", "messages.1.gz", "messages.2.zst")]
    packed = (bytes, gzip.compress, lambda text: pa.compress(text, "zstd", asbytes=True))
    new_year_s = 1_609_444_800  # 2020-12-31T20:00:00Z, midnight on Reunion
    for file, pack, line in zip(files, packed, reversed(lines), strict=True):
        file.write_bytes(pack(line.encode()))
        os.utime(file, (new_year_s + 3600, new_year_s + 3600))
    told = box.json("feed", "--kind", "syslog", "--source", "islander", *files)
    assert (told["packets"], told["refused"], told["lost"]) == (3, {}, 0)
    assert told["first"].startswith("2020-12-31T19:59:58")
    assert told["last"].startswith("2020-12-31T20:20:00")
    held = {row["ip"]: row["from"][:19] for row in bindings(box, "--mac", mac)}
    assert held["10.7.0.50"] == "2020-12-31T20:10:00"
    assert held["10.7.0.51"] == "2020-12-31T20:20:00"
    assert {row["source"] for row in bindings(box, "--mac", mac)} == {"fed:islander"}


def test_lines_in_a_capture_come_when_their_frames_came(box: Box, tmp_path: Path) -> None:
    """Over UDP, and over TCP with segments that the network disordered, repeated and lost."""
    udp, tcp = ("10.0.0.7", "10.0.0.2", (40_000, 514)), ("10.0.0.6", "10.0.0.2", (40_001, 514))
    said = [ASSOCIATED.format(mac=f"02:88:00:00:00:{number:02x}").encode() for number in range(6)]
    stream = b"".join(b"<134>" + line + b"\n" for line in said[1:4])
    late = b"".join(b"<134>" + line + b"\n" for line in said[4:])
    cut = [(at, stream[at : at + 40]) for at in range(0, len(stream), 40)]
    order = [cut[1], cut[0], *cut[3:], cut[2], cut[1]]
    frames = [(NOW_NS, datagram(*udp, b"<134>" + said[0])), (NOW_NS, segment(*tcp, 99, b"", flags=2))]
    frames += [(NOW_NS + at, segment(*tcp, 100 + place, piece)) for at, (place, piece) in enumerate(order, 1)]
    lost = 30  # of the fifth line the beginning is not in the capture
    frames.append((NOW_NS + 10**9, segment(*tcp, 100 + len(stream) + lost, late[lost:])))
    told = box.json("feed", "--kind", "syslog", write_capture(tmp_path / "lines.pcap", frames))
    assert told["packets"] == 5
    assert told["noted"]["stream_gap"] == 1
    assert told["first"] == "2026-09-21T14:13:20.000000000Z"
    known = [bindings(box, "--mac", f"02:88:00:00:00:{number:02x}") for number in range(6)]
    assert [len(rows) for rows in known] == [1, 1, 1, 1, 0, 1]
    assert known[0][0]["source"] == "fed:islander"
    assert known[5][0]["source"] == "fed-file:lines.pcap"
    assert known[5][0]["from"].startswith("2026-09-21T14:13:21")


def test_accounting_in_a_capture_counts_where_its_secret_is_known(box: Box, tmp_path: Path) -> None:
    request = [accounting(9, station, 1, station) for station in range(3)]
    frames = [
        (NOW_NS + station, datagram(f"10.0.0.{sender}", "10.0.0.2", (1813, 1813), request[station]))
        for station, sender in enumerate((9, 8, 5))
    ]
    capture = write_capture(tmp_path / "accounting.pcap", frames)
    told = box.json("feed", "--kind", "radius", capture)
    assert (told["packets"], told["refused"]) == (3, {"bad_signature": 2})
    (row,) = bindings(box, "--ip", ip_of(9, 0))
    assert (row["mac"], row["user"], row["source"]) == (mac_of(9, 0), "guest0@9", "fed:radiator")
    assert bindings(box, "--ip", ip_of(9, 1)) == []
    said = box.run("feed", "--kind", "radius", capture)
    assert "bad_signature: its signature is wrong: is the secret" in said


def test_presence_reports_out_of_a_capture_are_verified_and_give_associations(
    box: Box, tmp_path: Path
) -> None:
    """Two reports in one connection, of which the second one's signature is another secret's."""
    seen = {"count": 1, "first_seen": NOW_NS // 10**9 - 60, "last_seen": NOW_NS // 10**9 - 1}
    requests = b""
    for number, secret in enumerate((SECRET, "another")):
        devices = [seen | {"mac": mac_of(8, number), "associated": True}]
        devices.append(seen | {"mac": mac_of(8, 99), "associated": False})
        report = {"network_id": 1, "node_mac": ACCESS_POINT, "version": 1, "probe_requests": devices}
        body = json.dumps(report).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        head = (
            f"POST /cloudtrax HTTP/1.1\r\nHost: box\r\nSignature: {signature}\r\nContent-Length: {len(body)}"
        )
        requests += head.encode() + b"\r\n\r\n" + body
    ends = ("10.0.0.9", "10.0.0.2", (50_000, 80))
    frames = [(NOW_NS, segment(*ends, 0, b"", flags=2))]
    frames += [
        (NOW_NS + at, segment(*ends, 1 + at, requests[at : at + 100])) for at in range(0, len(requests), 100)
    ]
    capture = write_capture(tmp_path / "presence.pcap", frames)
    told = box.json("feed", "--kind", "cloudtrax", "--source", "radiator", capture)
    assert (told["packets"], told["refused"]) == (2, {"bad_signature": 1, "not_associated": 1})
    (row,) = bindings(box, "--mac", mac_of(8, 0))
    assert (row["ap_mac"], row["evidence"], row["source"]) == (ACCESS_POINT, "presence", "fed:radiator")
    assert bindings(box, "--mac", mac_of(8, 1)) == bindings(box, "--mac", mac_of(8, 99)) == []


def test_sampled_flows_of_a_capture_are_no_records(box: Box) -> None:
    capture = CASES / "sflow" / "sflow-data-1140.pcap"
    told = box.json("feed", "--kind", "sflow", capture)
    assert told["packets"] > 0
    assert (told["records"], set(told["refused"])) == (0, {"sampled"})


def test_what_is_nothing_of_the_kind_is_said_and_records_nothing(box: Box, tmp_path: Path) -> None:
    noise, empty, foreign = (tmp_path / name for name in ("noise", "empty.log", "web.pcap"))
    noise.write_bytes(bytes(range(256)) * 40)
    empty.touch()
    write_capture(foreign, [(NOW_NS, datagram("10.0.0.1", "10.0.0.2", (1, 53), b"a question"))])
    for kind in ("netflow", "syslog", "sflow"):
        told = box.json("feed", "--kind", kind, noise, foreign, expect=6)
        assert told["refused"]["not_a_feed"] == 2, kind
        assert (told["records"], told["bindings"]) == (0, 0)
    assert box.json("feed", "--kind", "syslog", empty)["packets"] == 0
    told = box.json("feed", "--kind", "syslog", "--port", "53", foreign, expect=6)
    assert told["refused"] == {"not_understood": 1, "not_a_feed": 1}


def test_a_chain_that_was_fed_is_whole_and_names_no_sender(box: Box) -> None:
    assert box.json("verify")["faults"] == []
    for address in ("10.0.0.6", "10.0.0.7", "10.0.0.9"):
        assert address not in (box.home / "chain.jsonl").read_text()
    assert socket.inet_aton("10.0.0.6") not in (box.home / "chain.jsonl").read_bytes()
