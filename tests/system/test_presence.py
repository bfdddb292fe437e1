"""Presence reports over HTTPS into a listening box: curl sends, OpenSSL signs, the custodians read."""

import gzip
import subprocess
import time
from pathlib import Path

import pytest

from tests.feeds.cloudtrax.published import SECRET, device, report, signature
from tests.system.listening import Listener, feed_box, listening

SOURCES = f"""[[source]]
label = "hall"
addresses = ["127.0.0.1"]
kinds = ["cloudtrax"]
secret = "{SECRET}"
"""
BOMB_MIB = 256


def curl(listener: Listener, body: bytes, *options: str, path: str = "/cloudtrax") -> str:
    """The status of the answer."""
    url = f"https://127.0.0.1:{listener.ports['cloudtrax']}{path}"
    quiet = ["curl", "-ksS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}"]
    done = subprocess.run([*quiet, *options, "--data-binary", "@-", url], input=body, capture_output=True)
    return done.stdout.decode() + done.stderr.decode()


def signed(body: bytes) -> tuple[str, str]:
    return "-H", f"Signature: {signature(body)}"


def peak_mib(pid: int) -> int:
    """The most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) >> 10


@pytest.fixture(scope="module")
def bomb() -> bytes:
    return gzip.compress(bytes(BOMB_MIB << 20), 1)


def test_reports_are_answered_kept_and_refused_as_they_deserve(tmp_path: Path, bomb: bytes) -> None:
    box, ports = feed_box(tmp_path, ["10.0.0.0/8"], SOURCES)
    now = int(time.time())
    seen = {"first_seen": now - 20, "last_seen": now}
    guest = device("02:00:00:00:00:01", **seen)
    passing = device("02:00:00:00:00:02", **seen, associated=False)
    body = report(guest, passing)
    with listening(box, ports) as listener:
        assert curl(listener, body, *signed(body)) == "200"
        assert curl(listener, body, *signed(body), "--interface", "127.0.0.2") == "403"
        assert curl(listener, body) == "401"
        assert curl(listener, body, *signed(body + b" ")) == "401"
        assert curl(listener, b"{}", *signed(b"{}")) == "400"
        assert curl(listener, body, *signed(body), path="/presence") == "404"
        before = peak_mib(listener.process.pid)
        assert curl(listener, bytes(2 << 20)) == "413"
        assert curl(listener, bomb, "-H", "Content-Encoding: gzip", *signed(bomb)) == "415"
        assert peak_mib(listener.process.pid) - before < 16
        told = listener.end()
    expected = {
        "not_associated": 1,
        "bad_signature": 2,
        "bad_message": 1,
        "not_for_us": 1,
        "too_big": 1,
        "compressed": 1,
    }
    assert told["refused"] == expected
    (row,) = box.json("bindings", *box.identities)["rows"]
    assert (row["mac"], row["ap_mac"], row["ip"]) == ("02:00:00:00:00:01", "ac:86:74:61:4f:c0", None)
    assert (row["evidence"], row["randomised"]) == ("presence", True)
    assert SECRET.encode() not in b"".join(
        content for path, content in box.bytes_kept().items() if path.name != "sources.toml"
    )
