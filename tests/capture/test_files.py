"""Capture files in every form their writers give them, judged by tshark and by Wireshark's own converters."""

import gzip
import subprocess
from pathlib import Path

import pytest

from appliance.capture import files
from appliance.capture.files import CaptureFile
from appliance.model.errors import CaptureError
from tests.capture.written import Frame, Pcapng, alike, as_read, as_tshark, swapped, tool

CASES = Path(__file__).parents[1] / "cases"
TELNET = CASES / "telnet-both-local" / "telnet.pcap"
REAL = sorted(path for path in CASES.glob("*/*.*") if path.suffix in (".pcap", ".pcapng", ".gz"))
FRAME = bytes.fromhex("0211223344550299999999990800") + b"payload"
S, MS = 10**9, 10**6


@pytest.mark.parametrize("name", ["android", "big-endian", "pcapng-gzip", "cut-by-snaplen"])
def test_a_real_capture_is_read_as_tshark_reads_it(name: str) -> None:
    (capture,) = [path for path in REAL if path.parent.name == name]
    assert alike(as_read(capture), as_tshark(capture))


@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "pcapng"])
def test_a_capture_gives_the_same_in_every_form(form: str, tmp_path: Path) -> None:
    expected, converted = as_tshark(TELNET), tmp_path / "converted"
    tool("editcap", "-F", form, TELNET, converted)
    assert alike(as_read(converted), expected)
    if form != "pcapng":
        backwards = tmp_path / "backwards"
        backwards.write_bytes(swapped(converted.read_bytes()))
        assert as_tshark(backwards) == expected, "the swapped file is a good one"
        assert alike(as_read(backwards), expected)
    for compress in (("gzip", "-k"), ("zstd", "-q", "-k")):
        tool(*compress, converted)
    for suffix in (".gz", ".zst"):
        assert alike(as_read(converted.with_name("converted" + suffix)), expected)


def test_compressed_captures_in_several_members(tmp_path: Path) -> None:
    content = TELNET.read_bytes()
    halves = [content[:5000], content[5000:]]
    members = tmp_path / "members.gz"
    members.write_bytes(b"".join(gzip.compress(half) for half in halves))
    assert as_read(members) == as_read(TELNET)
    frames = tmp_path / "members.zst"
    frames.write_bytes(b"".join(_zstd(half) for half in halves))
    assert as_read(frames) == as_read(TELNET)


def _zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-q", "-c"], input=content, capture_output=True, check=True).stdout


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_what_was_compressed_before_the_break_is_kept(suffix: str, tmp_path: Path) -> None:
    (android,) = [path for path in REAL if path.parent.name == "android"]
    content = android.read_bytes()
    long = content + content[24:] * 9  # several blocks of zstd's
    compressed = gzip.compress(long) if suffix == "gz" else _zstd(long)
    broken = tmp_path / f"broken.{suffix}"
    broken.write_bytes(compressed[: len(compressed) - 20])
    times: list[int] = []
    with CaptureFile(broken) as capture:
        for batch in capture:
            times += batch.time.tolist()
    everything = [frame.time for frame in as_read(android)] * 10
    assert capture.damaged
    assert times == everything[: len(times)]
    assert len(times) > len(everything) // 2


def test_merged_captures_alternate_between_interfaces(tmp_path: Path) -> None:
    """Each input of mergecap gets an interface of its own, and the packets in order of time."""
    merged = tmp_path / "merged.pcapng"
    later = tmp_path / "later.pcap"
    tool("editcap", "-F", "nsecpcap", "-t", "0.000300123", TELNET, later)
    tool("mergecap", "-w", merged, TELNET, later)
    assert alike(as_read(merged), as_tshark(merged))
    with CaptureFile(merged) as capture:
        assert sum(1 for _ in capture) == 1, "frames of one link type are one batch, whatever the interface"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "resolution",
    [None, 0, 3, 6, 9, 0x80 | 10, 0x80 | 20, 0x80 | 32, 0x80 | 33],
    ids=lambda code: f"tsresol-{code}",
)
def test_ticks_of_every_length(order: str, resolution: int | None, tmp_path: Path) -> None:
    ng = Pcapng(order)
    per_s = {None: 10**6, 0: 1, 3: 1000, 6: 10**6, 9: S}.get(resolution) or 1 << ((resolution or 0) & 0x7F)
    at = [1_700_000_000 * per_s, 1_700_000_000 * per_s + per_s // 3, 1_700_000_001 * per_s + 1]
    path = tmp_path / "ticks.pcapng"
    path.write_bytes(
        ng.section() + ng.interface(resolution=resolution) + b"".join(ng.packet(0, t, FRAME) for t in at)
    )
    read = as_read(path)
    assert [frame.time for frame in read] == [t * S // per_s for t in at]
    assert alike(read, as_tshark(path))


def test_sections_interfaces_and_all_kinds_of_blocks(tmp_path: Path) -> None:
    """Two sections in two byte orders; each has its own interfaces, offsets, resolutions and link types."""
    little, big = Pcapng("<"), Pcapng(">")
    second = FRAME[::-1]
    path = tmp_path / "sections.pcapng"
    path.write_bytes(
        little.section()
        + little.interface(resolution=6, offset_s=1_700_000_000)
        + little.packet(0, 5, FRAME, length=900)
        + little.statistics()
        + little.interface(resolution=9)
        + little.packet(1, 1_700_000_001 * S + 1, second)
        + little.packet(0, 2_000_006, FRAME)
        + little.old_packet(1, 1_700_000_003 * S, FRAME)
        + big.section()
        + big.interface(link_type=101, resolution=9, offset_s=-10)
        + big.interface(resolution=3)
        + big.packet(0, 1_700_000_020 * S, b"\x45" + bytes(30))
        + big.packet(1, 1_700_000_011_123, FRAME)
    )
    base = 1_700_000_000 * S
    read = as_read(path)
    assert read == [
        Frame(base + 5000, 900, 21, FRAME[:12]),
        Frame(base + S + 1, 21, 21, second[:12]),
        Frame(base + 2 * S + 6000, 21, 21, FRAME[:12]),
        Frame(base + 3 * S, 21, 21, FRAME[:12]),
        Frame(base + 10 * S, 31, 31, b"\x45" + bytes(11)),
        Frame(base + 11 * S + 123 * MS, 21, 21, FRAME[:12]),
    ]
    assert alike(read, as_tshark(path))
    with CaptureFile(path) as capture:
        assert [(batch.link_type, len(batch)) for batch in capture] == [(1, 4), (101, 1), (1, 1)]


def test_simple_packets_are_cut_at_the_interface_s_snaplen(tmp_path: Path) -> None:
    ng, path = Pcapng(), tmp_path / "simple.pcapng"
    cut = FRAME[:16]
    path.write_bytes(
        ng.section() + ng.interface(snaplen=16) + ng.simple_packet(cut, length=80) + ng.simple_packet(cut)
    )
    assert [(frame.length, frame.captured, frame.start) for frame in as_read(path)] == [
        (80, 16, FRAME[:12]),
        (16, 16, FRAME[:12]),
    ]
    said = as_tshark(path)
    assert [(frame.length, frame.captured) for frame in said] == [(80, 16), (16, 16)]


@pytest.mark.parametrize("content", [b"", b"\xd4", TELNET.read_bytes()[:23], b"%PDF-1.7" + bytes(99)])
def test_what_is_no_capture_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "no.pcap"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"no\.pcap is not a capture"), CaptureFile(path) as capture:
        list(capture)


def test_a_capture_cut_at_every_byte_of_its_last_record(tmp_path: Path) -> None:
    content, path = TELNET.read_bytes(), tmp_path / "cut.pcap"
    everything = as_read(TELNET)
    last = everything[-1].captured + 16
    for missing in range(last + 1):
        path.write_bytes(content[: len(content) - missing])
        with CaptureFile(path) as capture:
            count = sum(len(batch) for batch in capture)
        assert count == len(everything) - (missing > 0)
        assert capture.damaged == (0 < missing < last)
        assert capture.unread_bytes == (last - missing if 0 < missing < last else 0)


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_chunk_s_border_may_lie_anywhere(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    tool("editcap", "-F", form, TELNET, path)
    expected = as_read(TELNET)
    for size in (700, 701, 997, 4096, 9000):
        monkeypatch.setattr(files, "CHUNK_BYTES", size)
        assert as_read(path) == expected


def test_damage_in_the_middle_ends_a_file_where_it_stands(tmp_path: Path) -> None:
    content, path = bytearray(TELNET.read_bytes()), tmp_path / "damaged.pcap"
    everything = as_read(TELNET)
    at = 24 + sum(frame.captured + 16 for frame in everything[:40])
    content[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    with CaptureFile(path) as capture:
        assert sum(len(batch) for batch in capture) == 40
    assert (capture.damaged, capture.unread_bytes) == (1, len(content) - at)
