"""What softflowd makes of a capture, in each version: read as tshark reads it, and nothing missed."""

import socket
import subprocess
from pathlib import Path

import pytest

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.netflow.waiting import WAIT_NS
from appliance.model.texts import Texts
from tests.feeds.netflow import dissected
from tests.feeds.netflow.exports import dissect
from tests.feeds.netflow.forms import NOW_NS, messages

CAPTURES = Path(__file__).parents[3] / "demo" / "captures"


def exported(capture: Path, version: int) -> list[bytes]:
    """The datagrams that softflowd sends of a capture."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.setblocking(False)
        to = f"127.0.0.1:{collector.getsockname()[1]}"
        command = ["softflowd", "-r", str(capture), "-n", to, "-v", str(version)]
        subprocess.run(command, capture_output=True, check=True, timeout=30)
        found = []
        while True:
            try:
                found.append(collector.recv(65_535))
            except BlockingIOError:
                return found


@pytest.mark.parametrize("capture", ["android", "iphone"])
@pytest.mark.parametrize("version", [5, 9, 10])
def test_softflowd(tmp_path: Path, capture: str, version: int) -> None:
    payloads = exported(CAPTURES / f"{capture}.pcap", version)
    assert len(payloads) >= 3
    decoder = NetflowDecoder(Texts())
    told = decoder.decode(messages(*payloads))
    rest = decoder.expire(NOW_NS + WAIT_NS + 1)
    assert not told.refused + rest.refused
    assert not told.lost + rest.lost
    assert not rest.noted["sequence_restarted"]
    (tree,) = dissect([payloads], tmp_path)
    read = [record for _, record in dissected.records(tree)]
    assert len(told.flows) == len(read) >= 80
    for record, row in zip(read, told.flows, strict=True):
        expected = dissected.stated(record)
        assert {name: int(row[name]) for name in expected} == expected


@pytest.mark.parametrize("version", [5, 9, 10])
def test_what_is_lost_on_the_way_is_counted(version: int) -> None:
    payloads = exported(CAPTURES / "android.pcap", version)
    whole = NetflowDecoder(Texts()).decode(messages(*payloads))
    decoder = NetflowDecoder(Texts())
    told = decoder.decode(messages(*payloads[:2], *payloads[3:]))
    lost = (told.lost + decoder.expire(NOW_NS + WAIT_NS + 1).lost)["sequence"]
    assert lost == (1 if version == 9 else len(whole.flows) - len(told.flows))
