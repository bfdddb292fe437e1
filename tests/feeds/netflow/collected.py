"""What nfcapd collects of exports on loopback, as nfdump shows it: an address for each exporter."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.ports import free_port, wait_until_taken

WAIT_S = 20


def collect(exporters: Sequence[Sequence[bytes]], folder: Path) -> list[list[dict[str, Any]]]:
    """What nfdump has of each exporter's messages, which nfcapd receives as datagrams."""
    port = free_port(socket.SOCK_DGRAM)
    log = folder / "nfcapd.log"
    command = ["nfcapd", "-M", str(folder), "-b", "127.0.0.1", "-p", str(port), "-t", "86400"]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as collector:
        try:
            wait_for(port)
            for number, messages in enumerate(exporters):
                send(messages, address_of(number), port)
            wait_until_taken(port)
        finally:
            collector.terminate()
            collector.wait(WAIT_S)
    return [list(shown(folder / address_of(number).replace(".", "-"))) for number in range(len(exporters))]


def address_of(number: int) -> str:
    return f"127.0.{1 + number // 200}.{1 + number % 200}"


def wait_for(port: int) -> None:
    """Until somebody has bound the port."""
    needle = f"0100007F:{port:04X}"
    end = time.monotonic() + WAIT_S
    while needle not in Path("/proc/net/udp").read_text():
        assert time.monotonic() < end, "nfcapd does not listen"
        time.sleep(0.05)


def send(messages: Sequence[bytes], address: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as exporter:
        exporter.bind((address, 0))
        for message in messages:
            exporter.sendto(message, ("127.0.0.1", port))
            time.sleep(0.002)


def shown(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("nfcapd.*")):
        command = ["nfdump", "-q", "-r", path, "-o", "json"]
        utc = {**os.environ, "TZ": "UTC"}
        done = subprocess.run(command, capture_output=True, timeout=WAIT_S, text=True, env=utc)
        text, at = done.stdout.strip(), 0
        while at < len(text) and text[at] in "[{":
            if text[at] == "[":
                at += 1
            else:
                found, at = json.JSONDecoder().raw_decode(text, at)
                yield found
            while at < len(text) and text[at] in ",] \n\t":
                at += 1
