"""What a thief finds in a box: no address in any form, no word of what was said.

Which addresses and which words the captures hold is tshark's answer.
"""

import ipaddress
import signal
import subprocess
import time
from pathlib import Path

import pytest

from demo.replay import read_capture, send, side_by_side
from tests.system.boxes import Box, make_box
from tests.system.networks import Network, may_make
from tests.system.warm import Warm, wait_for

CAPTURES = [
    Path(__file__).parents[2] / "demo" / "captures" / name for name in ("iphone.pcap", "android.pcap")
]
NETWORKS = ["192.168.2.0/24", "169.254.0.0/16", "fe80::/10"]
CONTENT_FIELDS = (
    "dns.qry.name",
    "dns.ptr.domain_name",
    "dns.cname",
    "http.host",
    "http.request.uri",
    "http.user_agent",
    "http.server",
    "tls.handshake.extensions_server_name",
    "x509sat.uTF8String",
    "dhcp.option.hostname",
    "dhcp.option.domain_name",
    "dhcp.option.vendor_class_id",
)
NOBODY = {"0.0.0.0", "255.255.255.255", "::", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"}

needs_root = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")


def told_by_tshark(*fields: str) -> set[str]:
    wanted = [word for field in fields for word in ("-e", field)]
    told: set[str] = set()
    for capture in CAPTURES:
        command = [
            "tshark",
            "-r",
            str(capture),
            "-T",
            "fields",
            "-E",
            "separator=\x01",
            "-E",
            "aggregator=\x01",
            *wanted,
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        told |= {word for line in said.splitlines() for word in line.split("\x01") if word}
    return told


def mac_forms(mac: str) -> set[bytes]:
    raw = bytes.fromhex(mac.replace(":", ""))
    plain = raw.hex()
    texts = {mac, mac.replace(":", "-"), plain, f"{plain[:4]}.{plain[4:8]}.{plain[8:]}", str(int(plain, 16))}
    return {raw, raw[::-1], *(form.encode() for text in texts for form in (text, text.upper()))}


def ip_forms(text: str) -> set[bytes]:
    address = ipaddress.ip_address(text)
    raw = address.packed
    texts = {text, address.exploded, raw.hex(), raw[::-1].hex(), str(int(address))}
    halves = {raw[:8][::-1] + raw[8:][::-1], raw[8:][::-1] + raw[:8][::-1]} if address.version == 6 else set()
    return {raw, raw[::-1], *halves, *(form.encode() for text in texts for form in (text, text.upper()))}


def address_forms() -> dict[str, set[bytes]]:
    """Each address of the captures, and the ways it may be written."""
    macs = told_by_tshark("eth.src", "eth.dst", "arp.src.hw_mac", "dhcp.hw.mac_addr") - NOBODY
    addresses = told_by_tshark("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "arp.src.proto_ipv4") - NOBODY
    assert len(macs) > 10
    assert len(addresses) > 30
    return {mac: mac_forms(mac) for mac in macs} | {text: ip_forms(text) for text in addresses}


def found_in(content: bytes, forms: dict[str, set[bytes]]) -> set[tuple[str, bytes]]:
    return {(name, form) for name, written in forms.items() for form in written if form in content}


def words() -> set[bytes]:
    """Names, paths and programs that the phones spoke of; short ones could stand anywhere."""
    told = {word for word in told_by_tshark(*CONTENT_FIELDS) if len(word) >= 6}
    assert {"Lucas-iPhone", "captive.apple.com", "play.googleapis.com", "gateway.icloud.com"} <= told
    return {
        form for word in told for form in (word.encode(), word.lower().encode(), word.encode("utf-16-le"))
    }


def record_live(box: Box, folder: Path) -> bytes:
    """Record the captures off a wire and die; everything the box and its running process let be seen."""
    with Network() as network:
        network.cable("switch", "mirror")
        with network.inside(), Warm() as warm:
            recorder = warm.start(
                ["record", "--home", str(box.home), "--interface", "mirror"], folder / f"{box.home.name}.out"
            )
            wait_for(lambda: box.recorder().get("sources"), 20, "the recorder to listen")
            for _ in send("switch", side_by_side(map(read_capture, CAPTURES)), 3):
                pass
            time.sleep(1.5)
            process = Path(f"/proc/{recorder}")
            seen = b"".join((process / name).read_bytes() for name in ("environ", "cmdline", "comm"))
            warm.end(recorder, signal.SIGKILL)
    return seen + (folder / f"{box.home.name}.out").read_bytes()


def all_bytes(box: Box) -> bytes:
    kept = box.bytes_kept()
    return b"\0".join([str(path).encode() + b"\0" + content for path, content in kept.items()])


@needs_root
def test_no_address_is_found_in_a_box_without_its_custodians(tmp_path: Path) -> None:
    """Four bytes turn up by chance in a hundred thousand random ones: only what two boxes show counts."""
    forms = address_forms()
    found = []
    for name in ("one", "two"):
        box = make_box(tmp_path, NETWORKS, name)
        seen = record_live(box, tmp_path)
        assert list((box.home / "journal" / "traffic").glob("*/*.journal"))
        while_journal = found_in(seen + all_bytes(box), forms)
        box.run("record", *CAPTURES)  # adopts the journal, and leaves segments beside it
        assert list((box.home / "segments" / "traffic").glob("*/*.parquet"))
        assert list((box.home / "segments" / "source").glob("*/*.parquet"))
        found.append(while_journal | found_in(all_bytes(box), forms))
        read_back = box.run("search", *box.identities, "--format", "csv")
        assert len({name for name, _ in found_in(read_back.encode(), forms)}) > 50, (
            "the search itself is blind"
        )
    assert found[0] & found[1] == set()


@needs_root
def test_no_word_of_what_was_said_is_kept_nor_can_be_read_back(tmp_path: Path) -> None:
    box = make_box(tmp_path, NETWORKS)
    seen = record_live(box, tmp_path)
    box.run("record", *CAPTURES)
    read_back = [
        box.run("search", *box.identities, "--parts", "--format", "jsonl"),
        box.run("bindings", *box.identities, "--format", "jsonl"),
        *(box.run(verb, "--json") for verb in ("status", "coverage", "verify")),
    ]
    content = seen + all_bytes(box) + "".join(read_back).encode()
    spoken = words()
    assert [word for word in spoken if word in CAPTURES[0].read_bytes()], "the search itself is blind"
    assert [word for word in spoken if word in content] == []
