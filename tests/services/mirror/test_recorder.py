"""Recording capture files into a real home, and what the recorder says of it; then read by the custodians."""

import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.capture import files
from appliance.cli.main import main
from appliance.model.errors import StorageError
from appliance.services.mirror.recorder import Recorder
from appliance.services.mirror.replay import record_files
from appliance.services.recording import ledger as ledger_module
from appliance.services.recording import register
from appliance.services.recording.recording import recording
from tests.system.boxes import Box, box_for, custodian

CASES = Path(__file__).parents[2] / "cases"
TELNET = CASES / "telnet-both-local" / "telnet.pcap"
ANDROID = CASES / "android" / "android.pcap"
CUT = CASES / "cut-by-snaplen" / "badpackets.pcap"
NETWORKS = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Path, Path], list[str]]:
    folder = tmp_path_factory.mktemp("keys")
    paths = (folder / "owner.key", folder / "lawyer.key")
    return paths, [word for path in paths for word in ("--custodian", custodian(path))]


@pytest.fixture
def box(keys: tuple[tuple[Path, Path], list[str]], tmp_path: Path) -> Box:
    paths, custodians = keys
    return box_for(tmp_path / "home", paths, custodians, NETWORKS)


def record(box: Box, *captures: Path, expect: int = 0, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Record in this process, as the command does; its JSON object."""
    capsys.readouterr()
    assert main(["record", "--home", str(box.home), "--json", *map(str, captures)]) == expect
    return dict(json.loads(capsys.readouterr().out))


def tshark(capture: Path, *fields: str) -> Iterator[list[str]]:
    arguments = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "occurrence=f"]
    for field in fields:
        arguments += ["-e", field]
    for line in subprocess.run(arguments, capture_output=True, text=True).stdout.splitlines():
        yield line.split("\t")


def instants(capture: Path) -> list[str]:
    """The frames' times in ISO 8601."""
    import datetime as dt

    said = [time for (time,) in tshark(capture, "frame.time_epoch")]
    moments = [dt.datetime.fromtimestamp(int(time.split(".")[0]), dt.UTC) for time in said]
    return [f"{m:%Y-%m-%dT%H:%M:%S}.{t.split('.')[1]}Z" for m, t in zip(moments, said, strict=True)]


def ip_packets(capture: Path) -> int:
    """Frames that carry IP; the rest of our real captures is ARP and what the switch talks to itself."""
    return sum(1 for four, six in tshark(capture, "ip.version", "ipv6.version") if four or six)


def seen_twice(capture: Path) -> list[int]:
    """Octets of each packet in the capture that its sender numbered and that was there before."""
    seen = set()
    again = []
    for *packet, size in tshark(capture, "ip.src", "ip.dst", "ip.id", "ip.frag_offset", "ip.len"):
        if packet[2] and int(packet[2], 16):
            again += [int(size)] * (tuple(packet) in seen)
            seen.add(tuple(packet))
    return again


def connections(box: Box) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in box.search())


def octets(rows: list[dict[str, Any]]) -> int:
    return sum(row["bytes_out"] + row["bytes_in"] for row in rows)


def packets(rows: list[dict[str, Any]]) -> int:
    return sum(row["packets_out"] + row["packets_in"] for row in rows)


def test_what_is_said_of_a_recording_is_what_tshark_says(
    box: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    said = record(box, TELNET, ANDROID, capsys=capsys)
    captures = (TELNET, ANDROID)
    times = [instants(capture) for capture in captures]
    sizes = [size for capture in captures for size in tshark(capture, "ip.len", "ipv6.plen")]
    assert said["packets"] == sum(map(len, times))
    expected = sum(int(four or 0) + (int(six) + 40 if six else 0) for four, six in sizes)
    assert said["bytes"] == expected
    assert said["first"] == min(times[0] + times[1])
    assert said["last"] == max(times[0] + times[1])
    assert said["lost"] == 0
    rows = box.search()
    again = [*seen_twice(TELNET), *seen_twice(ANDROID)]
    assert said["noted"] == {"duplicate": len(again)}
    assert len(again) == 5
    assert octets(rows) + sum(again) == expected
    assert packets(rows) + len(again) == sum(map(ip_packets, captures))
    arp = sum(1 for capture in captures for (opcode,) in tshark(capture, "arp.opcode") if opcode)
    assert packets(rows) + len(again) + arp + sum(said["refused"].values()) == said["packets"]
    assert {row["source"] for row in rows} == {"file:telnet.pcap", "file:android.pcap"}


def test_a_file_recorded_twice_is_found_once(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    record(box, ANDROID, capsys=capsys)
    once = connections(box)
    record(box, ANDROID, capsys=capsys)
    assert once
    assert connections(box) == once


def test_damage_and_what_is_no_capture_do_not_stop_the_others(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged, text, empty = tmp_path / "damaged.pcap", tmp_path / "text.pcap", tmp_path / "empty.pcap"
    damaged.write_bytes(ANDROID.read_bytes()[:-30])
    text.write_text("no capture at all")
    empty.write_bytes(b"")
    said = record(box, text, damaged, empty, TELNET, expect=6, capsys=capsys)
    assert (said["refused"]["not_a_capture"], said["refused"]["capture_damaged"]) == (2, 1)
    assert said["packets"] == len(instants(TELNET)) + len(instants(damaged))
    assert {row["source"] for row in box.search()} == {"file:telnet.pcap", "file:damaged.pcap"}
    covered = box.run("coverage", "--json")
    assert "capture_damaged" in covered
    assert "not_a_capture" in covered


def test_a_capture_that_is_not_there_records_nothing(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", "--home", str(box.home), str(TELNET), "/nowhere/hotel.pcap"]) == 6
    assert "hotel.pcap" in capsys.readouterr().err
    assert not box.json("status")["segments"]


def test_frames_of_another_link_type_are_counted(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "docsis.pcap"
    other.write_bytes(TELNET.read_bytes()[:20] + struct.pack("<I", 143) + TELNET.read_bytes()[24:])
    said = record(box, other, capsys=capsys)
    count = len(instants(TELNET))
    assert (said["packets"], said["records"], said["refused"]) == (count, 0, {"link_type": count})
    assert "link_type" in box.run("coverage", "--json")


def test_octets_are_those_of_the_headers_where_a_capture_was_cut(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.pcap"
    subprocess.run(["editcap", "-s", "60", str(ANDROID), str(cut)], check=True, capture_output=True)
    whole = record(box, ANDROID, capsys=capsys)
    assert record(box, cut, capsys=capsys)["bytes"] == whole["bytes"]


def test_every_frame_of_bad_packets_is_accounted_for(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    said = record(box, CUT, capsys=capsys)
    arp = sum(1 for (opcode,) in tshark(CUT, "arp.opcode") if opcode)
    refused = sum(said["refused"].values())
    assert said["packets"] == len(instants(CUT))
    assert packets(box.search()) + refused + arp >= said["packets"]
    assert packets(box.search()) + refused <= said["packets"]


def test_a_clock_that_steps_is_stated_and_loses_nothing(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stepping = tmp_path / "stepping.pcap"
    days = [tmp_path / f"{number}.pcap" for number in range(3)]
    for number, day in enumerate(days):
        shift = ("editcap", "-F", "pcap", "-t", str(86400 * number))
        subprocess.run([*shift, str(TELNET), str(day)], check=True, capture_output=True)
    first, second, third = (day.read_bytes() for day in days)
    stepping.write_bytes(second + first[24:] + third[24:])
    said = record(box, stepping, capsys=capsys)
    again = 3 * len(seen_twice(TELNET))
    assert said["noted"] == {"clock_stepped_back": 1, "clock_stepped_forward": 1, "duplicate": again}
    assert said["packets"] == 3 * len(instants(TELNET))
    assert packets(box.search("--parts")) + again == said["packets"]
    assert "clock_stepped_back" in box.run("coverage", "--json")


def test_a_small_row_limit_seals_often_and_loses_nothing(
    box: Box, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register.Register, "_is_full", lambda self: True)
    monkeypatch.setattr(files, "CHUNK_BYTES", 20_000)
    said = record(box, ANDROID, capsys=capsys)
    assert len(list((box.home / "segments" / "traffic").glob("*/*.parquet"))) > 5
    rows = box.search()
    assert (packets(rows), octets(rows)) == (ip_packets(ANDROID), said["bytes"])
    box.run("verify")


def test_a_disk_that_refuses_is_an_alarm_and_the_rows_wait(
    box: Box, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of segments is a file for a while: nothing can be sealed; then it can."""
    record(box, TELNET, capsys=capsys)
    segments = box.home / "segments"
    aside = box.home / "aside"
    monkeypatch.setattr(ledger_module, "RETRY_EVERY_S", 0.0)
    with recording(box.home, Recorder) as at_work:
        record_files(at_work, [ANDROID], lambda done: None)
        segments.rename(aside)
        segments.write_text("in the way")
        at_work.recorder.register.seal(0)
        assert [alarm.kind for alarm in at_work.recorder.alarms] == ["storage"]
        segments.unlink()
        aside.rename(segments)
        at_work.recorder.pass_time(0)
        assert not list(at_work.recorder.alarms)
    assert at_work.report.noted["storage_refused"] == 1
    assert not at_work.report.lost
    again = len(seen_twice(TELNET))
    assert packets(box.search()) + again == ip_packets(TELNET) + ip_packets(ANDROID)
    box.run("verify")


def test_a_disk_that_refuses_to_the_end_is_said_and_the_journal_keeps_the_rows(box: Box) -> None:
    segments = box.home / "segments"

    def recorded_onto_a_disk_that_refuses() -> None:
        with recording(box.home, Recorder) as at_work:
            record_files(at_work, [ANDROID], lambda done: None)
            at_work.recorder.register.journal()
            segments.write_text("in the way")

    with pytest.raises(StorageError):
        recorded_onto_a_disk_that_refuses()
    segments.unlink()
    assert packets(box.search()) == ip_packets(ANDROID)


def test_records_from_behind_a_router_are_counted(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A capture in which one client's packets have passed a router: their hop limit is one lower."""
    routed = tmp_path / "routed.pcap"
    content = bytearray(ANDROID.read_bytes())
    order = "<" if content[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    at, count = 24, 0
    while at < len(content):
        (captured,) = struct.unpack_from(f"{order}I", content, at + 8)
        frame = at + 16
        if content[frame + 12 : frame + 14] == b"\x08\x00" and content[frame + 26 : frame + 30] == bytes(
            (192, 168, 2, 16)
        ):
            content[frame + 22] -= 1
            count += 1
        at = frame + captured
    routed.write_bytes(content)
    assert count == sum(source == "192.168.2.16" for (source,) in tshark(ANDROID, "ip.src")) > 100
    said = record(box, routed, capsys=capsys)
    rows = box.search("--parts")
    from_behind = {row["client_ip"] for row in rows if row["behind_router"]}
    assert from_behind == {"192.168.2.16"}
    assert said["noted"]["behind_router"] == sum(row["behind_router"] for row in rows)
    assert "behind_router" in box.run("coverage", "--json")
