"""Claims read out of what scapy forges, frame by frame: another program says what each of them claims."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.capture.files import CaptureFile
from appliance.model.addresses import ip_text, mac_text
from appliance.model.instants import NS
from appliance.model.reasons import EVIDENCE_NAMES
from appliance.wire.decode import Decoder

FORGE = Path(__file__).parent.parent / "forge" / "control.py"


@pytest.mark.parametrize("seed", [1, 2])
def test_every_claim_that_scapy_forges_is_read_and_no_other(tmp_path: Path, seed: int) -> None:
    capture = tmp_path / "forged.pcap"
    command = [sys.executable, str(FORGE), str(seed), "400", str(capture)]
    forged = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    expected = [tuple(json.loads(line)) for line in forged.splitlines()]
    assert {claim[1] for claim in expected} == set(EVIDENCE_NAMES.values())

    claims = []
    with CaptureFile(capture) as file:
        for frames in file:
            claims.extend(Decoder().decode(frames).claims)
    read = [
        (
            int(claim["seen"]) // NS,
            EVIDENCE_NAMES[claim["evidence"]],
            ip_text(int(claim["ip_hi"]), int(claim["ip_lo"])),
            mac_text(int(claim["mac"])),
            int(claim["vlan"]),
            max(int(claim["until"]) - int(claim["seen"]), 0) // NS,
            bool(claim["released"]),
        )
        for claim in claims
    ]
    assert sorted(read) == sorted(expected)
