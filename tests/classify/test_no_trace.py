"""No name is left in the memory of a process that has glanced at it: the whole memory is searched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.classify import forged
from tests.classify.test_quic import HELLO, crypto, sealed

MARK = "zqxwykj"
SAID = {kind: MARK + kind for kind in ("tls", "cut", "http", "quic", "dns", "dhcp")}
"""Labels that occur nowhere else, by the way they are said."""

CHILD = """
import sys
from pathlib import Path
import numpy as np
from appliance.capture.files import CaptureFile
from appliance.classify.glance import MULTIPLIERS, Categories
from appliance.classify.systems import systems
from appliance.services.recording.tables import load
from appliance.wire.decode import Decoder

tables = load()
secrets = np.arange(3, 3 + MULTIPLIERS, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
categories = Categories(secrets, tables)
decoder, kept, said = Decoder(), [], 0
with CaptureFile(Path(sys.argv[1])) as file:
    for frames in file:
        for packets in decoder.decode(frames).packets:
            categories.glance(packets)
            said += len(systems(packets, tables.fingerprints))
        if sys.argv[2] == "keep":
            kept.append(frames.data[frames.offsets[0] : frames.offsets[0] + frames.captured[0]].copy())
        frames.data[:] = 0
print(len(categories._connections), len(categories._addresses), said, flush=True)
sys.stdin.read(1)
"""


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Every way to say a name; the sentence that is cut comes in two segments and in two datagrams."""
    name = {kind: f"{label}.netflix.com" for kind, label in SAID.items()}
    long = forged.record(forged.hello(name["cut"], before=1300))
    example = HELLO.replace(b"example.com", SAID["quic"].encode())
    assert len(example) == len(HELLO)
    frames = [
        forged.segment(forged.record(forged.hello(name["tls"])), port=40_001),
        forged.segment(long[:1300], port=40_002, sequence=1000),
        forged.segment(long[1300:], port=40_002, sequence=2300),
        forged.segment(forged.request(name["http"]), port=40_003, to=80),
        forged.datagram(sealed("RFC 9001", crypto(120, example[120:])), port=40_004),
        forged.datagram(sealed("RFC 9001", crypto(0, example[:120])), port=40_004),
        forged.answer(name["dns"], [bytes((203, 0, 113, 9))]),
        forged.datagram(dhcp(SAID["dhcp"]), port=68, to=67),
    ]
    return forged.capture(tmp_path / "said.pcap", frames)


def dhcp(host: str) -> bytes:
    """A request (RFC 2131) that names its host and asks as a phone does."""
    fixed = b"\1\1\6\0" + bytes(24) + bytes((2, 0, 0, 0, 0, 1)) + bytes(10) + bytes(192) + b"\x63\x82\x53\x63"
    return (
        fixed
        + b"\x35\1\3"
        + b"\x0c"
        + bytes((len(host),))
        + host.encode()
        + b"\x37\7\1\x79\3\6\x0f\x77\xfc"
        + b"\xff"
    )


def written(text: str, width: int) -> bytes:
    """A text with each letter in so many bytes, without what may be cut off behind the last."""
    return b"".join(letter.encode().ljust(width, b"\0") for letter in text).rstrip(b"\0")


FORMS = [(way, width) for way in (1, -1) for width in (1, 2, 4, 8)]
MARKS = [written(MARK[::way], width) for way, width in FORMS]
LABELS = {kind: [written(label[::way], width) for way, width in FORMS] for kind, label in SAID.items()}


def searched(pid: int) -> set[str]:
    """Whose labels lie in the memory, forwards or backwards, a letter in 1, 2, 4 or 8 bytes; or a part."""
    found = set()
    try:
        memory = open(f"/proc/{pid}/mem", "rb", buffering=0)  # noqa: SIM115 - closed below
    except PermissionError:
        pytest.skip("this system forbids to read the memory of a child process (kernel.yama.ptrace_scope)")
    with memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            start, stop = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                content = memory.read(stop - start)
            except OSError:
                continue
            if any(mark in content for mark in MARKS):
                found |= {
                    kind for kind, texts in LABELS.items() if any(text in content for text in texts)
                } or {"part"}
    return found


def run(capture: Path, how: str) -> tuple[list[int], set[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, capture, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # each thread would bring memory to search
    ) as child:
        try:
            counted = [int(number) for number in child.stdout.readline().split()]
            return counted, searched(child.pid)
        finally:
            child.kill()


def test_no_name_is_left_in_memory(capture: Path) -> None:
    (connections, addresses, systems), found = run(capture, "forget")
    assert (connections, addresses, systems) == (4, 1, 1), (
        "not all was understood: the search would prove nothing"
    )
    assert found == set()


def test_a_name_that_is_kept_is_found(capture: Path) -> None:
    _, found = run(capture, "keep")
    assert found == {"tls"}
